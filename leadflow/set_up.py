"""The first way in: a link for whoever looks after Leadflow, printed once when the console starts and nobody can sign in."""

from __future__ import annotations

from collections.abc import Callable

from sales.roles import operators
from store.access import HOUR_US, anybody_invited, grant
from store.accounts import anybody_signs_in
from store.acts import ITSELF, Append, Command, perform
from store.company import company_version, load_company
from store.database import Database

SET_UP_HOURS = 72


def set_up_link(
    store: Database, now_us: int, new_secret: Callable[[], str], append: Append, url: str
) -> tuple[str, str] | None:
    """Return (who it is for, the link to choose the first password by); None if there is nothing to set up.

    There is nothing where somebody signs in already or was invited before, and nobody yet where nobody has the
    role operations. The link is made and shown here, and kept nowhere.
    """
    with store.read() as connection:
        company = load_company(connection, company_version(connection))
        nothing = company.is_demo or anybody_signs_in(connection) or anybody_invited(connection)
        first = None if nothing else next(iter(operators(company)), None)
    if first is None:
        return None
    secret = new_secret()
    command = Command("grant", ITSELF, f"set-up:{first}", first)
    if not perform(store, command, grant("invitation", secret, SET_UP_HOURS * HOUR_US), now_us, append):
        return None
    return first, f"{url}/enter/{secret}"
