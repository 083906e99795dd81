"""Where a store is: being moved to, moved here, or moved away. A store that nobody moved has no row, and is here.

The row is what keeps two hosts from doing the same work: a copy that is not finished, and an original that was
left, are both refused by whoever would start on them.
"""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, select

from store import tables
from store.bulk import insert_ignore

State = Literal["coming", "here", "gone"]

_TABLE = tables.relocation


class NotHere(RuntimeError):
    """This store is not the one to work on; says which is, in two languages."""

    def __init__(self, en: str, zh: str) -> None:
        self.en, self.zh = en, zh
        super().__init__(en)


def standing(connection: Connection) -> Row[Any] | None:
    """Return the row that says where this store is; None if it was never moved."""
    return connection.execute(select(_TABLE)).one_or_none()


def put(connection: Connection, state: State, origin: str, now_us: int) -> None:
    """Say where this store is from now on. `origin` is the identity of the captures' topic it comes from."""
    connection.execute(delete(_TABLE))
    insert_ignore(connection, _TABLE, [{"one": 1, "state": state, "origin": origin, "since_us": now_us}])


def refuse_elsewhere(connection: Connection) -> None:
    """Raise NotHere if this store is a copy that is not finished, or an original that was left."""
    row = standing(connection)
    if row is not None and row.state == "coming":
        raise NotHere(
            "This store is being moved to, and not all of it has come. Finish that first: leadflow migrate",
            "此数据正在迁入，尚未完成。请先完成：leadflow migrate",
        )
    if row is not None and row.state == "gone":
        raise NotHere(
            "This store was moved away; what works on it now is where it went. To come back: leadflow migrate --back",
            "此数据已迁出，请使用迁入处的安装。如需迁回：leadflow migrate --back",
        )
