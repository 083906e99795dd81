"""Where a visitor's browser goes after the post: only to a page that the company allows."""

from __future__ import annotations

import re
from typing import Protocol
from urllib.parse import urlsplit

from ingest.web.form import Posted

_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
"""Browsers read a backslash as a slash and drop control characters, so they may see another host than we do."""


class Onward(Protocol):
    """A source whose visitors go on to a page."""

    @property
    def source_id(self) -> str:
        """Its id."""
        ...

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts that visitors may be sent on to."""
        ...

    @property
    def thanks(self) -> str | None:
        """Its thank-you page; None for ours."""
        ...


def next_page(posted: Posted, source: Onward) -> str:
    """Return the page asked for (`retURL`, `next`) if its host is one of the source's, else its thank-you page."""
    for name in ("retURL", "next"):
        if is_allowed(asked := posted.get(name).strip(), source):
            return asked
    if source.thanks:
        return source.thanks
    language = posted.get("lang")
    return f"/thanks/{source.source_id}" + (f"?lang={language}" if language in ("zh", "en") else "")


def is_allowed(url: str, source: Onward) -> bool:
    """Tell whether a URL is http(s) to an allow-listed host, with nothing in it that could hide another."""
    if _UNSAFE.search(url):
        return False
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or host is None or parts.username is not None:
        return False
    allowed = {one.lower() for one in source.hosts}
    return host in allowed or f"{host}:{port}" in allowed
