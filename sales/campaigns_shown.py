"""The table of campaigns as lines: the same cells on a terminal, as CSV, as a workbook and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sales.campaign_table import By, Line, Period, total
from sales.money import Amounts, shown
from sales.tables import write_csv, write_xlsx
from schemas.base import Language
from schemas.company import Company

COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("spend", "spend", "花费"),
    ("leads", "leads", "线索"),
    ("valid", "valid", "有效"),
    ("contacted", "contacted", "已接触"),
    ("opportunities", "opportunities", "商机"),
    ("won", "won", "成交"),
    ("orders", "orders", "订单"),
    ("amount", "amount won", "成交金额"),
    ("cost_lead", "cost per lead", "每线索成本"),
    ("cost_valid", "per valid lead", "每有效线索"),
    ("cost_opportunity", "per opportunity", "每商机"),
    ("cost_order", "per order", "每订单"),
)
MONEY = ("spend", "amount", "cost_lead", "cost_valid", "cost_opportunity", "cost_order")
"""Columns that are amounts: not for whoever is told counts alone."""
_BY_ZH = {"campaign": "市场活动", "channel": "渠道", "source": "来源"}


def heading(by: By, language: Language) -> list[str]:
    """Return the headings."""
    first = by if language == "en" else _BY_ZH[by]
    return [first, *(en if language == "en" else zh for _, en, zh in COLUMNS)]


def without_money(line: Sequence[str]) -> list[str]:
    """Return a row of the table, or its heading, without the columns of amounts."""
    return [
        line[0],
        *(cell for cell, (name, _, _) in zip(line[1:], COLUMNS, strict=True) if name not in MONEY),
    ]


def cells(row: Line, shown: Callable[[Amounts], str] = shown) -> list[str]:
    """Return a row's cells behind its name, as text; empty where nothing is known. `shown` writes amounts."""
    numbers = (row.leads, row.valid, row.contacted, row.opportunities, row.won, row.orders)
    costs = (shown(one) if one is not None else "" for one in row.costs.values())
    return [shown(row.spend), *map(str, numbers), shown(row.amount), *costs]


def name_of(row: Line, by: By, company: Company, language: Language) -> str:
    """Return what a row stands for, as people call it."""
    if not row.key:
        return {"zh": "（无市场活动）", "en": "(no campaign)"}[language]
    if by == "source":
        return str({**company.sources_off, **company.sources}.get(row.key, {}).get("name") or row.key)
    found = company.campaigns.get(row.key) if by == "campaign" else None
    if found is None:
        return row.key
    return found.name_zh if language == "zh" else found.name_en


def lines(
    rows: Sequence[Line],
    by: By,
    company: Company,
    language: Language,
    *,
    shown: Callable[[Amounts], str] = shown,
) -> list[list[str]]:
    """Return every row with its name, and the total."""
    found = [[name_of(row, by, company, language), *cells(row, shown)] for row in rows]
    return [*found, [{"zh": "合计", "en": "Total"}[language], *cells(total(rows), shown)]]


def only_currency(rows: Sequence[Line]) -> str | None:
    """Return the currency of all amounts of a table; None if there are several, or none."""
    whole = total(rows)
    several = {*whole.spend, *whole.amount}
    return several.pop() if len(several) == 1 else None


def as_csv(rows: Sequence[Line], by: By, company: Company, language: Language) -> bytes:
    """Return the table as a CSV file for spreadsheet programs, no cell of it a formula."""
    return write_csv(heading(by, language), lines(rows, by, company, language))


def as_xlsx(rows: Sequence[Line], by: By, company: Company, language: Language) -> bytes:
    """Return the table as a workbook, every cell text."""
    return write_xlsx(_BY_ZH[by], heading(by, language), lines(rows, by, company, language))


def as_json(rows: Sequence[Line], period: Period, by: By) -> dict[str, Any]:
    """Return the table as JSON: amounts in minor units by currency."""
    return {
        "from": period.first.isoformat(),
        "to": period.last.isoformat(),
        "by": by,
        "rows": [_told(row) for row in rows],
        "total": _told(total(rows)),
    }


def _told(row: Line) -> dict[str, Any]:
    return {
        "key": row.key,
        "spend": row.spend,
        "leads": row.leads,
        "valid": row.valid,
        "contacted": row.contacted,
        "opportunities": row.opportunities,
        "won": row.won,
        "orders": row.orders,
        "amount": row.amount,
        "cost": row.costs,
    }
