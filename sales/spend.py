"""What campaigns cost: entered by hand or out of a file; a correction ends the entry before and is one of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from sqlalchemy import Connection, and_, literal, or_, select, tuple_

from schemas.company import Company
from schemas.ids import make_id
from store import tables
from store.acts import ActRefused, Command, Plan
from store.bulk import keys_in
from store.effects import Close, Effect, Insert

VERB, END = "take_spend", "end_spend"
BY_HAND = "hand"
MOST_DAYS = 3_660
"""An entry for ten years is a slip of the keyboard."""

Became = Literal["new", "corrected", "known"]


@dataclass(frozen=True, slots=True)
class Spending:
    """One entry: a campaign, the first and last local day, and what it cost in minor units."""

    campaign_id: str
    from_day: date
    to_day: date
    amount_minor: int
    currency: str
    note: str | None = None


def take_spend(source: str, entries: Sequence[Spending], company: Company, told: list[Became]) -> Plan:
    """Return the plan that takes entries of a source in; `told` is filled with what became of each.

    An entry is known by campaign, period, source, and its place among the source's entries for these: the same amount
    again is a repetition, another one a correction. Refused: an unknown campaign, an end before the beginning.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        told.clear()
        for one in entries:
            check(one, company)
        counted: Counter[tuple[str, str, str]] = Counter()
        keys: list[tuple[str, str, str, int]] = []
        for one in entries:
            period = (one.campaign_id, one.from_day.isoformat(), one.to_day.isoformat())
            keys.append((*period, counted[period]))
            counted[period] += 1
        known = _known(connection, source, keys)
        effects: list[Effect] = []
        for one, key in zip(entries, keys, strict=True):
            before = known.get(key)
            said = (one.amount_minor, one.currency, one.note)
            if before is not None and said == (before["amount_minor"], before["currency"], before["note"]):
                told.append("known")
                continue
            told.append("new" if before is None else "corrected")
            if before is not None:
                effects.append(Close("spend", (*key[:3], source, key[3]), now_us))
            effects.append(Insert("spend", _row(source, one, key, command.act_id, now_us)))
        return effects

    return plan


def add_spend(entry: Spending, company: Company) -> Plan:
    """Return the plan that adds one entry by hand, beside what there is; see `take_spend` for what is refused."""

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        check(entry, company)
        table = tables.spend
        period = (entry.campaign_id, entry.from_day.isoformat(), entry.to_day.isoformat())
        taken = connection.execute(
            select(table.c.ordinal).where(
                table.c.campaign_id == period[0],
                table.c.from_day == period[1],
                table.c.to_day == period[2],
                table.c.source == BY_HAND,
            )
        ).scalars()
        key = (*period, max(taken, default=-1) + 1)
        return [Insert("spend", _row(BY_HAND, entry, key, command.act_id, now_us))]

    return plan


def end_spend() -> Plan:
    """Return the plan that takes an entry back: the command's scope is its id. It stays on record, and counts no more."""

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        table = tables.spend
        asked = select(table).where(table.c.spend_id == command.scope_id, table.c.to_us.is_(None))
        row = connection.execute(asked).mappings().one_or_none()
        if row is None:
            raise ActRefused("unknown_spend", f"No entry {command.scope_id} counts; see: leadflow spend list")
        key = (row["campaign_id"], row["from_day"], row["to_day"], row["source"], row["ordinal"])
        return [Close("spend", key, now_us)]

    return plan


def added_by(connection: Connection, act_id: str) -> str:
    """Return the entry that an act of `add_spend` added."""
    asked = select(tables.spend.c.spend_id).where(tables.spend.c.act_id == act_id)
    return str(connection.execute(asked).scalar_one())


Place = tuple[str, str, str, int, str]
"""Where an entry stands in the list: its first day, campaign, source, ordinal and id."""


def place_of(entry: Mapping[str, Any]) -> Place:
    """Return where an entry stands in the list."""
    return (
        entry["from_day"],
        entry["campaign_id"],
        entry["source"],
        entry["ordinal"],
        entry["spend_id"],
    )


def entries(
    connection: Connection,
    first: date,
    last: date,
    limit: int = 500,
    after: Place | None = None,
) -> list[dict[str, Any]]:
    """Return the entries that count on any of these days, the newest period first.

    `after`: only those behind a place (`place_of`).
    """
    table = tables.spend
    query = select(table).where(
        table.c.to_us.is_(None),
        table.c.from_day <= last.isoformat(),
        table.c.to_day >= first.isoformat(),
    )
    order = (table.c.campaign_id, table.c.source, table.c.ordinal, table.c.spend_id)
    if after is not None:
        day, *place = after
        behind = tuple_(*order) > tuple_(*map(literal, place))
        query = query.where(or_(table.c.from_day < day, and_(table.c.from_day == day, behind)))
    rows = connection.execute(query.order_by(table.c.from_day.desc(), *order).limit(limit)).mappings()
    return [dict(row) for row in rows]


def check(entry: Spending, company: Company) -> None:
    """Raise ActRefused for an unknown campaign, and for days in the wrong order or far apart."""
    if entry.campaign_id not in company.campaigns:
        known = ", ".join(company.campaigns) or "none"
        raise ActRefused(
            "unknown_campaign", f"There is no campaign {entry.campaign_id!r}; there are: {known}."
        )
    if not 0 <= (entry.to_day - entry.from_day).days < MOST_DAYS:
        raise ActRefused("days_reversed", "The last day must not lie before the first, nor ten years after.")


def _known(
    connection: Connection, source: str, keys: Sequence[tuple[str, str, str, int]]
) -> dict[tuple[str, str, str, int], dict[str, Any]]:
    table = tables.spend
    wanted = keys_in(connection, ["campaign_id", "from_day", "to_day"], sorted({key[:3] for key in keys}))
    rows = connection.execute(
        select(table).where(wanted, table.c.source == source, table.c.to_us.is_(None))
    ).mappings()
    return {(row["campaign_id"], row["from_day"], row["to_day"], row["ordinal"]): dict(row) for row in rows}


def _row(
    source: str, one: Spending, key: tuple[str, str, str, int], act_id: str, now_us: int
) -> dict[str, Any]:
    return {
        "spend_id": make_id("spd", act_id, source, *key),
        "campaign_id": one.campaign_id,
        "from_day": key[1],
        "to_day": key[2],
        "amount_minor": one.amount_minor,
        "currency": one.currency,
        "note": one.note,
        "source": source,
        "ordinal": key[3],
        "act_id": act_id,
        "from_us": now_us,
    }
