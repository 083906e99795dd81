"""What the "send your own" boxes offer does come through the door."""

from __future__ import annotations

import shlex
from typing import Any

from console.doors import boxes
from ingest.cti import asterisk
from ingest.email.door import without_tag
from schemas.capture import capture_of
from schemas.results import Part
from tests.support.rig import MONDAY_10

SOURCES: dict[str, dict[str, Any]] = {
    "desk": {"source_id": "desk", "channel": "counter", "format": "counter.visit", "name": "前台"},
    "calls": {
        "source_id": "calls",
        "channel": "cti",
        "format": "cti.asterisk",
        "name": "总机",
        "files": ("/var/log/asterisk/cdr's/Master.csv",),
        "own_numbers": ("02162345678",),
        "trunks": ("ct-trunk",),
    },
    "mail": {
        "source_id": "mail",
        "channel": "email",
        "format": "email.message",
        "name": "销售邮箱",
        "addresses": ("sales@haichuan.example",),
    },
    "site": {"source_id": "site", "channel": "web", "format": "web.form", "name": "官网"},
    "ads": {"source_id": "ads", "channel": "web", "format": "web.hook", "name": "广告"},
}


def test_each_source_has_its_box_in_the_order_of_the_doors() -> None:
    found = boxes(SOURCES, MONDAY_10, 2525)
    assert [box.channel for box in found] == ["web", "email", "cti", "counter"]
    assert found[0].link == "/f/site"


def test_the_row_to_append_is_a_call_for_the_reader_of_the_file() -> None:
    command = next(box.command for box in boxes(SOURCES, MONDAY_10, 0) if box.channel == "cti")
    assert command is not None
    echo, row, arrow, path = shlex.split(command)
    assert (echo, arrow, path) == ("echo", ">>", "/var/log/asterisk/cdr's/Master.csv")
    capture = capture_of(
        source_id="calls",
        channel="cti",
        format="cti.asterisk",
        body=row.encode() + b"\n",
        accepted_us=MONDAY_10,
        trace_id="0" * 32,
        made_key="m",
    )
    (leg,) = asterisk.parse(capture, asterisk.AsteriskCdr.model_validate(SOURCES["calls"]))
    assert isinstance(leg, Part), leg


def test_the_mail_goes_to_an_address_of_the_source() -> None:
    command = next(box.command for box in boxes(SOURCES, MONDAY_10, 2525) if box.channel == "email")
    assert command is not None
    words = shlex.split(command)
    assert words[:3] == ["swaks", "--server", "127.0.0.1:2525"]
    assert without_tag(words[words.index("--to") + 1]) == "sales@haichuan.example"


def test_a_closed_door_offers_no_command() -> None:
    assert [box.command for box in boxes(SOURCES, MONDAY_10, 0) if box.channel == "email"] == [None]
