"""The page of campaigns: what they cost and brought, as table, chart and file; names on no list, orders of nobody, and spend to enter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.campaign_files import SHOWN as WRONG_SHOWN
from console.campaign_files import Tables, Took, Upload, most_bytes, take_file
from console.desk import Desk, entered_in, is_larger, is_own_page
from console.desk_found import Answer, find
from console.desk_page import ASKED_CHARS
from console.gate import actor_of, visitor
from console.imports import ListTrouble
from console.recent import PATIENCE_S, Recent, RecentBy
from console.texts import page
from console.times import local
from console.view import View
from sales.aliases import VERB as ALIAS
from sales.aliases import assign_alias, holders, written
from sales.campaign_list import ADD, CHANGE, Wish, add_campaign, change_campaign, state_of
from sales.campaign_table import By, Line, Period
from sales.campaigns import asked_period, campaigns_table
from sales.campaigns_shown import as_csv, as_xlsx, heading, lines, name_of, only_currency, without_money
from sales.money import grouped, shown
from sales.money_files import (
    ORDER_COLUMNS,
    SPEND_COLUMNS,
    WRONG,
    WrongCell,
    heading_in_chinese,
    spending_of,
)
from sales.orders import ASSIGN, assign_order, open_orders
from sales.spend import END, add_spend, end_spend, entries
from sales.spend import VERB as SPEND
from sales.unlisted import unlisted
from schemas.base import Language
from schemas.company import ALIAS_KINDS, Campaign, Company, alias_key
from store.acts import ActRefused, Plan

BYS: tuple[By, ...] = ("campaign", "channel", "source")
SHOWN = 50
"""Names on no list, orders of nobody, entries of spend: the page shows so many; commands show all."""
CSV, XLSX = "text/csv; charset=utf-8", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_REASON_CHARS = 500
KEPT = 30
"""Tables: some periods by three things each."""


@dataclass(frozen=True, slots=True)
class Part:
    """One count of a row, and how long its part is as classes of the style sheet."""

    name: str
    count: int
    size: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of the chart, in parts that end where a count ends: what was won, what was an opportunity, valid, a lead."""

    name: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class CampaignsPage:
    """The table for managers and for whoever sees all, its counts for representatives; what is entered, for marketing."""

    desk: Desk
    tables: Tables | None = None
    """What checks files; without it none are taken."""
    reckoned: RecentBy[tuple[Period, By], list[Line]] = field(default_factory=lambda: RecentBy(KEPT))
    """Tables of late: over a million customers one takes seconds, and each viewer asks for the same."""

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes."""
        return [
            Route("/campaigns", self.show),
            Route("/campaigns.csv", self.csv),
            Route("/campaigns.xlsx", self.xlsx),
            *([Route("/campaigns/file", self.bring, methods=["POST"])] if self.tables else ()),
            Route("/campaigns/{what}", self.act, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The table of a period by campaign, channel or source: both stand in the address."""
        return await run_in_threadpool(self._page, request, None, {}, 200)

    async def csv(self, request: Request) -> Response:
        """The same table as a CSV file."""
        return await run_in_threadpool(self._file, request, "csv")

    async def xlsx(self, request: Request) -> Response:
        """The same table as a workbook."""
        return await run_in_threadpool(self._file, request, "xlsx")

    async def act(self, request: Request) -> Response:
        """Put a campaign on the list or change it, enter or take back spend, assign a name or an order; then show the page again (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        entered = await entered_in(request, 20)
        return await run_in_threadpool(self._act, request, entered)

    async def bring(self, request: Request) -> Response:
        """Take a file of spend or orders in; then show what became of its rows. The same again changes nothing."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        if self.tables is None or is_larger(request, most_bytes(self.tables)):
            return await run_in_threadpool(self._page, request, "too_large_money_file", {}, 413)
        async with request.form(max_files=1, max_fields=10) as posted:
            return await run_in_threadpool(self._bring, request, posted, self.tables)

    def _bring(self, request: Request, posted: FormData, tables: Tables) -> Response:
        entered = {name: text for name, text in posted.items() if isinstance(text, str)}
        entered = {**entered, "what": "file"}
        file = posted.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            return self._page(request, "choose_file", entered, 422)
        if (file.size or 0) > most_bytes(tables):
            return self._page(request, "too_large_money_file", entered, 413)
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
        said = {name: entered.get(name, "") for name in ("kind", "source", "currency")}
        try:
            actor = actor_of(request, entered, company)
            took = take_file(
                self.desk, tables, Upload(file.file, file.filename, actor=actor, **said), company
            )
        except ActRefused as refused:
            return self._page(request, refused.code, entered, 409)
        except ListTrouble as trouble:
            return self._page(request, trouble, entered, 422)
        self.reckoned.forget()
        return self._page(request, None, {**entered, "source": took.source}, 200, took=took)

    def _act(self, request: Request, entered: dict[str, str]) -> Response:
        what = request.path_params["what"]
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
        if what == "order" and not entered.get("customer", "").strip().startswith(_ID):
            return self._choose(request, entered, company)
        try:
            verb, scope, plan = _wanted(what, entered, company)
            actor = actor_of(request, entered, company)
            reason = entered.get("reason", "").strip()[:_REASON_CHARS] or None
            command = self.desk.command(request, entered, verb, actor, scope, reason=reason)
            self.desk.perform_form(request, entered, command, plan)
        except ActRefused as refused:
            return self._page(request, refused.code, {**entered, "what": what}, 409)
        self.reckoned.forget()
        asked = {**_asked(entered), "done": what}
        return RedirectResponse(f"/campaigns?{urlencode(asked)}", status_code=303)

    def _choose(self, request: Request, entered: dict[str, str], company: Company) -> Response:
        """Show who fits what was typed instead of an id: one of them is to be chosen. Whoever enters sees all customers."""
        asked = entered.get("customer", "").strip()[:ASKED_CHARS]
        office = self.desk.offices.get(company)
        with self.desk.store.read() as connection:
            found = find(connection, office, asked, visitor(request), self.desk.clock())
        return self._page(request, None, {**entered, "what": "order"}, 200, found=found)

    def _page(
        self,
        request: Request,
        refused: str | ListTrouble | None,
        entered: Mapping[str, str],
        status: int,
        *,
        took: Took | None = None,
        found: Answer | None = None,
    ) -> Response:
        now_us, who = self.desk.clock(), visitor(request)
        asked = _asked({**request.query_params, **entered})
        code = refused.code if isinstance(refused, ListTrouble) else refused
        done = None if refused else request.query_params.get("done")
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            period, was_wrong = _period(asked, company, now_us)
            by = _by(asked)
            # Names that senders gave, buyers, and who entered what: for whom the house is open.
            names = (
                [one for one in unlisted(connection, company) if one.kind in ALIAS_KINDS]
                if who.sees_all
                else []
            )
            nobodys = open_orders(connection, SHOWN) if who.sees_all else []
            spent = entries(connection, period.first, period.last, SHOWN) if who.sees_all else []
        known = self._reckoned(period, by).within(PATIENCE_S)
        rows = known.value if known else []
        view = View(language_of(request, company.language), company, now_us, who)
        has_money = who.opens("/campaigns.csv")
        kept = list if has_money else without_money
        days = {"from": period.first.isoformat(), "to": period.last.isoformat()}
        values = {
            "view": view,
            "here": urlencode({**days, "by": by}),
            "is_known": known is not None,
            "counted_us": known.said_us(now_us) if known else None,
            "by": by,
            "bys": [(one, f"?{urlencode({**days, 'by': one})}") for one in BYS],
            "days": days,
            "files": {kind: f"/campaigns.{kind}?{urlencode({**days, 'by': by})}" for kind in ("csv", "xlsx")},
            "periods": _periods(period, company, now_us, by),
            "heading": kept(heading(by, view.language)),
            "leads_at": 2 if has_money else 1,
            "brought": [
                f"/customers?{urlencode({'campaign': row.key})}" if row.key in company.campaigns else ""
                for row in (rows if by == "campaign" else ())
            ],
            "has_money": has_money,
            "enters": who.acts("/campaigns/spend"),
            "currency": (currency := only_currency(rows)),
            "table": [
                kept(one)
                for one in lines(rows, by, company, view.language, shown=grouped if currency else shown)
            ],
            "bars": bars(rows, by, company, view),
            "names": names[:SHOWN],
            "nobodys": nobodys,
            "spent": spent,
            "campaigns": [(one.campaign_id, view.named(one)) for one in company.campaigns.values()],
            "actors": []
            if who.person_id
            else [one.person_id for one in company.people.values() if one.state == "active"],
            "new_key": self.desk.new_id,
            "entered": entered,
            "brings": who.acts("/campaigns/file") and self.tables is not None,
            "most_mb": most_bytes(self.tables) // 1024**2 if self.tables else 0,
            **_form(code, entered, request.query_params.get("change", ""), company),
            "took": took,
            "found": found,
            "wrong": list(_wrong_rows(took, view.language)) if took else [],
            "trouble": _told(refused, view.language) if isinstance(refused, ListTrouble) else None,
            "refused": "bad_days" if was_wrong else code,
            "done": done,
            "is_listing": (entered.get("what") or done) in ("add", "change"),
        }
        return page(request, view.language, "campaigns.html", values, 400 if was_wrong else status)

    def _reckoned(self, period: Period, by: By) -> Recent[list[Line]]:
        def find() -> list[Line]:
            with self.desk.store.read() as connection:
                return campaigns_table(connection, period, by)

        return self.reckoned.of((period, by), find)

    def _file(self, request: Request, kind: str) -> Response:
        now_us, asked = self.desk.clock(), _asked(request.query_params)
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            period, was_wrong = _period(asked, company, now_us)
            if was_wrong:
                return Response("from and to are days such as 2026-11-30.\n", status_code=400)
        by = _by(asked)
        rows = self._reckoned(period, by).get().value
        language = language_of(request, company.language)
        made, kind_of = (as_csv, CSV) if kind == "csv" else (as_xlsx, XLSX)
        name = f"campaigns-{period.first}-{period.last}.{kind}"
        headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
        return Response(made(rows, by, company, language), media_type=kind_of, headers=headers)


def bars(rows: Sequence[Line], by: By, company: Company, view: View) -> list[Bar]:
    """Return the chart: each row's leads as a bar, and in it what became of them."""
    most = max((row.leads for row in rows), default=0)
    found = []
    for row in rows:
        counts = (row.won, row.opportunities, row.valid, row.leads)
        ends = [1_000 * count // most if most else 0 for count in counts]
        sizes = [max(0, end - begin) for begin, end in zip([0, *ends], ends, strict=False)]
        parts = tuple(map(Part, ("won", "opportunities", "valid", "leads"), counts, map(size_of, sizes)))
        if row.leads:
            found.append(Bar(_name(row, by, company, view), parts))
    return found


def size_of(thousandths: int) -> str:
    """Return the classes that say how long a part is, a class a digit: the page's policy lets no element say it by itself."""
    tens, rest = divmod(min(thousandths, 1_000), 100)
    return f"tenths-{tens} hundredths-{rest // 10} thousandths-{rest % 10}"


def _name(row: Line, by: By, company: Company, view: View) -> str:
    if by == "channel" and row.key:
        return view.word("CHANNELS", row.key)
    return name_of(row, by, company, view.language)


def _wanted(what: str, entered: Mapping[str, str], company: Company) -> tuple[str, str, Plan]:
    """Return verb, scope and plan of what a form asks for. Raises ActRefused."""
    match what:
        case "spend":
            try:
                entry = spending_of({key: entered.get(key, "").strip() for key in _SPEND}, company, "CNY")
            except WrongCell as wrong:
                raise ActRefused(wrong.code, f"{wrong.column} {wrong.code}") from None
            return SPEND, entry.campaign_id, add_spend(entry, company)
        case "unspend":
            return END, entered.get("spend_id", ""), end_spend()
        case "add":
            return ADD, entered.get("code", "").strip(), add_campaign(_wish(entered), [])
        case "change":
            changed = change_campaign(_wish(entered), entered.get("was", ""), [])
            return CHANGE, entered.get("campaign", ""), changed
        case "alias":
            plan = assign_alias(entered.get("kind", ""), entered.get("value", ""), [])
            return ALIAS, entered.get("campaign", ""), plan
        case "order":
            plan = assign_order(entered.get("order_no", ""), entered.get("source") or None)
            return ASSIGN, entered.get("customer", "").strip(), plan
        case _:
            raise ActRefused("unknown_verb", f"There is no act {what!r}.")


def _wish(entered: Mapping[str, str]) -> Wish:
    """Return the campaign that a form describes: its inputs hold a name a line."""
    aliases = tuple(
        (kind, value)
        for kind in ALIAS_KINDS
        for line in entered.get(f"alias_{kind}", "").splitlines()
        if (value := line.strip())
    )
    return Wish(entered.get("name_zh", ""), entered.get("name_en", ""), aliases)


def _inputs(one: Campaign) -> dict[str, str]:
    """Return what the form of a campaign begins with."""
    names = {
        f"alias_{kind}": "\n".join(written(alias.value) for alias in one.aliases if alias.kind == kind)
        for kind in ALIAS_KINDS
    }
    return {"name_zh": one.name_zh, "name_en": one.name_en, **names}


def _form(refused: str | None, entered: Mapping[str, str], asked: str, company: Company) -> dict[str, Any]:
    """Return what the forms of campaigns need: what was entered into them, and the one that is being changed."""
    is_change = entered.get("what") == "change"
    chosen = company.campaigns.get(entered.get("campaign", "") if is_change else asked)
    code = chosen.campaign_id if chosen else None
    wanted = _wish(entered).aliases if refused == "alias_taken" else ()
    stands = holders(company) if wanted else {}
    held = [(value, stands.get((kind, alias_key(kind, value)))) for kind, value in wanted]
    keeps = is_change and refused != "campaign_changed"
    return {
        "chosen": code,
        "now": _inputs(chosen) if chosen else {},
        "was": entered.get("was", "") if keeps else state_of(chosen) if chosen else "",
        "elsewhere": [(value, one) for value, one in held if one not in (None, code)],
        "alias_kinds": ALIAS_KINDS,
    }


def _wrong_rows(took: Took, language: Language) -> Iterator[tuple[int, str, str, str]]:
    """Yield line, heading, cell and why of the refused rows that are shown."""
    columns = SPEND_COLUMNS if took.kind == "spend" else ORDER_COLUMNS
    for one in took.wrong[:WRONG_SHOWN]:
        en, zh = WRONG[one.code]
        if language == "zh":
            yield one.line, heading_in_chinese(one.column, columns), one.value, zh
        else:
            yield one.line, one.column, one.value, en


def _told(trouble: ListTrouble, language: Language) -> str:
    return trouble.zh if language == "zh" else str(trouble)


_ID = "cus_"
_SPEND = ("campaign", "from", "to", "amount", "currency", "note")


def _asked(given: Mapping[str, str]) -> dict[str, str]:
    """Return what the address says; a form brings it along under names of its own."""
    names = {"from": "period_from", "to": "period_to", "by": "by"}
    is_form = any(name in given for name in ("period_from", "period_to"))
    found = {name: given.get(theirs if is_form else name, "") for name, theirs in names.items()}
    return {name: value for name, value in found.items() if value}


def _period(asked: Mapping[str, str], company: Company, now_us: int) -> tuple[Period, bool]:
    try:
        return asked_period(asked.get("from", ""), asked.get("to", ""), company.zone, now_us), False
    except (ValueError, OverflowError):
        return asked_period("", "", company.zone, now_us), True


def quick_choices(today: date) -> list[tuple[str, date, date]]:
    """Return periods that people often ask for: a code of `words.PERIODS`, the first and the last day."""
    month = today.replace(day=1)
    quarter = today.replace(month=today.month - (today.month - 1) % 3, day=1)
    before = month - timedelta(days=1)
    return [
        ("this_month", month, today),
        ("last_month", before.replace(day=1), before),
        ("this_quarter", quarter, today),
        ("this_year", today.replace(month=1, day=1), today),
    ]


def _periods(period: Period, company: Company, now_us: int, by: By) -> list[tuple[str, str, bool]]:
    """Return the quick choices: code, address, and whether it is the one that is shown."""
    return [
        (
            code,
            f"?{urlencode({'from': first, 'to': last, 'by': by})}",
            (first, last) == (period.first, period.last),
        )
        for code, first, last in quick_choices(local(now_us, company.zone).date())
    ]


def _by(asked: Mapping[str, str]) -> By:
    return next((one for one in BYS if one == asked.get("by")), BYS[0])
