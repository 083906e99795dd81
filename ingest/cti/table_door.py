"""The door of call tables: reads what is new by a cursor over `calldate`, with an overlap for rows that come late.

A row is written when its call ends, under the moment at which it began. So each look goes back over the overlap; what it
knows already is left out, after a restart by the key of the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Engine, MetaData, Table, create_engine, event, func, make_url, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, NoSuchTableError, SQLAlchemyError

from ingest.cti.cdr_table import NEEDED, READ, CdrTable, body_of, first_moment, table_key, window
from ingest.fetch_door import FetchDoor, Follower
from ingest.followed import FetchTrouble
from ingest.secrets import PasswordMissing, password_now, password_of
from schemas.capture import Capture, capture_of
from stream.crash import crash_point
from stream.door_log import Checkpoint as Saved

log = structlog.get_logger()

ROWS_AT_ONCE = 500
"""Rows under one fsync, as for files."""
CONNECT_S = 10
SLACK = timedelta(minutes=5)
"""Clocks of switchboards drift."""
_READ_ONLY = {
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "postgresql": "SET default_transaction_read_only = on",
    "sqlite": "PRAGMA query_only = ON",
}
_ARGUMENTS: Mapping[str, dict[str, Any]] = {
    "mysql": {"connect_timeout": CONNECT_S, "read_timeout": 60, "charset": "utf8mb4"},
    "mariadb": {"connect_timeout": CONNECT_S, "read_timeout": 60, "charset": "utf8mb4"},
    "postgresql": {"connect_timeout": CONNECT_S},
    "sqlite": {"timeout": CONNECT_S},
}


class TableDoor(FetchDoor):
    """Follows the tables of all call sources that have one."""

    name = "table"

    def source_of(self, settings: dict[str, Any]) -> CdrTable | None:
        """Return a source with a table."""
        return CdrTable.model_validate(settings) if settings["format"] == "cti.cdr_table" else None

    def follower(self, source: CdrTable) -> TableFollower:
        """Return what follows its table."""
        return TableFollower(self, source)


class TableFollower(Follower[CdrTable]):
    """Follows one table until it is told to end."""

    def secret(self) -> str | None:
        """Return the password as it is now."""
        return password_now(self.source.password_file, self.source.password_env)

    def follow(self) -> None:
        """Connect, read, and look again until told to end. Raises FetchTrouble."""
        engine = engine_of(self.source)
        try:
            table = table_of(engine, self.source)
            reading = Reading(self, engine, table)
            while not self.ending.is_set():
                reading.look()
                self.well()
                self.ending.wait(self.source.poll_s)
        except DBAPIError as error:
            raise trouble_of(error) from None
        finally:
            engine.dispose()


class Reading:
    """One connection's reading of a table: how far it is, and which rows of the overlap it knows."""

    def __init__(self, follower: TableFollower, engine: Engine, table: Table) -> None:
        self._follower = follower
        self._source = follower.source
        self._door = follower.door
        self._engine = engine
        self._table = table
        self._known: dict[str, datetime] = {}
        self._seen: tuple[int, Any] | None = None
        source_id, path = self._source.source_id, self._source.path
        here = self._door.log.checkpoints_of(source_id).get(path)
        stored = [one for one in (here, self._door.reader.progress(source_id, path)) if one is not None]
        if stored:
            last = max(stored, key=lambda one: str(one["cursor"] or ""))
            self._first, self._cursor = _moment(last["first"]), _moment(last["cursor"])
            return
        now = datetime.fromtimestamp(self._door.clock() / 1e6, UTC)
        self._first, self._cursor = first_moment(self._source, now), None
        self._durable([], None)

    def look(self) -> None:
        """Take the rows that are new."""
        since = window(self._source, self._first, self._cursor)
        when = self._table.c.calldate
        asked = select(func.count(), func.max(when))
        rows = select(*[one for one in self._table.columns if one.name in (*READ, "calldate")]).order_by(when)
        if since is not None:
            asked, rows = asked.where(when >= since), rows.where(when >= since)
        with self._engine.connect() as connection:
            seen = tuple(connection.execute(asked).one())
            if seen == self._seen:  # the usual look: the index says that nothing came
                return
            result = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(rows)
            for batch in result.mappings().partitions(ROWS_AT_ONCE):
                self._take(list(batch))
                if self._follower.ending.is_set():
                    return
        self._seen = (seen[0], seen[1])
        keep_from = window(self._source, self._first, self._cursor)
        if keep_from is not None:
            self._known = {key: at for key, at in self._known.items() if at >= keep_from}

    def _take(self, batch: list[Any]) -> None:
        captures, keys = [], {}
        for row in batch:
            body = body_of(row)
            key = table_key(body)
            at = _naive(row["calldate"])
            if key not in self._known and key not in keys:
                captures.append(self._capture(body, key))
            keys[key] = at
        # A clock that was once years ahead must not have everything after it taken for old.
        zone = ZoneInfo(self._source.zone)
        now = datetime.fromtimestamp(self._door.clock() / 1e6, zone).replace(tzinfo=None)
        cursor = max((at for at in keys.values() if at is not None and at <= now + SLACK), default=None)
        if captures:
            self._durable(captures, max(filter(None, (cursor, self._cursor)), default=None))
            crash_point("answered")
        self._known.update({key: at or datetime.max for key, at in keys.items()})

    def _durable(self, captures: list[Capture], cursor: datetime | None) -> None:
        state: dict[str, object] = {
            "first": self._first.isoformat(" ") if self._first else None,
            "cursor": cursor.isoformat(" ") if cursor else None,
        }
        source_id, path = self._source.source_id, self._source.path
        self._door.log.append(captures, [Saved(source_id, path, state)]).result()
        self._cursor = cursor
        self._door.reader.keep(source_id, path, state)

    def _capture(self, body: bytes, key: str) -> Capture:
        return capture_of(
            source_id=self._source.source_id,
            channel="cti",
            format=self._source.format,
            body=body,
            accepted_us=self._door.clock(),
            trace_id=self._door.new_id(),
            idem_key=key,
            purpose=self._source.purpose,
            meta={"table": self._source.table},
        )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _naive(value: Any) -> datetime | None:
    """Return a `calldate` as a time on the table's own clock; None for 0000-00-00 and what is no time."""
    return value.replace(tzinfo=None) if isinstance(value, datetime) else None


def engine_of(source: CdrTable) -> Engine:
    """Return a way to the database, which only reads. Raises FetchTrouble."""
    try:
        url: URL = make_url(source.url)
        if source.password_file is not None or source.password_env is not None:
            url = url.set(password=password_of(source.password_file, source.password_env))
    except PasswordMissing as missing:
        raise FetchTrouble("password_missing", str(missing)) from None
    except ArgumentError:
        raise FetchTrouble("bad_source", "url is no address of a database") from None
    kind = url.get_backend_name()
    arguments = dict(_ARGUMENTS[kind])
    if kind == "postgresql":
        arguments["options"] = f"-c timezone={source.zone}"
    try:
        engine = create_engine(url, connect_args=arguments, pool_pre_ping=True, pool_size=1)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise FetchTrouble("driver_missing", f"{error}: pip install leadflow[mysql] or [postgres]") from None
    event.listen(engine, "connect", lambda raw, _record: _only_read(raw, kind))
    return engine


def _only_read(raw: Any, kind: str) -> None:
    cursor = raw.cursor()
    cursor.execute(_READ_ONLY[kind])
    cursor.close()
    if kind == "postgresql":
        raw.commit()


def table_of(engine: Engine, source: CdrTable) -> Table:
    """Return the table as it is there. Raises FetchTrouble if it, or a column that is needed, is missing."""
    schema, _, name = source.table.rpartition(".")
    try:
        table = Table(name, MetaData(), schema=schema or None, autoload_with=engine)
    except NoSuchTableError:
        raise FetchTrouble("table_missing", f"there is no table {source.table}") from None
    except SQLAlchemyError as error:
        raise trouble_of(error) from None
    names = {one.name for one in table.columns}
    if missing := [one for one in ("calldate", *NEEDED) if one not in names]:
        raise FetchTrouble("column_missing", f"{source.table} has no column {', '.join(missing)}")
    return table


def trouble_of(error: SQLAlchemyError) -> FetchTrouble:
    """Return what an error of the database means."""
    original = getattr(error, "orig", None)
    said = str(original if original is not None else error)
    number = original.args[0] if original is not None and original.args else None
    refused = number in (1044, 1045, 1142) or "authentication failed" in said or "permission denied" in said
    return FetchTrouble("login_refused" if refused else "unreachable", " ".join(said.split())[:200])


def count_rows(source: CdrTable) -> int:
    """Return how many rows a table has, for `leadflow doctor`. Raises FetchTrouble."""
    engine = engine_of(source)
    try:
        table = table_of(engine, source)
        with engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(table)).scalar_one())
    except DBAPIError as error:
        raise trouble_of(error) from None
    finally:
        engine.dispose()
