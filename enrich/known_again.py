"""Who is known again by keyed hashes: what an erased person left behind is not taken, what they refused stays refused.

What they send anew, after the erasure, is taken: they are a new customer, who may still have opted out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, exists, select

from schemas.capture import KEPT_FILE
from schemas.lead import Lead
from schemas.resolved import Identifier
from store import tables
from store.bulk import OneOf, Prepared, keys_in, listed
from store.effects import Delete, Effect, Insert, Update
from store.journal import Mark
from store.marks import KINDS, Given, marks_of

Sent = tuple[Lead, tuple[Identifier, ...]]
"""A lead with normalised fields, and what can recognise its sender."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A capture that a lead came from, and what goes with it: nothing but the link, if it led to others too."""

    capture_id: str
    keys: tuple[str, ...] = ()
    """Of its bytes, and of the bytes that it repairs."""
    repairs: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    joins: tuple[str, ...] = ()
    """The other leads that the capture is noted with as a correction."""


@dataclass
class KnownAgain:
    """What the marks say about the leads of a batch."""

    forgotten: dict[str, tuple[Origin, ...]] = field(default_factory=dict)
    """Leads that are not to be taken, with what is to go with them."""
    opted_out: dict[str, dict[str, int]] = field(default_factory=dict)
    """By lead: purposes that its sender does not agree to, each with the moment up to which that holds."""

    def opt_outs(self, lead: Lead) -> list[Effect]:
        """Return what is noted of a lead whose sender opted out before."""
        refused = self.opted_out.get(lead.lead_id, {})
        return [
            Insert("lead_opt_out", {"lead_id": lead.lead_id, "purpose": purpose, "at_us": at_us})
            for purpose, at_us in sorted(refused.items())
        ]

    def forget(self, lead: Lead) -> list[Effect]:
        """Return what makes a lead one that never was: its captures are noted as ignored, their keys go."""
        effects: list[Effect] = []
        for origin in self.forgotten[lead.lead_id]:
            effects += (
                Delete("lead_capture", {"lead_id": one, "capture_id": origin.capture_id})
                for one in (lead.lead_id, *origin.joins)
            )
            effects += (
                Delete("part", {"group_id": group, "capture_id": origin.capture_id})
                for group in origin.groups
            )
            effects += (Insert("key_to_erase", {"key_id": one}) for one in origin.keys)
            effects += (
                Update("capture", {"capture_id": one}, {"detail_json": None}) for one in origin.repairs
            )
            if origin.keys and origin.capture_id == lead.capture_id:
                ignored = {"result": "ignored", "kind": "private", "code": "forgotten", "detail_json": None}
                effects.append(Update("capture", {"capture_id": origin.capture_id}, ignored))
        return effects


def gone_with_them(lead: Lead, key_id: str | None) -> list[Effect]:
    """Return what makes a correction one that never was, because whom it is about was erased within the same moment."""
    here = {"capture_id": lead.capture_id}
    ignored = {"result": "ignored", "kind": "private", "code": "forgotten", "detail_json": None}
    return [
        Delete("lead_capture", {"lead_id": lead.lead_id, **here}),
        Update("capture", here, ignored),
        *([Insert("key_to_erase", {"key_id": key_id})] if key_id is not None else []),
    ]


_ANY = Prepared(
    select(
        exists().where(OneOf(["kind"], "of_kinds")).select_from(tables.erased).label("erased"),
        exists(select(tables.opt_out.c.kind)).label("opted_out"),
    )
)
_ERASED = Prepared(
    select(tables.erased.c.kind, tables.erased.c.keyed_hash, tables.erased.c.at_us).where(
        OneOf(["kind", "keyed_hash"], "of_marks")
    )
)
_OPT_OUTS = Prepared(
    select(
        tables.opt_out.c.kind, tables.opt_out.c.keyed_hash, tables.opt_out.c.purpose, tables.opt_out.c.at_us
    ).where(OneOf(["kind", "keyed_hash"], "of_marks"))
)


def read_known_again(connection: Connection, sent: Iterable[Sent], secret: bytes | None) -> KnownAgain:
    """Return what the marks say about these leads. Where nobody was ever erased or opted out it asks no more than that."""
    known = KnownAgain()
    there = _ANY(connection, of_kinds=listed((one,) for one in KINDS)).one()
    if not (there.erased or there.opted_out):
        return known
    if secret is None:
        raise RuntimeError("these stages were made without the secret of the marks, only to be looked at")
    marks = {lead.lead_id: (lead, frozenset(_marks(lead, found, secret))) for lead, found in sent}
    asked = listed({mark for _, several in marks.values() for mark in several})
    if there.erased:
        since = dict[Mark, int]()
        for row in _ERASED(connection, of_marks=asked):
            mark = (row.kind, row.keyed_hash)
            since[mark] = max(row.at_us, since.get(mark, 0))
        gone = {
            lead.lead_id
            for lead, several in marks.values()
            if any(_is_of_before(lead, since[mark]) for mark in several & since.keys())
        }
        known.forgotten = _origins(connection, gone)
    if there.opted_out:
        for row in _OPT_OUTS(connection, of_marks=asked):
            for lead, several in marks.values():
                if (row.kind, row.keyed_hash) in several and not _agrees_anew(lead, row.purpose, row.at_us):
                    held = known.opted_out.setdefault(lead.lead_id, {})
                    held[row.purpose] = max(held.get(row.purpose, 0), row.at_us, lead.accepted_us)
    return known


def _marks(lead: Lead, identifiers: tuple[Identifier, ...], secret: bytes) -> Iterable[Mark]:
    named = lead.first("full_name")
    name = (named.value or "") if named is not None else ""
    return marks_of(secret, (Given(one.kind, one.value, name) for one in identifiers if one.trust != "none"))


def _moment(lead: Lead) -> int | None:
    """Return when a lead was sent, by its own word, else by the door's; None if it lay in a file for nobody knows how long."""
    if lead.occurred_us is not None:
        return lead.occurred_us
    return None if KEPT_FILE in lead.flags else lead.accepted_us


def _is_of_before(lead: Lead, at_us: int) -> bool:
    moment = _moment(lead)
    return moment is None or moment <= at_us


def _agrees_anew(lead: Lead, purpose: str, at_us: int) -> bool:
    return lead.consent is not None and purpose in lead.consent.purposes and not _is_of_before(lead, at_us)


def _origins(connection: Connection, gone: set[str]) -> dict[str, tuple[Origin, ...]]:
    """Return what these leads came from. Of a capture that led to others too, neither key nor parts are to go."""
    if not gone:
        return {}
    link, part = tables.lead_capture, tables.part
    own = connection.execute(
        select(link.c.lead_id, link.c.capture_id).where(
            keys_in(connection, ["lead_id"], [(one,) for one in gone])
        )
    ).all()
    captures = keys_in(connection, ["capture_id"], {(row.capture_id,) for row in own})
    links: dict[str, list[Any]] = {}
    for row in connection.execute(select(link).where(captures)):
        links.setdefault(row.capture_id, []).append(row)
    groups: dict[str, list[str]] = {}
    for row in connection.execute(select(part.c.capture_id, part.c.group_id).where(captures)):
        groups.setdefault(row.capture_id, []).append(row.group_id)
    rows = _with_repaired(connection, {row.capture_id for row in own})
    found: dict[str, list[Origin]] = {one: [] for one in gone}
    for row in own:
        others = [one for one in links[row.capture_id] if one.lead_id not in gone]
        if any(one.role in ("origin", "leg") for one in others):
            found[row.lead_id].append(Origin(row.capture_id))
            continue
        line = list(_line_of(row.capture_id, rows))
        one = Origin(
            row.capture_id,
            keys=tuple(each.key_id for each in line if each.key_id is not None),
            repairs=tuple(each.capture_id for each in line[1:]),
            groups=tuple(sorted(groups.get(row.capture_id, ()))),
            joins=tuple(sorted({each.lead_id for each in others})),
        )
        found[row.lead_id].append(one)
    return {lead_id: tuple(several) for lead_id, several in found.items()}


def _with_repaired(connection: Connection, captures: set[str]) -> dict[str, Any]:
    """Return the rows of captures, and of those that they repair."""
    capture, found = tables.capture, dict[str, Any]()
    while todo := captures - found.keys():
        wanted = keys_in(connection, ["capture_id"], [(one,) for one in todo])
        rows = connection.execute(
            select(capture.c.capture_id, capture.c.parent_id, capture.c.key_id).where(wanted)
        ).all()
        found |= dict.fromkeys(todo) | {row.capture_id: row for row in rows}
        captures = {row.parent_id for row in rows if row.parent_id}
    return found


def _line_of(capture_id: str | None, rows: dict[str, Any]) -> Iterator[Any]:
    """Yield a capture's row, and that of each one it repairs in turn."""
    while capture_id is not None and (row := rows.get(capture_id)) is not None:
        yield row
        capture_id = row.parent_id
