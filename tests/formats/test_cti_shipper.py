"""The shipper as it runs on a switchboard: alone, killed at any moment, against a server that misbehaves."""

from __future__ import annotations

import ast
import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ingest.cti import shipper
from ingest.cti.asterisk import AsteriskCdr, row_key
from ingest.cti.shipper import Answer, Checkpoint, Row, Server, Shipper, Stop, Tails

SCRIPT = Path(shipper.__file__)
TOKEN = "secret-token-for-tests"


class Receiver:
    """A server that keeps what it was sent and answers as told; None is to hang up without an answer."""

    def __init__(self) -> None:
        self.requests: list[list[dict[str, Any]]] = []
        self.headers: list[Mapping[str, str]] = []
        self.answer: Callable[[int], tuple[int, dict[str, str], bytes] | None] = lambda _: (202, {}, b"")
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.headers.append(dict(self.headers))
                receiver.requests.append([json.loads(line) for line in body.splitlines()])
                answer = receiver.answer(len(receiver.requests))
                if answer is None:
                    self.close_connection = True
                    return
                status, headers, text = answer
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(text))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/calls/rows"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def rows(self) -> list[bytes]:
        return [base64.b64decode(sent["row"]) for request in self.requests for sent in request]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


class Pbx:
    """A switchboard's disk: a CDR file, a state file, and the script copied there alone."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "Master.csv"
        self.state = folder / "state.json"
        self.script = Path(shutil.copy(SCRIPT, folder / "leadflow-shipper.py"))
        self.written: list[bytes] = []

    def write(self, count: int) -> None:
        rows = [b'"call","%d"\n' % (len(self.written) + number) for number in range(count)]
        with self.file.open("ab") as stream:
            stream.write(b"".join(rows))
        self.written += rows

    def start(self, url: str, *options: str, token: str = TOKEN) -> subprocess.Popen[str]:
        # Isolated and without site-packages: nothing but the standard library can be imported.
        command = [sys.executable, "-I", "-S", str(self.script), "--url", url, "--state", str(self.state)]
        return subprocess.Popen(
            [*command, *options, str(self.file)],
            env={"LEADFLOW_TOKEN": token},
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, url: str, *options: str) -> tuple[int, str]:
        with self.start(url, "--once", *options) as process:
            _, said = process.communicate(timeout=30)
            return process.returncode, said


@pytest.fixture
def pbx(tmp_path: Path) -> Pbx:
    return Pbx(tmp_path)


def test_the_file_stands_alone_on_an_old_python() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 6))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names
    assert "dataclasses" not in imported  # Came with 3.7.


def test_rows_arrive_with_key_file_offset_and_their_bytes(pbx: Pbx, receiver: Receiver) -> None:
    pbx.write(2)
    code, said = pbx.run(receiver.url)
    assert code == 0, said
    first, second = receiver.requests[0]
    assert first == {
        "key": shipper.position_key(first["file"], 0, pbx.written[0]),
        "file": first["file"],
        "offset": 0,
        "row": base64.b64encode(pbx.written[0]).decode(),
    }
    assert (second["file"], second["offset"]) == (first["file"], len(pbx.written[0]))
    assert receiver.headers[0]["Content-Type"] == "application/x-ndjson"
    assert receiver.headers[0]["Authorization"] == f"Bearer {TOKEN}"


def test_the_servers_own_key_of_a_row_without_ids_is_the_one_that_was_shipped(
    pbx: Pbx, receiver: Receiver
) -> None:
    pbx.write(1)
    pbx.run(receiver.url)
    (sent,) = receiver.requests[0]
    source = AsteriskCdr(source_id="pbx", name="Switchboard")
    assert row_key(base64.b64decode(sent["row"]), source, sent["file"], sent["offset"]) == sent["key"]


def test_a_second_run_sends_only_what_is_new(pbx: Pbx, receiver: Receiver) -> None:
    for count in (3, 0, 2):
        pbx.write(count)
        assert pbx.run(receiver.url)[0] == 0
    assert receiver.rows == pbx.written


def test_batches_are_bounded_by_rows_and_by_bytes(pbx: Pbx, receiver: Receiver) -> None:
    pbx.write(25)
    assert pbx.run(receiver.url, "--batch", "10")[0] == 0
    assert [len(request) for request in receiver.requests] == [10, 10, 5]
    with pbx.file.open("ab") as stream:
        for _ in range(5):
            stream.write(b"x" * 600_000 + b"\n")
    assert pbx.run(receiver.url)[0] == 0
    assert [len(request) for request in receiver.requests[3:]] == [1] * 5


def test_killed_again_and_again_it_loses_nothing_and_repeats_under_the_same_keys(
    pbx: Pbx, receiver: Receiver
) -> None:
    processes: list[subprocess.Popen[str]] = []
    armed = threading.Event()

    def answer(number: int) -> tuple[int, dict[str, str], bytes] | None:
        armed.wait(10)
        if number in (2, 4, 7, 8):
            # The rows are with us already; the shipper dies without having stored its checkpoint.
            processes[-1].kill()
            return None
        return 202, {}, b""

    receiver.answer = answer
    pbx.write(40)
    for _ in range(20):
        armed.clear()
        process = pbx.start(receiver.url, "--once", "--batch", "5")
        processes.append(process)
        armed.set()
        _, said = process.communicate(timeout=30)
        pbx.write(3)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, said
    assert pbx.run(receiver.url)[0] == 0
    assert set(receiver.rows) == set(pbx.written)
    by_key: dict[str, set[str]] = {}
    for request in receiver.requests:
        for sent in request:
            by_key.setdefault(sent["key"], set()).add(sent["row"])
    assert len(by_key) == len(pbx.written)
    assert all(len(bodies) == 1 for bodies in by_key.values())
    assert len(receiver.rows) > len(pbx.written), "no kill caused a repeat: the test tests nothing"


def test_a_server_in_trouble_is_tried_again_with_the_same_rows(pbx: Pbx, receiver: Receiver) -> None:
    troubles: list[tuple[int, dict[str, str], bytes] | None] = [
        (503, {"Retry-After": "0.05"}, b""),
        None,
        (429, {"Retry-After": "0.05"}, b""),
    ]
    receiver.answer = lambda number: troubles[number - 1] if number <= len(troubles) else (202, {}, b"")
    pbx.write(2)
    code, said = pbx.run(receiver.url)
    assert code == 0, said
    assert len(receiver.requests) == 4
    assert all(request == receiver.requests[0] for request in receiver.requests)
    assert said.count("not taken") == 3


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((401, {}, b'{"code": "bad_token", "message": "This token is not known"}'), "token"),
        ((403, {}, b""), "token"),
        ((404, {}, b""), "--url"),
        ((400, {}, b'{"message": "key is missing", "hint": "send it"}'), "key is missing send it"),
        ((200, {}, b"<html>Please log in</html>"), "--url"),
        ((302, {"Location": "http://127.0.0.1:1/login"}, b""), "--url"),
    ],
)
def test_a_refusal_stops_with_the_reason_and_keeps_the_rows(
    pbx: Pbx, receiver: Receiver, answer: tuple[int, dict[str, str], bytes], told: str
) -> None:
    pbx.write(2)
    receiver.answer = lambda _: answer
    code, said = pbx.run(receiver.url)
    assert (code, len(receiver.requests)) == (shipper.EXIT_REFUSED, 1)
    assert told in said
    assert "Traceback" not in said
    receiver.answer = lambda _: (202, {}, b"")
    assert pbx.run(receiver.url)[0] == 0
    assert receiver.rows[2:] == pbx.written


def test_a_batch_too_large_for_the_server_is_halved(pbx: Pbx, receiver: Receiver) -> None:
    receiver.answer = lambda number: (413 if len(receiver.requests[number - 1]) > 3 else 202, {}, b"")
    pbx.write(10)
    assert pbx.run(receiver.url)[0] == 0
    taken = [sent for request in receiver.requests if len(request) <= 3 for sent in request]
    assert [base64.b64decode(sent["row"]) for sent in taken] == pbx.written


def test_the_log_shows_no_telephone_number(pbx: Pbx, receiver: Receiver) -> None:
    pbx.write(1)
    receiver.answer = lambda _: (422, {}, b'{"message": "cannot read +8619000000011"}')
    _, said = pbx.run(receiver.url)
    assert "cannot read" in said
    assert "19000000011" not in said
    assert TOKEN not in said


def test_only_one_shipper_uses_a_state_file(pbx: Pbx, receiver: Receiver) -> None:
    pbx.write(1)
    with pbx.start(receiver.url) as running:
        _until(lambda: bool(receiver.requests))
        code, said = pbx.run(receiver.url)
        assert code == shipper.EXIT_USAGE
        assert "another shipper" in said
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)
        assert running.returncode == 0


def test_it_follows_the_file_through_a_rotation_while_running(pbx: Pbx, receiver: Receiver) -> None:
    with pbx.start(receiver.url, "--interval", "0.05") as running:
        for day in range(3):
            pbx.write(2)
            _until(lambda: receiver.rows == pbx.written)
            pbx.write(1)
            pbx.file.rename(pbx.file.with_name(f"Master.csv.{day}"))
        pbx.write(1)
        _until(lambda: receiver.rows == pbx.written)
        running.terminate()
        running.communicate(timeout=30)
    assert receiver.rows == pbx.written


def test_from_end_holds_only_for_the_very_first_start(pbx: Pbx, receiver: Receiver) -> None:
    pbx.write(5)
    assert pbx.run(receiver.url, "--from-end")[0] == 0
    pbx.write(2)
    assert pbx.run(receiver.url, "--from-end")[0] == 0
    assert receiver.rows == pbx.written[5:]


def test_clear_words_for_what_is_wrong_on_the_host(pbx: Pbx, receiver: Receiver) -> None:
    pbx.state.write_text("{", encoding="utf-8")
    code, said = pbx.run(receiver.url)
    assert code == shipper.EXIT_USAGE
    assert "is damaged" in said
    pbx.state.unlink()
    pbx.file.mkdir()
    code, said = pbx.run(receiver.url)
    assert code == shipper.EXIT_UNREADABLE
    assert "cannot read" in said
    with pbx.start(receiver.url, token="") as process:
        _, said = process.communicate(timeout=30)
    assert process.returncode == shipper.EXIT_USAGE
    assert "no token" in said
    assert "Traceback" not in said


def test_no_state_file_is_ever_half_written(pbx: Pbx, monkeypatch: pytest.MonkeyPatch) -> None:
    at = Checkpoint(1, 2, 3, 0, "aa", "ff")
    shipper.save(str(pbx.state), {"a": at})
    order: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noted(name: str, act: Callable[..., None]) -> Callable[..., None]:
        def note_and_act(*arguments: Any) -> None:
            order.append(name)
            act(*arguments)

        return note_and_act

    monkeypatch.setattr(os, "fsync", noted("fsync", fsync))
    monkeypatch.setattr(os, "replace", noted("replace", replace))
    shipper.save(str(pbx.state), {"a": at._replace(offset=9)})
    assert order == ["fsync", "replace", "fsync"]
    assert shipper.load(str(pbx.state))["a"].offset == 9

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Stop, match="make room"):
        shipper.save(str(pbx.state), {"a": at})
    assert shipper.load(str(pbx.state))["a"].offset == 9


class Crash(Exception):
    """The power fails."""


@pytest.mark.parametrize("crash_at", range(1, 14))
def test_a_crash_at_any_step_loses_nothing(pbx: Pbx, monkeypatch: pytest.MonkeyPatch, crash_at: int) -> None:
    received: list[bytes] = []
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == crash_at:
            raise Crash

    def post(_: Server, rows: Sequence[Row]) -> Answer:
        step()
        received.extend(row.row for row in rows)
        step()
        return Answer(202, "")

    def save(checkpoints: Mapping[str, Checkpoint]) -> None:
        step()
        shipper.save(str(pbx.state), checkpoints)

    monkeypatch.setattr(shipper, "post", post)
    server = Server("http://127.0.0.1:1", TOKEN, None)  # type: ignore[arg-type]
    pbx.write(12)

    def run() -> None:
        tails = Tails([str(pbx.file)], shipper.load(str(pbx.state)))
        Shipper(server, save, lambda: False, lambda _: None, 3).ship(tails)

    try:
        run()
    except Crash:
        pbx.write(1)
        run()
    assert list(dict.fromkeys(received)) == pbx.written
    assert len(received) <= len(pbx.written) + 3


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it did not come to pass within 20 s"
        time.sleep(0.02)
