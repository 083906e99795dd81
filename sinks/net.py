"""What several sinks need to know of hosts and moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine: `localhost` or a loopback address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def utc(at_us: int) -> datetime:
    """Return a moment as an aware datetime."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
