"""The simulation on histories written by hand: queues, caps, absences, limits, and what would be nobody's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from leadflow.simulation.run import Run, simulated, told
from router.office import office_of
from router.route import Holder
from router.simulate import Came, Closed, Place, Start
from schemas.company import Absence, Company, Member, Person
from schemas.facts import SCORED_FACTS
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, small_company

ANN, EAST = Holder("person", "ann"), Holder("queue", "east")


def one_person(**values: Any) -> Company:
    person = Person(person_id="ann", name="安", **values)
    return small_company(people={"ann": person}, members=(Member(unit_id="east", person_id="ann", from_us=0),), absences=())  # fmt: skip


def came(number: int, at_us: int, customer: str = "", **values: Any) -> Came:
    facts = {**dict.fromkeys(SCORED_FACTS, ""), "grade": "A", "score": "0", "junk": "0", "message_length": "0", **values.pop("facts", {})}  # fmt: skip
    lead_id = f"lead_{number}"
    return Came(
        at_us,
        lead_id,
        customer or f"cus_{number}",
        f"dec_{number}",
        facts,
        Place(ANN, owner_us=at_us),
        **values,
    )


def placed(
    company: Company, history: Iterable[Came | Closed], start: Start | None = None
) -> tuple[dict[str, Place], dict[str, Any]]:
    seen: dict[str, Place] = {}
    run = Run(office_of(company), MONDAY_10, MONDAY_10 + 30 * DAY, seed="")
    simulated(run, history, start, seen=lambda one, place: seen.update({one.lead_id: place}))
    return seen, told(run)


def test_what_waits_is_taken_oldest_first_when_the_shift_begins_and_the_wait_is_told() -> None:
    night = MONDAY_10 + 10 * HOUR
    seen, figures = placed(
        one_person(), [came(1, night), came(2, night + HOUR), came(3, night + HOUR, "cus_1")]
    )
    morning = MONDAY_10 + 23 * HOUR + 1
    assert [seen[f"lead_{one}"].owner_us for one in (1, 2, 3)] == [morning] * 3
    assert list(seen) == ["lead_1", "lead_3", "lead_2"], (
        "a customer keeps its place, and brings all its leads"
    )
    after = figures["first_response"]["after"]
    assert (after["queued"], after["waiting"], after["longest_wait_minutes"]) == (3, 0, 13 * 60)
    assert (after["leads"], after["late"], after["overnight"]) == (3, 0, 3), "due half an hour into the shift"


def test_a_cap_keeps_leads_waiting_until_a_customer_is_closed() -> None:
    company = one_person(open_cap=1)
    history: list[Came | Closed] = [
        came(1, MONDAY_10),
        came(2, MONDAY_10 + MINUTE),
        Closed(MONDAY_10 + HOUR, "cus_1", ANN),
    ]
    seen, figures = placed(company, history)
    assert seen["lead_2"].owner_us == MONDAY_10 + HOUR + 1
    assert figures["first_response"]["after"]["late"] == 1
    held, figures = placed(company, history[:2], Start(open={"ann": 1}))
    assert {one.holder for one in held.values()} == {EAST}
    assert (figures["first_response"]["after"]["waiting"], figures["orphans"]) == (2, 0)


def test_an_owner_who_is_away_keeps_the_customer_and_it_is_told_unless_somebody_stands_in() -> None:
    during = {"from_us": MONDAY_10, "to_us": MONDAY_10 + DAY}
    history = [came(1, MONDAY_10 + HOUR, before=ANN)]
    people = {one: Person(person_id=one, name=one) for one in ("ann", "bo")}
    alone = small_company(people=people, absences=(Absence(person_id="ann", **during),))
    seen, figures = placed(alone, history)
    assert (seen["lead_1"].holder, seen["lead_1"].stays) == (ANN, True)
    assert figures["first_response"]["after"]["absent"] == 1
    covered = small_company(people=people, absences=(Absence(person_id="ann", stand_in_id="bo", **during),))
    assert placed(covered, history)[1]["first_response"]["after"]["absent"] == 0


def test_who_has_left_has_no_customers_any_more_and_a_queue_that_there_is_not_is_an_orphan() -> None:
    seen, figures = placed(small_company(absences=()), [came(1, MONDAY_10, before=Holder("person", "zoe"))])
    assert seen["lead_1"].holder.holder_id in ("ann", "bo", "chen")
    assert figures["orphans"] == 0
    nowhere = small_company(book_csv="rule,then_team\nall,west\n")
    _, figures = placed(nowhere, [came(1, MONDAY_10)])
    assert (figures["orphans"], figures["orphan_leads"]) == (1, ["lead_1"])


def test_whom_a_lead_needs_and_nobody_is_does_not_hold_up_the_others() -> None:
    company = one_person(languages=("zh",))
    night = MONDAY_10 + 10 * HOUR
    seen, figures = placed(company, [came(1, night, facts={"language": "en"}), came(2, night, facts={"language": "zh"})])  # fmt: skip
    assert (seen["lead_1"].holder, seen["lead_2"].holder) == (EAST, ANN)
    assert figures["queues"][0] == {
        "holder": "east", "before": 0, "after": 1, "queued_before": 0, "queued_after": 2
    }  # fmt: skip
