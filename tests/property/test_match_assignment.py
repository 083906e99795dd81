"""Whatever comes in whatever order: every record in exactly one customer, no conflict merged, sure things together."""

from __future__ import annotations

from functools import cache

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enrich.match.calibrate import bands_at
from enrich.match.model import Level, MatchModel, default_model
from enrich.match.record import Record, record_of
from enrich.match.resolver import Resolver
from enrich.match.trusted import conflict

LEVELS: tuple[Level, ...] = ("contact", "customer")
IDENTITIES = ("11010519491231002X", "440524188001010014", "", "")
fields = st.fixed_dictionaries(
    {
        "full_name": st.sampled_from(("张伟", "章伟", "Zhang Wei", "李娜", "王建国", "")),
        "phone": st.sampled_from(("13912345678", "13912345687", "13700001234", "13800138000", "")),
        "email": st.sampled_from(("zhangwei@daheng.cn", "lina88@163.com", "qiantai@163.com", "none", "")),
        "company": st.sampled_from(("北京大恒信息技术有限公司", "大恒信息", "科技有限公司", "")),
        "national_id": st.sampled_from(IDENTITIES),
    }
)


@cache
def _model() -> MatchModel:
    return default_model().with_prior(0.02)


def _resolved(records: list[Record], level: Level = "contact") -> Resolver:
    resolver = Resolver(_model(), bands_at([]), level)
    for record in records:
        resolver.add(record)
    return resolver


def _record(number: int, said: dict[str, str]) -> Record:
    return record_of(str(number), {name: [text] for name, text in said.items()})


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(fields, max_size=25), st.sampled_from(LEVELS))
def test_every_record_is_in_exactly_one_customer(said: list[dict[str, str]], level: Level) -> None:
    records = [_record(number, one) for number, one in enumerate(said)]
    resolver = _resolved(records, level)
    assert len(resolver.customer) == len(records)
    assert resolver.members() == {
        customer: sorted(number for number, of in enumerate(resolver.customer) if of == customer)
        for customer in set(resolver.customer)
    }
    assert all(customer in members for customer, members in resolver.members().items())


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(fields, max_size=25))
def test_a_conflict_of_trusted_identifiers_never_merges(said: list[dict[str, str]]) -> None:
    records = [_record(number, one) for number, one in enumerate(said)]
    resolver = _resolved(records)
    for members in resolver.members().values():
        for one in members:
            for other in members:
                assert not conflict(records[one].national_ids, records[other].national_ids)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.permutations(range(12)))
def test_what_is_exactly_the_same_is_joined_in_any_order(order: list[int]) -> None:
    people = [
        {"full_name": "欧阳震华", "phone": "13912345678", "email": "ouyang.zh@163.com"},
        {"full_name": "李娜", "phone": "13700001234", "email": "lina88@163.com"},
        {"full_name": "王建国", "phone": "15811112222", "email": "wang.jg@126.com"},
    ]
    records = [_record(number, people[number % 3]) for number in order]
    resolver = _resolved(records)
    put = {
        (record.names[0].text, customer) for record, customer in zip(records, resolver.customer, strict=True)
    }
    assert len(put) == len({customer for _, customer in put}) == 3


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.text(max_size=40), min_size=2, max_size=20))
def test_any_text_in_any_field_is_taken(texts: list[str]) -> None:
    names = ("full_name", "phone", "email", "company", "address", "birth_date", "national_id", "other")
    records = [record_of(str(n), {name: [text] for name in names}) for n, text in enumerate(texts)]
    for level in LEVELS:
        assert len(_resolved(records, level).customer) == len(records)
