"""A history simulated with the book that really decided, from an empty start, goes to the same people at the same moments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from leadflow.simulation.run import Run, simulated
from leadflow.simulation.store import history, received
from router.office import office_of
from router.simulate import Place
from schemas.company import Absence, Company, Member, Person, book_version
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, Rig, post, small_company

BOOKS = (
    "rule,has_email,then_team,then_strategy,then_respond_within\nmail,yes,night,least_recent,60\nothers,,east,,30\n",
    "rule,has_name,then_team,then_strategy\nnamed,yes,east,least_loaded\n",
    "rule,channel,then_team,then_strategy\nweb,web,east,fixed:bo\n",
    "rule,message_length,then_team,then_strategy\nlong,> 3,east,best_match\nothers,,night,\n",
)
LATER = (5 * MINUTE, HOUR, 7 * HOUR, 14 * HOUR, DAY, 3 * DAY)
AFTER = 5 * DAY
Arrival = tuple[int, int, bool, str]
"""How long after the last one, from which customer, whether with a mail address, and the message."""


def company_of(
    book: str, caps: tuple[int | None, int | None], share: Sequence[int], away: tuple[int, int]
) -> Company:
    """A company of two teams: bo may have so many open customers, ann so many a day, and she is away for some days."""
    night = small_company().units["east"].model_copy(update={"unit_id": "night", "calendar_id": None})
    begins = MONDAY_10 + away[0] * DAY
    people = ("ann", "bo", "chen")
    return small_company(
        units={**small_company().units, "night": night},
        people={
            "ann": Person(person_id="ann", name="安", day_cap=caps[1]),
            "bo": Person(person_id="bo", name="薄", open_cap=caps[0], opening_minutes=30),
            "chen": Person(person_id="chen", name="陈", calendar_id="day", closing_minutes=60),
        },
        members=(
            *(
                Member(unit_id="east", person_id=who, from_us=0, share=one)
                for who, one in zip(people, share, strict=True)
            ),
            Member(unit_id="night", person_id="chen", from_us=0),
            Member(unit_id="night", person_id="ann", from_us=0, share=2),
        ),
        absences=(Absence(person_id="ann", from_us=begins, to_us=begins + away[1] * DAY, stand_in_id="bo"),),
        book_csv=book,
        book_version=book_version(book),
    )


@settings(
    max_examples=35,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(
    company=st.builds(
        company_of,
        st.sampled_from(BOOKS),
        st.tuples(st.sampled_from((None, 1, 3)), st.sampled_from((None, 1, 2))),
        st.tuples(*[st.integers(0, 3)] * 3),
        st.tuples(st.integers(0, 4), st.integers(1, 4)),
    ),
    came=st.lists(
        st.tuples(
            st.sampled_from(LATER),
            st.integers(0, 9),
            st.booleans(),
            st.sampled_from(("", "询价", "两台叉车")),
        ),
        max_size=30,
    ),
)
@example(  # every second evening two are level, and the hash of the morning's decision says who
    company=small_company(
        members=[Member(unit_id="east", person_id=one, from_us=0) for one in ("ann", "bo")]
    ),
    came=[(10 * HOUR, 0, False, ""), *((DAY, number, False, "") for number in range(1, 10))],
)
def test_the_book_that_decided_decides_the_same_again(company: Company, came: list[Arrival]) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("router.simulate.HORIZON_US", AFTER)
        patch.setattr("router.office.CAP_LOOK_US", 2 * HOUR)  # both look at caps more seldom: quicker
        rig = Rig(Path(folder), company=company)
        until_us = live(rig, came)
        with rig.store.read() as connection:
            told = list(history(connection, company, 0, until_us))
            books = received(connection, company.zone, 0, until_us)
        seen: dict[str, tuple[Place, Place]] = {}
        run = Run(office_of(company), 0, until_us, seed="")
        simulated(run, told, seen=lambda one, place: seen.update({one.lead_id: (one.was, place)}))
        assert {one: would for one, (_, would) in seen.items()} == {
            one: was for one, (was, _) in seen.items()
        }
        assert sorted(seen) == sorted(row["lead_id"] for row in rig.rows("lead"))
        assert run.after == books
        assert (run.came, run.orphans) == (len(rig.rows("lead")), 0)
        assert run.difference.same == run.came
        rig.close()


def live(rig: Rig, came: list[Arrival]) -> int:
    """Let leads come, with timers fired in between as they fall due; return a moment after all of it."""
    now_us = MONDAY_10
    for number, (later_us, person, has_mail, message) in enumerate(came):
        now_us += later_us + number
        while rig.fire(now_us):
            pass
        fields = {"email": f"p{person}@daheng.example"} if has_mail else {}
        named = {"name": "李娜"} if person % 2 else {}
        phone = f"1390000000{person}"
        rig.feed([post(made=str(number), at_us=now_us, phone=phone, message=message, **fields, **named)])
        rig.run()
    now_us += AFTER
    while rig.fire(now_us):
        pass
    return now_us
