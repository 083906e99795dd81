"""Which page somebody is on: its address, also where what they see is the answer to a form."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.requests import Request
from starlette.routing import Match, Route

ENTRANCES = ("/sign-in", "/leave")
"""Where people come in and go out: nobody is led back there."""


def page_of(request: Request) -> str:
    """Return the address of the page that a request is about, without `lang`.

    Of a GET its own; of a POST that of the page whose form was sent, or else the page above where it was sent to.
    """
    if request.method in ("GET", "HEAD"):
        return _address(quote(request.url.path), request.url.query)
    if request.url.path in ENTRANCES:
        return request.url.path
    try:
        sent_by = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        sent_by = urlsplit("")
    if sent_by.netloc == request.headers.get("host") and _is_page(request, sent_by.path):
        return _address(sent_by.path, sent_by.query)
    path = request.url.path
    while path and not _is_page(request, path):
        path = path.rpartition("/")[0]
    return _address(quote(path), "")


def in_language(address: str, language: str) -> str:
    """Return the address of a page in a language."""
    return f"{address}{'&' if '?' in address else '?'}lang={language}"


def came_for(place: str) -> str:
    """Return where somebody wanted to go, as an address to lead back to after signing in; `/` if it is not one of ours.

    Only a path of this site: `//other.example` and `/\\\\other.example` are other sites to a browser.
    """
    try:
        parts = urlsplit(place)
    except ValueError:
        return "/"
    ours = (
        place.startswith("/")
        and not place.startswith(("//", "/\\"))
        and not parts.netloc
        and not parts.scheme
    )
    if not ours or any(ord(sign) < 0x21 for sign in place) or "\\" in place:
        return "/"
    return "/" if parts.path in ENTRANCES or parts.path.startswith("/enter/") else place


def _address(path: str, query: str) -> str:
    path = "/" + path.lstrip("/")  # `//other.example` would be another site
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != "lang"]
    return f"{path}?{urlencode(kept)}" if kept else path


def _is_page(request: Request, path: str) -> bool:
    """Tell whether a path is there to be looked at: `/move/preview` is not, though a later route would take it for a move."""
    asked = {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}
    for route in request.app.routes:
        if isinstance(route, Route) and (match := route.matches(asked)[0]) != Match.NONE:
            return match == Match.FULL
    return False
