"""What a person should look at: offering it, listing it, and acting by the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import orjson
from sqlalchemy import BigInteger, Connection, func, literal, select, tuple_

from enrich.acts_merge import merge_with
from enrich.acts_part import Wish, part
from enrich.crowded import TOO_MANY, Key, is_on_too_many, merged_alone
from enrich.groups import around, kind_of_id, locked_atoms, locked_contacts, parted_pairs, rows_by
from enrich.identity import pair, partings
from enrich.similar import Doubt, Judge
from schemas.ids import make_id
from store import tables
from store.acts import ActRefused, Command, Plan
from store.bulk import keys_in
from store.effects import Effect, Insert, Update
from store.present import atoms_of, present_ids

Answer = Literal["same", "apart", "skip"]

ALIKE = "alike"
"""Why a pair is offered: the match model finds them alike."""
CONFLICT = "conflict"
"""Why a pair is offered: one lead came with identifiers of both."""
CROWDED = "crowded_identifier"
"""Why leads are offered for review: the only thing that tied them to the customer identifies nobody any more."""

PEOPLE_KINDS = ("mobile", "email")
"""Identifiers that are looked over: they tie a lead to a person. A landline counts with its name already."""

AT_ONCE = 50
"""Identifiers demoted by one act, so that it does not hold the store for long; the next look takes others."""
LEADS_READ = 1_000
"""Of one identifier, the first ones: enough to see that it is shared, and more than anybody would review."""


def offer_pair(
    one: str, other: str, why: str, now_us: int, *, evidence: Sequence[Any] = (), millibits: int | None = None
) -> Insert:
    """Return the effect that offers two customers (or contacts) for review; offered once for the same reason.

    `millibits` are thousandths of the bits that speak for one, prior included.
    """
    a, b = pair(one, other)
    return _row("pair", (a, b), why, now_us, evidence=evidence, millibits=millibits)


def offer_alike(mine: str, doubt: Doubt, judge: Judge, now_us: int) -> Insert:
    """Return the effect that offers two whom the model finds alike, with what it had been asked and what it promised."""
    said = [{"question": doubt.level, "model": judge.digest}]
    return offer_pair(mine, doubt.id, ALIKE, now_us, evidence=said, millibits=round(doubt.bits * 1000))


def offer_leads(
    customer_id: str, leads: Iterable[str], why: str, now_us: int, *, evidence: Any = ()
) -> Insert:
    """Return the effect that asks whether these leads belong to a customer."""
    return _row("leads", (customer_id, None), why, now_us, leads=sorted(leads), evidence=evidence)


def _row(
    kind: str,
    who: tuple[str, str | None],
    why: str,
    now_us: int,
    *,
    leads: Sequence[str] = (),
    evidence: Sequence[Any] = (),
    millibits: int | None = None,
) -> Insert:
    a, b = who
    row = {
        "review_id": make_id("rev", kind, a, b or "", why, *leads),
        "kind": kind,
        "a": a,
        "b": b,
        "leads_json": orjson.dumps(leads).decode(),
        "why": why,
        "evidence_json": orjson.dumps(list(evidence)).decode(),
        "millibits": millibits,
        "state": "open",
        "made_us": now_us,
    }
    return Insert("review", row)


Place = tuple[int, int, str]
"""Where a review stands in the list: how far it is from sure, when it was offered, and its id."""
Narrow = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
"""Returns those of some reviews, under the present ids, that a reader may see."""

_SUREST = 2**40
"""More thousandths of a bit than any sum has, so that what is left of it is a positive number."""
_BATCH = 500


def open_reviews(
    connection: Connection, limit: int = 100, *, after: Place | None = None, narrow: Narrow | None = None
) -> list[dict[str, Any]]:
    """Return so many of what is to be reviewed, strongest and oldest first, under the present ids, from behind a place on.

    What has settled itself is left out: pairs that were merged or parted since, leads that have gone elsewhere. `narrow` is asked
    before anything is counted: whoever sees one in a thousand has theirs in the list all the same.
    """
    found: list[dict[str, Any]] = []
    while batch := _batch(connection, after):
        after = place_of(batch[-1])
        for row in narrow(batch) if narrow is not None else batch:
            if len(found) == limit:
                return found
            if row["a"] != row["b"] and (
                _not_parted(connection, row) if row["kind"] == "pair" else _still_there(connection, row)
            ):
                found.append(row)
        if len(batch) < _BATCH:
            break
    return found


def place_of(row: Mapping[str, Any]) -> Place:
    """Return where a review stands in the list."""
    return _SUREST - (row["millibits"] or 0), row["made_us"], row["review_id"]


def _batch(connection: Connection, after: Place | None) -> list[dict[str, Any]]:
    review = tables.review
    order = (
        literal(_SUREST, BigInteger) - func.coalesce(review.c.millibits, 0),
        review.c.made_us,
        review.c.review_id,
    )
    query = select(review).where(review.c.state == "open").order_by(*order).limit(_BATCH)
    if after is not None:
        query = query.where(tuple_(*order) > tuple_(*map(literal, after)))
    rows = [dict(one) for one in connection.execute(query).mappings()]
    now = present_ids(connection, {one for row in rows for one in (row["a"], row["b"]) if one})
    for row in rows:
        row |= {"a": now[row["a"]], "b": now[row["b"]] if row["b"] else None}
        row["leads"] = orjson.loads(row.pop("leads_json"))
        row["evidence"] = orjson.loads(row.pop("evidence_json"))
    return rows


def _not_parted(connection: Connection, row: dict[str, Any]) -> bool:
    sides = (list(atoms_of(connection, [row[side]])) for side in ("a", "b"))
    mine, others = (set(atoms) for atoms in sides)
    return not parted_pairs(around(connection, mine), mine, others)


def _still_there(connection: Connection, row: dict[str, Any]) -> bool:
    table = tables.membership
    members = rows_by(connection, table, "lead_id", row["leads"], table.c.to_us.is_(None))
    return set(present_ids(connection, {one["customer_id"] for one in members}).values()) == {row["a"]}


def answer(said: Answer) -> Plan:
    """Return the plan by which the actor answers a review (the command's scope), and does what follows from it.

    `same` merges the pair, or leaves the leads where they are; `apart` keeps the pair from ever being joined by the
    machine, or parts the leads; `skip` takes it off the list. Refused: an unknown or answered review, and whatever
    the merge or the parting is refused for.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        table = tables.review
        row = (
            connection.execute(select(table).where(table.c.review_id == command.scope_id))
            .mappings()
            .one_or_none()
        )
        if row is None:
            raise ActRefused("unknown_review", f"There is no review {command.scope_id}.")
        if row["state"] != "open":
            raise ActRefused("answered_already", f"It was answered: {row['state']}.")
        state = {"same": "same", "apart": "apart", "skip": "skipped"}[said]
        done = Update(
            "review",
            {"review_id": row["review_id"]},
            {"state": state, "answered_us": now_us, "act_id": command.act_id},
        )
        on_it = replace(command, scope_id=row["a"])
        if row["kind"] == "pair" and said == "same":
            return [*merge_with(row["b"])(connection, on_it, now_us), done]
        if row["kind"] == "pair" and said == "apart":
            return [*_keep_apart(connection, command, (row["a"], row["b"])), done]
        if said == "apart":
            wish = Wish(row["a"], leads=frozenset(orjson.loads(row["leads_json"])))
            return [*part(wish)(connection, on_it, now_us), done]
        return [done]

    return plan


def _keep_apart(connection: Connection, command: Command, two: tuple[str, str]) -> list[Effect]:
    locked = locked_contacts if kind_of_id(two[0]) == "contact" else locked_atoms
    groups = locked(connection, two)
    if len(groups) < 2:
        raise ActRefused("one_already", "These are one already; part them: leadflow match unmerge")
    one, other = (set(atoms) for atoms in groups.values())
    return [
        Insert("parted", {"a": a, "b": b, "act_id": command.act_id}) for a, b in sorted(partings(one, other))
    ]


def crowded(connection: Connection, since_us: int = 0, too_many: int = TOO_MANY) -> list[Key]:
    """Return the identifiers of people in leads decided since a moment that sit on too many of them, worst first."""
    identifier, lead, status = tables.lead_identifier, tables.lead, tables.identifier_status
    new = (
        select(identifier.c.kind, identifier.c.value)
        .join(lead, lead.c.lead_id == identifier.c.lead_id)
        .where(lead.c.resolved_us >= since_us, identifier.c.kind.in_(PEOPLE_KINDS))
        .distinct()
        .subquery()
    )
    known = select(status.c.kind).where(
        status.c.kind == identifier.c.kind, status.c.value == identifier.c.value
    )
    rows = connection.execute(
        select(identifier.c.kind, identifier.c.value)
        .join(new, (new.c.kind == identifier.c.kind) & (new.c.value == identifier.c.value))
        .where(identifier.c.trust == "trusted", ~known.exists())
        .group_by(identifier.c.kind, identifier.c.value)
        .having(func.count() >= too_many)
        .order_by(func.count().desc(), identifier.c.kind, identifier.c.value)
        .limit(AT_ONCE * 4)
    )
    keys = [(row.kind, row.value) for row in rows]
    found = [
        key
        for key in keys
        if is_on_too_many(_names(connection, _leads_of(connection, key)).values(), too_many)
    ]
    return found[:AT_ONCE]


def demote(keys: Sequence[Key]) -> Plan:
    """Return the plan that takes identifiers out of use, and offers for review what they alone had made one."""

    def plan(connection: Connection, _command: Command, now_us: int) -> Sequence[Effect]:
        effects: list[Effect] = []
        for key in keys:
            kind, value = key
            effects.append(Insert("identifier_status", {"kind": kind, "value": value, "status": "demoted"}))
            effects += _offers(connection, key, now_us)
        return effects

    return plan


def _offers(connection: Connection, key: Key, now_us: int) -> list[Effect]:
    member, contact = tables.membership, tables.contact
    leads = _leads_of(connection, key)
    members = rows_by(connection, member, "lead_id", leads, member.c.to_us.is_(None))
    everyone = rows_by(
        connection, member, "contact_id", {row["contact_id"] for row in members}, member.c.to_us.is_(None)
    )
    born = {
        row["contact_id"]: row["born_lead"]
        for row in rows_by(connection, contact, "contact_id", {row["contact_id"] for row in members})
    }
    names = _names(connection, {row["lead_id"] for row in everyone})
    given = _given(connection, {row["lead_id"] for row in everyone})
    effects: list[Effect] = []
    for contact_id, born_lead in sorted(born.items()):
        own = {row["lead_id"]: row["customer_id"] for row in everyone if row["contact_id"] == contact_id}
        parts = merged_alone({lead: given.get(lead, frozenset()) for lead in own}, key, born_lead, names)
        for many in parts:
            for customer_id in sorted({own[lead] for lead in many}):
                mine = [lead for lead in many if own[lead] == customer_id]
                said = [{"kind": key[0], "value": key[1]}]
                effects.append(offer_leads(customer_id, mine, CROWDED, now_us, evidence=said))
    return effects


def _leads_of(connection: Connection, key: Key) -> list[str]:
    identifier = tables.lead_identifier
    return list(
        connection.execute(
            select(identifier.c.lead_id)
            .where(identifier.c.kind == key[0], identifier.c.value == key[1])
            .order_by(identifier.c.lead_id)
            .limit(LEADS_READ)
        ).scalars()
    )


def _given(connection: Connection, leads: Iterable[str]) -> dict[str, frozenset[Key]]:
    identifier = tables.lead_identifier
    rows = rows_by(connection, identifier, "lead_id", leads, identifier.c.trust == "trusted")
    found: dict[str, set[Key]] = {}
    for row in rows:
        if row["kind"] in (*PEOPLE_KINDS, "landline_name"):
            found.setdefault(row["lead_id"], set()).add((row["kind"], row["value"]))
    return {lead: frozenset(keys) for lead, keys in found.items()}


def _names(connection: Connection, leads: Iterable[str]) -> dict[str, str]:
    lead = tables.lead
    wanted = keys_in(connection, ["lead_id"], [(one,) for one in sorted(set(leads))])
    found: dict[str, str] = {}
    for row in connection.execute(
        select(lead.c.lead_id, lead.c.fields_json).where(wanted).order_by(lead.c.lead_id)
    ):
        for field in orjson.loads(row.fields_json):
            if field["name"] == "full_name":
                found.setdefault(row.lead_id, field.get("value") or field["received"])
    return found
