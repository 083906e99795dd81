"""Who may work from elsewhere: tokens, one-time links and sessions, as plans of acts.

Only the digest of a secret is kept, so a copy of the database opens nothing. Secrets are made by the caller; a
mail that is sent a second time can so carry the same link.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from sqlalchemy import Connection, exists, select

from schemas.company import Role
from schemas.ids import make_id
from store import tables
from store.acts import ActRefused, Command, Plan
from store.database import Database
from store.effects import Effect, Insert, Update

AccessKind = Literal["token", "link", "invitation", "session", "calendar"]
AccessState = Literal["valid", "used", "expired", "ended"]

DEVICE_CHARS = 200
_ONE_AT_A_TIME = ("invitation", "calendar")
HOUR_US = 3_600 * 1_000_000
SESSION_US = 30 * 24 * HOUR_US
"""How long a phone stays in after a link: shorter, and salespeople ask for links all the time; longer, and a
lost phone that nobody reports stays in."""
CALENDAR_US = 5 * 365 * 24 * HOUR_US
"""A calendar's address is typed once a phone, opens nothing else, and can be taken back at any time."""


@dataclass(frozen=True, slots=True)
class Access:
    """One token, link or session on record."""

    access_id: str
    person_id: str
    kind: AccessKind
    role: Role | None
    """The one role it is for; None: whatever roles its person has at the moment of each request."""
    made_us: int
    expires_us: int
    used_us: int | None = None
    ended_us: int | None = None
    seen_us: int | None = None
    """When a session was last used, to an hour."""
    device: str | None = None
    """What a session's browser says of itself."""
    scope: str | None = None
    """Of a token, the only parts of the API that it opens, with spaces between; None: all that its roles do."""

    @property
    def scopes(self) -> frozenset[str] | None:
        """Return the only parts of the API that it opens; None: it is not narrowed so."""
        return None if self.scope is None else frozenset(self.scope.split())

    def state(self, now_us: int) -> AccessState:
        """Return whether it opens anything now, else why not. Only a link is used up."""
        if self.used_us is not None:
            return "used"
        if self.ended_us is not None:
            return "ended"
        return "valid" if now_us < self.expires_us else "expired"


def grant(
    kind: Literal["token", "link", "invitation", "calendar"],
    secret: str,
    lasts_us: int,
    role: Role | None = None,
    scopes: Collection[str] = (),
) -> Plan:
    """Return the plan that gives the person who is the command's scope a token, a one-time link, an invitation, or the
    address of their calendar.

    `role`: only what that role may; without it what their roles are at each request. `scopes`: of that only these parts of the API. An invitation is for a
    person to choose a password; it takes the place of the ones before, as a calendar's address does. Refused for nobody who works here. The
    access's id is `access_id_of(command)`.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        check_works_here(connection, command.scope_id)
        until_us = now_us + lasts_us
        scope = " ".join(sorted(scopes)) or None
        made = Access(access_id_of(command), command.scope_id, kind, role, now_us, until_us, scope=scope)
        before = ended(connection, command.scope_id, now_us, kind) if kind in _ONE_AT_A_TIME else ()
        return [*before, new_access(made, secret, command)]

    return plan


def redeem(code: str, session_secret: str, device: str = "") -> Plan:
    """Return the plan that turns a one-time link into a session of its person; its command is `redemption`.

    Refused: an unknown, used, ended or expired link, and a person who has left.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        table = tables.access
        connection.execute(
            select(table.c.access_id).where(table.c.access_id == command.scope_id).with_for_update()
        )
        link = find_access(connection, code)
        if link is None or link.kind != "link":
            raise ActRefused("link_unknown", "There is no such link.")
        state = link.state(now_us)
        if state == "used":
            raise ActRefused("link_used", "This link was used already; ask for a new one.")
        if state != "valid":
            raise ActRefused("link_over", "This link is not valid any more; ask for a new one.")
        session = begun(
            connection, command, link.person_id, session_secret, now_us=now_us, device=device, role=link.role
        )
        return [Update("access", {"access_id": link.access_id}, {"used_us": now_us}), session]

    return plan


def begun(
    connection: Connection,
    command: Command,
    person_id: str,
    secret: str,
    *,
    now_us: int,
    device: str = "",
    role: Role | None = None,
) -> Insert:
    """Return the effect by which a person's new session is on record. Raises ActRefused for nobody who works here."""
    check_works_here(connection, person_id)
    made = Access(
        access_id_of(command),
        person_id,
        "session",
        role,
        now_us,
        now_us + SESSION_US,
        seen_us=now_us,
        device=device[:DEVICE_CHARS] or None,
    )
    return new_access(made, secret, command)


def ended(
    connection: Connection, person_id: str, now_us: int, *kinds: AccessKind, but: str | None = None
) -> list[Update]:
    """Return the effects that end what a person has of these kinds, but for one."""
    table = tables.access
    asked = select(table.c.access_id).where(
        table.c.person_id == person_id, table.c.kind.in_(kinds), table.c.ended_us.is_(None)
    )
    found = connection.execute(asked.order_by(table.c.access_id).with_for_update()).scalars()
    return [Update("access", {"access_id": one}, {"ended_us": now_us}) for one in found if one != but]


def seen(store: Database, access: Access, now_us: int) -> None:
    """Note that a session or a calendar is used; at most once an hour, so that reading a page seldom writes."""
    if access.kind not in ("session", "calendar") or now_us - (access.seen_us or 0) < HOUR_US:
        return
    table = tables.access
    with store.write() as connection:
        connection.execute(table.update().where(table.c.access_id == access.access_id).values(seen_us=now_us))


def redemption(link: Access) -> Command:
    """Return the command under which a link is redeemed: always the same, so that it happens once."""
    return Command("enter", link.person_id, f"enter:{link.access_id}", link.access_id)


def end() -> Plan:
    """Return the plan that ends an access (the command's scope) with the session that a link led to.

    With a person as scope it ends all that they have.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        table, scope = tables.access, command.scope_id
        led_to = make_id("act", f"enter:{scope}")
        mine = (table.c.access_id == scope) | (table.c.person_id == scope) | (table.c.made_by_act == led_to)
        # A link that is being used up at this moment: wait for the session that it leads to.
        connection.execute(
            select(table.c.access_id).where(mine).order_by(table.c.access_id).with_for_update()
        ).all()
        found = connection.execute(select(table.c.access_id, table.c.ended_us).where(mine)).all()
        if not found:
            raise ActRefused(
                "unknown_access", f"There is no token, link or person {scope}: leadflow token list"
            )
        open_ones = [row.access_id for row in found if row.ended_us is None]
        return [Update("access", {"access_id": one}, {"ended_us": now_us}) for one in open_ones]

    return plan


def access_id_of(command: Command) -> str:
    """Return the id of the access that a command makes."""
    return make_id("acc", command.act_id)


def find_access(connection: Connection, secret: str) -> Access | None:
    """Return the access that a secret belongs to, in whatever state it is."""
    table = tables.access
    digest = _digest(secret)
    row = connection.execute(select(table).where(table.c.token_hash == digest)).mappings().one_or_none()
    return None if row is None else _access(row)


def list_access(connection: Connection) -> list[Access]:
    """Return every token, link, invitation and session on record, the newest first."""
    table = tables.access
    asked = select(table).order_by(table.c.made_us.desc(), table.c.access_id)
    return [_access(row) for row in connection.execute(asked).mappings()]


def open_access(
    connection: Connection, now_us: int, kinds: Collection[AccessKind], person_id: str | None = None
) -> list[Access]:
    """Return what opens something now, of these kinds, of one person or of all, the newest first.

    Mailed links are many, and most are never opened: what is over is not read.
    """
    table = tables.access
    asked = select(table).where(
        table.c.kind.in_(kinds),
        table.c.ended_us.is_(None),
        table.c.used_us.is_(None),
        table.c.expires_us > now_us,
    )
    if person_id is not None:
        asked = asked.where(table.c.person_id == person_id)
    rows = connection.execute(asked.order_by(table.c.made_us.desc(), table.c.access_id)).mappings()
    return [_access(row) for row in rows]


def with_open_link(connection: Connection, now_us: int, person_ids: Collection[str]) -> set[str]:
    """Return those of the people who have a one-time link that opens something now."""
    table, person = tables.access, tables.person
    has = exists().where(
        table.c.kind == "link",
        table.c.person_id == person.c.person_id,
        table.c.ended_us.is_(None),
        table.c.used_us.is_(None),
        table.c.expires_us > now_us,
    )
    rows = connection.execute(select(person.c.person_id).where(person.c.person_id.in_(person_ids), has))
    return set(rows.scalars())


def anybody_invited(connection: Connection) -> bool:
    """Tell whether an invitation was ever made."""
    table = tables.access
    asked = select(table.c.access_id).where(table.c.kind == "invitation").limit(1)
    return connection.execute(asked).first() is not None


def _access(row: Any) -> Access:
    return Access(**{name: row[name] for name in Access.__slots__})


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new_access(made: Access, secret: str, command: Command) -> Insert:
    """Return the effect that puts an access on record, with the digest of its secret."""
    row = {name: getattr(made, name) for name in Access.__slots__}
    return Insert("access", {**row, "token_hash": _digest(secret), "made_by_act": command.act_id})


def check_works_here(connection: Connection, person_id: str) -> None:
    """Raise ActRefused for nobody who works here."""
    person = tables.person
    state = connection.execute(
        select(person.c.state).where(person.c.person_id == person_id)
    ).scalar_one_or_none()
    if state != "active":
        raise ActRefused("unknown_person", f"Nobody who works here has the code {person_id!r}.")
