"""A visit to the front desk, as JSON or as the page's form post, read into a lead.

Fields: visit_no, at, desk, taken_by, name, phone, email, company, product, note, heard_of_us, type, anonymous,
consent. All are optional, but there must be somebody: a phone number, a name, or `anonymous`. Any other field
is kept under its own name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from ingest.web.form import MAX_FIELD_CHARS, FormError, Posted, read_form
from ingest.web.mistakes import is_phone
from schemas.capture import Capture
from schemas.lead import CampaignHint, Consent, FieldName, FieldValue, Visit, lead_of
from schemas.results import ParseResult, Refused
from schemas.sources import SourceSettings

Somebody = Literal["phone", "name", "anonymous"]
VisitType = Literal["walk_in", "be_back", "appointment", "event"]
VISIT_TYPES: tuple[VisitType, ...] = get_args(VisitType)

MIN_SECRET_CHARS = 12
"""The secret is typed once a device and may be guessed at from anywhere in the house's network."""
MAX_SHORT_CHARS = 500
"""Names, firms and products; what is longer was pasted by mistake. It is cut in the lead, flagged `cut`."""
MAX_PHONE_CHARS = 60
MIN_PHONE_DIGITS = 5
"""Service numbers such as 95588 have five digits; fewer are an extension or a slip."""
CLOCK_SLACK_US = 300 * 1_000_000
"""A desk's clock may be five minutes fast before its visits count as lying in the future."""


class Counter(SourceSettings):
    """One or several desks that enter visits under one name."""

    desks: tuple[str, ...] = Field((), description="The desks to choose from; none: any or no desk is taken")
    suffices: tuple[Somebody, ...] = Field(
        ("phone", "name", "anonymous"),
        description="Any one of these is enough to enter a visit",
        min_length=1,
    )
    products: tuple[str, ...] = Field(
        (), description="Products offered while typing; others can be typed too"
    )
    heard_of: tuple[str, ...] = Field((), description="Answers offered to “how did you hear of us?”")
    consent_version: str | None = Field(None, description="Version of the consent text read to the visitor")
    consent_text: str | None = None
    consent_purposes: tuple[str, ...] = ("contact",)

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, secret: str | None) -> str | None:
        if secret is not None and (len(secret) < MIN_SECRET_CHARS or not secret.isascii()):
            raise ValueError(f"the secret of a front desk needs {MIN_SECRET_CHARS} or more ASCII characters")
        return secret


_NAMES: dict[str, FieldName] = {
    "name": "full_name",
    "phone": "phone",
    "email": "email",
    "company": "company",
    "product": "product",
    "note": "message",
    "heard_of_us": "heard_of_us",
}
_ABOUT_VISIT = frozenset({"visit_no", "at", "desk", "taken_by", "type", "anonymous", "consent", "lang"})

_YES = frozenset({"true", "1", "yes", "on"})
_NO = frozenset({"", "false", "0", "no", "off"})
_VISIT_NO = re.compile(r"[A-Za-z0-9._:-]{8,64}")
_TWO_DIGITS = re.compile(r"[0-9]{2}")
_NUMBER_OF_A_SPREADSHEET = re.compile(r"\d+(?:\.\d+)?[eE]\+?\d+|\d+\.0")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST_US = 631_152_000 * 1_000_000  # 1990: nobody enters older visits, but broken clocks begin there


def parse(capture: Capture, source: Counter) -> tuple[ParseResult, ...]:
    """Turn one visit into a lead; Refused with the first mistake if somebody must correct it.

    An anonymous visit is an enquiry like any other: the visitor stands at the desk, so it needs an owner who
    comes, and a later entry under the same visit_no adds the name to the same customer.
    """
    try:
        posted = read_form(capture.meta.get("content_type", ""), capture.body)
    except FormError as error:
        return (_refused(error.code, error.field, error.message, error.hint),)
    if wrong := mistakes(posted, source):
        return wrong[:1]
    fields, flags = _fields(posted)
    moment, remarks = _moment(posted.get("at"), source.zone, capture.accepted_us)
    lead = lead_of(
        capture,
        fields,
        occurred_us=moment,
        hints=tuple(
            CampaignHint(kind="heard", value=one.received) for one in fields if one.name == "heard_of_us"
        ),
        consent=_consent(posted, source),
        language=source.language,
        visit=_visit(posted),
        flags=tuple(sorted({*posted.flags, *flags, *remarks})),
    )
    return (lead,)


def mistakes(posted: Posted, source: Counter) -> tuple[Refused, ...]:
    """Return what somebody must correct before the visit can be taken, in the order of the fields."""
    return tuple(_mistakes(posted, source))


def visit_number(posted: Posted) -> str | None:
    """Return the number that the device gave the visit; None if it gave none."""
    return posted.get("visit_no").strip() or None


def _mistakes(posted: Posted, source: Counter) -> Iterator[Refused]:
    for key, _ in posted.pairs:
        whole = key.partition(".")[0]
        if "." in key and (whole in _NAMES or whole in _ABOUT_VISIT):
            yield _refused(
                "not_text", whole, "An object stands where a text belongs.", 'Send "field": "text".'
            )
            return
    number = visit_number(posted)
    if number is not None and _VISIT_NO.fullmatch(number) is None:
        yield _refused(
            "bad_visit_no",
            "visit_no",
            "A visit number has 8 to 64 letters, digits or . _ : - and never comes twice.",
            "Let the device make one, such as a UUID: a short one that comes again would change another visit.",
        )
    if posted.get("at").strip() and _moment(posted.get("at"), source.zone, 0)[0] is None:
        hint = "Write it as 2026-11-23T10:05:00+08:00."
        yield _refused("bad_time", "at", "The time of the visit cannot be read.", hint)
    desk = posted.get("desk").strip()
    if desk and source.desks and desk not in source.desks:
        hint = f"This source has {_listed(source.desks)}."
        yield _refused("unknown_desk", "desk", "There is no desk of this name.", hint)
    taken_by = posted.get("taken_by").strip()
    if taken_by and _TWO_DIGITS.fullmatch(_plain(taken_by)) is None:
        hint = "Give each person a code from 00 to 99, and choose one."
        yield _refused("bad_code", "taken_by", "Who typed is named by two digits.", hint)
    yield from _mistakes_about_somebody(posted, source)
    if (posted.get("type").strip() or "walk_in") not in VISIT_TYPES:
        hint = f"It is one of {_listed(VISIT_TYPES)}."
        yield _refused("unknown_type", "type", "There is no visit of this type.", hint)
    if (consent := _yes(posted, "consent")) is None:
        yield _refused("not_yes_or_no", "consent", "This is neither yes nor no.", "Send true or false.")
    elif source.consent_version is not None and not consent and _names_somebody(posted):
        hint = "Ask the visitor, or enter the visit as anonymous without name and number."
        yield _refused("no_consent", "consent", "The visitor has not agreed to be kept on record.", hint)


def _mistakes_about_somebody(posted: Posted, source: Counter) -> Iterator[Refused]:
    for phone in (value.strip() for key, value in posted.pairs if key == "phone" and value.strip()):
        if _NUMBER_OF_A_SPREADSHEET.fullmatch(_plain(phone)):
            hint = "Take it from the original; a spreadsheet cuts long numbers unless the column is text."
            yield _refused("phone_cut", "phone", "This is a number that a spreadsheet has rounded.", hint)
        elif len(phone) > MAX_PHONE_CHARS or sum(one.isdigit() for one in phone) < MIN_PHONE_DIGITS:
            hint = "Correct it, or leave it empty if the visitor gave none."
            yield _refused("phone_unreadable", "phone", "There is no telephone number in this.", hint)
    anonymous = _yes(posted, "anonymous")
    if anonymous is None:
        yield _refused("not_yes_or_no", "anonymous", "This is neither yes nor no.", "Send true or false.")
    elif anonymous and _names_somebody(posted):
        hint = "Take the mark away, or the name and number."
        yield _refused("named_anonymous", "anonymous", "Marked as anonymous, yet there is a name.", hint)
    elif not (_given(posted) | ({"anonymous"} if anonymous else set())) & set(source.suffices):
        wanted = [one for one in ("name", "phone") if one in source.suffices]
        code = f"no_{wanted[0]}" if len(wanted) == 1 else "nobody"
        hint = f"One of these is enough: {_listed(source.suffices)}."
        field = wanted[0] if wanted else "anonymous"
        yield _refused(code, field, "Nothing says who the visitor is.", hint)


def _names_somebody(posted: Posted) -> bool:
    return bool(_given(posted) & {"name", "phone", "email"})


def _given(posted: Posted) -> set[str]:
    return {key for key, value in posted.pairs if key in _NAMES and value.strip()}


def _fields(posted: Posted) -> tuple[tuple[FieldValue, ...], set[str]]:
    fields, flags = [], set()
    for key, value in posted.pairs:
        if key in _ABOUT_VISIT or not value.strip():
            continue
        name = _NAMES.get(key, "other")
        limit = MAX_SHORT_CHARS if key in _NAMES and key != "note" else MAX_FIELD_CHARS
        if len(value) > limit:
            flags.add("cut")
        if key == "phone" and not is_phone(value):
            flags.add("phone_doubtful")
        label = key[:200] if name == "other" else None
        origin = f"counter:{key[:200]}"
        fields.append(FieldValue(name=name, received=value[:limit], origin=origin, label=label))
    return tuple(fields), flags


def _visit(posted: Posted) -> Visit:
    kind: Any = posted.get("type").strip() or "walk_in"
    return Visit(
        type=kind,
        desk=posted.get("desk").strip()[:MAX_SHORT_CHARS] or None,
        taken_by=_plain(posted.get("taken_by").strip()) or None,
        anonymous=bool(_yes(posted, "anonymous")),
    )


def _consent(posted: Posted, source: Counter) -> Consent | None:
    if source.consent_version is None or not _yes(posted, "consent"):
        return None
    return Consent(
        text_version=source.consent_version, purposes=source.consent_purposes, text=source.consent_text
    )


def _moment(text: str, zone: str, accepted_us: int) -> tuple[int | None, set[str]]:
    """Return µs since the epoch and flags (`future_date`, `time_ambiguous`); None if there is none to read.

    A time without an offset is the wall clock of `zone`; of the repeated hour in autumn the first is taken.
    """
    try:
        local = datetime.fromisoformat(text.strip()[:40])
    except ValueError:
        return None, set()
    flags = set()
    if local.tzinfo is None:
        moments = {_us(local.replace(tzinfo=ZoneInfo(zone), fold=fold)) for fold in (0, 1)}
        if len(moments) > 1:
            flags.add("time_ambiguous")
        moment = min(moments)
    else:
        moment = _us(local)
    if moment < _EARLIEST_US:
        return None, set()
    if moment > accepted_us + CLOCK_SLACK_US:
        flags.add("future_date")
    return moment, flags


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _yes(posted: Posted, key: str) -> bool | None:
    """Return a yes or no; None for what is neither."""
    text = posted.get(key).strip().lower()
    return True if text in _YES else False if text in _NO else None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(values)


def _refused(code: str, field: str | None, message: str, hint: str) -> Refused:
    return Refused(stage="parse", code=code, field=field, message=message, hint=hint)
