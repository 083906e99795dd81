"""Whether a request comes from this machine and means it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable


def is_local(client: str | None, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell whether both the peer and the Host it asks for are this machine; `client` is None on a UNIX socket.

    The peer alone is not enough: a page elsewhere may have a name of its own point at 127.0.0.1 (DNS
    rebinding), and a proxy on this machine passes on what strangers ask. Both come with a name that is not ours;
    and since a stranger can tell a proxy any name, what a proxy marks as passed on is not from here either.
    """
    given = dict(headers)
    if any(mark in given for mark in _PASSED_ON):
        return False
    host = given.get(b"host", b"").decode("latin-1")
    name = host if host.endswith("]") else host.rsplit(":", 1)[0]
    return _is_loopback(name.strip("[]")) and (client is None or _is_loopback(client))


_PASSED_ON = (b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip")
"""What proxies add (RFC 7239, RFC 9110 7.6.3, and the older names)."""


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
