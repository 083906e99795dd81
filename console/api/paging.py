"""Lists by cursor: where a page ended, as text that nobody needs to read. Pure."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

import orjson
from pydantic import Field, StringConstraints

MOST = 200
Limit = Annotated[int, Field(ge=1, le=MOST, description="How many at most")]
Cursor = Annotated[
    str,
    StringConstraints(max_length=600, pattern=r"^[A-Za-z0-9_-]*$"),
    Field(description="`next` of the page before; empty for the first"),
]


class CursorError(ValueError):
    """This is no cursor of that list."""


def cursor_of(*place: str | int) -> str:
    """Return the cursor of the place behind a row: the values by which the list is sorted."""
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def place_of(cursor: str, *kinds: type) -> list[str | int] | None:
    """Return the place of a cursor; None for the beginning. Raises CursorError for what is none of this list's."""
    if not cursor:
        return None
    try:
        place = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        raise CursorError from None
    fits = isinstance(place, list) and [type(one) for one in place] == list(kinds)
    if not fits or any("\0" in one if isinstance(one, str) else not 0 <= one < 2**63 for one in place):
        raise CursorError
    return list(place)
