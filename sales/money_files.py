"""Lists of orders and of what campaigns cost, as spreadsheets: headings in Chinese or English, bad rows told one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from sales.cells import DAY, CellError
from sales.money import MoneyError, read_amount
from sales.problems import CompanyError, problem
from sales.spend import Spending
from sales.tables import read_table
from schemas.company import Company
from schemas.orders import Buyer, OrderRow
from schemas.text import storable
from store.acts import ActRefused
from worktime.localtime import wall_clock, zone_of

ORDER_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "order_no": ("order", "order number", "order no", "order no.", "订单号", "订单编号", "单号"),
    "date": ("ordered", "order date", "日期", "下单日期", "订单日期", "成交日期"),
    "product": ("产品", "产品名称", "商品", "型号"),
    "amount": ("total", "金额", "订单金额", "成交金额", "价格"),
    "currency": ("币种",),
    "status": ("state", "状态", "订单状态"),
    "updated": ("changed", "更新时间", "修改时间"),
    "customer": ("customer id", "客户编号"),
    "lead": ("lead id", "receipt", "线索编号"),
    "full_name": ("name", "contact", "姓名", "联系人", "客户姓名"),
    "company": ("customer name", "公司", "公司名称", "客户名称", "客户"),
    "phone": ("mobile", "tel", "电话", "手机", "手机号", "联系电话"),
    "email": ("mail", "邮箱", "电子邮件"),
    "tax_id": ("税号", "统一社会信用代码"),
}
SPEND_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "campaign": ("市场活动", "活动", "活动代码", "推广计划"),
    "from": ("from day", "start", "date", "day", "month", "开始日期", "开始", "日期", "起", "月份"),
    "to": ("to day", "end", "结束日期", "结束", "止"),
    "amount": ("spend", "cost", "金额", "花费", "消费", "费用"),
    "currency": ("币种",),
    "note": ("备注", "说明"),
}
_CANCELLED = frozenset(
    "cancelled canceled void returned refunded 取消 已取消 作废 已作废 退货 已退货 退款 已退款".split()
)
_PLACED = frozenset(
    "placed paid open new confirmed shipped done 有效 已下单 已付款 已确认 已发货 已完成 完成 正常".split()
)


@dataclass(frozen=True, slots=True)
class Wrong:
    """A row that cannot be taken: its line, the column, and a code of `WRONG`."""

    line: int
    column: str
    code: str
    value: str


WRONG: Mapping[str, tuple[str, str]] = {
    "missing": ("is missing", "缺失"),
    "date_form": ("is no day such as 2026-11-30", "不是 2026-11-30 这样的日期"),
    "amount_form": ("is no amount such as 1234.50", "不是 1234.50 这样的金额"),
    "currency_form": ("is no currency such as CNY", "不是 CNY 这样的币种"),
    "status_form": ("is neither placed nor cancelled", "既不是有效也不是取消"),
    "mixed": ("differs within one order", "在同一订单内不一致"),
    "unknown_campaign": ("is no campaign of campaigns.csv", "不在 campaigns.csv 中"),
    "cell_too_long": ("is longer than 500 signs", "超过 500 个字符"),
    "days_reversed": ("lies before the first day", "早于开始日期"),
}


_CELL_CHARS = 500
"""More than any number, name or note has; a cell of a hundred thousand is no order's number."""


class WrongCell(ValueError):
    """A cell does not hold what its column is for; `code` is one of `WRONG`."""

    def __init__(self, column: str, code: str, value: str = "") -> None:
        super().__init__(code)
        self.column, self.code, self.value = column, code, value


def read_orders(
    data: bytes, file: str, company: Company, currency: str
) -> tuple[list[OrderRow], list[Wrong]]:
    """Read a list of orders; several rows with one number are the items of one order. Raises CompanyError for no list."""
    wrong: list[Wrong] = []
    found: dict[str, tuple[int, OrderRow]] = {}
    bad: set[str] = set()
    for line, cells in _rows(data, file, ORDER_COLUMNS, ("order_no", "date", "amount")):
        try:
            row = order_of(cells, company, currency)
            before = found.get(row.order_no)
            found[row.order_no] = (line, row if before is None else _joined(before[1], row))
        except WrongCell as cell:
            wrong.append(Wrong(line, cell.column, cell.code, cell.value))
            bad.add(cells.get("order_no", ""))
    # Half an order would be a wrong amount: with one item, all of it is left out.
    for order_no in sorted(bad & found.keys()):
        line, _ = found.pop(order_no)
        wrong.append(Wrong(line, "order_no", "mixed", order_no))
    return [row for _, row in found.values()], sorted(wrong, key=lambda one: one.line)


def order_of(cells: Mapping[str, str], company: Company, currency: str) -> OrderRow:
    """Return the order of a row's cells (by the names of ORDER_COLUMNS). Raises WrongCell."""
    _short(cells)
    status = cells.get("status", "").casefold()
    if status and status not in _CANCELLED | _PLACED:
        raise WrongCell("status", "status_form", status)
    amount_minor, code = _amount(cells, currency)
    product = cells.get("product") or None
    return OrderRow(
        order_no=_needed(cells, "order_no"),
        ordered_us=_day_us(cells, "date", company),
        product=product,
        line=_line_of(company, product),
        amount_minor=amount_minor,
        currency=code,
        state="cancelled" if status in _CANCELLED else "placed",
        updated=cells.get("updated") or None,
        buyer=Buyer(
            customer_id=cells.get("customer") or None,
            lead_id=cells.get("lead") or None,
            **{
                name: cells.get(name) or None for name in ("full_name", "company", "phone", "email", "tax_id")
            },
        ),
    )


def order_said(cells: Mapping[str, str], company: Company, now_us: int) -> OrderRow | None:
    """Return the order that is typed in with an outcome, of today; None if none is. Raises ActRefused."""
    given = {name: cells.get(name, "").strip() for name in ("order_no", "product", "amount", "currency")}
    if not given["order_no"] and not given["amount"]:
        return None
    if not given["order_no"]:
        raise ActRefused("order_number_missing", "An amount needs the number of its order.")
    today = wall_clock(now_us, zone_of(company.zone)).date().isoformat()
    try:
        return order_of({**given, "date": today}, company, "CNY")
    except WrongCell as wrong:
        raise ActRefused("amount_form", f"The order's {wrong.column} cannot be read.") from None


def _line_of(company: Company, product: str | None) -> str | None:
    """Return the product line of a product by its code, or by a name that it goes by."""
    if product is None:
        return None
    named = product.strip().casefold()
    for one in company.products.values():
        if named in {name.casefold() for name in (one.product_id, one.name_zh, one.name_en, *one.aliases)}:
            return one.line_id
    for line in company.lines.values():
        if named in {name.casefold() for name in (line.line_id, line.name_zh, line.name_en, *line.aliases)}:
            return line.line_id
    return None


def _joined(one: OrderRow, other: OrderRow) -> OrderRow:
    """Return two items of one order as one: amounts add up, the buyer and the day are the same."""
    if one.currency != other.currency:
        raise WrongCell("currency", "mixed", other.currency)
    if one.state != other.state:
        raise WrongCell("status", "mixed", other.state)
    named = {"customer_id", "lead_id", "phone", "email", "tax_id", "full_name", "company"}
    mine, theirs = one.buyer.model_dump(), other.buyer.model_dump()
    for name in sorted(named):
        if mine[name] and theirs[name] and mine[name] != theirs[name]:
            raise WrongCell(name, "mixed", str(theirs[name]))
    products = dict.fromkeys(filter(None, (one.product, other.product)))
    return one.model_copy(
        update={
            "amount_minor": one.amount_minor + other.amount_minor,
            "product": " + ".join(products) or None,
            "line": one.line if one.line == other.line else None,
            "buyer": Buyer(**{name: mine[name] or theirs[name] for name in mine}),
        }
    )


def read_spend(data: bytes, file: str, company: Company, currency: str) -> tuple[list[Spending], list[Wrong]]:
    """Read a list of what campaigns cost. Without a last day, an entry is for its one day, or for its month (2026-11).

    Raises CompanyError for what is no such list.
    """
    wrong: list[Wrong] = []
    found: list[Spending] = []
    for line, cells in _rows(data, file, SPEND_COLUMNS, ("campaign", "from", "amount")):
        try:
            found.append(spending_of(cells, company, currency))
        except WrongCell as cell:
            wrong.append(Wrong(line, cell.column, cell.code, cell.value))
    return found, wrong


def spending_of(cells: Mapping[str, str], company: Company, currency: str) -> Spending:
    """Return the entry of a row's cells (by the names of SPEND_COLUMNS). Raises WrongCell."""
    _short(cells)
    campaign_id = _campaign(company, _needed(cells, "campaign"))
    first, last = _days(_needed(cells, "from"), cells.get("to", ""))
    if last < first:
        raise WrongCell("to", "days_reversed", cells["to"])
    minor, code = _amount(cells, currency)
    return Spending(campaign_id, first, last, minor, code, cells.get("note") or None)


def _campaign(company: Company, named: str) -> str:
    if named in company.campaigns:
        return named
    for one in company.campaigns.values():
        if named in (one.name_zh, one.name_en):
            return one.campaign_id
    raise WrongCell("campaign", "unknown_campaign", named)


def _days(first: str, last: str) -> tuple[date, date]:
    if not last and (month := _month(first)):
        return month
    begin = _day(first, "from")
    return begin, _day(last, "to") if last else begin


def _month(text: str) -> tuple[date, date] | None:
    parts = text.strip().replace("年", "-").removesuffix("月").replace("/", "-").split("-")
    if len(parts) != 2:
        return None
    try:
        first = date(int(parts[0]), int(parts[1]), 1)
        following = date.fromordinal(first.toordinal() + 32).replace(day=1)
    except (ValueError, OverflowError):
        return None
    return first, date.fromordinal(following.toordinal() - 1)


def _day(text: str, column: str) -> date:
    zone = zone_of("UTC")
    try:
        return wall_clock(
            DAY.read(text.replace("年", "-").replace("月", "-").removesuffix("日"), zone), zone
        ).date()
    except CellError as error:
        raise WrongCell(column, "date_form", text) from error


def _day_us(cells: Mapping[str, str], column: str, company: Company) -> int:
    text = _needed(cells, column)
    try:
        return int(
            DAY.read(text.replace("年", "-").replace("月", "-").removesuffix("日"), zone_of(company.zone))
        )
    except CellError as error:
        raise WrongCell(column, "date_form", text) from error


def _amount(cells: Mapping[str, str], currency: str) -> tuple[int, str]:
    text = _needed(cells, "amount")
    try:
        return read_amount(text, cells.get("currency") or currency)
    except MoneyError as error:
        column = "currency" if error.code == "currency_form" else "amount"
        raise WrongCell(column, error.code, text) from error


def _short(cells: Mapping[str, str]) -> None:
    for column, cell in cells.items():
        if len(cell) > _CELL_CHARS:
            raise WrongCell(column, "cell_too_long", f"{cell[:20]}…")


def _needed(cells: Mapping[str, str], column: str) -> str:
    if not cells.get(column):
        raise WrongCell(column, "missing")
    return cells[column]


def _rows(
    data: bytes, file: str, columns: Mapping[str, tuple[str, ...]], needed: Iterable[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    table = read_table(data, file)
    header = [_column(cell, columns) for cell in table[0].cells] if table else []
    missing = [f"{name} ({heading_in_chinese(name, columns)})" for name in needed if name not in header]
    if missing:
        told = ", ".join(table[0].cells) if table else "-"
        raise CompanyError([problem("column_missing", file, value=name, found=told) for name in missing])
    for row in table[1:]:
        pairs = zip(header, row.cells, strict=False)
        yield row.line, {name: storable(cell) for name, cell in pairs if name and cell}


def heading_in_chinese(column: str, columns: Mapping[str, tuple[str, ...]]) -> str:
    """Return what a column is usually called in a Chinese file; its own name where nothing is known."""
    return next((one for one in columns.get(column, ()) if not one.isascii()), column)


def _column(cell: str, columns: Mapping[str, tuple[str, ...]]) -> str:
    plain = cell.strip().casefold()
    return next((name for name, others in columns.items() if plain == name or plain in others), "")
