"""SIGKILL between gathering and sending, and between sending and recording: each lead is told, in one message, under one id."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from tests.chaos.test_kill_at_every_point import (
    Sender,
    await_the_kill,
    delivered,
    keep_running,
    night_company,
)
from tests.support.live import Live
from tests.support.postbox import Postbox

LEADS = 40


@pytest.mark.parametrize("point", ["gathered, unsent", "sent, unrecorded:2", "sent, unrecorded:3"])
def test_a_kill_around_a_list_loses_nothing_and_tells_nothing_in_two(tmp_path: Path, point: str) -> None:
    postbox = Postbox()
    postbox.open()
    company = night_company(0)
    people = {
        key: one.model_copy(update={"email": f"{key}@haichuan.example"})
        for key, one in company.people.items()
    }
    sinks = {"mail": postbox.sink(gather_s=2)}
    live = Live(tmp_path / "data", company.model_copy(update={"people": people, "sinks": sinks}))
    passed = tmp_path / "passed"
    live.start(LEADFLOW_CRASH_AT=point, LEADFLOW_CRASH_LOG=str(passed))
    sender = Sender(live, LEADS)
    keep_running(live, sender)
    await_the_kill(live)
    live.drained()
    delivered(live)
    live.stop()
    postbox.close()
    assert live.starts == 2, "the crash point was never reached"
    assert live.query("SELECT count(*) FROM delivery WHERE state <> 'sent'") == [(0,)]
    told: Counter[str] = Counter()
    said: dict[str, set[str]] = defaultdict(set)
    for _, mail in postbox.came:
        text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        said[mail["Message-ID"]].add(text)
    for texts in said.values():
        told.update(set(re.findall(r"139\d{8}", max(texts))))
    assert told == {f"139{number:08d}": 1 for number in range(LEADS)}
    assert max(map(len, said.values())) == 1, "a repeat says the same"
    came = Counter((to, mail["Message-ID"]) for to, mail in postbox.came)
    assert max(came.values()) <= 2, "a kill repeats a message once"
    again = Counter(to for (to, _), times in came.items() if times > 1)
    assert max(again.values(), default=0) <= 1, "in each lane one is under way, and only that is repeated"
    assert len(said) < LEADS / 2
    recorded = {row[0] for row in live.query("SELECT DISTINCT told_in FROM delivery")}
    assert {f"<{one}@haichuan.example>" for one in recorded} == set(said)
