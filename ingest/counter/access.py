"""Who may use a front desk: this machine, a program with the source's secret, a device that was let in once."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlsplit

from starlette.requests import Request

from ingest.counter.visit import Counter
from ingest.local import is_local


def may_use(request: Request, source: Counter) -> bool:
    """Tell whether a request comes from inside the house; a post from a page of another site does not."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if token:
        return scheme.lower() == "bearer" and is_secret(token.strip(), source)
    if request.method == "POST" and not _is_own_page(request):
        return False
    return _is_local(request) or _is_known(request.cookies.get(key_cookie(source), ""), source)


def is_secret(given: str, source: Counter) -> bool:
    """Tell whether this is the source's secret; a source without one has none that could be right."""
    return source.secret is not None and hmac.compare_digest(given.encode(), source.secret.encode())


def key_cookie(source: Counter) -> str:
    """Return the name of the cookie that holds the device's key: a device may serve two front desks."""
    return f"counter_key_{source.source_id}"


def device_key(source: Counter) -> str:
    """Return what a device that was let in keeps: it opens this source, and is void once the secret changes."""
    if source.secret is None:
        raise ValueError("a source without a secret lets no other device in")
    message = f"front desk {source.source_id}".encode()
    return hmac.new(source.secret.encode(), message, hashlib.sha256).hexdigest()


def _is_known(cookie: str, source: Counter) -> bool:
    return source.secret is not None and hmac.compare_digest(cookie.encode(), device_key(source).encode())


def _is_local(request: Request) -> bool:
    return is_local(request.client.host if request.client else None, request.headers.raw)


def _is_own_page(request: Request) -> bool:
    """Browsers tell where a post comes from in Sec-Fetch-Site (W3C Fetch Metadata), older ones in Origin."""
    if (site := request.headers.get("sec-fetch-site")) is not None:
        return site in ("same-origin", "none")
    if (origin := request.headers.get("origin")) is not None:
        return urlsplit(origin).netloc == request.headers.get("host", "")
    return True
