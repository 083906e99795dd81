"""The company as data: who works where, who is away, what is sold, and the rule book in force.

A `Company` is the whole of it at one version, read once and shared by every decision of a batch.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from schemas.base import Frozen, Language, Micros

UnitKind = Literal["company", "branch", "department", "team"]


class Unit(Frozen):
    """A node of the organisation: company → branch → department → team."""

    unit_id: str
    parent_id: str | None = None
    kind: UnitKind
    name_zh: str
    name_en: str
    manager_id: str | None = None
    language: Language | None = None
    zone: str | None = None
    calendar_id: str | None = None


class Person(Frozen):
    """Somebody who can own customers. Who left stays on record with state `left`."""

    person_id: str
    name: str
    name_en: str | None = None
    email: str | None = None
    phone: str | None = None
    extension: str | None = None
    desk_code: str | None = Field(None, description="Two digits, to say who types at a shared PC")
    language: Language = "zh"
    calendar_id: str | None = None
    state: Literal["active", "left"] = "active"


class Member(Frozen):
    """A person's place in a unit, from and to a date, with their share of what the unit receives."""

    unit_id: str
    person_id: str
    from_us: Micros
    to_us: Micros | None = None
    share: int = Field(1, ge=0, description="Weight in the unit's turn; 0 receives nothing new")


class Absence(Frozen):
    """A stretch of time in which a person is away, and who stands in."""

    person_id: str
    from_us: Micros
    to_us: Micros
    stand_in_id: str | None = None


class Company(Frozen):
    """Everything that decisions need of the company, at one version."""

    version: int
    name: str = "Leadflow"
    zone: str = "Asia/Shanghai"
    language: Language = "zh"
    default_queue: str = Field("default", description="Unit id of the queue of last resort")
    responsible_id: str | None = Field(None, description="Who answers for the default queue")
    first_response_minutes: int = 30
    units: dict[str, Unit] = Field(default_factory=dict)
    people: dict[str, Person] = Field(default_factory=dict)
    members: tuple[Member, ...] = ()
    absences: tuple[Absence, ...] = ()
    calendars: dict[str, dict[str, Any]] = Field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = Field(default_factory=dict)
    book_version: str | None = None
    book_csv: str | None = None
