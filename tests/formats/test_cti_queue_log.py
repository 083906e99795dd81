"""Lines of a queue become calls: who gave up is to be called back; with call records it is one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.cti.queue_log import QueueLog, parse
from ingest.registry import assemble_parts, parse_capture
from schemas.capture import Capture, capture_of
from schemas.lead import Lead
from schemas.results import Ignored, ParseResult, Part, Refused

LINES = Path("examples/cti/queue_log").read_bytes().splitlines(keepends=True)
SOURCES: dict[str, dict[str, Any]] = {
    "queue": {"source_id": "queue", "channel": "cti", "format": "cti.queue_log", "name": "销售热线", "cdr_source": "pbx"},
    "pbx": {"source_id": "pbx", "channel": "cti", "format": "cti.asterisk", "name": "总机", "own_numbers": ["02155550101"]},
}  # fmt: skip


def capture(body: bytes, source: str = "queue") -> Capture:
    return capture_of(
        source_id=source,
        channel="cti",
        format=SOURCES[source]["format"],
        body=body,
        accepted_us=1_772_500_000_000_000,
        trace_id="0" * 32,
        idem_key=body.hex(),
    )


def calls_of(*captures: Capture) -> dict[str, Lead | Ignored]:
    opened: dict[str, Capture] = {}
    groups: dict[str, list[dict[str, str]]] = {}
    for one in captures:
        for part in parse_capture(one, SOURCES):
            if isinstance(part, Part):
                opened.setdefault(part.group, one)
                groups.setdefault(part.group, []).append(part.data)
    return {group: assemble_parts(rows, opened[group], SOURCES) for group, rows in groups.items()}


def test_who_gave_up_is_a_lead_and_was_not_answered() -> None:
    lead = calls_of(*map(capture, LINES))["pbx/1772413255.101"]
    assert isinstance(lead, Lead)
    assert lead.call is not None
    assert (lead.call.answered, lead.call.wait_s, lead.call.agent) == (False, 45, "801")
    assert (lead.call.caller, lead.call.dialled) == ("19000000011", "02155550101")
    assert lead.occurred_us == 1_772_413_260_000_000
    assert [(one.kind, one.value) for one in lead.hints] == [("dialled", "02155550101")]
    assert "abandoned" in lead.flags


def test_who_was_put_through_was_answered_by_the_one_who_took_it() -> None:
    lead = calls_of(*map(capture, LINES))["pbx/1772413318.104"]
    assert isinstance(lead, Lead)
    assert lead.call is not None
    assert (lead.call.answered, lead.call.talk_s, lead.call.wait_s, lead.call.agent) == (True, 120, 8, "802")


def test_an_extension_of_ours_is_no_lead() -> None:
    found = calls_of(*map(capture, LINES))["pbx/1772413458.107"]
    assert isinstance(found, Ignored)
    assert found.code == "internal_call"


@pytest.mark.parametrize("queue_first", [True, False])
def test_with_its_call_record_it_is_one_call(queue_first: bool) -> None:
    row = (
        b'"","19000000011","02155550101","from-trunk","""19000000011"" <19000000011>","PJSIP/trunk-00000001","","Queue","sales,t",'
        b'"2026-03-02 09:00:55","2026-03-02 09:00:55","2026-03-02 09:01:45",50,50,"ANSWERED","DOCUMENTATION","1772413255.101",""\n'
    )
    queue = [capture(line) for line in LINES if b"1772413255.101" in line]
    both = [*queue, capture(row, "pbx")] if queue_first else [capture(row, "pbx"), *queue]
    ((group, lead),) = calls_of(*both).items()
    assert group == "pbx/1772413255.101"
    assert isinstance(lead, Lead)
    assert lead.call is not None
    assert (lead.call.answered, lead.call.wait_s, lead.call.caller) == (False, 45, "19000000011")
    assert lead.call.dialled == "02155550101"


def test_a_call_that_still_waits_is_not_judged_soon_and_one_that_ended_is() -> None:
    waits = {
        part.data["queue_event"]: part.settle_s
        for line in LINES
        for part in parse(capture(line), QueueLog.model_validate(SOURCES["queue"]))
        if isinstance(part, Part)
    }
    assert waits["ABANDON"] == waits["COMPLETECALLER"] == 5.0
    assert min(waits["ENTERQUEUE"], waits["CONNECT"]) > 3_600


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"1772413305|1.1|sales|NONE|ABANDON|1|1", "truncated_row"),
        (b"1772413305|1.1|sales|NONE|ABANDON|1|1\n", "truncated_row"),
        (b"soon|1.1|sales|NONE|ABANDON|1|1|4\n", "bad_date"),
        (b"1772413305|1.1|sa\0les|NONE|ABANDON|1|1|4\n", "nul_byte"),
    ],
)
def test_what_is_damaged_is_refused(line: bytes, code: str) -> None:
    (found,) = parse(capture(line), QueueLog.model_validate(SOURCES["queue"]))
    assert isinstance(found, Refused)
    assert found.code == code


@given(
    st.lists(
        st.sampled_from(
            [b"1772413305", b"1.1", b"sales", b"NONE", b"ABANDON", b"ENTERQUEUE", b"", b"\xff", b"-1", b"139"]
        ),
        max_size=9,
    )
)
def test_any_line_is_read_or_refused(cells: list[bytes]) -> None:
    one = capture(b"|".join(cells) + b"\n")
    results: tuple[ParseResult, ...] = parse_capture(one, SOURCES)
    for part in results:
        if isinstance(part, Part):
            assert isinstance(assemble_parts([part.data], one, SOURCES), Lead | Ignored)
