"""What an operator does about open pools for a person: claim and release; verbs of `leadflow.operate`."""

from __future__ import annotations

from typing import Any

from leadflow.clock import wall_clock_us
from leadflow.engine import Engine
from leadflow.payload import Payload, command_of
from router.office import office_of
from store.acts import Plan, perform
from store.acts_pool import claim, release
from store.company import company_version, load_company
from store.pools import CLAIM, RELEASE


def do_claim(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Give a customer out of its pool to whoever claims it (the payload's actor)."""
    with engine.files.store.read() as connection:
        office = office_of(load_company(connection, company_version(connection)))
    return _done(engine, payload, CLAIM, claim(office.due))


def do_release(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Put a customer of the payload's actor into a pool."""
    return _done(engine, payload, RELEASE, release(payload.get("pool")))


def _done(engine: Engine, payload: Payload, verb: str, plan: Plan) -> dict[str, Any]:
    command, files = command_of(payload, verb), engine.files
    done = perform(files.store, command, plan, wall_clock_us(), files.store_log.append)
    return {"act_id": command.act_id, "repeated": not done}
