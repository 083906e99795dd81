"""The pages before the console: signing in, a one-time link's button, choosing a password, and why somebody cannot come in."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from answers.language import language_of
from console.texts import WORDING, page
from console.words import ENTRANCE
from schemas.company import Company

_PLAIN = ("sign_in", "left_for_now")
"""Nothing went wrong."""
Form = Literal["", "open", "sign_in", "password"]


def entrance(
    request: Request,
    company: Company,
    what: str,
    status: int = 200,
    *,
    form: Form = "",
    place: str | None = None,
    **values: Any,
) -> Response:
    """Return the page for a state of `words.ENTRANCE`, with a form on it; `place`: where a button leads on to."""
    language = language_of(request, company.language)
    gettext = WORDING.translations(language).gettext
    title, text = ENTRANCE[what]
    shown = {
        "company": company.name,
        "title": gettext(title),
        "text": gettext(text),
        "form": form,
        "place": place,
        "trouble": False,
        "asks_code": False,
        "next": "/",
        "name": "",
        **values,
    }
    return page(request, language, "entrance.html", shown, status)


def sign_in_page(
    request: Request,
    company: Company,
    next_place: str,
    *,
    what: str = "sign_in",
    status: int = 200,
    name: str = "",
) -> Response:
    """Return the form to sign in with; `what` says why again, `next_place` is where it leads on to."""
    return entrance(
        request, company, what, status, form="sign_in", next=next_place, name=name, trouble=what not in _PLAIN
    )


def came_for(path: str, query: str = "") -> str:
    """Return where somebody wanted to go, as an address to lead back to after signing in; `/` if it is not one of ours.

    Only a path of this site: `//other.example` and `/\\\\other.example` are other sites to a browser.
    """
    place = f"{path}?{query}" if query else path
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
    return "/" if parts.path in ("/sign-in", "/leave") or parts.path.startswith("/enter/") else place
