"""What a rule says besides team, strategy and minutes: who collaborates, protection, priority, playbook, and the owner there is.

then_collaborators   people, or units whose manager is meant: `wu-ting, agv`
then_protect_days    so many days nothing but a manager takes the customer from its owner
then_priority        high, normal or low: shown with the task
then_playbook        what is to be done, by the name that the company has for it: shown with the task
then_if_owned        a person of another department has the customer already: `collaborate` (the owner stays, the
                     rule's side collaborates) or `ask` (a manager decides, `leadflow collisions`)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from schemas.base import Priority

IfOwned = Literal["collaborate", "ask"]
RESULTS = ("then_collaborators", "then_protect_days", "then_priority", "then_playbook", "then_if_owned")
MOST_DAYS = 3_650
"""Ten years; more is a slip of the keyboard."""
_CODE = re.compile(r"[\w.-]{1,60}")
_BETWEEN = re.compile(r"[,，、;；]")


@dataclass(frozen=True, slots=True)
class Besides:
    """What else follows from a rule; nothing said is nothing."""

    collaborators: tuple[str, ...] = ()
    """People and units, as written."""
    protect_days: int | None = None
    priority: Priority | None = None
    playbook: str | None = None
    if_owned: IfOwned | None = None

    def over(self, earlier: Besides) -> Besides:
        """Return this with what an earlier table's rule said where this one says nothing."""
        return Besides(
            self.collaborators or earlier.collaborators,
            earlier.protect_days if self.protect_days is None else self.protect_days,
            self.priority or earlier.priority,
            self.playbook or earlier.playbook,
            self.if_owned or earlier.if_owned,
        )


NOTHING = Besides()


def besides_of(cells: Mapping[str, str]) -> Besides:
    """Read the cells of a rule in which `wrong` found nothing."""
    if not any(cells.get(name) for name in RESULTS):
        return NOTHING
    days, priority = cells.get("then_protect_days", ""), cells.get("then_priority", "")
    if_owned = cells.get("then_if_owned", "")
    return Besides(
        codes_in(cells.get("then_collaborators", "")),
        int(days) if days.isdecimal() else None,
        cast(Priority, priority) if priority in get_args(Priority) else None,
        cells.get("then_playbook") or None,
        cast(IfOwned, if_owned) if if_owned in get_args(IfOwned) else None,
    )


def codes_in(cell: str) -> tuple[str, ...]:
    """Return the codes of a cell, each once."""
    return tuple(dict.fromkeys(code for one in _BETWEEN.split(cell) if (code := one.strip())))


def wrong_besides(cells: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield the column of each cell that says nothing that there is, with what is wrong in English and Chinese."""
    days = cells.get("then_protect_days", "")
    if days and not (days.isdecimal() and days.isascii() and 0 < int(days) <= MOST_DAYS):
        yield (
            "then_protect_days",
            f"{days!r} is no whole number of days, 1 to {MOST_DAYS}",
            f"{days} 不是整数天数（1 至 {MOST_DAYS}）",
        )
    for column, known in (("then_priority", get_args(Priority)), ("then_if_owned", get_args(IfOwned))):
        cell = cells.get(column, "")
        if cell and cell not in known:
            yield (
                column,
                f"{cell!r} is none of {', '.join(known)}",
                f"{cell} 不在可选范围：{'、'.join(known)}",
            )
    playbook = cells.get("then_playbook", "")
    if playbook and not _CODE.fullmatch(playbook):
        yield (
            "then_playbook",
            f"{playbook!r} is no name of a playbook: up to 60 letters, digits, - _ and .",
            f"{playbook} 不是跟进方案的名称：最多 60 个字母、汉字、数字、- _ 和 .",
        )
