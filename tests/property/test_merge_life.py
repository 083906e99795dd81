"""Arrivals, merges and partings in any order through the real stages and acts: nothing is lost, nobody is in two places."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from enrich.acts_merge import merge_with
from enrich.acts_part import Wish, part
from enrich.golden import golden_of
from enrich.identity import Join, group
from schemas.shares import LEAD
from store.acts import ActRefused, Command, Plan, perform
from store.acts_inbox import give_back, take
from store.database import Database
from store.views import balance, orphans
from tests.support.rig import MINUTE, MONDAY_10, Rig, post, small_company

IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
PHONES = ["13812345678", "13987654321", "021-52345678", ""]
EMAILS = ["tablet@qq.com", "wei@daheng-it.cn", "li@daheng-it.cn", ""]
NAMES = ["张伟", "李娜", "王芳"]
TAX_IDS = ["91310000607234567W", "91110108551385082Q", "", ""]
EXPECTED = (
    "parted_before",
    "conflicting_identifiers",
    "nothing_merged",
    "other_team",
    "unknown_actor",
    "ladder_ended",
    "nothing_to_move",
    "undone_already",
    "undo_too_late",
    "left_over",
    "more_is_open",
    "not_waiting",
    "claimed_already",
    "not_in_pool",
    "other_pool",
    "was_yours",
    "pool_full",
    "pool_day_full",
    "unknown_claimant",
    "no_claim",
)
"""Refusals that may well come, of acts that are drawn without a look at what is possible."""
COMPANY = small_company(sinks={"crm": {"sink_id": "crm", "kind": "faulty", "name": "CRM"}})


class Life:
    """A rig and a clock, with what has to hold at every moment."""

    def __init__(self, folder: Path, store: Database | None = None) -> None:
        self.rig = Rig(folder, store, company=COMPANY)
        self.own_store = store is None
        self.now_us = MONDAY_10
        self.count = 0
        self.parted: set[tuple[str, str]] = set()
        self.last_act = ""

    def close(self) -> None:
        """Close what is this life's own."""
        if self.own_store:
            self.rig.close()
        else:
            self.rig.files.doors.close()

    def tick(self) -> int:
        self.now_us += MINUTE
        self.count += 1
        return self.now_us

    def arrive(self, **fields: str) -> None:
        at_us = self.tick()
        self.rig.feed([post(at_us=at_us, made=f"m{self.count}", **fields)])
        self.rig.run()

    def act(self, verb: str, actor: str, scope: str, plan: Plan, undoes: str | None = None) -> bool:
        command = Command(verb, actor, f"k{self.tick()}", scope, "because", undoes)
        try:
            perform(self.rig.store, command, plan, self.now_us, self.rig.files.store_log.append)
        except ActRefused as refused:
            if refused.code in EXPECTED:
                return False
            raise
        self.rig.run()
        self.last_act = command.act_id
        return True

    def present(self) -> dict[str, str]:
        alias = {row["old_id"]: row["now_id"] for row in self.rig.rows("alias")}
        atoms = [row["customer_id"] for row in self.rig.rows("customer")]
        atoms += [row["contact_id"] for row in self.rig.rows("contact")]
        return {atom: alias.get(atom, atom) for atom in atoms}

    def customers(self) -> dict[str, set[str]]:
        """Present id of each customer with its leads."""
        names, found = self.present(), dict[str, set[str]]()
        for row in self.rig.rows("membership"):
            if row["to_us"] is None:
                found.setdefault(names[row["customer_id"]], set()).add(row["lead_id"])
        return found

    def conflict(self, one: set[str], other: set[str]) -> bool:
        """Tell whether these leads have tax numbers, and none in common."""
        given = [
            {
                row["value"]
                for row in self.rig.rows("lead_identifier")
                if row["kind"] == "tax_id" and row["lead_id"] in leads
            }
            for leads in (one, other)
        ]
        return all(given) and not given[0] & given[1]

    def owners(self) -> dict[str, tuple[str, str]]:
        return {
            row["customer_id"]: (row["holder_kind"], row["holder_id"])
            for row in self.rig.rows("holding")
            if row["role"] == "owner" and row["to_us"] is None
        }

    def check(self) -> None:
        state = {
            name: self.rig.rows(name) for name in ("lead", "membership", "customer", "contact", "joined")
        }
        open_rows = Counter(row["lead_id"] for row in state["membership"] if row["to_us"] is None)
        assert open_rows == Counter(row["lead_id"] for row in state["lead"]), "each lead is in one customer"
        names = self.present()
        customers = {one for atom, one in names.items() if atom.startswith("cus_")}
        holdings = Counter(
            row["customer_id"]
            for row in self.rig.rows("holding")
            if row["role"] == "owner" and row["to_us"] is None
        )
        assert holdings == Counter(dict.fromkeys(customers, 1)), "one owner each, and none for a merged one"
        for row in state["customer"]:
            assert (row["state"] == "merged") == (row["customer_id"] not in customers)
        self._check_grouping(state, names)
        for row in self.rig.rows("task"):
            assert row["state"] != "open" or row["customer_id"] in customers
            if row["state"] == "open":
                assert self.owners()[row["customer_id"]] == (row["holder_kind"], row["holder_id"])
        where = {lead: name for name, leads in self.customers().items() for lead in leads}
        for row in self.rig.rows("task"):
            assert names[row["customer_id"]] == where[row["lead_id"]], "a task goes with its lead"
        for a, b in self.parted:
            assert where[a] != where[b], "whoever was parted stays so"
        for row in (*state["customer"], *state["contact"]):
            atom = row.get("customer_id") or row["contact_id"]
            column = "customer_id" if atom.startswith("cus_") else "contact_id"
            (member,) = [
                one
                for one in state["membership"]
                if one["lead_id"] == row["born_lead"] and one["to_us"] is None
            ]
            assert names[member[column]] == names[atom], "an old id leads to where its lead went"
        brought = {row["lead_id"]: row for row in state["membership"] if row["to_us"] is None}
        for row in self.rig.rows("binding"):
            if row["to_us"] is None:
                mine = brought[row["lead_id"]]
                targets = {names[mine["contact_id"]], names[mine["customer_id"]]}
                assert names[row["target_id"]] in targets, "an identifier is its bringer's"
        primary = Counter(
            row["contact_id"]
            for row in self.rig.rows("contact_customer")
            if row["to_us"] is None and row["is_primary"]
        )
        assert primary == Counter(row["contact_id"] for row in state["contact"])
        related = {
            (row["contact_id"], row["customer_id"])
            for row in self.rig.rows("contact_customer")
            if row["to_us"] is None
        }
        assert {(row["contact_id"], row["customer_id"]) for row in brought.values()} <= related
        assert self.rig.rows("dead") == []
        with self.rig.store.read() as connection:
            assert orphans(connection, self.now_us) == []
            assert balance(connection, self.now_us).adds_up
        given = Counter(
            {
                (row["team_id"], row["period"], row["grade"], row["person_id"]): row["received"]
                for row in self.rig.rows("ledger_total")
            }
        )
        counted = Counter[tuple[str, str, str, str]]()
        for row in self.rig.rows("ledger"):
            counted[row["team_id"], row["period"], row["grade"], row["person_id"]] += row["delta"]
        assert given == counted, "sums count what the entries say"
        entitled = sum(row["entitled"] for row in self.rig.rows("ledger_total"))
        assert entitled == counted.total() * LEAD, "what one is entitled to, another is not"

    def _check_grouping(self, state: dict[str, list[dict[str, Any]]], names: dict[str, str]) -> None:
        born = {
            row.get("customer_id") or row["contact_id"]: row["born_us"]
            for row in (*state["customer"], *state["contact"])
        }
        joins = [
            Join(row["rank"], row["join_id"], row["a"], row["b"])
            for row in state["joined"]
            if row["to_us"] is None
        ]
        parted = {(row["a"], row["b"]) for row in self.rig.rows("parted")}
        assert group(born, reversed(joins), parted) == names, "the rows alone say who is one"


class MergeLife(RuleBasedStateMachine):
    """Anything may happen in any order."""

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory(dir=IN_MEMORY)
        self.life = self.begin_life(Path(self.folder.name))

    def begin_life(self, folder: Path) -> Life:
        return Life(folder)

    def teardown(self) -> None:
        if hasattr(self, "life"):
            self.life.close()
            self.folder.cleanup()

    @rule(
        name=st.sampled_from(NAMES),
        phone=st.sampled_from(PHONES),
        email=st.sampled_from(EMAILS),
        tax_id=st.sampled_from(TAX_IDS),
    )
    def a_lead_arrives(self, name: str, phone: str, email: str, tax_id: str) -> None:
        self.life.arrive(name=name, phone=phone, email=email, tax_id=tax_id)

    @precondition(lambda self: len(self.life.customers()) > 1)
    @rule(data=st.data(), although=st.sampled_from([False, False, False, True]))
    def somebody_merges_two(self, data: st.DataObject, although: bool) -> None:
        before, owners = self.life.customers(), self.life.owners()
        two = data.draw(st.lists(st.sampled_from(sorted(before)), min_size=2, max_size=2, unique=True))
        conflict = self.life.conflict(before[two[0]], before[two[1]])
        if self.life.act("merge", "boss", two[0], merge_with(two[1], although=although)):
            assert although or not conflict, "a conflict of trusted identifiers never merges"
            self.life.parted -= {
                pair for pair in self.life.parted if set(pair) <= before[two[0]] | before[two[1]]
            }
            assert self.life.customers()[self.life.present()[two[0]]] == before[two[0]] | before[two[1]]
            assert owners_but(self.life.owners(), two) == owners_but(owners, two), "nobody else's work moved"

    @precondition(lambda self: any(len(leads) > 1 for leads in self.life.customers().values()))
    @rule(data=st.data(), keep=st.booleans())
    def somebody_parts_leads(self, data: st.DataObject, keep: bool) -> None:
        before, owners = self.life.customers(), self.life.owners()
        name = data.draw(st.sampled_from(sorted(one for one, leads in before.items() if len(leads) > 1)))
        leads = sorted(before[name])
        side = data.draw(st.sets(st.sampled_from(leads), min_size=1, max_size=len(leads) - 1))
        assert self.life.act("unmerge", "boss", name, part(Wish(name, frozenset(side), keep_contacts=keep)))
        self.life.parted |= {(a, b) for a in side for b in set(leads) - side}
        after = self.life.customers()
        assert {frozenset(side), frozenset(set(leads) - side)} <= {frozenset(one) for one in after.values()}
        mine = {one for one, held in after.items() if held & set(leads)} | {name}
        assert owners_but(self.life.owners(), mine) == owners_but(owners, mine), "nobody else's work moved"

    @precondition(lambda self: self.life.rig.rows("alias"))
    @rule(data=st.data())
    def somebody_undoes_a_merge(self, data: st.DataObject) -> None:
        before = self.life.customers()
        name = data.draw(st.sampled_from(sorted({row["now_id"] for row in self.life.rig.rows("alias")})))
        if self.life.act("unmerge", "boss", name, part(Wish(name))) and name.startswith("cus_"):
            sides = [leads & before[name] for leads in self.life.customers().values() if leads & before[name]]
            assert len(sides) == 2
            self.life.parted |= {(a, b) for a in sides[0] for b in sides[1]}

    @precondition(lambda self: len(self.life.rig.rows("contact")) > 1)
    @rule(data=st.data())
    def somebody_merges_two_contacts(self, data: st.DataObject) -> None:
        names = sorted({one for one in self.life.present().values() if one.startswith("con_")})
        if len(names) > 1:
            two = data.draw(st.lists(st.sampled_from(names), min_size=2, max_size=2, unique=True))
            owners = self.life.owners()
            self.life.act("merge", "boss", two[0], merge_with(two[1]))
            assert self.life.owners() == owners

    @precondition(lambda self: any(row["state"] == "open" for row in self.life.rig.rows("task")))
    @rule(data=st.data(), person=st.sampled_from(["ann", "bo"]))
    def a_customer_changes_hands(self, data: st.DataObject, person: str) -> None:
        open_tasks = [row for row in self.life.rig.rows("task") if row["state"] == "open"]
        task = data.draw(st.sampled_from(sorted(open_tasks, key=lambda row: str(row["task_id"]))))
        if task["holder_kind"] == "person":
            self.life.act("return", task["holder_id"], task["task_id"], give_back())
        else:
            self.life.act("take", person, task["task_id"], take())

    @invariant()
    def everything_holds(self) -> None:
        if hasattr(self, "life"):
            self.life.check()


def owners_but(owners: dict[str, tuple[str, str]], touched: Any) -> dict[str, tuple[str, str]]:
    return {name: holder for name, holder in owners.items() if name not in set(touched)}


TestMergeLife = MergeLife.TestCase
TestMergeLife.settings = settings(
    max_examples=25,
    stateful_step_count=14,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    print_blob=True,
)


quickly = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    print_blob=True,
)


@quickly
@given(
    data=st.data(), pairs=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=5)
)
def test_merges_in_any_order_give_the_same_customers_owners_and_golden_records(
    data: st.DataObject, pairs: list[tuple[int, int]]
) -> None:
    assert merged_in(pairs) == merged_in(data.draw(st.permutations(pairs)))


def merged_in(pairs: list[tuple[int, int]]) -> dict[str, Any]:
    """Return what five customers have become after these merges: alias, owner and golden record of each."""
    with TemporaryDirectory(dir=IN_MEMORY) as folder:
        life = Life(Path(folder))
        for number in range(5):
            life.arrive(name=NAMES[number % 3], phone=f"1390000000{number}", company=f"公司{number % 2}")
        customers = sorted(life.customers())
        for one, other in pairs:
            if life.present()[customers[one]] != life.present()[customers[other]]:
                assert life.act("merge", "boss", customers[one], merge_with(customers[other]))
        life.check()
        with life.rig.store.read() as connection:
            golden = {name: golden_of(connection, name) for name in sorted(life.customers())}
        found = {"present": life.present(), "owners": life.owners(), "golden": golden}
        life.close()
        return found
