"""Putting a company's new data in force: what is written, what must stay, and the act that says who did it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from sales.book_files import BookText, book_of
from sales.diff import Change, diff
from sales.problems import Problem
from schemas.company import Company, Member
from schemas.work import Reason
from store import tables
from store.acts import ActRefused, Command, Plan
from store.company import (
    BOOK,
    company_version,
    last_book_number,
    load_book,
    load_company,
    replace_company,
)
from store.effects import Effect
from store.locks import lock_company
from store.moves import Move, give, held_by
from store.waiting import decide_again, waiting_teams


def apply(connection: Connection, new: Company, now_us: int, act_id: str | None = None) -> list[Change]:
    """Make the stored company like `new`, writing only what changed; return the changes.

    To be called in a writing transaction; every running host takes the new version up with its next batch.
    What `new` does not have is removed, but for a person, who is marked left (see `merged`). Raises
    ActRefused, and changes nothing, when customers wait in a queue or pool that would be gone.
    """
    lock_company(connection)
    old = load_company(connection, company_version(connection))
    whole = merged(old, new, now_us)
    _check_queues(connection, old, whole)
    replace_company(connection, old, whole, now_us, act_id)
    here = tuple(one for one in whole.members if one.person_id in new.people)
    return diff(old, whole.model_copy(update={"people": new.people, "members": here}))


Judge = Callable[[Company], Sequence[Problem]]
"""Says what is wrong with a company's rule book, in the transaction that would put it in force."""


def publish(new: Company, judge: Judge | None = None) -> Plan:
    """Return the plan of the act that applies a company; its command's verb is `publish`.

    Refused: a new rule book with which `judge` finds something wrong, such as an example that it sends elsewhere.
    """
    return _put(lambda _connection, _old: new, judge)


def publish_book(book: BookText, judge: Judge | None = None, over: int | None = None) -> Plan:
    """Return the plan of the act that puts a rule book in force, and leaves everything else as it is; see `publish`.

    Refused if `over` is given, and another version than this one is in force by then.
    """

    def made(connection: Connection, old: Company) -> Company:
        if over is not None and last_book_number(connection) != over:
            raise ActRefused("book_replaced", "Another rule book was published meanwhile; load it again.")
        return old.model_copy(update=book.fields())

    return _put(made, judge)


def roll_back(number: int | None, judge: Judge | None = None) -> Plan:
    """Return the plan of the act that puts an earlier rule book in force again, as the newest; see `publish`.

    Without a number it is the one before. Refused: a number that there is not.
    """

    def earlier(connection: Connection, old: Company) -> Company:
        last = last_book_number(connection)
        found = load_book(connection, last - 1 if number is None else number)
        if found is None:
            known = f"1 to {last}" if last else "none"
            raise ActRefused("unknown_book", f"There is no such version of the rule book; there are {known}.")
        return old.model_copy(update=BookText(found["csv"], found["tables"], found["examples"]).fields())

    return _put(earlier, judge)


def _put(made: Callable[[Connection, Company], Company], judge: Judge | None) -> Plan:
    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        lock_company(connection)
        before = load_company(connection, company_version(connection))
        new = made(connection, before)
        if judge is not None and new.book_csv is not None and book_of(new) != book_of(before):
            _refuse_wrong(judge(new))
        apply(connection, new, now_us, command.act_id)
        after = load_company(connection, company_version(connection))
        effects, teams = _handed_over(connection, (before, after), command, now_us)
        again = sorted({*teams, *waiting_teams(connection)})
        return [*effects, *(decide_again(team_id, "book_published", command, now_us) for team_id in again)]

    return plan


def _refuse_wrong(problems: Sequence[Problem]) -> None:
    if problems:
        told = "; ".join(one.text("en") for one in problems[:_TOLD])
        raise ActRefused(
            "book_refused", f"This rule book cannot be put in force: {told}. See: leadflow rules check"
        )


_TOLD = 5
"""Problems that a refusal repeats; `leadflow rules check` tells all."""


def _handed_over(
    connection: Connection, companies: tuple[Company, Company], command: Command, now_us: int
) -> tuple[list[Effect], set[str]]:
    """Return the effects that put a leaver's open customers into their team's queue, and these teams.

    Nobody is without a holder for an instant: it happens in the transaction that marks the person as left.
    """
    before, after = companies
    effects: list[Effect] = []
    teams: set[str] = set()
    for person_id in sorted(after.people):
        if after.people[person_id].state == "active" or not _was_here(before, person_id):
            continue
        team_id = _team_of(before, after, person_id, now_us)
        theirs = held_by(connection, "person", person_id)
        if theirs and team_id not in after.units:
            raise ActRefused(
                "would_orphan",
                f"{person_id} owns {len(theirs)} customers, and there is no queue for them: correct default_queue in "
                f"company.toml, or hand them over first: leadflow handover apply {person_id} --leaving",
            )
        for held in theirs:
            move = Move(held, command, max(now_us, held.after_us))
            effects += give(move, "queue", team_id, Reason(code="owner_left", team_id=team_id))
            teams.add(team_id)
    return effects, teams


def _was_here(company: Company, person_id: str) -> bool:
    person = company.people.get(person_id)
    return person is not None and person.state == "active"


def _team_of(before: Company, after: Company, person_id: str, now_us: int) -> str:
    """Return the team that a leaver worked in last, if anybody is left there, else the default queue."""
    places = [
        member
        for member in before.members
        if member.person_id == person_id and member.from_us <= now_us and member.unit_id in after.units
    ]
    teams = [
        one
        for one in places
        if after.units[one.unit_id].kind == "team" and _is_staffed(after, one.unit_id, now_us)
    ]
    if not teams:
        return after.default_queue
    last = max(teams, key=lambda one: (one.to_us is None, one.to_us or 0, one.from_us, one.unit_id))
    return last.unit_id


def _is_staffed(company: Company, unit_id: str, now_us: int) -> bool:
    """Tell whether somebody works in a team or manages it, so that what waits there is seen."""
    here = {
        one.person_id
        for one in company.members
        if one.unit_id == unit_id and (one.to_us is None or one.to_us > now_us)
    }
    here |= {str(company.units[unit_id].manager_id)}
    return any(key in here and person.state == "active" for key, person in company.people.items())


def merged(old: Company, new: Company, now_us: int) -> Company:
    """Return what the store holds once `new` is applied to `old`: `new`, and what must not be lost.

    A person missing from `new` stays on record as left, with their places up to `now_us`, since customers
    and decisions name them. A source or sink without a `secret` keeps the one it has; an empty one removes it.
    """
    gone = {key: person for key, person in old.people.items() if key not in new.people}
    left = {key: person.model_copy(update={"state": "left"}) for key, person in gone.items()}
    kept = [
        _ended(member, now_us)
        for member in old.members
        if member.person_id in gone and member.unit_id in new.units and member.from_us < now_us
    ]
    known = {(one.unit_id, one.person_id, one.from_us) for one in new.members}
    kept = [one for one in kept if (one.unit_id, one.person_id, one.from_us) not in known]
    secrets = _secrets({**old.sources, **old.sources_off})
    sink_secrets = _secrets({**old.sinks, **old.sinks_off})
    return Company.model_validate(
        {
            **{name: getattr(new, name) for name in Company.model_fields},
            "people": {**new.people, **left},
            "members": (*new.members, *kept),
            "sources": _with_secrets(new.sources, secrets),
            "sources_off": _with_secrets(new.sources_off, secrets),
            "sinks": _with_secrets(new.sinks, sink_secrets),
            "sinks_off": _with_secrets(new.sinks_off, sink_secrets),
            **{name: getattr(old if new.book_csv is None else new, name) for name in BOOK},
        }
    )


def _ended(member: Member, now_us: int) -> Member:
    if member.to_us is not None and member.to_us <= now_us:
        return member
    return member.model_copy(update={"to_us": now_us})


def _secrets(settings: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    return {key: one["secret"] for key, one in settings.items() if one.get("secret")}


def _with_secrets(sources: Mapping[str, dict[str, Any]], secrets: Mapping[str, str]) -> dict[str, Any]:
    whole = {}
    for key, settings in sources.items():
        kept = dict(settings)
        if "secret" not in kept and key in secrets:
            kept["secret"] = secrets[key]
        if kept.get("secret") == "":
            del kept["secret"]
        whole[key] = kept
    return whole


def _check_queues(connection: Connection, old: Company, new: Company) -> None:
    gone = (old.units.keys() - new.units.keys()) | (old.pools.keys() - new.pools.keys())
    if not gone:
        return
    holding = tables.holding
    waiting = connection.execute(
        select(holding.c.holder_id, func.count())
        .where(
            holding.c.holder_kind.in_(("queue", "pool")),
            holding.c.holder_id.in_(sorted(gone)),
            holding.c.to_us.is_(None),
        )
        .group_by(holding.c.holder_id)
        .order_by(holding.c.holder_id)
    ).all()
    if waiting:
        units = ", ".join(f"{unit_id} ({count})" for unit_id, count in waiting)
        raise ActRefused(
            "customers_waiting",
            f"Customers wait in queues or pools that would be gone: {units}. "
            "Keep them until they are empty, or give the customers to others first.",
        )
