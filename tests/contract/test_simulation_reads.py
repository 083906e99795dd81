"""A simulation reads the same history from either database: what came, what was closed, and how things stood before."""

from __future__ import annotations

from collections.abc import Mapping

from leadflow.simulation.run import Run, simulated
from leadflow.simulation.store import history, received, start
from router.office import office_of
from router.route import Holder, Total
from router.simulate import Came, Closed
from sales.outcomes import Said, record_outcome
from schemas.shares import LEAD
from store.acts import Command, perform
from tests.property.test_simulation import live
from tests.support.rig import DAY, HOUR, MONDAY_10, Rig, small_company

TUESDAY_10 = MONDAY_10 + DAY


def test_history_start_and_ledger_are_read_alike(rig: Rig) -> None:
    company, office = small_company(), office_of(small_company())
    hours_later = ((HOUR, 1), (10 * HOUR, 2), (20 * HOUR, 3), (HOUR // 2, 1))
    until_us = live(rig, [(later_us, person, False, "") for later_us, person in hours_later])
    for task in rig.rows("task"):
        # The second customer is closed; of the first one an enquiry ends, and another goes on.
        command = Command("outcome", str(task["holder_id"]), task["task_id"], task["task_id"])
        plan = record_outcome(
            Said("interested" if task["created_us"] > TUESDAY_10 else "won"), company, office.due
        )
        perform(rig.store, command, plan, until_us - HOUR, rig.files.store_log.append)

    with rig.store.read() as connection:
        told = list(history(connection, company, 0, until_us))
        late = list(history(connection, company, TUESDAY_10, until_us))
        ann = company.people["ann"].model_copy(update={"open_cap": 50})
        capped = company.model_copy(update={"people": {**company.people, "ann": ann}})
        began = start(connection, capped, TUESDAY_10)
        assert start(connection, company, TUESDAY_10).open == {}, "nobody asks, nobody counts"
        books = received(connection, company.zone, 0, until_us, credits=False)
    came = [one for one in told if isinstance(one, Came)]
    assert [one.at_us for one in told] == sorted(one.at_us for one in told)
    assert [one.was.stays for one in came] == [False, False, False, True]
    assert [one.was.queue for one in came] == [None, "east", None, None]
    assert [one.was.rule_id for one in came] == ["everything"] * 3 + [None]
    assert all(one.was.holder.kind == "person" and one.was.due_us for one in came)
    assert came[0].before == Holder("queue", "intake")
    assert came[3].before == came[0].was.holder
    assert [one.customer_id for one in told if isinstance(one, Closed)] == [came[1].customer_id]
    assert [one.at_us for one in late] == [one.at_us for one in told if one.at_us >= TUESDAY_10]
    assert sum(began.open.values()) == 2
    assert _sum(began.books, 0) == 2
    assert (_sum(books, 0), _sum(books, 1)) == (3, 3 * LEAD)
    run = simulated(Run(office, TUESDAY_10, until_us, seed=""), late, began)
    assert (run.came, run.orphans) == (2, 0)


def _sum(books: Mapping[tuple[str, str, str], Mapping[str, Total]], which: int) -> int:
    return sum(total[which] for totals in books.values() for total in totals.values())
