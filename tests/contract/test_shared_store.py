"""Several workers on one PostgreSQL: whoever comes first and however often they meet, one customer has one owner."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from router.gateway import queue_event
from sales.apply import publish
from schemas.capture import Capture
from schemas.company import Company, Member, Person, Unit, book_version
from store import tables
from store.access import end, find_access, grant, list_access, redeem, redemption
from store.acts import ActRefused, Command, Plan, perform
from store.acts_erase import Outgrown, erase_customer, find_erasure
from store.acts_inbox import take
from store.company import company_version, load_company
from store.database import Database, PostgresLimits, open_postgres
from store.journal import Erasure, read_journal, write_journal
from tests.support.rig import HOUR, MONDAY_10, SECOND, Rig, post
from tests.support.workers import Workers, in_threads

PEOPLE, LEADS, WORKERS = 300, 2_000, 4
CONNECTIONS = 50

AT_7 = MONDAY_10 - 3 * HOUR

FAR = 2**60
"""Later than every timer."""

State = dict[str, list[dict[str, Any]]]


def company() -> Company:
    """Two teams of five with unequal shares, on duty at every hour.

    Identifiers alone recognise people: of whom they make one is the same in any order, of likeness it is not.
    """
    book = "rule,province,then_team,then_respond_within\nsouth,广东,south,30\nothers,,east,30\n"
    teams = ("east", "south", "default")
    units = {
        one: Unit(unit_id=one, parent_id="company", kind="team", name_zh=one, name_en=one) for one in teams
    }
    people = [f"{team}{number}" for team in teams[:2] for number in range(5)]
    return Company(
        version=0,
        name="海川",
        units={
            "company": Unit(unit_id="company", kind="company", name_zh="海川", name_en="Haichuan"),
            **units,
        },
        people={one: Person(person_id=one, name=one) for one in people},
        members=tuple(
            Member(unit_id=one.rstrip("0123456789"), person_id=one, from_us=0, share=1 + number % 3)
            for number, one in enumerate(people)
        ),
        sources={
            "site": {
                "source_id": "site",
                "channel": "web",
                "format": "web.form",
                "name": "官网",
                "language": "zh",
            }
        },
        book_csv=book,
        book_version=book_version(book),
        matching="off",
    )


@pytest.fixture
def shared(clean_postgres: Database, tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path, clean_postgres, company())
    yield rig
    rig.files.doors.close()


def phone(person: int) -> str:
    return f"138{person:08d}"


def posts(seed: int, *, conflicts: bool) -> list[Capture]:
    """Forms of PEOPLE people, some corrected by a second one that names nobody.

    With conflicts, some give one of their identifiers only, or somebody else's.
    """
    dice = random.Random(seed)
    made: list[Capture] = []
    person = 0
    for number in range(LEADS):
        corrects = number % 20 == 1
        person = person if corrects else dice.randrange(PEOPLE)
        fields = {"name": f"客户{person}", "message": f"{number}", "province": dice.choice(("广东", "上海"))}
        fields["phone"] = phone(person)
        if dice.random() < 0.5:
            fields["email"] = f"u{person}@qq.com"
        if conflicts and dice.random() < 0.4:
            fields["email"] = f"u{dice.choice((person, person + 1, person // 2))}@qq.com"
            if dice.random() < 0.5:
                del fields["phone"]
        if corrects and not conflicts:
            fields = {"name": fields["name"], "message": "数量更正"}
        key = f"k{number // 2}" if number % 20 < 2 else None
        made.append(post(at_us=MONDAY_10 + number * 1_000, key=key, made=f"m{number}", **fields))
    return made


def grouping(state: State) -> set[frozenset[str]]:
    groups: dict[str, set[str]] = defaultdict(set)
    for row in state["membership"]:
        if row["to_us"] is None:
            groups[row["customer_id"]].add(row["lead_id"])
    return {frozenset(one) for one in groups.values()}


def assert_sound(state: State, leads: int) -> None:
    """What must hold whatever the order was."""
    assert state["dead"] == []
    member_of = {row["lead_id"]: row for row in state["membership"] if row["to_us"] is None}
    assert len(state["lead"]) == leads, "no lead is lost"
    assert len(member_of) == sum(row["to_us"] is None for row in state["membership"]), (
        "no lead is in two customers"
    )
    assert member_of.keys() == {row["lead_id"] for row in state["lead"]}
    owners = [row for row in state["holding"] if row["role"] == "owner" and row["to_us"] is None]
    assert Counter(row["customer_id"] for row in owners) == Counter(
        row["customer_id"] for row in state["customer"]
    )
    assert not [row for row in owners if row["holder_id"] == "intake"]
    bound = {
        (row["kind"], row["value"]): row["target_id"] for row in state["binding"] if row["to_us"] is None
    }
    conflicts = {
        (row["lead_id"], row["kind"], row["value"]) for row in state["evidence"] if row["note"] == "conflict"
    }
    for row in state["lead_identifier"]:
        if row["trust"] != "trusted" or (row["lead_id"], row["kind"], row["value"]) in conflicts:
            continue
        mine = member_of[row["lead_id"]]
        assert bound[row["kind"], row["value"]] in (mine["contact_id"], mine["customer_id"])
    primary = Counter(
        row["contact_id"] for row in state["contact_customer"] if row["to_us"] is None and row["is_primary"]
    )
    assert primary == Counter(row["contact_id"] for row in state["contact"])
    totals = Counter(
        {
            (row["team_id"], row["period"], row["grade"], row["person_id"]): row["received"]
            for row in state["ledger_total"]
        }
    )
    counted = Counter[tuple[str, str, str, str]]()
    for row in state["ledger"]:
        counted[row["team_id"], row["period"], row["grade"], row["person_id"]] += row["delta"]
    assert totals == counted
    routed = Counter(
        row["lead_id"] for row in state["decision"] if row["stage"] == "route" and row["lead_id"]
    )
    assert routed == Counter(row["lead_id"] for row in state["lead"]), "each lead is decided on once"
    tasks = Counter(row["lead_id"] for row in state["task"])
    assert set(tasks.values()) <= {1}


def one_worker(folder: Path, captures: list[Capture]) -> State:
    rig = Rig(folder, company=company())
    rig.feed(captures)
    rig.run()
    rig.fire(FAR)
    state = rig.state()
    rig.close()
    return state


def test_without_conflicts_four_workers_find_the_same_customers_as_one(
    shared: Rig, tmp_path_factory: pytest.TempPathFactory
) -> None:
    captures = posts(1, conflicts=False)
    alone = one_worker(tmp_path_factory.mktemp("alone"), captures)
    shared.feed(captures)
    while shared.step(0):  # one worker parses: corrections go to the partition of what they correct
        pass
    workers = Workers(shared, WORKERS)
    for hosts in workers.hosts:
        del hosts[0]
    workers.run()
    state = shared.state()
    assert_sound(state, LEADS)
    assert grouping(state) == grouping(alone)


def test_with_conflicts_every_outcome_is_sound_and_explained(shared: Rig) -> None:
    captures = posts(2, conflicts=True)
    shared.feed(captures)
    workers = Workers(shared, WORKERS)
    workers.run()
    assert_sound(shared.state(), LEADS)
    conflicts, _ = workers.met
    assert conflicts, "they met; else this test shows nothing"


def test_one_person_who_writes_by_every_way_at_once_is_one_customer(
    clean_postgres: Database, postgres_url: str, tmp_path: Path
) -> None:
    every: tuple[dict[str, str], ...] = (
        {"phone": phone(1), "email": "u1@qq.com"},
        {"phone": phone(1)},
        {"email": "u1@qq.com", "phone": phone(1), "company": "上海大恒信息技术有限公司"},
    )
    captures = [
        post(at_us=MONDAY_10, made=f"m{number}", key=None, purpose="real", **every[number % 3])
        for number in range(100)
    ]
    with closing(open_postgres(postgres_url, PostgresLimits(pool=CONNECTIONS), "leadflow")) as store:
        rig = Rig(tmp_path, store, company())
        rig.feed(captures)
        while rig.step(0):
            pass
        workers = Workers(rig, CONNECTIONS, batch_max=1)
        for hosts in workers.hosts:
            del hosts[0]
        workers.run()
        state = rig.state()
        rig.files.doors.close()
    assert_sound(state, len(captures))
    assert len(state["customer"]) == len(state["contact"]) == 1
    assert len(state["ledger"]) == 1, "it was given once; the others went to its owner"


def waiting(rig: Rig, count: int) -> None:
    """Put customers into the queue of a team that is not on duty."""
    rig.feed(
        [post(at_us=AT_7, made=f"m{number}", name="张伟", phone=phone(number)) for number in range(count)]
    )
    Workers(rig, WORKERS, at_us=AT_7).run()
    assert len(queue(rig)) == count


def queue(rig: Rig) -> list[str]:
    return [
        row["customer_id"]
        for row in rig.rows("holding")
        if row["to_us"] is None and (row["holder_kind"], row["holder_id"]) == ("queue", "east")
    ]


@pytest.fixture
def office(clean_postgres: Database, tmp_path: Path) -> Iterator[Rig]:
    """The small company: its team works from nine to six."""
    rig = Rig(tmp_path, clean_postgres)
    yield rig
    rig.files.doors.close()


def test_a_queue_that_workers_drain_while_people_take_from_it(office: Rig) -> None:
    waiting(office, 240)
    tasks = [row["task_id"] for row in office.rows("task")]
    taken: list[str] = []
    refused: list[str] = []

    def takes(person_id: str, order: list[str]) -> None:
        for task_id in order:
            command = Command("take", person_id, f"take {person_id} {task_id}", task_id)
            try:
                if perform(office.store, command, take(), AT_7 + 2 * HOUR, office.files.store_log.append):
                    taken.append(task_id)
            except ActRefused as error:
                refused.append(error.code)

    # Two events for one queue, on two workers, beside the rounds that each of them asks for.
    with office.store.write() as connection:
        events = [queue_event("east", AT_7 + 2 * HOUR, cause=f"c{number}") for number in range(2)]
        office.files.store_log.append(connection, "reroute", events, AT_7)
    people = [
        lambda: takes("ann", tasks[::2]),
        lambda: takes("bo", tasks[::-2]),
        lambda: takes("ann", tasks[:20]),
    ]
    Workers(office, WORKERS).run(beside=people)
    state = office.state()
    assert_sound(state, 240)
    assert queue(office) == []
    assert set(refused) <= {"taken_already"}
    assert len(taken) == len(set(taken)), "nobody took what somebody else had taken"
    claimed = [row for row in state["decision"] if row["code"] == "claimed"]
    assert len(claimed) == len(taken)
    assert len(state["ledger"]) == 240


def test_a_lead_that_comes_to_a_queue_after_it_was_opened_is_drained_too(rig: Rig) -> None:
    rig.feed([post(at_us=AT_7, made="early", name="张伟", phone=phone(1))])
    rig.run()
    assert len(queue(rig)) == 1
    rig.fire(AT_7 + 2 * HOUR)
    assert queue(rig) == []
    # Decided a moment before nine by a worker whose commit came after the queue was drained.
    rig.feed([post(at_us=AT_7 + HOUR, made="late", name="李娜", phone="13987654321")])
    rig.run()
    assert len(queue(rig)) == 1
    rig.fire(AT_7 + 2 * HOUR)
    assert queue(rig) == []


def test_two_people_who_take_one_customer_at_once(office: Rig) -> None:
    waiting(office, 12)
    tasks = [row["task_id"] for row in office.rows("task")]
    outcomes: list[str] = []

    def takes(person_id: str) -> None:
        for task_id in tasks:
            command = Command("take", person_id, f"take {person_id} {task_id}", task_id)
            try:
                perform(office.store, command, take(), AT_7, office.files.store_log.append)
                outcomes.append("taken")
            except ActRefused as error:
                outcomes.append(error.code)

    in_threads([lambda: takes("ann"), lambda: takes("bo"), lambda: takes("chen")])
    assert Counter(outcomes) == {"taken": 12, "taken_already": 24}


def test_the_same_act_sent_twice_at_once_happens_once(office: Rig) -> None:
    waiting(office, 1)
    (task,) = office.rows("task")
    command = Command("take", "ann", "one key", task["task_id"])
    done: list[bool] = []

    def takes() -> None:
        done.append(perform(office.store, command, take(), AT_7, office.files.store_log.append))

    in_threads([takes] * 8)
    assert sorted(done) == [False] * 7 + [True]


def test_nobody_who_is_being_marked_as_left_gets_something_at_that_moment(shared: Rig) -> None:
    captures = [post(made=f"m{number}", name="张伟", phone=phone(number)) for number in range(600)]
    shared.feed(captures)
    with shared.store.read() as connection:
        before = load_company(connection, company_version(connection))
    people = {key: person for key, person in before.people.items() if key not in ("east0", "east3")}
    members = tuple(one for one in before.members if one.person_id in people)
    after = before.model_copy(update={"people": people, "members": members})

    def publishes() -> None:
        command = Command("publish", "boss", "publish", "company")
        perform(shared.store, command, publish(after), MONDAY_10, shared.files.store_log.append)

    def waits() -> None:
        while not shared.rows("ledger", "person_id"):
            pass
        publishes()

    Workers(shared, WORKERS, batch_max=20).run(beside=[waits])
    state = shared.state()
    assert_sound(state, 600)
    owners = {row["holder_id"] for row in state["holding"] if row["to_us"] is None}
    assert owners == people.keys() & {f"east{number}" for number in range(5)}


def test_a_lead_goes_on_alone_when_the_one_it_joins_never_comes(rig: Rig) -> None:
    rig.feed([post(made="a", key="k", name="张伟", phone=phone(1)), post(made="b", key="k", name="张伟")])
    rig.step(0)
    with rig.store.write() as connection:
        connection.execute(update(tables.log).where(tables.log.c.off == 0).values(topic="elsewhere"))
    rig.run()
    assert rig.rows("lead") == []
    for seconds in range(20):
        rig.fire(MONDAY_10 + seconds * SECOND)
    assert len(rig.rows("membership")) == 1
    assert rig.fire(FAR) == 0


def test_a_lead_that_comes_while_its_customer_is_erased_is_not_left_behind(rig: Rig) -> None:
    rig.feed([post(made="a", name="张伟", phone=phone(1))])
    rig.run()
    (customer,) = rig.rows("customer")
    command = Command("erase", "ann", "erase", customer["customer_id"])

    def look() -> Erasure:
        with rig.store.read() as connection:
            return find_erasure(connection, command.act_id, customer["customer_id"])

    def erases(erasure: Erasure) -> None:
        write_journal(rig.files.journal, erasure)
        plan = erase_customer(erasure)
        perform(rig.store, command, plan, MONDAY_10, rig.files.store_log.append)

    early = look()
    rig.feed([post(at_us=MONDAY_10 + SECOND, made="b", name="张伟", phone=phone(1))])
    rig.run()
    with pytest.raises(Outgrown):
        erases(early)
    assert len(rig.rows("lead")) == 2
    erases(look())
    assert rig.rows("lead") == rig.rows("lead_identifier") == rig.rows("binding") == []
    (journalled,) = read_journal(rig.files.journal)
    assert isinstance(journalled, Erasure)
    assert len(journalled.leads) == 2, "a restored backup is erased of both"


def test_a_person_whose_access_ends_while_they_enter_is_out(office: Rig) -> None:
    refused: set[str] = set()

    def do(command: Command, plan: Plan) -> None:
        try:
            perform(office.store, command, plan, MONDAY_10, office.files.store_log.append)
        except ActRefused as error:
            refused.add(error.code)

    for number in range(20):
        do(Command("grant", "boss", f"grant {number}", "ann"), grant("link", f"code {number}", HOUR))
        with office.store.read() as connection:
            link = find_access(connection, f"code {number}")
        assert link is not None
        enters = partial(do, redemption(link), redeem(f"code {number}", f"session {number}"))
        in_threads([enters, partial(do, Command("end_access", "boss", f"end {number}", "ann"), end())])
        assert states(office) <= {"used", "ended"}
    assert refused <= {"link_over"}


def states(rig: Rig) -> set[str]:
    with rig.store.read() as connection:
        return {one.state(MONDAY_10) for one in list_access(connection)}
