"""Of several leads that came in one JSON body, each one's own bytes. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import orjson

_ROUNDS = 6
"""How many times its length of a body is read in search of the parts: envelopes are few, and endless nesting is given up."""
_OPENING = re.compile(r"[{\[]")
_DECODER = json.JSONDecoder()


def own_bytes(body: bytes, parts: Sequence[Any]) -> list[bytes]:
    """Return the JSON of each part in UTF-8: as it stands in the body, else (an expression made it) written anew.

    `parts` are what an expression found in the body, in whatever order.
    """
    written = [orjson.dumps(one) for one in parts]
    found = dict[bytes, bytes]()
    with suppress(UnicodeDecodeError):  # a form, of which one field holds the leads
        found = _as_they_stand(body.decode(), set(written))
    return [found.get(one, one) for one in written]


def _as_they_stand(text: str, wanted: set[bytes]) -> dict[bytes, bytes]:
    found, at, left = dict[bytes, bytes](), 0, _ROUNDS * len(text)
    while left > 0 and len(found) < len(wanted) and (opening := _OPENING.search(text, at)):
        start = opening.start()
        at, end, written = start + 1, start + 1, b""
        try:
            value, end = _DECODER.raw_decode(text, start)
            written = orjson.dumps(value)
        except json.JSONDecodeError as error:
            left -= error.pos  # a bracket within a text; to say its line, all in front of it was gone through
        except (RecursionError, TypeError, ValueError):
            left -= len(text)  # nested too deeply, or a number too large
        left -= end - start
        if written in wanted:
            found.setdefault(written, text[start:end].encode())
            at = end
    return found
