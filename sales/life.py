"""The life cycle of a customer on a product line: new → contacted → opportunity → won, later or lost. Pure.

It is worked out from what is on record, each piece of which belongs to a lead: the leads themselves, outcomes, stages
set by hand, orders. So a merge puts two lives together and a parting takes them apart again, by the leads alone, and
nothing that was recorded is ever written over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from schemas.outcomes import OutcomeCode

Stage = Literal["new", "contacted", "opportunity", "won", "later", "lost"]
STAGES: tuple[Stage, ...] = get_args(Stage)
By = Literal["lead", "outcome", "act", "order"]

OF_OUTCOME: dict[OutcomeCode, Stage] = {
    "interested": "opportunity",
    "later": "later",
    "nurture": "later",
    "won": "won",
    "no_need": "lost",
    "not_a_lead": "lost",
    "wrong_number": "lost",
}
"""What an outcome says of the stage. Nobody answered: nothing. A call that was answered: contacted."""

_NONE = ("not_a_lead", "wrong_number")
"""Reasons for a loss by which it never was anybody to sell to, whatever was thought before."""
_LEVEL: dict[str, int] = {"new": 0, "contacted": 1, "opportunity": 2, "won": 3}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing on record: when, of which lead, what stage it says, by whom, and what it came by.

    `by` outcome and order only lead onward; a person's act sets any stage, backward too.
    """

    at_us: int
    lead_id: str
    line: str
    by: By
    stage: Stage
    person_id: str | None = None
    cause: str = ""
    reason: str | None = None
    until_us: int | None = None
    order: str | None = None


@dataclass(frozen=True, slots=True)
class Stay:
    """The stretch of time a customer was in a stage; `to_us` None: it still is."""

    stage: Stage
    from_us: int
    to_us: int | None
    by: By
    person_id: str | None
    cause: str
    reason: str | None
    until_us: int | None


@dataclass(slots=True)
class Life:
    """One round on a product line, from its first touch on: until won or lost, and a new enquiry begins another."""

    line: str
    lead_id: str
    """The first touch: the lead that it began with."""
    began_us: int
    leads: list[str] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)
    level: int = 0
    """How far it has come: 0 new, 1 contacted, 2 opportunity, 3 won; a step back takes it down again."""
    orders: set[str] = field(default_factory=set)
    """Numbers of the orders that stand."""

    @property
    def stage(self) -> Stage:
        """Return the stage it is in."""
        return self.stays[-1].stage

    @property
    def is_over(self) -> bool:
        """Tell whether the next enquiry begins another."""
        return self.stage in ("won", "lost")


def lives(facts: Iterable[Fact]) -> list[Life]:
    """Return the lives of one customer, line by line, each in the order of time.

    A lead belongs to the life that is running on its line; after one that was won or lost, it begins the next. What
    is said after the end, without a new lead, still belongs to the life that ended.
    """
    found: dict[str, list[Life]] = {}
    for fact in sorted(facts, key=_order):
        of_line = found.setdefault(fact.line, [])
        if not of_line or (fact.by == "lead" and of_line[-1].is_over):
            of_line.append(_begun(fact))
        life = of_line[-1]
        if fact.by == "lead":
            life.leads.append(fact.lead_id)
        elif _counts(life, fact):
            _enter(life, fact)
    return [life for line in sorted(found) for life in found[line]]


_BY_ORDER: dict[By, int] = {"lead": 0, "outcome": 1, "order": 2, "act": 3}


def _order(fact: Fact) -> tuple[int, int, str, str]:
    return fact.at_us, _BY_ORDER[fact.by], fact.lead_id, fact.cause


def _begun(fact: Fact) -> Life:
    life = Life(fact.line, fact.lead_id, fact.at_us)
    life.stays.append(Stay("new", fact.at_us, None, "lead", None, fact.lead_id, None, None))
    return life


def _counts(life: Life, fact: Fact) -> bool:
    """Tell whether a fact changes the stage, and keep count of orders: what people said in passing never leads back."""
    now = life.stage
    if fact.by == "act":
        return fact.stage != now or fact.stage == "later"
    if fact.by == "order" and fact.stage == "won":
        life.orders.add(str(fact.order))
        return now != "won"
    if fact.by == "order":
        life.orders.discard(str(fact.order))
        return now == "won" and not life.orders
    match fact.stage:
        case "contacted":
            return now == "new"
        case "opportunity":
            return now not in ("opportunity", "won")
        case _:
            return now != "won"


def _enter(life: Life, fact: Fact) -> None:
    last = life.stays[-1]
    if last.from_us == fact.at_us and last.by == "lead":
        life.stays.pop()
    else:
        life.stays[-1] = _ended(last, fact.at_us)
    life.stays.append(
        Stay(fact.stage, fact.at_us, None, fact.by, fact.person_id, fact.cause, fact.reason, fact.until_us)
    )
    if fact.stage in _LEVEL:
        life.level = _LEVEL[fact.stage]
    elif fact.reason in _NONE:
        life.level = 0
    else:
        life.level = max(life.level, 1)


def _ended(stay: Stay, at_us: int) -> Stay:
    return Stay(
        stay.stage, stay.from_us, at_us, stay.by, stay.person_id, stay.cause, stay.reason, stay.until_us
    )


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an order, as far as a life cycle cares: from when to when it held (`to_us` None: it still does)."""

    order_no: str
    lead_id: str
    line: str | None
    state: Literal["placed", "cancelled"]
    ordered_us: int
    from_us: int
    to_us: int | None
    act_id: str
    next_act: str | None = None
    """What ended it."""


def of_orders(
    versions: Iterable[Version], lines: Mapping[str, str], came: Mapping[str, int]
) -> Iterator[Fact]:
    """Yield what the orders of one customer say: placed, won on the day of the order; cancelled, no longer.

    `lines` and `came`: product line and arrival of each lead. An order does not count as earlier than its lead came.
    Corrected and still placed, it says nothing new; moved to another customer, it is as if cancelled here.
    """
    by_order: dict[str, list[Version]] = {}
    for one in sorted(versions, key=lambda one: one.from_us):
        if one.state == "placed":
            by_order.setdefault(one.order_no, []).append(one)
    for order_no, several in by_order.items():
        until_us: int | None = -1
        for number, one in enumerate(several):
            line = one.line or lines.get(one.lead_id, "")
            earliest = max(one.ordered_us, came.get(one.lead_id, 0)) if number == 0 else one.from_us
            if one.from_us != until_us:
                yield Fact(earliest, one.lead_id, line, "order", "won", None, one.act_id, order=order_no)
            until_us = one.to_us
            follows = number + 1 < len(several) and several[number + 1].from_us == one.to_us
            if until_us is not None and not follows:
                at_us = max(until_us, earliest)
                yield Fact(
                    at_us, one.lead_id, line, "order", "opportunity", None, one.next_act or "", order=order_no
                )


def at_a_glance(found: Sequence[Life]) -> list[Life]:
    """Return the life that counts now on each line: the last one."""
    last: dict[str, Life] = {}
    for life in found:
        last[life.line] = life
    return list(last.values())
