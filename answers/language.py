"""Which language to answer a request in."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from schemas.base import Language

LANGUAGES: tuple[Language, ...] = ("zh", "en")
COOKIE = "lang"
_YEAR_S = 365 * 86_400


def language_of(request: Request, default: Language = "zh", posted: str = "") -> Language:
    """Return the language to answer in: as posted, `?lang=`, the cookie, Accept-Language, else `default`."""
    for asked in (posted, request.query_params.get("lang", ""), request.cookies.get(COOKIE, "")):
        if (known := _known(asked)) is not None:
            return known
    return _accepted(request.headers.get("accept-language", "")) or default


def remember_language(request: Request, response: Response) -> None:
    """Remember the language asked for by `?lang=`, if it is one of ours, for a year."""
    if (known := _known(request.query_params.get("lang", ""))) is not None:
        response.set_cookie(COOKIE, known, max_age=_YEAR_S, samesite="lax", httponly=True)


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
