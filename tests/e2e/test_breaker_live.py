"""A held source on a running Leadflow: what doors, /readyz, metrics, doctor, pages and commands say and do."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sales.files import write_folder
from tests.e2e.test_metrics import figures
from tests.e2e.test_operate import FORM, leadflow
from tests.support.listener import Listener
from tests.support.live import Live
from tests.support.receiver import SECRET, Receiver
from tests.support.senders import senders

FEW = {"LEADFLOW_BREAKER_MINIMUM": "5"}


@pytest.fixture
def live(tmp_path: Path, receiver: Receiver) -> Iterator[Live]:
    told = {"LEADFLOW_ALARM_WEBHOOK": receiver.url, "LEADFLOW_ALARM_WEBHOOK_SECRET": SECRET}
    made = Live(tmp_path / "data", senders("site", "fair", "shop"), **FEW, **told)
    made.start()
    yield made
    made.stop()


def send(live: Live, source_id: str, numbers: range, field: str = "sj") -> None:
    for number in numbers:
        assert live.post(f"/in/web/{source_id}", f"{field}=138{number:08d}".encode(), FORM)[0] == 202
    live.drained()


def settled(live: Live) -> None:
    """Wait until no breaker is left."""
    until(lambda: live.query("SELECT count(*) FROM breaker") == [(0,)])


def until_not_ready(live: Live) -> tuple[int, Any]:
    until(lambda: live.get("/readyz")[0] != 200)
    return live.get("/readyz")


def until(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 20
    while not true():
        assert time.monotonic() < give_up, "it never came true"
        time.sleep(0.05)


def test_a_held_source_is_told_everywhere_and_goes_on_after_the_fix(
    live: Live, receiver: Receiver, tmp_path: Path
) -> None:
    send(live, "site", range(8))
    send(live, "fair", range(100, 103), "phone")

    status, ready = live.get("/readyz")
    assert (status, ready["ready"]) == (200, True)
    (told,) = ready["breakers"]
    assert (told["source"], told["stage"], told["state"], told["held"]) == ("site", "parse", "open", 3)

    found = figures(live)
    assert found["leadflow_breaker_open", (("source", "site"),)] == 1
    assert found["leadflow_breaker_open", (("source", "fair"),)] == 0
    assert found["leadflow_dead_letters_held", (("source", "site"),)] == 3

    listed = leadflow(live.folder, "breaker", code=1)
    assert re.search(r"^site\tparse\theld\t\S+\tno_known_field\t5/5 \(100%\)\t3 held$", listed, re.MULTILINE)
    assert "leadflow breaker reset site" in leadflow(live.folder, "doctor", code=1)
    assert "leadflow breaker reset site" in live.get("/needs-repair?lang=en")[1]
    assert "leadflow breaker reset site" in live.get("/needs-repair?lang=zh")[1]

    until(lambda: bool(receiver.taken))
    assert [post.content["data"]["source"] for post in receiver.taken] == ["site"]

    write_folder(senders("site", "fair", "shop", fields={"sj": "phone"}), tmp_path / "company")
    leadflow(live.folder, "apply", str(tmp_path / "company"))
    leadflow(live.folder, "breaker", "reset", "site", "--actor", "ann", "--reason", "fields mapped")
    send(live, "site", range(8, 10))
    settled(live)
    assert live.get("/readyz")[1] == {"ready": True, "breakers": []}
    assert "0 breakers open" in leadflow(live.folder, "breaker")
    leads = live.query(
        "SELECT count(*) FROM lead JOIN task USING (lead_id) WHERE source_id = 'site' AND purpose = 'real'"
    )
    assert leads == [(5,)], "three that were held, and two since"
    assert live.query("SELECT actor, reason FROM act WHERE verb = 'reset_breaker'") == [
        ("ann", "fields mapped")
    ]
    found = figures(live)
    assert found["leadflow_captures_refused_total", (("channel", "web"), ("source", "site"))] == 5
    assert found["leadflow_breaker_open", (("source", "site"),)] == 0


def test_a_stage_that_stopped_is_not_ready_and_takes_in_all_the_same(live: Live) -> None:
    send(live, "shop", range(200, 201), "phone")
    send(live, "site", range(8))
    for number in range(300, 308):
        assert live.post("/in/web/fair", f"sj=138{number:08d}".encode(), FORM)[0] == 202  # none is drained
    status, ready = until_not_ready(live)
    assert status == 503
    assert "stage 'parse' stopped: 2 sources fail at once" in ready["why"]
    assert "leadflow breaker reset --all" in ready["why"]
    assert figures(live)["leadflow_stage_stopped", (("stage", "parse"),)] == 1
    live.stop()
    live.start(statuses=(200, 503))
    assert until_not_ready(live)[0] == 503, "a restart alone is no remedy"
    leadflow(live.folder, "breaker", "reset", "--all")
    live.drained()
    settled(live)
    assert live.get("/readyz")[0] == 200
    assert live.query("SELECT count(*) FROM capture") == [(17,)], "nothing was skipped"
    assert live.query("SELECT count(*) FROM dead WHERE state = 'held'") == [(0,)]


def test_what_is_to_be_reset_must_be_named(live: Live) -> None:
    assert "Name the sources, or say --all" in leadflow(live.folder, "breaker", "reset", code=2)
    assert "No breaker of site is open" in leadflow(live.folder, "breaker", "reset", "site", code=2)


def test_a_held_capture_is_shown_with_its_raw_bytes(live: Live) -> None:
    send(live, "site", range(8))
    dead_id = live.query("SELECT dead_id FROM dead WHERE state = 'held' ORDER BY off")[0][0]
    assert leadflow(live.folder, "dead", "show", dead_id, "--raw") == "sj=13800000005"
    assert "held" in leadflow(live.folder, "explain", dead_id)


def test_the_heart_of_a_running_host_beats_until_a_stage_stops(tmp_path: Path) -> None:
    listener = Listener()
    live = Live(
        tmp_path / "data",
        senders("site", "fair"),
        LEADFLOW_HEARTBEAT_URL=listener.url,
        LEADFLOW_HEARTBEAT_FAIL_URL=f"{listener.url}/fail",
        LEADFLOW_HEARTBEAT_SECONDS="5",
        **FEW,
    )
    live.start()
    until(lambda: "/ping" in listener.asked)
    send(live, "site", range(8))
    for number in range(300, 308):
        live.post("/in/web/fair", f"sj=138{number:08d}".encode(), FORM)
    until(lambda: "/ping/fail" in listener.asked)
    live.stop()
    listener.close()
    assert listener.asked[0] == "/ping"
    assert listener.asked[-1] == "/ping/fail"
