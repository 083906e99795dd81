"""The pages before the console: signing in, a one-time link's button, choosing a password, and why somebody cannot come in."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from answers.language import language_of
from console.texts import WORDING, page
from console.whence import ENTRANCES
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
    if request.url.path in ENTRANCES:
        shown["origin"] = f"/sign-in?{urlencode({'next': shown['next']})}" if form == "sign_in" else "/"
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
