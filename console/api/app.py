"""The JSON API as one application, to be mounted at `/api`; `/api/openapi.json` describes it (OpenAPI 3.1)."""

from __future__ import annotations

from fastapi import FastAPI

from console.api.assign import assign_routes
from console.api.campaigns import campaign_routes
from console.api.claims import claim_routes
from console.api.customers import customer_routes
from console.api.handovers import handover_routes
from console.api.house import house_routes
from console.api.lists import list_routes
from console.api.matches import match_routes
from console.api.money import money_routes
from console.api.moves import move_routes
from console.api.ports import Ports
from console.api.refusals import handle_refusals
from console.api.repairs import repair_routes
from console.api.rules import rule_routes
from console.api.work import work_routes
from console.desk import Desk

ABOUT = (
    "What the console's pages do, for programs. Send `Authorization: Bearer` with a token (`leadflow token new`); "
    "what it opens is what its person's roles allow, with `--role` only that role, with `--scope` only parts of the "
    "API. The actor of every act is that person. Errors are problems (RFC 9457) with a stable `code`. Telephone numbers are masked as on the pages."
)


def api_app(desk: Desk, ports: Ports) -> FastAPI:
    """Return the API over a desk, with what its host does."""
    app = FastAPI(
        title="Leadflow",
        version="1",
        description=ABOUT,
        docs_url=None,  # Its page takes its script from elsewhere.
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    handle_refusals(app)
    routers = [
        work_routes(desk),
        customer_routes(desk, ports.operations),
        *([move_routes(desk, ports.mover)] if ports.mover else ()),
        match_routes(desk),
        *([claim_routes(desk, ports.operations)] if ports.operations else ()),
        *([handover_routes(desk, ports.hand_over)] if ports.hand_over else ()),
        money_routes(desk),
        campaign_routes(desk),
        assign_routes(desk),
        *([list_routes(desk, ports.lists)] if ports.lists else ()),
        house_routes(desk),
        *([repair_routes(desk, ports, ports.operations)] if ports.operations else ()),
        *([rule_routes(desk, ports.operations)] if ports.operations else ()),
    ]
    for router in routers:
        app.router.routes += router.routes  # as they are: each with the path that the table of permits has
    return app
