"""Row and advisory locks by which workers on PostgreSQL take turns. On SQLite there is one writer: they do nothing.

Everybody takes them in this order, and each kind sorted, so that nobody waits in a circle:

    a stage's progress, or an act's key → the company → customers → teams → certificates → what is written, as `effects.Writes` orders it
    → heads of topics

Whatever is read of a customer before its lock may have changed by the time one has it: read again, then decide.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from sqlalchemy import Connection, select

from store import tables
from store.bulk import OneOf, Prepared, listed

_CUSTOMERS = Prepared(
    select(tables.customer.c.customer_id)
    .where(OneOf(["customer_id"], "of_customers"))
    .order_by(tables.customer.c.customer_id)
    .with_for_update(key_share=True)
)
_ALONE = "SELECT pg_advisory_xact_lock(number) FROM unnest(%s::bigint[]) AS number"
_SHARED = "SELECT pg_advisory_xact_lock_shared(number) FROM unnest(%s::bigint[]) AS number"


def lock_customers(connection: Connection, customers: Iterable[str]) -> bool:
    """Keep everybody else from deciding about these customers until the transaction ends.

    Returns whether there was anything to wait for, and so something to be read again; False on SQLite.
    """
    wanted = sorted(set(customers))
    if not wanted or connection.dialect.name == "sqlite":
        return False
    _CUSTOMERS(connection, of_customers=listed((one,) for one in wanted)).all()
    return True


def lock_act(connection: Connection, idem_key: str) -> None:
    """Do an act once: whoever sends the same key meanwhile waits, and finds it done."""
    _advisory(connection, [f"act {idem_key}"], _ALONE)


def share_company(connection: Connection) -> None:
    """Keep the company from being changed until the transaction ends: for who gives something to somebody.

    An advisory lock and no row lock, since those who share a row's would keep a waiting change out for ever.
    """
    _advisory(connection, ["company"], _SHARED)


def lock_company(connection: Connection) -> None:
    """Change the company alone: nobody who went by the old one is still under way."""
    _advisory(connection, ["company"], _ALONE)


def lock_certificates(connection: Connection) -> None:
    """Add to the chain of certificates alone: each one has the digest of the one before."""
    _advisory(connection, ["certificates"], _ALONE)


def lock_orders(connection: Connection, numbers: Iterable[str]) -> None:
    """Write orders of these numbers alone: who types one in and who sends it may come at once."""
    _advisory(connection, [f"order {order_no}" for order_no in set(numbers)], _ALONE)


def lock_teams(connection: Connection, teams: Iterable[str]) -> None:
    """Let one worker at a time give to the people of a team: whose turn it is depends on who had the last one."""
    _advisory(connection, [f"team {team_id}" for team_id in set(teams)], _ALONE)


def lock_schema(connection: Connection) -> None:
    """Let one process at a time bring the database to its version."""
    _advisory(connection, ["schema"], _ALONE)


def _advisory(connection: Connection, names: Iterable[str], statement: str) -> None:
    numbers = sorted(_number(name) for name in names)
    if numbers and connection.dialect.name != "sqlite":
        connection.exec_driver_sql(statement, (numbers,)).all()


def _number(name: str) -> int:
    """Return the lock's number: PostgreSQL takes a signed 64-bit integer. Two names that meet only wait longer."""
    digest = blake2b(f"leadflow {name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
