"""What a rule says besides the team: collaborators, protection, priority, playbook, and what becomes of an owner there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadflow.explain import explain
from router.book import Book, read_book
from router.sentences import sentence
from sales.book_files import BookText, read_book_text, write_book, write_workbook
from sales.check import check_book
from schemas.company import Company, Member, Unit, book_version
from schemas.decision_table import TableError
from store.acts import Command, perform
from store.acts_inbox import take
from store.claims import beside_owners
from store.database import Database
from store.protection import DAY_US, is_protected, protected_until
from tests.e2e.test_moves import COMPANY, move, owners, to, undo
from tests.support.rig import HOUR, MINUTE, MONDAY_10, Rig, post

HEAD = (
    "rule,province,then_team,then_collaborators,then_protect_days,then_priority,then_playbook,then_if_owned\n"
)
BOOK = HEAD + 'south,广东*,west,,,,,{}\nall,,east,"wei、west",30,high,key-account,\n'


def company(book: str, **changes: object) -> Company:
    units = {
        **COMPANY.units,
        "agv": Unit(unit_id="agv", parent_id="company", kind="department", name_zh="AGV 部", name_en="AGV",
                    manager_id="zoe"),
        "west": COMPANY.units["west"].model_copy(update={"parent_id": "agv", "manager_id": None}),
    }  # fmt: skip
    values = {
        **dict(COMPANY),
        "units": units,
        "book_csv": book,
        "book_version": book_version(book),
        **changes,
    }
    return Company.model_validate(values)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Database | None:
    return request.getfixturevalue("clean_postgres") if request.param == "postgresql" else None


def rig_with(folder: Path, store: Database | None, book: str, **changes: object) -> Rig:
    return Rig(folder, store=store, company=company(book, **changes))


def arrive(rig: Rig, key: str, at_us: int = MONDAY_10, **fields: str) -> None:
    rig.feed([post(made=key, phone="13800000001", at_us=at_us, **fields)])
    rig.run()


def beside(rig: Rig) -> list[str]:
    rows = [row for row in rig.rows("holding") if (row["role"], row["to_us"]) == ("collaborator", None)]
    return [row["holder_id"] for row in rows]


def test_the_task_and_the_owner_get_what_the_rule_says(tmp_path: Path, store: Database | None) -> None:
    rig = rig_with(tmp_path, store, BOOK.format(""))
    arrive(rig, "a")
    (task,) = rig.rows("task")
    assert (task["priority"], task["playbook"]) == ("high", "key-account")
    assert beside(rig) == ["wei", "zoe"], "a person, and whoever manages the unit"
    (customer_id,) = owners(rig)
    with rig.store.read() as connection:
        until = protected_until(connection, [customer_id], MONDAY_10)[customer_id]
        assert beside_owners(connection, [customer_id]) == {customer_id: ("wei", "zoe")}
        assert protected_until(connection, [customer_id], until) == {}
    (decision,) = [row for row in rig.rows("decision") if row["stage"] == "route"]
    assert until == decision["decided_us"] + 30 * DAY_US
    assert is_protected(until, until - 1)
    assert not is_protected(until, until)
    mails = [row["dest"] for row in rig.rows("delivery") if row["sink_id"] == "mail"]
    assert sorted(mails) == sorted({owners(rig)[customer_id], "wei", "zoe"})
    told = "\n".join(explain(rig.files, task["lead_id"], "en"))
    for said in (
        "priority: high",
        "playbook: key-account",
        "protected for 30 days",
        "works on it, too: wei, zoe",
    ):
        assert said in told
    assert "Protected until 2026-12-23" in told


def test_protection_goes_with_a_move_and_comes_back_with_its_undo(
    tmp_path: Path, store: Database | None
) -> None:
    rig = rig_with(tmp_path, store, BOOK.format(""))
    arrive(rig, "a")
    (customer_id,) = owners(rig)
    with rig.store.read() as connection:
        before = protected_until(connection, [customer_id], 0)
    other = "chen" if owners(rig)[customer_id] != "chen" else "ann"
    move(rig, to(other, [customer_id]))
    with rig.store.read() as connection:
        assert protected_until(connection, [customer_id], 0) == before
    undo(rig, "k")
    with rig.store.read() as connection:
        assert protected_until(connection, [customer_id], 0) == before


def test_what_waited_is_protected_once_somebody_has_it(tmp_path: Path, store: Database | None) -> None:
    late = tuple(
        Member(unit_id="east", person_id=one, from_us=MONDAY_10 + HOUR, share=1) for one in ("ann", "bo")
    )
    rig = rig_with(tmp_path, store, BOOK.format(""), members=late)
    arrive(rig, "a")
    (customer_id,) = owners(rig)
    with rig.store.read() as connection:
        assert protected_until(connection, [customer_id], 0) == {}
    rig.fire(MONDAY_10 + 2 * HOUR)
    assert owners(rig)[customer_id] in ("ann", "bo")
    with rig.store.read() as connection:
        assert protected_until(connection, [customer_id], 0)[customer_id] > MONDAY_10 + 29 * DAY_US


def test_what_somebody_takes_out_of_the_queue_is_protected_too(
    tmp_path: Path, store: Database | None
) -> None:
    rig = rig_with(tmp_path, store, BOOK.format(""), members=())
    arrive(rig, "a")
    (task,) = rig.rows("task")
    command = Command("take", "mia", "t", task["task_id"])
    perform(rig.store, command, take(), MONDAY_10 + HOUR, rig.files.store_log.append)
    with rig.store.read() as connection:
        found = protected_until(connection, [task["customer_id"]], MONDAY_10)
    assert found == {task["customer_id"]: MONDAY_10 + HOUR + 30 * DAY_US}


def test_a_book_with_all_of_it_reads_back_from_files_and_a_workbook(tmp_path: Path) -> None:
    book = BookText(BOOK.format("ask"))
    (tmp_path / "rules.xlsx").write_bytes(write_workbook(book))
    again = read_book(read_book_text(tmp_path / "rules.xlsx").csv)
    assert [one.besides for one in again.rules] == [one.besides for one in read_book(book.csv).rules]
    (tmp_path / "rules.csv").write_bytes(write_book(book)["rules.csv"])
    assert read_book_text(tmp_path / "rules.csv").version == book.version


def test_an_owner_of_another_department_stays_and_the_rule_s_side_collaborates_told_once(
    tmp_path: Path, store: Database | None
) -> None:
    rig = rig_with(tmp_path, store, BOOK.format("collaborate").replace('"wei、west"', ""))
    arrive(rig, "a")
    owner = owners(rig)
    for number in range(3):
        arrive(rig, f"b{number}", MONDAY_10 + (number + 1) * MINUTE, region="广东", message=f"叉车 {number}")
    assert owners(rig) == owner
    assert beside(rig) == ["zoe"], "who manages the department of the rule's team"
    to_zoe = [row for row in rig.rows("delivery") if (row["sink_id"], row["dest"]) == ("mail", "zoe")]
    assert len(to_zoe) == 1, "told once"
    decisions = [row for row in rig.rows("decision") if row["rule_id"] == "south"]
    assert len(decisions) == 1
    told = "\n".join(explain(rig.files, decisions[0]["lead_id"], "en"))
    assert "also claimed by: West" in told
    assert rig.rows("claim") == []


@pytest.mark.parametrize("says", ["collaborate", "ask"])
def test_any_cutting_into_batches_gives_the_same(tmp_path: Path, says: str) -> None:
    found = []
    for batch_max in (1, 3, 1_000):
        folder = tmp_path / str(batch_max)
        folder.mkdir()
        rig = Rig(folder, company=company(BOOK.format(says)), batch_max=batch_max)
        rig.feed(
            post(made=f"m{n}", phone=f"1380000000{n % 3}", at_us=MONDAY_10 + n * 1_000, message="叉车" * n,
                 **({"region": "广东"} if n % 2 else {}))
            for n in range(12)
        )  # fmt: skip
        rig.run()
        found.append(
            {name: rig.rows(name) for name in ("decision", "holding", "claim", "task", "customer", "ledger")}
        )
        rig.close()
    assert found[0]["claim" if says == "ask" else "holding"]
    assert found[0] == found[1] == found[2]


def test_what_a_rule_leaves_open_is_a_claim_once(tmp_path: Path, store: Database | None) -> None:
    rig = rig_with(tmp_path, store, BOOK.format("ask").replace('"wei、west"', ""))
    arrive(rig, "a")
    owner = owners(rig)
    for number in range(3):
        arrive(rig, f"b{number}", MONDAY_10 + (number + 1) * MINUTE, region="广东", message=f"叉车 {number}")
    assert owners(rig) == owner
    assert beside(rig) == []
    (claim,) = rig.rows("claim")
    assert (claim["claimant_id"], claim["why"], claim["state"]) == ("west", "rule", "open")
    to_zoe = [row for row in rig.rows("delivery") if (row["sink_id"], row["dest"]) == ("mail", "zoe")]
    assert len(to_zoe) == 1


def test_within_one_department_nothing_collides(tmp_path: Path, store: Database | None) -> None:
    rig = rig_with(tmp_path, store, HEAD + "all,,east,,,,,ask\n")
    arrive(rig, "a")
    arrive(rig, "b", MONDAY_10 + MINUTE, message="还有一台")
    assert rig.rows("claim") == []


def rule_of(book: Book, name: str) -> str:
    (rule,) = [one for one in book.rules if one.rule_id == name]
    return sentence(rule, "en") + sentence(rule, "zh")


def test_each_output_is_in_the_sentence_in_both_languages() -> None:
    book = read_book(BOOK.format("collaborate"))
    told = rule_of(book, "all")
    for said in ("with high priority", "by playbook key-account", "protected for 30 days", "wei and west working on it",
                 "优先级高", "按方案 key-account 跟进", "保护 30 天", "由wei、west协作"):  # fmt: skip
        assert said in told
    assert "works on it, too, if another department has the customer" in rule_of(book, "south")


def test_what_a_table_says_counts_before_the_table_that_sent_it() -> None:
    head = "rule,then_team,then_table,then_priority,then_playbook\n"
    book = read_book(head + "r,east,more,high,a\n", more={"more": "rule,then_team,then_playbook\nx,west,b\n"})
    found = book.first({})
    assert found is not None
    assert (found[0].besides.priority, found[0].besides.playbook) == ("high", "b")


@pytest.mark.parametrize(
    ("column", "cell"),
    [("then_protect_days", "0"), ("then_protect_days", "一周"), ("then_priority", "urgent"),
     ("then_playbook", "a b/c"), ("then_if_owned", "fight")],
)  # fmt: skip
def test_a_cell_that_says_nothing_there_is_is_named(column: str, cell: str) -> None:
    with pytest.raises(TableError) as refused:
        read_book(f"rule,then_team,{column}\na,east,{cell}\n")
    assert [(one.line, one.column, one.cell) for one in refused.value.wrong] == [(2, column, "C2")]


def test_an_unknown_collaborator_is_named() -> None:
    found = list(check_book(company('rule,then_team,then_collaborators\nall,east,"wei, nobody"\n'), None))
    assert [(one.code, one.line, one.column) for one in found] == [("ref_unknown", 2, "then_collaborators")]
