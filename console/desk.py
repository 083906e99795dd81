"""What pages and API share: store, company, clock, the one way to perform an act, and who may ask for one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import orjson
from sqlalchemy import select
from starlette.requests import Request

from router.office import OfficeCache
from store import tables
from store.acts import ActRefused, Append, Command, Plan, digest_of, is_done, perform
from store.company import CompanyCache
from store.database import Database


@dataclass(frozen=True, slots=True)
class Used:
    """What a form recorded when it was sent before, and the texts that somebody typed into it since."""

    verb: str
    actor: str
    reason: str | None
    recorded_us: int
    typed: tuple[str, ...]


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

    def command(
        self,
        request: Request,
        entered: Mapping[str, str],
        verb: str,
        actor: str,
        scope_id: str,
        *,
        reason: str | None = None,
    ) -> Command:
        """Return the command of a posted form, under the form's own key if it has one."""
        keyed = self.keyed(request, entered)
        return Command(verb, actor, keyed["key"], scope_id, reason, asked=keyed.get("body_digest"))

    def keyed(self, request: Request, entered: Mapping[str, str]) -> dict[str, str]:
        """Return `key` of a posted form and `body_digest`, by which another act under the same key is told.

        A form without a key gets a new one, and needs no digest.
        """
        if not (key := entered.get("key")):
            return {"key": self.new_id()}
        said = sorted((name, value) for name, value in entered.items() if name != "key")
        return {"key": key, "body_digest": digest_of(orjson.dumps([request.url.path, said]))}

    def perform_form(
        self, request: Request, entered: Mapping[str, str], command: Command, plan: Plan
    ) -> bool:
        """Do what a form asks for, as `perform`; see `remembers`."""
        with self.remembers(request, entered):
            return self.perform(command, plan)

    def was_done(self, request: Request, entered: Mapping[str, str], command: Command) -> bool:
        """Tell whether a form did its act before, just so. Raises ActRefused if it did another one; see `remembers`."""
        with self.remembers(request, entered), self.store.read() as connection:
            return is_done(connection, command)

    @contextmanager
    def remembers(self, request: Request, entered: Mapping[str, str]) -> Iterator[None]:
        """Have the page that answers a refusal tell what its form recorded before, if it did, and keep what was typed now."""
        try:
            yield
        except ActRefused as refused:
            if refused.code == "key_reused":
                request.state.used = self._used(entered)
            raise

    def _used(self, entered: Mapping[str, str]) -> Used | None:
        act = tables.act
        asked = select(act.c.verb, act.c.actor, act.c.reason, act.c.recorded_us).where(
            act.c.idem_key == entered.get("key", "")
        )
        with self.store.read() as connection:
            row = connection.execute(asked).one_or_none()
        typed = tuple(text for name in ("note", "reason") if (text := entered.get(name, "").strip()))
        return Used(*row, typed) if row is not None else None


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
