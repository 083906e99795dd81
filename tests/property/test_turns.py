"""Sharing out by turn: nobody is a whole lead from what they are entitled to, and nobody is flooded."""

from __future__ import annotations

from collections import Counter, defaultdict
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from router.route import tie_of
from router.strategies import Candidate
from router.strategies.weighted_turn import weighted_turn
from schemas.shares import LEAD, parts_of

SHARES = st.lists(st.integers(1, 30), min_size=1, max_size=12)


class Team:
    """A team that is given one lead after another; the sums as exact fractions beside those we keep."""

    def __init__(self) -> None:
        self.received: Counter[str] = Counter()
        self.entitled: Counter[str] = Counter()
        self.exact: dict[str, Fraction] = defaultdict(Fraction)

    def give(self, shares: dict[str, int], seed: str) -> str:
        team = [
            Candidate(key, share, self.received[key], self.entitled[key]) for key, share in shares.items()
        ]
        chosen = weighted_turn(team, tie_of(seed)).person_id
        self.received[chosen] += 1
        for key, part in zip(shares, parts_of(list(shares.values())), strict=True):
            self.entitled[key] += part
            self.exact[key] += Fraction(shares[key], sum(shares.values()))
        return chosen


@settings(deadline=None, max_examples=150)
@given(shares=SHARES, leads=st.integers(1, 150))
def test_nobody_is_a_whole_lead_from_their_share_at_any_time(shares: list[int], leads: int) -> None:
    by_person = {f"p{number}": share for number, share in enumerate(shares)}
    team = Team()
    for number in range(leads):
        team.give(by_person, f"dec_{number}")
        for key in by_person:
            assert abs(team.received[key] - team.exact[key]) <= 1
    assert sum(team.entitled.values()) == leads * LEAD


@settings(deadline=None, max_examples=100)
@given(data=st.data(), shares=SHARES)
def test_whoever_comes_or_comes_back_is_not_flooded(data: st.DataObject, shares: list[int]) -> None:
    """Of any run of leads, nobody gets more than their part of it, what they were owed, and two."""
    everybody = {f"p{number}": share for number, share in enumerate(shares)}
    here = st.sets(st.sampled_from(sorted(everybody)), min_size=1)
    team = Team()
    for stretch in range(data.draw(st.integers(1, 5))):
        present = {key: everybody[key] for key in sorted(data.draw(here))}
        owed = {key: team.exact[key] - team.received[key] for key in present}
        got: Counter[str] = Counter()
        for number in range(1, data.draw(st.integers(1, 40)) + 1):
            got[team.give(present, f"dec_{stretch}_{number}")] += 1
            total = sum(present.values())
            for key, share in present.items():
                assert got[key] <= Fraction(number * share, total) + max(Fraction(0), owed[key]) + 2
    newcomer = (
        team.give({**everybody, "new": 1}, "dec_new_1"),
        team.give({**everybody, "new": 1}, "dec_new_2"),
    )
    assert newcomer != ("new", "new")


def test_a_newcomer_gets_no_more_than_a_colleague_of_the_same_share() -> None:
    team = Team()
    for number in range(300):
        team.give({"ann": 1, "bo": 1}, f"dec_{number}")
    before = Counter(team.received)
    for number in range(30):
        team.give({"ann": 1, "bo": 1, "new": 1}, f"dec_later_{number}")
    assert {key: team.received[key] - before[key] for key in ("ann", "bo", "new")} == {
        "ann": 10,
        "bo": 10,
        "new": 10,
    }


@settings(deadline=None, max_examples=20)
@given(draw_seed=st.integers(0, 10**9))
def test_ties_favour_nobody(draw_seed: int) -> None:
    firsts = Counter(
        Team().give({"ann": 1, "bo": 1, "chen": 1}, f"dec_{draw_seed}_{number}") for number in range(300)
    )
    assert min(firsts.values()) > 60


def test_thousands_of_leads_of_thirds_still_tie_by_the_hash() -> None:
    """What is rounded must not become a preference: 1/3 is no whole number of parts."""
    team = Team()
    for number in range(3_000):
        team.give({"ann": 1, "bo": 1, "chen": 1}, f"dec_{number}")
    firsts: Counter[str] = Counter()
    for number in range(300):
        again = Team()
        again.received, again.entitled = Counter(team.received), Counter(team.entitled)
        firsts[again.give({"ann": 1, "bo": 1, "chen": 1}, f"dec_again_{number}")] += 1
    assert min(firsts.values()) > 60
