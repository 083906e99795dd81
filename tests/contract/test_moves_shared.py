"""Several processes that move, decide and take back at once on one PostgreSQL: each customer once, one owner, sums right."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from leadflow.above import may_give_as
from leadflow.auto_moves import move_now
from leadflow.handover_job import advance
from leadflow.undo_scope import plan_scope, scope_of
from sales.apply import publish
from schemas.company import Company
from schemas.moves import moves_version
from store.acts import ActRefused, Command, perform
from store.acts_claim import Decide, Register
from store.acts_job import job_id_of
from store.acts_scope import BeginReturn
from store.company import company_version, load_company
from store.database import Database
from store.views import balance, orphans
from tests.e2e.test_moves import COMPANY, LATER, owners
from tests.support.rig import DAY, HOUR, MONDAY_10, Rig, post
from tests.support.workers import in_threads

AT_ONCE, CUSTOMERS = 8, 30
TABLE = "move,channel,then_person\nall,web,wei\n"


@pytest.fixture
def rig(clean_postgres: Database, tmp_path: Path) -> Rig:
    made = Rig(tmp_path, clean_postgres, COMPANY)
    made.feed([post(made=f"m{n}", phone=f"139{n:08d}", at_us=MONDAY_10) for n in range(CUSTOMERS)])
    made.run()
    return made


def sound(rig: Rig) -> None:
    rig.run()
    with rig.store.read() as connection:
        assert orphans(connection, LATER + DAY) == []
        assert balance(connection, LATER + DAY).adds_up
    rows = [
        row["customer_id"] for row in rig.rows("holding") if (row["role"], row["to_us"]) == ("owner", None)
    ]
    assert set(Counter(rows).values()) == {1}
    rig.files.doors.close()


def test_processes_that_look_at_once_move_each_customer_once_and_take_all_of_it_back_once(rig: Rig) -> None:
    before, append = owners(rig), rig.files.store_log.append
    with rig.store.read() as connection:
        company = load_company(connection, company_version(connection))
    new = Company.model_validate({**dict(company), "moves_csv": TABLE})
    perform(rig.store, Command("publish", "boss", "p", "company"), publish(new), LATER, append)
    in_threads([partial(move_now, rig.store, append, LATER)] * AT_ONCE)
    assert set(owners(rig).values()) == {"wei"}
    assert len([row for row in rig.rows("decision") if row["code"] == "auto_moved"]) == CUSTOMERS
    with rig.store.read() as connection:
        asked = {"rule_version": moves_version(TABLE), "since_us": LATER}
        _, scope = scope_of(connection, new, asked, LATER + HOUR)
        plan = plan_scope(connection, new, scope, "operator", LATER + HOUR)
    command = Command("undo_scope", "operator", "u", "rules", "swapped")
    perform(rig.store, command, BeginReturn(plan.returns, {}, plan.decisions), LATER + HOUR, append)

    def work() -> None:
        while advance(rig.store, append, job_id_of(command), LATER + HOUR):
            pass

    in_threads([work] * AT_ONCE)
    assert owners(rig) == before
    sound(rig)


def test_managers_who_decide_at_once_decide_once(rig: Rig) -> None:
    append, customer_id = rig.files.store_log.append, min(owners(rig))
    for number, claimant in enumerate(("wei", "zoe")):
        register = Register(claimant, LATER + DAY, may_give_as("operator"))
        perform(
            rig.store, Command("register", "operator", f"r{number}", customer_id), register, LATER, append
        )
    refused: list[str] = []

    def decide(number: int) -> None:
        owner = ("wei", "zoe")[number % 2]
        command = Command("decide_claim", "operator", f"d{number}", customer_id, "because")
        try:
            perform(rig.store, command, Decide(owner, (), may_give_as("operator")), LATER + HOUR, append)
        except ActRefused as error:
            refused.append(error.code)

    in_threads([partial(decide, number) for number in range(AT_ONCE)])
    assert refused == ["no_claim"] * (AT_ONCE - 1)
    assert owners(rig)[customer_id] in ("wei", "zoe")
    assert sorted(row["state"] for row in rig.rows("claim")) == ["owner", "refused"]
    sound(rig)
