"""What was received as fields to correct, and the corrected fields as bytes again. Pure.

Forms and flat JSON objects have fields; anything else that is text is corrected as text; what is no text is not corrected here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, urlencode

import orjson

from schemas.capture import Capture

MOST_FIELDS = 60
"""What has more is corrected as text."""
MOST_CHARS = 100_000
"""What is longer is no work for a page."""
FORM = "application/x-www-form-urlencoded"
_ENCODINGS = ("utf-8", "gb18030")


@dataclass(frozen=True, slots=True)
class Editable:
    """A body as it can be corrected: by fields (name and value), as text, or (none) not on a page."""

    kind: Literal["form", "json", "text", "none"]
    pairs: Sequence[tuple[str, str]] = ()
    text: str = ""
    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True)
class Corrected:
    """The corrected bytes, and what they are, where that has to be said anew."""

    body: bytes
    content_type: str = ""


def editable(capture: Capture) -> Editable:
    """Return how a capture can be corrected."""
    if len(capture.body) > MOST_CHARS:
        return Editable("none")
    encoding, text = _text(capture.body)
    if text is None or "\0" in text:
        return Editable("none")
    pairs = _json_pairs(text)
    if pairs is not None:
        return Editable("json", pairs, text, encoding)
    if FORM in capture.meta.get("content_type", ""):
        pairs = _form_pairs(text)
        if pairs:
            return Editable("form", pairs, text, encoding)
    return Editable("text", (), text, encoding)


def corrected(capture: Capture, entered: Mapping[str, str]) -> Corrected:
    """Return what was entered (`name:0`, `value:0` …, else `text`) as bytes like those that were received."""
    before = editable(capture)
    if before.kind in ("form", "json"):
        pairs = [
            (name, entered.get(f"value:{at}", ""))
            for at in range(MOST_FIELDS + 2)
            if (name := entered.get(f"name:{at}", "").strip())
        ]
        if before.kind == "form":
            return Corrected(urlencode(pairs).encode(), f"{FORM}; charset=utf-8")
        old = dict(orjson.loads(before.text))
        values = {name: _value(old.get(name), text) for name, text in pairs}
        return Corrected(orjson.dumps(values), "application/json")
    text = entered.get("text", "")
    # A browser sends every line end as CR LF, whatever it was shown.
    if "\r\n" not in before.text:
        text = text.replace("\r\n", "\n")
    return Corrected(text.encode(before.encoding, "replace"))


def _text(body: bytes) -> tuple[str, str | None]:
    for encoding in _ENCODINGS:
        try:
            return encoding, body.decode(encoding)
        except UnicodeDecodeError:
            continue
    return "utf-8", None


def _json_pairs(text: str) -> list[tuple[str, str]] | None:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(found, dict) or not 0 < len(found) <= MOST_FIELDS:
        return None
    if not all(value is None or isinstance(value, str | int | float) for value in found.values()):
        return None
    return [(name, _shown(value)) for name, value in found.items()]


def _form_pairs(text: str) -> list[tuple[str, str]] | None:
    for encoding in _ENCODINGS:
        try:
            found = parse_qsl(text, keep_blank_values=True, encoding=encoding, errors="strict")
        except ValueError:
            continue
        return found if 0 < len(found) <= MOST_FIELDS else None
    return None


def _shown(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else orjson.dumps(value).decode()


def _value(old: object, text: str) -> object:
    """Return a text as the type it had, if nobody changed it: a number stays a number."""
    return old if old is not None and _shown(old) == text else (None if old is None and not text else text)
