"""The front page: the whole path of a lead, from the doors to the desk.

    a door makes raw bytes durable, then answers      ingest/    → captures
    parse     one pure parser a format                ingest/    → leads
    resolve   which contact, which customer           enrich/    → resolved
    route     owner or queue, and the first task      router/    → assignments, tasks
    deliver   what goes out, and to whom              sinks/

What is on whose desk is seen in the inbox (console/); what goes out is sent by sinks.dispatch.

Each stage is a pure decision over facts that its gateway reads; a host (stream/) runs it and commits
effects, outputs and progress together. This page names every part; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from enrich.gateway import LOOK_AGAIN, ResolveStage, looks_again
from ingest.gateway import SETTLE, ParseStage, settles
from router.gateway import QUEUE_OPENS, RouteStage, nurture_wakes, queue_opens
from router.ladder import UNTOUCHED, sweep, untouched
from sinks.gateway import DeliverStage
from store.company import POOL_SWEEP, CompanyCache
from store.nurture import NURTURE_WAKES
from stream.door_log import CAPTURES
from stream.host import REPLAY, Stage
from stream.letters import DEAD
from stream.timers import MakeEvent

DOOR_TOPICS = (CAPTURES,)
"""Topics of `doors.db`."""

STORE_TOPICS = ("leads", "resolved", "assignments", "tasks", "reroute", "settle", REPLAY, DEAD)
"""Topics of the store."""

TIMERS: Mapping[str, MakeEvent] = {
    SETTLE: settles,
    LOOK_AGAIN: looks_again,
    QUEUE_OPENS: queue_opens,
    NURTURE_WAKES: nurture_wakes,
    UNTOUCHED: untouched,
    POOL_SWEEP: sweep,
}
"""What happens when a timer of each kind fires."""


def stages(companies: CompanyCache, secret: bytes | None = None) -> list[Stage[Any, Any]]:
    """Return the stages in the order in which a lead passes them.

    `secret` is that of the marks by which the erased are known (`KeyRing.hash_secret`); None only to look at them.
    """
    return [
        ParseStage(companies),
        ResolveStage(companies, secret),
        RouteStage(companies),
        DeliverStage(companies),
    ]


def readers_of(stages: Sequence[Stage[Any, Any]]) -> dict[str, tuple[str, ...]]:
    """Return the topics of the store, and which stages read each."""
    return {
        topic: tuple(one.name for one in stages if topic == REPLAY or topic in one.topics)
        for topic in STORE_TOPICS
    }
