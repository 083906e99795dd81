"""The lead score: a table of points that adds up, and can be checked by hand."""

from __future__ import annotations

import pytest

from schemas.decision_table import TableError
from schemas.facts import FACTS
from schemas.score import DEFAULT_POINTS, read_points, score_of

GRADES = (70, 40, 15)
NOTHING = {**dict.fromkeys(FACTS, ""), "message_length": "0", "junk": "0", "new_customer": "yes"}


def facts(**known: str) -> dict[str, str]:
    return {**NOTHING, **known}


def test_the_points_of_all_rows_that_hold_add_up_and_are_named() -> None:
    table = read_points(
        "point,channel,product,points\nvisit,counter,,30\nproduct,,not(null),15\ncall,cti,,20\n"
    )
    score = score_of(facts(channel="counter", product="cpd30"), table, GRADES)
    assert (score.points, score.grade) == (45, "B")
    assert [(one.name, one.points) for one in score.counted] == [("visit", 30), ("product", 15)]


@pytest.mark.parametrize(
    ("points", "grade"),
    [(100, "A"), (70, "A"), (69, "B"), (40, "B"), (39, "C"), (15, "C"), (14, "D"), (0, "D")],
)
def test_grades_begin_at_their_least_points(points: int, grade: str) -> None:
    table = read_points(f"point,points\nall,{points}\n")
    assert score_of(NOTHING, table, GRADES).grade == grade


def test_a_score_stays_between_0_and_100_and_still_names_what_counted() -> None:
    table = read_points("point,junk,points\na,,90\nb,,90\njunk,>= 70,-300\n")
    assert score_of(NOTHING, table, GRADES).points == 100
    low = score_of(facts(junk="80"), table, GRADES)
    assert (low.points, low.grade, len(low.counted)) == (0, "D", 3)


def test_the_built_in_table_tells_a_good_enquiry_from_a_poor_one() -> None:
    table = read_points(DEFAULT_POINTS)
    good = facts(
        channel="web", product_line="forklift", product="cpd30", has_company="yes", has_phone="yes",
        has_email="yes", message_length="80", industry="food",
    )  # fmt: skip
    assert score_of(good, table, GRADES).grade == "A"
    assert score_of(facts(channel="web", has_email="yes"), table, GRADES).grade == "D"
    assert score_of(facts(**{**good, "junk": "90"}), table, GRADES).points == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("point,channel\na,web\n", "column 'points' is missing"),
        ("point,points\na,many\n", "line 2, column points (B2): 'many' is no whole number"),
        ("point,points\na,1\na,2\n", "line 3, column point (A3): point 'a' stands already in line 2"),
        ("point,score,points\na,>= 10,1\n", "line 1, column score (B1): there is no such column"),
        ("point,junk,points\na,>> 10,1\n", "line 2, column junk (B2): cannot read '>> 10'"),
        ("point,junk,points\na,not(),1\n", "line 2, column junk (B2): cannot read 'not()'"),
    ],
)
def test_a_table_that_cannot_be_used_says_where_and_why(text: str, said: str) -> None:
    with pytest.raises(TableError) as caught:
        read_points(text)
    assert said in str(caught.value)
