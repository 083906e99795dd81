"""What is done for marketing: stages, orders, spend, names assigned to campaigns; verbs of `leadflow.operate`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from datetime import date
from typing import Any

import orjson

from enrich.given import identifiers_given
from leadflow.clock import new_id, wall_clock_us
from leadflow.engine import Engine
from leadflow.payload import Payload, command_of
from sales import aliases, orders, spend, stages
from schemas.company import Company
from schemas.orders import OrderRow
from store.acts import Plan, digest_of, perform
from store.company import company_version, load_company


def do_stage(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Set the stage of a customer on a product line."""
    wish = stages.Wish(payload["stage"], payload.get("line"), payload.get("until_us"), payload.get("lost"))
    return _done(engine, payload, stages.VERB, stages.set_stage(wish, _company(engine)))


def do_take_orders(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Take orders in, some hundreds an act; return what became of them, and of each that is open or new."""
    rows = [OrderRow.model_validate(one) for one in payload["orders"]]
    named = [(row, identifiers_given(row.buyer.model_dump(exclude_none=True))) for row in rows]
    key, source = payload.get("key") or new_id(), payload["source"]
    counts: Counter[str] = Counter()
    still_open: list[dict[str, Any]] = []
    for start in range(0, len(named), orders.AT_ONCE):
        told: list[orders.Taken] = []
        some = named[start : start + orders.AT_ONCE]
        plan = orders.take_orders(source, some, told)
        asked = digest_of(orjson.dumps([source, payload["orders"][start : start + orders.AT_ONCE]]))
        done = _done(
            engine, {**payload, "key": f"{key}:{start}", "id": source}, orders.VERB, plan, asked=asked
        )
        if done["repeated"]:
            with engine.files.store.read() as connection:
                told = orders.told_again(connection, done["act_id"], some)
        counts.update(one.became for one in told)
        still_open += [asdict(one) for one in told if one.why_open]
    return {"counts": dict(counts), "open": still_open}


def do_assign_order(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Say whose an order is."""
    plan = orders.assign_order(payload["order_no"], payload.get("source"))
    return _done(engine, payload, orders.ASSIGN, plan)


def do_take_spend(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Take in what campaigns cost, as one act; without a source, as one entry more by hand."""
    if not payload["entries"] or not all(map(_is_entry, payload["entries"])):
        raise ValueError("entries is a list of one entry or more")
    entries = [
        spend.Spending(
            **{
                **one,
                "from_day": date.fromisoformat(one["from_day"]),
                "to_day": date.fromisoformat(one["to_day"]),
            }
        )
        for one in payload["entries"]
    ]
    told: list[spend.Became] = []
    company, source = _company(engine), payload.get("source")
    if source is None:
        return _done(engine, payload, spend.VERB, spend.add_spend(entries[0], company))
    done = _done(engine, payload, spend.VERB, spend.take_spend(source, entries, company, told))
    return {**done, "counts": dict(Counter(told))}


def _is_entry(one: Any) -> bool:
    return isinstance(one, dict) and all(
        isinstance(value, str | None) or (type(value) is int and abs(value) < 2**53) for value in one.values()
    )


def do_end_spend(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Take back an entry of what a campaign cost."""
    return _done(engine, payload, spend.END, spend.end_spend())


def do_assign_alias(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Have a name count for a campaign; return for how many leads that had none."""
    counted: list[str] = []
    plan = aliases.assign_alias(payload["kind"], payload["value"], counted)
    done = _done(engine, payload, aliases.VERB, plan)
    if not done["repeated"]:
        return {**done, "leads": len(counted)}
    with engine.files.store.read() as connection:
        return {**done, "leads": aliases.counted_before(connection, done["act_id"])}


def _company(engine: Engine) -> Company:
    with engine.files.store.read() as connection:
        return load_company(connection, company_version(connection))


def _done(
    engine: Engine, payload: Payload, verb: str, plan: Plan, *, asked: str | None = None
) -> dict[str, Any]:
    command, files = replace(command_of(payload, verb), asked=asked), engine.files
    done = perform(files.store, command, plan, wall_clock_us(), files.store_log.append)
    return {"act_id": command.act_id, "repeated": not done}
