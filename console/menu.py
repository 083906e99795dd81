"""The menu: pages by whose work they are, and of each visitor those that one of their roles opens. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from console.words import N_

FLAT = 8
"""Links that stand beside each other on a desktop; of more, each group opens by itself."""

_GROUPS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("", (("/", N_("Overview")),)),
    (
        N_("Work"),
        (
            ("/day", N_("My day")),
            ("/inbox", N_("Tasks")),
            ("/calls", N_("Missed calls")),
            ("/customers", N_("Customers")),
            ("/pools", N_("Open pool")),
            ("/desk", N_("Find or add")),
            ("/taken", N_("Is it taken?")),
            ("/why-not", N_("Why not me?")),
        ),
    ),
    (
        N_("Team"),
        (
            ("/team", N_("Team now")),
            ("/neglected", N_("Neglected")),
            ("/collisions", N_("Collisions")),
            ("/move", N_("Move")),
            ("/handover", N_("Hand over")),
            ("/matches", N_("Matches")),
        ),
    ),
    (
        N_("Marketing"),
        (("/campaigns", N_("Campaigns")), ("/forms", N_("Web forms")), ("/import", N_("Lists"))),
    ),
    (
        N_("Operations"),
        (
            ("/doors", N_("Doors")),
            ("/needs-repair", N_("Needs repair")),
            ("/rules", N_("Rule book")),
            ("/alarms", N_("Alarms")),
            ("/backups", N_("Backups")),
            ("/audit", N_("Audit log")),
            ("/access", N_("Access")),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Group:
    """Some links under one name; without a name they stand by themselves."""

    name: str
    links: tuple[tuple[str, str], ...]
    """Address and text of each."""

    def holds(self, path: str) -> bool:
        """Tell whether the page at a path is one of these, or belongs to one."""
        return any(is_at(path, place) for place, _ in self.links)


def is_at(path: str, place: str) -> bool:
    """Tell whether a path is a page of the menu, or lies below it."""
    return path == place or (place != "/" and path.startswith(f"{place}/"))


def menu(opens: Callable[[str], bool], hidden: frozenset[str] = frozenset()) -> list[Group]:
    """Return the groups that hold something for a visitor; few links stand in one group without a name."""
    groups = [Group(name, tuple(_open(links, opens, hidden))) for name, links in _GROUPS]
    found = [one for one in groups if one.links]
    flat = tuple(link for one in found for link in one.links)
    return [Group("", flat)] if len(flat) <= FLAT else found


def _open(
    links: tuple[tuple[str, str], ...], opens: Callable[[str], bool], hidden: frozenset[str]
) -> Iterator[tuple[str, str]]:
    return (link for link in links if link[0] not in hidden and opens(link[0]))
