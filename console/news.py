"""How an open page learns that it has something new to show: server-sent events that say so, and nothing else.

A page has what lives in elements with `data-part` (its own address), the first of them with `data-news` (its stream, with the
mark of what they show); `static/live.js` does the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from sqlalchemy import ColumnElement, Connection, case, func, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from schemas.ids import body_digest
from store import tables

SOON, CALMLY = 1, 3
"""Seconds between two looks: as fast as somebody can answer a call; and where nobody waits for it."""
STREAM_S = 60
"""After that the browser asks anew, so that no connection outlives what its person may see by more."""


def news(request: Request, look: Callable[[], str], every_s: int) -> Response:
    """Return the stream: an event whenever `look` says something else than before, looked at every so many seconds.

    What the browser has seen comes with its question, `seen` of the page or `Last-Event-ID` when it
    asks anew: what came in before this stream began, or between two streams, is told at once.
    """
    stopping = getattr(request.app.state, "stopping", None)
    seen = request.headers.get("last-event-id") or request.query_params.get("seen", "")

    async def stream() -> AsyncIterator[bytes]:
        before = seen
        yield b"retry: 2000\n\n"
        for second in range(STREAM_S):
            if second % every_s == 0:
                now = await run_in_threadpool(look)
                yield b": \n\n" if now == before else f"id: {now}\nevent: changed\ndata: 1\n\n".encode()
                before = now
            await asyncio.sleep(1)
            if stopping is not None and stopping.is_set():
                return

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)


def mark(connection: Connection, which: ColumnElement[bool], *moments: int, beside: str = "") -> str:
    """Return what changes whenever one of these open tasks comes, goes or is moved, the limit of one falls before one of
    these moments, or what stands `beside` changes: a digest, which stays as it is where telephone numbers are masked."""
    task = tables.task
    # A sum of moments passes 64 bits at some 5,000 tasks; what is left of each behind a prime moves with it as well.
    moved = func.sum(task.c.due_us % 1_000_000_007)
    passed = (func.sum(case((task.c.due_us < one, 1), else_=0)) for one in moments)
    asked = select(func.count(), func.max(task.c.created_us), moved, *passed).where(
        which, task.c.state == "open"
    )
    found = "-".join(str(one or 0) for one in connection.execute(asked).one())
    return body_digest(f"{beside}-{found}".encode())
