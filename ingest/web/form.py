"""A posted web form: `application/x-www-form-urlencoded`, `multipart/form-data` or JSON.

Source of the encodings: WHATWG URL and HTML standards (form submission), RFC 7578 (multipart/form-data).
Charset: the one declared, else UTF-8, else GB18030.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from email.message import Message
from functools import lru_cache
from typing import Any, Literal

import orjson
from pydantic import Field, field_validator
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_form

from ingest.web.hosted import USUAL, AskedField
from schemas.base import Frozen, Language
from schemas.capture import Capture
from schemas.lead import CampaignHint, Consent, FieldName, FieldValue, lead_of
from schemas.results import Ignored, ParseResult, Refused
from schemas.sources import SourceSettings
from schemas.text import storable

MAX_FIELDS = 200
"""More than any form has; a body of a million empty fields is an attack."""
MAX_FIELD_CHARS = 20_000
"""What is longer is cut in the lead, flagged `cut`, and whole in the capture."""


class WebForm(SourceSettings):
    """A web form of ours or of the company's site."""

    fields: dict[str, FieldName] = Field(
        default_factory=dict, description="The site's own field names → lead fields, beside the known ones"
    )
    honeypot: str = Field("website_hp", description="Field no person sees; filled in, it speaks for a robot")
    hosts: tuple[str, ...] = Field((), description="Hosts that may be redirected to after the post")
    thanks: str | None = Field(None, description="Page to go to after the post; default: a page of ours")
    consent_version: str | None = Field(None, description="Version of the consent text shown with the form")
    consent_text: str | None = None
    consent_purposes: tuple[str, ...] = ("contact",)
    form: tuple[AskedField, ...] = Field(USUAL, description="What the hosted form asks, in this order")
    title_zh: str | None = Field(None, max_length=200, description="Heading of the hosted form")
    title_en: str | None = Field(None, max_length=200, description="Heading of the hosted form")
    intro_zh: str | None = Field(None, max_length=2_000, description="What stands above the fields")
    intro_en: str | None = Field(None, max_length=2_000, description="What stands above the fields")
    thanks_zh: str | None = Field(None, max_length=2_000, description="What stands on the page after it")
    thanks_en: str | None = Field(None, max_length=2_000, description="What stands on the page after it")

    @field_validator("form")
    @classmethod
    def _can_be_answered(cls, form: tuple[AskedField, ...]) -> tuple[AskedField, ...]:
        names = [one.field for one in form]
        if len(set(names)) < len(names):
            raise ValueError("a field stands in the form twice")
        if not {"phone", "email"} & set(names):
            raise ValueError("the form asks for neither phone nor email: nobody could be answered")
        return form

    def text(self, name: Literal["title", "intro", "thanks"], language: Language) -> str | None:
        """Return a text of the company's own, if there is one."""
        found: str | None = getattr(self, f"{name}_{language}")
        return found


class FormError(ValueError):
    """The body cannot be read as a form."""

    def __init__(self, code: str, message: str, hint: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.hint, self.field = code, message, hint, field


class Posted(Frozen):
    """A form as posted: names and values in order, and remarks on how it was read."""

    pairs: tuple[tuple[str, str], ...]
    flags: tuple[str, ...] = ()

    def get(self, name: str) -> str:
        """Return the first value of a field, or an empty text."""
        return next((value for key, value in self.pairs if key == name), "")


SYNONYMS: dict[FieldName, str] = {
    "full_name": "name full_name fullname your_name your-name contact contact_name 姓名 联系人 称呼 名字",
    "given_name": "first_name firstname given_name 名",
    "family_name": "last_name lastname surname family_name 姓",
    "company": "company company_name organization organisation org 公司 单位 公司名称 单位名称 企业名称",
    "job_title": "title job_title position 职务 职位",
    "phone": "phone tel telephone mobile cell phone_number your-phone "
    "手机 电话 手机号 联系电话 手机号码 电话号码",
    "email": "email e-mail mail your-email email_address 邮箱 电子邮箱 邮件 电子邮件",
    "address": "address street 地址 详细地址",
    "city": "city 城市 市",
    "region": "region state province 省 省份 地区 所在地",
    "postcode": "zip postcode postal_code 邮编",
    "country": "country 国家",
    "website": "url website web homepage 网址 网站",
    "tax_id": "tax_id taxid vat uscc 税号 统一社会信用代码",
    "product": "product interest model 产品 意向 意向产品 型号",
    "industry": "industry 行业",
    "message": "message comments comment content description enquiry inquiry note your-message "
    "留言 内容 需求 备注 咨询内容",
    "heard_of_us": "heard_of_us how_did_you_hear 从何得知 了解渠道",
}
FIELD_OF = {name: field for field, names in SYNONYMS.items() for name in names.split()}
"""Names by which fields are usually called, in small letters."""
_UTM = ("utm_campaign", "utm_source", "utm_medium", "utm_term", "utm_content")
_CLICK = ("gclid", "gbraid", "wbraid", "fbclid", "msclkid", "bd_vid", "gdt_vid", "qz_gdt", "clickid")
_OURS = frozenset({"_token", "retURL", "next", "lang", "consent", "encoding"})


def parse(capture: Capture, source: WebForm) -> tuple[ParseResult, ...]:
    """Turn one posted form into a lead.

    Ignored: a robot's form (honeypot filled), and one the visitor was asked to correct. Refused: a body that
    is no form, or one with nothing in it by which anybody could be reached or known.
    """
    try:
        posted = read_form(capture.meta.get("content_type", ""), capture.body)
    except FormError as error:
        return (
            Refused(
                stage="parse", code=error.code, field=error.field, message=error.message, hint=error.hint
            ),
        )
    if missing := capture.meta.get("incomplete"):
        message = "The visitor was asked to correct the form; this is what they had typed."
        return (
            Ignored(stage="parse", code="incomplete_form", kind="enquiry", field=missing, message=message),
        )
    if posted.get(source.honeypot).strip():
        message = "A field that no person sees was filled in."
        return (Ignored(stage="parse", code="robot", field=source.honeypot, message=message),)
    fields, flags = _fields(posted, source)
    if not fields:
        return (
            Refused(
                stage="parse",
                code="no_known_field",
                message=f"None of the {len(posted.pairs)} fields posted has a name this source knows.",
                hint="Map the site's field names under `fields` of this source, then replay.",
            ),
        )
    return (
        lead_of(
            capture,
            fields,
            hints=_hints(posted),
            consent=_consent(posted, source),
            language=_language(posted, source),
            flags=posted.flags + flags,
        ),
    )


def read_form(content_type: str, body: bytes) -> Posted:
    """Read a posted body. Raises FormError for what is no form at all."""
    kind, charset = _kind_and_charset(content_type or "application/x-www-form-urlencoded")
    if kind in ("application/json", "text/json") or kind.endswith("+json"):
        return _from_json(body)
    if kind == "multipart/form-data":
        return _from_multipart(content_type, body, charset)
    if kind in ("application/x-www-form-urlencoded", "text/plain"):
        return _from_urlencoded(body, charset)
    raise FormError(
        "unsupported_type",
        f"Content-Type {kind} is not supported.",
        "Post application/x-www-form-urlencoded, multipart/form-data or application/json.",
        "header:Content-Type",
    )


@lru_cache(maxsize=64)
def _kind_and_charset(content_type: str) -> tuple[str, str | None]:
    header = Message()
    header["content-type"] = content_type
    return header.get_content_type(), header.get_content_charset()


def _from_urlencoded(body: bytes, charset: str | None) -> Posted:
    # Bytes throughout, so that the charset is judged on the bytes that were meant.
    posted = [one.replace(b"+", b" ").partition(b"=") for one in body.split(b"&") if one]
    return _decoded([(unquoted(key), unquoted(value)) for key, _, value in posted[: MAX_FIELDS + 1]], charset)


_QUOTED = re.compile(rb"(?:%[0-9A-Fa-f]{2})+")


def unquoted(quoted: bytes) -> bytes:
    """Undo percent-encoding, as `urllib.parse.unquote_to_bytes` does and a run at a time: Chinese is nothing else."""
    return _QUOTED.sub(lambda run: bytes.fromhex(run[0].replace(b"%", b"").decode()), quoted)


def _from_multipart(content_type: str, body: bytes, charset: str | None) -> Posted:
    pairs: list[tuple[bytes, bytes]] = []
    headers = {
        "Content-Type": content_type.encode("latin-1", "replace"),
        "Content-Length": str(len(body)).encode(),
    }
    try:
        parse_form(
            headers,
            io.BytesIO(body),
            lambda field: pairs.append((field.field_name or b"", field.value or b"")),
            lambda file: pairs.append((file.field_name or b"", file.file_name or b"")),
        )
    except (FormParserError, ValueError, UnicodeError) as error:
        raise FormError(
            "bad_multipart",
            f"The multipart body cannot be read ({type(error).__name__}).",
            "Check the boundary in Content-Type against the one in the body.",
        ) from error
    return _decoded(pairs, charset)


def _from_json(body: bytes) -> Posted:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise FormError(
            "bad_json",
            f"The body is not valid JSON (line {error.lineno}, column {error.colno}).",
            'Send an object of field names and values in UTF-8, such as {"name": "…", "phone": "…"}.',
        ) from None
    if not isinstance(data, dict):
        raise FormError("bad_json", "The JSON body is no object.", 'Send {"field": "value", …}.')
    pairs = list(_flat(data))
    if len(pairs) > MAX_FIELDS:
        raise _too_many(len(pairs))
    return Posted(pairs=tuple((storable(key), storable(value)) for key, value in pairs))


def _flat(data: dict[str, Any], prefix: str = "", depth: int = 0) -> Iterable[tuple[str, str]]:
    for key, value in data.items():
        if isinstance(value, dict) and depth < 4:
            yield from _flat(value, f"{prefix}{key}.", depth + 1)
        elif isinstance(value, list):
            yield from ((f"{prefix}{key}", _text(one)) for one in value)
        elif value is not None:
            yield f"{prefix}{key}", _text(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _decoded(pairs: list[tuple[bytes, bytes]], charset: str | None) -> Posted:
    if len(pairs) > MAX_FIELDS:
        raise _too_many(len(pairs))
    whole = b"\n".join(part for pair in pairs for part in pair)
    name, flags = _charset(whole, charset)
    return Posted(
        pairs=tuple(
            (storable(key.decode(name, "replace")), storable(value.decode(name, "replace")))
            for key, value in pairs
        ),
        flags=flags,
    )


def _charset(whole: bytes, declared: str | None) -> tuple[str, tuple[str, ...]]:
    for name, flags in ((declared, ()), ("utf-8", ()), ("gb18030", ("charset_guessed",))):
        if name is None:
            continue
        try:
            whole.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
        return name, flags
    return "utf-8", ("charset_damaged",)


def _too_many(count: int) -> FormError:
    return FormError(
        "too_many_fields",
        f"{count} or more fields were posted; at most {MAX_FIELDS} are read.",
        "Post fewer fields.",
    )


def _fields(posted: Posted, source: WebForm) -> tuple[tuple[FieldValue, ...], tuple[str, ...]]:
    fields, flags = [], set()
    for key, value in posted.pairs:
        if key in _OURS or key in _UTM or key in _CLICK or key == source.honeypot or not value.strip():
            continue
        if len(value) > MAX_FIELD_CHARS:
            flags.add("cut")
        name = field_of(key, source)
        label = key[:200] if name == "other" else None
        fields.append(
            FieldValue(name=name, received=value[:MAX_FIELD_CHARS], origin=f"form:{key[:200]}", label=label)
        )
    known = any(field.name != "other" for field in fields)
    return (tuple(fields) if known else ()), tuple(sorted(flags))


def field_of(key: str, source: WebForm) -> FieldName:
    """Return the lead field that a form's field name stands for; `other` if none."""
    plain = key.strip().removesuffix("[]")
    return source.fields.get(plain) or FIELD_OF.get(plain.lower()) or "other"


def _hints(posted: Posted) -> tuple[CampaignHint, ...]:
    hints = []
    for key, value in posted.pairs:
        hint = value.strip()[:500]
        if not hint:
            continue
        if key == "utm_campaign":
            hints.append(CampaignHint(kind="utm", value=hint))
        elif key in _CLICK:
            hints.append(CampaignHint(kind="click", value=f"{key}={hint}"))
        elif key == "heard_of_us":
            hints.append(CampaignHint(kind="heard", value=hint))
    return tuple(hints)


def _consent(posted: Posted, source: WebForm) -> Consent | None:
    if source.consent_version is None or not posted.get("consent").strip():
        return None
    return Consent(
        text_version=source.consent_version, purposes=source.consent_purposes, text=source.consent_text
    )


def _language(posted: Posted, source: WebForm) -> Any:
    asked = posted.get("lang")[:2].lower()
    return asked if asked in ("zh", "en") else source.language
