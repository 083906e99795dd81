"""The pages before the console: the button of a one-time link, and why somebody cannot come in."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from answers.language import language_of
from console.texts import WORDING, page
from console.words import ENTRANCE
from schemas.company import Company


def entrance(
    request: Request, company: Company, what: str, status: int = 200, *, person_id: str | None = None
) -> Response:
    """Return the page for a state of `words.ENTRANCE`; with a person, it leads on to their inbox."""
    language = language_of(request, company.language)
    gettext = WORDING.translations(language).gettext
    title, text = ENTRANCE[what]
    values = {
        "company": company.name,
        "title": gettext(title),
        "text": gettext(text),
        "has_button": what == "link",
        "inbox": f"/inbox/{quote(person_id, safe='')}" if person_id else None,
    }
    return page(request, language, "entrance.html", values, status)
