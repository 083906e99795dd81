"""Orders: taken in, matched to customers, corrected and cancelled; each version a row, none written over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from sqlalchemy import Connection, and_, or_, select, tuple_

from schemas.ids import make_id
from schemas.orders import HAND, OrderRow, WhyOpen
from store import tables
from store.acts import ActRefused, Command, Plan, tells, told_before
from store.anchor import anchor, leads_of
from store.bulk import keys_in
from store.effects import Close, Effect, Insert, Update
from store.locks import lock_orders
from store.present import present, present_ids, with_alias

VERB, ASSIGN = "take_orders", "assign_order"
AT_ONCE = 200
"""Orders of one act: its transaction holds the only writer of SQLite for some 25 ms."""

Became = Literal["new", "corrected", "cancelled", "known", "matched"]
Named = tuple[OrderRow, Sequence[tuple[str, str]]]
"""An order, and the identifiers (kind, value) by which its buyer can be recognised."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an order: `customer_id` None: it belongs to nobody yet, and why."""

    order_no: str
    became: Became
    customer_id: str | None
    why_open: WhyOpen | None


@dataclass(slots=True)
class _Matches:
    """What the buyers of some orders lead to, read at once."""

    by_identifier: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    shared: set[tuple[str, str]] = field(default_factory=set)
    leads: dict[str, list[tuple[str, int, str]]] = field(default_factory=dict)
    now: dict[str, str] = field(default_factory=dict)
    of_lead: dict[str, str] = field(default_factory=dict)


def take_orders(source: str, named: Sequence[Named], told: list[Taken]) -> Plan:
    """Return the plan that takes orders of a source in; `told` is filled with what became of each.

    Whom an order belongs to is said by the ids it names, else by what recognises its buyer; one that fits nobody, or
    several, is kept open with the reason, and tried again whenever it is sent again. A correction stays with the
    customer of the version before, unless it names another id. An order typed in by hand gives way to one of the same number.
    What became of each is kept with the act (`told_again`).
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        told.clear()
        lock_orders(connection, [row.order_no for row, _ in named])
        before = _versions(connection, source, [row.order_no for row, _ in named])
        matches = _matches(connection, named, before)
        effects: list[Effect] = []
        for row, identifiers in named:
            one, some = _took(source, (row, identifiers), before, matches, (command.act_id, now_us))
            told.append(one)
            effects += some
        kept = [(one.became, one.customer_id, one.why_open) for one in told]
        return [*effects, tells(command, kept)]

    return plan


def told_again(connection: Connection, act_id: str, named: Sequence[Named]) -> list[Taken]:
    """Return what became of these orders when this act took them in, for who sends them again under its key."""
    kept = told_before(connection, act_id) or []
    return [Taken(row.order_no, *one) for (row, _), one in zip(named, kept, strict=False)]


def assign_order(order_no: str, source: str | None) -> Plan:
    """Return the plan by which the actor says whose an order is: the command's scope is the customer.

    Refused: no such order, several sources with that number and none named, and an unknown customer.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        table = tables.sale_order
        asked = select(table).where(table.c.order_no == order_no, table.c.to_us.is_(None))
        if source is not None:
            asked = asked.where(table.c.source == source)
        rows = connection.execute(asked.order_by(table.c.source)).mappings().all()
        if len(rows) != 1:
            known = ", ".join(row["source"] for row in rows) or "none"
            raise ActRefused(
                "unknown_order", f"Name an order and its source; with that number there are: {known}."
            )
        row = dict(rows[0])
        name = present_ids(connection, [command.scope_id])[command.scope_id]
        leads = leads_of(connection, [name]).get(name)
        if not leads:
            raise ActRefused("unknown_customer", f"There is no customer {command.scope_id}.")
        lead_id = anchor(leads, row["line"], row["ordered_us"])
        owned = {"lead_id": lead_id, "matched_by": "hand", "why_open": None, "given_json": None}
        return _followed(row, owned, command.act_id, now_us)

    return plan


def open_orders(connection: Connection, limit: int = 200, after: str | None = None) -> list[dict[str, Any]]:
    """Return the orders that belong to nobody yet, newest first, each with what it names (`given`).

    `after`: only those behind the one of this `order_id`, whatever became of that since.
    """
    table = tables.sale_order
    query = select(table).where(table.c.to_us.is_(None), table.c.lead_id.is_(None))
    if after is not None:
        last = table.alias()
        same_day = and_(
            table.c.ordered_us == last.c.ordered_us,
            tuple_(table.c.order_no, table.c.order_id) > tuple_(last.c.order_no, last.c.order_id),
        )
        behind = or_(table.c.ordered_us < last.c.ordered_us, same_day)
        query = query.join(last, behind).where(last.c.order_id == after)
    order = (table.c.ordered_us.desc(), table.c.order_no, table.c.order_id)
    rows = connection.execute(query.order_by(*order).limit(limit)).mappings()
    return [{**row, "given": orjson.loads(row["given_json"] or "{}")} for row in rows]


def typed_in(
    connection: Connection, row: OrderRow, lead_id: str | None, act_id: str, now_us: int
) -> list[Effect]:
    """Return the effects of an order that is typed in with the outcome of a lead's task.

    A number that is on record and belongs to nobody yet belongs to that lead's customer from now on; one that is theirs
    already is left as it is. Refused: one of somebody else's.
    """
    lock_orders(connection, [row.order_no])
    table = tables.sale_order
    asked = select(table).where(table.c.order_no == row.order_no, table.c.to_us.is_(None))
    known = [dict(one) for one in connection.execute(asked.order_by(table.c.source)).mappings()]
    if lead_id is None:
        return []
    owned = {"lead_id": lead_id, "matched_by": "lead", "why_open": None, "given_json": None}
    if known:
        own = _customers_of(connection, [lead_id, *(one["lead_id"] for one in known if one["lead_id"])])
        if any(own.get(one["lead_id"]) == own[lead_id] for one in known):
            return []
        nobodys = [one for one in known if one["lead_id"] is None]
        if not nobodys:
            raise ActRefused(
                "order_of_another", f"The order {row.order_no} belongs to another customer; check its number."
            )
        return _followed(nobodys[0], owned, act_id, now_us)
    number = len(_versions(connection, HAND, [row.order_no]).get((HAND, row.order_no), ())) + 1
    return [Insert("sale_order", _row(HAND, row, number, owned, (act_id, now_us)))]


def _customers_of(connection: Connection, leads: Iterable[str]) -> dict[str, str]:
    """Return the present customer of each of these leads."""
    member = tables.membership
    rows = connection.execute(
        select(member.c.lead_id, present(member.c.customer_id).label("now"))
        .select_from(with_alias(member, member.c.customer_id))
        .where(
            keys_in(connection, ["lead_id"], [(one,) for one in sorted(set(leads))]), member.c.to_us.is_(None)
        )
    )
    return {row.lead_id: row.now for row in rows}


def _versions(
    connection: Connection, source: str, numbers: Iterable[str]
) -> dict[tuple[str, str], list[dict[str, Any]]]:
    table = tables.sale_order
    wanted = [(one, order_no) for order_no in sorted(set(numbers)) for one in {source, HAND}]
    rows = connection.execute(
        select(table).where(keys_in(connection, ["source", "order_no"], wanted)).order_by(table.c.version)
    ).mappings()
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["source"], row["order_no"]), []).append(dict(row))
    return found


def _took(
    source: str,
    named: Named,
    before: dict[tuple[str, str], list[dict[str, Any]]],
    matches: _Matches,
    act: tuple[str, int],
) -> tuple[Taken, list[Effect]]:
    row, _ = named
    act_id, now_us = act
    versions = before.setdefault((source, row.order_no), [])
    last = versions[-1] if versions else None
    typed = [one for one in before.get((HAND, row.order_no), ()) if one["to_us"] is None and source != HAND]
    was = last or (typed[-1] if typed else None)
    is_known = any(one["digest"] == row.digest for one in versions)
    twice = [effect for one in typed for effect in _ended(one, now_us)]
    if is_known and last is not None and last["lead_id"] is not None:
        customer_id = matches.of_lead.get(last["lead_id"])
        return Taken(row.order_no, "known", customer_id, None), twice if last["to_us"] is None else []
    lead_id, by, why = _whose(named, was, matches)
    customer_id = matches.of_lead.get(lead_id) if lead_id else None
    given = None if lead_id else _given(named)
    owned = {"lead_id": lead_id, "matched_by": by, "why_open": why, "given_json": given}
    if is_known and last is not None:
        if lead_id is None:
            return Taken(row.order_no, "known", None, why), []
        return Taken(row.order_no, "matched", customer_id, None), _followed(last, owned, act_id, now_us)
    became: Became = "cancelled" if row.state == "cancelled" else "new" if was is None else "corrected"
    effects = twice
    if last is not None:
        effects += _ended(last, now_us)
    new = _row(source, row, len(versions) + 1, owned, act)
    versions.append({**new, "to_us": None})
    return Taken(row.order_no, became, customer_id, why), [*effects, Insert("sale_order", new)]


def _followed(row: Mapping[str, Any], owned: Mapping[str, Any], act_id: str, now_us: int) -> list[Effect]:
    """Return the effects by which a version is followed by one that says the same of another customer."""
    version = row["version"] + 1
    new = {
        **row,
        **owned,
        "version": version,
        "order_id": make_id("ord", row["source"], row["order_no"], version),
        "act_id": act_id,
        "from_us": now_us,
        "to_us": None,
    }
    return [*_ended(row, now_us), Insert("sale_order", new)]


def _ended(row: Mapping[str, Any], now_us: int) -> list[Effect]:
    """Return the effects by which a version ends; whom it named is not kept beyond that."""
    ends: list[Effect] = [Close("sale_order", (row["source"], row["order_no"]), now_us)]
    if row["given_json"] is not None:
        ends.append(Update("sale_order", {"order_id": row["order_id"]}, {"given_json": None}))
    return ends


def _row(
    source: str, row: OrderRow, version: int, owned: Mapping[str, Any], act: tuple[str, int]
) -> dict[str, Any]:
    act_id, now_us = act
    return {
        "order_id": make_id("ord", source, row.order_no, version),
        "source": source,
        "order_no": row.order_no,
        "version": version,
        "digest": row.digest,
        "state": row.state,
        "product": row.product,
        "line": row.line,
        "amount_minor": row.amount_minor,
        "currency": row.currency,
        "ordered_us": row.ordered_us,
        **owned,
        "act_id": act_id,
        "from_us": now_us,
    }


def _given(named: Named) -> str:
    row, identifiers = named
    return orjson.dumps(
        {**row.buyer.model_dump(exclude_none=True), "identifiers": [list(one) for one in identifiers]}
    ).decode()


def _whose(
    named: Named, was: Mapping[str, Any] | None, matches: _Matches
) -> tuple[str | None, str | None, WhyOpen | None]:
    """Return the lead an order is kept with, by what it was found, or why nobody was found."""
    row, identifiers = named
    buyer = row.buyer
    if buyer.lead_id is not None:
        if buyer.lead_id not in matches.of_lead:
            return None, None, "unknown_lead"
        return buyer.lead_id, "lead", None
    if buyer.customer_id is not None:
        leads = matches.leads.get(matches.now.get(buyer.customer_id, ""))
        return (
            (anchor(leads, row.line, row.ordered_us), "customer", None)
            if leads
            else (None, None, "unknown_customer")
        )
    if was is not None and was["lead_id"] in matches.of_lead:
        return was["lead_id"], was["matched_by"], None
    if not identifiers:
        return None, None, "no_reference"
    own = [one for one in identifiers if tuple(one) not in matches.shared]
    found = {name for one in own for name in matches.by_identifier.get((one[0], one[1]), ())}
    if len(found) == 1:
        return anchor(matches.leads[found.pop()], row.line, row.ordered_us), "identifier", None
    return None, None, "several" if found else "nobody" if own else "shared"


def _matches(
    connection: Connection, named: Sequence[Named], before: Mapping[tuple[str, str], list[dict[str, Any]]]
) -> _Matches:
    identifier, status = tables.lead_identifier, tables.identifier_status
    member = tables.membership
    keys = sorted({(kind, value) for _, several in named for kind, value in several})
    found = _Matches()
    of_keys = keys_in(connection, ["kind", "value"], keys)
    found.shared = {(row.kind, row.value) for row in connection.execute(select(status).where(of_keys))}
    joined = identifier.join(member, member.c.lead_id == identifier.c.lead_id)
    rows = connection.execute(
        select(identifier.c.kind, identifier.c.value, present(member.c.customer_id).label("now"))
        .select_from(with_alias(joined, member.c.customer_id))
        .where(
            keys_in(connection, ["kind", "value"], keys),
            identifier.c.trust != "none",
            member.c.to_us.is_(None),
        )
        .distinct()
    )
    for row in rows:
        found.by_identifier.setdefault((row.kind, row.value), set()).add(row.now)
    ids = {row.buyer.customer_id for row, _ in named if row.buyer.customer_id}
    found.now = present_ids(connection, ids)
    customers = {*found.now.values(), *(one for several in found.by_identifier.values() for one in several)}
    found.leads = leads_of(connection, customers)
    leads = {row.buyer.lead_id for row, _ in named if row.buyer.lead_id}
    leads |= {one["lead_id"] for several in before.values() for one in several if one["lead_id"]}
    found.of_lead = _customers_of(connection, leads)
    found.of_lead |= {lead_id: name for name, several in found.leads.items() for lead_id, _, _ in several}
    return found
