"""The console's texts, and its pages rendered with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

from answers.headers import PAGE_HEADERS
from answers.language import remember_language
from answers.wording import Wording
from console.whence import in_language, page_of
from schemas.base import Language

WORDING = Wording(Path(__file__).parent)


def page(
    request: Request, language: Language, template: str, values: dict[str, Any], status: int = 200
) -> HTMLResponse:
    """Render a template in a language; the language asked for by `?lang=` is remembered.

    `origin` among the values: to which page the other language leads, if not to `page_of` the request.
    """
    origin = values.get("origin") or page_of(request)
    html = WORDING.render(
        language,
        template,
        {
            "path": request.url.path,
            "clear": getattr(request.state, "clear", True),
            "used": getattr(request.state, "used", None),
            "second": None,
            "http_status": status,
            "switch": in_language(origin, "en" if language == "zh" else "zh"),
            **values,
        },
    )
    response = HTMLResponse(html, status_code=status, headers={**PAGE_HEADERS, "content-language": language})
    remember_language(request, response)
    return response
