"""Amounts of money as people write them, and as we keep them: whole minor units and a currency, never mixed. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation

Amounts = Mapping[str, int]
"""Minor units by currency."""

_MINOR = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3}
"""Digits behind the point where there are not two (ISO 4217)."""
_NAMES = {
    "元": "CNY", "人民币": "CNY", "RMB": "CNY", "¥": "CNY", "CN¥": "CNY", "$": "USD", "US$": "USD", "美元": "USD",
    "€": "EUR", "欧元": "EUR", "£": "GBP", "英镑": "GBP", "HK$": "HKD", "港币": "HKD", "日元": "JPY", "円": "JPY",
}  # fmt: skip
_CODE = re.compile(r"[A-Z]{3}")
_AMOUNT = re.compile(r"(?P<sign>-?)(?P<before>[^\d.,-]*)(?P<sign2>-?)(?P<digits>[\d.,' ]+)(?P<after>[^\d]*)")
MOST = 10**15
"""Minor units of one entry: ten thousand billion in yuan is a slip of the keyboard."""


class MoneyError(ValueError):
    """This is no amount, or no currency; `code` says which."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def read_currency(text: str) -> str:
    """Return the ISO 4217 code of `CNY`, `元`, `¥`, `US$` …. Raises MoneyError."""
    plain = unicodedata.normalize("NFKC", text).strip().upper()
    code = _NAMES.get(plain, plain)
    if not _CODE.fullmatch(code):
        raise MoneyError("currency_form")
    return code


def read_amount(text: str, currency: str) -> tuple[int, str]:
    """Read `1,234.50`, `¥1234.5`, `1.2万` or `USD 99` as (minor units, currency); a currency that stands there counts.

    A comma is for thousands. Raises MoneyError for what is no amount, is negative, has more digits behind the point
    than the currency, or is beyond MOST.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    match = _AMOUNT.fullmatch(plain)
    if match is None or match["sign"] or match["sign2"]:
        raise MoneyError("amount_form")
    before, after = match["before"].strip(), match["after"].strip()
    tens = 10_000 if after.startswith("万") else 1
    named = [one for one in (before, after.removeprefix("万").strip()) if one]
    if len(named) > 1 and len({read_currency(one) for one in named}) > 1:
        raise MoneyError("currency_form")
    code = read_currency(named[0]) if named else read_currency(currency)
    try:
        value = Decimal(re.sub(r"[,' ]", "", match["digits"])) * tens * 10 ** minor_digits(code)
    except InvalidOperation as error:
        raise MoneyError("amount_form") from error
    if value != int(value) or not 0 <= value <= MOST:
        raise MoneyError("amount_form")
    return int(value), code


def minor_digits(currency: str) -> int:
    """Return how many digits a currency has behind the point."""
    return _MINOR.get(currency, 2)


def plain(minor: int, currency: str) -> str:
    """Return an amount as digits with a point, such as `1234.50`."""
    digits = minor_digits(currency)
    return str(Decimal(minor).scaleb(-digits).quantize(Decimal(1).scaleb(-digits)))


def shown(amounts: Amounts) -> str:
    """Return amounts with their currencies, such as `1234.50 CNY + 99.00 USD`; empty for none."""
    return " + ".join(f"{plain(minor, code)} {code}" for code, minor in sorted(amounts.items()))


def grouped(amounts: Amounts) -> str:
    """Return amounts for the eye, thousands set apart, without a currency that stands elsewhere: `1,234.50`."""
    return " + ".join(f"{Decimal(plain(minor, code)):,}" for code, minor in sorted(amounts.items()))


def added(several: Iterable[Amounts]) -> dict[str, int]:
    """Return the sums, currency by currency."""
    total: dict[str, int] = {}
    for amounts in several:
        for code, minor in amounts.items():
            total[code] = total.get(code, 0) + minor
    return total


def each(amounts: Amounts, count: int) -> dict[str, int] | None:
    """Return what one of `count` costs, rounded half up to a minor unit; None without amounts or without any to share it."""
    if not amounts or count < 1:
        return None
    return {code: (2 * minor + count) // (2 * count) for code, minor in amounts.items()}
