"""A model fitted without labels finds what the labels would have said, and keeps no single person's values."""

from __future__ import annotations

import sys
from itertools import combinations

import orjson
import pytest

from enrich.match.compare import COMPARISONS
from enrich.match.frequency import Frequencies, term
from enrich.match.model import default_model, load_model
from enrich.match.record import record_of
from enrich.match.train import LEAST_TERMS, Trained, TrainingUnavailable, observed_frequencies, train
from tests.support.people import made_records, same_person

RECORDS = made_records(500, seed=7)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(RECORDS)


def test_the_prior_is_found_without_labels(trained: Trained) -> None:
    pairs = list(combinations(RECORDS, 2))
    true = sum(same_person(*pair) for pair in pairs) / len(pairs)
    assert true / 1.5 < trained.model.contact.prior < true * 1.5


def test_the_shares_of_levels_among_matches_are_found_without_labels(trained: Trained) -> None:
    matches = [pair for pair in combinations(RECORDS, 2) if same_person(*pair)]
    for name in ("phone", "email", "birth_date", "national_id"):
        comparison = next(c for c in COMPARISONS if c.name == name)
        levels = [at for at in (comparison.level(*pair) for pair in matches) if at >= 0]
        assert trained.model.contact.odds[name][0].m == pytest.approx(levels.count(0) / len(levels), abs=0.12)


def test_random_pairs_are_freed_of_the_matches_among_them(trained: Trained) -> None:
    others = [pair for pair in combinations(RECORDS, 2) if not same_person(*pair)]
    comparison = next(c for c in COMPARISONS if c.name == "birth_date")
    levels = [at for at in (comparison.level(*pair) for pair in others) if at >= 0]
    for index, name in enumerate(comparison.levels):
        if levels.count(index) > 200:
            learnt = trained.model.contact.odds["birth_date"][index].u
            assert learnt == pytest.approx(levels.count(index) / len(levels), rel=0.15), name


def test_a_level_that_was_never_met_keeps_its_stated_bits(trained: Trained) -> None:
    pairs = list(combinations(RECORDS, 2))
    never = 0
    for at, comparison in enumerate(COMPARISONS):
        met = {comparison.level(*pair) for pair in pairs}
        for index in set(range(len(comparison.levels))) - met:
            never += 1
            learnt = trained.model.contact.bits[at][index]
            assert learnt == pytest.approx(default_model().contact.bits[at][index]), comparison.levels[index]
    assert never > 3


def test_the_fitted_model_parts_the_pairs(trained: Trained) -> None:
    pairs = [(pair, same_person(*pair)) for pair in combinations(RECORDS, 2)]
    matches = sum(truth for _, truth in pairs)
    wrong = sum((trained.model.weigh(*pair) > 0) != truth for pair, truth in pairs)
    assert wrong < matches * 0.04


def test_a_mailbox_that_many_share_does_not_make_mailboxes_worthless() -> None:
    desk = [
        record_of(f"d-{i}", {"email": ["desk.tablet@163.com"], "phone": [f"139{i:08}"]}) for i in range(60)
    ]
    model = train([*RECORDS, *desk]).model
    among_all = 60 * 59 / 2 / (560 * 559 / 2)  # what random pairs of the desk alone would make it
    assert model.contact.odds["email"][0].u < among_all / 5


def test_the_file_names_nobody(trained: Trained) -> None:
    content = trained.model.dump()
    text = content.decode()
    for record in RECORDS[:100]:
        for name in record.names:
            assert name.text not in text
    assert load_model(content) == trained.model
    assert all(len(key) == 8 for key in orjson.loads(content)["frequencies"]["family"])


def test_only_names_of_several_people_are_kept() -> None:
    def records_of(count: int, family: str) -> list[object]:
        return [
            record_of(str(i), {"family_name": [family], "given_name": [chr(0x5E00 + i)]})
            for i in range(count)
        ]

    records = [*records_of(LEAST_TERMS, "欧阳"), *records_of(LEAST_TERMS - 1, "诸葛")]
    often = [record_of("x", {"family_name": ["司马"], "given_name": ["光"]})] * 50
    found = observed_frequencies([*records, *often], Frequencies())  # type: ignore[list-item]
    assert found.family == {term("欧阳"): pytest.approx(LEAST_TERMS / (2 * LEAST_TERMS))}


def test_few_records_teach_nothing_and_harm_nothing() -> None:
    for records in ([], RECORDS[:1], RECORDS[:5]):
        model = train(records).model
        assert model.contact.prior == default_model().contact.prior
        for row, stated in zip(model.contact.bits, default_model().contact.bits, strict=True):
            assert row == pytest.approx(stated, abs=3)


def test_without_splink_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "splink", None)
    with pytest.raises(TrainingUnavailable, match=r"pip install 'leadflow\[train\]'"):
        train(RECORDS[:10])
