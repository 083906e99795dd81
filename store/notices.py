"""How a person wants to be told of what is given to them, and when not: their own choice, as a plan of an act."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from store import tables
from store.access import check_works_here
from store.acts import Command, Plan
from store.bulk import keys_in
from store.effects import Effect, Insert, Update

SET_NOTICE = "set_notice"


@dataclass(frozen=True, slots=True)
class Notice:
    """One person's choice."""

    mail: bool = True
    quiet: tuple[int, int] | None = None
    """Minutes of the local day from which and until which nothing comes; over midnight where the first is greater."""
    robot: bool = True
    """By a robot in a group that only they read."""


DEFAULT = Notice()
"""Of who never chose: everything at once."""


def notices_of(connection: Connection, people: Collection[str]) -> dict[str, Notice]:
    """Return what these people chose; without an entry, nothing."""
    table = tables.notice
    if not people:
        return {}
    wanted = keys_in(connection, ["person_id"], [(one,) for one in people])
    return {
        row.person_id: Notice(
            bool(row.mail),
            None if row.quiet_from is None else (row.quiet_from, row.quiet_to),
            bool(row.robot),
        )
        for row in connection.execute(select(table).where(wanted))
    }


def set_notice(chosen: Notice) -> Plan:
    """Return the plan by which the person who is the command's scope chooses. Raises ActRefused for nobody who works here."""

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        check_works_here(connection, command.scope_id)
        quiet_from, quiet_to = chosen.quiet or (None, None)
        values = {
            "mail": chosen.mail,
            "robot": chosen.robot,
            "quiet_from": quiet_from,
            "quiet_to": quiet_to,
            "set_us": now_us,
        }
        table = tables.notice
        known = connection.execute(
            select(table.c.person_id).where(table.c.person_id == command.scope_id).with_for_update()
        ).first()
        if known is None:
            return [Insert("notice", {"person_id": command.scope_id, **values})]
        return [Update("notice", {"person_id": command.scope_id}, values)]

    return plan
