"""All that can happen to customers and to the people who have them, in any order: one holder at every step, and a reason for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from leadflow.above import may_give_as
from leadflow.auto_moves import move_now
from leadflow.explain import explain
from leadflow.handover_job import advance, planned, spec_of
from leadflow.undo_scope import ScopePlan, plan_scope
from router.office import office_of
from sales.apply import publish
from sales.outcomes import Said, record_outcome
from schemas.company import Absence, Company, Member, Person, book_version
from schemas.ids import make_id
from schemas.moves import moves_version
from schemas.outcomes import OutcomeCode
from schemas.pools import Pool
from schemas.work import HolderKind
from store.acts_claim import Decide, Register
from store.acts_inbox import take
from store.acts_job import Begin
from store.acts_move import Give, Moving, judge
from store.acts_pool import claim, release
from store.acts_scope import BeginReturn
from store.acts_undo import Undo
from store.company import company_version, load_company
from store.protection import protected_until
from store.scope import Scope
from tests.property.test_merge_life import COMPANY, NAMES, Life, MergeLife, owners_but
from tests.support.rig import DAY, HOUR

PEOPLE = ("ann", "bo", "chen", "dai")
BOOKS = (
    "rule,channel,then_team,then_respond_within\neverything,,east,30\n",
    "rule,message_length,then_team,then_respond_within\nlong,> 5,night,60\nothers,,east,\n",
    "rule,has_phone,then_team,then_respond_within\nphone,yes,night,\n",
    "rule,has_email,then_team,then_pool\nmail,yes,east,\nothers,,,sea\n",
    "rule,then_team,then_collaborators,then_protect_days,then_if_owned\nall,night,ann,3,ask\n",
)
SEA = Pool(
    pool_id="sea",
    name_zh="公海",
    name_en="Pool",
    units=("east", "night"),
    open_limit=2,
    day_limit=4,
    again_days=1,
    owner_days=3,
    ladder=(1, 2, 3),
    reclaim="yes",
    protected=1,
)
MOVES = (
    "move,leads,then_team\nmany,> 1,night\n",
    "move,owner_team,then_person\neast,east,dai\n",
    "move,late_minutes,then_team\nlate,> 60,east\n",
)
OUTCOMES: tuple[OutcomeCode, ...] = ("no_answer", "interested", "later", "wrong_number", "won", "nurture")
JUMPS = (HOUR, 9 * HOUR, DAY, 3 * DAY, 30 * DAY)


Change = Callable[[Company, int], dict[str, Any]]
"""What becomes other in a company at a moment."""


def comes(person: str, team: str, share: int) -> Change:
    """Somebody joins a team, or has another share in it."""

    def change(company: Company, now_us: int) -> dict[str, Any]:
        place = Member(unit_id=team, person_id=person, from_us=now_us, share=share)
        others = [one for one in company.members if (one.unit_id, one.person_id) != (team, person)]
        people = {**company.people, person: Person(person_id=person, name=person)}
        return {"people": people, "members": (*others, place)}

    return change


def leaves(person: str) -> Change:
    """Somebody is not on the list any more."""

    def change(company: Company, _now_us: int) -> dict[str, Any]:
        people = {key: one for key, one in company.people.items() if key != person}
        return {
            "people": people,
            "members": tuple(one for one in company.members if one.person_id != person),
            "absences": tuple(one for one in company.absences if one.person_id != person),
        }

    return change


def is_away(person: str, days: int) -> Change:
    """Somebody who works here is away from now on."""

    def change(company: Company, now_us: int) -> dict[str, Any]:
        away = Absence(person_id=person, from_us=now_us, to_us=now_us + days * DAY)
        return {"absences": (*company.absences, away)} if person in company.people else {}

    return change


def goes_by(book: str) -> Change:
    """The rules are others."""
    return lambda _company, _now_us: {"book_csv": book, "book_version": book_version(book)}


def moves_by(table: str) -> Change:
    """Customers move by themselves."""
    return lambda _company, _now_us: {"moves_csv": table, "auto_rest_days": 2}


CHANGES = (
    st.builds(moves_by, st.sampled_from(MOVES)),
    st.builds(comes, st.sampled_from(PEOPLE), st.sampled_from(("east", "night")), st.integers(0, 3)),
    st.builds(leaves, st.sampled_from(PEOPLE)),
    st.builds(is_away, st.sampled_from(PEOPLE), st.integers(1, 20)),
    st.builds(goes_by, st.sampled_from(BOOKS)),
)


class OfficeLife(Life):
    """A life in which the company changes, too."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.moves: dict[str, dict[str, tuple[tuple[str, str], tuple[str, str]]]] = {}
        """By act: each customer that it moved, who had it before and after."""

    def company(self) -> Company:
        with self.rig.store.read() as connection:
            return load_company(connection, company_version(connection))

    def change(self, **changes: Any) -> None:
        new = Company.model_validate({**dict(self.company()), **changes})
        assert self.act("publish", "boss", "company", publish(new))

    def jump(self, by_us: int) -> None:
        self.now_us += by_us
        while self.rig.fire(self.now_us):
            pass

    def check(self) -> None:
        super().check()
        company, open_now = (
            self.company(),
            {row["customer_id"] for row in self.rig.rows("customer") if row["state"] == "open"},
        )
        for customer_id, (kind, holder_id) in self.owners().items():
            if kind == "person" and customer_id in open_now:
                assert company.people[holder_id].state == "active", "nobody who left has an open customer"
            if kind == "pool":
                assert holder_id in company.pools, "no pool that is not there"
            if kind == "queue":
                assert holder_id in company.units, "no queue that is not there"
        decided = {row["decision_id"] for row in self.rig.rows("decision")}
        for row in self.rig.rows("holding"):
            assert row["decision_id"] in decided or row["holder_id"] == "intake", (
                "each holding has its reason"
            )


class OneOwner(MergeLife):
    """Leads, merges and partings, and people who come and go."""

    life: OfficeLife

    def begin_life(self, folder: Path) -> Life:
        life = OfficeLife(folder)
        night = COMPANY.units["east"].model_copy(update={"unit_id": "night", "calendar_id": None})
        life.change(units={**COMPANY.units, "night": night}, pools={"sea": SEA})
        for number in range(4):
            life.arrive(name=NAMES[number % 3], phone=f"1390000000{number}", message="两台叉车" * number)
        return life

    @rule(change=st.one_of(*CHANGES))
    def the_company_changes(self, change: Change) -> None:
        self.life.change(**change(self.life.company(), self.life.now_us))

    @rule(by_us=st.sampled_from(JUMPS))
    def time_passes(self, by_us: int) -> None:
        self.life.jump(by_us)

    @precondition(lambda self: any(row["state"] == "open" for row in self.life.rig.rows("task")))
    @rule(data=st.data(), code=st.sampled_from(OUTCOMES))
    def somebody_records_an_outcome(self, data: st.DataObject, code: OutcomeCode) -> None:
        open_tasks = [row for row in self.life.rig.rows("task") if row["state"] == "open"]
        task = data.draw(st.sampled_from(sorted(open_tasks, key=lambda row: str(row["task_id"]))))
        if task["holder_kind"] != "person":
            self.life.act("take", data.draw(st.sampled_from(PEOPLE)), task["task_id"], take())
            return
        company = self.life.company()
        reason = "no_plan" if code == "nurture" else None
        said = Said(code, next_us=self.life.now_us + DAY if code == "later" else None, reason=reason)
        plan = record_outcome(said, company, office_of(company).due)
        self.life.act("outcome", task["holder_id"], task["task_id"], plan)

    def _held_by(self, kind: str) -> list[tuple[str, str]]:
        owners = self.life.owners().items()
        return sorted((name, holder) for name, (one, holder) in owners if one == kind)

    @precondition(lambda self: self._held_by("pool"))
    @rule(data=st.data(), people=st.permutations(PEOPLE))
    def two_claim_one_customer(self, data: st.DataObject, people: list[str]) -> None:
        name, pool_id = data.draw(st.sampled_from(self._held_by("pool")))
        company, before = self.life.company(), self.life.owners()
        here = [one for one in people if one in company.people and company.people[one].state == "active"][:2]
        got = [one for one in here if self.life.act("claim", one, name, claim(office_of(company).due))]
        assert len(got) < 2, "one of them gets it"
        after = self.life.owners()
        assert owners_but(after, [name]) == owners_but(before, [name]), "nobody else's work moved"
        assert after[name] == (("person", got[0]) if got else ("pool", pool_id))
        if got:
            (row,) = [
                row for row in self.life.rig.rows("ledger") if row["decision_id"] == self._decision_of(name)
            ]
            assert (row["person_id"], row["delta"]) == (after[name][1], 1), "and it counts for them"

    def _decision_of(self, name: str) -> str:
        rows = self.life.rig.rows("holding")
        return next(
            str(row["decision_id"])
            for row in rows
            if (row["customer_id"], row["role"], row["to_us"]) == (name, "owner", None)
        )

    @precondition(lambda self: self._held_by("person"))
    @rule(data=st.data())
    def somebody_releases_a_customer(self, data: st.DataObject) -> None:
        name, person = data.draw(st.sampled_from(self._held_by("person")))
        company, before = self.life.company(), self.life.owners()
        if company.people[person].state == "active":
            assert self.life.act("release", person, name, release())
            assert self.life.owners() == {**before, name: ("pool", "sea")}

    def _some(self, data: st.DataObject) -> list[str]:
        names = sorted(self.life.customers())
        return data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))

    def _received(self) -> dict[tuple[str, str, str], int]:
        rows = self.life.rig.rows("ledger_total")
        return {
            (row["team_id"], row["grade"], row["person_id"]): row["received"]
            for row in rows
            if row["received"]
        }

    def _move(self, data: st.DataObject, to: str) -> bool:
        kind: HolderKind = "person" if to in PEOPLE else "pool" if to == "sea" else "queue"
        gives = [Give(name, kind, to) for name in self._some(data)]
        return self.life.act("move", "boss", "customers", Moving(gives, may_give_as("boss")))

    @rule(data=st.data(), to=st.sampled_from((*PEOPLE, "east", "sea")))
    def a_manager_moves_customers(self, data: st.DataObject, to: str) -> None:
        before = self.life.owners()
        if self._move(data, to):
            self.life.moves[self.life.last_act] = {
                name: (before[name], holder)
                for name, holder in self.life.owners().items()
                if before[name] != holder
            }

    @rule(data=st.data(), to=st.sampled_from((*PEOPLE, "east", "sea")))
    def a_move_is_taken_back_at_once(self, data: st.DataObject, to: str) -> None:
        owners, received = self.life.owners(), self._received()
        if self._move(data, to):
            act_id = self.life.last_act
            assert self.life.act("undo", "boss", act_id, Undo(may_give_as("boss")), undoes=act_id)
            here = self.life.company().people
            stays = {
                name
                for name, (kind, holder) in owners.items()
                if kind == "person" and (holder not in here or here[holder].state == "left")
            }
            assert owners_but(self.life.owners(), stays) == owners_but(owners, stays)
            if not stays:
                assert self._received() == received, "and everybody has what they had received"

    @precondition(lambda self: self.life.moves)
    @rule(data=st.data())
    def a_move_is_taken_back_later(self, data: st.DataObject) -> None:
        act_id = data.draw(st.sampled_from(sorted(self.life.moves)))
        moved, before = self.life.moves.pop(act_id), self.life.owners()
        if self.life.act("undo", "boss", act_id, Undo(may_give_as("boss")), undoes=act_id):
            after = self.life.owners()
            assert owners_but(after, moved) == owners_but(before, moved), "nobody else's work moved"
            for name, (was, became) in moved.items():
                if name in after and after[name] != before.get(name):
                    assert (before[name], after[name]) == (became, was), "what it gave, and to whom it was"

    @rule(person=st.sampled_from(PEOPLE), leaving=st.booleans(), others=st.permutations(PEOPLE))
    def somebody_hands_over(self, person: str, leaving: bool, others: list[str]) -> None:
        company, store = self.life.company(), self.life.rig.store
        here = [one for one in others if one != person and one in company.people
                and company.people[one].state == "active"]  # fmt: skip
        if person not in company.people or company.people[person].state == "left" or not here:
            return
        asked = {"parts": [f"=> {','.join(here)}"], "plan_csv": "", "leaving": leaving, "duties_to": here[0]}
        with store.read() as connection:
            gives, left = planned(connection, company, person, asked, self.life.now_us)
            spec = spec_of(connection, company, person, asked, self.life.now_us)
            judged = judge(connection, gives, (company, lambda _holder: True), owner=person)
        assert not left
        if self.life.act("hand_over_begin", "boss", person, Begin(judged, spec, None, may_give_as("boss"))):
            job_id = make_id("job", self.life.last_act)
            append = self.life.rig.files.store_log.append
            while advance(store, append, job_id, self.life.tick()):
                pass
            self.life.rig.run()
            assert ("person", person) not in self.life.owners().values(), "nothing is left with them"
            assert (self.life.company().people[person].state == "left") is leaving

    @rule(by=st.sampled_from(("boss", *PEOPLE)), hours=st.sampled_from((1, 24)))
    def all_that_somebody_did_is_taken_back(self, by: str, hours: int) -> None:
        store, now_us = self.life.rig.store, self.life.tick()
        scope = Scope(now_us - hours * HOUR, now_us, by=by)
        before, tasks = self.life.owners(), self._tasks()
        with store.read() as connection:
            plan = plan_scope(connection, self.life.company(), scope, "boss", now_us)
        self._give_back(plan, before)
        back = {one.give.customer_id: one.give for one in plan.returns if one.refused is None}
        after = self.life.owners()
        assert owners_but(after, back) == owners_but(before, back), "nobody else's work moved"
        for name, give in back.items():
            if give.kind == "person":
                assert after[name] == ("person", give.holder_id), "whose it was before"
        assert self._tasks() == tasks, "no task is made or lost"

    @rule(version=st.sampled_from((*BOOKS, *MOVES)))
    def all_that_a_version_did_is_taken_back(self, version: str) -> None:
        store, now_us = self.life.rig.store, self.life.tick()
        named = book_version(version) if version in BOOKS else moves_version(version)
        before = self.life.owners()
        with store.read() as connection:
            scope = Scope(now_us - DAY, now_us, book_version=named)
            plan = plan_scope(connection, self.life.company(), scope, "boss", now_us)
        self._give_back(plan, before)
        touched = {one.give.customer_id for one in plan.returns if one.refused is None}
        assert owners_but(self.life.owners(), touched) == owners_but(before, touched)

    def _give_back(self, plan: ScopePlan, before: dict[str, tuple[str, str]]) -> None:
        begin = BeginReturn(plan.returns, {}, plan.decisions)
        if not self.life.act("undo_scope", "boss", f"scope {self.life.count}", begin):
            assert self.life.owners() == before
            return
        job_id = make_id("job", self.life.last_act)
        while advance(self.life.rig.store, self.life.rig.files.store_log.append, job_id, self.life.tick()):
            pass
        self.life.rig.run()

    def _tasks(self) -> list[str]:
        return [row["task_id"] for row in self.life.rig.rows("task")]

    @rule()
    def customers_move_by_themselves(self) -> None:
        store, now_us, before = self.life.rig.store, self.life.tick(), self.life.owners()
        with store.read() as connection:
            protected = protected_until(connection, before, now_us)
        moved = move_now(store, self.life.rig.files.store_log.append, now_us)
        self.life.rig.run()
        after = self.life.owners()
        assert {name for name in protected if after[name] != before[name]} == set(), "a protected one stays"
        assert len([name for name in before if after[name] != before[name]]) == moved

    @rule(data=st.data(), claimant=st.sampled_from((*PEOPLE, "night")), days=st.integers(1, 4))
    def somebody_registers_a_customer(self, data: st.DataObject, claimant: str, days: int) -> None:
        name, before = self._some(data)[0], self.life.owners()
        plan = Register(claimant, self.life.now_us + days * DAY, may_give_as("boss"))
        if self.life.act("register", "boss", name, plan):
            kind, holder = self.life.owners()[name]
            assert self.life.owners()[name] == before[name] or (kind, holder) == ("person", claimant)
            if plan.has_it:
                with self.life.rig.store.read() as connection:
                    assert protected_until(connection, [name], self.life.now_us), "for so long it is theirs"

    @rule(data=st.data(), owner=st.sampled_from(PEOPLE), beside=st.sampled_from(PEOPLE))
    def a_manager_decides_on_claims(self, data: st.DataObject, owner: str, beside: str) -> None:
        name, before = self._some(data)[0], self.life.owners()
        if self.life.act("decide_claim", "boss", name, Decide(owner, (beside,), may_give_as("boss"))):
            assert self.life.owners()[name] == ("person", owner)
            assert owners_but(self.life.owners(), [name]) == owners_but(before, [name])
            act_id = self.life.last_act
            here = self.life.company().people
            kind, holder = before[name]
            back = kind != "person" or (holder in here and here[holder].state == "active")
            if before[name] != ("person", owner) and back:
                assert self.life.act("undo", "boss", act_id, Undo(may_give_as("boss")), undoes=act_id)
                if kind == "person":
                    assert self.life.owners() == before

    @invariant()
    def every_lead_has_its_story(self) -> None:
        if hasattr(self, "life"):
            leads = self.life.rig.rows("lead")
            self.told = (getattr(self, "told", 0) + 1) % max(len(leads), 1)
            for row in (leads[self.told :] or leads)[:1]:  # another one at each step
                told = "\n".join(explain(self.life.rig.files, row["lead_id"], "en"))
                assert "DECIDED" in told
                assert "RAW BYTES" in told


TestOneOwner = OneOwner.TestCase
TestOneOwner.settings = settings(
    max_examples=20,
    stateful_step_count=16,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    print_blob=True,
)
