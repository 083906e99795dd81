"""The erasure journal: who was erased and who opted out, as a chain of lines that lies where no backup of the data does.

Each line names the SHA-256 of the line before it. So a line that was changed, or taken out of the middle, breaks the
chain; that nothing was cut off its end is proved by a digest of an earlier end that somebody has written down.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from pydantic import ValidationError

from schemas.base import Frozen, Micros

Mark = tuple[str, str]
"""A kind, and the keyed hash of an identifier of that kind (store.marks)."""


class Erasure(Frozen):
    """What one erasure takes: ids and keyed hashes, never what they stood for."""

    act_id: str
    at_us: Micros = 0
    customers: tuple[str, ...]
    contacts: tuple[str, ...]
    leads: tuple[str, ...]
    captures: tuple[str, ...]
    occurrences: tuple[str, ...] = ()
    """What its mails and calls are known by when they come again (`schemas.capture.occurrences_of`)."""
    marks: tuple[Mark, ...] = ()
    """What the person is known by when something from before the erasure comes again."""


class OptOut(Frozen):
    """What somebody does not agree to any more, from a moment on."""

    act_id: str
    at_us: Micros
    customer: str
    leads: tuple[str, ...]
    purposes: tuple[str, ...]
    marks: tuple[Mark, ...]
    """What the person is known by when they come again, under whatever customer."""


class _Line(Frozen):
    """A line of the journal: what happened, after the line whose digest it names."""

    after: str
    installation: str | None = None
    erasure: Erasure | None = None
    opt_out: OptOut | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """The journal as a chain."""

    entries: tuple[tuple[str, Erasure | OptOut], ...]
    """Each with the digest of its line."""
    digests: tuple[str, ...]
    """Of every line; the last one is the end of the chain."""
    broken_at: int | None
    """The number of the first line that does not follow from the one before it; None if all do."""


def begin_journal(journal: Path, installation: str) -> None:
    """Make the journal of a new installation: its first line tells it from any other one's."""
    _append(journal, _Line(after="", installation=installation))


def write_journal(journal: Path, entry: Erasure | OptOut) -> None:
    """Add an erasure or an opt-out to the journal, on the disk before this returns."""
    if isinstance(entry, Erasure):
        _append(journal, _Line(after="", erasure=entry))
    else:
        _append(journal, _Line(after="", opt_out=entry))


def read_journal(journal: Path) -> list[Erasure | OptOut]:
    """Return all that was written, each as it was written last. Raises ValueError for a line that is none of ours.

    A last line cut off by a power failure was never acted upon.
    """
    entries = [found for line in _lines(journal) if (found := _entry(_Line.model_validate_json(line)))]
    return list({one.act_id: one for one in entries}.values())


def chain_of(journal: Path) -> Chain:
    """Return the journal as a chain, and where it is broken, if it is."""
    entries, digests = list[tuple[str, Erasure | OptOut]](), list[str]()
    broken_at: int | None = None
    for number, line in enumerate(_lines(journal), 1):
        digest = sha256(line).hexdigest()
        try:
            read = _Line.model_validate_json(line)
        except ValidationError:
            read = None
        if (read is None or read.after != (digests[-1] if digests else "")) and broken_at is None:
            broken_at = number
        if read is not None and (entry := _entry(read)) is not None:
            entries.append((digest, entry))
        digests.append(digest)
    return Chain(tuple(entries), tuple(digests), broken_at)


def _entry(line: _Line) -> Erasure | OptOut | None:
    return line.erasure or line.opt_out


def _lines(journal: Path) -> Sequence[bytes]:
    return journal.read_bytes().split(b"\n")[:-1] if journal.exists() else []


def _append(journal: Path, line: _Line) -> None:
    descriptor = os.open(journal, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # in a cluster several consoles may erase
        content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        last = whole[:-1].rsplit(b"\n", 1)[-1]
        after = sha256(last).hexdigest() if whole else ""
        file.seek(len(whole))
        file.truncate()  # of a line that was cut off, which was never acted upon
        file.write(
            line.model_copy(update={"after": after}).model_dump_json(exclude_none=True).encode() + b"\n"
        )
        file.flush()
        os.fsync(file.fileno())
