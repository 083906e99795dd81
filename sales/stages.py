"""The act by which a person says how far a customer is on a product line; see `sales.life` for what follows by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from sales.life import STAGES, Stage
from schemas.company import Company
from schemas.ids import make_id
from store.acts import ActRefused, Command, Plan
from store.anchor import anchor, leads_of
from store.effects import Effect, Insert
from store.present import present_ids

VERB = "stage"


@dataclass(frozen=True, slots=True)
class Wish:
    """The stage to be set; `line` None: that of the customer's last enquiry. `until_us` goes with later, `reason` with lost."""

    stage: str
    line: str | None = None
    until_us: int | None = None
    reason: str | None = None


def set_stage(wish: Wish, company: Company) -> Plan:
    """Return the plan by which the actor sets the stage of a customer (the command's scope), backward too.

    Nothing is written over: the stages before stay on record. Refused: an unknown stage, line or customer, later
    without a date ahead, lost without one of the company's reasons, and a customer of whom nothing is kept.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        stage = _checked(wish, company, now_us)
        name = present_ids(connection, [command.scope_id])[command.scope_id]
        leads = leads_of(connection, [name]).get(name)
        if not leads:
            raise ActRefused("unknown_customer", f"There is no customer {command.scope_id}.")
        row = {
            "stage_id": make_id("stg", command.act_id),
            "lead_id": anchor(leads, wish.line, now_us),
            "line": wish.line,
            "stage": stage,
            "person_id": command.actor,
            "reason": wish.reason if stage == "lost" else None,
            "until_us": wish.until_us if stage == "later" else None,
            "act_id": command.act_id,
            "at_us": now_us,
        }
        return [Insert("stage", row)]

    return plan


def _checked(wish: Wish, company: Company, now_us: int) -> Stage:
    stage = next((one for one in STAGES if one == wish.stage), None)
    if stage is None:
        raise ActRefused("unknown_stage", f"Stages are {', '.join(STAGES)}.")
    if wish.line is not None and wish.line not in company.lines:
        known = ", ".join(company.lines) or "none"
        raise ActRefused("unknown_line", f"There is no product line {wish.line!r}; there are: {known}.")
    if stage == "later" and (wish.until_us is None or wish.until_us <= now_us):
        raise ActRefused("until_past", "“Later” needs a date ahead on which to take it up again.")
    reasons = [one.code for one in company.choices_of("no_need")]
    if stage == "lost" and wish.reason not in reasons:
        raise ActRefused("lost_reason_missing", f"“Lost” needs one of the reasons {', '.join(reasons)}.")
    return stage
