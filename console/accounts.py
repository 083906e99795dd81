"""Everything by which people come in, and what they and operations do about it, over one guard."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.routing import BaseRoute

from console.calendar_feed import CalendarFeed
from console.gate import Guard
from console.look import Look
from console.me import MePage
from console.passwords import SecondFactors
from console.people_access import AccessPage
from console.reveal import Reveal
from console.sign_in import SignIn


def account_routes(
    guard: Guard, new_secret: Callable[[], str], second_factor_key: bytes, public_url: str | None = None
) -> list[BaseRoute]:
    """Return the routes. `new_secret` makes 256 random bits; `public_url` is how people reach us from elsewhere."""
    factors = SecondFactors(second_factor_key)
    sign_in = SignIn(guard, new_secret, (public_url or "").startswith("https:"), factors)

    def address(request: Request) -> str:
        return public_url or f"{request.url.scheme}://{request.url.netloc}"

    return [
        *sign_in.routes(),
        *MePage(guard.desk, factors, sign_in.passwords, sign_in.tries, new_secret, address).routes(),
        *CalendarFeed(guard, public_url).routes(),
        *AccessPage(guard.desk, new_secret, address).routes(),
        *Reveal(guard.desk).routes(),
        *Look(guard).routes(),
    ]
