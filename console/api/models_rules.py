"""What the operations about the rule book take and answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from console.api.models import Body, Done, Moment, Reasoned

MOST_CHARS = 10_000_000
"""Of a table: 50,000 rules of 20 columns."""
Table = Annotated[str, StringConstraints(max_length=MOST_CHARS, pattern=r"^[^\x00]*$")]
TableName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,30}$")]


class RulesVersion(BaseModel):
    """A version of the rule book."""

    number: int
    version: str = Field(description="The digest that decisions name")
    published_us: Moment
    actor: str | None
    reason: str | None


class RulesVersions(BaseModel):
    """A page of versions, the newest first."""

    versions: list[RulesVersion]
    next: str | None


class RulesBook(BaseModel):
    """A version of the rule book as text."""

    number: int
    version: str = Field(description="The digest that decisions name")
    csv: str = Field(description="The first table: rules.csv")
    tables: dict[str, str] = Field(description="Further tables by name: rules-NAME.csv")
    examples: str | None = Field(description="rules-examples.csv")


class RulesText(Body):
    """A rule book as text (docs/rules.md)."""

    csv: Table = Field(description="The first table: rules.csv")
    tables: dict[TableName, Table] = Field(
        default_factory=dict, max_length=100, description="Further tables by name: rules-NAME.csv"
    )
    examples: Table | None = Field(None, description="rules-examples.csv; without it, the book has none")


class RulesProblem(BaseModel):
    """One thing that is wrong or odd in a rule book."""

    code: str
    severity: Literal["error", "warning"]
    file: str
    line: int | None
    column: str | None
    message: str
    fix: str


class RulesChecked(BaseModel):
    """What is to be told of a rule book."""

    may_be_published: bool
    problems: list[RulesProblem]
    overlaps_looked_for: bool = Field(
        description="false: the book is too large for it here: leadflow rules check"
    )
    changes: list[str] = Field(description="What publishing it would change, if it may be published")


class RulesSimulated(RulesText):
    """A rule book, and how many days of leads are to be taken through it."""

    days: int = Field(7, ge=1, le=30)


class RulesPublished(RulesText, Reasoned):
    """A rule book that is to be in force."""

    over: int = Field(
        ge=0, le=2**31 - 1, description="The number of the version it was made from; 0: there was none"
    )


class RulesBack(Reasoned):
    """Which version is to be in force again."""

    number: int = Field(ge=1, le=2**31 - 1)


class RulesDone(Done):
    """A rule book that is in force."""

    number: int = Field(description="Under which it is published")
