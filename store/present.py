"""Under which id something is known now: ids of customers and contacts lead through `alias` to their present one.

`membership` and `binding` point at atoms, which a merge does not touch; whoever wants to know whose a lead is now
goes through here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, FromClause, func, select

from store import tables
from store.bulk import keys_in

Span = tuple[int, int | None]
"""From a moment until another one, or until now."""


def present(old_id: Any, alias: Any = tables.alias) -> Any:
    """Return the present id as an expression; `alias` has to be joined by `with_alias`."""
    return func.coalesce(alias.c.now_id, old_id)


def with_alias(rows: FromClause, old_id: Any, alias: Any = tables.alias) -> FromClause:
    """Return rows joined with the alias of the atom that a column names, if it has one."""
    return rows.outerjoin(alias, alias.c.old_id == old_id)


def present_ids(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """Return the present id of each of these."""
    wanted = sorted(set(ids))
    alias = tables.alias
    rows = connection.execute(
        select(alias.c.old_id, alias.c.now_id).where(
            keys_in(connection, ["old_id"], [(one,) for one in wanted])
        )
    )
    return {one: one for one in wanted} | {row.old_id: row.now_id for row in rows}


def atoms_of(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    """Return every atom that goes by one of these present ids, the ids themselves included, with that id."""
    wanted = sorted(set(names))
    alias = tables.alias
    rows = connection.execute(
        select(alias.c.old_id, alias.c.now_id).where(
            keys_in(connection, ["now_id"], [(one,) for one in wanted])
        )
    )
    return {one: one for one in wanted} | {row.old_id: row.now_id for row in rows}


@dataclass(frozen=True, slots=True)
class Together:
    """Two atoms that were one for a while, or are."""

    a: str
    b: str
    span: Span


def read_together(connection: Connection, atoms: Iterable[str]) -> list[Together]:
    """Return every join that ever connected something to these atoms."""
    joined = tables.joined
    found: dict[str, Together] = {}
    seen = set(atoms)
    todo = sorted(seen)
    while todo:
        near = set[str]()
        for column in ("a", "b"):
            wanted = keys_in(connection, [column], [(one,) for one in todo])
            for row in connection.execute(select(joined).where(wanted)):
                found[row.join_id] = Together(row.a, row.b, (row.from_us, row.to_us))
                near |= {row.a, row.b}
        todo = sorted(near - seen)
        seen |= near
    return [one for _, one in sorted(found.items())]


def known_as(
    start: Mapping[str, Iterable[Span]], together: Iterable[Together]
) -> Mapping[str, Sequence[Span]]:
    """Return as which atoms something was known, and when: its own, and those that they were one with meanwhile."""
    found = {atom: list(own) for atom, own in start.items()}
    near: dict[str, list[tuple[str, Span]]] = {}
    for one in together:
        near.setdefault(one.a, []).append((one.b, one.span))
        near.setdefault(one.b, []).append((one.a, one.span))
    todo = list(found)
    while todo:
        here = todo.pop()
        for there, joined_for in near.get(here, ()):
            for own in list(found[here]):
                both = _both(own, joined_for)
                if both is not None and not _covered(both, found.get(there, ())):
                    found.setdefault(there, []).append(both)
                    todo.append(there)
    return found


def within(moment_us: int, during: Iterable[Span]) -> bool:
    """Tell whether a moment lies in one of these spans; one ends before the moment that ends it."""
    return any(begin <= moment_us and (end is None or moment_us < end) for begin, end in during)


def _both(one: Span, other: Span) -> Span | None:
    begin = max(one[0], other[0])
    ends = [end for end in (one[1], other[1]) if end is not None]
    end = min(ends) if ends else None
    return (begin, end) if end is None or begin < end else None


def _covered(span: Span, by: Iterable[Span]) -> bool:
    return any(
        begin <= span[0] and (end is None or (span[1] is not None and span[1] <= end)) for begin, end in by
    )
