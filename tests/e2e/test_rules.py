"""`leadflow rules`: check, show, publish, compare, roll back; examples from real leads; a decision by one version only."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from router.gateway import RouteStage
from sales.apply import publish_book, roll_back
from sales.book_files import BookText
from sales.lead_facts import lead_facts
from schemas.facts import facts_of
from schemas.resolved import ResolvedLead
from schemas.work import Reason
from store.acts import ActRefused, Command, perform
from store.company import CompanyCache, list_books, load_company
from store.effects import Insert
from stream.log import Place
from tests.e2e.test_first_steps import leadflow
from tests.support.rig import MONDAY_10, SECOND, Rig, post

DEMO = Path(__file__).parents[2] / "examples" / "demo"


def test_a_rule_book_from_check_to_rollback(tmp_path: Path) -> None:
    company = tmp_path / "company"
    shutil.copytree(DEMO, company)
    (company / "rules-examples.csv").unlink()
    leadflow(tmp_path, "apply", "company")
    assert "0 problems" in leadflow(tmp_path, "rules", "check")
    assert "both fit a lead with" in leadflow(tmp_path, "rules", "check", "--overlaps")
    assert "漏接来电" in leadflow(tmp_path, "rules", "show", "--language", "zh")
    leadflow(tmp_path, "rules", "show", "--out", "book.xlsx")
    assert leadflow(tmp_path, "rules", "diff", "book.xlsx") == "", (
        "exported and read back, it is the same book"
    )

    rules = company / "rules.csv"
    rules.write_text(
        rules.read_text("utf-8").replace("rest,-", "late,cti\nrest,-").replace("cemat-2026", "cemat"), "utf-8"
    )
    told = leadflow(tmp_path, "rules", "check", "company", code=2)
    assert "rules.csv, line 14: the number of cells differs from the header" in told
    rules.write_text(
        rules.read_text("utf-8").replace("late,cti\n", "late,cti,,,,,,agv,60,\nlater,cti,,zh,,,,agv,60,\n"),
        "utf-8",
    )
    told = leadflow(tmp_path, "rules", "check", "company", code=1)
    assert "rules.csv, line 6, column campaign (E6): there is no campaign cemat" in told
    assert "rules.csv, line 15: nothing reaches rule later: late above takes all that it would" in told
    assert "2 problems" in told

    assert "version 2 is in force" in leadflow(tmp_path, "rules", "publish", "company", "--actor", "zhou-min")
    assert "late" in leadflow(tmp_path, "rules", "diff", "--version", "1")
    (company / "rules-examples.csv").write_text("example,expect_team,language\nen,agv,en\n", "utf-8")
    for verb in (("rules", "publish"), ("apply",)):
        told = leadflow(tmp_path, *verb, "company", code=2)
        assert "example en must go to agv, and rule english sends it to overseas" in told
    assert "version 3 is in force" in leadflow(tmp_path, "rules", "rollback", "1")
    listed = leadflow(tmp_path, "rules", "list").splitlines()
    assert [line.split("\t")[0] for line in listed] == ["3", "2", "1"]
    assert listed[0].split("\t")[1] == listed[2].split("\t")[1] != listed[1].split("\t")[1]
    assert "zhou-min" in listed[1]
    assert "没有这个版本" in leadflow(tmp_path, "rules", "rollback", "9", code=2, lang="zh_CN.UTF-8")


def test_an_example_is_made_from_a_lead_on_record(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.feed([
        post(made="1", name="李娜", phone="13812345678", message="询价", city="上海"),
        post(made="2", email="bo@daheng.example", company="大恒信息", at_us=MONDAY_10 + SECOND),
        post(made="3", phone="13812345678", at_us=MONDAY_10 + 2 * SECOND),
    ])  # fmt: skip
    rig.run()
    with rig.store.read() as connection:
        company = load_company(connection, 1)
        read = rig.readers["resolved"].read(Place("resolved"), 0, 10)
        resolved = [one.event.read(ResolvedLead) for one in read]
        assert len(resolved) == 3
        for one in resolved:
            facts = facts_of(one, company)
            assert lead_facts(connection, company, one.lead.lead_id) == facts
        assert lead_facts(connection, company, "lead_none") is None
    rig.close()


BOOK = "rule,then_team,then_respond_within\n{},{},30\n"


def test_a_book_published_in_the_middle_of_a_batch_counts_from_the_next_one(tmp_path: Path) -> None:
    rig = Rig(tmp_path, batch_max=2)
    rig.feed(post(made=str(number), phone=f"1381234567{number}") for number in range(4))
    for stage in (0, 0, 1, 1):
        rig.step(stage)
    route = RouteStage(CompanyCache())
    batch = rig.readers["resolved"].read(Place("resolved"), 0, 10)
    prepared = route.prepare(batch)
    with rig.store.read() as connection:
        facts = route.gather(connection, prepared, batch, [MONDAY_10] * len(batch))
    command = Command("publish_book", "ann", "k", "book")
    new = BookText(BOOK.format("new", "default"))
    perform(rig.store, command, publish_book(new), MONDAY_10, rig.files.store_log.append)
    for one in batch:
        step = route.decide(one, facts, MONDAY_10 + SECOND)
        (reason,) = [
            Reason.model_validate_json(effect.row["reason_json"])
            for effect in step.effects
            if isinstance(effect, Insert) and effect.table == "decision"
        ]
        assert (reason.rule_id, reason.book_version) == ("everything", facts.office.book.version)
    rig.run()
    decided = rig.rows("decision", "rule_id", "book_version")
    assert {(row["rule_id"], row["book_version"]) for row in decided} == {("new", new.version)}
    rig.close()


def test_publishing_refuses_what_is_judged_wrong_and_a_version_that_there_is_not(tmp_path: Path) -> None:
    from leadflow.company import problems_of_book

    rig = Rig(tmp_path)

    def act(key: str, plan: object) -> None:
        command = Command("publish_book", "ann", key, "book")
        perform(rig.store, command, plan, MONDAY_10, rig.files.store_log.append)  # type: ignore[arg-type]

    book = BookText(BOOK.format("all", "east"), {}, "example,expect_team\nany,default\n")
    with pytest.raises(ActRefused, match="example any must go to default, and rule all sends it to east"):
        act("a", publish_book(book, problems_of_book))
    with pytest.raises(ActRefused, match="there is no unit west"):
        act("b", publish_book(BookText(BOOK.format("all", "west")), problems_of_book))
    with pytest.raises(ActRefused, match="no such version"):
        act("c", roll_back(7))
    with pytest.raises(ActRefused, match="published meanwhile"):
        act("c2", publish_book(BookText(BOOK.format("all", "east")), problems_of_book, over=0))
    before = rig.rows("book")
    act("d", publish_book(BookText(BOOK.format("all", "east")), problems_of_book))
    act("e", roll_back(None))
    with rig.store.read() as connection:
        assert [row["number"] for row in list_books(connection)] == [3, 2, 1]
    assert rig.rows("book")[: len(before)] == before, "what was published stays as it is"
    rig.close()
