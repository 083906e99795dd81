"""What a captured body would become under the settings of a source, without taking it in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from unicodedata import east_asian_width
from zoneinfo import ZoneInfo

from ingest.files import captures_of_file
from ingest.registry import assemble_parts, parse_capture
from leadflow.clock import new_id
from leadflow.terminal import tell
from schemas.capture import Capture
from schemas.lead import Lead
from schemas.results import Ignored, Part, Refused


def tried(source: Mapping[str, Any], body: bytes, now_us: int, content_type: str = "") -> Iterator[str]:
    """Yield the lines that tell it: for each lead key, time, fields, hints and remarks; or what is wrong."""
    captures = captures_of_file(
        source, body, accepted_us=now_us, new_id=new_id, meta={}, content_type=content_type
    )
    sources = {source["source_id"]: dict(source)}
    for capture in captures:
        for number, result in enumerate(_results(capture, sources)):
            if number or capture is not captures[0]:
                yield ""
            yield from _lines(result, capture, source)


def is_well(source: Mapping[str, Any], body: bytes, now_us: int, content_type: str = "") -> bool:
    """Tell whether every lead in a body could be read."""
    captures = captures_of_file(
        source, body, accepted_us=now_us, new_id=new_id, meta={}, content_type=content_type
    )
    sources = {source["source_id"]: dict(source)}
    return not any(isinstance(one, Refused) for capture in captures for one in _results(capture, sources))


def _results(capture: Capture, sources: dict[str, dict[str, Any]]) -> Iterator[Lead | Ignored | Refused]:
    for result in parse_capture(capture, sources):
        yield assemble_parts([result.data], capture, sources) if isinstance(result, Part) else result


def _lines(result: Lead | Ignored | Refused, capture: Capture, source: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(result, Refused):
        yield tell(f"refused  {result.code}", f"无法读取  {result.code}")
        yield _line(tell("why", "原因"), result.message)
        yield _line(tell("fix", "处理办法"), result.hint)
        return
    if isinstance(result, Ignored):
        yield tell(f"no lead  {result.code}", f"不是线索  {result.code}")
        yield _line(tell("why", "原因"), result.message)
        return
    yield tell(f"lead  ({result.kind})", f"线索  （{result.kind}）")
    key = (
        capture.idem_key
        if capture.key_given
        else tell("none: a repeat is only suspected", "无：重复只能推测")
    )
    yield _line(tell("key", "幂等键"), key)
    yield _line(tell("time", "时间"), _time(result.occurred_us, str(source.get("zone") or "Asia/Shanghai")))
    for field in result.fields:
        name = f"{field.name} ({field.label})" if field.label else field.name
        for number, text in enumerate(field.received.splitlines() or [""]):
            yield _line("" if number else name, f"{text}" if number else f"{text}  ← {field.origin}")
    for hint in result.hints:
        yield _line(tell("campaign", "活动"), f"{hint.kind}: {hint.value}")
    if result.flags:
        yield _line(tell("remarks", "备注"), ", ".join(result.flags))


def _line(name: str, text: str) -> str:
    width = sum(2 if east_asian_width(one) in "WF" else 1 for one in name)
    return f"  {name}{' ' * max(1, 16 - width)}{text}"


def _time(at_us: int | None, zone: str) -> str:
    if at_us is None:
        return tell("when it was taken", "接收时间")
    at = datetime.fromtimestamp(at_us // 1_000_000, UTC).astimezone(ZoneInfo(zone))
    return f"{at:%Y-%m-%d %H:%M:%S} {zone}"
