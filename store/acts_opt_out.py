"""Opting out: somebody does not agree to a purpose any more, whoever they are a customer as, now or later."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from store import tables
from store.acts import ActRefused, Command, Plan
from store.acts_erase import find_erasure
from store.bulk import keys_in
from store.effects import Effect, Insert
from store.journal import OptOut
from store.locks import lock_customers
from store.marks import own_marks


def find_opt_out(
    connection: Connection, command: Command, purposes: Sequence[str], secret: bytes, now_us: int
) -> OptOut:
    """Return what it takes that a customer (under any of its ids) opts out. Raises ActRefused for an unknown one."""
    found = find_erasure(connection, command.act_id, command.scope_id)
    if not found.leads:
        raise ActRefused("nothing_held", f"Nothing is held of {command.scope_id}: it was erased.")
    return OptOut(
        act_id=command.act_id,
        at_us=now_us,
        customer=command.scope_id,
        leads=found.leads,
        purposes=tuple(sorted(set(purposes))),
        marks=own_marks(connection, secret, found.leads),
    )


def opt_out(found: OptOut) -> Plan:
    """Return the plan that notes it on all of the customer's leads, and for whatever comes from the same person later."""

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        lock_customers(connection, [found.customer])
        lead = tables.lead
        wanted = keys_in(connection, ["lead_id"], [(one,) for one in found.leads])
        leads = sorted(connection.execute(select(lead.c.lead_id).where(wanted)).scalars())
        return [
            Insert(table, {**of, "purpose": purpose, "at_us": found.at_us})
            for purpose in found.purposes
            for table, of in (
                *(("lead_opt_out", {"lead_id": one}) for one in leads),
                *(
                    ("opt_out", {"kind": kind, "keyed_hash": mark, "act_id": command.act_id})
                    for kind, mark in found.marks
                ),
            )
        ]

    return plan
