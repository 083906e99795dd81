"""The "send your own" boxes: for each configured source, how to put something through its door right now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from console.times import local
from schemas.base import Channel

CHANNELS: tuple[Channel, ...] = ("web", "email", "cti", "counter")


@dataclass(frozen=True, slots=True)
class Box:
    """One source: a link to follow, or a command line to copy."""

    channel: Channel
    source_id: str
    name: str
    link: str | None = None
    snippet: str | None = None
    command: str | None = None


def boxes(sources: Mapping[str, Mapping[str, Any]], now_us: int, smtp_port: int) -> list[Box]:
    """Return the boxes of all sources, in the order of the four doors."""
    found = [box for source in sources.values() for box in _box(source, now_us, smtp_port)]
    return sorted(found, key=lambda box: (CHANNELS.index(box.channel), box.name))


def _box(source: Mapping[str, Any], now_us: int, smtp_port: int) -> Iterator[Box]:
    source_id, name, channel = source["source_id"], source["name"], source["channel"]
    if channel == "web" and source["format"] == "web.form":
        yield Box("web", source_id, name, link=f"/f/{source_id}", snippet=f"/f/{source_id}/html")
    elif channel == "email":
        yield Box("email", source_id, name, command=_mail(source, smtp_port))
    elif channel == "cti" and source["format"] == "cti.asterisk":
        yield Box("cti", source_id, name, command=_call(source, now_us))
    elif channel == "counter":
        yield Box("counter", source_id, name, link=f"/counter/{source_id}")


def _mail(source: Mapping[str, Any], smtp_port: int) -> str | None:
    """Return the command that sends a mail to the source; None while it cannot receive any."""
    addresses = source.get("addresses") or ()
    if not smtp_port or not addresses:
        return None
    return (
        f"swaks --server 127.0.0.1:{smtp_port} --from li.na@daheng.example --to {_quoted(addresses[0])} "
        "--h-Subject 'Pallet truck' --body 'Please quote two pallet trucks. Li Na, 139 0000 0001'"
    )


def _call(source: Mapping[str, Any], now_us: int) -> str | None:
    """Return the command that appends a missed call, as cdr_csv would write it now; None without a file."""
    files = source.get("files") or ()
    if not files:
        return None
    start = local(now_us, source.get("zone") or "Asia/Shanghai")
    stamp, unique = f"{start:%Y-%m-%d %H:%M:%S}", f"{now_us // 1_000_000}.1"
    ours = next(iter(source.get("own_numbers") or ()), "02155550101")
    trunk = next(iter(source.get("trunks") or ()), "trunk")
    row = (
        f'"","13900000001","{ours}","from-trunk","13900000001","PJSIP/{trunk}-00000001","","Dial","",'
        f'"{stamp}",,"{stamp}",12,0,"NO ANSWER","DOCUMENTATION","{unique}",""'
    )
    return f"echo {_quoted(row)} >> {_quoted(str(files[0]))}"


def _quoted(text: str) -> str:
    """Quote a text for a POSIX shell."""
    return "'" + text.replace("'", "'\\''") + "'"
