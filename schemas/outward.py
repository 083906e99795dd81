"""What the world outside is told: the contract of everything that leaves by a sink."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from schemas.base import Channel, Frozen, Language, LeadKind, Priority, Purpose
from schemas.lead import FieldName
from schemas.work import HolderKind, TaskOrigin


class AssignedTo(Frozen):
    """Who has the customer: a person, or the waiting queue of a unit."""

    kind: HolderKind
    id: str
    name: str
    name_en: str
    email: str | None = None


class AssignedLead(Frozen):
    """The enquiry or touch that led to it, as it is known when this is sent."""

    lead_id: str
    kind: LeadKind
    channel: Channel
    source: str
    campaign: str | None
    product_line: str | None
    language: Language | None
    accepted: AwareDatetime
    fields: dict[str, str] = Field(description="First value of each field, normalised where possible")


class AssignedTask(Frozen):
    """What is to be done first."""

    task_id: str
    origin: TaskOrigin
    due: AwareDatetime
    priority: Priority | None = Field(None, description="As the rule says")
    playbook: str | None = Field(None, description="What is to be done, by the company's own name for it")


class Assigned(Frozen):
    """A customer was given to somebody."""

    event_id: str = Field(description="The same in every sink; a delivery has an id of its own")
    decision_id: str
    decided: AwareDatetime
    why: str = Field(description="Code of the reason, such as `weighted_turn`, `sticky_owner`, `waiting`")
    team: str | None
    purpose: Purpose
    trace_id: str
    customer_id: str
    holder: AssignedTo
    lead: AssignedLead | None = Field(description="None when nothing but the customer is known")
    task: AssignedTask | None = Field(description="None for a touch that asks for nothing")
    ask_for: tuple[FieldName, ...] = Field(
        (), description="Required fields that the customer has not told yet: questions for the next contact"
    )
    link: str | None = Field(None, description="The holder's inbox, if `public_url` is set")
    collaborators: tuple[AssignedTo, ...] = Field(
        (), description="Who works on the customer from now on beside the holder"
    )
    claimed_by: AssignedTo | None = Field(
        None,
        description="Who else wants the customer: a unit whose rule met a holder who stays, or for whom it was registered",
    )
    protected_days: int | None = Field(
        None, description="So long nothing but a manager takes it from the holder"
    )
    together: int = Field(1, description="How many customers the same act gave to the same holder")


NO_LEAD = (
    "merged",
    "parted",
    "moved",
    "moved_back",
    "handed_over",
    "reminded",
    "copied",
    "offered",
    "reclaimed",
    "registered",
    "claim_decided",
    "auto_moved",
)
"""Reasons for which a customer has another owner although nobody asked anything anew."""


def is_new_lead(assigned: Assigned) -> bool:
    """Tell whether somebody asked something anew, and not only a customer changed hands or got in touch. Pure."""
    is_enquiry = assigned.lead is None or assigned.lead.kind == "enquiry"
    return is_enquiry and assigned.why not in NO_LEAD


AlarmKind = Literal[
    "source_held",
    "destination_held",
    "stage_stopped",
    "stage_stands",
    "process_gone",
    "door_silent",
    "door_speaks",
    "door_failed",
    "probe_lost",
]


class Alarm(Frozen):
    """Something needs a person: a source or a destination is held, a stage stopped or stands, a process is gone, a door is
    silent (or speaks again), cannot be fetched from, or a probe did not come through it."""

    alarm_id: str
    what: AlarmKind
    stage: str = Field(description="The stage, `*` for all; of a process its part, such as `stages`")
    source: str | None = Field(
        description="The source; of a destination its sink and person, `sinks.crm`, `sinks.mail/wu-ting`; of a stage "
        "that stands the topic; of a process its name; else None"
    )
    since: AwareDatetime
    tried: int = Field(
        description="Lately, of this source; of a stage: the sources that were heard of; of a silent door: what usually comes"
    )
    refused: int = Field(description="Of these; of a stage: the sources that fail")
    code: str | None = Field(description="Of the last refusal, see docs/errors.md")
    link: str | None = Field(None, description="The page that says what to do, if `public_url` is set")


ASSIGNED = "leadflow.assigned.v1"
ALARM = "leadflow.alarm.v1"

OUTWARD_MODELS: dict[str, type[Frozen]] = {ASSIGNED: Assigned, ALARM: Alarm}
"""Every type of message that leaves, with its version in the name, and the model of its data."""
