"""The life of identities in memory: arrivals, merges, partings and moves in any order keep every promise.

The world below has the rows of the tables `binding`, `membership`, `joined`, `parted`, `alias`, `holding` and
`decision`, and nothing else: what holds here is what those tables can express.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from enrich.identity import (
    Claim,
    Join,
    group,
    inherited,
    merged_owner,
    owner_by_own_decisions,
    partings,
    reach,
)

PEOPLE = ["ann", "bo", "chen"]
IDENTIFIERS = ["phone:1", "phone:2", "mail:1", "mail:2", "mail:3"]


@dataclass
class World:
    """The rows. Intervals are kept as (value, from, to) with `to` None while open."""

    clock: int = 0
    born: dict[str, int] = field(default_factory=dict)
    born_lead: dict[str, str] = field(default_factory=dict)
    membership: dict[str, list[list[object]]] = field(default_factory=dict)
    binding: dict[str, list[list[object]]] = field(default_factory=dict)
    made_by: dict[str, str] = field(default_factory=dict)
    joins: list[Join] = field(default_factory=list)
    parted: set[tuple[str, str]] = field(default_factory=set)
    alias: dict[str, str] = field(default_factory=dict)
    holding: dict[str, list[list[object]]] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)

    def tick(self) -> int:
        self.clock += 1
        return self.clock

    def now(self, rows: dict[str, list[list[object]]], key: str) -> str | None:
        open_rows = [row for row in rows.get(key, []) if row[2] is None]
        assert len(open_rows) <= 1, f"two open rows for {key}"
        return str(open_rows[0][0]) if open_rows else None

    def put(self, rows: dict[str, list[list[object]]], key: str, value: str | None) -> None:
        at = self.tick()
        for row in rows.setdefault(key, []):
            if row[2] is None:
                row[2] = at
        if value is not None:
            rows[key].append([value, at, None])

    def resolve(self, atom: str) -> str:
        return self.alias.get(atom, atom)

    def leads_of(self, name: str) -> set[str]:
        return {
            lead for lead in self.membership if self.resolve(str(self.now(self.membership, lead))) == name
        }

    def atoms_of(self, name: str) -> set[str]:
        return {atom for atom in self.born if self.resolve(atom) == name}

    def groups(self) -> set[str]:
        return {self.resolve(atom) for atom in self.born}

    def arrive(self, identifiers: list[str], owner: str) -> str:
        lead = f"lead{len(self.membership)}"
        bound = [target for one in identifiers if (target := self.now(self.binding, one))]
        atom = bound[0] if bound else self.birth(lead)
        self.put(self.membership, lead, atom)
        for one in identifiers:
            if self.now(self.binding, one) is None:
                self.put(self.binding, one, atom)
                self.made_by[one] = lead
        name = self.resolve(atom)
        self.decide(name, atom, self.now(self.holding, name) or owner)
        return lead

    def birth(self, lead: str) -> str:
        atom = f"cus_{lead}"
        self.born[atom] = self.tick()
        self.born_lead[atom] = lead
        return atom

    def decide(self, name: str, atom: str, holder: str) -> None:
        if self.now(self.holding, name) != holder:
            self.put(self.holding, name, holder)
        self.claims.append(Claim(atom, self.tick(), f"d{self.clock}", ("person", holder)))

    def merge(self, left: str, right: str) -> bool:
        if partings(self.atoms_of(left), self.atoms_of(right)) & self.parted:
            return False
        sides = {
            name: (("person", str(self.now(self.holding, name))), self.since(name)) for name in (left, right)
        }
        self.joins.append(Join(0, f"j{self.tick():06d}", left, right))
        self.regroup({left, right})
        (_, owner), _ = merged_owner(sides, set(PEOPLE))
        self.settle({left, right}, {self.resolve(left): owner})
        return True

    def since(self, name: str) -> int:
        return next(int(str(row[1])) for row in self.holding[name] if row[2] is None)

    def part(self, name: str, side: set[str]) -> None:
        everyone = self.leads_of(name)
        mine, others = self.separate(side), self.separate(everyone - side)
        for atoms in (sorted(mine), sorted(others)):
            for a, b in pairwise(atoms):
                self.joins.append(Join(0, f"j{self.tick():06d}", a, b))
        self.parted |= partings(mine, others)
        self.regroup(mine | others)
        names = {self.resolve(atom) for atom in mine | others}
        before = self.now(self.holding, name)
        owners = {}
        for one in names:
            own = owner_by_own_decisions(self.atoms_of(one), self.claims)
            owners[one] = own[1] if own else str(before)
        self.settle(names | {name}, owners)

    def separate(self, side: set[str]) -> set[str]:
        """Give the leads of one side atoms of their own where they share one with somebody of the other."""
        atoms = set()
        for atom in {str(self.now(self.membership, lead)) for lead in side}:
            here = {lead for lead in self.membership if self.now(self.membership, lead) == atom}
            mine = here & side
            if here <= side or self.born_lead[atom] in side:
                atoms.add(atom)
                continue
            new = self.birth(min(mine, key=lambda lead: int(lead[4:])))
            atoms.add(new)
            for lead in mine:
                self.put(self.membership, lead, new)
            for one, lead in self.made_by.items():
                if lead in mine:
                    self.put(self.binding, one, new)
            moved = [claim for claim in self.claims if claim.atom == atom]
            self.parted |= inherited(self.parted, atom, new)
            self.claims += [
                Claim(new, claim.decided_us, claim.decision_id + "'", claim.holder) for claim in moved
            ]
        return atoms

    def regroup(self, changed: set[str]) -> None:
        near = reach(changed, self.joins, self.parted)
        joins = [join for join in self.joins if join.a in near]
        found = group({atom: self.born[atom] for atom in near}, joins, self.parted)
        for atom, name in found.items():
            if atom == name:
                self.alias.pop(atom, None)
            else:
                self.alias[atom] = name

    def settle(self, names: set[str], owners: dict[str, str]) -> None:
        for name in sorted(names | set(owners)):
            wanted = owners.get(name)
            if self.now(self.holding, name) != wanted:
                self.put(self.holding, name, wanted)


class IdentityLife(RuleBasedStateMachine):
    """Anything may happen in any order."""

    @initialize()
    def begin(self) -> None:
        self.world = World()
        self.parted_leads: set[frozenset[str]] = set()

    @rule(
        identifiers=st.lists(st.sampled_from(IDENTIFIERS), max_size=3, unique=True),
        owner=st.sampled_from(PEOPLE),
    )
    def a_lead_arrives(self, identifiers: list[str], owner: str) -> None:
        others = self.owners()
        lead = self.world.arrive(identifiers, owner)
        here = self.world.resolve(str(self.world.now(self.world.membership, lead)))
        self.assert_unmoved(others, {here})

    @precondition(lambda self: len(self.world.groups()) > 1)
    @rule(data=st.data())
    def somebody_merges_two(self, data: st.DataObject) -> None:
        left, right = data.draw(
            st.lists(st.sampled_from(sorted(self.world.groups())), min_size=2, max_size=2, unique=True)
        )
        owners = self.owners()
        leads = self.world.leads_of(left) | self.world.leads_of(right)
        if self.world.merge(left, right):
            assert self.world.leads_of(self.world.resolve(left)) == leads
        self.assert_unmoved(owners, {left, right})

    @precondition(lambda self: any(len(self.world.leads_of(name)) > 1 for name in self.world.groups()))
    @rule(data=st.data())
    def somebody_parts_one(self, data: st.DataObject) -> None:
        name = data.draw(
            st.sampled_from(sorted(one for one in self.world.groups() if len(self.world.leads_of(one)) > 1))
        )
        leads = sorted(self.world.leads_of(name))
        side = set(
            data.draw(st.lists(st.sampled_from(leads), min_size=1, max_size=len(leads) - 1, unique=True))
        )
        owners = self.owners()
        self.world.part(name, side)
        self.parted_leads |= {frozenset((a, b)) for a in side for b in set(leads) - side}
        names = {self.world.resolve(str(self.world.now(self.world.membership, lead))) for lead in leads}
        assert {frozenset(self.world.leads_of(one)) for one in names} == {
            frozenset(side),
            frozenset(set(leads) - side),
        }
        self.assert_unmoved(owners, names | {name})

    @precondition(lambda self: self.world.born)
    @rule(data=st.data(), owner=st.sampled_from(PEOPLE))
    def a_manager_moves_one(self, data: st.DataObject, owner: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.world.groups())))
        self.world.decide(name, name, owner)

    @invariant()
    def every_lead_is_in_one_customer(self) -> None:
        for lead in self.world.membership:
            assert self.world.now(self.world.membership, lead) in self.world.born

    @invariant()
    def every_customer_has_one_owner_and_no_alias_has_any(self) -> None:
        for atom in self.world.born:
            held = self.world.now(self.world.holding, atom) is not None
            assert held == (self.world.resolve(atom) == atom)

    @invariant()
    def every_id_leads_to_where_its_lead_went(self) -> None:
        for atom, lead in self.world.born_lead.items():
            assert self.world.resolve(str(self.world.now(self.world.membership, lead))) == self.world.resolve(
                atom
            )
            assert self.world.resolve(self.world.resolve(atom)) == self.world.resolve(atom)

    @invariant()
    def what_a_person_parted_stays_apart(self) -> None:
        for both in self.parted_leads:
            a, b = (self.world.resolve(str(self.world.now(self.world.membership, lead))) for lead in both)
            assert a != b

    @invariant()
    def an_identifier_points_at_the_customer_of_the_lead_that_brought_it(self) -> None:
        for one, lead in self.world.made_by.items():
            assert self.world.now(self.world.binding, one) == self.world.now(self.world.membership, lead)

    @invariant()
    def regrouping_a_part_gives_the_same_as_regrouping_all(self) -> None:
        whole = group(self.world.born, self.world.joins, self.world.parted)
        assert {atom: self.world.resolve(atom) for atom in self.world.born} == whole

    def owners(self) -> dict[str, str | None]:
        return {name: self.world.now(self.world.holding, name) for name in self.world.groups()}

    def assert_unmoved(self, before: dict[str, str | None], touched: set[str]) -> None:
        for name, holder in before.items():
            if name not in touched:
                assert self.world.now(self.world.holding, name) == holder, "somebody else's customer moved"


TestIdentityLife = IdentityLife.TestCase
TestIdentityLife.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)


atoms = st.sampled_from([f"a{number}" for number in range(7)])


@given(
    joins=st.lists(st.tuples(st.integers(0, 1), atoms, atoms), max_size=12),
    parted=st.sets(st.tuples(atoms, atoms).filter(lambda two: two[0] < two[1]), max_size=5),
    data=st.data(),
)
def test_the_grouping_does_not_depend_on_the_order(
    joins: list[tuple[int, str, str]], parted: set[tuple[str, str]], data: st.DataObject
) -> None:
    born = {f"a{number}": number // 2 for number in range(7)}
    made = [Join(rank, f"j{number}", a, b) for number, (rank, a, b) in enumerate(joins)]
    found = group(born, made, parted)
    assert group(born, data.draw(st.permutations(made)), parted) == found
    assert not [two for two in parted if found[two[0]] == found[two[1]]]


def test_a_merge_and_its_parting_leave_everything_as_it_was() -> None:
    world = World()
    first, second = world.arrive(["phone:1"], "ann"), world.arrive(["phone:2"], "bo")
    left, right = (str(world.now(world.membership, lead)) for lead in (first, second))
    assert world.merge(left, right)
    assert world.resolve(right) == left
    assert world.now(world.holding, left) == "ann"
    world.part(left, {second})
    assert (world.now(world.holding, left), world.now(world.holding, right)) == ("ann", "bo")
    assert world.resolve(right) == right
    assert not world.merge(left, right), "a pair once parted is not joined again"


def test_a_shared_mailbox_is_taken_apart_inside_one_customer() -> None:
    world = World()
    tablet, other = world.arrive(["mail:1", "phone:1"], "ann"), world.arrive(["mail:1", "phone:2"], "bo")
    assert world.now(world.membership, tablet) == world.now(world.membership, other)
    world.part(str(world.now(world.membership, tablet)), {other})
    assert world.now(world.membership, other) == f"cus_{other}"
    assert world.now(world.binding, "phone:2") == f"cus_{other}"
    assert world.now(world.binding, "mail:1") == world.now(world.membership, tablet)
