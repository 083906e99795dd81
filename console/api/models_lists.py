"""What the operations about lists take and answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from console.api.models import Body, Id, Moment, Text
from schemas.lead import ListKind

ListState = Literal["draft", "running", "stopped", "done", "reverting", "reverted"]
ColumnName = Annotated[str, StringConstraints(max_length=2_000, pattern=r"^[^\x00]*$")]


class ListRow(BaseModel):
    """A list that was brought, and how far it is."""

    import_id: str
    source_id: str
    kind: ListKind
    name: str = Field(description="The file's")
    bytes: int
    actor: str
    state: ListState
    discarded: bool = Field(description="It was given up as a draft; its state is `reverted`")
    at_us: Moment = Field(description="When it was brought; once begun, when that was")
    ended_us: Moment | None
    reverted_us: Moment | None
    rows: int = Field(description="How many were read by now")
    total: int | None = Field(description="How many there are, where the file says so")
    taken: int
    refused: int
    stopped_by: str | None = Field(description="The code of what keeps it from being read on")
    campaign: str | None
    cost_minor: int | None = Field(description="In minor units of the currency")
    currency: str | None


class Lists(BaseModel):
    """A page of lists, the newest first."""

    lists: list[ListRow]
    next: str | None


class ListAnswer(ListRow):
    """A list, as what it was begun, and what became of its rows."""

    route: bool | None = Field(description="As it was begun; null of a draft")
    notify: bool | None = Field(description="As it was begun; null of a draft")
    heap: str | None
    columns: dict[str, str] = Field(description="By column what it is read as; empty before it is begun")
    became: dict[str, int] = Field(
        description="How many rows made a customer (`new`), joined one, wait; by which decisions; whose owner is unknown or left"
    )
    refused_by: dict[str, int] = Field(description="How many rows were refused, by code")
    reverted_rows: dict[str, int] = Field(
        description="Of a list taken back: how many rows are `out`, how many were left and why"
    )


class ListAsked(Body):
    """How a list is to be read, and what is to be done with it."""

    route: bool = Field(description="Whether the rules decide on what nobody has")
    notify: bool = Field(description="Whether anybody is told")
    columns: dict[ColumnName, Text] = Field(
        default_factory=dict,
        max_length=500,
        description="By column what it is (docs/import.md); remembered for the sender's next list",
    )
    sheet: ColumnName | None = Field(
        None, description="Of a workbook; without one, the first with anything in it"
    )
    heap: Text | None = Field(None, description="queue:UNIT, pool:POOL or nurture:CADENCE")
    horizon_days: int | None = Field(
        None, ge=1, le=99_999, description="Customers untouched for longer get a dated step"
    )
    per_day: int = Field(10, ge=1, le=1_000, description="Dated steps a person and working day")


class ListBegun(ListAsked):
    """A list that is to be taken."""

    campaign: Id | None = None
    cost: Annotated[float, Field(allow_inf_nan=False)] | Text | None = Field(
        None, description="In major units; counts with its campaign"
    )
    currency: Text = "CNY"


class ListColumn(BaseModel):
    """A column of a file."""

    name: str
    target: str | None = Field(description="What it is read as; null: kept under its own name")
    samples: list[str]


class ReadField(BaseModel):
    """A field of a row; without a name, a cell of a row that is refused."""

    name: str
    value: str


class RowRefused(BaseModel):
    """Why a row would be refused."""

    code: str
    field: str | None
    message: str
    hint: str


class ReadRow(BaseModel):
    """A row as it would be read, or why it would be refused."""

    number: int
    fields: list[ReadField]
    owner: str | None
    refused: RowRefused | None


class Stranger(BaseModel):
    """An owner whom the list names and nobody knows."""

    name: str
    rows: int


class WouldHappen(BaseModel):
    """What would happen to a list: exactly of its first rows, and how many would become what."""

    encoding: str | None
    delimiter: str | None
    counted: int = Field(description="How many rows these numbers are of")
    is_whole: bool = Field(description="Whether these are all")
    new: int
    joined: int = Field(description="Of somebody whom an identifier knows, or of an earlier row")
    refused: dict[str, int]
    dated_steps: int
    owners: dict[str, int] = Field(description="`known`, `unknown`, `left` and `nobody`")
    strangers: list[Stranger] = Field(description="The 50 that most rows name")
    shown: list[ReadRow]


class ListPreview(BaseModel):
    """What would happen to a draft."""

    is_kept: bool = Field(description="false: its file is being kept still; ask again in a second")
    sheet: str | None = None
    sheets: list[str] = Field(default_factory=list)
    header_row: int | None = None
    columns: list[ListColumn] = Field(default_factory=list)
    would: WouldHappen | None = Field(
        None, description="null: nobody knows any of its columns; say in `columns` what they are"
    )
