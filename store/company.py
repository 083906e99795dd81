"""Reading the company's data at its current version, and replacing it; every change raises the version."""

from __future__ import annotations

import threading
from typing import Any

import orjson
from sqlalchemy import Connection, select, update

from schemas.company import Absence, Company, Member, Person, Unit
from store import tables
from store.bulk import insert_ignore


class CompanyCache:
    """Hands out the company as of the transaction at hand; reads it again only when its version rose."""

    def __init__(self) -> None:
        self._company: Company | None = None
        self._lock = threading.Lock()

    def get(self, connection: Connection) -> Company:
        """Return the company at the version that this connection sees."""
        version = company_version(connection)
        with self._lock:
            if self._company is None or self._company.version != version:
                self._company = load_company(connection, version)
            return self._company


def company_version(connection: Connection) -> int:
    """Return the version of the company's data; 0 before anything was set."""
    return int(connection.execute(select(tables.config_version.c.version)).scalar_one_or_none() or 0)


def load_company(connection: Connection, version: int) -> Company:
    """Read the whole company."""

    def rows(name: str) -> list[dict[str, Any]]:
        table = tables.state.tables[name]
        ordered = select(table).order_by(*table.primary_key.columns)
        return [dict(row._mapping) for row in connection.execute(ordered)]

    settings = {row["key"]: orjson.loads(row["value_json"]) for row in rows("setting")}
    book = connection.execute(
        select(tables.book.c.version, tables.book.c.csv)
        .order_by(tables.book.c.published_us.desc(), tables.book.c.version.desc())
        .limit(1)
    ).one_or_none()
    return Company(
        version=version,
        **settings,
        units={row["unit_id"]: Unit(**row) for row in rows("unit")},
        people={row["person_id"]: Person(**row) for row in rows("person")},
        members=tuple(Member(**row) for row in rows("member")),
        absences=tuple(Absence(**row) for row in rows("absence")),
        calendars={row["calendar_id"]: orjson.loads(row["calendar_json"]) for row in rows("calendar")},
        sources={
            row["source_id"]: orjson.loads(row["settings_json"]) for row in rows("source") if row["enabled"]
        },
        book_version=book.version if book else None,
        book_csv=book.csv if book else None,
    )


def raise_version(connection: Connection) -> None:
    """Tell every reader that the company's data changed. To be called in the changing transaction."""
    insert_ignore(connection, tables.config_version, [{"one": 1, "version": 0}])
    table = tables.config_version
    connection.execute(update(table).values(version=table.c.version + 1))


def put_company(connection: Connection, company: Company, now_us: int) -> None:
    """Write a company's data over what is there: rows of the same key are replaced, others stay."""
    settings = company.model_dump(
        include={"name", "zone", "language", "default_queue", "responsible_id", "first_response_minutes"}
    )
    _replace(
        connection,
        "setting",
        [{"key": key, "value_json": orjson.dumps(value).decode()} for key, value in settings.items()],
    )
    _replace(connection, "unit", [unit.model_dump() for unit in company.units.values()])
    _replace(connection, "person", [person.model_dump() for person in company.people.values()])
    _replace(connection, "member", [member.model_dump() for member in company.members])
    _replace(connection, "absence", [absence.model_dump() for absence in company.absences])
    _replace(
        connection,
        "calendar",
        [
            {"calendar_id": key, "calendar_json": orjson.dumps(value).decode()}
            for key, value in company.calendars.items()
        ],
    )
    _replace(connection, "source", [_source_row(settings) for settings in company.sources.values()])
    if company.book_csv is not None and company.book_version is not None:
        insert_ignore(
            connection,
            tables.book,
            [{"version": company.book_version, "csv": company.book_csv, "published_us": now_us}],
        )
    raise_version(connection)


def _source_row(settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "source_id": settings["source_id"],
        "channel": settings["channel"],
        "format": settings["format"],
        "settings_json": orjson.dumps(settings).decode(),
        "enabled": True,
    }


def _replace(connection: Connection, name: str, rows: list[dict[str, Any]]) -> None:
    table = tables.state.tables[name]
    keys = [column.name for column in table.primary_key.columns]
    for row in rows:
        condition = [table.c[key] == row[key] for key in keys]
        connection.execute(table.delete().where(*condition))
    insert_ignore(connection, table, rows)
