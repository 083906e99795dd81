"""A store that is moved from SQLite to PostgreSQL and back is the same store, and a copy that is not is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from store import tables
from store.bulk import insert_ignore
from store.copy import CopyDiffers, copy_all, digest_of
from store.database import Database
from tests.support.rig import Rig, new_sqlite, post

LEADS = 60


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    rig.feed(
        [
            post(made=str(n), name=f"李娜 {n}\u2028\U0001f600", phone=f"1390000{n:04}", wish='"x", \\ \n')
            for n in range(LEADS)
        ]
    )
    rig.feed([post(made="unknown", wer="13812345678")])
    rig.run()
    with rig.store.write() as connection:
        insert_ignore(connection, tables.setting, [{"key": "odd", "value_json": '"zero"'}])
    yield rig
    rig.close()


def test_to_postgresql_and_back_nothing_changes(
    filled: Rig, clean_postgres: Database, tmp_path: Path
) -> None:
    heard: list[tuple[str, int]] = []
    there = copy_all(filled.store, clean_postgres, tables.state, copied=lambda *batch: heard.append(batch))
    assert (there["lead"].rows, there["dead"].rows, there["log"].rows > LEADS) == (LEADS, 1, True)
    assert ("lead", LEADS) in heard
    (tmp_path / "back").mkdir()
    back = new_sqlite(tmp_path / "back", "state")
    assert copy_all(clean_postgres, back, tables.state) == there

    def rows(database: Database) -> dict[str, list[tuple[object, ...]]]:
        with database.read() as connection:
            return {
                table.name: [
                    tuple(row)
                    for row in connection.execute(table.select().order_by(*table.primary_key.columns))
                ]
                for table in tables.state.sorted_tables
            }

    assert rows(back) == rows(filled.store)
    back.close()


def test_a_copy_cut_off_anywhere_is_begun_again(filled: Rig, clean_postgres: Database) -> None:
    class Cut(Exception):
        pass

    total = len(tables.state.sorted_tables)
    for stop_after in range(0, total, 7):
        seen: set[str] = set()

        def cut(name: str, _rows: int, seen: set[str] = seen, stop_after: int = stop_after) -> None:
            seen.add(name)
            if len(seen) > stop_after:
                raise Cut

        with suppress(Cut):
            copy_all(filled.store, clean_postgres, tables.state, copied=cut)
    assert copy_all(filled.store, clean_postgres, tables.state)["lead"].rows == LEADS


def test_a_row_that_differs_is_told(filled: Rig, clean_postgres: Database) -> None:
    copy_all(filled.store, clean_postgres, tables.state)
    with clean_postgres.write() as connection:
        connection.execute(text("UPDATE lead SET city = 'x' WHERE lead_id = (SELECT min(lead_id) FROM lead)"))
        connection.execute(text("DELETE FROM evidence"))
    with pytest.raises(CopyDiffers) as told:
        copy_all(filled.store, clean_postgres, tables.state)
    assert list(told.value.tables) == ["lead"], (
        "what was missing is copied, what differs is never written over"
    )
    assert digest_of(clean_postgres, tables.evidence) == digest_of(filled.store, tables.evidence)
