"""A file as if it had come through its source's door: the same keys, the same taking apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ingest.email.parse import message_key
from ingest.web.form import FormError
from ingest.web.mapped import Item, MappedWebhook, items_of
from schemas.capture import Capture, capture_of

FORM, JSON = "application/x-www-form-urlencoded", "application/json"


def captures_of_file(
    source: Mapping[str, Any],
    body: bytes,
    *,
    accepted_us: int,
    new_id: Callable[[], str],
    meta: Mapping[str, str],
    content_type: str = "",
) -> list[Capture]:
    """Return the captures that a file of this source becomes; one, but for a body in which several leads lie.

    Without `content_type` a body of the web is JSON if it begins like that, else a form. What cannot be read becomes
    one capture, whose parser says why.
    """
    kept = dict(meta)
    if source["channel"] == "web":
        kept["content_type"] = content_type or (JSON if body.lstrip()[:1] in (b"{", b"[") else FORM)
    items = _items(source, body, kept)
    return [
        capture_of(
            source_id=source["source_id"],
            channel=source["channel"],
            format=source["format"],
            body=item.body,
            accepted_us=accepted_us,
            trace_id=new_id(),
            idem_key=item.key,
            made_key=new_id(),
            purpose=source.get("purpose", "real"),
            meta={**kept, **item.meta},
        )
        for item in items
    ]


def _items(source: Mapping[str, Any], body: bytes, meta: Mapping[str, str]) -> list[Item]:
    if source["format"] == "web.mapped":
        try:
            return items_of(meta["content_type"], body, MappedWebhook.model_validate(source))
        except FormError:
            return [Item(body)]
    if source["channel"] == "email":
        return [Item(body, message_key(body))]
    return [Item(body)]
