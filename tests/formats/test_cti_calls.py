"""Whole calls out of their rows: the examples, the traps of queues and transfers, any order of the rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.cti.asterisk import AsteriskCdr, parse
from ingest.cti.calls import assemble
from schemas.capture import Capture, capture_of
from schemas.lead import Call, Lead
from schemas.results import Ignored, Part

EXAMPLES = Path(__file__).parents[2] / "examples" / "cti"
OWN = ("02155550100", "02155550101", "+12125550100")
START = datetime(2026, 3, 2, 9)


def source(**settings: Any) -> AsteriskCdr:
    return AsteriskCdr(**{"source_id": "pbx", "name": "Switchboard", "own_numbers": OWN, **settings})


def capture(body: bytes) -> Capture:
    accepted = int(datetime(2026, 3, 3, tzinfo=UTC).timestamp()) * 1_000_000
    return capture_of(
        source_id="pbx",
        channel="cti",
        format="cti.asterisk",
        body=body,
        accepted_us=accepted,
        trace_id="0" * 32,
        idem_key=body.hex(),
    )


def calls_of(file: str, settings: AsteriskCdr) -> list[Lead | Ignored]:
    """Read a file the way the host does: parts by group, the group's first capture, then `assemble`."""
    opened: dict[str, Capture] = {}
    groups: dict[str, list[dict[str, str]]] = {}
    for line in (EXAMPLES / file).read_bytes().splitlines(keepends=True):
        (part,) = parse(capture(line), settings)
        assert isinstance(part, Part)
        opened.setdefault(part.group, capture(line))
        groups.setdefault(part.group, []).append(part.data)
    return [assemble(rows, settings, opened[group]) for group, rows in groups.items()]


def leg(at_s: int = 0, rang_s: int = 0, talk_s: int | None = None, **cells: str) -> dict[str, str]:
    """Make one row: it starts at `at_s`, is answered after `rang_s`, and ends after `talk_s` more."""
    start = START + timedelta(seconds=at_s)
    answer = start + timedelta(seconds=rang_s)
    end = answer + timedelta(seconds=talk_s or 0)
    row = {
        "src": "19000000011",
        "dst": "02155550100",
        "channel": "PJSIP/ct-trunk-0000000a",
        "dstchannel": "PJSIP/801-0000000b",
        "lastapp": "Dial",
        "disposition": "NO ANSWER" if talk_s is None else "ANSWERED",
        "uniqueid": "1772413200.1",
        "linkedid": "1772413200.1",
        "start": str(start),
        "answer": "" if talk_s is None else str(answer),
        "end": str(end),
        "duration": str(rang_s + (talk_s or 0)),
        "billsec": str(talk_s or 0),
        **cells,
    }
    columns = [name for name in _COLUMNS if row.get(name) or name not in ("linkedid", "sequence")]
    body = ",".join('"' + row.get(name, "").replace('"', '""') + '"' for name in columns) + "\n"
    (part,) = parse(capture(body.encode()), source(columns=tuple(columns)))
    assert isinstance(part, Part), part
    return part.data


_COLUMNS = (
    "clid src dst channel dstchannel lastapp lastdata start answer end duration billsec disposition uniqueid "
    "userfield linkedid sequence did"
).split()
TRUNK = "PJSIP/ct-trunk-0000000a"


def lead(*rows: dict[str, str], **settings: Any) -> Lead:
    result = assemble(rows, source(**settings), capture(b"first"))
    assert isinstance(result, Lead), result
    return result


def call(*rows: dict[str, str], **settings: Any) -> Call:
    found = lead(*rows, **settings).call
    assert found is not None
    return found


def ignored(*rows: dict[str, str], **settings: Any) -> Ignored:
    result = assemble(rows, source(**settings), capture(b"first"))
    assert isinstance(result, Ignored), result
    return result


# --- the example files --------------------------------------------------------------------------------


def test_the_seven_calls_of_the_cdr_csv_example() -> None:
    answered, abandoned, withheld, outbound, internal, transferred, voicemail = calls_of(
        "cdr-csv-Master.csv", source()
    )
    assert isinstance(answered, Lead)
    assert answered.kind == "enquiry"
    assert answered.occurred_us == int(datetime(2026, 3, 2, 1, 1, 2, tzinfo=UTC).timestamp()) * 1_000_000
    assert answered.call == Call(
        call_id="1772413262.16",
        direction="inbound",
        answered=True,
        caller="19000000011",
        dialled="02155550101",
        agent="801",
        talk_s=182,
        wait_s=8,
    )
    assert [(hint.kind, hint.value) for hint in answered.hints] == [("dialled", "02155550101")]
    assert [(field.name, field.received, field.origin) for field in answered.fields] == [
        ("phone", "19000000011", "cdr:src")
    ]

    assert isinstance(abandoned, Lead)
    assert abandoned.call == Call(
        call_id="1772413500.18",
        direction="inbound",
        answered=False,
        caller="19000000012",
        dialled=None,
        agent="802",
        talk_s=0,
        wait_s=62,
    )
    assert {field.label: field.received for field in abandoned.all("other")} == {
        "queue": "sales",
        "userfield": "ivr=1",
    }

    assert isinstance(withheld, Lead)
    assert withheld.kind == "enquiry"
    assert withheld.fields == ()
    assert withheld.call is not None
    assert (withheld.call.caller, withheld.call.answered, withheld.call.dialled) == (None, False, OWN[0])

    assert isinstance(outbound, Lead)
    assert outbound.kind == "existing_customer"
    assert outbound.hints == ()
    assert outbound.call == Call(
        call_id="1772413920.23",
        direction="outbound",
        answered=True,
        caller="19000000012",
        dialled="19000000012",
        agent="802",
        talk_s=60,
        wait_s=9,
    )
    assert [(field.received, field.origin) for field in outbound.fields] == [("19000000012", "cdr:dst")]

    assert isinstance(internal, Ignored)
    assert internal.code == "internal_call"

    assert isinstance(transferred, Lead)
    assert transferred.call is not None
    assert (transferred.call.agent, transferred.call.talk_s, transferred.call.wait_s) == ("804", 150, 5)
    name = transferred.first("other")
    assert name is not None
    assert (name.label, name.received) == ("caller_id_name", "武汉江城物流")

    assert isinstance(voicemail, Lead)
    assert voicemail.call is not None
    assert not voicemail.call.answered
    assert "voicemail" in voicemail.flags


def test_the_cdr_custom_example_of_another_country() -> None:
    answered, missed, outbound = calls_of(
        "cdr-custom-Master.csv", source(zone="America/New_York", country="US", language="en")
    )
    assert isinstance(answered, Lead)
    assert answered.language == "en"
    assert answered.occurred_us == int(datetime(2026, 3, 2, 15, tzinfo=UTC).timestamp()) * 1_000_000
    assert isinstance(missed, Lead)
    assert missed.call is not None
    assert (missed.call.answered, missed.call.caller, missed.call.wait_s) == (False, None, 20)
    assert isinstance(outbound, Lead)
    assert outbound.call is not None
    assert (outbound.call.direction, outbound.call.answered, outbound.call.wait_s) == ("outbound", False, 30)


def test_a_queue_with_members_behind_local_channels_is_one_call() -> None:
    (found,) = calls_of("cdr-csv-newcdrcolumns-Master.csv", source())
    assert isinstance(found, Lead)
    assert found.call == Call(
        call_id="1772416800.60",
        direction="inbound",
        answered=True,
        caller="19000000014",
        dialled=None,
        agent="802",
        talk_s=120,
        wait_s=30,
    )
    assert "talk_includes_wait" not in found.flags


# --- did anybody speak --------------------------------------------------------------------------------


def queue(at_s: int, talk_s: int | None, **cells: str) -> dict[str, str]:
    return leg(at_s, 0, talk_s, **{"lastapp": "Queue", "dst": "600", "dstchannel": "", **cells})


def test_a_queue_behind_an_ivr_is_answered_only_if_a_second_channel_was() -> None:
    assert not call(queue(0, 40)).answered
    assert call(queue(0, 40, dstchannel="PJSIP/801-0000000b")).answered


def test_a_failed_ring_attempt_has_seconds_to_bill_and_is_no_conversation() -> None:
    ring = queue(0, 15, dstchannel="PJSIP/801-0000000b", disposition="NO ANSWER")
    assert ring["billsec"] == "15"
    assert not call(ring, queue(15, 5)).answered


@pytest.mark.parametrize("disposition", ["NO ANSWER", "BUSY", "FAILED", "CONGESTION"])
def test_ring_attempts_before_the_one_that_succeeds_are_no_missed_call(disposition: str) -> None:
    found = call(
        leg(0, 20, None, disposition=disposition, sequence="1"),
        leg(0, 20, 60, dstchannel="PJSIP/802-0000000c", sequence="2"),
    )
    assert (found.answered, found.agent, found.talk_s, found.wait_s) == (True, "802", 60, 20)


def test_waiting_that_hides_in_the_talk_is_flagged() -> None:
    behind_ivr = queue(0, 100, dstchannel="PJSIP/801-0000000b")
    assert "talk_includes_wait" in lead(behind_ivr).flags
    assert "talk_includes_wait" not in lead(leg(0, 8, 100)).flags


def test_a_local_channel_that_ends_in_voicemail_is_nobody() -> None:
    found = lead(
        queue(0, 60, dstchannel="Local/801@from-queue-00000007;1"),
        leg(
            5,
            0,
            50,
            channel="Local/801@from-queue-00000007;2",
            dst="vmu801",
            dstchannel="",
            lastapp="VoiceMail",
            uniqueid="1772413205.3",
        ),
    )
    assert found.call is not None
    assert not found.call.answered


def test_local_channels_are_followed_to_the_person_at_the_end() -> None:
    found = call(
        queue(0, 60, dstchannel="Local/600@hunt-00000001;1"),
        leg(2, 0, 58, channel="Local/600@hunt-00000001;2", dstchannel="Local/803@ext-00000002;1", dst="803"),
        leg(2, 8, 50, channel="Local/803@ext-00000002;2", dstchannel="PJSIP/803-0000000d", dst="803"),
    )
    assert (found.answered, found.agent, found.wait_s, found.talk_s) == (True, "803", 10, 50)


def test_a_conference_counts_a_second_once() -> None:
    found = call(
        leg(0, 10, 110, sequence="1"),
        leg(50, 0, 70, dstchannel="PJSIP/803-0000000c", sequence="3"),
    )
    assert found.talk_s == 110


def test_an_attended_transfer_counts_the_customers_conversations_only() -> None:
    found = call(
        leg(0, 10, 50, sequence="1"),
        leg(
            30,
            5,
            25,
            src="801",
            dst="804",
            channel="PJSIP/801-0000000b",
            dstchannel="PJSIP/804-0000000c",
            uniqueid="1772413230.3",
            sequence="2",
        ),
        leg(60, 0, 35, dst="804", dstchannel="PJSIP/804-0000000c", sequence="3"),
    )
    assert (found.caller, found.agent, found.talk_s, found.wait_s) == ("19000000011", "804", 85, 10)


def test_a_transfer_to_a_colleagues_mobile_stays_an_inbound_call() -> None:
    found = call(
        leg(0, 5, 30, sequence="1"),
        leg(35, 5, 60, dst="919000000099", dstchannel="PJSIP/ct-trunk-0000000f", sequence="2"),
    )
    assert (found.direction, found.caller, found.dialled) == ("inbound", "19000000011", OWN[0])
    assert found.talk_s == 90


# --- who is the customer ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "src", ["anonymous", "Restricted", "unavailable", "unknown", "s", "", "0", "0000", OWN[0]]
)
def test_a_caller_without_a_number_is_still_a_lead(src: str) -> None:
    found = lead(leg(0, 20, src=src, clid=f'"" <{src}>'))
    assert found.kind == "enquiry"
    assert found.call is not None
    assert found.call.caller is None
    assert found.first("phone") is None


def test_the_caller_id_stands_in_when_src_is_empty() -> None:
    found = lead(leg(0, 20, src="", clid='"" <19000000011>'))
    phone = found.first("phone")
    assert phone is not None
    assert (phone.received, phone.origin) == ("19000000011", "cdr:clid")


def test_an_outbound_call_that_shows_our_own_number_is_outbound() -> None:
    found = call(leg(0, 5, 30, src=OWN[0], dst="19000000012", channel="PJSIP/801-1", dstchannel=TRUNK))
    assert (found.direction, found.caller, found.agent) == ("outbound", "19000000012", "801")


def test_the_telephone_tells_outbound_even_when_the_shown_number_is_unknown() -> None:
    row = leg(0, 5, 30, src="02155550999", dst="19000000012", channel="PJSIP/801-1", dstchannel=TRUNK)
    assert call(row).direction == "outbound"


def test_a_configured_trunk_is_never_a_telephone() -> None:
    row = leg(0, 20, src="8001", dst="02155550100", channel="SIP/8010-0000000a")
    assert ignored(row, internal=r"\d{4}").code == "internal_call"
    assert call(row, internal=r"\d{4}", trunks=("8010",)).direction == "inbound"


def test_redialling_over_another_trunk_is_one_outbound_call() -> None:
    cells = {"src": "801", "dst": "919000000012", "channel": "PJSIP/801-00000001"}
    found = call(
        leg(0, 1, None, **cells, dstchannel="PJSIP/a-00000002", disposition="CONGESTION", sequence="1"),
        leg(1, 6, 30, **cells, dstchannel="PJSIP/b-00000003", sequence="2"),
    )
    assert (found.answered, found.caller, found.wait_s, found.talk_s) == (True, "19000000012", 7, 30)


def test_a_row_of_a_local_channel_alone_is_not_a_second_call_of_the_customer() -> None:
    row = leg(
        0, 5, 30, channel="Local/801@from-queue-00000001;2", dst="801", linkedid="", uniqueid="1772413205.3"
    )
    assert ignored(row).code == "internal_call"


def test_a_forwarding_leg_does_not_turn_an_inbound_call_around() -> None:
    forwarded = leg(0, 5, 30, src="", dst="919000000099", channel="Local/801@fm-00000001;2", sequence="1")
    found = call(leg(0, 5, 30, dstchannel="Local/801@fm-00000001;1", sequence="2"), forwarded)
    assert (found.direction, found.caller) == ("inbound", "19000000011")


def test_a_telephone_that_was_rung_by_the_switchboard_called_nobody() -> None:
    row = leg(0, 2, None, src="", dst="s", channel="SIP/alice-00000000", dstchannel="", lastapp="AppDial")
    assert ignored(row).code == "internal_call"


def test_a_fax_is_ignored() -> None:
    assert ignored(leg(0, 2, 30, dstchannel="", lastapp="ReceiveFAX")).code == "fax"


def test_the_number_called_is_taken_from_its_own_column_first() -> None:
    found = lead(leg(0, 20, dst="600", did="4008001234"))
    assert [hint.value for hint in found.hints] == ["4008001234"]


def test_a_line_that_nobody_listed_yet_is_shown_as_the_number_called() -> None:
    found = lead(leg(0, 20, dst="02155550777"))
    assert [hint.value for hint in found.hints] == ["02155550777"]


def test_a_name_from_our_own_phone_book_may_be_taken_as_a_name() -> None:
    row = leg(0, 20, clid='"李娜" <19000000011>')
    named = lead(row, caller_names=True).first("full_name")
    assert named is not None
    assert named.received == "李娜"
    assert lead(row).first("full_name") is None
    assert lead(leg(0, 20, clid='"Anonymous" <19000000011>')).first("other") is None


# --- order, repetition, lateness ----------------------------------------------------------------------

_QUEUE_CALL = [
    queue(0, 20, dstchannel="Local/801@q-00000001;1", disposition="NO ANSWER", sequence="1"),
    leg(2, 18, channel="Local/801@q-00000001;2", dst="801", uniqueid="1772413202.3", sequence="2"),
    queue(20, 100, dstchannel="Local/802@q-00000002;1", sequence="3"),
    leg(
        21,
        9,
        90,
        channel="Local/802@q-00000002;2",
        dstchannel="PJSIP/802-0000000e",
        dst="802",
        uniqueid="1772413221.5",
        sequence="4",
    ),
    queue(120, 30, dst="804", dstchannel="PJSIP/804-0000000f", sequence="5", lastapp="Dial"),
]


@given(rows=st.permutations(_QUEUE_CALL), again=st.lists(st.sampled_from(_QUEUE_CALL)), cut=st.integers(0, 9))
def test_any_order_and_any_repetition_of_the_rows_is_the_same_call(
    rows: list[dict[str, str]], again: list[dict[str, str]], cut: int
) -> None:
    mixed = [dict(row) for row in rows[:cut] + again + rows[cut:]]
    expected = lead(*_QUEUE_CALL)
    assert lead(*mixed) == expected
    assert expected.call is not None
    assert (expected.call.agent, expected.call.wait_s, expected.call.talk_s) == ("804", 30, 120)


@given(rows=st.permutations(_QUEUE_CALL), known=st.integers(1, len(_QUEUE_CALL)))
def test_late_rows_change_the_judgement_but_never_the_lead(rows: list[dict[str, str]], known: int) -> None:
    early = assemble(rows[:known], source(), capture(b"first"))
    if isinstance(early, Lead):
        assert early.lead_id == lead(*_QUEUE_CALL).lead_id


_CHANNELS = [
    "PJSIP/ct-trunk-0000000a",
    "PJSIP/801-0000000b",
    "Local/801@q-1;1",
    "Local/801@q-1;2",
    "",
    "Agent/7",
]
_NUMBERS = ["19000000011", "801", "600", "s", "", "02155550100", "anonymous", "919000000012", "1" * 40]


@st.composite
def any_leg(draw: st.DrawFn) -> dict[str, str]:
    return leg(
        draw(st.integers(0, 100)),
        draw(st.integers(0, 30)),
        draw(st.none() | st.integers(0, 300)),
        src=draw(st.sampled_from(_NUMBERS)),
        dst=draw(st.sampled_from(_NUMBERS)),
        channel=draw(st.sampled_from(_CHANNELS)),
        dstchannel=draw(st.sampled_from(_CHANNELS)),
        lastapp=draw(st.sampled_from(["Dial", "Queue", "VoiceMail", "AppDial", "Hangup"])),
        sequence=draw(st.sampled_from(["", "1", "2"])),
    )


@given(rows=st.lists(any_leg(), min_size=1, max_size=5))
def test_whatever_the_rows_say_the_figures_of_a_call_agree(rows: list[dict[str, str]]) -> None:
    result = assemble(rows, source(), capture(b"first"))
    if isinstance(result, Ignored):
        return
    found = result.call
    assert found is not None
    assert found.answered or found.talk_s == 0
    assert 0 <= found.talk_s <= 430
    assert 0 <= found.wait_s <= 430
    assert (result.first("phone") is not None) == (found.caller is not None)
    assert result == assemble(rows[::-1], source(), capture(b"first"))
