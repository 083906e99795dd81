"""Customers move by themselves as moves.csv says: once, not to and fro, never while protected; credited, explained, undone."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadflow.auto_moves import Found, move_now, plan_moves
from leadflow.company import read_company
from leadflow.demo.run import demo_company
from leadflow.explain import explain
from router.sentences import move_sentence
from sales.check import check
from sales.files import write_company
from schemas.decision_table import TableError
from schemas.moves import moves_version, read_moves
from store import tables
from store.database import Database
from store.protection import DAY_US
from store.views import balance, orphans
from tests.e2e.test_moves import COMPANY, LATER, move, of, owners, rig, to, undo
from tests.e2e.test_rule_outputs import store
from tests.e2e.test_undo_scope import change, company_of, received, undo_scope
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, Rig, post

__all__ = ["rig", "store"]
SICHUAN = "move,province,then_team,then_person\nsichuan,四川*,west,\n"
HOTLINE = "move,idle_days,then_team\nidle,>= 5,hotline\n"
LATE = "move,late_minutes,owner_team,then_team\nlate,>= 30,not(west),west\n"


def goes_by(rig: Rig, text: str, at_us: int = LATER, **changes: object) -> None:
    change(rig, at_us, moves_csv=text, **changes)


def found(rig: Rig, text: str, at_us: int = LATER) -> list[Found]:
    with rig.store.read() as connection:
        return plan_moves(connection, company_of(rig), text, at_us)


def run(rig: Rig, at_us: int = LATER) -> int:
    moved = move_now(rig.store, rig.files.store_log.append, at_us)
    rig.run()
    rig.fire(at_us)
    with rig.store.read() as connection:
        assert orphans(connection, at_us + DAY) == []
        assert balance(connection, at_us + DAY).adds_up
    return moved


def test_what_a_rule_names_goes_to_the_team_and_is_shared_out_and_credited(rig: Rig) -> None:
    before, counted = owners(rig), received(rig)
    goes_by(rig, SICHUAN)
    assert {one.kept for one in found(rig, SICHUAN)} == {None}
    assert run(rig) == 6
    gone = {one for one in before if owners(rig)[one] != before[one]}
    assert {owners(rig)[one] for one in gone} == {"wei"}
    assert len(gone) == 6
    now = received(rig)
    assert now["wei"] == 6
    assert sum(now.values()) == sum(counted.values()), "what one has received, the other has not"
    assert run(rig, LATER + HOUR) == 0, "once"
    for row in rig.rows("task"):
        assert row["holder_id"] == owners(rig)[row["customer_id"]]
    lead_id = next(row["lead_id"] for row in rig.rows("task") if row["customer_id"] in gone)
    told = "\n".join(explain(rig.files, lead_id, "en"))
    assert "Rule “sichuan” matched" in told
    assert "Moved by itself to West" in told


def test_late_tasks_move_in_working_time_and_not_before(rig: Rig) -> None:
    goes_by(rig, LATE)
    due_us = min(row["due_us"] for row in rig.rows("task"))
    assert run(rig, due_us + 29 * MINUTE) == 0
    assert run(rig, due_us + 45 * MINUTE) > 0


def test_who_is_over_their_cap_loses_the_newest_ones_only(rig: Rig) -> None:
    mine = of(rig, "bo")
    people = {**COMPANY.people, "bo": COMPANY.people["bo"].model_copy(update={"open_cap": len(mine) - 2})}
    goes_by(rig, "move,over_cap,then_team\ncap,> 0,west\n", people=people)
    assert run(rig) == 2
    assert len(of(rig, "bo")) == len(mine) - 2


def test_protection_keeps_it_until_it_is_over(rig: Rig) -> None:
    goes_by(rig, SICHUAN)
    with rig.store.write() as connection:
        connection.execute(tables.holding.update().values(protected_until_us=LATER + DAY_US))
    assert {one.kept for one in found(rig, SICHUAN)} == {"protected"}
    assert run(rig) == 0
    assert run(rig, LATER + DAY_US) == 6


def test_nothing_goes_to_and_fro(rig: Rig) -> None:
    goes_by(rig, SICHUAN)
    run(rig)
    back = "move,province,owner_team,then_team\nback,四川*,west,east\n"
    goes_by(rig, back, LATER + HOUR)
    assert {one.kept for one in found(rig, back, LATER + HOUR)} == {"had_it"}
    assert run(rig, LATER + HOUR) == 0
    assert {one.kept for one in found(rig, back, LATER + 31 * DAY)} == {None}, "after the time of rest it may"


def test_what_a_person_took_back_does_not_move_by_the_same_rule_again(rig: Rig) -> None:
    person = "move,province,then_person\nsichuan,四川*,wei\n"
    goes_by(rig, person)
    before = owners(rig)
    run(rig)
    act_id = next(row["act_id"] for row in rig.rows("act") if row["verb"] == "auto_move")
    scope = next(row["scope_id"] for row in rig.rows("act") if row["act_id"] == act_id)
    from leadflow.above import may_give_as
    from store.acts import Command, perform
    from store.acts_undo import Undo

    command = Command("undo", "operator", "u", act_id, None, act_id)
    perform(rig.store, command, Undo(may_give_as("operator")), LATER + MINUTE, rig.files.store_log.append)
    rig.run()
    assert owners(rig)[scope] == before[scope]
    assert run(rig, LATER + HOUR) == 0
    assert [one.kept for one in found(rig, person, LATER + HOUR) if one.customer_id == scope] == [
        "moved_before"
    ]


def test_no_more_than_the_company_allows(rig: Rig) -> None:
    goes_by(rig, SICHUAN, auto_moves_most=1)
    run(rig)
    other = "move,province,then_person\nother,四川*,zoe\n"
    assert {one.kept for one in found(rig, other, LATER + HOUR)} == {"moved_often"}


def test_all_that_a_version_moved_is_taken_back_with_what_was_shared_out(rig: Rig) -> None:
    before, counted = owners(rig), received(rig)
    goes_by(rig, SICHUAN)
    run(rig)
    undo_scope(rig, LATER + HOUR, rule_version=moves_version(SICHUAN))
    assert owners(rig) == before
    assert received(rig) == counted


def test_what_a_manager_moved_meanwhile_is_left_alone(rig: Rig) -> None:
    goes_by(rig, SICHUAN)
    with rig.store.read() as connection:
        company = company_of(rig)
        due = plan_moves(connection, company, SICHUAN, LATER)
    move(rig, to("chen", [due[0].customer_id]), at_us=LATER)
    from leadflow.auto_moves import _moved

    assert not _moved(rig.store, rig.files.store_log.append, company, due[0], LATER + MINUTE)
    assert owners(rig)[due[0].customer_id] == "chen"
    undo(rig, "k", at_us=LATER + HOUR)


def test_a_move_reads_as_a_sentence() -> None:
    (rule,) = read_moves(LATE)
    assert move_sentence(rule, "en", COMPANY) == (
        "When the owner's team is not West and the number of working minutes a task is late is at least 30, it moves to West."
    )
    assert (
        move_sentence(rule, "zh", COMPANY)
        == "当负责人所在团队不是 西部，且待办超时工作分钟不小于 30时，改派给 西部。"
    )


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("move,grade,then_team,then_person\na,A,east,ann\n", "then_team"),
        ("move,grade,then_team\na,A,\n", "then_team"),
        ("move,then_team\na,east\n", None),
    ],
)
def test_a_row_that_says_too_much_or_nothing_is_refused(text: str, column: str | None) -> None:
    with pytest.raises(TableError) as refused:
        read_moves(text)
    assert [(one.line, one.column) for one in refused.value.wrong] == [(2, column)]


def test_unknown_names_are_named_and_the_file_is_read_back(tmp_path: Path) -> None:
    company = COMPANY.model_copy(update={"moves_csv": "move,grade,then_team\na,A,nowhere\n"})
    wrong = [one for one in check(company) if one.file == "moves.csv"]
    assert [(one.code, one.line, one.column) for one in wrong] == [("ref_unknown", 2, "then_team")]
    files = write_company(demo_company().model_copy(update={"moves_csv": HOTLINE, "auto_rest_days": 14}))
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    again = read_company(tmp_path)
    assert again.moves_csv == HOTLINE
    assert again.auto_rest_days == 14


def test_nothing_happens_without_a_table(tmp_path: Path, store: Database | None) -> None:
    rig = Rig(tmp_path, store=store, company=COMPANY)
    rig.feed([post(made="m", phone="13800000001", at_us=MONDAY_10)])
    rig.run()
    assert run(rig) == 0
