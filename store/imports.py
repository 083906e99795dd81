"""Lists that were brought in: their rows in the store, how far each is, and what became of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, and_, case, exists, func, or_, select, update

from schemas.ids import make_id
from schemas.lead import ListKind
from store import tables
from store.acts import ActRefused, Command
from store.bulk import insert_ignore, keys_in
from store.effects import Delete, Effect, Insert, Update
from store.locks import lock_act

REVERT_DAYS = 30
"""So long a list can be taken back, and its file is kept for that and for the refused rows."""
REVERT_US = REVERT_DAYS * 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class Run:
    """A list as it stands in its row."""

    import_id: str
    source_id: str
    kind: ListKind
    name: str
    digest: str
    bytes: int
    actor: str
    state: str
    spec: dict[str, Any]
    next_row: int
    taken: int
    refused: int
    total: int | None
    aside: dict[str, int]
    campaign_id: str | None
    cost_minor: int | None
    currency: str | None
    at_us: int
    ended_us: int | None
    reverted_us: int | None
    dropped: bool
    code: str | None

    @property
    def was_thrown_away(self) -> bool:
        """Tell whether it was given up as a draft. What was begun, and is taken back, has left its first row."""
        return self.state == "reverted" and self.next_row == 1


def _run(row: Mapping[Any, Any]) -> Run:
    values = {key: row[key] for key in Run.__slots__ if key not in ("spec", "aside")}
    return Run(**values, spec=orjson.loads(row["spec_json"]), aside=orjson.loads(row["aside_json"]))


def read_run(connection: Connection, import_id: str) -> Run:
    """Return a list. Raises ActRefused for an unknown one."""
    table = tables.import_run
    row = connection.execute(select(table).where(table.c.import_id == import_id)).mappings().one_or_none()
    if row is None:
        raise ActRefused("unknown_list", f"There is no list {import_id}; see: leadflow import list")
    return _run(row)


def runs(
    connection: Connection,
    states: Sequence[str] = (),
    limit: int = 200,
    after: tuple[int, str] | None = None,
) -> list[Run]:
    """Return lists, in some states only, the newest first; `after`: only those behind a moment and id."""
    table = tables.import_run
    query = select(table).order_by(table.c.at_us.desc(), table.c.import_id).limit(limit)
    if states:
        query = query.where(table.c.state.in_(states))
    if after is not None:
        at_us, import_id = after
        same = and_(table.c.at_us == at_us, table.c.import_id > import_id)
        query = query.where(or_(table.c.at_us < at_us, same))
    return [_run(row) for row in connection.execute(query).mappings()]


def id_of(connection: Connection, source_id: str, kind: ListKind, digest: str) -> str:
    """Return the id of a list: the same file for the same sender is the same list, until it is taken back."""
    table = tables.import_run
    same = (table.c.source_id == source_id, table.c.kind == kind, table.c.digest == digest)
    back = select(func.count()).where(*same, table.c.state == "reverted")
    attempt = int(connection.execute(back).scalar_one())
    return make_id("imp", source_id, kind, digest, attempt)


def pieces_of(connection: Connection, import_id: str) -> list[str]:
    """Return the captures that a list's file is kept in, in their order."""
    table = tables.import_piece
    rows = select(table.c.capture_id).where(table.c.import_id == import_id).order_by(table.c.number)
    return list(connection.execute(rows).scalars())


def remembered(connection: Connection, source_id: str) -> dict[str, str]:
    """Return what people said that a sender's columns are, by column_key."""
    table = tables.import_mapping
    rows = connection.execute(
        select(table.c.column_key, table.c.target).where(table.c.source_id == source_id)
    )
    return {row.column_key: row.target for row in rows}


@dataclass(frozen=True, slots=True)
class Begin:
    """The plan that begins a list (the command's scope is its id), or makes a draft of it to be looked at first."""

    row: Mapping[str, Any]
    pieces: Sequence[str]
    said: Mapping[str, str]
    """By column_key, what the actor said that columns are: remembered for the sender's next list."""

    def __call__(self, connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        """Write the list down. One that is a draft, or stopped, is begun with what was said since."""
        lock_act(connection, command.scope_id)  # a draft is begun, or thrown away
        table = tables.import_run
        known = connection.execute(
            select(table.c.state).where(table.c.import_id == command.scope_id)
        ).scalar_one_or_none()
        if known not in (None, "draft", "stopped"):
            return []
        before = remembered(connection, self.row["source_id"])
        effects: list[Effect] = []
        for key, target in self.said.items():
            mine = {"source_id": self.row["source_id"], "column_key": key}
            effects += [Delete("import_mapping", mine)] if key in before else []
            effects.append(Insert("import_mapping", {**mine, "target": target, "at_us": now_us}))
        if known is not None:
            values = {**self.row, "code": None, "ended_us": None, "at_us": now_us}
            return [*effects, Update("import_run", {"import_id": command.scope_id}, values)]
        row = {
            **self.row,
            "import_id": command.scope_id,
            "actor": command.actor,
            "next_row": 1,
            "taken": 0,
            "refused": 0,
            "aside_json": "{}",
            "dropped": False,
            "at_us": now_us,
        }
        kept = (
            Insert(
                "import_piece", {"import_id": command.scope_id, "number": number, "capture_id": capture_id}
            )
            for number, capture_id in enumerate(self.pieces)
        )
        return [*effects, Insert("import_run", row), *kept]


def throw_away(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
    """Give up a draft (the command's scope): the same file is another list then. Raises ActRefused for what was begun.

    Its file is kept as long as that of a list that was taken back, for it may be brought again as another kind of list.
    """
    lock_act(connection, command.scope_id)
    run = read_run(connection, command.scope_id)
    if run.state != "draft":
        raise ActRefused("list_begun", f"{run.import_id} was begun already; take it back instead.")
    values = {"state": "reverted", "reverted_us": now_us}
    return [Update("import_run", {"import_id": run.import_id}, values)]


def stopped_at(connection: Connection, import_id: str) -> int | None:
    """Return when a list stopped that cannot be read on; None for one that did not, or there is not."""
    table = tables.import_run
    mine = (table.c.import_id == import_id, table.c.state == "stopped")
    return connection.execute(select(table.c.ended_us).where(*mine)).scalar_one_or_none()


def advanced(
    connection: Connection,
    run: Run,
    rows: Sequence[Mapping[str, Any]],
    next_row: int,
    aside: Mapping[str, int],
) -> bool:
    """Note what became of the next rows; False if the list is not to go on: somebody else has done so meanwhile, and
    nothing is noted, or it is being taken back, and they are noted to be taken back, too: they are durable by now."""
    table = tables.import_run
    refused = sum(row["code"] is not None for row in rows)
    noted = [{"field": None, "reverted": None, **row} for row in rows]
    asked = select(table.c.state).where(table.c.import_id == run.import_id).with_for_update()
    if connection.execute(asked).scalar_one() in ("reverting", "reverted"):
        _late(connection, run, noted)
        return False
    done = connection.execute(
        update(table)
        .where(
            table.c.import_id == run.import_id, table.c.next_row == run.next_row, table.c.state == "running"
        )
        .values(
            next_row=next_row,
            taken=table.c.taken + len(rows) - refused,
            refused=table.c.refused + refused,
            aside_json=orjson.dumps(dict(aside)).decode(),
        )
    )
    if done.rowcount == 0:
        return False
    insert_ignore(connection, tables.import_row, noted)
    return True


def _late(connection: Connection, run: Run, noted: Sequence[Mapping[str, Any]]) -> None:
    """Note rows of a list that is being taken back, or was, unless another process has noted them before that."""
    row, table = tables.import_row, tables.import_run
    numbers = [one["number"] for one in noted]
    known = set(
        connection.execute(
            select(row.c.number).where(
                row.c.import_id == run.import_id, row.c.number.between(min(numbers), max(numbers))
            )
        ).scalars()
    )
    new = [one for one in noted if one["number"] not in known]
    if not new:
        return
    refused = sum(one["code"] is not None for one in new)
    first = min(one["number"] for one in new)
    insert_ignore(connection, row, new)
    connection.execute(
        update(table)
        .where(table.c.import_id == run.import_id)
        .values(
            state="reverting",
            taken=table.c.taken + len(new) - refused,
            refused=table.c.refused + refused,
            next_row=case((table.c.next_row < first, table.c.next_row), else_=first),
        )
    )


def unread_of(connection: Connection, run: Run, most: int) -> int:
    """Return how many of a list's last rows the stages have not read yet; no more than `most` are looked at."""
    row, capture, dead = tables.import_row, tables.capture, tables.dead
    last = (
        select(row.c.capture_id)
        .where(row.c.import_id == run.import_id, row.c.number < run.next_row, row.c.capture_id.is_not(None))
        .order_by(row.c.number.desc())
        .limit(most)
        .subquery()
    )
    stands = exists().where(dead.c.capture_id == last.c.capture_id)
    return int(
        connection.execute(
            select(func.count())
            .select_from(last.outerjoin(capture, capture.c.capture_id == last.c.capture_id))
            .where(capture.c.capture_id.is_(None), ~stands)
        ).scalar_one()
    )


def ended(connection: Connection, run: Run, state: str, now_us: int, code: str | None = None) -> None:
    """Note that nothing more is read of a list: it is done, or cannot be read on."""
    table = tables.import_run
    mine = (table.c.import_id == run.import_id, table.c.state == "running")
    connection.execute(update(table).where(*mine).values(state=state, code=code, ended_us=now_us))


def planned_as(connection: Connection, run: Run, spec: Mapping[str, Any], total: int | None) -> None:
    """Keep what the columns of a list were found to be, and how many rows it has."""
    table = tables.import_run
    text = orjson.dumps(dict(spec)).decode()
    connection.execute(
        update(table).where(table.c.import_id == run.import_id).values(spec_json=text, total=total)
    )


def refused_rows(connection: Connection, import_id: str) -> dict[int, tuple[str, str | None]]:
    """Return the rows that were refused, with code and column."""
    table = tables.import_row
    rows = connection.execute(
        select(table.c.number, table.c.code, table.c.field)
        .where(table.c.import_id == import_id, table.c.code.is_not(None))
        .order_by(table.c.number)
    )
    return {row.number: (row.code, row.field) for row in rows}


def codes_of(connection: Connection, import_id: str) -> dict[str, int]:
    """Return how many rows were refused, by code."""
    table = tables.import_row
    rows = connection.execute(
        select(table.c.code, func.count())
        .where(table.c.import_id == import_id, table.c.code.is_not(None))
        .group_by(table.c.code)
    )
    return {code: int(count) for code, count in rows}


def became(connection: Connection, import_id: str) -> dict[str, int]:
    """Return what became of the rows that were taken.

    `new`: a customer was made; `joined`: a customer was there; `waiting`: not handled yet; `decided …` by the code of the
    decision; `unknown`, `left`: the list names an owner whom nobody knows, or who has left.
    """
    row, capture, origin, customer, decision = (
        tables.import_row,
        tables.capture,
        tables.lead_capture,
        tables.customer,
        tables.decision,
    )
    of_list = and_(row.c.import_id == import_id, row.c.capture_id.is_not(None))
    lead = and_(origin.c.capture_id == row.c.capture_id, origin.c.role == "origin")
    is_new = exists().where(customer.c.born_lead == origin.c.lead_id)
    counted = connection.execute(
        select(
            func.count(),
            func.count(origin.c.lead_id),
            func.count(capture.c.capture_id),
            func.coalesce(func.sum(case((is_new, 1), else_=0)), 0),
        )
        .select_from(row.outerjoin(origin, lead).outerjoin(capture, capture.c.capture_id == row.c.capture_id))
        .where(of_list)
    ).one()
    total, leads, captures, new = (int(one) for one in counted)
    found = {"new": new, "joined": leads - new, "waiting": total - captures, "unknown": 0, "left": 0}
    decided = connection.execute(
        select(decision.c.code, decision.c.reason_json.like('%"not_named":"unknown"%').label("unknown"),
               decision.c.reason_json.like('%"not_named":"left"%').label("left"), func.count().label("many"))
        .select_from(
            row.join(origin, lead).join(
                decision, (decision.c.lead_id == origin.c.lead_id) & (decision.c.stage == "route")
            )
        )
        .where(of_list)
        .group_by(decision.c.code, "unknown", "left")
    )  # fmt: skip
    for one in decided:
        found[f"decided {one.code}"] = found.get(f"decided {one.code}", 0) + one.many
        for what in ("unknown", "left"):
            if getattr(one, what):
                found[what] = found.get(what, 0) + one.many
    return found


def left_of(connection: Connection, import_id: str) -> dict[str, int]:
    """Return what became of the rows of a list that was taken back, by `out` or why they were left."""
    table = tables.import_row
    rows = connection.execute(
        select(table.c.reverted, func.count())
        .where(table.c.import_id == import_id, table.c.reverted.is_not(None))
        .group_by(table.c.reverted)
    )
    return {what: int(count) for what, count in rows}


def files_holding(connection: Connection, captures: Iterable[str]) -> set[str]:
    """Return the captures of the files that any of these rows came in: they hold the rows' words, too."""
    row, piece = tables.import_row, tables.import_piece
    wanted = keys_in(connection, ["import_row.capture_id"], [(one,) for one in sorted(set(captures))])
    found = connection.execute(
        select(piece.c.capture_id).join(row, row.c.import_id == piece.c.import_id).where(wanted).distinct()
    )
    return set(found.scalars())


def drop_old_files(connection: Connection, now_us: int) -> int:
    """Give up the files of lists that are too old to be taken back; return of how many. Their rows stay as captures."""
    run, piece, capture = tables.import_run, tables.import_piece, tables.capture
    old = list(
        connection.execute(
            select(run.c.import_id).where(
                run.c.dropped.is_(False), run.c.at_us < now_us - REVERT_US, run.c.state != "running"
            )
        ).scalars()
    )
    for import_id in old:
        keys = connection.execute(
            select(capture.c.key_id)
            .join(piece, piece.c.capture_id == capture.c.capture_id)
            .where(piece.c.import_id == import_id, capture.c.key_id.is_not(None))
        ).scalars()
        insert_ignore(connection, tables.key_to_erase, [{"key_id": one} for one in keys])
        connection.execute(update(run).where(run.c.import_id == import_id).values(dropped=True))
    return len(old)
