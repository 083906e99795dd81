"""Any company: written and read back it is the same; applied, the store holds it; no difference goes unsaid."""

from __future__ import annotations

import string
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from sales.apply import apply, merged
from sales.diff import diff
from sales.files import Reading, write_company
from schemas.company import (
    ALIAS_KINDS,
    Absence,
    Alias,
    Campaign,
    Choice,
    Company,
    Member,
    Person,
    Place,
    Product,
    ProductLine,
    Territory,
    Unit,
    alias_key,
    book_version,
    place_key,
)
from store.company import company_version, load_company
from tests.support.rig import DAY, MONDAY_10, new_sqlite
from worktime import calendar_dict, parse_calendar

CODES = st.text(string.ascii_lowercase + string.digits + "-_", min_size=1, max_size=6).filter(
    lambda code: code[0] not in "-_"
)
TEXTS = (
    st.text(
        st.one_of(st.sampled_from("叉车=+-@';；\",\n /张|"), st.characters(exclude_categories=("C", "Z"))),
        min_size=1,
        max_size=8,
    )
    .map(str.strip)
    .filter(bool)
)
MOMENTS = st.one_of(
    st.integers(0, 400).map(lambda day: MONDAY_10 - 10 * 3_600_000_000 + day * DAY),
    st.integers(1, 2**51),
)
ORDERED = st.tuples(MOMENTS, MOMENTS).filter(lambda two: two[0] != two[1]).map(sorted)


def optional(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str | None]:
    return st.none() | strategy


@st.composite
def companies(draw: st.DrawFn) -> Company:
    def some(make: Callable[[str], st.SearchStrategy[object]]) -> dict[str, object]:
        return {key: draw(make(key)) for key in draw(st.lists(CODES, unique=True, max_size=3))}

    people = some(
        lambda key: st.builds(
            Person,
            person_id=st.just(key),
            name=TEXTS,
            name_en=optional(TEXTS),
            email=optional(TEXTS),
            phone=optional(st.text("0123456789+-", min_size=1, max_size=12).filter(lambda t: t.strip("+-"))),
            desk_code=optional(st.text("0123456789", min_size=2, max_size=2)),
            language=st.sampled_from(["zh", "en"]),
            state=st.sampled_from(["active", "left"]),
        )
    )
    units = some(
        lambda key: st.builds(
            Unit,
            unit_id=st.just(key),
            parent_id=optional(CODES),
            kind=st.sampled_from(["branch", "team"]),
            name_zh=TEXTS,
            name_en=TEXTS,
            manager_id=optional(CODES),
        )
    )
    members = []
    for unit_id in units:
        for person_id in draw(st.lists(st.sampled_from(sorted(people)), unique=True)) if people else []:
            start = draw(st.just(0) | MOMENTS)
            gap = draw(st.none() | st.integers(1, 10**15))
            end = None if gap is None else start + gap
            share = draw(st.integers(0, 9))
            members.append(
                Member(unit_id=unit_id, person_id=person_id, from_us=start, to_us=end, share=share)
            )
    absences = [
        Absence(person_id=person_id, from_us=span[0], to_us=span[1], stand_in_id=draw(optional(CODES)))
        for person_id in people
        for span in [draw(ORDERED)]
        if draw(st.booleans())
    ]
    taken: set[tuple[str, str]] = set()

    def fresh(kind: str, value: str) -> bool:
        key = (kind, alias_key(kind, value))
        return bool(key[1]) and key not in taken and not taken.add(key)  # type: ignore[func-returns-value]

    aliases = st.lists(st.builds(Alias, kind=st.sampled_from(ALIAS_KINDS), value=TEXTS), max_size=4)
    campaigns = {
        key: Campaign(
            campaign_id=key,
            name_zh=draw(TEXTS),
            name_en=draw(TEXTS),
            aliases=tuple(one for one in draw(aliases) if fresh(one.kind, one.value)),
        )
        for key in draw(st.lists(CODES, unique=True, max_size=2))
    }
    names = TEXTS.filter(lambda text: "/" not in text and "、" not in text)
    places = st.lists(st.builds(Place, province=names, city=optional(names)), max_size=3)
    territories = {
        key: Territory(
            territory_id=key,
            name_zh=draw(TEXTS),
            name_en=draw(TEXTS),
            unit_id=draw(optional(CODES)),
            places=tuple(
                one for one in draw(places) if fresh(f"place {place_key(one.province)}", one.city or "-")
            ),
        )
        for key in draw(st.lists(CODES, unique=True, max_size=2))
    }
    named = {"name_zh": TEXTS, "name_en": TEXTS}
    texts = st.lists(TEXTS, max_size=3).map(tuple)
    rules = draw(st.lists(st.tuples(CODES, CODES), unique_by=lambda rule: rule[0], max_size=3))
    book = "rule,then_team\n" + "".join(f"{rule},{team}\n" for rule, team in rules)
    choices = draw(
        st.lists(
            st.builds(
                Choice,
                list=st.sampled_from(["return", "no_need", "outcome"]),
                code=CODES,
                retry_minutes=st.lists(st.integers(0, 10**6), max_size=2).map(tuple),
                **named,
            ),
            unique_by=lambda one: (one.list, one.code),
            max_size=4,
        )
    )
    sources: list[dict[str, dict[str, object]]] = [{}, {}]
    for key in draw(st.lists(CODES, unique=True, max_size=2)):
        settings_: dict[str, object] = {
            "source_id": key,
            "channel": "web",
            "format": "web.form",
            "name": draw(TEXTS),
        }
        sources[draw(st.integers(0, 1))][key] = settings_
    sink = {"sink_id": "crm", "kind": "faulty", "name": "CRM"}
    channels = draw(st.sampled_from([None, [], ["web"], ["web", "cti"]]))
    sinks: list[dict[str, object]] = [{}, {}]
    if channels is not None:
        sinks[draw(st.integers(0, 1))]["crm"] = {**sink, "channels": channels}
    return Company.model_validate(
        {
            "version": 0,
            "name": draw(TEXTS),
            "zone": draw(st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York"])),
            "default_queue": draw(CODES),
            "responsible_id": draw(optional(CODES)),
            "first_response_minutes": draw(st.integers(1, 10_000)),
            "units": units,
            "people": people,
            "members": members,
            "absences": absences,
            "lines": some(lambda key: st.builds(ProductLine, line_id=st.just(key), aliases=texts, **named)),
            "products": some(
                lambda key: st.builds(Product, product_id=st.just(key), line_id=CODES, aliases=texts, **named)
            ),
            "campaigns": campaigns,
            "territories": territories,
            "choices": choices,
            "calendars": {
                key: calendar_dict(
                    parse_calendar({"zone": "Asia/Shanghai", "week": {"mon": ["09:00-18:00"]}})
                )
                for key in draw(st.lists(CODES, max_size=2))
            },
            "sources": sources[0],
            "sources_off": sources[1],
            "sinks": sinks[0],
            "sinks_off": sinks[1],
            "book_csv": book,
            "book_version": book_version(book),
        }
    )


@settings(max_examples=150, deadline=None)
@given(companies())
def test_a_company_that_is_written_reads_back_the_same(company: Company) -> None:
    reading = Reading(write_company(company))
    again = reading.company()
    assert reading.problems == []
    assert again == company
    assert diff(company, again) == []


@settings(max_examples=60, deadline=None)
@given(companies(), companies())
def test_after_apply_the_store_holds_the_new_company(old: Company, new: Company) -> None:
    with TemporaryDirectory() as folder:
        store = new_sqlite(Path(folder), "state")
        try:
            for company in (old, new):
                with store.write() as connection:
                    before = load_company(connection, company_version(connection))
                    changes = apply(connection, company, MONDAY_10)
                with store.read() as connection:
                    after = load_company(connection, company_version(connection))
                wanted = merged(before, company, MONDAY_10)
                assert after.model_copy(update={"version": 0}) == wanted.model_copy(update={"version": 0})
                assert (after.version > before.version) == bool(changes)
                assert all(change.text("zh") and change.text("en") for change in changes)
                gone = before.people.keys() - company.people.keys()
                assert all(after.people[key].state == "left" for key in gone)
                if not gone:
                    assert after.model_copy(update={"version": 0}) == company
        finally:
            store.close()
