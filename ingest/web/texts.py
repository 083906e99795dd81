"""The texts of the hosted form: its language, catalogue and templates.

Apart from the console's, so that the door needs no console beside it. English stands in the templates,
`locale/zh.po` holds the Chinese, read at start.
"""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from schemas.base import Language

HERE = Path(__file__).parent
LANGUAGES: tuple[Language, ...] = ("zh", "en")
COOKIE = "lang"
_YEAR_S = 365 * 86_400


def language_of(request: Request, default: Language, posted: str = "") -> Language:
    """Return the language to answer in: as posted, `?lang=`, the cookie, Accept-Language, else `default`."""
    for asked in (posted, request.query_params.get("lang", ""), request.cookies.get(COOKIE, "")):
        if (known := _known(asked)) is not None:
            return known
    wishes = []
    for part in request.headers.get("accept-language", "").split(","):
        tag, _, quality = part.partition(";")
        known = _known(tag.strip())
        try:
            weight = float(quality.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if known is not None and weight > 0:
            wishes.append((weight, known))
    return max(wishes, key=lambda wish: wish[0])[1] if wishes else default


def page(
    request: Request, language: Language, template: str, values: dict[str, Any], status: int = 200
) -> HTMLResponse:
    """Render a template in a language; the language asked for by `?lang=` is remembered."""
    html = _environment(language).get_template(template).render(lang=language, **values)
    response = HTMLResponse(html, status_code=status, headers={"content-language": language})
    if _known(request.query_params.get("lang", "")) is not None:
        response.set_cookie(COOKIE, language, max_age=_YEAR_S, samesite="lax", httponly=True)
    return response


def render(language: Language, template: str, values: dict[str, Any]) -> str:
    """Render a template that is no page by itself."""
    return _environment(language).get_template(template).render(lang=language, **values)


def _known(tag: str) -> Language | None:
    main = tag.lower().replace("_", "-").split("-")[0]
    return next((language for language in LANGUAGES if language == main), None)


@lru_cache
def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(_translations(language), newstyle=True)  # type: ignore[attr-defined]
    return environment


def _translations(language: Language) -> NullTranslations:
    path = HERE / "locale" / f"{language}.po"
    if not path.exists():
        return NullTranslations()
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)
