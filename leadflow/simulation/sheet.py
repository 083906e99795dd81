"""Day one: last month's leads with their owners, from a spreadsheet, as a history; nothing has to be switched on for it.

Each row becomes a lead, and the resolve stage itself recognises the customers, in a store that is made for it in a
folder of its own and thrown away afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from sqlalchemy import select

from enrich.gateway import ResolveStage
from enrich.taken import department_of
from leadflow.pipeline import STORE_TOPICS
from leadflow.simulation.run import Collision
from router.route import Holder
from router.simulate import Came, Place
from sales.cells import DAY, CellError
from sales.lead_facts import facts_of_row
from sales.problems import CompanyError
from sales.tables import read_table
from schemas.base import Channel, Language
from schemas.company import Company
from schemas.decision_table import address
from schemas.events import Event, event_of
from schemas.ids import make_id
from schemas.lead import CampaignHint, FieldName, FieldValue, Lead, lead_id_of
from store import tables
from store.company import CompanyCache, put_company
from store.database import Database, open_sqlite
from store.migrate import migrate
from store.present import present, with_alias
from stream.host import StageHost
from stream.log import SqlLog, SqlReader
from stream.seal import KeyRing
from worktime.localtime import zone_of

FIELDS: Mapping[FieldName, tuple[str, ...]] = {
    "full_name": ("name", "姓名", "联系人", "客户姓名"),
    "company": ("客户公司", "公司", "公司名称", "单位名称"),
    "phone": ("mobile", "电话", "手机", "手机号", "联系电话"),
    "email": ("mail", "邮箱", "电子邮件"),
    "tax_id": ("税号", "统一社会信用代码"),
    "city": ("城市", "市"),
    "region": ("province", "省份", "省", "地区"),
    "address": ("地址",),
    "product": ("产品",),
    "industry": ("行业",),
    "message": ("留言", "需求", "内容", "备注"),
}
"""Columns that hold a field of the lead, with their other names; the field's own name is one, too."""
MORE: Mapping[str, tuple[str, ...]] = {
    "came_at": ("date", "time", "created", "时间", "来访时间", "创建时间", "日期"),
    "owner": ("负责人", "销售", "归属人"),
    "department": ("team", "unit", "部门", "团队", "小组", "归属部门"),
    "source": ("接入渠道", "来源"),
    "channel": ("渠道",),
    "campaign": ("市场活动",),
    "language": ("语言",),
}
"""All other columns; any further ones are left alone."""
CHANNELS: Mapping[str, Channel] = {
    **{one: one for one in get_args(Channel)},
    "网页": "web",
    "邮件": "email",
    "来电": "cti",
    "电话": "cti",
    "前台": "counter",
    "名单": "list",
}
_LANGUAGES: Mapping[str, Language] = {"zh": "zh", "en": "en", "中文": "zh", "英文": "en"}


class SheetError(ValueError):
    """The sheet cannot be used: everything that is wrong with it, in English and Chinese."""

    def __init__(self, wrong: Iterable[tuple[str, str]]) -> None:
        self.wrong = tuple(wrong)
        super().__init__("\n".join(en for en, _ in self.wrong))


@dataclass(frozen=True, slots=True)
class Row:
    """One lead of the sheet: where it stands, its cells by column, and when it came."""

    line: int
    cells: Mapping[str, str]
    at_us: int

    @property
    def lead_id(self) -> str:
        return lead_id_of(make_id("cap", "sheet", self.line), self.at_us)


@dataclass
class Sheet:
    """A sheet read by a company: its leads in the order of time, each with its customer."""

    company: Company
    rows: list[Row]
    leads: list[Came] = field(default_factory=list)

    @property
    def since_us(self) -> int:
        return self.rows[0].at_us

    @property
    def until_us(self) -> int:
        return self.rows[-1].at_us + 1

    def collisions(self, would: Mapping[str, Holder]) -> list[Collision]:
        """Return the customers that several departments had, by the sheet; `would`: who would have each lead."""
        by_customer: dict[str, list[tuple[Row, Came]]] = {}
        for row, came in zip(self.rows, self.leads, strict=True):
            by_customer.setdefault(came.customer_id, []).append((row, came))
        found = []
        for several in by_customer.values():
            departments = dict.fromkeys(one for row, _ in several if (one := self._department(row)))
            if len(departments) > 1:
                named = (row.cells.get("company") or row.cells.get("full_name") for row, _ in several)
                lines = tuple(sorted(row.line for row, _ in several))
                owners = dict.fromkeys(came.was.holder.holder_id for _, came in several)
                name = next(filter(None, named), several[0][1].customer_id)
                last = would[several[-1][1].lead_id].holder_id
                found.append(Collision(name, tuple(departments), tuple(owners), lines, last))
        return found

    def _department(self, row: Row) -> str | None:
        if stated := row.cells.get("department"):
            unit_id = _unit(self.company, stated)
            return (department_of(self.company, unit_id) or unit_id) if unit_id else stated
        person_id = _person(self.company, row.cells.get("owner", ""))
        return department_of(self.company, person_id) if person_id else None


def read_sheet(path: Path, company: Company) -> Sheet:
    """Read a CSV or XLSX file of leads, and recognise their customers. Raises SheetError."""
    sheet = Sheet(company, sorted(_rows(path, company), key=lambda row: (row.at_us, row.line)))
    with TemporaryDirectory(prefix="leadflow-") as folder:
        store = open_sqlite(Path(folder) / "store.db")
        try:
            _recognise(store, sheet)
            sheet.leads = list(_leads(store, sheet))
        finally:
            store.close()
    return sheet


def _rows(path: Path, company: Company) -> Iterator[Row]:
    try:
        table = read_table(path.read_bytes(), path.name)
    except OSError as error:
        raise SheetError([(f"{path}: {error.strerror}", f"无法读取 {path}：{error.strerror}")]) from error
    except CompanyError as error:
        raise SheetError([(one.text("en"), one.text("zh")) for one in error.problems]) from error
    header = [_column(cell) for cell in table[0].cells] if table else []
    if "came_at" not in header or not set(header) & {"phone", "email", "full_name", "company"}:
        raise SheetError([
            ("It needs a column came_at, and one of name, company, phone, email", "缺少列：时间，以及 姓名、公司、电话、邮箱 之一")
        ])  # fmt: skip
    if len(table) < 2:
        raise SheetError([(f"{path} holds no lead", f"{path} 中没有线索")])
    wrong: list[tuple[str, str]] = []
    rows = []
    zone = zone_of(company.zone)
    for one in table[1:]:
        cells = {name: cell for name, cell in zip(header, one.cells, strict=False) if name and cell}
        try:
            at_us = DAY.read(cells.get("came_at", "").replace("/", "-"), zone)
        except CellError:
            where = address(header.index("came_at"), one.line)
            value = cells.get("came_at", "")
            wrong.append((
                f"line {one.line}, column came_at ({where}): {value!r} is no moment such as 2026-11-30 14:05",
                f"第 {one.line} 行，时间列（{where}）：{value} 不是 2026-11-30 14:05 这样的时间",
            ))  # fmt: skip
            continue
        rows.append(Row(one.line, cells, at_us))
    if wrong:
        raise SheetError(wrong)
    yield from rows


def _column(cell: str) -> str:
    plain = cell.strip().casefold()
    for names in (FIELDS, MORE):
        for name, others in names.items():
            if plain == name or plain in others:
                return name
    return ""


def _recognise(store: Database, sheet: Sheet) -> None:
    """Have the resolve stage find the customers of a sheet's leads, as it would live."""
    migrate(store, "state")
    log = SqlLog(tables.log, tables.topic_head, KeyRing(os.urandom(32), lambda _ids: {}))
    events = [_event(_lead(row, sheet.company)) for row in sheet.rows]
    with store.write() as connection:
        put_company(connection, sheet.company, sheet.since_us)
        log.create(connection, STORE_TOPICS, "sheet")
        log.append(connection, "leads", events, sheet.since_us)
    reader = SqlReader(store, log)
    host: StageHost[Any, Any] = StageHost(
        ResolveStage(CompanyCache()), dict.fromkeys(STORE_TOPICS, reader), store, log, _own_time
    )
    while host.run_once():
        pass


def _leads(store: Database, sheet: Sheet) -> Iterator[Came]:
    lead, member, customer = tables.lead, tables.membership, tables.customer
    now = present(member.c.customer_id)
    found = (
        select(lead, now.label("customer_id"), customer.c.kind.label("customer_kind"), customer.c.born_lead)
        .select_from(
            with_alias(lead.join(member, member.c.lead_id == lead.c.lead_id), member.c.customer_id).join(
                customer, customer.c.customer_id == now
            )
        )
        .where(member.c.to_us.is_(None))
    )
    with store.read() as connection:
        resolved = {row.lead_id: row for row in connection.execute(found)}
    for row in sheet.rows:
        one = resolved.get(row.lead_id)
        if one is None:
            raise SheetError(
                [(f"line {row.line}: it cannot be read as a lead", f"第 {row.line} 行：无法作为线索读取")]
            )
        facts = facts_of_row(one, sheet.company, is_new=one.born_lead == row.lead_id)
        was = Place(_had(sheet.company, row), owner_us=row.at_us)
        yield Came(row.at_us, row.lead_id, one.customer_id, row.lead_id, facts, was)


def _had(company: Company, row: Row) -> Holder:
    owner, department = row.cells.get("owner", ""), row.cells.get("department", "")
    if owner:
        return Holder("person", _person(company, owner) or owner)
    return Holder("queue", _unit(company, department) or department or "-")


def _person(company: Company, name: str) -> str | None:
    if name in company.people:
        return name
    people = company.people.values()
    return next((one.person_id for one in people if name and name in (one.name, one.name_en)), None)


def _unit(company: Company, name: str) -> str | None:
    if name in company.units:
        return name
    units = company.units.values()
    return next((one.unit_id for one in units if name and name in (one.name_zh, one.name_en)), None)


def _lead(row: Row, company: Company) -> Lead:
    source = _source(row, company)
    campaign = row.cells.get("campaign")
    stated = company.campaigns.get(campaign or "")
    hints = [CampaignHint(kind=one.kind, value=one.value) for one in stated.aliases[:1]] if stated else []
    if campaign and not hints:
        hints = [CampaignHint(kind="tag", value=campaign)]
    return Lead(
        lead_id=row.lead_id,
        capture_id=make_id("cap", "sheet", row.line),
        source_id=source["source_id"],
        channel=source["channel"],
        kind="enquiry",
        purpose="real",
        trace_id=f"{row.line:032x}",
        occurred_us=None,
        accepted_us=row.at_us,
        fields=tuple(
            FieldValue(name=name, received=row.cells[name], origin=f"list:{name}")
            for name in FIELDS
            if name in row.cells
        ),
        hints=tuple(hints),
        language=_LANGUAGES.get(row.cells.get("language", ""), source.get("language")),
    )


def _source(row: Row, company: Company) -> Mapping[str, Any]:
    """Return the source that a row names, else the first of its channel, else the first there is."""
    sources = {**company.sources, **company.sources_off}
    stated = row.cells.get("source", "")
    if stated in sources:
        return sources[stated]
    channel = CHANNELS.get(row.cells.get("channel", "").casefold())
    fitting = [one for one in sources.values() if one["name"] == stated]
    fitting += [one for one in sources.values() if channel in (None, one["channel"])]
    nothing = {"source_id": "list", "channel": channel or "web", "language": company.language}
    return fitting[0] if fitting else nothing


def _event(lead: Lead) -> Event:
    return event_of(
        lead,
        source="/stages/parse",
        source_id=lead.source_id,
        subject=lead.lead_id,
        key=lead.lead_id,
        time_us=lead.accepted_us,
        trace_id=lead.trace_id,
        purpose="real",
        key_id=None,
        cause=lead.capture_id,
    )


def _own_time(event: Event) -> int:
    return event.time_us
