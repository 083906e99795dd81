"""A webhook of any sender, read by a mapping of its source: lead field → JMESPath expression.

The body is a form or JSON; several leads may lie in one body. What is known of some senders stands in
`ingest.web.presets`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

import orjson
from pydantic import Field, field_validator, model_validator

from ingest.web.form import MAX_FIELD_CHARS, FormError
from ingest.web.mapping import (
    BadExpression,
    Moment,
    compiled,
    document_of,
    moment_of,
    scalars_of,
    search,
    texts,
)
from ingest.web.own_bytes import own_bytes
from ingest.web.presets import with_preset
from schemas.capture import Capture
from schemas.lead import CampaignHint, FieldName, FieldValue, Lead, lead_of
from schemas.results import ParseResult, Refused
from schemas.sources import SourceSettings

MAX_LEADS = 200
"""Of one body: advertising platforms push one or a page of them, and each is a capture of its own."""
_KEPT = 100
"""Values kept beside the mapped ones: more is no form."""
_CLOCK_SLACK_US = 300_000_000
"""Clocks of senders drift; up to five minutes ahead of ours they are believed."""
PART = "part"
"""Meta of a capture that is one of several leads of a body: which, counted from 0. Its bytes are that lead's alone."""

HintKind = Literal["utm", "click", "tag", "dialled", "list", "heard"]


class MappedWebhook(SourceSettings):
    """A sender that posts leads in its own way, and how to read them."""

    channel: Literal["web"] = "web"
    format: str = "web.mapped"
    preset: str | None = Field(
        None, description="Settings to begin with: feiyu, baidu, tencent, form-service, …"
    )
    fields: dict[FieldName, str] = Field(default_factory=dict, description="Lead field → expression")
    others: dict[str, str] = Field(
        default_factory=dict, description="Label → expression, for what has no lead field"
    )
    constants: dict[FieldName, str] = Field(
        default_factory=dict, description="Lead field → text, where nothing was found"
    )
    hints: dict[HintKind, str] = Field(
        default_factory=dict, description="What may name a campaign: kind → expression"
    )
    leads: str | None = Field(
        None, description="Where several leads of one body lie; the rest is read within each"
    )
    key: str | None = Field(None, description="The sender's own id of a lead: what comes twice is one")
    time: str | None = Field(None, description="When the person wrote")
    time_format: str | None = Field(
        None, description="strptime's pattern of `time`; without it the usual ones are tried"
    )
    keep: str | None = Field(
        None, description="Pattern of further top-level names whose values are kept as `other`"
    )
    proof: Literal["none", "query", "header", "hmac"] = Field(
        "header", description="Where the sender shows the secret; `none` lets anybody in"
    )
    proof_name: str | None = Field(None, description="Name of that query parameter or header")
    hmac_algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    hmac_encoding: Literal["hex", "base64"] = "hex"
    hmac_prefix: str = Field("", description="Before the signature in its header, such as `sha256=`")
    hmac_signs: str = Field("{body}", description="What is signed, of {body} and {timestamp}")
    hmac_timestamp: str | None = Field(
        None, description="Header of the time of sending, in seconds; older than 5 minutes is refused"
    )
    answer: dict[str, Any] | None = Field(None, description="What to answer; without it our receipt")
    answer_status: int = Field(202, ge=200, le=299)
    answers_with: Literal["json", "page"] = Field(
        "json", description="`page`: on to the page asked for, as after a form"
    )
    oid: str | None = Field(None, description="Of Web-to-Lead: the `oid` in the form")
    hosts: tuple[str, ...] = Field((), description="Hosts that may be redirected to after the post")
    thanks: str | None = Field(None, description="Page to go to after the post; default: a page of ours")

    @model_validator(mode="before")
    @classmethod
    def _over_preset(cls, given: Any) -> Any:
        return with_preset(given) if isinstance(given, dict) else given

    @field_validator("fields", "others", "hints")
    @classmethod
    def _compile_all(cls, expressions: dict[Any, str]) -> dict[Any, str]:
        for name, expression in expressions.items():
            _check(expression, f"{name}: ")
        return expressions

    @field_validator("leads", "key", "time")
    @classmethod
    def _compile(cls, expression: str | None) -> str | None:
        if expression is not None:
            _check(expression)
        return expression

    @field_validator("keep")
    @classmethod
    def _is_pattern(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"{pattern!r} is no pattern: {error}") from None
        return pattern

    @field_validator("hmac_signs")
    @classmethod
    def _signs_the_body(cls, template: str) -> str:
        if "{body}" not in template or set(re.findall(r"\{(\w*)\}", template)) - {"body", "timestamp"}:
            raise ValueError(
                "write it with {body} and, if the time is signed too, {timestamp}, as in {timestamp}.{body}"
            )
        return template

    @model_validator(mode="after")
    def _maps_something(self) -> MappedWebhook:
        if not self.fields:
            raise ValueError(
                f"fields is empty; write which expression is which of {', '.join(get_args(FieldName))}"
            )
        if "{timestamp}" in self.hmac_signs and self.hmac_timestamp is None:
            raise ValueError("hmac_signs has {timestamp}; name its header in hmac_timestamp")
        return self


def _check(expression: str, where: str = "") -> None:
    try:
        compiled(expression)
    except BadExpression as error:
        raise ValueError(f"{where}{expression!r} is no JMESPath expression: {error}") from None


class Item(NamedTuple):
    """One lead of a body: its own bytes, the sender's key of it, and what its capture's meta says beside the door's."""

    body: bytes
    key: str | None = None
    meta: Mapping[str, str] = {}


def items_of(content_type: str, body: bytes, source: MappedWebhook) -> list[Item]:
    """Return the leads that lie in a body, for the door. Raises FormError: no form and no JSON, or too many."""
    document, _ = document_of(content_type, body)
    parts = _parts(document, source)
    if len(parts) > MAX_LEADS:
        raise FormError(
            "too_many_leads",
            f"{len(parts)} leads in one body; at most {MAX_LEADS} are taken at once.",
            "Have the sender send fewer at once, or bring them as a list.",
        )
    # Nobody's bytes are kept in another's capture: who is erased would live on there.
    bodies = own_bytes(body, parts) if len(parts) > 1 else [body]
    items, given = list[Item](), dict[str, list[Any]]()
    for number, (part, own) in enumerate(zip(parts, bodies, strict=True)):
        key = _key(part, source)
        if key is not None:
            # A key that comes again with something else is another lead; with the same it is a repetition.
            same = given.setdefault(key, [])
            if part not in same:
                same.append(part)
            key = f"{key}#{same.index(part)}" if same.index(part) else key
        meta = {"content_type": "application/json", PART: str(number)} if len(parts) > 1 else {}
        items.append(Item(own, key, meta))
    return items


def _parts(document: Any, source: MappedWebhook) -> list[Any]:
    """Return the leads in a document; without `leads`, and where nothing lies there, the whole is one."""
    found = document if source.leads is None else search(source.leads, document)
    if source.leads is not None and isinstance(found, list) and found:
        return found
    return [document if found is None or isinstance(found, list) else found]


def _key(part: Any, source: MappedWebhook) -> str | None:
    if source.key is None:
        return None
    return "\n".join(texts(search(source.key, part)))[:500] or None


def parse(capture: Capture, source: MappedWebhook) -> tuple[ParseResult, ...]:
    """Turn one posted body, or what the door cut out of one, into its lead; what nobody took apart into its leads.

    Refused: a body that is no form and no JSON, or a lead in it of which none of `fields` was found.
    """
    try:
        document, flags = document_of(capture.meta.get("content_type", ""), capture.body)
    except FormError as error:
        return (
            Refused(
                stage="parse", code=error.code, field=error.field, message=error.message, hint=error.hint
            ),
        )
    parts = [document] if PART in capture.meta else _parts(document, source)
    results = [_lead(part, capture, source, (number, flags)) for number, part in enumerate(parts)]
    refused = [one for one in results if isinstance(one, Refused)]
    return tuple(refused or results) or (_nothing(source, 0),)


def _lead(
    part: Any, capture: Capture, source: MappedWebhook, number_and_flags: tuple[int, tuple[str, ...]]
) -> Lead | Refused:
    number, flags = number_and_flags
    mapped = [
        value for name, expression in source.fields.items() for value in _values(name, expression, part)
    ]
    if not mapped and capture.purpose == "probe":
        # It proves the way, not the mapping: no sender's body comes with it.
        mapped = [FieldValue(name="phone", received="13900000000", origin="probe")]
    if not mapped:
        return _nothing(source, number)
    found = {value.name for value in mapped}
    constant = [
        FieldValue(name=name, received=text, origin="constant")
        for name, text in source.constants.items()
        if name not in found
    ]
    moment = _moment(part, source)
    cut = any(len(one.received) > MAX_FIELD_CHARS for one in mapped)
    ahead = moment.us is not None and moment.us > capture.accepted_us + _CLOCK_SLACK_US
    return lead_of(
        capture,
        tuple(_shortened(one) for one in (*mapped, *_others(part, source), *constant)),
        ordinal=number,
        occurred_us=moment.us,
        hints=tuple(_hints(part, source)),
        language=source.language,
        flags=(*flags, *moment.flags, *(("future_date",) if ahead else ()), *(("cut",) if cut else ())),
    )


def _values(name: FieldName, expression: str, part: Any) -> Iterator[FieldValue]:
    for text in dict.fromkeys(texts(search(expression, part))):
        yield FieldValue(name=name, received=text, origin=f"mapped:{expression[:80]}")


def _others(part: Any, source: MappedWebhook) -> Iterator[FieldValue]:
    for label, expression in source.others.items():
        for text in texts(search(expression, part)):
            yield FieldValue(
                name="other", label=label[:200], received=text, origin=f"mapped:{expression[:80]}"
            )
    if source.keep is None:
        return
    used = _names_in(source)
    kept = [key for key in scalars_of(part) if re.fullmatch(source.keep, key) and key not in used]
    for key in kept[:_KEPT]:
        for text in texts(part[key]):
            yield FieldValue(name="other", label=key[:200], received=text, origin=f"form:{key[:200]}")


def _names_in(source: MappedWebhook) -> frozenset[str]:
    """Return the names that the mapping mentions anywhere: their values need not be kept a second time."""
    expressions = (*source.fields.values(), *source.others.values(), *source.hints.values())
    return _mentioned((*expressions, source.key or "", source.time or ""))


@lru_cache(maxsize=256)
def _mentioned(expressions: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name for one in expressions if one for name in _names(compiled(one).parsed))


def _names(node: Any) -> Iterator[str]:
    if node["type"] == "field":
        yield node["value"]
    for child in node.get("children", ()):
        if isinstance(child, dict):
            yield from _names(child)


def _hints(part: Any, source: MappedWebhook) -> Iterator[CampaignHint]:
    for kind, expression in source.hints.items():
        for text in texts(search(expression, part)):
            yield CampaignHint(kind=kind, value=text.strip()[:500])


def _moment(part: Any, source: MappedWebhook) -> Moment:
    if source.time is None:
        return Moment(None)
    text = next(texts(search(source.time, part)), None)
    return Moment(None) if text is None else moment_of(text, source.time_format, ZoneInfo(source.zone))


def _shortened(value: FieldValue) -> FieldValue:
    if len(value.received) <= MAX_FIELD_CHARS:
        return value
    return value.model_copy(update={"received": value.received[:MAX_FIELD_CHARS]})


def _nothing(source: MappedWebhook, number: int) -> Refused:
    where = f"leads[{number}]" if source.leads else None
    return Refused(
        stage="parse",
        code="nothing_mapped",
        field=where,
        message=f"None of the {len(source.fields)} expressions of this source finds anything in it.",
        hint="Save the raw bytes (leadflow dead show ID --raw) and try the mapping: leadflow source try FILE; then replay.",
    )


def answer_to(source: MappedWebhook, receipts: list[str], trace_id: str) -> bytes:
    """Return the JSON that the sender gets: what it wants to read, else our receipts."""
    if source.answer is not None:
        return orjson.dumps(source.answer)
    told: dict[str, Any] = {"receipt": receipts[0], "trace_id": trace_id}
    if len(receipts) > 1:
        told["receipts"] = receipts
    return orjson.dumps(told)
