"""Reading the body of a post within the door's bounds of size and time."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

MAX_BODY = 1024 * 1024
"""A form with a long message is 10 kB; files are not taken by this door yet."""
SLOW_BODY_S = 15.0
"""A body of 1 MB on a bad mobile line takes 10 s; one that trickles longer holds a connection for nothing."""


class TooLarge(Exception):
    """The body is larger than the door takes."""


async def read_body(request: Request) -> bytes:
    """Return the whole body. Raises TooLarge, or TimeoutError when it trickles or the sender went away."""
    chunks, size = [], 0
    try:
        async with asyncio.timeout(SLOW_BODY_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > MAX_BODY:
                    raise TooLarge
                chunks.append(chunk)
    except ClientDisconnect:
        raise TimeoutError from None
    return b"".join(chunks)
