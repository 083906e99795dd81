"""Looking a SQLite file over, without changing a byte of it: is it whole, what is in it, do the two files agree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from store.database import sqlite_module


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found in a file."""

    faults: tuple[str, ...]
    """What SQLite says against it, and rows that point nowhere; empty if it is sound."""
    revision: str | None
    counts: dict[str, int]
    heads: dict[tuple[str, int], tuple[str, int]]
    """Identity and next offset of each topic's partition."""
    progress: tuple[tuple[str, str, int, str, int], ...]
    """(stage, topic, partition, identity of the topic, next offset)."""


def look_over(path: Path) -> Looked:
    """Look over a SQLite file that nobody has open. A file that is no database has a fault, and is otherwise empty."""
    try:
        with _opened(path) as file:
            faults = [row[0] for row in file.execute("PRAGMA integrity_check") if row[0] != "ok"]
            faults += [f"{row[0]} points to no {row[2]}" for row in file.execute("PRAGMA foreign_key_check")]
            named = (
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
            )
            tables = [row[0] for row in file.execute(named)]
            counts = {name: file.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables}

            def rows(name: str, query: str) -> list[tuple[Any, ...]]:
                return list(file.execute(query)) if name in tables else []

            revisions = rows("alembic_version", "SELECT version_num FROM alembic_version")
            heads = rows("topic_head", "SELECT topic, part, topic_id, next_off FROM topic_head")
            progress = rows("progress", "SELECT stage, topic, part, topic_id, next_off FROM progress")
    except sqlite_module().DatabaseError as error:
        return Looked((str(error),), None, {}, {}, ())
    return Looked(
        faults=tuple(faults),
        revision=revisions[0][0] if revisions else None,
        counts=counts,
        heads={(topic, part): (topic_id, next_off) for topic, part, topic_id, next_off in heads},
        progress=tuple((stage, topic, part, topic_id, off) for stage, topic, part, topic_id, off in progress),
    )


def beyond(store: Looked, doors: Looked) -> list[str]:
    """Return what a stage has read further than its topic goes, or of a topic that is another one.

    Restored like that, the stages would stop; the copy was not made store first, then doors.
    """
    heads = {**doors.heads, **store.heads}
    wrong = []
    for stage, topic, part, topic_id, next_off in store.progress:
        identity, end = heads.get(
            (topic, part), (topic_id, next_off)
        )  # a topic that lies elsewhere, in a broker
        if identity != topic_id or next_off > end:
            wrong.append(f"{stage} has read {topic}/{part} to {next_off}, which ends at {end}")
    return wrong


def newest_sealed(path: Path) -> tuple[str, bytes, bytes] | None:
    """Return (event id, wrapped key, sealed bytes) of the newest capture that still has its key; None without any."""
    query = (
        "SELECT log.event_id, pii_key.wrapped, log.sealed FROM log "
        "JOIN pii_key USING (key_id) WHERE log.topic = 'captures' ORDER BY log.part DESC, log.off DESC LIMIT 1"
    )
    with _opened(path) as file:
        row = file.execute(query).fetchone()
    return (row[0], bytes(row[1]), bytes(row[2])) if row else None


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    file = sqlite_module().connect(f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1", uri=True)
    try:
        yield file
    finally:
        file.close()
