"""What is done about claims on customers: registered, and decided by a manager; verbs of `leadflow.operate`."""

from __future__ import annotations

from typing import Any

from leadflow.above import may_give_as
from leadflow.clock import wall_clock_us
from leadflow.engine import Engine
from leadflow.payload import Payload, command_of
from store.acts import perform, told_before
from store.acts_claim import Decide, Register


def do_register(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Register a customer for somebody; return whether they have it, or a manager has to decide."""
    plan = Register(
        payload["for_id"], int(payload["until_us"]), may_give_as(payload["actor"], payload.get("acting_role"))
    )
    command = command_of(payload, "register")
    done = perform(engine.files.store, command, plan, wall_clock_us(), engine.files.store_log.append)
    with engine.files.store.read() as connection:
        has_it = plan.has_it if done else bool(told_before(connection, command.act_id))
    return {"act_id": command.act_id, "repeated": not done, "has_it": has_it}


def do_decide_claim(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Decide who has a customer on which there are claims, and who works on it, too."""
    plan = Decide(
        payload["owner"], tuple(payload["beside"]), may_give_as(payload["actor"], payload.get("acting_role"))
    )
    command = command_of(payload, "decide_claim")
    done = perform(engine.files.store, command, plan, wall_clock_us(), engine.files.store_log.append)
    return {"act_id": command.act_id, "repeated": not done}
