"""How the API does an act: actor, key and refusal, the same for each."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header
from starlette.requests import Request

from console.api.models import Body, Done, Outcome
from console.api.refusals import Refused
from console.desk import Desk
from console.gate import visitor
from sales.money_files import order_said
from sales.outcomes import Said
from schemas.company import Company
from store.acts import Command, Plan, digest_of, is_done

Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=200,
        pattern=r"^[\x21-\x7e]*$",
        description="Makes a repetition harmless: the same key and body again change nothing and are answered the "
        "same; the same key with another body is refused (`key_reused`)",
    ),
]


def actor_said(request: Request, said: str | None) -> str:
    """Return who does an act: the token's person, else whoever it says. Raises Refused if nobody is named."""
    actor = visitor(request).person_id or said
    if actor is None:
        raise Refused(422, "actor_missing", "Say who does it: actor is the code of a person.", "actor")
    return actor


def command_for(
    desk: Desk, request: Request, body: Body, verb: str, key: str, *, scope: str, reason: str | None = None
) -> Command:
    """Return the command of an act. Raises Refused if nobody is named who does it."""
    actor = actor_said(request, body.actor)
    # Under a name of its own: a key of somebody's choice must not be one that Leadflow itself will use.
    own = f"api:{actor}:{key}" if key else desk.new_id()
    said = f"{request.url.path} {body.model_dump_json(exclude={'actor'})}"
    asked = digest_of(said.encode()) if key else None
    return Command(verb, actor, own, scope, (reason or "").strip() or None, asked=asked)


def said_by(body: Outcome, company: Company, now_us: int) -> Said:
    """Return what a body says came of a contact. Raises ActRefused for an order that cannot be read."""
    sold = body.order.model_dump(exclude_none=True) if body.order and body.code == "won" else {}
    order = order_said({name: str(value) for name, value in sold.items()}, company, now_us)
    return Said(body.code, body.note, body.next_us, body.reason, order)


def done(desk: Desk, command: Command, plan: Plan) -> Done:
    """Do an act. Raises ActRefused."""
    did = desk.perform(command, plan)
    return Done(act_id=command.act_id, repeated=not did)


def is_repeated(desk: Desk, command: Command) -> bool:
    """Tell whether an act was done before under its key, to whatever it was. Raises ActRefused for another act's key."""
    with desk.store.read() as connection:
        return is_done(connection, command)


def about(request: Request, command: Command) -> dict[str, str]:
    """Return who does an act, in which role, why, and under which key, as the host is told."""
    who = {**visitor(request).acting_as, "actor": command.actor}
    said = {**who, "reason": command.reason or "", "key": command.idem_key}
    return said | ({"body_digest": command.asked} if command.asked else {})


def company_of(desk: Desk) -> Company:
    """Return the company as it is now."""
    with desk.store.read() as connection:
        return desk.companies.get(connection)
