"""The menu: pages by whose work they are, and of each visitor those that one of their roles opens; and where what they
want to know stands. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from console.words import N_

FLAT = 9
"""Links that stand beside each other on a desktop; of more, each group opens by itself."""

_GROUPS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    ("", (("/", N_("Overview")), ("/ask", N_("I want to know")))),
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


_QUESTIONS: tuple[tuple[str, str, str], ...] = (
    (
        "/day",
        N_("Why did I get this lead?"),
        N_("Each task on your day says it under “Why?”; the whole story has the rule and everybody's turn."),
    ),
    (
        "/customers",
        N_("Why did somebody get a lead?"),
        N_("Open the customer: the sentence after “Why?” says by which rule, and whose turn it was."),
    ),
    (
        "/why-not",
        N_("Why did I not get that one, or somebody else not?"),
        N_("Choose one of the last leads; the answer is one sentence."),
    ),
    (
        "/away",
        N_("Who has whose customers while somebody is away?"),
        N_("Who is away now or will be, until when, and who stands in."),
    ),
    (
        "/campaigns",
        N_("What did a campaign bring?"),
        N_("Enquiries, and what became of them, by campaign and period."),
    ),
    (
        "/calls?of=today",
        N_("Which calls of today were missed and are still open?"),
        N_("Who called, who has to call back, and how late it is."),
    ),
    (
        "/desk",
        N_("Who has this customer?"),
        N_("Four digits of the telephone, a name or its initials are enough."),
    ),
)
"""What people want to know, with where it stands and how it is found there."""


@dataclass(frozen=True, slots=True)
class Question:
    """Something that people want to know."""

    place: str
    text: str
    hint: str


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


def questions(opens: Callable[[str], bool], *, has_a_day: bool) -> list[Question]:
    """Return what a visitor may ask. Why they got a lead stands on their day, if they have one; else it is told of others."""
    told = (Question(*one) for one in _QUESTIONS)
    no_place = "/customers" if has_a_day else "/day"
    return [one for one in told if one.place != no_place and opens(one.place.partition("?")[0])]


def _open(
    links: tuple[tuple[str, str], ...], opens: Callable[[str], bool], hidden: frozenset[str]
) -> Iterator[tuple[str, str]]:
    return (link for link in links if link[0] not in hidden and opens(link[0]))
