"""The console's routes: every page, and the JSON API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from console.alarms import AlarmsPage
from console.api.app import api_app
from console.api.ports import Ports
from console.ask import AskPage
from console.audit import AuditPage
from console.away import AwayPage
from console.backups import Backups, BackupsPage
from console.calls import CallsPage
from console.campaigns import CampaignsPage
from console.collisions import CollisionsPage
from console.customers import CustomersPage
from console.day import DayPage
from console.desk import Desk
from console.desk_page import DeskPage, Visits
from console.doors_page import DoorsPage
from console.handover import HandOver, HandOverPage
from console.imports import ImportsPage, Lists
from console.kill import Kill, KillPage
from console.matches import MatchesPage
from console.move import MovePage, Mover
from console.neglected import NeglectedPage
from console.operations import Operations
from console.pages import pages
from console.pools import PoolsPage
from console.pop import PopPage
from console.repair import RepairPage
from console.rules import RulesPage
from console.stories import Sender, StoriesPage
from console.taken import TakenPage
from console.team import TeamPage
from console.team_calendar import TeamCalendarPage
from console.team_open import TeamOpenPage
from console.timeline import FindCapture, TimelinePage
from console.why_not import WhyNotPage
from store.acts import Append
from store.database import Database

STATIC = Path(__file__).parent / "static"


def console_routes(
    store: Database,
    clock: Callable[[], int],
    new_id: Callable[[], str],
    append: Append,
    *,
    smtp_port: int = 0,
    kill: Kill | None = None,
    lists: Lists | None = None,
    mover: Mover | None = None,
    hand_over: HandOver | None = None,
    visits: Visits | None = None,
    stories: Sender | None = None,
    find_capture: FindCapture = lambda _capture_id: None,
    operations: Operations | None = None,
    backups: Backups | None = None,
) -> list[BaseRoute]:
    """Return the console's routes over a store.

    `append` puts the events of acts on the store's log; `smtp_port` is where the mail door listens (0: closed),
    for show; `kill` lets the demo's visitors kill the process, `stories` sends what its stories tell of; `lists`
    brings lists in, `mover` moves customers, `hand_over` hands over, `visits` takes in who is entered at the desk,
    `find_capture` finds the raw bytes, `operations` does what operations asks for.
    """
    desk = Desk(store, clock, new_id, append)
    return [
        *pages(desk, smtp_port, can_kill=kill is not None, has_stories=stories is not None).routes(),
        *(KillPage(desk, kill).routes() if kill else ()),
        *(StoriesPage(desk, stories).routes() if stories else ()),
        *NeglectedPage(desk).routes(),
        *TeamPage(desk).routes(),
        *TeamCalendarPage(desk).routes(),
        *TeamOpenPage(desk).routes(),
        *WhyNotPage(desk).routes(),
        *AwayPage(desk).routes(),
        *AskPage(desk).routes(),
        *CollisionsPage(desk, operations).routes(),
        *CustomersPage(desk).routes(),
        *DayPage(desk).routes(),
        *TimelinePage(desk, find_capture, operations).routes(),
        *TakenPage(desk).routes(),
        *(DeskPage(desk, visits).routes() if visits else ()),
        *PopPage(desk).routes(),
        *CallsPage(desk).routes(),
        *MatchesPage(desk).routes(),
        *PoolsPage(desk).routes(),
        *CampaignsPage(desk, lists).routes(),
        *RepairPage(desk, find_capture, operations).routes(),
        *AuditPage(desk).routes(),
        *AlarmsPage(desk).routes(),
        *(BackupsPage(desk, backups).routes() if backups else ()),
        *(RulesPage(desk, operations).routes() if operations else ()),
        *(DoorsPage(desk, operations, find_capture).routes() if operations else ()),
        *(ImportsPage(desk, lists).routes() if lists else ()),
        *(MovePage(desk, mover).routes() if mover else ()),
        *(HandOverPage(desk, hand_over).routes() if hand_over else ()),
        Mount("/static", StaticFiles(directory=STATIC)),
        Mount("/api", api_app(desk, Ports(mover, hand_over, operations, lists, find_capture))),
    ]
