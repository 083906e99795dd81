"""Putting right what is known of a customer: a capture of our own, which the stages read into a lead of the customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, select

from console.may import roles_of
from enrich.given import identifiers_given
from enrich.golden import members_of
from enrich.normalise import normal_value
from enrich.survivorship import Kept, golden_record
from enrich.taken import an_hour, asking
from ingest.correction import FORMAT
from ingest.gateway import key_hash
from leadflow.clock import new_id, wall_clock_us
from leadflow.engine import Engine
from leadflow.payload import Payload, command_of
from schemas.base import Purpose
from schemas.capture import Capture, capture_of
from schemas.correction import CORRECTABLE, CORRECTIONS, MOST_CHARS
from schemas.text import storable
from schemas.work import ASKED
from store import tables
from store.acts import ActRefused, Command, Plan, is_done, perform
from store.bulk import keys_in
from store.company import company_version, load_company
from store.effects import Effect
from store.present import present_ids

VERB = "correct"
_OF_ONE_PERSON = ("mobile", "email")
"""Identifiers that two customers do not share: a switchboard's number, they may."""


def do_correct(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Put right a customer's `fields`, by name; `was` says what stood there when whoever corrects looked.

    The stages take it from there within milliseconds: the golden record has it once the leads of the `captures` are resolved.
    Nothing is decided on it and nobody is told. Refused, with nothing done: `nothing_changed`, `fact_changed`,
    `value_unreadable`, `known_as_anothers`, `unknown_customer`, `unknown_field`, `value_too_long`. Of whom a number is already
    is told to nobody; that it is somebody's counts as a question whether they are taken (`asked_too_often`).
    """
    command = command_of(payload, VERB)
    with engine.files.store.read() as connection:
        if is_done(connection, command):
            return {"act_id": command.act_id, "repeated": True, "captures": []}
        company = load_company(connection, company_version(connection))
        customer = _read(connection, command)
        wanted = _wanted(customer.record, _texts(payload, "fields"), _texts(payload, "was"))
        others = _others(connection, customer.customer_id, identifiers_given(wanted))
        is_again = not wanted and _taken(connection, customer, command)
    for other in others:
        asked = Command(ASKED, command.actor, new_id(), other)
        _perform(engine, asked, asking(an_hour(roles_of(company, command.actor))))
    if others:
        raise ActRefused(
            "known_as_anothers",
            "This number or address is known as another customer's. Join the two if they are one, else ask for another.",
        )
    if not wanted and not is_again:
        raise ActRefused("nothing_changed", "All of this is known so already.")
    captures = _captures(customer, command, wanted)
    if captures:
        engine.door.append(captures).result()
    done = _perform(engine, command, _noted)
    return {"act_id": command.act_id, "repeated": not done, "captures": [one.capture_id for one in captures]}


def _perform(engine: Engine, command: Command, plan: Plan) -> bool:
    return perform(engine.files.store, command, plan, wall_clock_us(), engine.files.store_log.append)


def _noted(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
    """The act itself; what it says is in the captures, where it can be erased."""
    return ()


@dataclass(frozen=True, slots=True)
class _Customer:
    """What is known of a customer, from which of its `leads`, the oldest first."""

    customer_id: str
    record: Mapping[str, Kept]
    leads: Sequence[str]
    purpose: Purpose

    def lead_of(self, name: str) -> str:
        """Return the lead that a correction of a field continues: so it stays with whom it is about when they are parted."""
        found = (self.record.get(one) for one in (name, "full_name", "phone", "email"))
        return next((one.from_lead for one in found if one is not None), self.leads[-1])


def _read(connection: Connection, command: Command) -> _Customer:
    customer_id = present_ids(connection, [command.scope_id])[command.scope_id]
    members = members_of(connection, customer_id)
    if not members:
        raise ActRefused("unknown_customer", f"There is no customer {command.scope_id}.")
    lead, leads = tables.lead, [one.lead_id for one in members]
    purpose = connection.execute(select(lead.c.purpose).where(lead.c.lead_id == leads[-1])).scalar_one()
    return _Customer(customer_id, golden_record(members), leads, purpose)


def _captures(customer: _Customer, command: Command, wanted: Mapping[str, str]) -> list[Capture]:
    """Return a capture for each lead that something is put right of; their keys make them the same ones again."""
    by_lead: dict[str, dict[str, str]] = {}
    for name, value in wanted.items():
        by_lead.setdefault(customer.lead_of(name), {})[name] = value
    return [
        capture_of(
            source_id=CORRECTIONS,
            channel="counter",
            format=FORMAT,
            body=orjson.dumps(values, option=orjson.OPT_SORT_KEYS),
            accepted_us=wall_clock_us(),
            trace_id=new_id(),
            idem_key=_key(command, lead_id),
            purpose=customer.purpose,
            meta={"joins": lead_id, "by": command.actor},
        )
        for lead_id, values in by_lead.items()
    ]


def _key(command: Command, lead_id: str) -> str:
    return f"{command.act_id}:{lead_id}"


def _taken(connection: Connection, customer: _Customer, command: Command) -> bool:
    """Tell whether this very correction was taken, and we were killed between its bytes and its act."""
    capture = tables.capture
    keys = [(CORRECTIONS, key_hash(_key(command, one))) for one in customer.leads]
    asked = select(capture.c.capture_id).where(keys_in(connection, ["source_id", "idem_hash"], keys))
    return connection.execute(asked).first() is not None


def _texts(payload: Payload, name: str) -> Mapping[str, str]:
    found = payload.get(name) or {}
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise ActRefused("unknown_field", f"`{name}` is an object of texts by {', '.join(CORRECTABLE)}.")
    return found


def _wanted(record: Mapping[str, Kept], fields: Mapping[str, str], was: Mapping[str, str]) -> dict[str, str]:
    """Return what is to be other than it is; nothing, if all of it is known so. Raises ActRefused."""
    known = {name: kept.value for name, kept in record.items()}
    if unknown := sorted({*fields, *was} - set(CORRECTABLE)):
        raise ActRefused("unknown_field", f"{unknown[0]!r} is none of {', '.join(CORRECTABLE)}.")
    wanted: dict[str, str] = {}
    for name in CORRECTABLE:
        value = storable(fields.get(name, "").strip())
        read = normal_value(name, value)
        if not value or known.get(name, "") in (value, read):
            continue
        if len(value) > MOST_CHARS:
            raise ActRefused(
                "value_too_long", f"{name} has {len(value)} characters; {MOST_CHARS} is the most."
            )
        if read is None:
            raise ActRefused(
                "value_unreadable", f"This cannot be read as {name.replace('_', ' ')}: correct it."
            )
        if name in was and was[name] != known.get(name, ""):
            raise ActRefused("fact_changed", f"{name} was changed meanwhile; look at what stands there now.")
        wanted[name] = value
    return wanted


def _others(connection: Connection, customer_id: str, identifiers: Sequence[tuple[str, str]]) -> set[str]:
    """Return the other customers whom one of these leads to: what comes by it next would be taken for theirs or for this one's."""
    binding, relation, status = tables.binding, tables.contact_customer, tables.identifier_status
    keys = [one for one in identifiers if one[0] in _OF_ONE_PERSON]
    rows = connection.execute(
        select(relation.c.customer_id)
        .join(binding, binding.c.target_id == relation.c.contact_id)
        .outerjoin(status, (status.c.kind == binding.c.kind) & (status.c.value == binding.c.value))
        .where(
            keys_in(connection, ["binding.kind", "binding.value"], keys),
            binding.c.to_us.is_(None),
            relation.c.to_us.is_(None),
            relation.c.is_primary,
            status.c.kind.is_(None),
        )
    )
    return set(present_ids(connection, rows.scalars()).values()) - {customer_id}
