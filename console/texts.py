"""The console's texts: which language a page speaks, its catalogue, and templates rendered in it.

English stands in the code and templates (gettext's msgid); `locale/zh.po` holds the Chinese. Catalogues are
read from the `.po` files at start, so there is no compiled copy that could be stale.
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

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
"""No inline script or style runs, whatever a lead's text holds. `data:` images are Pico's own icons."""


def language_of(request: Request, default: Language = "zh") -> Language:
    """Return the language to answer in: `?lang=`, else the cookie, else Accept-Language, else `default`."""
    for asked in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if (known := _known(asked or "")) is not None:
            return known
    return _accepted(request.headers.get("accept-language", "")) or default


def _accepted(header: str) -> Language | None:
    """Return the language of ours with the highest q (RFC 9110, 12.5.4)."""
    wishes: list[tuple[float, Language]] = []
    for part in header.split(","):
        tag, _, rest = part.partition(";")
        known = _known(tag.strip())
        if known is None:
            continue
        try:
            weight = float(rest.strip().removeprefix("q=")) if rest.strip() else 1.0
        except ValueError:
            continue
        if weight > 0:
            wishes.append((weight, known))
    return max(wishes, key=lambda wish: wish[0])[1] if wishes else None


def _known(tag: str) -> Language | None:
    main = tag.lower().replace("_", "-").split("-")[0]
    return next((language for language in LANGUAGES if language == main), None)


@lru_cache
def translations(language: Language) -> NullTranslations:
    """Return the catalogue of a language; English is the source and needs none."""
    path = HERE / "locale" / f"{language}.po"
    if not path.exists():
        return NullTranslations()
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


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
    environment.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    return environment


def page(
    request: Request, language: Language, template: str, values: dict[str, Any], status: int = 200
) -> HTMLResponse:
    """Render a template in a language; the language asked for by `?lang=` is remembered."""
    html = (
        _environment(language)
        .get_template(template)
        .render(
            lang=language, html_lang="zh-CN" if language == "zh" else "en", path=request.url.path, **values
        )
    )
    response = HTMLResponse(html, status_code=status, headers={**HEADERS, "content-language": language})
    if _known(request.query_params.get("lang", "")) is not None:
        response.set_cookie(COOKIE, language, max_age=_YEAR_S, samesite="lax", httponly=True)
    return response
