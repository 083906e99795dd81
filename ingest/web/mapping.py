"""Expressions over a posted body: JMESPath (jmespath.org), with what senders' bodies need beside it. Pure.

Beside the functions of the specification there are
- `from_json(x)`: what stands in a text as JSON (a text that is none stays as it is);
- `lines(x)`: an object, or a list of {name, value} objects, as lines of `name：value`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import jmespath
import orjson
from jmespath import functions
from jmespath.exceptions import JMESPathError

from ingest.web.form import FormError, read_form
from schemas.text import storable

_NAMES = ("label", "name", "question", "title", "key")
_VALUES = ("value", "answer", "text")


class _Functions(functions.Functions):
    """The functions of the specification, and ours."""

    @functions.signature({"types": []})
    def _func_from_json(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value

    @functions.signature({"types": []})
    def _func_lines(self, value: Any) -> Any:
        if isinstance(value, dict):
            found = [f"{key}：{text}" for key, one in value.items() for text in texts(one)]
        elif isinstance(value, list):
            found = list(_answers(value))
        else:
            return value
        return "\n".join(found) or None


_OPTIONS = jmespath.Options(custom_functions=_Functions())


def _answers(many: list[Any]) -> Iterator[str]:
    for one in many:
        if not isinstance(one, dict):
            yield from texts(one)
            continue
        name = next((str(one[key]) for key in _NAMES if one.get(key)), "")
        value = next((one[key] for key in _VALUES if key in one), None)
        yield from (f"{name}：{text}" if name else text for text in texts(value))


class BadExpression(ValueError):
    """The text is no JMESPath expression; says where it goes wrong."""


@lru_cache(maxsize=4_096)
def compiled(expression: str) -> Any:
    """Return an expression ready to search. Raises BadExpression, for a function that does not exist as well."""
    try:
        parsed = jmespath.compile(expression)
    except JMESPathError as error:
        raise BadExpression(_one_line(error)) from None
    known = _Functions.FUNCTION_TABLE
    for name, given in _calls(parsed.parsed):
        if name not in known:
            raise BadExpression(f"there is no function {name}(); there are {', '.join(sorted(known))}")
        wanted = known[name]["signature"]
        if len(given) < len(wanted) or (len(given) > len(wanted) and not wanted[-1].get("variadic")):
            raise BadExpression(f"{name}() takes {len(wanted)} arguments, not {len(given)}")
    return parsed


def _calls(node: Any) -> Iterator[tuple[str, list[Any]]]:
    if node["type"] == "function_expression":
        yield node["value"], node["children"]
    for child in node.get("children", ()):
        if isinstance(child, dict):
            yield from _calls(child)


def _one_line(error: JMESPathError) -> str:
    return " ".join(str(error).split())[:300]


def search(expression: str, document: Any) -> Any:
    """Return what an expression finds; None if it finds nothing, or what it finds does not fit its functions."""
    try:
        return compiled(expression).search(document, options=_OPTIONS)
    except (JMESPathError, RecursionError, TypeError, ValueError):
        return None


def texts(value: Any) -> Iterator[str]:
    """Yield what was found as texts: of a list each entry, of an object its JSON, of nothing nothing."""
    if isinstance(value, str):
        if value.strip():
            yield storable(value)
    elif isinstance(value, bool):
        yield str(value).lower()
    elif isinstance(value, int):
        yield str(value)
    elif isinstance(value, float):
        # 13812345678.0 is a number that a spreadsheet or a loose program made of a telephone number.
        yield str(int(value)) if value.is_integer() else repr(value)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)
    elif isinstance(value, dict) and value:
        yield orjson.dumps(value).decode()


def document_of(content_type: str, body: bytes) -> tuple[Any, tuple[str, ...]]:
    """Return a posted body as data, and remarks on how it was read. Raises FormError.

    A form becomes an object of its fields; one that was posted several times is a list.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind.endswith(("/json", "+json")) or (not kind and body.lstrip()[:1] in (b"{", b"[")):
        try:
            return orjson.loads(body), ()
        except orjson.JSONDecodeError as error:
            raise FormError(
                "bad_json",
                f"The body is not valid JSON (line {error.lineno}, column {error.colno}).",
                "Have the sender send JSON in UTF-8, or repair the raw bytes.",
            ) from None
    posted = read_form(content_type, body)
    found: dict[str, Any] = {}
    for key, value in posted.pairs:
        if key not in found:
            found[key] = value
        elif isinstance(found[key], list):
            found[key].append(value)
        else:
            found[key] = [found[key], value]
    return found, posted.flags


class Moment(NamedTuple):
    """A moment (µs, UTC; None if it cannot be read), and remarks on how it was read."""

    us: int | None
    flags: tuple[str, ...] = ()


_DIGITS = re.compile(r"\d{9,10}(?:\.\d+)?|\d{12,13}|\d{15,16}")
_PATTERNS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y%m%d%H%M%S", "%Y年%m月%d日 %H:%M:%S", "%Y年%m月%d日 %H:%M", "%Y-%m-%d")  # fmt: skip


def moment_of(text: str, pattern: str | None, zone: ZoneInfo) -> Moment:
    """Read a time: seconds, milliseconds or microseconds since the epoch, ISO 8601, or as people write it.

    `pattern` (strptime's) leaves no other reading. A time without an offset is one of the zone.
    """
    text = text.strip()
    if pattern is None and _DIGITS.fullmatch(text):
        whole = text.partition(".")[0]
        scale = 1_000_000 if len(whole) <= 10 else 1_000 if len(whole) <= 13 else 1
        return Moment(int(float(text) * scale) if "." in text else int(text) * scale)
    local = _parsed(text, pattern)
    if local is None:
        return Moment(None, ("time_unreadable",))
    if local.tzinfo is not None:
        return Moment(_us(local))
    first, second = (_us(local.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    if first == second:
        return Moment(first)
    return Moment(first, ("time_ambiguous",) if first < second else ("time_nonexistent",))


def _parsed(text: str, pattern: str | None) -> datetime | None:
    if pattern is None:
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    for one in _PATTERNS if pattern is None else (pattern,):
        try:
            return datetime.strptime(text, one)
        except ValueError:
            continue
    return None


def _us(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def scalars_of(document: Any) -> Mapping[str, Any]:
    """Return the top-level values of an object that are no objects or lists of objects."""
    if not isinstance(document, dict):
        return {}
    return {
        str(key): value
        for key, value in document.items()
        if not isinstance(value, dict)
        and not (isinstance(value, list) and any(isinstance(one, (dict, list)) for one in value))
    }
