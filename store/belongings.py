"""Everything in this house that belongs to a person, or names them: what has to go to others before they leave."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from schemas.company import Company
from store import tables
from store.pools import claims_of


@dataclass(frozen=True, slots=True, order=True)
class Belonging:
    """One thing of a person's: what it is, and its id."""

    kind: str
    object_id: str


KINDS: Mapping[str, tuple[str, str]] = {
    "customer": ("customer", "客户"),
    "task": ("open task", "未完成的待办"),
    "pool_claim": ("customer claimed from an open pool", "从公海领取的客户"),
    "collaboration": ("collaboration on a customer", "协作的客户"),
    "claim": ("claim on a customer", "对客户的报备或要求"),
    "access": ("token, link or session", "令牌、链接或会话"),
    "unit_manager": ("manager of a unit: units.csv, column manager", "单位主管：units.csv 的 manager 列"),
    "stand_in": (
        "stands in for somebody away: absences.csv, column stand_in",
        "请假代管人：absences.csv 的 stand_in 列",
    ),
    "responsible": (
        "answers for the default queue: company.toml, responsible",
        "默认待分配负责人：company.toml 的 responsible",
    ),
    "rule_book": ("named in the rule book: rules.csv", "分配规则中提到：rules.csv"),
    "move_rule": ("named in an automatic move: moves.csv", "自动改派规则中提到：moves.csv"),
    "segment": ("named in a segment: segments.csv", "客群中提到：segments.csv"),
    "source": ("named in a source's settings: company.toml", "接入渠道设置中提到：company.toml"),
    "sink": ("named in a sink's settings: company.toml", "推送设置中提到：company.toml"),
}
"""What there is, and where it stands, in both languages."""
DUTIES = ("unit_manager", "stand_in", "responsible")
"""What goes over to whoever takes the duties."""
MENTIONS = ("rule_book", "move_rule", "segment", "source", "sink")
"""What a person has to change in the company's files: only they know what it should say instead."""


def belongings(connection: Connection, company: Company, person_id: str, now_us: int) -> list[Belonging]:
    """Return everything that is a person's now, in order."""
    return sorted({*_rows(connection, person_id, now_us), *_of_company(company, person_id, now_us)})


def _rows(connection: Connection, person_id: str, now_us: int) -> Iterator[Belonging]:
    holding, task, access = tables.holding, tables.task, tables.access
    holds = (holding.c.holder_kind == "person", holding.c.holder_id == person_id, holding.c.to_us.is_(None))
    for row in connection.execute(select(holding.c.customer_id, holding.c.role).where(*holds)):
        yield Belonging("customer" if row.role == "owner" else "collaboration", row.customer_id)
    for one in claims_of(connection, person_id):
        yield Belonging("pool_claim", one.customer_id)
    mine = (task.c.holder_id == person_id, task.c.holder_kind == "person", task.c.state == "open")
    for task_id in connection.execute(select(task.c.task_id).where(*mine)).scalars():
        yield Belonging("task", task_id)
    claim = tables.claim
    claims = select(claim.c.claim_id).where(claim.c.claimant_id == person_id, claim.c.state == "open")
    for claim_id in connection.execute(claims).scalars():
        yield Belonging("claim", claim_id)
    valid = (access.c.person_id == person_id, access.c.ended_us.is_(None), access.c.expires_us > now_us)
    for access_id in connection.execute(select(access.c.access_id).where(*valid)).scalars():
        yield Belonging("access", access_id)


def _of_company(company: Company, person_id: str, now_us: int) -> Iterator[Belonging]:
    for unit in company.units.values():
        if unit.manager_id == person_id:
            yield Belonging("unit_manager", unit.unit_id)
    for away in company.absences:
        if away.stand_in_id == person_id and away.to_us > now_us and away.person_id != person_id:
            yield Belonging("stand_in", f"{away.person_id}@{away.from_us}")
    if company.responsible_id == person_id:
        yield Belonging("responsible", company.default_queue)
    yield from _rules_that_name(company, person_id)
    known = company.people.get(person_id)
    names = {person_id, *([known.email] if known and known.email else [])}
    for source_id, settings in company.sources.items():
        if _says(settings, names):
            yield Belonging("source", source_id)
    for sink_id, settings in company.sinks.items():
        if _says(settings, names):
            yield Belonging("sink", sink_id)


def _rules_that_name(company: Company, person_id: str) -> Iterator[Belonging]:
    for name, table in {"": company.book_csv, **company.book_tables}.items():
        for row_name in _rows_that_name(table, person_id):
            yield Belonging("rule_book", f"{name}/{row_name}" if name else row_name)
    for row_name in _rows_that_name(company.segments_csv, person_id):
        yield Belonging("segment", row_name)
    for row_name in _rows_that_name(company.moves_csv, person_id):
        yield Belonging("move_rule", row_name)


_BETWEEN = re.compile(r"[(),;:（），、；：]")
"""What stands between the codes of a cell: a list, `not(…)`, `fixed:…`."""


def _rows_that_name(table: str | None, person_id: str) -> Iterator[str]:
    """Yield the rows of a table in one of whose cells a person's code stands, alone or in a list."""
    for row in csv.DictReader(io.StringIO((table or "").lstrip("\ufeff"))):
        cells = [cell for cell in row.values() if isinstance(cell, str)]
        for cell in cells[1:]:
            if person_id in {one.strip().strip('"') for one in _BETWEEN.split(cell)}:
                yield cells[0]
                break


def _says(settings: Any, names: set[str]) -> bool:
    if isinstance(settings, Mapping):
        return any(_says(one, names) for one in settings.values())
    if isinstance(settings, (list, tuple)):
        return any(_says(one, names) for one in settings)
    return isinstance(settings, str) and settings in names
