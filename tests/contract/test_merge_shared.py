"""Merging and parting on one PostgreSQL while everybody works: no lead is lost, nobody is two, nobody waits for ever."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from enrich.acts_merge import merge_with
from enrich.acts_part import Wish, part
from leadflow.second_look import SecondLook
from store.acts import ActRefused, Command, Plan, perform
from store.database import Database, PostgresLimits, open_postgres
from tests.property.test_merge_life import Life, MergeLife
from tests.support.rig import MONDAY_10, SECOND, Rig, empty, post, small_company
from tests.support.workers import Workers, in_threads

CONNECTIONS = 50


@pytest.fixture
def shared(clean_postgres: Database, tmp_path: Path) -> Iterator[Life]:
    made = Life(tmp_path, clean_postgres)
    yield made
    made.rig.files.doors.close()


def test_two_leads_of_one_person_at_once_on_fifty_connections_are_one_customer(
    postgres_url: str, clean_postgres: Database, tmp_path: Path
) -> None:
    store = open_postgres(postgres_url, PostgresLimits(pool=CONNECTIONS))
    rig = Rig(tmp_path, store)
    rig.feed(
        [
            post(
                at_us=MONDAY_10 + number,
                made=f"m{number}",
                name="张伟",
                phone="13812345678",
                email="zw1987@qq.com",
            )
            for number in range(CONNECTIONS * 2)
        ]
    )
    while rig.step(0):
        pass
    workers = Workers(rig, CONNECTIONS, batch_max=1)
    for hosts in workers.hosts:
        del hosts[0]
    workers.run()
    assert len({row["customer_id"] for row in rig.rows("customer")}) == 1
    assert len(rig.rows("contact")) == 1
    assert len(rig.rows("membership")) == CONNECTIONS * 2
    assert [row["to_us"] for row in rig.rows("holding") if row["holder_id"] != "intake"] == [None]
    rig.files.doors.close()
    store.close()


def test_merging_and_parting_beside_four_workers_loses_nothing(shared: Life) -> None:
    rig = shared.rig
    phones = [f"138{number:08d}" for number in range(12)]
    rig.feed(
        [post(made=f"a{number}", name=f"客{number}", phone=phone) for number, phone in enumerate(phones)]
    )
    Workers(rig, 4).run()
    customers = sorted(shared.customers())
    dice = random.Random(6)
    rig.feed(
        [
            post(
                at_us=MONDAY_10 + SECOND + number * 1_000,
                made=f"b{number}",
                name=f"客{number % 12}",
                phone=phones[number % 12],
                email=f"u{dice.randrange(12)}@qq.com",
                message=f"{number}",
            )
            for number in range(400)
        ]
    )

    def act(number: int, scope: str, plan: Plan) -> None:
        command = Command("merge", "boss", f"k{number}", scope, "because")
        try:
            perform(rig.store, command, plan, MONDAY_10 + 2 * SECOND, rig.files.store_log.append)
        except ActRefused as refused:
            if refused.code not in ("one_already", "parted_before", "nothing_merged"):
                raise

    def manager(seed: int) -> None:
        mine = random.Random(seed)
        for turn in range(12):
            one, two = mine.sample(customers, 2)
            act(seed * 100 + turn, one, part(Wish(one)) if turn % 3 == 2 else merge_with(two))

    workers = Workers(rig, 4, batch_max=20)
    workers.run(beside=[partial(manager, seed) for seed in (1, 2)])
    Workers(rig, 4).run()
    shared.now_us = MONDAY_10 + 3 * SECOND
    shared.check()
    assert len(rig.rows("lead")) == 412
    assert rig.rows("joined"), "something was merged; else this test shows nothing"


def test_one_customer_merged_with_many_at_once(shared: Life) -> None:
    rig = shared.rig
    rig.feed([post(made=f"a{number}", name=f"客{number}", phone=f"138{number:08d}") for number in range(9)])
    rig.run()
    one, *others = sorted(shared.customers())

    def merge(other: str) -> None:
        command = Command("merge", "boss", other, other, "because")
        perform(rig.store, command, merge_with(one), MONDAY_10 + SECOND, rig.files.store_log.append)

    in_threads([partial(merge, other) for other in others])
    rig.run()
    shared.check()
    assert {shared.present()[other] for other in others} == {shared.present()[one]}


class MergeLifeOnPostgres(MergeLife):
    """The same life on the other database."""

    store: Database

    def begin_life(self, folder: Path) -> Life:
        empty(self.store)
        return Life(folder, self.store)


def test_any_order_on_postgres(postgres: Database) -> None:
    MergeLifeOnPostgres.store = postgres
    case = MergeLifeOnPostgres.TestCase
    case.settings = settings(
        max_examples=6,
        stateful_step_count=10,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate),
        print_blob=True,
    )
    case("runTest").runTest()


def test_leads_that_only_the_model_recognises_are_one_customer_whichever_of_eight_workers_had_them(
    postgres_url: str, clean_postgres: Database, tmp_path: Path
) -> None:
    store = open_postgres(postgres_url, PostgresLimits(pool=8))
    rig = Rig(tmp_path, store, company=small_company(matching="join"))
    people = ("欧阳静怡", "司马致远", "诸葛思源", "上官婉清", "夏侯明哲", "皇甫嘉懿")
    rig.feed(
        [
            post(
                at_us=MONDAY_10 + number,
                made=f"m{number}",
                name=people[number % 6],
                phone=f"139{number:08d}",
                company="北京大恒信息技术有限公司",
                city="北京",
            )
            for number in range(48)
        ]
    )
    while rig.step(0):
        pass
    workers = Workers(rig, 8, batch_max=1)
    for hosts in workers.hosts:
        del hosts[0]
    workers.run()
    second = SecondLook(store, rig.files.store_log.append, several=True)
    while second.look(MONDAY_10 + SECOND):
        pass
    present = {row["old_id"]: row["now_id"] for row in rig.rows("alias")}
    names = {row["lead_id"]: row["fields_json"] for row in rig.rows("lead")}
    contacts: dict[str, set[str]] = {}
    for row in rig.rows("membership"):
        name = next(one for one in people if one in names[row["lead_id"]])
        contacts.setdefault(name, set()).add(present.get(row["contact_id"], row["contact_id"]))
    assert {name: len(found) for name, found in contacts.items()} == dict.fromkeys(people, 1)
    assert len(set().union(*contacts.values())) == 6
    rig.files.doors.close()
    store.close()
