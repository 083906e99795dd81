"""Planning to undo all that a person did, a rule book's version decided, or an import brought: preview and job alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from leadflow.above import may_give_as
from leadflow.choosing import Part, share_out
from router.share_out import Target
from schemas.company import Company
from store import tables
from store.acts import ActRefused
from store.acts_move import INTAKE, Give
from store.acts_scope import Return, judge_returns
from store.scope import Lasting, Scope, given_by, lasting


@dataclass(frozen=True, slots=True)
class ScopePlan:
    """What undoing a scope would do: each customer it gave, and what of it cannot be taken back."""

    returns: Sequence[Return]
    lasting: Sequence[tuple[Lasting, str, int]]
    decisions: Collection[str]


def scope_of(
    connection: Connection, company: Company, asked: Mapping[str, Any], now_us: int
) -> tuple[str, Scope]:
    """Return the scope that was asked for, and its name as jobs keep it. Raises ActRefused for what there is not.

    `asked` has `since_us` or None (as far back as the company allows), and one of `by`, `rule_version` (a number of
    `leadflow rules list`, or `moves:…` of automatic moves as `leadflow explain` names it) and `imported` (sources, or captures as their receipts name them).
    """
    since_us = asked.get("since_us")
    if since_us is None:
        since_us = now_us - company.undo_hours * 3_600_000_000
    by, number, imported = asked.get("by"), asked.get("rule_version"), tuple(asked.get("imported") or ())
    if by:
        if by not in company.people and not _acted(connection, by):
            raise ActRefused("unknown_person", f"There is nobody {by!r} in people.csv who did anything.")
        return f"by {by}", Scope(since_us, now_us, by=by)
    if number is not None and str(number).startswith("moves:"):
        return f"rules {number}", Scope(since_us, now_us, book_version=str(number))
    if number is not None:
        book = tables.book
        numbered = select(book.c.version).where(
            book.c.number == (int(number) if str(number).isdecimal() else 0)
        )
        version = connection.execute(numbered).scalar_one_or_none()
        if version is None:
            raise ActRefused(
                "unknown_version", f"There is no version {number} of the rule book; see: leadflow rules list"
            )
        return f"rules {number}", Scope(since_us, now_us, book_version=version)
    known = set(company.sources) | set(_captures(connection, imported))
    if missing := [one for one in imported if one not in known]:
        raise ActRefused(
            "unknown_import", f"{missing[0]!r} is no source and no receipt of something taken in."
        )
    return f"import {' '.join(imported)}", Scope(since_us, now_us, imported=imported)


def _acted(connection: Connection, actor: str) -> bool:
    act = tables.act
    return connection.execute(select(act.c.act_id).where(act.c.actor == actor).limit(1)).first() is not None


def _captures(connection: Connection, names: Sequence[str]) -> list[str]:
    capture = tables.capture
    return list(
        connection.execute(select(capture.c.capture_id).where(capture.c.capture_id.in_(names))).scalars()
    )


def plan_scope(connection: Connection, company: Company, scope: Scope, actor: str, now_us: int) -> ScopePlan:
    """Find out what undoing a scope would do, without doing it.

    Whoever had a customer before has it again; one that nobody had before is decided again by the book in force now.
    """
    found, decisions = given_by(connection, scope)
    new = [one.customer_id for one in found if one.before == ("queue", INTAKE)]
    again, _ = share_out(connection, company, new, [Part(Target(by_rules=True))], now_us)
    by_rules = {one.customer_id: one for one in again}
    rows = [
        (one, by_rules.get(one.customer_id) or Give(one.customer_id, one.before[0], one.before[1]))
        for one in found
    ]
    returns = judge_returns(connection, rows, company, may_give_as(actor), now_us)
    return ScopePlan(returns, lasting(connection, scope, decisions), decisions)
