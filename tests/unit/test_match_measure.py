"""Agreement of a grouping with the truth, on cases that can be counted by hand."""

from __future__ import annotations

import pytest

from enrich.match.measure import Score, mean, measure
from enrich.match.splink_peer import PeerFailed, components, run_splink


def test_pairs_and_whole_clusters_are_counted() -> None:
    truth = ["a", "a", "a", "b", "b", "c"]
    found = [1, 1, 2, 3, 3, 3]
    measured = measure(truth, found)
    # found pairs: 1-1, and three among the 3s; right: 1-1 and b-b. true pairs: 3 + 1
    assert measured.pairs == Score(2 / 4, 2 / 4, 1 / 2)
    assert measured.clusters == Score(0.0, 0.0, 0.0)
    assert (measured.found, measured.true) == (3, 3)


def test_what_is_found_exactly_counts_as_a_cluster() -> None:
    measured = measure(["a", "a", "b", "c"], [7, 7, 8, 8])
    assert measured.clusters.precision == pytest.approx(1 / 2)
    assert measured.clusters.recall == pytest.approx(1 / 3)


def test_all_alone_is_right_where_nothing_belongs_together() -> None:
    assert measure(["a", "b"], [1, 2]).pairs == Score(1.0, 1.0, 1.0)


def test_all_in_one_is_found_out() -> None:
    measured = measure(["a", "a", "b", "b"], [0, 0, 0, 0])
    assert measured.pairs.recall == 1.0
    assert measured.pairs.precision == pytest.approx(2 / 6)


def test_records_of_unknown_truth_count_nowhere() -> None:
    assert measure(["a", "a", None, None], [1, 1, 1, 1]).pairs == Score(1.0, 1.0, 1.0)


def test_the_mean_is_of_each_share() -> None:
    assert mean([Score(1.0, 0.0, 0.0), Score(0.0, 1.0, 0.5)]) == Score(0.5, 0.5, 0.25)


def test_components_follow_chains_above_the_threshold() -> None:
    pairs = [(0, 1, 0.95), (1, 2, 0.9), (2, 3, 0.5)]
    put = components(5, pairs, 0.9)
    assert put[0] == put[1] == put[2]
    assert len({put[0], put[3], put[4]}) == 3


def test_that_splink_gave_up_is_told_and_not_raised_as_a_stack_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("splink")
    records = [{"email": f"{number}@daheng.cn", "phone": f"1391234{number:04}"} for number in range(20)]

    def gives_up(*_: object) -> None:
        raise ValueError("nothing to learn from\nand more")

    monkeypatch.setattr("enrich.match.splink_peer._train", gives_up)
    with pytest.raises(PeerFailed, match=r"^ValueError: nothing to learn from$"):
        run_splink(records)
