"""Putting right what is known of a customer: a capture of our own, which the stages read into a lead of the customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, select

from enrich.given import identifiers_given
from enrich.golden import golden_of
from enrich.normalise import normal_value
from enrich.survivorship import Kept
from ingest.correction import FORMAT
from ingest.gateway import key_hash
from leadflow.clock import new_id, wall_clock_us
from leadflow.engine import Engine
from leadflow.payload import Payload, command_of
from schemas.capture import Capture, capture_of
from schemas.correction import CORRECTABLE, CORRECTIONS, MOST_CHARS
from schemas.lead import lead_id_of
from schemas.text import storable
from store import tables
from store.acts import ActRefused, Command, is_done, perform
from store.bulk import keys_in
from store.effects import Effect
from store.present import present_ids

VERB = "correct"
_OF_ONE_PERSON = ("mobile", "email")
"""Identifiers that two customers do not share: a switchboard's number, they may."""


def do_correct(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Put right a customer's `fields`, by name; `was` says what stood there when whoever corrects looked.

    The stages take it from there within milliseconds: the customer's golden record has it once `lead_id`, which is returned, is
    resolved. Nothing is decided on it and nobody is told. Refused, with nothing done: `nothing_changed`, `fact_changed`,
    `value_unreadable`, `known_as_anothers`, `unknown_customer`, `unknown_field`, `value_too_long`.
    """
    command = command_of(payload, VERB)
    with engine.files.store.read() as connection:
        if is_done(connection, command):
            return {"act_id": command.act_id, "repeated": True, "lead_id": ""}
        lead_id = _taken(connection, command)
        correction = None if lead_id else _correction(connection, command, payload)
    if correction is not None:
        engine.door.append([correction]).result()
        lead_id = lead_id_of(correction.capture_id, correction.accepted_us)
    done = perform(engine.files.store, command, _noted, wall_clock_us(), engine.files.store_log.append)
    return {"act_id": command.act_id, "repeated": not done, "lead_id": lead_id}


def _taken(connection: Connection, command: Command) -> str:
    """Return the lead of this very correction, if we were killed between its bytes and its act; else empty."""
    capture = tables.capture
    row = connection.execute(
        select(capture.c.capture_id, capture.c.accepted_us).where(
            capture.c.source_id == CORRECTIONS, capture.c.idem_hash == key_hash(command.act_id)
        )
    ).first()
    return lead_id_of(row.capture_id, row.accepted_us) if row is not None else ""


def _noted(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
    """The act itself; what it says is in the capture, where it can be erased."""
    return ()


def _correction(connection: Connection, command: Command, payload: Payload) -> Capture:
    customer_id = present_ids(connection, [command.scope_id])[command.scope_id]
    record, _ = golden_of(connection, customer_id)
    if not record:
        raise ActRefused("unknown_customer", f"There is no customer {command.scope_id}.")
    wanted = _wanted(record, _texts(payload, "fields"), _texts(payload, "was"))
    if others := _others(connection, customer_id, identifiers_given(wanted)):
        known = ", ".join(sorted(others))
        raise ActRefused(
            "known_as_anothers",
            f"This number or address is known as that of {known}. Join the two if they are one, else ask for another.",
        )
    first = record.get("full_name") or record.get("phone") or next(iter(record.values()))
    joins = first.from_lead
    lead = tables.lead
    purpose = connection.execute(select(lead.c.purpose).where(lead.c.lead_id == joins)).scalar_one()
    return capture_of(
        source_id=CORRECTIONS,
        channel="counter",
        format=FORMAT,
        body=orjson.dumps(wanted, option=orjson.OPT_SORT_KEYS),
        accepted_us=wall_clock_us(),
        trace_id=new_id(),
        idem_key=command.act_id,
        purpose=purpose,
        meta={"joins": joins, "by": command.actor},
    )


def _texts(payload: Payload, name: str) -> Mapping[str, str]:
    found = payload.get(name) or {}
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise ActRefused("unknown_field", f"`{name}` is an object of texts by {', '.join(CORRECTABLE)}.")
    return found


def _wanted(record: Mapping[str, Kept], fields: Mapping[str, str], was: Mapping[str, str]) -> dict[str, str]:
    """Return what is to be other than it is. Raises ActRefused."""
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
    if not wanted:
        raise ActRefused("nothing_changed", "All of this is known so already.")
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
