"""A synthetic labelled set of Chinese leads: people, households, companies and their branches, and how they get written down.

No public labelled Chinese set exists. This one is made up: nobody in it lives, and what is measured on it says how
the matching copes with the slips that are put in here, not how often these happen. Truth: `person` and `customer`
(the company somebody buys for at that moment, or the person).

    python -m bench.data.people --records 5000 --seed 1 > people.csv
"""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated

import typer
from opencc import OpenCC
from pypinyin import lazy_pinyin, load_phrases_dict
from pypinyin.phrases_dict import phrases_dict

from bench.data.people_words import (
    CITIES,
    FORMS,
    FREE_MAIL,
    GIVEN_OF_MEN,
    GIVEN_OF_WOMEN,
    MOBILE_STARTS,
    NO_COMPANY,
    NO_MAIL,
    NO_PHONE,
    SURNAMES,
    SYLLABLES,
    TRADES,
)

COLUMNS = (
    "record_id", "channel", "full_name", "company", "phone", "email", "address", "city", "region", "postcode",
    "birth_date", "national_id", "person", "customer",
)  # fmt: skip
MAPPED = COLUMNS[1:-2]
"""Columns that are named like the fields they hold."""

Row = dict[str, str]

RECORDS_A_PERSON = 2.6
"""On average; from one to eight."""


_SAID = {
    "web": {
        "full_name": 0.97, "phone": 0.85, "email": 0.6, "company": 0.75, "city": 0.5, "address": 0.15,
        "birth_date": 0.08, "national_id": 0.02,
    },
    "email": {"full_name": 0.9, "email": 1.0, "company": 0.6, "phone": 0.5},
    "cti": {"phone": 1.0, "full_name": 0.6, "company": 0.3, "city": 0.3},
    "counter": {
        "full_name": 1.0, "phone": 0.9, "email": 0.25, "company": 0.5, "address": 0.3, "birth_date": 0.25,
        "national_id": 0.1,
    },
}  # fmt: skip
"""How often each channel learns each field."""


@dataclass
class Firm:
    """A company with its ways of being written."""

    number: int
    city: str
    brand: str
    trade: str
    form: str
    domain: str
    switchboard: str
    branches: tuple[str, ...]


@dataclass
class Person:
    """A person; `firms` in the order in which they worked there."""

    number: int
    family: str
    given: str
    city: str
    mobile: str
    mail: str
    street: str
    birth: str
    identity: str
    firms: list[Firm] = field(default_factory=list)
    home_phone: str = ""


def rows(count: int, seed: int = 1) -> list[Row]:
    """Return so many records in the order of their arrival, the same for the same seed."""
    chance = random.Random(seed)
    firms = _firms(max(4, count // 18), chance)
    tablets = [
        f"{_pinyin(chance.choice(SYLLABLES) + chance.choice(SYLLABLES))}_zhanting{n}@163.com"
        for n in range(3)
    ]
    people: list[Person] = []
    found: list[Row] = []
    while len(found) < count:
        household = [_person(len(people), chance, firms)]
        if chance.random() < 0.12:
            household += _relatives(household[0], chance, firms, len(people) + 1)
        people += household
        for person in household:
            visits = min(8, 1 + int(chance.expovariate(1 / (RECORDS_A_PERSON - 1))))
            found += [_written(person, visit, chance, tablets) for visit in range(visits)]
    chance.shuffle(found)
    return [{**row, "record_id": str(number)} for number, row in enumerate(found[:count], start=1)]


def _firms(count: int, chance: random.Random) -> list[Firm]:
    """Companies; one in eight bears another one's brand in another trade and city."""
    made: list[Firm] = []
    for number in range(count):
        brand = "".join(chance.sample(SYLLABLES, chance.choice((2, 2, 2, 3))))
        if made and chance.random() < 0.125:
            brand = chance.choice(made).brand
        city = chance.choice(list(CITIES))
        ending = chance.choice((".com", ".com.cn", ".cn", ".net"))
        branches = tuple(chance.sample(list(CITIES), 2)) if chance.random() < 0.25 else ()
        trade, form = chance.choice(list(TRADES)), chance.choice(FORMS)
        line = f"{CITIES[city][1]}{chance.randrange(6, 9)}{chance.randrange(10**7):07}"
        domain = _pinyin(brand) + (str(number) if chance.random() < 0.3 else "") + ending
        made.append(Firm(number, city, brand, trade, form, domain, line, branches))
    return made


def _person(number: int, chance: random.Random, firms: list[Firm], like: Person | None = None) -> Person:
    family = like.family if like else chance.choices(list(SURNAMES), list(SURNAMES.values()))[0]
    man = chance.random() < 0.5
    signs = GIVEN_OF_MEN if man else GIVEN_OF_WOMEN
    given = "".join(chance.choices(signs, k=1 if chance.random() < 0.2 else 2))
    city = like.city if like else chance.choice(list(CITIES))
    mobile = chance.choice(MOBILE_STARTS) + f"{chance.randrange(10**8):08}"
    year, month, day = chance.randrange(1955, 2004), chance.randrange(1, 13), chance.randrange(1, 29)
    street = (
        like.street
        if like
        else f"{CITIES[city][3]}{chance.randrange(1, 400)}号{chance.randrange(1, 30)}栋{chance.randrange(101, 2500)}室"
    )
    work: list[Firm] = []
    if chance.random() < 0.6:
        work.append(chance.choice(firms))
        if chance.random() < 0.12:
            work.append(chance.choice([firm for firm in firms if firm is not work[0]]))
    person = Person(number, family, given, city, mobile, "", street, f"{year}-{month:02}-{day:02}", "", work)
    person.mail = _own_mail(person, chance)
    area = f"{chance.randrange(11, 65)}01{chance.randrange(1, 20):02}"
    person.identity = _with_check(f"{area}{year}{month:02}{day:02}{chance.randrange(1, 499) * 2 + man:03}")
    return person


def _relatives(first: Person, chance: random.Random, firms: list[Firm], number: int) -> list[Person]:
    """Return one or two who live with somebody: a spouse of another surname, or a child or parent of the same."""
    first.home_phone = f"{CITIES[first.city][1]}{chance.randrange(2, 6)}{chance.randrange(10**7):07}"
    others = []
    for offset in range(chance.choice((1, 1, 2))):
        other = _person(number + offset, chance, firms, like=first)
        if chance.random() < 0.5:
            other.family = chance.choices(list(SURNAMES), list(SURNAMES.values()))[0]
        other.home_phone = first.home_phone
        if chance.random() < 0.3:
            other.mobile = first.mobile  # a parent who gives the child's number
        others.append(other)
    return others


def _written(person: Person, visit: int, chance: random.Random, tablets: list[str]) -> Row:
    """Write a person down as one of the channels does."""
    firm = None
    if person.firms and chance.random() < 0.9:
        firm = person.firms[0] if len(person.firms) == 1 or visit < 2 else person.firms[1]
    channel = chance.choices(("web", "email", "cti", "counter"), (55, 15, 15, 15))[0]
    row = dict.fromkeys(COLUMNS, "")
    row |= {
        "channel": channel,
        "person": f"p{person.number}",
        "customer": f"c{firm.number}" if firm else f"p{person.number}",
    }
    work_mail = bool(firm) and chance.random() < 0.55
    mail = _work_mail(person, firm, chance) if firm and work_mail else person.mail
    said = {name for name, share in _SAID[channel].items() if chance.random() < share}
    if not said & {"phone", "email", "full_name"}:
        said.add("phone")
    if channel == "counter" and chance.random() < 0.3:
        mail, said = chance.choice(tablets), said | {"email"}
    write = {
        "full_name": lambda: _name(person, chance),
        "phone": lambda: _phone(person, firm, chance),
        "email": lambda: chance.choice(NO_MAIL) if chance.random() < 0.03 else _slipped_mail(mail, chance),
        "company": lambda: _firm_name(firm, chance) if firm else _no_firm(chance),
        "address": lambda: person.street,
        "birth_date": lambda: _slipped_date(person.birth, chance),
        "national_id": lambda: person.identity,
    }
    row |= {name: write[name]() for name in write if name in said}
    home = firm.city if firm and chance.random() < 0.5 else person.city
    if "city" in said:
        row["city"] = chance.choice((home, home + "市"))
        row["region"] = CITIES[home][0] if chance.random() < 0.5 else ""
    if "address" in said:
        row["postcode"] = CITIES[person.city][2]
    return row


def _no_firm(chance: random.Random) -> str:
    return chance.choice(NO_COMPANY) if chance.random() < 0.3 else ""


def _slipped_date(date: str, chance: random.Random) -> str:
    return _slip(date, chance, "0123456789") if chance.random() < 0.05 else date


def _name(person: Person, chance: random.Random) -> str:
    whole = person.family + person.given
    family, given = _pinyin(person.family), _pinyin(person.given)
    match chance.choices(("plain", "pinyin", "traditional", "title", "sound", "order"), (76, 9, 4, 5, 3, 3))[
        0
    ]:
        case "pinyin":
            return chance.choice(
                (
                    f"{given.title()} {family.title()}",
                    f"{family.title()} {given.title()}",
                    f"{family.upper()} {given.title()}",
                )
            )
        case "traditional":
            return str(_traditional().convert(whole))
        case "title":
            return chance.choice((whole, person.family)) + chance.choice(("先生", "女士", "经理", "总"))
        case "sound":
            return person.family + _same_sound(person.given, chance)
        case "order":
            return f"{whole[0]} {whole[1:]}"
        case _:
            return whole


def _same_sound(given: str, chance: random.Random) -> str:
    """One sign of a given name as another that is read alike, where the lists hold one."""
    at = chance.randrange(len(given))
    sound = _pinyin(given[at])
    alike = [
        sign
        for sign in GIVEN_OF_MEN + GIVEN_OF_WOMEN + SYLLABLES
        if sign != given[at] and _pinyin(sign) == sound
    ]
    return given[:at] + chance.choice(alike) + given[at + 1 :] if alike else given


def _phone(person: Person, firm: Firm | None, chance: random.Random) -> str:
    if chance.random() < 0.03:
        return chance.choice(NO_PHONE)
    if firm and chance.random() < 0.12:
        extension = f"-{8000 + person.number % 900}" if chance.random() < 0.4 else ""
        return f"{firm.switchboard[:-8]}-{firm.switchboard[-8:]}{extension}"
    number = person.home_phone if person.home_phone and chance.random() < 0.15 else person.mobile
    if chance.random() < 0.05:
        number = _slip(number, chance, "0123456789")
    return chance.choice(
        (number, number, "+86" + number.removeprefix("0"), f"{number[:3]} {number[3:7]} {number[7:]}")
    )


def _own_mail(person: Person, chance: random.Random) -> str:
    domain = chance.choice(FREE_MAIL)
    if domain == "qq.com":
        return f"{chance.randrange(10**7, 10**10)}@qq.com"
    family, given = _pinyin(person.family), _pinyin(person.given)
    local = chance.choice(
        (
            family + given,
            f"{given}.{family}",
            f"{family}{given}{chance.randrange(1000)}",
            f"{given[0]}{family}{person.birth[2:4]}",
        )
    )
    return f"{local}@{domain}"


def _work_mail(person: Person, firm: Firm, chance: random.Random) -> str:
    if chance.random() < 0.06:
        return chance.choice(("info", "sales")) + "@" + firm.domain
    family, given = _pinyin(person.family), _pinyin(person.given)
    local = (family + given, f"{given}.{family}", f"{family}.{given[0]}")[person.number % 3]
    return f"{local}@{firm.domain}"


def _slipped_mail(mail: str, chance: random.Random) -> str:
    if chance.random() > 0.04:
        return mail
    local, _, domain = mail.partition("@")
    return f"{_slip(local, chance, 'abcdefghijklmnopqrstuvwxyz0123456789')}@{domain}"


def _firm_name(firm: Firm, chance: random.Random) -> str:
    whole = f"{firm.city}{firm.brand}{firm.trade}{firm.form}"
    match chance.choices(
        ("whole", "bare", "bracket", "short", "brand", "branch", "english", "traditional", "slip"),
        (40, 12, 6, 14, 5, 8, 6, 4, 5),
    )[0]:
        case "bare":
            return firm.brand + firm.trade + firm.form
        case "bracket":
            return f"{firm.brand}（{firm.city}）{firm.trade}{firm.form}"
        case "short":
            return firm.brand + firm.trade
        case "brand":
            return firm.brand
        case "branch" if firm.branches:
            return f"{whole}{chance.choice(firm.branches)}分公司"
        case "english":
            return f"{_pinyin(firm.brand).title()} {TRADES[firm.trade]}" + chance.choice(
                (" Co., Ltd.", "", " Co Ltd")
            )
        case "traditional":
            return str(_traditional().convert(whole))
        case "slip":
            return _slip(whole, chance, SYLLABLES)
        case _:
            return whole


def _slip(text: str, chance: random.Random, signs: str) -> str:
    """One sign other, missing, doubled, or two changed places."""
    at = chance.randrange(len(text))
    match chance.randrange(4):
        case 0:
            return text[:at] + text[at + 1 :]
        case 1:
            return text[:at] + text[at] + text[at:]
        case 2:
            return text[:at] + text[at + 1 : at + 2] + text[at] + text[at + 2 :]
        case _:
            return text[:at] + chance.choice(signs) + text[at + 1 :]


def _with_check(number: str) -> str:
    """Return an identity number with its check sign (GB 11643-1999)."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return (
        number
        + "10X98765432"[sum(int(sign) * weight for sign, weight in zip(number, weights, strict=True)) % 11]
    )


@cache
def _pinyin(text: str) -> str:
    return str("".join(_reader()(text))).replace("ü", "v")


@cache
def _reader() -> Callable[[str], list[str]]:
    """Return pypinyin with its phrases, which the matching, in the same process, goes without."""
    load_phrases_dict(phrases_dict)
    return lazy_pinyin


@cache
def _traditional() -> OpenCC:
    return OpenCC("s2t")


def main(
    records: Annotated[int, typer.Option(min=10)] = 5000, seed: Annotated[int, typer.Option()] = 1
) -> None:
    """Write the set as CSV to standard output."""
    writer = csv.DictWriter(sys.stdout, COLUMNS)
    writer.writeheader()
    writer.writerows(rows(records, seed))


if __name__ == "__main__":
    typer.run(main)
