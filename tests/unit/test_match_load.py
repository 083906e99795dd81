"""Bad input in bulk: it joins nobody, and costs no more than in proportion to how much there is of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from time import process_time
from typing import NamedTuple

import pytest

from enrich.match.calibrate import bands_at
from enrich.match.model import Level, default_model
from enrich.match.record import Record, record_of
from enrich.match.resolver import MOST_CANDIDATES, Resolver

SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
GIVEN = "伟强磊军勇杰涛明超辉鹏波斌刚峰亮建国华文芳娜敏静丽艳娟霞燕玲"


def _name(number: int) -> str:
    first, second = divmod(number // 20, 30)
    return SURNAMES[number % 20] + GIVEN[first % 30] + GIVEN[second]


def _resolved(records: list[Record], level: Level = "contact") -> Resolver:
    resolver = Resolver(default_model().with_prior(0.001), bands_at([]), level)
    for record in records:
        resolver.add(record)
    return resolver


def _one_mailbox(number: int) -> Record:
    phone = f"139{number * 7919 % 10**8:08}"
    return record_of(
        str(number), {"full_name": [_name(number)], "email": ["qiantai@163.com"], "phone": [phone]}
    )


def _no_company(number: int) -> Record:
    return record_of(str(number), {"company": ["科技有限公司"], "full_name": [_name(number)]})


def _placeholders(number: int) -> Record:
    nothing = ("none", "null", "0", "未填", "测试", "111111")[number % 6]
    names = ("full_name", "phone", "email", "company", "address", "birth_date")
    fields = {name: [nothing] for name in names}
    return record_of(str(number), {**fields, "phone": [nothing, "13800138000"]})


def _one_surname(number: int) -> Record:
    return record_of(str(number), {"full_name": ["王" + GIVEN[number % 30]], "city": ["苏州"]})


class Run(NamedTuple):
    resolver: Resolver
    first_tenth_s: float
    whole_s: float


@cache
def _run(make: Callable[[int], Record], count: int) -> Run:
    records = [make(number) for number in range(count)]
    resolver = Resolver(default_model().with_prior(0.001), bands_at([]))
    start = process_time()
    for record in records[: count // 10]:
        resolver.add(record)
    tenth = process_time() - start
    for record in records[count // 10 :]:
        resolver.add(record)
    return Run(resolver, tenth, process_time() - start)


@pytest.mark.parametrize(
    ("make", "count"), [(_one_mailbox, 10_000), (_one_surname, 3_000), (_no_company, 3_000)]
)
def test_time_grows_with_the_records_and_not_with_their_square(
    make: Callable[[int], Record], count: int
) -> None:
    run = _run(make, count)
    assert run.whole_s < run.first_tenth_s * 40  # ten times the records; a hundred times would be the square


def test_one_mailbox_on_ten_thousand_people_joins_none_but_the_first_two() -> None:
    resolver = _run(_one_mailbox, 10_000).resolver
    assert max(map(len, resolver.members().values())) <= 3
    assert resolver.weighed <= 10_000 * MOST_CANDIDATES * 8
    assert len(resolver.shared) == 1


@pytest.mark.parametrize("level", ["contact", "customer"])
@pytest.mark.parametrize("make", [_no_company, _placeholders])
def test_nothing_joins_what_says_nothing(make: Callable[[int], Record], level: Level) -> None:
    resolver = _resolved([make(number) for number in range(300)], level)
    assert len(resolver.members()) == 300


def test_fifty_phones_on_one_record_do_not_gather_their_owners() -> None:
    phones = [f"1391234{number:04}" for number in range(1000, 11000, 200)]
    people = [
        record_of(str(n), {"full_name": [_name(n * 37)], "phone": [phone]}) for n, phone in enumerate(phones)
    ]
    resolver = _resolved([*people, record_of("list", {"phone": phones})])
    assert max(map(len, resolver.members().values())) <= 2
