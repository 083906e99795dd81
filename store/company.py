"""Reading the company's data at its current version, and replacing it; every change raises the version."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import orjson
from sqlalchemy import Connection, func, select, update

from schemas.company import (
    Absence,
    Alias,
    Campaign,
    Choice,
    Company,
    Industry,
    Member,
    Person,
    Place,
    Product,
    ProductLine,
    Territory,
    Unit,
    alias_key,
    place_key,
)
from schemas.pools import Pool
from store import tables
from store.bulk import Prepared, insert_ignore

Rows = dict[str, list[dict[str, Any]]]
"""Rows by table."""

SETTINGS = (
    "name", "zone", "language", "default_queue", "responsible_id", "first_response_minutes", "undo_hours", "matching", "grades", "required",
    "score_csv", "segments_csv", "moves_csv", "auto_rest_days", "auto_moves_most",
)  # fmt: skip
"""The keys of table `setting` that are the company's own; others there belong to others."""


POOL_SWEEP = "pool_sweep"
"""The timer on which every owned customer gets its own, from the ladders of the pools; its subject is the company."""

BOOK = ("book_csv", "book_tables", "book_examples", "book_version")
"""The fields of a company that are its rule book."""

_VERSION = Prepared(select(tables.config_version.c.version))


class CompanyCache:
    """Hands out the company as of the transaction at hand; reads it again only when its version rose."""

    def __init__(self) -> None:
        self._company: Company | None = None
        self._lock = threading.Lock()

    @property
    def last(self) -> Company | None:
        """The company as it was last handed out, for work ahead of a transaction; None if it never was."""
        return self._company

    def get(self, connection: Connection) -> Company:
        """Return the company at the version that this connection sees, whichever process published it.

        A writer on PostgreSQL may see a change between two of its reads: then it reads the company once more.
        """
        version = company_version(connection)
        with self._lock:
            company = self._company
            while company is None or company.version != version:
                company = load_company(connection, version)
                version = company_version(connection)
            self._company = company
            return company


def company_version(connection: Connection) -> int:
    """Return the version of the company's data; 0 before anything was set."""
    return int(_VERSION(connection).scalar_one_or_none() or 0)


def load_company(connection: Connection, version: int) -> Company:
    """Read the whole company."""

    def rows(name: str, *order: str) -> list[dict[str, Any]]:
        table = tables.state.tables[name]
        keys = [table.c[key] for key in order] or list(table.primary_key.columns)
        return [dict(row) for row in connection.execute(select(table).order_by(*keys)).mappings()]

    settings = {row["key"]: orjson.loads(row["value_json"]) for row in rows("setting")}
    book = connection.execute(
        select(tables.book).order_by(tables.book.c.number.desc()).limit(1)
    ).one_or_none()
    aliases: dict[str, list[Alias]] = defaultdict(list)
    for row in rows("campaign_alias", "ordinal"):
        aliases[row["campaign_id"]].append(Alias(kind=row["kind"], value=row["value"]))
    places: dict[str, list[Place]] = defaultdict(list)
    for row in rows("territory_place", "ordinal"):
        places[row["territory_id"]].append(Place(province=row["province"], city=row["city"]))
    sources: dict[bool, dict[str, dict[str, Any]]] = {True: {}, False: {}}
    for row in rows("source"):
        sources[bool(row["enabled"])][row["source_id"]] = orjson.loads(row["settings_json"])
    sinks: dict[bool, dict[str, dict[str, Any]]] = {True: {}, False: {}}
    for row in rows("sink"):
        sinks[bool(row["enabled"])][row["sink_id"]] = orjson.loads(row["settings_json"])
    return Company(
        version=version,
        **{key: value for key, value in settings.items() if key in SETTINGS},
        units={row["unit_id"]: Unit(**row) for row in rows("unit")},
        people={row["person_id"]: _person(row) for row in rows("person")},
        members=tuple(Member(**row) for row in rows("member")),
        absences=tuple(Absence(**row) for row in rows("absence")),
        lines={row["line_id"]: ProductLine(**_with_aliases(row)) for row in rows("product_line")},
        products={row["product_id"]: Product(**_with_aliases(row)) for row in rows("product")},
        industries={row["industry_id"]: Industry(**_with_aliases(row)) for row in rows("industry")},
        campaigns={
            row["campaign_id"]: Campaign(**row, aliases=tuple(aliases[row["campaign_id"]]))
            for row in rows("campaign")
        },
        territories={
            row["territory_id"]: Territory(**row, places=tuple(places[row["territory_id"]]))
            for row in rows("territory")
        },
        choices=tuple(_choice(row) for row in rows("choice", "list", "ordinal")),
        pools={row["pool_id"]: _pool(row) for row in rows("pool", "ordinal")},
        calendars={row["calendar_id"]: orjson.loads(row["calendar_json"]) for row in rows("calendar")},
        sources=sources[True],
        sources_off=sources[False],
        sinks=sinks[True],
        sinks_off=sinks[False],
        book_version=book.version if book else None,
        book_csv=book.csv if book else None,
        book_tables=orjson.loads(book.tables_json) if book else {},
        book_examples=book.examples_csv if book else None,
    )


def last_book_number(connection: Connection) -> int:
    """Return the number of the rule book in force; 0 if none ever was."""
    return int(connection.execute(select(func.max(tables.book.c.number))).scalar_one_or_none() or 0)


def load_book(connection: Connection, number: int) -> dict[str, Any] | None:
    """Return a rule book that is or was in force: its `csv`, `tables` and `examples`; None if there is none."""
    book = tables.book
    row = connection.execute(select(book).where(book.c.number == number)).one_or_none()
    if row is None:
        return None
    return {"csv": row.csv, "tables": orjson.loads(row.tables_json), "examples": row.examples_csv}


def number_by(connection: Connection, act_id: str) -> int | None:
    """Return the number under which an act put a rule book in force; None if it changed nothing."""
    book = tables.book
    return connection.execute(select(book.c.number).where(book.c.act_id == act_id)).scalar_one_or_none()


def list_books(
    connection: Connection, limit: int | None = None, before: int | None = None
) -> list[dict[str, Any]]:
    """Return every rule book that is or was in force, the newest first: number, version, when, and whose act it was.

    `before`: only those before that number.
    """
    book, act = tables.book, tables.act
    query = (
        select(book.c.number, book.c.version, book.c.published_us, act.c.actor, act.c.reason)
        .outerjoin(act, act.c.act_id == book.c.act_id)
        .order_by(book.c.number.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(book.c.number < before)
    return [dict(row) for row in connection.execute(query).mappings()]


def raise_version(connection: Connection) -> None:
    """Tell every reader that the company's data changed. To be called in the changing transaction."""
    insert_ignore(connection, tables.config_version, [{"one": 1, "version": 0}])
    table = tables.config_version
    connection.execute(update(table).values(version=table.c.version + 1))


def put_company(connection: Connection, company: Company, now_us: int) -> None:
    """Write a company's data over what is there: rows of the same key are replaced, others stay."""
    for name, rows in rows_of(company).items():
        _delete(connection, name, rows)
        insert_ignore(connection, tables.state.tables[name], rows)
    _begin_sweep(connection, company, now_us)
    _publish_book(connection, company, now_us, None)
    raise_version(connection)


def replace_company(
    connection: Connection, old: Company, new: Company, now_us: int, act_id: str | None = None
) -> bool:
    """Turn the stored `old` company into `new`, touching only rows that differ; return whether any did.

    What is not in `new` is removed, without asking: see sales.apply for what must stay. A `book_csv` of
    None leaves the rule book in force as it is.
    """
    before, after = rows_of(old), rows_of(new)
    gone, come = _only_in(before, after), _only_in(after, before)
    new_book = new.book_csv is not None and any(getattr(new, one) != getattr(old, one) for one in BOOK)
    if not new_book and not any(gone.values()) and not any(come.values()):
        return False
    for name, rows in gone.items():
        _delete(connection, name, rows)
    for name, rows in come.items():
        insert_ignore(connection, tables.state.tables[name], rows)
    if gone["pool"] or come["pool"]:
        _begin_sweep(connection, new, now_us)
    if new_book:
        _publish_book(connection, new, now_us, act_id)
    raise_version(connection)
    return True


def rows_of(company: Company) -> Rows:
    """Return a company as rows of its tables, all but the rule book, which is published, not replaced."""
    settings = company.model_dump(include=set(SETTINGS))
    return {
        "setting": [{"key": key, "value_json": _json(settings[key])} for key in SETTINGS],
        "unit": [unit.model_dump() for unit in company.units.values()],
        "person": [_person_row(person) for person in company.people.values()],
        "member": [member.model_dump() for member in company.members],
        "absence": [absence.model_dump() for absence in company.absences],
        "product_line": [_without_aliases(line.model_dump()) for line in company.lines.values()],
        "product": [_without_aliases(product.model_dump()) for product in company.products.values()],
        "industry": [_without_aliases(one.model_dump()) for one in company.industries.values()],
        "campaign": [one.model_dump(exclude={"aliases"}) for one in company.campaigns.values()],
        "campaign_alias": [
            {
                "kind": alias.kind,
                "alias_key": alias_key(alias.kind, alias.value),
                "value": alias.value,
                "campaign_id": one.campaign_id,
                "ordinal": ordinal,
            }
            for one in company.campaigns.values()
            for ordinal, alias in enumerate(one.aliases)
        ],
        "territory": [one.model_dump(exclude={"places"}) for one in company.territories.values()],
        "territory_place": [
            {
                "province_key": place_key(place.province),
                "city_key": place_key(place.city) if place.city else "",
                "province": place.province,
                "city": place.city,
                "territory_id": one.territory_id,
                "ordinal": ordinal,
            }
            for one in company.territories.values()
            for ordinal, place in enumerate(one.places)
        ],
        "choice": list(_choice_rows(company.choices)),
        "pool": [_pool_row(one, ordinal) for ordinal, one in enumerate(company.pools.values())],
        "calendar": [
            {"calendar_id": key, "calendar_json": _json(value)} for key, value in company.calendars.items()
        ],
        "source": [
            {
                "source_id": settings["source_id"],
                "channel": settings["channel"],
                "format": settings["format"],
                "settings_json": _json(settings),
                "enabled": enabled,
            }
            for enabled, sources in ((True, company.sources), (False, company.sources_off))
            for settings in sources.values()
        ],
        "sink": [
            {
                "sink_id": settings["sink_id"],
                "kind": settings["kind"],
                "settings_json": _json(settings),
                "enabled": enabled,
            }
            for enabled, sinks in ((True, company.sinks), (False, company.sinks_off))
            for settings in sinks.values()
        ],
    }


def _only_in(some: Rows, others: Rows) -> Rows:
    known = {name: {_json(row) for row in rows} for name, rows in others.items()}
    return {name: [row for row in rows if _json(row) not in known[name]] for name, rows in some.items()}


def _begin_sweep(connection: Connection, company: Company, now_us: int) -> None:
    if any(pool.reclaim != "no" for pool in company.pools.values()):
        row = {"kind": POOL_SWEEP, "subject_id": "company", "due_us": now_us}
        insert_ignore(connection, tables.timer, [row])


def _publish_book(connection: Connection, company: Company, now_us: int, act_id: str | None) -> None:
    """Put a rule book in force, under the next number."""
    if company.book_csv is None or company.book_version is None:
        return
    row = {
        "number": last_book_number(connection) + 1,
        "version": company.book_version,
        "csv": company.book_csv,
        "tables_json": _json(company.book_tables),
        "examples_csv": company.book_examples,
        "published_us": now_us,
        "act_id": act_id,
    }
    insert_ignore(connection, tables.book, [row])


def _delete(connection: Connection, name: str, rows: Iterable[dict[str, Any]]) -> None:
    table = tables.state.tables[name]
    keys = list(table.primary_key.columns)
    for row in rows:
        connection.execute(table.delete().where(*(key == row[key.name] for key in keys)))


def _choice_rows(choices: Iterable[Choice]) -> Iterable[dict[str, Any]]:
    counts: dict[str, int] = defaultdict(int)
    for one in choices:
        row = one.model_dump(exclude={"retry_minutes", "wake_days"})
        steps = {"retry_json": _json(one.retry_minutes), "wake_json": _json(one.wake_days)}
        yield {**row, "ordinal": counts[one.list], **steps}
        counts[one.list] += 1


def _choice(row: dict[str, Any]) -> Choice:
    kept = {key: row[key] for key in ("list", "code", "name_zh", "name_en")}
    retry, wake = (tuple(orjson.loads(row[name])) for name in ("retry_json", "wake_json"))
    return Choice(**kept, retry_minutes=retry, wake_days=wake)


_POOL_LISTS = ("units", "ladder", "grades", "lines")


def _pool(row: dict[str, Any]) -> Pool:
    lists = {name: tuple(orjson.loads(row.pop(f"{name}_json"))) for name in _POOL_LISTS}
    return Pool(**{key: value for key, value in row.items() if key != "ordinal"}, **lists)


def _pool_row(pool: Pool, ordinal: int) -> dict[str, Any]:
    row = {**pool.model_dump(), "ordinal": ordinal}
    return {**row, **{f"{name}_json": _json(row.pop(name)) for name in _POOL_LISTS}}


_LISTS = ("skills", "languages", "lines", "territories", "roles")


def _person(row: dict[str, Any]) -> Person:
    lists = {name: tuple(orjson.loads(row.pop(f"{name}_json"))) for name in _LISTS}
    return Person(**row, **lists)


def _person_row(person: Person) -> dict[str, Any]:
    row = person.model_dump()
    return {**row, **{f"{name}_json": _json(row.pop(name)) for name in _LISTS}}


def _with_aliases(row: dict[str, Any]) -> dict[str, Any]:
    aliases = row.pop("aliases_json")
    return {**row, "aliases": tuple(orjson.loads(aliases))}


def _without_aliases(values: dict[str, Any]) -> dict[str, Any]:
    aliases = values.pop("aliases")
    return {**values, "aliases_json": _json(aliases)}


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
