"""Who may give customers away by an act at the command line: whoever manages both sides, or somebody at this machine."""

from __future__ import annotations

from collections.abc import Callable

from console.may import roles_of, visitor_of
from schemas.company import Company, Role
from store.acts_move import MayGive


def may_give_as(actor: str, role: Role | None = None) -> MayGive:
    """Return what an actor may give and whom to give it to: in one role, as a token may be narrowed to, or in all of theirs.

    An actor who is nobody of the company (such as `operator`) stands at this machine and may everything, as does who has
    the role operations. A person may what is theirs, their teams' queues, and all that is below the units that they manage.
    """

    def of(company: Company, now_us: int) -> Callable[[str], bool]:
        if actor not in company.people:
            return lambda _holder: True
        if "operations" in (roles_of(company, actor) if role is None else {role}):
            return lambda _holder: True
        visitor = visitor_of(company, actor, role or "manager", now_us)
        return visitor.sees if visitor is not None else lambda _holder: False

    return of
