"""A form that is sent again: just so it is answered as the first time, with something else it says what it recorded before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_console_pages import client_of, text_of
from tests.support.rig import Rig, post, small_company

EN = {"accept-language": "en"}
TOLD = {
    "en": ("This form recorded something else before", "Recorded before: No answer"),
    "zh": ("此表单之前已提交过别的内容", "此前已记录： 无人接听"),
}


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path, company=small_company())
    rig.feed([post(made="1", name="张伟", phone="13812345678")])
    rig.run()
    yield rig
    rig.close()


def outcome(rig: Rig, language: str = "en", **entered: str) -> Any:
    task = min(rig.rows("task"), key=lambda row: row["created_us"])
    path = f"/inbox/{task['holder_id']}/{entered.pop('task', task['task_id'])}/outcome"
    form = {"actor": task["holder_id"], "key": "f1", **entered}
    return client_of(rig).post(path, data=form, headers={"accept-language": language})


def codes(rig: Rig) -> list[str]:
    return [row["code"] for row in rig.rows("outcome")]


def kept(page: str, task_id: str) -> tuple[str, str]:
    """Return outcome and note that stand in the form of a task, which is open."""
    article = page[page.index(f'id="{task_id}"') :]
    article = article[article.index("<details open>") :]
    found = re.search(r'value="(\w+)" selected.*?name="note"[^>]*>(.*?)</textarea>', article, re.DOTALL)
    assert found
    return found[1], found[2]


def test_the_same_form_again_is_answered_as_the_first_time(asked: Rig) -> None:
    for _ in range(2):
        answer = outcome(asked, code="no_answer", note="rang twice")
        assert (answer.status_code, answer.headers["location"].endswith("?done=outcome")) == (303, True)
    assert codes(asked) == ["no_answer"]


@pytest.mark.parametrize("language", TOLD)
def test_another_outcome_under_the_form_s_key_is_told_and_what_was_typed_is_kept(
    asked: Rig, language: str
) -> None:
    outcome(asked, code="no_answer")
    answer = outcome(asked, language, code="interested", note="An, rings back")
    assert answer.status_code == 409
    for text in TOLD[language]:
        assert text in text_of(answer.text)
    assert codes(asked) == ["no_answer"]
    (following,) = [row["task_id"] for row in asked.rows("task") if row["state"] == "open"]
    assert kept(answer.text, following) == ("interested", "An, rings back"), "in the form of what is open now"


@pytest.mark.parametrize("language", TOLD)
def test_who_is_second_sees_the_first_and_keeps_their_note(asked: Rig, language: str) -> None:
    outcome(asked, code="wrong_number", note="a bakery")
    answer = outcome(asked, language, key="f2", code="interested", note="An, rings back")
    assert answer.status_code == 409
    seen = text_of(answer.text)
    for text in {"en": ("Wrong number · a bakery 10:01", "You entered: Interested"),
                 "zh": ("号码有误 · a bakery 10:01", "您填写的是： 有意向")}[language]:  # fmt: skip
        assert text in seen
    assert re.search(r"<textarea[^>]* readonly>An, rings back</textarea>", answer.text)
    assert codes(asked) == ["wrong_number"]


def test_who_is_second_finds_their_entry_in_the_task_that_follows(asked: Rig) -> None:
    outcome(asked, code="no_answer")
    answer = outcome(asked, key="f2", code="interested", note="An, rings back", back="/day")
    (following,) = [row["task_id"] for row in asked.rows("task") if row["state"] == "open"]
    assert kept(answer.text, following) == ("interested", "An, rings back")
    assert 'name="back" value="/day"' in answer.text
    assert "recorded an outcome" not in text_of(answer.text), "told once"


def test_another_reason_to_return_a_customer_is_told_with_the_first(asked: Rig) -> None:
    (task,) = asked.rows("task")
    path = f"/inbox/{task['holder_id']}/{task['task_id']}/return"
    form = {"actor": task["holder_id"], "key": "f1", "reason": "not of ours"}
    assert client_of(asked).post(path, data=form).status_code == 303
    answer = client_of(asked).post(path, data={**form, "reason": "I am away"}, headers=EN)
    seen = text_of(answer.text)
    assert (answer.status_code, "returned a customer · not of ours" in seen) == (409, True)
    assert "to copy I am away" in seen


def test_who_takes_what_has_ended_is_shown_its_outcome(asked: Rig) -> None:
    (task,) = asked.rows("task")
    outcome(asked, code="no_answer")
    path = f"/inbox/{task['holder_id']}/{task['task_id']}/take"
    answer = client_of(asked).post(path, data={"actor": task["holder_id"], "key": "f2"}, headers=EN)
    seen = text_of(answer.text)
    assert (answer.status_code, "Recorded before: No answer" in seen) == (409, True)
    assert "What you entered" not in seen


def test_another_absence_under_the_form_s_key_is_told(asked: Rig) -> None:
    client = client_of(asked)
    form = {"key": "f1", "from": "2026-12-07", "to": "2026-12-08", "person": "ann"}
    assert client.post("/team/calendar/away", data=form).status_code == 303
    assert client.post("/team/calendar/away", data=form).status_code == 303
    other = client.post("/team/calendar/away", data={**form, "to": "2026-12-09"}, headers=EN)
    assert (other.status_code, "noted an absence" in text_of(other.text)) == (409, True)
    assert 'value="2026-12-09"' in other.text
    assert [row["person_id"] for row in asked.rows("absence")].count("ann") == 1


def test_the_first_page_says_what_is_still_to_be_done_after_a_call_that_nobody_took(asked: Rig) -> None:
    outcome(asked, code="no_answer")
    (following,) = [row for row in asked.rows("task") if row["state"] == "open"]
    seen = text_of(client_of(asked).get("/", headers=EN).text)
    assert "done" not in seen.partition("张伟")[2]
    outcome(asked, key="f2", code="no_need", reason="price", task=following["task_id"])
    assert "done" in text_of(client_of(asked).get("/", headers=EN).text).partition("张伟")[2]
