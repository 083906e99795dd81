"""A cluster's processes say that they live; a person is told of one that fell silent, not of one that ended."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from store import tables
from store.database import Database
from store.processes import LIFE_S, beat, bury, leave, missing

STAGES = ("parse", "route")


@pytest.fixture
def connection(clean_postgres: Database) -> Any:
    with clean_postgres.write() as connection:
        yield connection


def test_one_that_died_is_told_once_and_one_that_left_is_not(connection: Connection) -> None:
    for name in ("died", "left", "lives"):
        beat(connection, name, "stages", STAGES, None)
    leave(connection, "left")
    assert bury(connection) == [], "nobody is missed at once"
    silent(connection, "died", "left")
    assert bury(connection) == ["died"]
    assert bury(connection) == []
    alarm = tables.alarm
    told = connection.execute(select(alarm.c.what, alarm.c.stage, alarm.c.source_id)).all()
    assert told == [("process_gone", "stages", "died")]
    assert connection.execute(select(tables.process.c.process_id)).scalars().all() == ["lives"]


def test_one_that_comes_back_is_missed_again_when_it_dies_again(connection: Connection) -> None:
    for _ in range(2):
        beat(connection, "a", "stages", STAGES, None)
        silent(connection, "a")
        assert bury(connection) == ["a"]
    assert len(connection.execute(select(tables.alarm)).all()) == 2


def test_what_nobody_does_is_missing(connection: Connection) -> None:
    beat(connection, "a", "stages", ("parse",), None)
    beat(connection, "t", "timers", (), None)
    assert missing(connection, ["timers"], ["parse"]) is None
    assert missing(connection, ["timers", "doors"], STAGES) == "no process runs: doors, route"
    beat(connection, "b", "stages", ("route",), None)
    beat(connection, "d", "doors", (), None)
    assert missing(connection, ["timers", "doors"], STAGES) is None
    silent(connection, "a")
    assert missing(connection, ["timers", "doors"], STAGES) == "no process runs: parse"


def test_one_that_ended_is_not_missed_while_another_may_start(connection: Connection) -> None:
    beat(connection, "a", "stages", STAGES, None)
    leave(connection, "a")
    assert missing(connection, [], STAGES) is None, "a restart takes its time"
    silent(connection, "a")
    assert missing(connection, [], STAGES) == "no process runs: parse, route"


def test_the_trouble_of_one_is_everybodys(connection: Connection) -> None:
    beat(connection, "a", "stages", STAGES, "topic 'captures' was recreated")
    assert missing(connection, [], STAGES) == "topic 'captures' was recreated"
    beat(connection, "a", "stages", STAGES, None)
    assert missing(connection, [], STAGES) is None


def silent(connection: Connection, *names: str) -> None:
    """Let it be longer ago than LIFE_S that these were heard of."""
    table = tables.process
    ago = table.c.beat_us - int((LIFE_S + 1) * 1_000_000)
    connection.execute(update(table).where(table.c.process_id.in_(names)).values(beat_us=ago))
