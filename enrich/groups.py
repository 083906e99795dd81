"""Reads atoms, joins and partings around some customers or contacts, and writes what the grouping of them is now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from enrich.identity import Join, Pair, group
from store import tables
from store.acts import ActRefused
from store.bulk import keys_in
from store.contention import Conflict
from store.effects import Delete, Effect, Insert, Update
from store.locks import lock_customers
from store.present import atoms_of, present_ids

LOOKS = 4
"""How often a customer that changes while its lock is waited for is looked at again within one try."""


@dataclass(frozen=True, slots=True)
class Around:
    """Atoms with all that joins and partings connect to them. `joins` hold; `acts` says which act made a join."""

    born_us: dict[str, int]
    joins: tuple[Join, ...]
    parted: frozenset[Pair]
    acts: dict[str, str | None] = field(default_factory=dict)
    since_us: dict[str, int] = field(default_factory=dict)
    """Join to when it was made."""

    @property
    def names(self) -> dict[str, str]:
        """Each atom with the present id of its group."""
        return group(self.born_us, self.joins, self.parted)


def around(connection: Connection, atoms: Iterable[str]) -> Around:
    """Return these atoms and everything connected to them; regrouping that is as good as regrouping everything."""
    found, todo = set(atoms), sorted(set(atoms))
    joins: dict[str, Any] = {}
    parted: set[Pair] = set()
    while todo:
        near = set[str]()
        for column in ("a", "b"):
            wanted = keys_in(connection, [column], [(one,) for one in todo])
            held = select(tables.joined).where(wanted, tables.joined.c.to_us.is_(None))
            for row in connection.execute(held):
                joins[row.join_id] = row
                near |= {row.a, row.b}
            for row in connection.execute(select(tables.parted).where(wanted)):
                parted.add((row.a, row.b))
                near |= {row.a, row.b}
        todo = sorted(near - found)
        found |= near
    return Around(
        _born(connection, found),
        tuple(Join(row.rank, row.join_id, row.a, row.b) for _, row in sorted(joins.items())),
        frozenset(parted),
        {row.join_id: row.act_id for row in joins.values()},
        {row.join_id: row.from_us for row in joins.values()},
    )


def regrouped(connection: Connection, now: Around, act_id: str, changed: AbstractSet[str]) -> list[Effect]:
    """Return the effects that make `alias` say what the joins and partings of `now` lead to for these atoms.

    They are those that the act has locked. Partings connect them to others, whose groups do not change by it, and
    which somebody else may be changing meanwhile.
    """
    alias = tables.alias
    names = {atom: name for atom, name in now.names.items() if atom in changed}
    wanted = keys_in(connection, ["old_id"], [(one,) for one in sorted(names)])
    held = {row.old_id: row.now_id for row in connection.execute(select(alias).where(wanted))}
    effects: list[Effect] = []
    for atom, name in sorted(names.items()):
        if atom == name and atom in held:
            effects.append(Delete("alias", {"old_id": atom}))
        elif atom != name and atom not in held:
            effects.append(Insert("alias", {"old_id": atom, "now_id": name, "act_id": act_id}))
        elif atom != name and held[atom] != name:
            effects.append(Update("alias", {"old_id": atom}, {"now_id": name, "act_id": act_id}))
    return effects


def kind_of_id(any_id: str) -> str:
    """Return `customer` or `contact` by an id's prefix. Raises ActRefused for any other."""
    for prefix, kind in (("cus_", "customer"), ("con_", "contact")):
        if any_id.startswith(prefix):
            return kind
    raise ActRefused("unknown_customer", f"{any_id} is the id of neither a customer nor a contact.")


def named(connection: Connection, any_id: str) -> str:
    """Return the present id of a customer or contact. Raises ActRefused for an unknown one."""
    kind = kind_of_id(any_id)
    name = present_ids(connection, [any_id])[any_id]
    if name not in _born(connection, [name]):
        if kind == "contact":
            raise ActRefused("unknown_contact", f"There is no contact {any_id}.")
        raise ActRefused("unknown_customer", f"There is no customer {any_id}.")
    return name


def locked_atoms(connection: Connection, ids: Sequence[str]) -> dict[str, list[str]]:
    """Lock customers, each given by any of its ids, and return the present id of each with its atoms."""
    return _locked(connection, ids, set)


def locked_contacts(connection: Connection, ids: Sequence[str]) -> dict[str, list[str]]:
    """Lock the customers of contacts, each given by any of its ids; return the present id of each with its atoms."""

    def customers(atoms: Iterable[str]) -> set[str]:
        mine = customers_of(connection, atoms)
        return mine | atoms_of(connection, present_ids(connection, mine).values()).keys()

    return _locked(connection, ids, customers)


def _locked(
    connection: Connection, ids: Sequence[str], customers_of_atoms: Callable[[Iterable[str]], set[str]]
) -> dict[str, list[str]]:
    """Lock, and read again what may have changed while others had the lock; they may have changed whom to lock."""

    def read() -> tuple[dict[str, list[str]], set[str]]:
        names = {named(connection, one) for one in ids}
        found: dict[str, list[str]] = {name: [] for name in sorted(names)}
        for atom, name in sorted(atoms_of(connection, names).items()):
            found.setdefault(name, []).append(atom)
        return found, customers_of_atoms([atom for atoms in found.values() for atom in atoms])

    seen = read()
    for _ in range(LOOKS):
        if not lock_customers(connection, seen[1]):
            return seen[0]
        before, seen = seen, read()
        if seen == before:
            return seen[0]
    raise Conflict("alias")


def customers_of(connection: Connection, contacts: Iterable[str]) -> set[str]:
    """Return the customers (atoms) whom these contacts (atoms) have leads with."""
    member = tables.membership
    wanted = keys_in(connection, ["contact_id"], [(one,) for one in sorted(set(contacts))])
    return set(
        connection.execute(
            select(member.c.customer_id).where(wanted, member.c.to_us.is_(None)).distinct()
        ).scalars()
    )


def rows_by(
    connection: Connection, table: Any, column: str, keys: Iterable[str], *where: Any
) -> list[dict[str, Any]]:
    """Return a table's rows by the values of a column, in the order of its key."""
    wanted = keys_in(connection, [column], [(one,) for one in sorted(set(keys))])
    ordered = select(table).where(wanted, *where).order_by(*table.primary_key.columns)
    return [dict(row) for row in connection.execute(ordered).mappings()]


def parted_pairs(between: Around, mine: AbstractSet[str], others: AbstractSet[str]) -> list[Pair]:
    """Return the partings that stand between two groups of atoms."""
    return sorted(
        (a, b) for a, b in between.parted if (a in mine and b in others) or (b in mine and a in others)
    )


def _born(connection: Connection, atoms: Iterable[str]) -> dict[str, int]:
    listed = sorted(set(atoms))
    born: dict[str, int] = {}
    for table, column in ((tables.customer, "customer_id"), (tables.contact, "contact_id")):
        wanted = [one for one in listed if one.startswith(column[:3] + "_")]
        if wanted:
            rows = connection.execute(
                select(table.c[column], table.c.born_us).where(
                    keys_in(connection, [column], [(one,) for one in wanted])
                )
            )
            born |= {row[0]: row[1] for row in rows}
    return born
