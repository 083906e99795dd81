"""What doors know of the sources, asked by several of them at once."""

from __future__ import annotations

import threading
from pathlib import Path

from leadflow.engine import Sources
from store.company import CompanyCache, put_company
from store.database import open_sqlite
from store.migrate import migrate
from tests.support.rig import small_company


def test_several_doors_that_ask_at_once_all_get_an_answer(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "store.db")
    migrate(store, "state")
    with store.write() as connection:
        put_company(connection, small_company(), 0)
    sources = Sources(store, CompanyCache())
    sources()
    gate, wrong = threading.Barrier(8), []

    def door() -> None:
        for _ in range(150):
            gate.wait(10)
            sources._until = 0.0  # it is time to ask again, for all of them at once
            try:
                assert "site" in sources()
            except Exception as error:
                wrong.append(type(error).__name__)

    doors = [threading.Thread(target=door) for _ in range(8)]
    for one in doors:
        one.start()
    for one in doors:
        one.join(60)
    store.close()
    assert wrong == []
