"""How far a story of the demo's first page has come, read from the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, select

from console.matches_read import owners_of
from console.stories_cast import Name, broken_body, mail_of, phone_of
from schemas.ids import body_digest
from store import tables
from store.bulk import keys_in
from store.present import present_ids

DOORS: dict[Name, tuple[str, ...]] = {
    "four_doors": ("web", "email", "cti", "counter"),
    "two_departments": ("web", "counter"),
}
"""By which doors a story's customer comes."""
BROKEN_SOURCE = "landing"
INTAKE = "intake"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Touch:
    """One enquiry of a story: by which door, what it was recognised by, and the decision."""

    lead_id: str
    channel: str
    at_us: int
    customer_id: str
    evidence: Sequence[Row]
    decision: Row | None
    """`reason` and `holder_id`, for a sentence; None while route has not decided."""


@dataclass(frozen=True, slots=True)
class Told:
    """What there is of a story by now."""

    touches: tuple[Touch, ...] = ()
    customers: tuple[str, ...] = ()
    holder_id: str = ""
    had: tuple[str, ...] = ()
    """People who have ever had the customer, in order."""
    dead: Row | None = None
    child: str | None = None
    """The capture that repairs the refused one."""
    is_done: bool = False


def read_told(connection: Connection, story: Name, run: int) -> Told:
    """Return what there is of a run of a story."""
    if story == "broken_row":
        return _broken(connection, run)
    wanted = [("mobile", f"+86{phone_of(story, run)}")]
    if story == "four_doors":
        wanted.append(("email", mail_of(run)))
    return _of(connection, wanted, DOORS[story])


def _of(connection: Connection, wanted: list[tuple[str, str]], doors: Sequence[str]) -> Told:
    identifier = tables.lead_identifier
    found = set(
        connection.execute(
            select(identifier.c.lead_id).where(keys_in(connection, ["kind", "value"], wanted))
        ).scalars()
    )
    touches = tuple(_touches(connection, found))
    customers = tuple(dict.fromkeys(one.customer_id for one in touches))
    owners = owners_of(connection, customers)
    holder = next((owners[one][0] for one in customers if one in owners), "")
    came = {one.channel for one in touches}
    decided = all(one.decision is not None for one in touches)
    done = set(doors) <= came and decided and holder not in ("", INTAKE)
    return Told(touches, customers, holder, tuple(_had(connection, customers)), is_done=done)


def _touches(connection: Connection, leads: set[str]) -> list[Touch]:
    lead, member, evidence, decision = tables.lead, tables.membership, tables.evidence, tables.decision
    of_leads = keys_in(connection, ["lead_id"], [(one,) for one in leads])
    rows = connection.execute(
        select(lead.c.lead_id, lead.c.channel, lead.c.accepted_us, member.c.customer_id)
        .join(member, member.c.lead_id == lead.c.lead_id)
        .where(
            keys_in(connection, ["lead.lead_id"], [(one,) for one in leads]),
            member.c.to_us.is_(None),
        )
        .order_by(lead.c.accepted_us, lead.c.lead_id)
    ).all()
    now = present_ids(connection, [row.customer_id for row in rows])
    proofs: dict[str, list[Row]] = {}
    for row in connection.execute(select(evidence).where(of_leads).order_by(evidence.c.ordinal)).mappings():
        proofs.setdefault(row["lead_id"], []).append(dict(row))
    decided: dict[str, Row] = {}
    for made in connection.execute(
        select(decision.c.lead_id, decision.c.reason_json).where(of_leads).order_by(decision.c.decided_us)
    ):
        decided.setdefault(made.lead_id, {"reason": orjson.loads(made.reason_json)})
    owners = owners_of(connection, set(now.values()))
    return [
        Touch(
            row.lead_id,
            row.channel,
            row.accepted_us,
            now[row.customer_id],
            proofs.get(row.lead_id, ()),
            {**decided[row.lead_id], "holder_id": owners.get(now[row.customer_id], ("", 0))[0]}
            if row.lead_id in decided
            else None,
        )
        for row in rows
    ]


def _had(connection: Connection, customers: Sequence[str]) -> list[str]:
    holding = tables.holding
    rows = connection.execute(
        select(holding.c.holder_id)
        .where(
            keys_in(connection, ["customer_id"], [(one,) for one in customers]),
            holding.c.role == "owner",
            holding.c.holder_kind == "person",
        )
        .order_by(holding.c.from_us)
    )
    return list(dict.fromkeys(rows.scalars()))


def _broken(connection: Connection, run: int) -> Told:
    capture, dead = tables.capture, tables.dead
    first = connection.execute(
        select(capture.c.capture_id).where(
            capture.c.source_id == BROKEN_SOURCE, capture.c.digest == body_digest(broken_body(run))
        )
    ).scalar()
    if first is None:
        return Told()
    letter = (
        connection.execute(select(dead).where(dead.c.capture_id == first).order_by(dead.c.refused_us))
        .mappings()
        .first()
    )
    told = _of(connection, [("mobile", f"+86{phone_of('broken_row', run)}")], ("web",))
    return Told(
        told.touches,
        told.customers,
        told.holder_id,
        told.had,
        dict(letter) if letter else None,
        is_done=told.is_done,
    )


def leaving_job(connection: Connection, job_id: str) -> Row | None:
    """Return a hand-over's job; None if there is no such one."""
    job = tables.job
    row = connection.execute(select(job).where(job.c.job_id == job_id)).mappings().one_or_none()
    return dict(row) if row else None
