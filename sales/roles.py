"""Which roles a person has on the pages, changed by an act; in force at their next request."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from schemas.company import Company, Role
from store.acts import ActRefused, Command, Plan
from store.company import company_version, load_company, replace_company
from store.effects import Effect
from store.locks import lock_company


def set_roles(roles: Sequence[Role]) -> Plan:
    """Return the plan of the act by which a person (the command's scope) has these roles; none: what follows from the units.

    Refused: nobody who works here, and to leave nobody with the role operations.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        lock_company(connection)
        company = load_company(connection, company_version(connection))
        person = company.people.get(command.scope_id)
        if person is None or person.state != "active":
            raise ActRefused("unknown_person", f"Nobody who works here has the code {command.scope_id!r}.")
        changed = person.model_copy(update={"roles": tuple(dict.fromkeys(roles))})
        people = {**company.people, person.person_id: changed}
        if operators(company) == [person.person_id] and "operations" not in roles:
            raise ActRefused(
                "last_operator", "Nobody else has the role operations; give it to somebody else first."
            )
        values = {name: getattr(company, name) for name in Company.model_fields}
        new = Company.model_validate({**values, "people": people})
        replace_company(connection, company, new, now_us, command.act_id)
        return ()

    return plan


def operators(company: Company) -> list[str]:
    """Return who has the role operations, in the order of the company's people."""
    return [
        one.person_id
        for one in company.people.values()
        if one.state == "active" and "operations" in one.roles
    ]
