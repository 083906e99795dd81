"""All that a person, a rule book's version or an import did is taken back at once, and nothing else is touched."""

from __future__ import annotations

import pytest

from enrich.acts_merge import merge_with
from leadflow.cli_undo import _show
from leadflow.handover_job import advance
from leadflow.undo_scope import ScopePlan, plan_scope, scope_of
from sales.apply import publish
from schemas.company import Company, book_version
from store.acts import ActRefused, Command, perform
from store.acts_inbox import take
from store.acts_job import job_id_of, read_job
from store.acts_move import Moving
from store.acts_scope import BeginReturn
from store.company import company_version, load_company
from store.views import balance, orphans
from tests.e2e.test_moves import LATER, move, of, owners, rig, to, undo
from tests.support.rig import DAY, HOUR, MINUTE, Rig, post

__all__ = ["rig"]
WEST = "rule,then_team\nall,west\n"
"""A book that sends everything where it was not meant to go."""


def company_of(rig: Rig) -> Company:
    with rig.store.read() as connection:
        return load_company(connection, company_version(connection))


def act(rig: Rig, verb: str, said: tuple[str, str], plan: object, at_us: int) -> Command:
    actor, scope = said
    command = Command(verb, actor, f"{verb} {scope} {at_us}", scope, "because")
    perform(rig.store, command, plan, at_us, rig.files.store_log.append)  # type: ignore[arg-type]
    rig.run()
    return command


def change(rig: Rig, at_us: int, **changes: object) -> None:
    new = Company.model_validate({**dict(company_of(rig)), **changes})
    act(rig, "publish", ("boss", "company"), publish(new), at_us)


def goes_by(rig: Rig, book: str, at_us: int) -> None:
    change(rig, at_us, book_csv=book, book_version=book_version(book))


def planned(rig: Rig, at_us: int, actor: str = "operator", **asked: object) -> ScopePlan:
    with rig.store.read() as connection:
        company = company_of(rig)
        _, scope = scope_of(connection, company, {"since_us": LATER, **asked}, at_us)
        return plan_scope(connection, company, scope, actor, at_us)


def undo_scope(rig: Rig, at_us: int, actor: str = "operator", **asked: object) -> str:
    plan = planned(rig, at_us, actor, **asked)
    command = act(
        rig, "undo_scope", (actor, f"scope {at_us}"), BeginReturn(plan.returns, {}, plan.decisions), at_us
    )
    while advance(rig.store, rig.files.store_log.append, job_id_of(command), at_us):
        pass
    rig.run()
    with rig.store.read() as connection:
        assert orphans(connection, at_us + DAY) == []
        assert balance(connection, at_us + DAY).adds_up
    return job_id_of(command)


def received(rig: Rig) -> dict[str, int]:
    return {row["person_id"]: row["received"] for row in rig.rows("ledger_total") if row["received"]}


def test_all_that_one_person_did_today_is_taken_back_and_what_others_did_stays(rig: Rig) -> None:
    before, counted = owners(rig), received(rig)
    bos, anns = of(rig, "bo"), of(rig, "ann")
    move(rig, to("ann", bos), key="a", at_us=LATER)
    move(rig, to("chen", anns), key="b", at_us=LATER + MINUTE)
    move(rig, to("bo", anns[:1]), key="c", actor="operator", at_us=LATER + 2 * MINUTE)
    move(rig, to("chen", bos[:1]), key="d", at_us=LATER + 3 * MINUTE)
    plan = planned(rig, LATER + HOUR, by="mia")
    assert {(one.give.customer_id, one.refused) for one in plan.returns if one.refused} == {
        (anns[0], "moved_on")
    }
    undo_scope(rig, LATER + HOUR, by="mia")
    assert owners(rig) == {**before, anns[0]: "bo"}
    assert {who: count for who, count in received(rig).items() if who != "ann"} == {
        who: count for who, count in counted.items() if who != "ann"
    }
    assert received(rig)["ann"] == counted["ann"] - 1, "what the operator moved stays credited"
    for row in rig.rows("task"):
        assert row["holder_id"] == owners(rig)[row["customer_id"]]


def test_what_was_taken_back_before_is_not_listed_again(rig: Rig) -> None:
    move(rig, to("ann", of(rig, "bo")), key="a", at_us=LATER)
    undo(rig, "a", at_us=LATER + MINUTE)
    assert planned(rig, LATER + HOUR, by="mia").returns == []


def test_what_somebody_took_out_of_a_queue_is_back_in_it(rig: Rig) -> None:
    change(rig, LATER, members=())
    rig.feed([post(made="wait", phone="13900000000", at_us=LATER + MINUTE)])
    rig.run()
    (task,) = [row for row in rig.rows("task") if row["holder_kind"] == "queue"]
    change(rig, LATER + 2 * MINUTE, members=company_of(rig).members)
    with rig.store.read() as connection:
        unit = load_company(connection, company_version(connection)).units["east"]
    assert unit.manager_id == "mia"
    act(rig, "take", ("mia", task["task_id"]), take(), LATER + 3 * MINUTE)
    assert owners(rig)[task["customer_id"]] == "mia"
    counted = received(rig)
    undo_scope(rig, LATER + HOUR, by="mia")
    assert owners(rig)[task["customer_id"]] == "east"
    assert "mia" in counted
    assert "mia" not in received(rig), "and it does not count for her"


def test_what_a_version_decided_is_decided_again_by_the_book_in_force(rig: Rig) -> None:
    before = owners(rig)
    goes_by(rig, WEST, LATER)
    rig.feed([post(made=f"w{n}", phone=f"1370000000{n}", at_us=LATER + MINUTE) for n in range(4)])
    rig.run()
    wrong = {name for name, holder in owners(rig).items() if holder == "wei"}
    assert len(wrong) == 4
    goes_by(rig, "rule,then_team\nall,east\n", LATER + 2 * MINUTE)
    numbers = [row["number"] for row in rig.rows("book") if row["csv"] == WEST]
    undo_scope(rig, LATER + HOUR, rule_version=numbers[0])
    now = owners(rig)
    assert {name: now[name] for name in before} == before, "nothing else moved"
    assert {now[name] for name in wrong} <= {"ann", "bo", "chen"}
    assert "wei" not in received(rig)
    decided = [row for row in rig.rows("decision") if row["subject_id"] in wrong and row["stage"] == "act"]
    assert {(row["code"], row["rule_id"]) for row in decided} == {("moved", "all")}


def test_of_an_import_all_goes_back_and_a_receipt_is_enough(rig: Rig) -> None:
    rig.feed(
        [post(made="i1", phone="13611111111", at_us=LATER), post(made="i2", phone="13622222222", at_us=LATER)]
    )
    rig.run()
    new = [row for row in rig.rows("capture") if row["accepted_us"] == LATER]
    goes_by(rig, WEST, LATER + MINUTE)
    plan = planned(rig, LATER + HOUR, imported=[new[0]["capture_id"]])
    assert [one.give.holder_id for one in plan.returns] == ["wei"]
    assert len(planned(rig, LATER + HOUR, imported=["site"]).returns) == 2
    with pytest.raises(ActRefused, match="no source"):
        planned(rig, LATER + HOUR, imported=["nowhere"])


def test_the_preview_says_first_what_cannot_be_taken_back(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    bos = of(rig, "bo")
    move(rig, to("ann", bos), key="a", at_us=LATER)
    delivery = [
        row for row in rig.rows("delivery") if row["sink_id"] == "mail" and row["decided_us"] == LATER
    ]
    with rig.store.write() as connection:
        from store import tables

        connection.execute(
            tables.delivery.update()
            .where(tables.delivery.c.delivery_id.in_([row["delivery_id"] for row in delivery]))
            .values(state="sent", answered_us=LATER)
        )
    change(rig, LATER + MINUTE, zone="Asia/Shanghai")
    _show(planned(rig, LATER + HOUR, by="mia"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("cannot be taken back")
    assert lines[-1] == f"{len(bos)} back, 0 left"


def test_whose_customer_a_merge_made_it_is_left_to_unmerge(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = of(rig, "bo")[0], of(rig, "ann")[0]
    act(rig, "merge", ("mia", one), merge_with(other), LATER)
    plan = planned(rig, LATER + HOUR, by="mia")
    assert plan.returns == []
    _show(plan)
    assert "leadflow match unmerge" in capsys.readouterr().out


def test_what_is_too_old_or_not_below_is_left_with_its_reason(rig: Rig) -> None:
    move(rig, to("ann", of(rig, "bo")), key="a", at_us=LATER)
    late = planned(rig, LATER + 100 * DAY, by="mia", since_us=LATER)
    assert {one.refused for one in late.returns} == {"too_old"}
    others = planned(rig, LATER + HOUR, "zoe", by="mia")
    assert {one.refused for one in others.returns} == {"not_below"}
    with pytest.raises(ActRefused, match="not_below"):
        undo_scope(rig, LATER + HOUR, "zoe", by="mia")


def test_the_job_of_an_undone_scope_can_be_given_back_itself(rig: Rig) -> None:
    from leadflow.handover_job import begin_undo

    bos = of(rig, "bo")
    move(rig, to("ann", bos), key="a", at_us=LATER)
    between = owners(rig), received(rig)
    job_id = undo_scope(rig, LATER + HOUR, by="mia")
    with rig.store.read() as connection:
        job = read_job(connection, job_id)
    assert (job.kind, job.state) == ("undo", "done")
    begin_undo(rig.store, rig.files.store_log.append, job, "operator", LATER + 2 * HOUR)
    while advance(rig.store, rig.files.store_log.append, job_id, LATER + 2 * HOUR):
        pass
    assert (owners(rig), received(rig)) == between


def test_a_job_that_was_cut_off_goes_on_and_leaves_what_moved_meanwhile(rig: Rig) -> None:
    bos = of(rig, "bo")
    move(rig, to("ann", bos), key="a", at_us=LATER)
    plan = planned(rig, LATER + HOUR, by="mia")
    command = act(rig, "undo_scope", ("operator", "scope"), BeginReturn(plan.returns, {}), LATER + HOUR)
    perform(
        rig.store,
        Command("move", "operator", "z", "set", "meanwhile"),
        Moving(to("chen", bos[:1]), lambda _company, _now: lambda _holder: True),
        LATER + HOUR,
        rig.files.store_log.append,
    )
    while advance(rig.store, rig.files.store_log.append, job_id_of(command), LATER + 2 * HOUR):
        pass
    assert owners(rig)[bos[0]] == "chen"
    assert set(bos[1:]) <= set(of(rig, "bo"))
    states = {row["customer_id"]: (row["state"], row["code"]) for row in rig.rows("job_item")}
    assert states[bos[0]] == ("left", "moved_on")
