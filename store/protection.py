"""Until when a customer is protected for its owner: no reclaim and no automatic move before; a manager may always move it.

The moment stands on the owner's holding (`protected_until_us`): a rule sets it (`then_protect_days`), or a registration.
It goes with the customer from person to person, and ends where no person has it.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from store import tables
from store.bulk import keys_in

DAY_US = 86_400 * 1_000_000
"""Protection is counted in days of 24 hours."""


def is_protected(until_us: int | None, now_us: int) -> bool:
    """Tell whether a protection that lasts until then (None: there is none) still holds."""
    return until_us is not None and now_us < until_us


def protected_until(connection: Connection, customers: Iterable[str], now_us: int) -> dict[str, int]:
    """Return until when each of these customers (present ids) is protected; those that are not are not in it."""
    holding = tables.holding
    wanted = keys_in(connection, ["customer_id"], [(one,) for one in customers])
    rows = connection.execute(
        select(holding.c.customer_id, holding.c.protected_until_us).where(
            wanted,
            holding.c.role == "owner",
            holding.c.to_us.is_(None),
            holding.c.protected_until_us > now_us,
        )
    )
    return {row.customer_id: row.protected_until_us for row in rows}
