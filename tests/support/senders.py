"""A company of several forms, and what good and bad senders post to them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from schemas.capture import Capture, capture_of
from schemas.company import Company
from tests.support.rig import MONDAY_10, small_company


def senders(*source_ids: str, **settings: Any) -> Company:
    """The small company with these web forms as its sources, each with the same further settings."""
    sources = {
        one: {"source_id": one, "channel": "web", "format": "web.form", "name": one, **settings}
        for one in source_ids
    }
    return small_company(sources=sources, responsible_id="ann")


def good(source_id: str, number: int, at_us: int = MONDAY_10, **changes: Any) -> Capture:
    """A post that is read: a customer of its own for each number."""
    return _post(source_id, number, at_us, {"phone": f"139{number:08d}"}, changes)


def bad(source_id: str, number: int, at_us: int = MONDAY_10, **changes: Any) -> Capture:
    """A post of a form that was rebuilt: no field has a name that the source knows; mapped, it is a customer."""
    return _post(source_id, number, at_us, {"sj": f"138{number:08d}"}, changes)


def _post(
    source_id: str, number: int, at_us: int, fields: dict[str, str], changes: dict[str, Any]
) -> Capture:
    values: dict[str, Any] = {
        "source_id": source_id,
        "channel": "web",
        "format": "web.form",
        "body": urlencode(fields).encode(),
        "accepted_us": at_us,
        "trace_id": f"{number:032x}",
        "idem_key": f"{source_id}-{number}",
        "meta": {"content_type": "application/x-www-form-urlencoded"},
    }
    return capture_of(**{**values, **changes})
