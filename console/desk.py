"""What pages and API share: store, company, clock, the one way to perform an act, and who may ask for one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.requests import Request

from router.office import OfficeCache
from store.acts import Append, Command, Plan, perform
from store.company import CompanyCache
from store.database import Database


@dataclass(frozen=True)
class Desk:
    """Where the console works."""

    store: Database
    clock: Callable[[], int]
    new_id: Callable[[], str]
    append: Append
    companies: CompanyCache = field(default_factory=CompanyCache)
    offices: OfficeCache = field(default_factory=OfficeCache)

    def perform(self, command: Command, plan: Plan) -> bool:
        """Do an act; False if it had been done before under its key. Raises ActRefused."""
        return perform(self.store, command, plan, self.clock(), self.append)


def is_own_page(request: Request) -> bool:
    """Tell whether a post comes from a page of ours (or no browser): no other site may act for a person.

    Browsers say so in Sec-Fetch-Site (W3C Fetch Metadata), older ones in Origin.
    """
    if (site := request.headers.get("sec-fetch-site")) is not None:
        return site in ("same-origin", "none")
    if (origin := request.headers.get("origin")) is not None:
        return urlsplit(origin).netloc == request.headers.get("host", "")
    return True


_KEY = re.compile(r"[^:\x00-\x1f]{1,64}")
"""A form's own key has no colon: Leadflow's own acts have one in theirs, and nobody is to use such a key up."""


async def entered_in(request: Request, most: int) -> dict[str, str]:
    """Return the texts of a posted form by name, of `most` fields at most; a file in it is none of them.

    Raises HTTPException (400) for more fields, or any file.
    """
    async with request.form(max_files=0, max_fields=most) as posted:
        entered = {key: value.replace("\0", "") for key, value in posted.items() if isinstance(value, str)}
    if not _KEY.fullmatch(entered.get("key", "")):
        entered.pop("key", None)
    return entered


def is_larger(request: Request, most_bytes: int) -> bool:
    """Tell whether a posted form says that it brings a file of more than so many bytes; its other fields are small."""
    return int(request.headers.get("content-length") or 0) > most_bytes + 64 * 1024


def begins_at(request: Request) -> int:
    """Return with which row a page of a longer list begins: `from` in its address, 0 for what is no number."""
    asked = request.query_params.get("from", "")
    return int(asked) if asked.isdecimal() and len(asked) < 7 else 0
