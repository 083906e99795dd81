"""Looking at the demo as somebody else: one click for each role, at this machine, where the company is an invented one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from console.desk import is_own_page
from console.gate import LOOK, Guard, home
from console.may import AT_THIS_MACHINE, roles_of, visitor_of
from schemas.company import Company, Role


@dataclass(frozen=True)
class Look:
    """The choice, kept in a cookie that the gate believes only where there is nothing to protect."""

    guard: Guard

    def routes(self) -> list[BaseRoute]:
        """Return the route."""
        return [Route("/look", self.choose, methods=["POST"])]

    async def choose(self, request: Request) -> Response:
        """POST {role}: look as somebody who has it; without one, as whoever stands at this machine again."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        async with request.form(max_files=0, max_fields=5) as posted:
            role = str(posted.get("role", ""))
        company = await run_in_threadpool(self.guard.company)
        wanted = next((one for one in get_args(Role) if one == role), None)
        who = None
        if wanted is not None and (person_id := looked_as(company, wanted)):
            who = visitor_of(company, person_id, wanted, self.guard.desk.clock())
        answer = RedirectResponse(home(who or AT_THIS_MACHINE), status_code=303)
        if who is None:
            answer.delete_cookie(LOOK, httponly=True, samesite="lax")
        else:
            answer.set_cookie(LOOK, f"{role}:{who.person_id}", httponly=True, samesite="lax")
        return answer


def looked_as(company: Company, role: Role) -> str | None:
    """Return as whom a role is looked at: somebody who has it (who sells, for a representative), else anybody who is here."""
    active = [key for key, one in company.people.items() if one.state == "active"]
    selling = {one.person_id for one in company.members if one.to_us is None and one.share}
    having = [one for one in active if role in roles_of(company, one)]
    return next((one for one in having if role != "representative" or one in selling), None) or next(
        iter(having or active), None
    )
