"""What the page of matches shows: both sides of a pair, what speaks for one and against, and who answered what before."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, literal, select, tuple_

from console.may import Visitor
from enrich.live import live
from enrich.match.model import Level, MatchModel
from enrich.match.pack import unpack
from enrich.match.record import Record
from enrich.match.story import Story, story_of
from enrich.match.story_texts import COMPARISON_TEXTS, LEVEL_TEXTS
from enrich.review import Place, open_reviews, place_of
from schemas.base import Language
from store import tables
from store.bulk import keys_in
from store.present import atoms_of, present_ids
from store.similar import records_of

SHOWN = 20
"""Pairs on a page, the likeliest first: each is read and weighed."""
ANSWERED = 50
_BATCH = 500
"""Answered reviews that are read at once, until there are enough of those that somebody sees."""
LEADS = 8
"""Leads of a side that are shown and compared, the latest: as many as a second look weighs."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Member:
    """A lead of a customer, as far as it tells one from another."""

    lead_id: str
    channel: str
    source_id: str
    at_us: int
    fields: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Side:
    """One of two that may be one: who it is, and who has it."""

    customer_id: str
    holder_id: str
    since_us: int
    leads: tuple[Member, ...]
    more: int
    """Leads that are not shown."""

    @property
    def fields(self) -> list[Row]:
        """All fields of the leads shown, the latest first."""
        return [field for one in self.leads for field in one.fields]


@dataclass(frozen=True, slots=True)
class Bar:
    """A line of the sum: what was compared, with both values, and from where to where it takes the sum, in bits."""

    text: str
    values: tuple[str, str] | None
    bits: float
    before: float

    @property
    def after(self) -> float:
        """The sum with this line."""
        return self.before + self.bits


@dataclass(frozen=True, slots=True)
class Case:
    """Something to be reviewed."""

    review: Row
    sides: tuple[Side, ...]
    bars: tuple[Bar, ...]
    probability: float | None
    question: Level | None


def open_cases(
    connection: Connection, who: Visitor, language: Language, after: Place | None, limit: int = SHOWN
) -> tuple[list[Case], Place | None]:
    """Return so many of what is open and somebody may answer, the likeliest first, from behind a place on; and where the next begin."""
    model = live(connection).model

    def theirs(rows: list[Row]) -> list[Row]:
        pairs = [row for row in rows if row["kind"] != "pair" or row["a"].startswith("cus_")]
        owners = owners_of(connection, {one for row in pairs for one in _ids(row)})
        return [row for row in pairs if is_theirs(who, owners, _ids(row))]

    rows = open_reviews(connection, limit + 1, after=after, narrow=theirs)
    found = []
    for row in rows[:limit]:
        owners = owners_of(connection, _ids(row))
        sides = tuple(side_of(connection, one, owners[one]) for one in _ids(row))
        story = _story(connection, model, row, sides) if len(sides) > 1 else None
        bars = bars_of(story, language) if story else ()
        probability, question = (story.probability, story.question) if story else (None, None)
        found.append(Case(row, sides, bars, probability, question))
    return found, place_of(rows[limit - 1]) if len(rows) > limit else None


def _ids(row: Row) -> list[str]:
    return list(dict.fromkeys(one for one in (row["a"], row["b"]) if one))


def answered(connection: Connection, who: Visitor) -> list[Row]:
    """Return what was answered last that concerns customers somebody sees: review, act, and the present ids."""
    found: list[Row] = []
    before: tuple[int, str] | None = None
    while batch := _answered(connection, before):
        before = (batch[-1]["answered_us"], batch[-1]["review_id"])
        owners = owners_of(connection, {one for row in batch for one in _ids(row)})
        for row in batch:
            if not is_theirs(who, owners, _ids(row)):
                continue
            row["sides"] = [side_of(connection, one, owners[one]) for one in sorted(_ids(row))]
            row["is_one"] = len(_ids(row)) == 1
            found.append(row)
            if len(found) == ANSWERED:
                return found
    return found


def _answered(connection: Connection, before: tuple[int, str] | None) -> list[Row]:
    """Return some answered reviews, the latest first, under the present ids."""
    review, act = tables.review, tables.act
    query = (
        select(
            review.c.review_id,
            review.c.kind,
            review.c.a,
            review.c.b,
            review.c.state,
            review.c.act_id,
            review.c.answered_us,
            act.c.actor,
            act.c.reason,
        )
        .join(act, act.c.act_id == review.c.act_id)
        .where(review.c.state != "open", review.c.answered_us.is_not(None))
        .order_by(review.c.answered_us.desc(), review.c.review_id.desc())
        .limit(_BATCH)
    )
    if before is not None:
        place = (review.c.answered_us, review.c.review_id)
        query = query.where(tuple_(*place) < tuple_(*map(literal, before)))
    rows = [dict(row) for row in connection.execute(query).mappings()]
    now = present_ids(connection, {one for row in rows for one in _ids(row)})
    for row in rows:
        row |= {"a": now[row["a"]], "b": now[row["b"]] if row["b"] else None}
    return rows


def owners_of(connection: Connection, ids: Collection[str]) -> dict[str, tuple[str, int]]:
    """Return who has each of these customers, and since when; without an entry, nobody has it."""
    holding = tables.holding
    rows = connection.execute(
        select(holding.c.customer_id, holding.c.holder_id, holding.c.from_us).where(
            keys_in(connection, ["customer_id"], [(one,) for one in ids]),
            holding.c.role == "owner",
            holding.c.to_us.is_(None),
        )
    )
    return {row.customer_id: (row.holder_id, row.from_us) for row in rows}


def is_theirs(who: Visitor, owners: dict[str, tuple[str, int]], ids: Collection[str]) -> bool:
    """Tell whether somebody sees whoever has these customers, each of them."""
    return all(one in owners and who.sees(owners[one][0]) for one in ids)


def side_of(connection: Connection, customer_id: str, owner: tuple[str, int]) -> Side:
    """Return a customer under its present id, with its latest leads."""
    lead, member = tables.lead, tables.membership
    wanted = keys_in(
        connection, ["membership.customer_id"], [(one,) for one in atoms_of(connection, [customer_id])]
    )
    rows = connection.execute(
        select(lead.c.lead_id, lead.c.channel, lead.c.source_id, lead.c.accepted_us, lead.c.fields_json)
        .join(member, member.c.lead_id == lead.c.lead_id)
        .where(wanted, member.c.to_us.is_(None))
        .order_by(lead.c.accepted_us.desc(), lead.c.lead_id)
    ).all()
    shown = tuple(
        Member(row.lead_id, row.channel, row.source_id, row.accepted_us, orjson.loads(row.fields_json))
        for row in rows[:LEADS]
    )
    return Side(customer_id, *owner, shown, len(rows) - len(shown))


def _story(connection: Connection, model: MatchModel, row: Row, sides: tuple[Side, ...]) -> Story | None:
    """Return the sum of the two leads that speak loudest for one, as the review asks."""
    asked = [one["question"] for one in row["evidence"] if "question" in one]
    level: Level = "customer" if "customer" in asked else "contact"
    found = {
        one.lead_id: unpack(one.packed)
        for one in records_of(connection, [lead.lead_id for side in sides for lead in side.leads])
    }
    mine, others = ([found[lead.lead_id] for lead in side.leads if lead.lead_id in found] for side in sides)
    pairs: list[tuple[Record, Record]] = [(one, other) for one in mine for other in others]
    if not pairs:
        return None
    best = max(pairs, key=lambda both: model.weigh(both[0], both[1], level))
    return story_of(model, best[0], best[1], level)


def bars_of(story: Story, language: Language) -> tuple[Bar, ...]:
    """Return the sum as lines that each begin where the one before ended."""
    zh = language == "zh"
    parts: list[tuple[str, tuple[str, str] | None, float]] = [
        ("比对之前" if zh else "before anything is compared", None, story.prior_bits)
    ]
    for line in story.lines:
        name = COMPARISON_TEXTS[line.comparison][zh]
        level = LEVEL_TEXTS[line.comparison, line.level][zh]
        parts.append((f"{name}{'：' if zh else ': '}{level}", (line.one, line.other), line.bits))
    if story.limit_bits:
        shared = "共有的信息只算一项" if zh else "what is shared counts as one fact"
        parts.append((shared, None, story.limit_bits))
    bars, total = [], 0.0
    for text, values, bits in parts:
        bars.append(Bar(text, values, bits, total))
        total += bits
    return tuple(bars)
