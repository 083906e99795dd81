"""What routing gives to people: assignments and tasks; and what people do back: acts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.base import Frozen, Language, Micros, Priority

HolderKind = Literal["person", "queue", "pool", "nurture"]
TaskOrigin = Literal["first_response", "call_back", "plan", "delegation", "collaboration", "care"]
TaskState = Literal["open", "done", "cancelled"]
ASKED = "ask_taken"
"""The verb of the act by which somebody asks whether a customer is taken: it touches nobody."""


class Condition(Frozen):
    """One condition of a rule that held, with the value it was held against."""

    column: str
    test: str
    value: str


class Reason(Frozen):
    """Why a lead went where it went, readable without the code."""

    code: Literal[
        "sticky_owner",
        "weighted_turn",
        "least_loaded",
        "least_recent",
        "best_match",
        "fixed",
        "call_now",
        "waiting",
        "default_queue",
        "pooled",
        "claimed",
        "released",
        "reminded",
        "copied",
        "offered",
        "reclaimed",
        "moved",
        "moved_back",
        "handed_over",
        "returned",
        "owner_left",
        "nurtured",
        "woken",
        "merged",
        "parted",
        "registered",
        "claim_decided",
        "auto_moved",
        "imported",
        "list_reverted",
        "probe",
    ]
    book_version: str | None = None
    rule_id: str | None = None
    conditions: tuple[Condition, ...] = ()
    team_id: str | None = None
    pool_id: str | None = Field(
        None, description="The open pool that it went into or came from, or whose ladder it is"
    )
    untouched_days: int | None = Field(None, description="Working days of the owner since the last touch")
    eligible: tuple[str, ...] = Field((), description="Person ids that could have had it")
    passed_over: tuple[tuple[str, str], ...] = Field((), description="Person id and why not, e.g. off_shift")
    stand_in: str | None = Field(None, description="Who does what is to be done while the owner is away")
    wakes_us: Micros | None = Field(None, description="When a customer that is put aside wakes by itself")
    strategy: str | None = Field(None, description="What the rule says about how to choose; None: by turn")
    grade: str | None = Field(None, description="Of the lead: each grade is shared out by itself")
    priority: Priority | None = Field(None, description="As the rule says")
    playbook: str | None = Field(None, description="What is to be done, by the company's own name for it")
    protect_days: int | None = Field(
        None, description="So long no reclaim and no automatic move, once a person has it"
    )
    collaborators: tuple[str, ...] = Field(
        (), description="Person ids who work on it from now on beside the owner"
    )
    claimant: str | None = Field(
        None,
        description="Who else wants the customer: a unit whose rule met an owner who stays, or for whom it was registered",
    )
    import_id: str | None = Field(
        None, description="The list that said whose the customer is, or where it goes"
    )
    named: str | None = Field(None, description="The person that the list names as the owner")
    not_named: Literal["unknown", "left", "nobody"] | None = Field(
        None, description="Why the list names no owner: it names somebody unknown, who has left, or nobody"
    )
    standing: tuple[tuple[str, int, int, int, int], ...] = Field(
        (),
        description="Of each who could have had it, before this: person, share, received, entitled (in "
        "parts of a lead, see schemas.shares), and the number that the strategy goes by",
    )


class Assignment(Frozen):
    """A customer's lead was given to a holder."""

    decision_id: str
    lead_id: str | None
    customer_id: str
    holder_kind: HolderKind
    holder_id: str
    previous_holder_id: str | None
    reason: Reason
    decided_us: Micros
    language: Language | None = None
    quiet: bool = Field(False, description="Nobody is told, as whoever brought the list wished")
    told_with: str | None = Field(
        None,
        description="Of many that one act gave from the same to the same holder: the decision whose message tells of this one, too",
    )


class Task(Frozen):
    """Something for one person (or a queue) to do by a time."""

    task_id: str
    decision_id: str
    ordinal: int
    customer_id: str
    lead_id: str | None
    holder_kind: HolderKind
    holder_id: str
    origin: TaskOrigin
    due_us: Micros
    state: TaskState = "open"
    priority: Priority | None = None
    playbook: str | None = None


class Reroute(Frozen):
    """Asks route to decide again: a queue that can drain, an owner who left, a lead returned."""

    why: Literal[
        "queue_open",
        "returned",
        "owner_left",
        "book_published",
        "capacity_free",
        "nurture_wakes",
        "untouched",
        "sweep",
    ]
    customer_id: str | None = None
    team_id: str | None = None
    act_id: str | None = None
    after: tuple[Micros, str] | None = Field(
        None,
        description="Go on behind this place of the queue: since when, and which customer; of a sweep behind this customer",
    )


class Replay(Frozen):
    """Asks a stage to decide once more on an event that it refused; effects keep their ids."""

    stage: str
    topic: str
    part: int = 0
    off: int
    attempt: int = Field(ge=2)


class DeadLetter(Frozen):
    """Tells others that a stage refused an event: where it lies, and why. Holds ids, and nothing of the event."""

    dead_id: str
    stage: str
    code: str
    field: str | None = None
    message: str
    hint: str
    event_id: str
    capture_id: str | None = None
    source_id: str | None = None
    topic: str
    part: int
    off: int
    attempt: int
    refused_us: Micros


class CaptureKey(Frozen):
    """The key that one capture is sealed under, wrapped by the master key."""

    key_id: str
    capture_id: str
    wrapped: bytes


class CaptureKeys(Frozen):
    """Keys as a door stored them, for a database that is put back as it was before."""

    keys: tuple[CaptureKey, ...]


class Settle(Frozen):
    """Asks parse to judge a group of parts, if it has been quiet since."""

    group: str
    quiet_since_us: Micros


class Act(Frozen):
    """Something a person did through the one command path."""

    act_id: str
    idem_key: str
    actor: str
    verb: str
    reason: str | None = None
    scope_id: str | None = Field(None, description="What it was done to")
    undoes: str | None = None
    recorded_us: Micros
