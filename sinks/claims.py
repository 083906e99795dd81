"""Who sends what is first in a lane: a claim that ends with its result, or by itself when its process is gone.

A lane that gathers is claimed by nobody until its time is up: every process leaves it alone, also after a restart.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import BigInteger, Connection, Text, bindparam, delete, select, text, update

from store import tables

LEASE_US = 120 * 1_000_000
"""How long a claim holds without a word. Longer than a mail relay that answers each of a dozen commands just in time;
shorter, and a slow send is done twice; longer, and what a dead process had at hand waits for nothing."""

GATHERING = "(gathering)"
"""Stands in a claim for the process, while a lane gathers what comes after a message."""

_CLAIM = text(
    """
    INSERT INTO lane_claim (lane, claimed_by, until_us) VALUES (:lane, :worker, :until_us)
    ON CONFLICT (lane) DO UPDATE SET claimed_by = excluded.claimed_by, until_us = excluded.until_us
    WHERE lane_claim.until_us <= :now_us OR lane_claim.claimed_by = excluded.claimed_by
    """
).bindparams(
    bindparam("lane", type_=Text),
    bindparam("worker", type_=Text),
    bindparam("until_us", type_=BigInteger),
    bindparam("now_us", type_=BigInteger),
)


def claim(connection: Connection, lanes: Iterable[str], worker: str, now_us: int) -> set[str]:
    """Claim lanes for a process; return those that were free, or its own already."""
    mine = set()
    for lane in sorted(lanes):
        values = {"lane": lane, "worker": worker, "until_us": now_us + LEASE_US, "now_us": now_us}
        if connection.execute(_CLAIM, values).rowcount:
            mine.add(lane)
    return mine


def release(connection: Connection, lanes: Iterable[str], worker: str) -> None:
    """Give up claims of a process; what another has claimed meanwhile stays its own."""
    table = tables.lane_claim
    for lane in sorted(lanes):
        connection.execute(delete(table).where(table.c.lane == lane, table.c.claimed_by == worker))


def leave_to_gather(connection: Connection, lane: str, worker: str, until_us: int) -> None:
    """Turn a process's claim on a lane into one that nobody has: what comes until then is gathered."""
    table = tables.lane_claim
    connection.execute(
        update(table)
        .where(table.c.lane == lane, table.c.claimed_by == worker)
        .values(claimed_by=GATHERING, until_us=until_us)
    )


def forget_gathered(connection: Connection, now_us: int) -> None:
    """Drop what says that lanes gather whose time is up."""
    table = tables.lane_claim
    connection.execute(delete(table).where(table.c.claimed_by == GATHERING, table.c.until_us <= now_us))


def taken(connection: Connection, worker: str, now_us: int) -> set[str]:
    """Return the lanes that a process can not claim now: another one has them, or they gather."""
    table = tables.lane_claim
    asked = select(table.c.lane).where(table.c.until_us > now_us, table.c.claimed_by != worker)
    return set(connection.execute(asked).scalars())
