"""Which values of a lead can recognise somebody, and how far each can be trusted."""

from __future__ import annotations

import re
from collections.abc import Iterator

from enrich.phone import parse_phone
from schemas.lead import FieldValue
from schemas.resolved import Identifier

FREE_MAIL = frozenset(
    """
    qq.com foxmail.com 163.com 126.com yeah.net 188.com sina.com sina.cn sohu.com aliyun.com 139.com
    189.cn wo.cn 21cn.com tom.com gmail.com googlemail.com outlook.com hotmail.com live.com live.cn
    msn.com yahoo.com yahoo.co.jp yahoo.com.cn yahoo.com.hk icloud.com me.com mac.com aol.com gmx.de
    gmx.net web.de t-online.de mail.ru yandex.ru protonmail.com proton.me naver.com hanmail.net
    orange.fr
    """.split()
)
"""Domains where anybody can have a mailbox: the domain says nothing about a company."""

_ROLE_MAILBOX = frozenset(
    """
    info sales service support admin office contact hello hr mail postmaster webmaster noreply no-reply
    enquiry inquiry marketing test demo none null example abc a aa aaa asd 123 123456
    """.split()
)
_PLACEHOLDER_PHONE = frozenset({"+8613800138000", "+8613888888888", "+8613000000000", "+8612345678901"})
_SAME_DIGITS = re.compile(r"(\d)\1{7,}$")
_EXAMPLE_DOMAIN = frozenset({"example.com", "example.org", "example.net", "test.com", "domain.com"})

# GB 32100-2015: 17 characters and a check character, over an alphabet without I, O, S, V, Z.
_USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)


def identifiers_of(fields: tuple[FieldValue, ...]) -> tuple[Identifier, ...]:
    """Return what can recognise the sender of these normalised fields, strongest first, without repeats."""
    found: dict[tuple[str, str], Identifier] = {}
    for identifier in _all(fields):
        found.setdefault((identifier.kind, identifier.value), identifier)
    return tuple(sorted(found.values(), key=lambda one: _STRENGTH.index(one.kind)))


_STRENGTH = ("mobile", "email", "landline_name", "tax_id", "domain", "landline")


def _all(fields: tuple[FieldValue, ...]) -> Iterator[Identifier]:
    name = next((field.value for field in fields if field.name == "full_name" and field.value), "")
    for field in fields:
        if field.value is None:
            continue
        if field.name == "phone":
            yield from _of_phone(field.value, name)
        elif field.name == "email":
            yield from _of_email(field.value)
        elif field.name == "tax_id":
            yield _of_tax_id(field.value)


def _of_phone(value: str, name: str) -> Iterator[Identifier]:
    phone = parse_phone(value)
    if phone is None or phone.line in ("service", "unknown"):
        return
    if is_placeholder_phone(phone.e164):
        kind = "mobile" if phone.line == "mobile" else "landline"
        yield Identifier(kind=kind, value=phone.e164, trust="none", reason="placeholder")
    elif phone.line == "mobile":
        yield Identifier(kind="mobile", value=phone.e164)
    else:
        yield Identifier(kind="landline_name", value=f"{phone.e164}|{name}")
        yield Identifier(kind="landline", value=phone.e164)


def is_placeholder_phone(e164: str) -> bool:
    """Tell whether a number is one that people type to get past a field: 13800138000, 88888888."""
    return e164 in _PLACEHOLDER_PHONE or _SAME_DIGITS.search(e164) is not None


def is_role_mailbox(local: str) -> bool:
    """Tell whether the part before the @ is a function that many people share, or nobody's: info, test."""
    return local in _ROLE_MAILBOX


def is_example_domain(domain: str) -> bool:
    """Tell whether a domain is one of those that stand in examples."""
    return domain in _EXAMPLE_DOMAIN


def _of_email(value: str) -> Iterator[Identifier]:
    local, _, domain = value.partition("@")
    if is_example_domain(domain):
        yield Identifier(kind="email", value=value, trust="none", reason="placeholder")
        return
    if is_role_mailbox(local):
        yield Identifier(kind="email", value=value, trust="none", reason="role_mailbox")
    else:
        yield Identifier(kind="email", value=value)
    if domain not in FREE_MAIL:
        yield Identifier(kind="domain", value=domain)


def _of_tax_id(value: str) -> Identifier:
    if is_credit_code(value):
        return Identifier(kind="tax_id", value=value)
    return Identifier(kind="tax_id", value=value, trust="none", reason="bad_check_digit")


def is_credit_code(code: str) -> bool:
    """Tell whether a Unified Social Credit Code (统一社会信用代码) has a right check character (GB 32100-2015)."""
    if len(code) != 18 or any(character not in _USCC_ALPHABET for character in code):
        return False
    total = sum(_USCC_ALPHABET.index(c) * w for c, w in zip(code, _USCC_WEIGHTS, strict=False))
    return _USCC_ALPHABET[(31 - total % 31) % 31] == code[17]
