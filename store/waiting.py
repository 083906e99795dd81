"""Asking route to look at waiting queues again, because somebody may be able to take something now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from sqlalchemy import Connection, or_, select

from schemas.events import event_of
from schemas.ids import body_digest
from schemas.work import Reroute
from store import tables
from store.acts import Command
from store.bulk import keys_in
from store.effects import Emit

Why = Literal["book_published", "capacity_free"]


def waiting_teams(connection: Connection, person_id: str | None = None, at_us: int = 0) -> list[str]:
    """Return the teams in whose queues customers wait; only those that a person is in at a moment, if one is given."""
    holding, unit, member = tables.holding, tables.unit, tables.member
    waiting = (
        select(holding.c.holder_id)
        .join(unit, unit.c.unit_id == holding.c.holder_id)
        .where(holding.c.holder_kind == "queue", holding.c.to_us.is_(None))
        .distinct()
        .order_by(holding.c.holder_id)
    )
    if person_id is not None:
        own = select(member.c.unit_id).where(
            member.c.person_id == person_id,
            member.c.from_us <= at_us,
            or_(member.c.to_us.is_(None), member.c.to_us > at_us),
        )
        waiting = waiting.where(holding.c.holder_id.in_(own))
    return list(connection.execute(waiting).scalars())


def freed(connection: Connection, people: Iterable[str], command: Command, now_us: int) -> list[Emit]:
    """Return what asks route to look at the queues of these people's teams, where a cap may have kept them from taking more."""
    person = tables.person
    wanted = keys_in(connection, ["person_id"], [(one,) for one in sorted(set(people))])
    capped = connection.execute(select(person.c.person_id).where(wanted, person.c.open_cap.is_not(None)))
    teams = {team for one in capped.scalars().all() for team in waiting_teams(connection, one, now_us)}
    return [decide_again(team_id, "capacity_free", command, now_us) for team_id in sorted(teams)]


def decide_again(team_id: str, why: Why, command: Command, now_us: int) -> Emit:
    """Ask route to look at a waiting queue at once."""
    event = event_of(
        Reroute(why=why, team_id=team_id, act_id=command.act_id),
        source=f"/acts/{command.verb}",
        subject=team_id,
        key=team_id,
        time_us=now_us,
        trace_id=body_digest(f"{command.act_id} {team_id}".encode()),
        purpose="real",
        key_id=None,
        cause=command.act_id,
    )
    return Emit("reroute", event)
