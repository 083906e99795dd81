"""Identifiers that sit on too many different people: when one does, and whom it alone had made one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

Key = tuple[str, str]
"""An identifier's (kind, value)."""

TOO_MANY = 5
"""Different names on one mobile or mailbox. A couple, a family, a small office share one; five names that have
nothing in common are a counter's tablet, a shop's telephone or a mailbox of many. Fewer, and families fall apart;
more, and as many strangers are one customer first."""


def alike(one: str, other: str) -> bool:
    """Tell whether two names may be one person's: the same letters, in another order, or one within the other."""
    a, b = _letters(one), _letters(other)
    return not a or not b or a == b or a in b or b in a or _words(one) == _words(other)


def is_on_too_many(
    names: Iterable[str], too_many: int = TOO_MANY, same: Callable[[str, str], bool] = alike
) -> bool:
    """Tell whether an identifier sits on too many people, by the names that came with it.

    Looks at no more names than it needs: the cost does not grow with how often one person wrote.
    """
    different: list[str] = []
    for name in dict.fromkeys(names):
        if _letters(name) and not any(same(name, known) for known in different):
            different.append(name)
            if len(different) >= too_many:
                return True
    return False


def merged_alone(
    leads: Mapping[str, AbstractSet[Key]], demoted: Key, keeps: str, names: Mapping[str, str]
) -> list[tuple[str, ...]]:
    """Return the leads that only this identifier had brought to a contact, those of one person together.

    `leads` are the contact's, each with its trusted identifiers of people; `keeps` is the lead that it was born
    with, whose person it stays. Leads under a name like theirs are left alone.
    """
    of = {lead: lead for lead in leads}
    first: dict[Key, str] = {}
    for lead in sorted(leads):
        for key in sorted(leads[lead] - {demoted}):
            _unite(of, lead, first.setdefault(key, lead))
    by_name: dict[str, str] = {}
    for lead in sorted(leads):
        letters = _letters(names.get(lead, ""))
        if letters:
            _unite(of, lead, by_name.setdefault(letters, lead))
    found: dict[str, list[str]] = {}
    for lead in sorted(leads):
        found.setdefault(_root(of, lead), []).append(lead)
    own = found.pop(_root(of, keeps), []) if keeps in of else []
    theirs = [names.get(lead, "") for lead in own]
    return [tuple(many) for _, many in sorted(found.items()) if not _are_alike(many, theirs, names)]


def _are_alike(leads: Sequence[str], theirs: Sequence[str], names: Mapping[str, str]) -> bool:
    return all(any(alike(names.get(lead, ""), one) for one in theirs) for lead in leads)


def _root(of: dict[str, str], lead: str) -> str:
    while of[lead] != lead:
        of[lead] = of[of[lead]]
        lead = of[lead]
    return lead


def _unite(of: dict[str, str], one: str, other: str) -> None:
    a, b = sorted((_root(of, one), _root(of, other)))
    of[b] = a


def _letters(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def _words(name: str) -> list[str]:
    return sorted(name.casefold().split())
