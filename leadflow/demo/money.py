"""What the demo's campaigns cost and what its customers ordered: invented, and the same for the same days. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from leadflow.demo.cast import dice
from sales.spend import Spending
from schemas.company import Company, Product
from schemas.orders import OrderRow

_WEEK_YUAN = {
    "baidu-forklift": 4_800,
    "baidu-agv": 3_600,
    "douyin-autumn": 2_500,
    "wechat-moments": 1_800,
    "google-global": 2_900,
}
"""What each costs in a week, about; who comes by a friend costs nothing that is written down."""
_FAIR, _FAIR_YUAN = "cemat-2026", 68_000
_UNIT_YUAN = {"forklift": 96_000, "pallet": 12_500, "agv": 210_000}
"""What one machine of a line costs, about."""
_NUMBERED = 0.8
"""How many sales have their order's number entered with them."""


def spent(company: Company, first: date, last: date) -> Iterator[Spending]:
    """Yield what the campaigns cost, week by week from one day to another, and the fair in the middle of it."""
    monday = first - timedelta(days=first.weekday())
    while monday <= last:
        begin, end = max(monday, first), min(monday + timedelta(days=6), last)
        for campaign_id, yuan in _WEEK_YUAN.items():
            if campaign_id in company.campaigns:
                share = dice("spend", campaign_id, monday.isoformat()).uniform(0.7, 1.3)
                fen = round(yuan * share * ((end - begin).days + 1) / 7) * 100
                yield Spending(campaign_id, begin, end, fen, "CNY")
        monday += timedelta(days=7)
    if _FAIR in company.campaigns:
        middle = first + (last - first) / 2
        yield Spending(
            _FAIR, middle, min(middle + timedelta(days=3), last), _FAIR_YUAN * 100, "CNY", "展位和搭建"
        )


def sold(task_id: str, products: list[Product], at_us: int) -> OrderRow | None:
    """Return the order that a sale is entered with; None for one whose number nobody wrote down."""
    rng = dice(task_id, "order")
    if rng.random() >= _NUMBERED or not products:
        return None
    product = rng.choice(products)
    pieces = rng.choices((1, 2, 3, 6), (6, 3, 2, 1))[0]
    yuan = round(_UNIT_YUAN.get(product.line_id, 20_000) * rng.uniform(0.8, 1.25), -2) * pieces
    return OrderRow(
        order_no=f"HC-{rng.randrange(10**7):07d}",
        ordered_us=at_us,
        product=product.name_zh if pieces == 1 else f"{product.name_zh} ×{pieces}",
        amount_minor=int(yuan) * 100,
        currency="CNY",
    )
