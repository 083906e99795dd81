"""The migrations lead to exactly the tables the code knows, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from store.database import Database, is_safe_sqlite, open_sqlite
from store.migrate import History, metadata_of, migrate


@pytest.fixture(params=["sqlite", "postgresql"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "postgresql":
        yield request.getfixturevalue("clean_postgres")
        return
    database = open_sqlite(tmp_path / "store.db")
    migrate(database, "state")
    yield database
    database.close()


def test_nothing_is_left_to_migrate(state: Database) -> None:
    assert _differences(state, "state") == []


def test_nothing_is_left_to_migrate_at_the_doors(tmp_path: Path) -> None:
    database = open_sqlite(tmp_path / "doors.db")
    migrate(database, "doors")
    assert _differences(database, "doors") == []
    database.close()


def test_migrating_twice_changes_nothing(state: Database) -> None:
    migrate(state, "state")
    assert _differences(state, "state") == []


@pytest.mark.parametrize(
    ("row", "again"),
    [
        (
            "INSERT INTO binding (kind, value, from_us, target_id, lead_id) VALUES ('mobile', '1', 1, 'con_a', 'l')",
            "INSERT INTO binding (kind, value, from_us, target_id, lead_id) VALUES ('mobile', '1', 2, 'con_b', 'l')",
        ),
        (
            "INSERT INTO timer (kind, subject_id, due_us) VALUES ('k', 's', 1)",
            "INSERT INTO timer (kind, subject_id, due_us) VALUES ('k', 's', 1)",
        ),
        (
            "INSERT INTO act (act_id, idem_key, actor, verb, recorded_us) VALUES ('a', 'k', 'x', 'v', 1)",
            "INSERT INTO act (act_id, idem_key, actor, verb, recorded_us) VALUES ('b', 'k', 'x', 'v', 1)",
        ),
    ],
)
def test_the_database_itself_refuses_a_second_open_row(state: Database, row: str, again: str) -> None:
    with state.write() as connection:
        connection.execute(text(row))
    with pytest.raises(Exception, match=r"(?i)unique"), state.write() as connection:
        connection.execute(text(again))


def test_an_owner_is_one_at_a_time(state: Database) -> None:
    customer = (
        "INSERT INTO customer (customer_id, kind, born_lead, purpose, born_us, touched_us, routed_us, state) "
        "VALUES ('c', 'person', 'l', 'real', 1, 1, 1, 'open')"
    )
    holding = "INSERT INTO holding (customer_id, role, from_us, holder_kind, holder_id) VALUES ('c', '{}', {}, 'person', 'p')"
    with state.write() as connection:
        connection.execute(text(customer))
        connection.execute(text(holding.format("owner", 1)))
        connection.execute(text(holding.format("collaborator", 1)))
    with pytest.raises(Exception, match=r"(?i)unique"), state.write() as connection:
        connection.execute(text(holding.format("owner", 2)))


@pytest.mark.parametrize(
    ("version", "safe"),
    [((3, 40, 1), False), ((3, 51, 2), False), ((3, 51, 3), True), ((3, 50, 7), True), ((3, 50, 6), False),
     ((3, 44, 6), True), ((3, 45, 0), False), ((3, 53, 4), True)],
)  # fmt: skip
def test_versions_that_can_lose_commits_are_known(version: tuple[int, int, int], safe: bool) -> None:
    assert is_safe_sqlite(version) is safe


def _differences(database: Database, history: History) -> list[object]:
    with database.write() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata_of(history)))
