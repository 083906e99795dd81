"""The texts of the hosted form: apart from the console's, so that the door needs no console beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from answers.language import remember_language
from answers.wording import Wording
from schemas.base import Language

WORDING = Wording(Path(__file__).parent)


def page(
    request: Request, language: Language, template: str, values: dict[str, Any], status: int = 200
) -> HTMLResponse:
    """Render a template in a language; the language asked for by `?lang=` is remembered."""
    html = WORDING.render(language, template, values)
    response = HTMLResponse(html, status_code=status, headers={"content-language": language})
    remember_language(request, response)
    return response
