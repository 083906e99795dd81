"""Whoever hands something to the doors' log hears how it ended, and nobody else is harmed by who does not wait."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import func, select

from leadflow.embedded import Files, open_files
from schemas.capture import Capture, capture_of
from store import tables
from stream.door_log import DoorLog, Overloaded

T = TypeVar("T")
NUMBERS = map(str, itertools.count())


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    files = open_files(tmp_path / "data")
    yield files
    files.close()


def log_of(files: Files) -> DoorLog:
    return DoorLog(
        files.doors, files.door_log, files.keys, clock=lambda: 1, new_id=lambda: f"id{next(NUMBERS)}"
    )


def capture(body: bytes = b"phone=1") -> Capture:
    return capture_of(
        source_id="site",
        channel="web",
        format="web.form",
        body=body,
        accepted_us=1,
        trace_id="0" * 32,
        made_key=next(NUMBERS),
    )


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run it in a thread of its own: the browser tests leave a loop running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def kept(files: Files) -> int:
    with files.doors.read() as connection:
        return connection.execute(select(func.count()).select_from(tables.door_log)).scalar_one()


def test_what_a_coroutine_waited_for_is_on_the_disk(files: Files) -> None:
    log = log_of(files)

    async def send() -> None:
        await asyncio.gather(*(log.durable([capture()]) for _ in range(50)))

    log.start()
    run(send())
    assert kept(files) == 50
    log.close()


def test_a_sender_who_gave_up_harms_nobody(files: Files) -> None:
    log = log_of(files)

    async def send() -> None:
        hasty = asyncio.create_task(log.durable([capture()]))
        await asyncio.sleep(0)
        hasty.cancel()
        patient = asyncio.create_task(log.durable([capture()]))
        await asyncio.sleep(0)
        log.start()
        await asyncio.wait_for(patient, 10)

    given_up = log.append([capture()])
    given_up.cancel()
    run(send())
    log.append([capture()]).result(10)
    assert kept(files) == 4, "a sender who does not wait is taken at his word all the same"
    log.close()


def test_every_sender_of_a_group_that_failed_hears_it_and_the_next_one_is_taken(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = log_of(files)
    append, failures = files.door_log.append, iter([OSError("disk full")])

    def failing(*args: object) -> int:
        for failure in failures:
            raise failure
        return append(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(files.door_log, "append", failing)

    async def send() -> list[BaseException | None]:
        waiting = [asyncio.create_task(log.durable([capture()])) for _ in range(3)]
        await asyncio.sleep(0)
        log.start()
        return await asyncio.gather(*waiting, return_exceptions=True)

    assert [str(one) for one in run(send())] == ["disk full"] * 3
    log.append([capture()]).result(10)
    assert kept(files) == 1
    log.close()


def test_too_much_at_once_is_refused_before_it_is_queued(files: Files) -> None:
    log = DoorLog(
        files.doors, files.door_log, files.keys, clock=lambda: 1, new_id=lambda: "id", max_waiting_bytes=10
    )
    with pytest.raises(Overloaded):
        run(log.durable([capture(b"x" * 11)]))
    log.start()
    log.close()
    assert kept(files) == 0
