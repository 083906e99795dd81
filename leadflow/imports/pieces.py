"""The file of a list as captures: in pieces, so that it is durable before anything is read of it, and never in memory whole."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from ingest.lists.row import PIECE
from ingest.lists.table import ListRefused
from leadflow.clock import new_id, wall_clock_us
from leadflow.engine import Data, Engine
from schemas.capture import capture_of
from store.acts import ActRefused
from store.views import capture_place

PIECE_BYTES = 1024 * 1024
"""Well below what a broker takes in one message, and a second's work on a slow line."""


def source_of(engine: Engine, source_id: str) -> dict[str, Any]:
    """Return the settings of a sender of lists. Raises ActRefused."""
    source = engine.sources().get(source_id)
    if source is None or source["format"] != "list.row":
        raise ActRefused(
            "unknown_source", f"There is no source {source_id!r} of format list.row; add one to company.toml."
        )
    return source


def cut(file: BinaryIO) -> Iterator[bytes]:
    """Yield a file in pieces."""
    file.seek(0)
    while piece := file.read(PIECE_BYTES):
        yield piece


def digest_of(file: BinaryIO) -> tuple[str, int]:
    """Return a file's digest (SHA-256) and how many bytes it has."""
    digest, size = hashlib.sha256(), 0
    for piece in cut(file):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size


def keep(engine: Engine, source_id: str, digest: str, number: int, body: bytes) -> str:
    """Make one piece durable; return its capture. The same piece again is the same capture."""
    source = source_of(engine, source_id)
    capture = capture_of(
        source_id=source_id,
        channel="list",
        format="list.row",
        body=body,
        accepted_us=wall_clock_us(),
        trace_id=new_id(),
        idem_key=f"file:{digest}:{number}",
        purpose=source.get("purpose", "real"),
        meta={PIECE: str(number)},
    )
    engine.door.append([capture]).result()
    return capture.capture_id


def keep_file(engine: Engine, source_id: str, file: BinaryIO, digest: str) -> list[str]:
    """Make a whole file durable; return its captures in order."""
    return [keep(engine, source_id, digest, number, body) for number, body in enumerate(cut(file))]


class NotYet(RuntimeError):
    """A piece is durable, and the stages have not come to it yet."""


def assembled(data: Data, pieces: Sequence[str], digest: str) -> BinaryIO:
    """Return the file anew, without a name on the disk. Raises NotYet, and ListRefused if it is kept no longer."""
    file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115
    for capture_id in pieces:
        capture = data.capture(capture_id)
        if capture is None:
            file.close()
            raise _gone() if _was_there(data, capture_id) else NotYet(capture_id)
        file.write(capture.body)
    if digest_of(file)[0] != digest:
        file.close()
        raise _gone()
    file.seek(0)
    return file


def _was_there(data: Data, capture_id: str) -> bool:
    with data.store.read() as connection:
        return capture_place(connection, capture_id) is not None


def _gone() -> ListRefused:
    return ListRefused(
        "file_gone",
        "The file is kept no longer: it is too old, or somebody who stood in it was erased.",
        "The rows that were taken are there; bring the others as a new file.",
        "原文件已不再保留（超过期限，或其中的客户已被删除）。已导入的行不受影响，其余请用新文件导入。",
    )
