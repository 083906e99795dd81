"""Which model decides at arrival: published, seen by workers that run already, kept in backups, moved by answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from enrich.live import answers_to, live, publish_model, retuned_by, versions, written_bands
from enrich.match.model import Level, default_model
from enrich.match.tuning import Answer, Tuned
from enrich.review import answer
from enrich.similar import stated_bands
from store.acts import ActRefused, Command, perform
from store.database import Database
from tests.e2e.test_similar import OUYANG, form, who
from tests.support.rig import DAY, MONDAY_10, Rig, small_company

AGAIN = {"name": "歐陽靜怡", "phone": "13987654321", "company": "大恒信息", "city": "北京市"}
NOW = MONDAY_10 + 30 * DAY
UNLIKELY = default_model().with_prior(1e-12)
"""A model by which nobody is found again."""


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    store: Database | None = None
    if request.param == "postgresql":
        store = request.getfixturevalue("clean_postgres")
    made = Rig(tmp_path, store=store, company=small_company(matching="join"))
    yield made
    made.files.doors.close()
    if store is None:
        made.files.store.close()


_NUMBERS = iter(range(10_000))


def use(rig: Rig, model: str | None, bands: dict[str, object] | None = None, seen: int | None = None) -> None:
    command = Command("use_model", "boss", f"use{next(_NUMBERS)}", "match_model", "trained")
    perform(rig.store, command, publish_model(model, bands, seen), NOW, rig.files.store_log.append)


def test_a_worker_that_runs_goes_by_what_was_published_last(rig: Rig) -> None:
    first, second = who(rig, form(1, **OUYANG), form(2, **AGAIN))
    assert first == second, "by the model that comes with Leadflow"
    use(rig, UNLIKELY.dump().decode())
    third = who(rig, form(3, name="欧阳静怡", phone="13711112222", company="大恒信息", city="北京"))[-1]
    assert third[0] != first[0]
    use(rig, None)
    fourth = who(rig, form(4, name="欧阳静怡", phone="13511112222", company="大恒信息", city="北京"))[-1]
    assert fourth[0] in (first[0], third[0])
    with rig.store.read() as connection:
        told = versions(connection)
        assert live(connection).model == default_model()
    assert [(row["number"], row["actor"], row["reason"]) for row in told] == [
        (2, "boss", "trained"),
        (1, "boss", "trained"),
    ]
    assert rig.rows("match_model")[0]["model_json"] == UNLIKELY.dump().decode(), "a version never changes"


def test_what_is_no_model_and_what_was_made_from_an_older_one_is_refused(rig: Rig) -> None:
    with pytest.raises(ActRefused, match="no match model") as refused:
        use(rig, '{"format": "leadflow.match_model.v0"}')
    assert refused.value.code == "not_a_model"
    use(rig, UNLIKELY.dump().decode(), seen=0)
    with pytest.raises(ActRefused) as refused:
        use(rig, None, seen=0)
    assert refused.value.code == "model_changed"
    assert len(rig.rows("match_model")) == 1


def test_a_model_of_another_leadflow_gives_way_and_says_so(rig: Rig) -> None:
    use(rig, UNLIKELY.dump().decode())
    with rig.store.write() as connection:
        connection.exec_driver_sql('UPDATE match_model SET model_json = \'{"format": "older"}\'')
        assert live(connection).model == default_model()
        assert "older" in live(connection).unreadable


def test_answers_count_for_the_model_that_had_offered_the_pair(rig: Rig) -> None:
    use(rig, default_model().dump().decode(), written_bands(dict.fromkeys(("contact", "customer"), Tuned(stated_bands()._replace(same=100.0)))))  # fmt: skip
    who(rig, form(1, **OUYANG), form(2, **AGAIN))
    (offered,) = rig.rows("review")
    command = Command("review", "boss", "answer", str(offered["review_id"]))
    perform(rig.store, command, answer("same"), NOW, rig.files.store_log.append)
    with rig.store.read() as connection:
        present = live(connection)
        answers = answers_to(connection, present.digest)
        assert answers == {"contact": [Answer(offered["millibits"] / 1000, True)], "customer": []}
        assert answers_to(connection, "another") == {"contact": [], "customer": []}
    many: dict[Level, list[Answer]] = {"contact": [Answer(4.0, True)] * 200, "customer": []}
    tuned = retuned_by(present, many)
    assert tuned["contact"].bands.same < present.tuned["contact"].bands.same
    assert tuned["customer"] == present.tuned["customer"]
    use(rig, present.model.dump().decode(), written_bands(tuned))
    with rig.store.read() as connection:
        assert live(connection).tuned == tuned
        assert live(connection).digest == present.digest, "the bits are the same: answers go on counting"
