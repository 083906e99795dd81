"""Putting a company in force: only what differs is written, and what customers hang on is never lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sales.apply import apply, merged, publish
from sales.diff import diff
from sales.files import read_company
from sales.unlisted import unlisted
from schemas.company import (
    Absence,
    Alias,
    Campaign,
    Choice,
    Company,
    Member,
    Person,
    Territory,
    Unit,
    book_version,
)
from store import tables
from store.acts import ActRefused, Command, perform
from store.bulk import insert_ignore
from store.company import company_version, load_company
from store.database import Database
from tests.support.rig import DAY, HOUR, MONDAY_10, Rig, post, small_company

DEMO = Path(__file__).parents[2] / "examples" / "demo"
NOW = MONDAY_10


def stored(store: Database) -> Company:
    with store.read() as connection:
        return load_company(connection, company_version(connection))


def put(store: Database, company: Company, at_us: int = NOW) -> list[str]:
    with store.write() as connection:
        return [change.text("en") for change in apply(connection, company, at_us)]


def same(one: Company, other: Company) -> bool:
    return one.model_copy(update={"version": 0}) == other.model_copy(update={"version": 0})


def without(company: Company, person_id: str) -> Company:
    return company.model_copy(
        update={
            "people": {key: one for key, one in company.people.items() if key != person_id},
            "members": tuple(one for one in company.members if one.person_id != person_id),
            "absences": tuple(one for one in company.absences if one.person_id != person_id),
        }
    )


def test_the_demo_company_goes_in_and_comes_out_unchanged(rig: Rig) -> None:
    demo = read_company(DEMO)
    small = [person.name for person in stored(rig.store).people.values()]
    put(rig.store, demo)
    found = stored(rig.store)
    left = {key: one for key, one in found.people.items() if key not in demo.people}
    assert sorted(one.name for one in left.values()) == sorted(small)
    assert all(one.state == "left" for one in left.values())
    assert same(found.model_copy(update={"people": demo.people}), demo)


def test_applied_twice_nothing_is_written_and_the_version_stays(rig: Rig) -> None:
    demo = read_company(DEMO)
    put(rig.store, demo)
    version = stored(rig.store).version
    assert put(rig.store, demo, NOW + DAY) == []
    assert stored(rig.store).version == version


def test_one_change_is_one_line_in_either_language() -> None:
    old = read_company(DEMO)
    wu = old.people["wu-ting"].model_copy(update={"extension": "8104"})
    new = old.model_copy(update={"people": {**old.people, "wu-ting": wu}})
    (change,) = diff(old, new)
    assert change.text("zh") == "人员 wu-ting 吴婷：分机 8102 → 8104"
    assert change.text("en") == "person wu-ting 吴婷: extension 8102 → 8104"


def test_the_diff_names_every_kind_of_thing() -> None:
    old = read_company(DEMO)
    rules = old.book_csv or ""
    lines = rules.splitlines()
    book = (
        "\n".join([lines[0], *lines[2:5], lines[1], *lines[5:-1]]).replace(",overseas,60,", ",overseas,90,")
        + "\n"
    )
    site = {**old.sources["site"], "secret": "x", "consent_version": "2027-01"}
    new = Company.model_validate(
        {
            **{name: getattr(old, name) for name in Company.model_fields},
            "name": "Haichuan",
            "units": {
                **old.units,
                "wh-sales": old.units["wh-sales"].model_copy(update={"manager_id": "deng-jia"}),
            },
            "members": (*old.members[1:], Member(unit_id="agv", person_id="ye-kaiwen", from_us=NOW, share=2)),
            "absences": (),
            "campaigns": {
                **old.campaigns,
                "new": Campaign(
                    campaign_id="new", name_zh="新", name_en="New", aliases=(Alias(kind="utm", value="n"),)
                ),
            },
            "products": {key: one for key, one in old.products.items() if key != "amr-600"},
            "choices": (old.choices[1], old.choices[0], *old.choices[2:]),
            "calendars": {**old.calendars, "office": {**old.calendars["office"], "on_holidays": True}},
            "sources": {**old.sources, "site": site},
            "book_csv": book,
            "book_version": book_version(book),
        }
    )
    assert [change.text("en") for change in diff(old, new)] == [
        "setting name: 海川搬运设备 → Haichuan",
        "unit wh-sales Central sales team: manager peng-bo → deng-jia",
        "new membership agv/ye-kaiwen/2026-11-23 10:00 Kevin Ye",
        "removed membership agv/du-xin/2024-03-18 00:00 杜鑫",
        "removed absence gao-feng/2026-11-16 00:00 高峰",
        "removed absence luo-wei/2026-09-21 00:00 罗伟",
        "removed absence sun-yue/2026-10-12 13:00 孙悦",
        "removed product amr-600 600 kg mobile robot",
        "new campaign new New",
        "choice outcome: position",
        "source site 官网询价表: consent_version 2026-03 → 2027-01, secret – → ***",
        "calendar office: on_holidays – → True",
        "rule english: respond within minutes 60 → 90",
        "removed rule rest",
        "rule book: position",
    ]


def test_somebody_missing_from_the_file_is_marked_left_and_keeps_what_they_did(rig: Rig) -> None:
    old = stored(rig.store)
    assert put(rig.store, without(old, "bo"), NOW) == ["left person bo 薄"]
    found = stored(rig.store)
    assert found.people["bo"].state == "left"
    (place,) = (one for one in found.members if one.person_id == "bo")
    assert (place.from_us, place.to_us) == (0, NOW)
    assert put(rig.store, without(old, "bo"), NOW + 1) == []


def test_a_running_host_takes_the_change_up_with_its_next_batch(rig: Rig) -> None:
    rig.feed([post(key="k1", name="张伟", phone="13812345678")])
    rig.run()
    only_ann = without(without(stored(rig.store), "bo"), "chen")
    put(rig.store, only_ann, NOW + HOUR)
    rig.feed([post(at_us=NOW + HOUR, key=f"k{n}", name="李", phone=f"1381234567{n}") for n in range(2, 6)])
    rig.run()
    owners = [row["holder_id"] for row in rig.rows("task") if row["created_us"] >= NOW + HOUR]
    assert owners == ["ann"] * 4


def test_a_unit_with_customers_waiting_is_not_taken_away_under_them(rig: Rig) -> None:
    rig.feed([post(at_us=NOW + 12 * HOUR, key="k1", name="张伟", phone="13812345678")])
    rig.run()
    old = stored(rig.store)
    gone = old.model_copy(
        update={
            "units": {key: one for key, one in old.units.items() if key != "east"},
            "members": (),
            "book_csv": "rule,then_team\nall,default\n",
            "book_version": "other",
        }
    )
    with pytest.raises(ActRefused, match=r"east \(1\)"):
        put(rig.store, gone)
    assert same(stored(rig.store), old)


def test_an_earlier_rule_book_published_again_is_in_force_again(rig: Rig) -> None:
    first = stored(rig.store)
    second = "rule,then_team\nall,default\n"
    put(rig.store, first.model_copy(update={"book_csv": second, "book_version": book_version(second)}), NOW)
    assert stored(rig.store).book_csv == second
    put(rig.store, first, NOW)
    assert stored(rig.store).book_csv == first.book_csv
    assert put(rig.store, first.model_copy(update={"book_csv": None, "book_version": None})) == []
    assert stored(rig.store).book_csv == first.book_csv


def test_a_secret_survives_an_export_without_it_and_goes_when_emptied(rig: Rig) -> None:
    def secret() -> Any:
        return stored(rig.store).sources["site"].get("secret")

    old = stored(rig.store)
    site = old.sources["site"]
    put(rig.store, old.model_copy(update={"sources": {"site": {**site, "secret": "s3cret"}}}))
    assert put(rig.store, old.model_copy(update={"sources": {"site": site}})) == []
    assert secret() == "s3cret"
    put(rig.store, old.model_copy(update={"sources": {"site": {**site, "secret": ""}}}))
    assert secret() is None


def test_the_secret_of_a_sink_is_kept_and_shown_to_nobody(rig: Rig) -> None:
    sink = {"sink_id": "crm", "kind": "webhook", "name": "CRM", "url": "https://crm.example/h"}
    old = stored(rig.store)
    with_secret = old.model_copy(update={"sinks": {"crm": {**sink, "secret": "s3cret"}}})
    assert put(rig.store, with_secret) == ["new sink crm CRM"]
    moved = {**sink, "url": "https://crm.example/new"}
    said = put(rig.store, old.model_copy(update={"sinks_off": {"crm": moved}}))
    assert said == ["sink crm CRM: switched on yes → no, url https://crm.example/h → https://crm.example/new"]
    assert stored(rig.store).sinks_off["crm"]["secret"] == "s3cret"
    assert put(rig.store, old) == ["removed sink crm CRM"]


def test_a_source_that_is_switched_off_stays_and_takes_nothing(rig: Rig) -> None:
    old = stored(rig.store)
    off = old.model_copy(update={"sources": {}, "sources_off": old.sources})
    assert put(rig.store, off) == ["source site 官网: switched on yes → no"]
    rig.feed([post(key="k1", name="张伟")])
    rig.run()
    assert [row["code"] for row in rig.rows("dead")] == ["unknown_source"]


def test_publishing_is_an_act_with_its_actor_and_is_done_once(rig: Rig) -> None:
    book = "rule,then_team\nall,default\n"
    new = stored(rig.store).model_copy(update={"book_csv": book, "book_version": book_version(book)})
    command = Command(verb="publish", actor="ann", idem_key="p1", scope_id="company", reason="new book")
    append = rig.files.store_log.append
    assert perform(rig.store, command, publish(new), NOW, append)
    assert not perform(rig.store, command, publish(new), NOW + 1, append)
    (act,) = rig.rows("act", "actor", "verb", "reason")
    assert act == {"actor": "ann", "verb": "publish", "reason": "new book"}
    published = {row["version"]: row["act_id"] for row in rig.rows("book")}
    assert published[book_version(book)] == command.act_id


def test_on_postgresql_the_same_company_is_stored(clean_postgres: Database, rig: Rig) -> None:
    demo = read_company(DEMO)
    put(clean_postgres, small_company())
    put(clean_postgres, demo)
    put(rig.store, demo)
    assert same(stored(clean_postgres), stored(rig.store))


def test_unknown_names_are_counted_until_somebody_lists_them(rig: Rig) -> None:
    rows = [
        {"kind": kind, "value": value, "lead_id": f"lead_{n}", "at_us": n}
        for n, (kind, value) in enumerate([("utm", "x"), ("utm", "x"), ("place", "火星"), ("heard", "同行")])
    ]
    with rig.store.write() as connection:
        insert_ignore(connection, tables.unlisted, rows)
        insert_ignore(connection, tables.unlisted, rows[:1])  # the same lead decided again
    without_map = stored(rig.store)
    sea = Territory(territory_id="sea", name_zh="海", name_en="Sea")
    company = without_map.model_copy(update={"territories": {"sea": sea}})
    with rig.store.read() as connection:
        assert [one.kind for one in unlisted(connection, without_map)] == ["utm", "heard"], "no map, no gap"
        found = [
            (one.kind, one.value, one.leads, one.first_us, one.last_us)
            for one in unlisted(connection, company)
        ]
        assert found == [("utm", "x", 2, 0, 1), ("heard", "同行", 1, 3, 3), ("place", "火星", 1, 2, 2)]
        known = Campaign(campaign_id="c", name_zh="c", name_en="c", aliases=(Alias(kind="utm", value="X"),))
        listed = company.model_copy(update={"campaigns": {"c": known}})
        assert [one.kind for one in unlisted(connection, listed)] == ["heard", "place"]


def test_merging_never_loses_a_person_and_invents_nothing() -> None:
    old = small_company()
    assert merged(old, old, NOW) == old
    new = small_company(people={"dan": Person(person_id="dan", name="丹")}, members=(), absences=())
    both = merged(old, new, NOW)
    assert {key: one.state for key, one in both.people.items()} == {
        "dan": "active",
        "ann": "left",
        "bo": "left",
        "chen": "left",
    }
    assert all(one.to_us == NOW for one in both.members)


def test_a_future_place_of_somebody_gone_is_dropped() -> None:
    old = small_company(
        members=(Member(unit_id="east", person_id="ann", from_us=NOW + DAY),),
        absences=(Absence(person_id="ann", from_us=NOW, to_us=NOW + DAY),),
    )
    assert merged(old, without(old, "ann"), NOW).members == ()


def test_units_and_choices_are_replaced_whole(rig: Rig) -> None:
    old = stored(rig.store)
    north = Unit(unit_id="north", parent_id="company", kind="team", name_zh="华北", name_en="North")
    own = (Choice(list="return", code="ill", name_zh="生病", name_en="Ill"),)
    new = Company.model_validate(
        {
            **{name: getattr(old, name) for name in Company.model_fields},
            "units": {**old.units, "north": north},
            "choices": own,
        }
    )
    assert put(rig.store, new) == ["new unit north North", "new choice return/ill Ill"]
    assert stored(rig.store).choices_of("return") == own
    assert put(rig.store, old) == ["removed unit north North", "removed choice return/ill Ill"]
    assert same(stored(rig.store), old)
