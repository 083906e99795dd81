"""A lead: one enquiry as read from a capture, every field with what was received and where it stood."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from schemas.base import Channel, Frozen, Language, LeadKind, Micros, Purpose
from schemas.capture import Capture
from schemas.ids import born_id

FieldName = Literal[
    "full_name",
    "given_name",
    "family_name",
    "salutation",
    "company",
    "job_title",
    "phone",
    "email",
    "address",
    "city",
    "region",
    "postcode",
    "country",
    "website",
    "tax_id",
    "product",
    "industry",
    "subject",
    "message",
    "heard_of_us",
    "other",
]


class FieldValue(Frozen):
    """One value of a lead: as received, normalised, and where it came from."""

    name: FieldName
    received: str = Field(description="As received, with NUL and lone surrogates escaped")
    origin: str = Field(description="Where it stood: `form:phone`, `header:From`, `cdr:src`, `signature`")
    value: str | None = Field(None, description="Normalised by enrich/; None until then, or if it cannot be")
    label: str | None = Field(None, description="The sender's own name of the field, for `other`")


class CampaignHint(Frozen):
    """Something that may name a campaign; resolved against the aliases of the company's campaigns."""

    kind: Literal["utm", "click", "tag", "dialled", "list", "heard"]
    value: str


class Consent(Frozen):
    """What the person agreed to, with the version of the text that was shown."""

    text_version: str
    purposes: tuple[str, ...]
    text: str | None = None


class Call(Frozen):
    """What is known of a telephone call, once its legs are assembled."""

    call_id: str
    direction: Literal["inbound", "outbound"]
    answered: bool = Field(description="A person of ours spoke with the caller")
    caller: str | None = Field(description="The customer's number as received; None if withheld or bogus")
    dialled: str | None = Field(
        description="Inbound: our number that was called. Outbound: the number called"
    )
    agent: str | None = Field(None, description="The extension that spoke, or rang last")
    talk_s: int = Field(0, description="Seconds of conversation with a person")
    wait_s: int = Field(0, description="Seconds until answered, or until the caller gave up")


class Mail(Frozen):
    """What threads a mail: its own id and the ids it answers to."""

    message_id: str | None
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


class Visit(Frozen):
    """A visit at the counter."""

    type: Literal["walk_in", "be_back", "appointment", "event"] = "walk_in"
    desk: str | None = None
    taken_by: str | None = Field(None, description="Who typed it, by their two-digit choice")
    anonymous: bool = False


ListKind = Literal["leads", "customers"]
"""What the rows of a list are: enquiries, or customers that the company has already."""


class Imported(Frozen):
    """What a row of a list says of who has the customer, and what whoever brought the list wants done with it."""

    import_id: str
    row: int
    kind: ListKind
    route: bool = Field(True, description="False: no rule decides on it, and nothing is to be done first")
    notify: bool = Field(True, description="False: nobody is told, inside and outside")
    owner: str | None = Field(None, description="The owner as the list names them")
    heap: str | None = Field(
        None, description="Where a customer goes whom nobody has: `queue:`, `pool:` or `nurture:` and a name"
    )
    wakes_us: Micros | None = Field(
        None, description="Put aside until then; of an owner's, until it is theirs again"
    )
    cadence: str | None = Field(None, description="On which cadence it is put aside")
    since_us: Micros | None = None
    last_us: Micros | None = Field(None, description="Last contact or order, whichever was later")
    next_us: Micros | None = Field(None, description="When the owner meant to be in touch again")


class Lead(Frozen):
    """One enquiry. `kind` says whether it is one at all; only `enquiry` is routed."""

    lead_id: str
    capture_id: str
    source_id: str
    channel: Channel
    kind: LeadKind
    purpose: Purpose
    trace_id: str
    occurred_us: Micros | None
    accepted_us: Micros
    fields: tuple[FieldValue, ...]
    hints: tuple[CampaignHint, ...] = ()
    consent: Consent | None = None
    language: Language | None = None
    call: Call | None = None
    mail: Mail | None = None
    visit: Visit | None = None
    imported: Imported | None = None
    corrected_by: str | None = Field(None, description="Of a correction: who put right what is known")
    joins: str | None = Field(None, description="The lead that this capture corrects or continues")
    repeats: str | None = Field(None, description="A capture with the same body within 10 minutes, no key")
    flags: tuple[str, ...] = Field(
        (), description="Remarks of the parser: `time_ambiguous`, `future_date`, `charset_guessed`, …"
    )

    def all(self, name: FieldName) -> Iterator[FieldValue]:
        """Yield the values of one field in the order in which they were received."""
        return (value for value in self.fields if value.name == name)

    def first(self, name: FieldName) -> FieldValue | None:
        """Return the first value of a field, or None."""
        return next(self.all(name), None)


def lead_id_of(capture_id: str, accepted_us: int, ordinal: int = 0) -> str:
    """Return the id of the `ordinal`-th lead of a capture that was accepted then."""
    return born_id("lead", accepted_us, capture_id, ordinal)


def lead_of(
    capture: Capture,
    fields: tuple[FieldValue, ...],
    *,
    kind: LeadKind = "enquiry",
    ordinal: int = 0,
    occurred_us: int | None = None,
    hints: tuple[CampaignHint, ...] = (),
    consent: Consent | None = None,
    language: Language | None = None,
    call: Call | None = None,
    mail: Mail | None = None,
    visit: Visit | None = None,
    imported: Imported | None = None,
    flags: tuple[str, ...] = (),
) -> Lead:
    """Build the `ordinal`-th lead of a capture; `occurred_us` overrides the capture's own."""
    return Lead(
        lead_id=lead_id_of(capture.capture_id, capture.accepted_us, ordinal),
        capture_id=capture.capture_id,
        source_id=capture.source_id,
        channel=capture.channel,
        kind=kind,
        purpose=capture.purpose,
        trace_id=capture.trace_id,
        occurred_us=occurred_us if occurred_us is not None else capture.occurred_us,
        accepted_us=capture.accepted_us,
        fields=fields,
        hints=hints,
        consent=consent,
        language=language,
        call=call,
        mail=mail,
        visit=visit,
        imported=imported,
        flags=flags,
    )
