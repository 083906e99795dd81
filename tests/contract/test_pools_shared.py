"""Claims by fifty people at the same instant, each on a connection of their own: one gets it, the others are told that it is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from router.office import office_of
from schemas.company import Company, Member, Person, book_version
from schemas.pools import Pool
from store.acts import ActRefused, Command, perform
from store.acts_pool import claim
from store.company import company_version, load_company, replace_company
from store.database import Database, open_postgres
from store.views import orphans
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, Rig, post, small_company
from tests.support.workers import Workers, in_threads

CONNECTIONS = 50
CLAIMERS = [f"p{number:02d}" for number in range(CONNECTIONS)]


def office(pool: Pool) -> Company:
    book = "rule,then_pool\nall,sea\n"
    return small_company(
        people={one: Person(person_id=one, name=one) for one in CLAIMERS},
        members=tuple(Member(unit_id="east", person_id=one, from_us=0) for one in CLAIMERS),
        absences=(),
        pools={"sea": pool},
        book_csv=book,
        book_version=book_version(book),
    )


SEA = Pool(pool_id="sea", name_zh="公海", name_en="Pool", reclaim="no", open_limit=2)


@pytest.fixture
def rig(clean_postgres: Database, tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path, clean_postgres, office(SEA))
    yield made
    made.files.doors.close()


def together(rig: Rig, wishes: list[tuple[str, str]]) -> list[str]:
    """Let each (person, customer) be claimed on a connection of its own, all at once; return what they were told."""
    with rig.store.read() as connection:
        due = office_of(load_company(connection, company_version(connection))).due
    url = rig.store.engine.url.render_as_string(hide_password=False)
    told: list[str] = []

    def claims(store: Database, person: str, customer: str) -> None:
        command = Command("claim", person, f"{person} {customer}", customer)
        try:
            perform(store, command, claim(due), MONDAY_10 + MINUTE, rig.files.store_log.append)
            told.append("claimed")
        except ActRefused as refused:
            told.append(refused.code)

    with ExitStack() as stack:
        work = []
        for person, customer in wishes:
            store = open_postgres(url)
            stack.callback(store.close)
            work.append(lambda store=store, person=person, customer=customer: claims(store, person, customer))
        in_threads(work)
    rig.run()
    return told


def arrive(rig: Rig, count: int) -> list[str]:
    rig.feed([post(made=f"m{number}", phone=f"138{number:08d}") for number in range(count)])
    rig.run()
    return sorted(row["customer_id"] for row in rig.rows("customer"))


def test_of_fifty_who_claim_one_customer_one_gets_it(rig: Rig) -> None:
    (customer,) = arrive(rig, 1)
    told = together(rig, [(person, customer) for person in CLAIMERS])
    assert Counter(told) == {"claimed": 1, "claimed_already": CONNECTIONS - 1}
    held = [row for row in rig.rows("holding") if (row["holder_kind"], row["to_us"]) == ("person", None)]
    assert len(held) == 1
    assert [row["person_id"] for row in rig.rows("ledger")] == [held[0]["holder_id"]]
    (task,) = rig.rows("task")
    assert task["holder_id"] == held[0]["holder_id"]


def test_one_person_who_claims_many_at_once_gets_no_more_than_the_limit(rig: Rig) -> None:
    some = arrive(rig, 12)
    told = together(rig, [("p00", one) for one in some])
    assert Counter(told) == {"claimed": 2, "pool_full": 10}


def test_many_who_claim_many_share_them_out_without_a_gap(rig: Rig) -> None:
    some = arrive(rig, 10)
    told = together(rig, [(CLAIMERS[number], some[(number // 5) % 10]) for number in range(CONNECTIONS)])
    assert Counter(told) == {"claimed": 10, "claimed_already": 40}
    with rig.store.read() as connection:
        assert orphans(connection, MONDAY_10 + MINUTE) == []


def test_four_workers_and_their_timers_take_each_step_of_a_ladder_once_while_people_claim(rig: Rig) -> None:
    with rig.store.write() as connection:
        old = load_company(connection, company_version(connection))
        replace_company(connection, old, office(SEA.model_copy(update={"reclaim": "yes"})), MONDAY_10)
        due = office_of(old).due
    rig.feed([post(made=f"m{number}", phone=f"138{number:08d}") for number in range(40)])
    Workers(rig, 4).run()
    some = sorted(row["customer_id"] for row in rig.rows("customer"))
    told: list[str] = []

    def claims(shift: int, at_us: int) -> None:
        for number, customer in enumerate(some):
            person = CLAIMERS[(number + shift) % CONNECTIONS]
            command = Command("claim", person, f"{person} {customer} {at_us}", customer)
            try:
                perform(rig.store, command, claim(due), at_us, rig.files.store_log.append)
                told.append("claimed")
            except ActRefused as refused:
                told.append(refused.code)

    claims(0, MONDAY_10 + HOUR)
    evening = MONDAY_10 + 8 * HOUR + MINUTE
    for days in (3, 7):
        Workers(rig, 4, at_us=evening + days * DAY).run()
    last = evening + 9 * DAY
    Workers(rig, 4, at_us=last).run(beside=[lambda: claims(3, last), lambda: claims(7, last)])
    codes = Counter((row["subject_id"], row["code"]) for row in rig.rows("decision"))
    assert {codes[one, step] for one in some for step in ("pooled", "reminded", "copied", "reclaimed")} == {1}
    assert Counter(told)["claimed"] == sum(codes[one, "claimed"] for one in some)
    owners = Counter(
        row["customer_id"] for row in rig.rows("holding") if (row["role"], row["to_us"]) == ("owner", None)
    )
    assert owners == Counter(some)
    assert rig.rows("dead") == []
