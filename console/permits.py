"""The table of every route and who may have it. What is not in it is for operations alone.

`docs/access.md` is made from it (`python -m tools.export_access`); a test holds the two together, asks each route in each role, and
refuses a route that stands neither here nor among what strangers may reach.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from starlette.routing import compile_path

from schemas.company import Role

Thing = Literal["holder", "task", "story", "customer", "list"]
"""What a route is about, and so whose it must be: the person or unit, the task, any id with a story, the customer, who
brought the list."""

ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Permit:
    """Who may have a route."""

    roles: frozenset[Role]
    of: tuple[Thing, ...] = ()
    clear: bool = False
    """The answer goes out as it is: it holds only what its reader has to call, or typed, or figures and addresses of ours."""


def _for(*roles: Role, of: tuple[Thing, ...] = (), clear: bool = False) -> Permit:
    return Permit(frozenset(roles), of, clear)


_EVERYBODY = _for(*ROLES)
_SEES = _for("marketing", "operations", "auditor")
_WORK = _for("representative", "manager", "operations", "auditor")
_ACT = _for("representative", "manager", "operations")
_OWN = _for("representative", "manager", "operations", clear=True)
_RUNS = _for("operations", "auditor")
_OPERATE = _for("operations")
_LEAD = _for("manager", "operations")
_TEAM = _for("manager", "operations", "auditor")
_COUNTS = _for("marketing", "operations", "auditor", clear=True)
_BROUGHT = _for("representative", "manager", "marketing", "operations", "auditor", clear=True)
_TABLE = _for("manager", "marketing", "operations", "auditor", clear=True)
_DESK = _for("representative", "manager", "front_desk", "operations", clear=True)
_CAMPAIGNS = _for("marketing", "operations", clear=True)
_LIST = _for("marketing", "operations", of=("list",))

PERMITS: Mapping[str, Permit] = {
    "GET /": _SEES,
    "GET /news": Permit(_SEES.roles, clear=True),
    "GET /day": _OWN,
    "GET /day/news": _OWN,
    "POST /day/{verb}": _OWN,
    "GET /inbox": _WORK,
    "GET /inbox/{holder_id}": Permit(_WORK.roles, ("holder",)),
    "GET /inbox/{holder_id}/news": Permit(_WORK.roles, ("holder",), clear=True),
    "POST /inbox/{holder_id}/{task_id}/{verb}": Permit(_ACT.roles, ("holder", "task")),
    "GET /story": Permit(_WORK.roles | _SEES.roles),
    "GET /story/{any_id}": Permit(_WORK.roles | _SEES.roles, ("story",)),
    "POST /reveal/{any_id}": Permit(_OPERATE.roles | {"manager"}, ("story",)),
    "GET /customers": Permit(_WORK.roles | _SEES.roles),
    "GET /customer/{customer_id}": Permit(_WORK.roles | _SEES.roles, ("customer",)),
    "POST /customer/{customer_id}/contact": Permit(_ACT.roles, ("customer",)),
    "POST /customer/{customer_id}/correct": Permit(_ACT.roles, ("customer",)),
    "GET /original/{any_id}": Permit(_WORK.roles | _SEES.roles, ("story",)),
    "GET /original/{any_id}/bytes": Permit(_WORK.roles | _SEES.roles, ("story",)),
    "GET /neglected": _WORK,
    "GET /collisions": _WORK,
    "POST /collisions/{customer_id}": _LEAD,
    "GET /calls": _WORK,
    "GET /calls/news": Permit(_WORK.roles, clear=True),
    "GET /pools": _WORK,
    "POST /pools/{customer_id}/{verb}": _ACT,
    "GET /team": _TEAM,
    "GET /team/news": Permit(_TEAM.roles, clear=True),
    "GET /team/calendar": _TEAM,
    "POST /team/calendar/{verb}": _LEAD,
    "GET /team/open": _TEAM,
    "GET /why-not": _WORK,
    "GET /ask": _EVERYBODY,
    "GET /away": _EVERYBODY,
    "GET /move": _LEAD,
    "POST /move/preview": _LEAD,
    "POST /move/apply": _LEAD,
    "GET /move/{act_id}": _LEAD,
    "POST /move/{act_id}/undo": _LEAD,
    "GET /handover": _LEAD,
    "GET /handover/plan": _LEAD,
    "POST /handover/apply": _LEAD,
    "GET /handover/{job_id}": _LEAD,
    "GET /handover/{job_id}/progress": _LEAD,
    "GET /handover/{job_id}/certificate": _LEAD,
    "GET /handover/{job_id}/certificate.json": Permit(_LEAD.roles, clear=True),
    "POST /handover/{job_id}/undo": _LEAD,
    "GET /taken": Permit(_ACT.roles | {"front_desk"}),
    "POST /taken": Permit(_ACT.roles | {"front_desk"}, clear=True),
    "GET /desk": _DESK,
    "POST /desk": _DESK,
    "POST /desk/visit": _DESK,
    "GET /desk/answer": _DESK,
    "GET /pop": Permit(_DESK.roles),
    "GET /matches": _TEAM,
    "POST /matches/{review_id}/{verb}": _LEAD,
    "GET /parting/{customer_id}": Permit(_TEAM.roles, ("customer",)),
    "POST /parting/{customer_id}": Permit(_LEAD.roles, ("customer",)),
    "GET /campaigns": _BROUGHT,
    "GET /campaigns.csv": _TABLE,
    "GET /campaigns.xlsx": _TABLE,
    "POST /campaigns/file": _CAMPAIGNS,
    "POST /campaigns/{what}": _CAMPAIGNS,
    "GET /forms": _COUNTS,
    "GET /forms/{source_id}/preview": _COUNTS,
    "POST /forms/{source_id}": _CAMPAIGNS,
    "POST /forms/{source_id}/preview": _CAMPAIGNS,
    "GET /import": _COUNTS,
    "POST /import": _CAMPAIGNS,
    "GET /import/{import_id}": _LIST,
    "GET /import/{import_id}/progress": _LIST,
    "GET /import/{import_id}/errors.{suffix}": _LIST,
    "POST /import/{import_id}/{verb}": _LIST,
    "GET /needs-repair": _RUNS,
    "POST /needs-repair/replay": _OPERATE,
    "GET /needs-repair/{any_id}": Permit(_RUNS.roles, ("story",)),
    "GET /needs-repair/{any_id}/became": Permit(_RUNS.roles, ("story",)),
    "POST /needs-repair/{any_id}/{verb}": Permit(_OPERATE.roles, ("story",)),
    "GET /rules": Permit(_RUNS.roles, clear=True),
    "GET /rules/history": Permit(_RUNS.roles, clear=True),
    "GET /rules/simulate": _RUNS,
    "POST /rules/{verb}": Permit(_OPERATE.roles, clear=True),
    "GET /doors": _RUNS,
    "GET /doors/{source_id}": Permit(_RUNS.roles, clear=True),
    "POST /doors/reset": _OPERATE,
    "GET /audit": _RUNS,
    "GET /audit.csv": _RUNS,
    "GET /alarms": _RUNS,
    "GET /backups": _RUNS,
    "POST /backups": _OPERATE,
    "GET /access": Permit(_RUNS.roles, clear=True),
    "POST /access/{person_id}/{verb}": Permit(_OPERATE.roles, clear=True),
    "GET /me": Permit(_EVERYBODY.roles, clear=True),
    "POST /me/{verb}": Permit(_EVERYBODY.roles, clear=True),
    "POST /leave": _EVERYBODY,
    "POST /look": _EVERYBODY,
    "POST /demo/kill": _OPERATE,
    "GET /demo/killed/{killed_us:int}": _SEES,
    "GET /api/openapi.json": _EVERYBODY,
    "GET /api/me": _EVERYBODY,
    "POST /stories/{story}": _OPERATE,
    "GET /stories/{story}/{run}": _SEES,
    "GET /stories/{story}/{run}/steps": _SEES,
    "POST /stories/{story}/{run}/{verb}": _OPERATE,
    "GET /api/inbox/{holder_id}": Permit(_WORK.roles, ("holder",)),
    "POST /api/tasks/{task_id}/outcome": Permit(_ACT.roles, ("task",)),
    "POST /api/tasks/{task_id}/take": Permit(_ACT.roles, ("task",)),
    "POST /api/tasks/{task_id}/return": Permit(_ACT.roles, ("task",)),
    "GET /api/customers": Permit(_WORK.roles | _SEES.roles),
    "GET /api/customers/{customer_id}": Permit(_WORK.roles | _SEES.roles, ("customer",)),
    "POST /api/customers/{customer_id}/stage": Permit(_ACT.roles, ("customer",)),
    "POST /api/customers/{customer_id}/contact": Permit(_ACT.roles, ("customer",)),
    "POST /api/customers/{customer_id}/claim": _ACT,
    "POST /api/customers/{customer_id}/release": Permit(_ACT.roles, ("customer",)),
    "POST /api/moves/preview": _LEAD,
    "POST /api/moves": _LEAD,
    "GET /api/moves/{act_id}": _LEAD,
    "GET /api/moves/{act_id}/rows": _LEAD,
    "POST /api/moves/{act_id}/undo": _LEAD,
    "POST /api/handovers/preview": _LEAD,
    "POST /api/handovers": _LEAD,
    "GET /api/handovers": _LEAD,
    "GET /api/handovers/{job_id}": _LEAD,
    "GET /api/handovers/{job_id}/rows": _LEAD,
    "GET /api/handovers/{job_id}/certificate": Permit(_LEAD.roles, clear=True),
    "GET /api/handovers/{job_id}/undo": _LEAD,
    "POST /api/handovers/{job_id}/undo": _LEAD,
    "GET /api/matches": _TEAM,
    "POST /api/matches/{review_id}/answer": _LEAD,
    "GET /api/customers/{customer_id}/parting": Permit(_TEAM.roles, ("customer",)),
    "POST /api/customers/{customer_id}/parting": Permit(_LEAD.roles, ("customer",)),
    "POST /api/taken": Permit(_ACT.roles | {"front_desk"}, clear=True),
    "GET /api/claims": _WORK,
    "POST /api/customers/{customer_id}/register": _ACT,
    "POST /api/customers/{customer_id}/correct": Permit(_ACT.roles, ("customer",)),
    "POST /api/customers/{customer_id}/decide": _LEAD,
    "GET /api/leads": _SEES,
    "GET /api/stories/{any_id}": Permit(_WORK.roles | _SEES.roles, ("story",)),
    "GET /api/campaigns": _TABLE,
    "POST /api/orders": _CAMPAIGNS,
    "GET /api/campaigns/listed": _COUNTS,
    "POST /api/campaigns": _CAMPAIGNS,
    "PUT /api/campaigns/{campaign_id}": _CAMPAIGNS,
    "GET /api/campaigns/unlisted": _COUNTS,
    "POST /api/campaigns/{campaign_id}/aliases": _CAMPAIGNS,
    "GET /api/orders/open": Permit(_SEES.roles, clear=True),
    "POST /api/orders/assign": _CAMPAIGNS,
    "GET /api/spend": _COUNTS,
    "POST /api/spend": _CAMPAIGNS,
    "POST /api/spend/{spend_id}/end": _CAMPAIGNS,
    "GET /api/imports": _COUNTS,
    "POST /api/imports": _CAMPAIGNS,
    "GET /api/imports/{import_id}": _LIST,
    "POST /api/imports/{import_id}/preview": _LIST,
    "POST /api/imports/{import_id}/begin": _LIST,
    "POST /api/imports/{import_id}/go-on": _LIST,
    "POST /api/imports/{import_id}/discard": _LIST,
    "POST /api/imports/{import_id}/revert": _LIST,
    "GET /api/imports/{import_id}/errors": _LIST,
    "POST /api/people/{person_id}/away": _EVERYBODY,
    "POST /api/people/{person_id}/back": _EVERYBODY,
    "POST /api/people/{person_id}/cancel-leave": _EVERYBODY,
    "GET /api/dead": _RUNS,
    "POST /api/dead/{dead_id}/replay": _OPERATE,
    "POST /api/dead/{dead_id}/discard": _OPERATE,
    "GET /api/dead/{any_id}": Permit(_RUNS.roles, ("story",)),
    "POST /api/dead/{any_id}/repair": Permit(_OPERATE.roles, ("story",)),
    "POST /api/reveal/{any_id}": Permit(_OPERATE.roles | {"manager"}, ("story",)),
    "GET /api/rules": Permit(_RUNS.roles, clear=True),
    "GET /api/rules/versions": Permit(_RUNS.roles, clear=True),
    "GET /api/rules/versions/{number}": Permit(_RUNS.roles, clear=True),
    "POST /api/rules/check": Permit(_OPERATE.roles, clear=True),
    "POST /api/rules/simulate": Permit(_OPERATE.roles, clear=True),
    "POST /api/rules/publish": Permit(_OPERATE.roles, clear=True),
    "POST /api/rules/rollback": Permit(_OPERATE.roles, clear=True),
    "GET /api/tally": _SEES,
    "GET /api/orphans": _RUNS,
    "POST /api/operate/{verb}": Permit(_OPERATE.roles, clear=True),
    "GET /healthz": _RUNS,
    "GET /readyz": _RUNS,
    "GET /metrics": Permit(_RUNS.roles, clear=True),
}
"""By method and path. Whoever is marketing, operations or auditor is not narrowed to a part of the organisation."""

NOT_LISTED = _OPERATE

ANY_SCOPE = frozenset({"/api/me", "/api/openapi.json"})
"""What every token opens, however narrow."""
_NO_SCOPE = "/api/operate/"
"""The command line's own way in does everything: no narrow token has it."""


def scope_of(method: str, path: str) -> str | None:
    """Return the scope by which a narrow token opens a request, such as `leads:read`; None: by none, as pages.

    It follows from the address, so there is no second table that would have to agree with this one.
    """
    if path.startswith(_NO_SCOPE) or not path.startswith(("/api/", "/metrics")) or path in ANY_SCOPE:
        return None
    area = path.removeprefix("/api").split("/")[1]
    return f"{area}:{'read' if method in ('GET', 'HEAD') else 'write'}"


SCOPES = tuple(sorted({scope for key in PERMITS if (scope := scope_of(*key.split(" ", 1)))}))

_COMPILED = [
    (key.partition(" ")[0], compile_path(key.partition(" ")[2])[0], permit) for key, permit in PERMITS.items()
]


def permit_of(method: str, path: str) -> tuple[Permit, Mapping[str, str]]:
    """Return the permit of a request, and the parts of its path by name."""
    wanted = "GET" if method == "HEAD" else method
    for of, pattern, permit in _COMPILED:
        if of == wanted and (match := pattern.match(path)):
            return permit, match.groupdict()
    return NOT_LISTED, {}
