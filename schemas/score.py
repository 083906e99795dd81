"""The lead score: a table of points that anybody can read and change, and what it makes of one lead.

A row is worth its points where all its conditions hold (schemas.decision_table); the points of all rows that
hold add up, from 0 to 100. Every lead keeps the rows that counted, so that its score can be checked by hand.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.decision_table import Row, Shape, TableError, Wrong, read_rows
from schemas.facts import FACTS
from schemas.resolved import Grade, Score, ScorePoint

MOST = 100
GRADES: tuple[Grade, ...] = ("A", "B", "C", "D")

DEFAULT_POINTS = """\
point,channel,call_missed,product_line,product,industry,has_company,has_phone,has_email,message_length,new_customer,junk,points,note
visit,counter,,,,,,,,,,,30,谁亲自来访 / came in person
call,cti,no,,,,,,,,,,20,打来电话并已接通 / called and was answered
missed-call,,yes,,,,,,,,,,15,来电未接通 / called in vain
product-line,,,not(null),,,,,,,,,10,说明产品线 / says which line of products
product,,,,not(null),,,,,,,,15,说明具体产品 / names a product
industry,,,,,not(null),,,,,,,5,行业已知 / industry known
company,,,,,,yes,,,,,,10,留了公司名 / names a company
phone,,,,,,,yes,,,,,15,留了电话 / can be called
email,,,,,,,,yes,,,,5,留了邮箱 / can be written to
in-detail,,,,,,,,,>= 40,,,10,需求写得具体 / tells in detail
known,,,,,,,,,,no,,10,已有客户 / a customer we know
doubtful,,,,,,,,,,,[40..69],-30,疑似无效 / may be junk
junk,,,,,,,,,,,>= 70,-100,多半无效 / most likely junk
"""
"""What a company without a table of its own scores by."""

_SHAPE = Shape("point", FACTS, ("points",), needed=("points",))
_POINTS = re.compile(r"[+-]?\d{1,3}")


@dataclass(frozen=True, slots=True)
class Points:
    """One row: where it holds, and what it is worth."""

    row: Row
    points: int


def read_points(text: str) -> tuple[Points, ...]:
    """Read a table of points from CSV. Raises TableError, which names line, column and fix."""
    rows = read_rows(text, _SHAPE)
    if wrong := [_no_points(row) for row in rows if not _POINTS.fullmatch(row.cells["points"])]:
        raise TableError(wrong)
    return tuple(Points(row, int(row.cells["points"])) for row in rows)


def score_of(facts: Mapping[str, str], table: Sequence[Points], grades: Sequence[int]) -> Score:
    """Return the score of a lead with these facts, its grade, and the rows that counted.

    `grades` are the least points for A, B and C; below them it is D.
    """
    held = [one for one in table if one.row.holds(facts)]
    points = min(MOST, max(0, sum(one.points for one in held)))
    grade = next((name for name, least in zip(GRADES, grades, strict=False) if points >= least), GRADES[-1])
    return Score(
        points=points,
        grade=grade,
        counted=tuple(ScorePoint(name=one.row.name, points=one.points) for one in held),
    )


def _no_points(row: Row) -> Wrong:
    text = row.cells["points"]
    en = f"{text!r} is no whole number of points, such as 10 or -30"
    return row.wrong("points", en, f"{text or '空白'} 不是整数分值，例如 10 或 -30")
