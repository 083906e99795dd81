"""Who signs in with a password, and with which second factor, as plans of acts.

The password's hash, the sealed secret of the second factor and the session's secret are made by the caller. What a
person may do is no part of their account: it follows from their roles at each request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from store import tables
from store.access import Access, begun, check_works_here, ended, find_access
from store.acts import ActRefused, Command, Plan
from store.effects import Effect, Insert, Update


@dataclass(frozen=True, slots=True)
class Account:
    """How one person signs in."""

    person_id: str
    password_hash: str
    second_factor: bytes | None
    """The TOTP secret, sealed; None: a password is enough."""
    last_step: int
    """Of the last code that was taken (RFC 6238: seconds since 1970 by 30): none works twice."""


def find_account(connection: Connection, person_id: str) -> Account | None:
    """Return a person's account; None if they never chose a password."""
    table = tables.account
    row = connection.execute(select(table).where(table.c.person_id == person_id)).mappings().one_or_none()
    return None if row is None else Account(**{name: row[name] for name in Account.__slots__})


def anybody_signs_in(connection: Connection) -> bool:
    """Tell whether there is an account: from then on pages ask who comes, at this machine, too."""
    return connection.execute(select(tables.account.c.person_id).limit(1)).first() is not None


def with_password(connection: Connection) -> set[str]:
    """Return who has chosen a password."""
    return set(connection.execute(select(tables.account.c.person_id)).scalars())


def acceptance(invitation: Access) -> Command:
    """Return the command under which an invitation is accepted: always the same, so that it happens once."""
    return Command(
        "set_password", invitation.person_id, f"accept:{invitation.access_id}", invitation.access_id
    )


def accept(code: str, password_hash: str, session_secret: str, device: str) -> Plan:
    """Return the plan by which an invited person gets the password they chose, and a session.

    All their sessions and one-time links end, and a second factor they had is gone: an invitation is how a lost phone and a forgotten
    password are mended. Refused: an unknown, used, ended or expired invitation, and a person who has left.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        table = tables.access
        connection.execute(
            select(table.c.access_id).where(table.c.access_id == command.scope_id).with_for_update()
        )
        found = find_access(connection, code)
        if found is None or found.kind != "invitation":
            raise ActRefused("link_unknown", "There is no such link.")
        if (state := found.state(now_us)) != "valid":
            used = state == "used"
            raise ActRefused(
                "link_used" if used else "link_over", "This link is not valid any more; ask for another."
            )
        person_id = found.person_id
        return [
            Update("access", {"access_id": found.access_id}, {"used_us": now_us}),
            *ended(connection, person_id, now_us, "session", "link"),
            _account(connection, person_id, password_hash, now_us, command),
            begun(connection, command, person_id, session_secret, now_us=now_us, device=device),
        ]

    return plan


def sign_in(session_secret: str, device: str, step: int | None) -> Plan:
    """Return the plan by which the person who is the command's scope gets a session.

    `step` is that of the code they showed; None where they have no second factor. Refused: a code that was taken
    before, and nobody who works here.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        session = begun(connection, command, command.scope_id, session_secret, now_us=now_us, device=device)
        return [*_spent(connection, command.scope_id, step), session]

    return plan


def spend_step(step: int) -> Plan:
    """Return the plan by which a code of the person who is the command's scope is used up. Refused if it was."""

    def plan(connection: Connection, command: Command, _now_us: int) -> Sequence[Effect]:
        return _spent(connection, command.scope_id, step)

    return plan


def change_password(password_hash: str, but: str | None) -> Plan:
    """Return the plan by which a person (the command's scope) has another password.

    Their other sessions and one-time links end; `but` is the one that goes on.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        person_id = command.scope_id
        _of(connection, person_id)
        changed = {"password_hash": password_hash, "set_us": now_us, "made_by_act": command.act_id}
        return [
            Update("account", {"person_id": person_id}, changed),
            *ended(connection, person_id, now_us, "session", "link", but=but),
        ]

    return plan


def set_second_factor(sealed: bytes | None, step: int) -> Plan:
    """Return the plan by which a person (the command's scope) has a second factor, or none any more.

    `step` is that of the code with which they showed that they have it.
    """

    def plan(connection: Connection, command: Command, _now_us: int) -> Sequence[Effect]:
        person_id = command.scope_id
        before = _of(connection, person_id)
        if sealed is not None and before.second_factor is not None:
            raise ActRefused("second_factor_set", "There is a second factor already; take it away first.")
        if step <= before.last_step:
            raise ActRefused("code_used", "This code was used already; wait for the next one.")
        return [
            Update("account", {"person_id": person_id}, {"second_factor": sealed, "last_step": step}),
        ]

    return plan


def _spent(connection: Connection, person_id: str, step: int | None) -> list[Effect]:
    before = _of(connection, person_id)
    if (before.second_factor is None) != (step is None):
        raise ActRefused("wrong_code", "The code is not right.")
    if step is None:
        return []
    if step <= before.last_step:
        raise ActRefused("code_used", "This code was used already; wait for the next one.")
    return [Update("account", {"person_id": person_id}, {"last_step": step})]


def _of(connection: Connection, person_id: str) -> Account:
    check_works_here(connection, person_id)
    table = tables.account
    connection.execute(select(table.c.person_id).where(table.c.person_id == person_id).with_for_update())
    found = find_account(connection, person_id)
    if found is None:
        raise ActRefused("no_password", f"{person_id} has not chosen a password yet.")
    return found


def _account(
    connection: Connection, person_id: str, password_hash: str, now_us: int, command: Command
) -> Effect:
    values = {
        "password_hash": password_hash,
        "second_factor": None,
        "last_step": 0,
        "set_us": now_us,
        "made_by_act": command.act_id,
    }
    check_works_here(connection, person_id)
    if find_account(connection, person_id) is None:
        return Insert("account", {"person_id": person_id, **values})
    return Update("account", {"person_id": person_id}, values)
