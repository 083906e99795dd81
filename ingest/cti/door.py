"""The call-record door: follows CDR files on this machine, and takes rows from shippers on other ones."""

from __future__ import annotations

import hmac
import threading
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from answers.problem import problem
from ingest.cti.asterisk import AsteriskCdr, row_key
from ingest.cti.queue_log import QueueLog
from ingest.cti.tail import Checkpoint, Tails, Unreadable, position_key
from schemas.capture import Capture, capture_of
from stream.crash import crash_point
from stream.door_log import PROBE_HEADER, DoorLog, Overloaded
from stream.door_log import Checkpoint as Saved

log = structlog.get_logger()

POLL_S = 1.0
"""How often followed files are looked at: a call is judged 5 s after its last row, so one more is not felt."""
ROWS_AT_ONCE = 500
"""Rows under one fsync. A day's backlog of 100,000 rows is 200 commits, and at most 500 rows wait in memory."""
MAX_BATCH_BYTES = 4 * 1024 * 1024
"""A shipper sends at most 1.4 MB at once; room for one that was set otherwise."""


Followed = AsteriskCdr | QueueLog
"""What stands in files that grow: call records, and the log of queues."""
_FOLLOWED: Mapping[str, type[AsteriskCdr] | type[QueueLog]] = {
    "cti.asterisk": AsteriskCdr,
    "cti.queue_log": QueueLog,
}


def _source(settings: Mapping[str, Any]) -> Followed:
    return _FOLLOWED[settings["format"]].model_validate(settings)


def _key(row: bytes, source: Followed, file: str, offset: int) -> str:
    return (
        row_key(row, source, file, offset)
        if isinstance(source, AsteriskCdr)
        else position_key(file, offset, row)
    )


@dataclass
class CallDoor:
    """Follows the files of every call source, and answers the shippers."""

    log: DoorLog
    sources: Callable[[], dict[str, dict[str, Any]]]
    clock: Callable[[], int]
    new_id: Callable[[], str]
    trouble: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._tails: dict[str, tuple[Followed, Tails]] = {}
        self._thread = threading.Thread(target=self._run, name="call-door", daemon=True)

    def start(self) -> None:
        """Start following."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; what was read and not yet durable will be read again."""
        self._stopping.set()
        self._thread.join()

    def routes(self) -> list[Route]:
        """Return the shippers' route."""
        return [Route("/in/cti/{source_id}", self.accept, methods=["POST"])]

    def poll(self) -> int:
        """Read what the files of every source hold now; return how many rows became durable."""
        settings = {key: value for key, value in self.sources().items() if value["format"] in _FOLLOWED}
        for gone in self._tails.keys() - settings.keys():
            del self._tails[gone]
        return sum(self._poll_source(_source(value)) for value in settings.values())

    async def accept(self, request: Request) -> Response:
        """Take JSON lines {key, file, offset, row}; 202 once every row is durable, 400 names the first bad line."""
        settings = self.sources().get(request.path_params["source_id"])
        if settings is None or settings["format"] not in _FOLLOWED:
            return problem(404, "unknown_source", "There is no call source of this name.")
        source = _source(settings)
        is_probe = self.log.is_probe(request.headers.get(PROBE_HEADER))
        if not is_probe and not _is_authorised(request, source.secret):
            return problem(401, "bad_token", "The token is missing or wrong; it is `secret` of this source.")
        body = await request.body()
        if len(body) > MAX_BATCH_BYTES:
            return problem(413, "too_large", f"More than {MAX_BATCH_BYTES} bytes; send fewer rows at once.")
        try:
            rows = [_shipped(line) for line in body.splitlines() if line.strip()]
        except ValueError as error:
            return problem(400, "bad_line", str(error))
        if is_probe:
            source = source.model_copy(update={"purpose": "probe"})
        captures = [self._capture(source, row, file, offset) for row, file, offset in rows]
        try:
            await self.log.durable(captures)
        except Overloaded:
            return problem(
                503, "overloaded", "It cannot be written at the moment; try again in a few seconds."
            )
        crash_point("answered")
        return JSONResponse({"accepted": len(captures)}, status_code=202)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                busy = self.poll() >= ROWS_AT_ONCE
            except Overloaded:
                busy = False
            except Exception as error:
                log.error("call_door_failed", error=type(error).__name__)
                busy = False
            if not busy:
                self._stopping.wait(POLL_S)

    def _poll_source(self, source: Followed) -> int:
        if not source.files:
            return 0
        known = self._tails.get(source.source_id)
        if known is None or known[0] != source:
            self._tails[source.source_id] = (source, self._open(source))
        tails, total = self._tails[source.source_id][1], 0
        rows = tails.poll()
        try:
            while batch := list(islice(rows, ROWS_AT_ONCE)):
                self._append(source, batch)
                total += len(batch)
            self.trouble.pop(source.source_id, None)
        except Unreadable as error:
            self.trouble[source.source_id] = str(error)
        except BaseException:
            # Not durable: forget how far this reader is, so that the next one starts at the saved place.
            del self._tails[source.source_id]
            raise
        return total

    def _open(self, source: Followed) -> Tails:
        saved = self.log.checkpoints_of(source.source_id)
        return Tails(source.files, {path: Checkpoint.from_json(state) for path, state in saved.items()})

    def _append(self, source: Followed, batch: Sequence[tuple[str, Any]]) -> None:
        captures = [self._capture(source, row.row, row.file, row.offset) for _, row in batch]
        last = {path: row.after for path, row in batch}
        saved = [Saved(source.source_id, path, after.to_json()) for path, after in last.items()]
        self.log.append(captures, saved).result()

    def _capture(self, source: Followed, row: bytes, file: str, offset: int) -> Capture:
        return capture_of(
            source_id=source.source_id,
            channel="cti",
            format=source.format,
            body=row,
            accepted_us=self.clock(),
            trace_id=self.new_id(),
            idem_key=_key(row, source, file, offset),
            purpose=source.purpose,
            meta={"file": file, "offset": str(offset)},
        )


def _shipped(line: bytes) -> tuple[bytes, str, int]:
    try:
        data: Mapping[str, Any] = orjson.loads(line)
        return b64decode(data["row"], validate=True), str(data["file"]), int(data["offset"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, NotBase64) as error:
        raise ValueError(
            f"A line is not {{key, file, offset, row}} in JSON ({type(error).__name__})."
        ) from error


def _is_authorised(request: Request, secret: str | None) -> bool:
    given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    return secret is not None and hmac.compare_digest(given.encode(), secret.encode())
