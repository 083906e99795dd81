#!/usr/bin/env python3
"""Follow CDR files on the switchboard and post their rows to Leadflow: one file to copy there, no install.

Python 3.6 or newer and its standard library suffice, so nothing of Leadflow is imported. The tailing half is
also what Leadflow itself uses on its own host (`ingest.cti.tail`): there is one tailer, and it lives here
because this file has to stand alone.

    python3 shipper.py --url https://leads.example.com/in/cti/pbx --token-file /etc/leadflow.token \\
        --state /var/lib/leadflow/shipper.json /var/log/asterisk/cdr-csv/Master.csv

Every row is posted until the server has answered 202; only then the checkpoint moves. A crash repeats rows,
under the same keys, and loses none.
"""
# The syntax stays that of Python 3.6, which old switchboards carry.
# ruff: noqa: UP006, UP007, UP035, UP041, UP045

import argparse
import base64
import contextlib
import functools
import glob
import hashlib
import http.client
import json
import logging
import os
import random
import re
import signal
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from typing import (
    IO,
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
)

log = logging.getLogger("leadflow.tail")

MAX_ROW_BYTES = 1048576
"""A longer line is handed on in pieces of this size, so that a damaged file cannot fill the memory."""

BLOCK_BYTES = 65536
"""Read at once: some 300 rows. A day of backlog passes through a window of this size."""

COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".Z")


# --- the tailer: a pure core ------------------------------------------------------------------------------


class Checkpoint(NamedTuple):
    """How far a file was read. Content decides whether a file is still the same; device and inode only help.

    Devices are renumbered at a reboot, inodes are used again, a truncated file can grow longer than before:
    only the bytes of the last row, at the place where they were read, prove that nothing has changed.
    """

    device: int
    inode: int
    offset: int
    line_start: int
    last_line_hash: str
    file: str

    def to_json(self) -> Dict[str, Any]:
        """Return a dict that JSON can hold."""
        return dict(self._asdict())

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Checkpoint":
        """Read what `to_json` gave; KeyError if a part is missing."""
        return cls(**{name: stored[name] for name in cls._fields})


class Seen(NamedTuple):
    """A file as it was just looked at; `holds` says that the checkpoint's last row stands where it stood."""

    path: str
    device: int
    inode: int
    size: int
    mtime_ns: int
    holds: bool


class Observation(NamedTuple):
    """What there is: the file under the followed name, and those beside it that may be it, rotated away.

    `current` must have been looked at before `others`: then, if `current` already has rows, whatever the
    writer put into the older file is in its size.
    """

    current: Optional[Seen]
    others: Tuple[Seen, ...] = ()


class Wait(NamedTuple):
    """There is nothing to read now."""

    reason: str


class Read(NamedTuple):
    """Read `path` from `offset`.

    `final`: the writer has gone on to another file, so an unfinished last line will stay unfinished.
    `torn`: what was read before is found nowhere any more; whether rows are missing cannot be known.
    """

    path: str
    offset: int
    final: bool = False
    torn: bool = False


def advance(checkpoint: Optional[Checkpoint], seen: Observation) -> Union[Wait, Read]:
    """Decide where to read next. Pure: the same checkpoint and the same observation give the same answer."""
    current = seen.current
    if checkpoint is None:
        if current is None:
            return Wait("missing")
        return Read(current.path, 0) if current.size else Wait("nothing new")
    if current is not None and current.holds:
        return (
            Read(current.path, checkpoint.offset) if current.size > checkpoint.offset else Wait("nothing new")
        )
    has_moved_on = current is not None and current.size > 0
    moved = _moved(checkpoint, seen.others)
    if moved is not None:
        if moved.size > checkpoint.offset:
            return Read(moved.path, checkpoint.offset, final=has_moved_on)
        between = [
            other
            for other in seen.others
            if other.mtime_ns > moved.mtime_ns and other.size and not other.holds and _is_dated(other.path)
        ]
        if between:
            return Read(min(between, key=lambda other: other.mtime_ns).path, 0, final=has_moved_on)
    if current is None:
        return Wait("missing")
    if not has_moved_on:
        return Wait("nothing new")
    return Read(current.path, 0, torn=moved is None and checkpoint.offset > 0)


def _moved(checkpoint: Checkpoint, others: Sequence[Seen]) -> Optional[Seen]:
    holding = [other for other in others if other.holds]
    same_inode = [other for other in holding if other.inode == checkpoint.inode]
    # Of two that hold it, the longer one has what the other lacks.
    return max(same_inode or holding, key=lambda other: other.size, default=None)


def _is_dated(path: str) -> bool:
    return re.search(r"[._-]\d[\d._T-]*(?:\.[A-Za-z]+)?$", os.path.basename(path)) is not None


def position_key(file: str, offset: int, row: bytes) -> str:
    """Return the key of a row that has no id of its own: file, offset, and a digest of the row.

    With the digest, a file emptied and filled anew gives new keys although file and offset may recur.
    """
    return f"{file}:{offset}:{_hash(row)}"


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


# --- the tailer: a thin shell -----------------------------------------------------------------------------


class Row(NamedTuple):
    """One row as it stands in the file, with the checkpoint to store once the row is durable elsewhere.

    `file` identifies the file by its first row, so it stays the same through renaming and copying.
    """

    row: bytes
    file: str
    offset: int
    after: Checkpoint
    path: str

    @property
    def key(self) -> str:
        """The row's `position_key`."""
        return position_key(self.file, self.offset, self.row)


class Unreadable(Exception):
    """The file is there but cannot be read."""

    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(
            f"cannot read {path}: {error.strerror or error}; let this user read it "
            "(for instance: usermod -aG asterisk USER, then start anew)"
        )
        self.path = path


class Tail:
    """Follows one file from a checkpoint. It never stores the checkpoint: the caller does, after the row."""

    def __init__(self, path: str, checkpoint: Optional[Checkpoint] = None) -> None:
        self.path = path
        self.checkpoint = checkpoint
        self._waiting_for = ""
        self._torn_at = None  # type: Optional[Checkpoint]

    def poll(self) -> Iterator[Row]:
        """Yield the complete rows that are there now, through all rotations; then stop without waiting.

        Raises Unreadable. May be called again at any time, also after it was not read to its end.
        """
        while True:
            seen = observe(self.path, self.checkpoint)
            decision = advance(self.checkpoint, seen)
            if isinstance(decision, Wait):
                self._tell(decision)
                if self.checkpoint is None and seen.current is not None:
                    # Remember the empty file as it was seen, not as it is by now: its rows are found even if it
                    # is rotated before the next look, and one written since that look is not skipped.
                    self.checkpoint = Checkpoint(seen.current.device, seen.current.inode, 0, 0, "", "")
                return
            if decision.torn and self._torn_at != self.checkpoint:
                self._torn_at = self.checkpoint
                log.warning(
                    "%s was emptied or replaced, and what was read is in no file beside it: "
                    "rows may be missing",
                    self.path,
                )
            self._waiting_for = ""
            before = self.checkpoint
            for row in read_rows(decision, self.checkpoint):
                self.checkpoint = row.after
                yield row
            if self.checkpoint == before:
                return

    def start_at_end(self) -> None:
        """Skip what is in the file already; without a file there is nothing to skip."""
        self.checkpoint = end_of(self.path)

    def _tell(self, decision: Wait) -> None:
        if decision.reason != self._waiting_for and decision.reason == "missing":
            log.warning("%s is not there yet, waiting for it", self.path)
        self._waiting_for = decision.reason


class Tails:
    """Follows several files, named or by patterns such as `/var/log/asterisk/cdr-custom/*.csv`."""

    def __init__(
        self,
        patterns: Sequence[str],
        checkpoints: Optional[Mapping[str, Checkpoint]] = None,
        from_end: bool = False,
    ) -> None:
        """With `from_end`, skip what the files hold now: for a first start only, with no checkpoints yet."""
        self._patterns = list(patterns)
        self._stored = dict(checkpoints or {})
        self._tails = {}  # type: Dict[str, Tail]
        if from_end:
            for path in self._paths():
                self._tail(path).start_at_end()

    def poll(self) -> Iterator[Tuple[str, Row]]:
        """Yield (followed path, row) of every file in turn; the path is what to store the checkpoint under.

        A file that cannot be read does not hold up the others: Unreadable is raised after their rows.
        """
        unreadable = None  # type: Optional[Unreadable]
        for path in self._paths():
            tail = self._tail(path)
            try:
                for row in tail.poll():
                    yield path, row
            except Unreadable as error:
                unreadable = unreadable or error
        if unreadable is not None:
            raise unreadable

    def checkpoints(self) -> Dict[str, Checkpoint]:
        """Return how far each file was read; store it only when all rows yielded so far are durable."""
        read = {path: tail.checkpoint for path, tail in self._tails.items()}
        return {**self._stored, **{path: at for path, at in read.items() if at is not None}}

    def _tail(self, path: str) -> Tail:
        if path not in self._tails:
            self._tails[path] = Tail(path, self._stored.get(path))
        return self._tails[path]

    def _paths(self) -> List[str]:
        named = {pattern for pattern in self._patterns if not glob.has_magic(pattern)}
        found = {path for pattern in self._patterns for path in glob.glob(pattern)}
        paths = named | set(self._stored) | set(self._tails)
        for path in sorted(found, key=len):
            if not path.endswith(COMPRESSED) and not any(_is_rotated(path, other) for other in paths | found):
                paths.add(path)
        return sorted(paths)


def observe(path: str, checkpoint: Optional[Checkpoint]) -> Observation:
    """Look at the followed file and, only if it is not the one that was read, at those beside it."""
    current = _look(path, checkpoint)
    if checkpoint is None or (current is not None and current.holds):
        return Observation(current)
    folder = os.path.dirname(path) or "."
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return Observation(current)
    except OSError as error:
        raise Unreadable(folder, error) from error
    beside = (os.path.join(os.path.dirname(path), name) for name in names)
    looked = (_look_beside(other, checkpoint) for other in beside if _is_rotated(other, path))
    return Observation(current, tuple(other for other in looked if other is not None))


def read_rows(decision: Read, checkpoint: Optional[Checkpoint]) -> Iterator[Row]:
    """Yield the rows from where `decision` points to the last end of line.

    Each block is read together with the row before it, whose hash must agree: if the file was exchanged in
    the meantime, reading stops and the next observation tells what happened.
    """
    at = checkpoint if checkpoint is not None and decision.offset else None
    line_start, offset = (at.line_start, at.offset) if at else (0, 0)
    last_hash, file = (at.last_line_hash, at.file) if at else ("", "")
    with _open(decision.path) as stream:
        status = os.fstat(stream.fileno())
        want = BLOCK_BYTES
        while True:
            known = offset - line_start
            stream.seek(line_start)
            block = stream.read(known + want)
            if len(block) < known or (known and _hash(block[:known]) != last_hash):
                return
            fresh = block[known:]
            rows = [line + b"\n" for line in fresh.split(b"\n")[:-1]]
            if not rows:
                if len(fresh) >= MAX_ROW_BYTES:
                    rows = [fresh[:MAX_ROW_BYTES]]
                elif len(fresh) == want:
                    want = MAX_ROW_BYTES
                    continue
                elif decision.final and fresh:
                    rows = [fresh]
                else:
                    return
            want = BLOCK_BYTES
            for row in rows:
                line_start, offset = offset, offset + len(row)
                last_hash = _hash(row)
                file = file or last_hash
                after = Checkpoint(status.st_dev, status.st_ino, offset, line_start, last_hash, file)
                yield Row(row, file, line_start, after, decision.path)


def end_of(path: str) -> Optional[Checkpoint]:
    """Return the checkpoint behind the last complete row of a file; None if there is no file."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    if not status.st_size:
        return Checkpoint(status.st_dev, status.st_ino, 0, 0, "", "")
    with _open(path) as stream:
        first = next(read_rows(Read(path, 0), None), None)
        stream.seek(max(0, status.st_size - 2 * MAX_ROW_BYTES))
        base = stream.tell()
        last = stream.read()
    end = last.rfind(b"\n") + 1
    if first is None or not end:
        return Checkpoint(status.st_dev, status.st_ino, 0, 0, "", "")
    start = max(last.rfind(b"\n", 0, end - 1) + 1, end - MAX_ROW_BYTES)
    return Checkpoint(
        status.st_dev, status.st_ino, base + end, base + start, _hash(last[start:end]), first.file
    )


def _look(path: str, checkpoint: Optional[Checkpoint]) -> Optional[Seen]:
    try:
        with _open(path) as stream:
            status = os.fstat(stream.fileno())
            holds = checkpoint is not None and _holds(stream, status, checkpoint)
    except FileNotFoundError:
        return None
    return Seen(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, holds)


def _look_beside(path: str, checkpoint: Checkpoint) -> Optional[Seen]:
    try:
        return _look(path, checkpoint)
    except Unreadable as error:
        # An old file must not stop the new one; if it held unread rows, `torn` will be told.
        log.info("%s", error)
        return None


def _holds(stream: IO[bytes], status: os.stat_result, checkpoint: Checkpoint) -> bool:
    if not checkpoint.offset:
        return status.st_ino == checkpoint.inode
    if status.st_size < checkpoint.offset:
        return False
    stream.seek(checkpoint.line_start)
    return _hash(stream.read(checkpoint.offset - checkpoint.line_start)) == checkpoint.last_line_hash


def _open(path: str) -> IO[bytes]:
    try:
        return open(path, "rb", buffering=0)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(path, error) from error


def _is_rotated(path: str, followed: str) -> bool:
    """Say whether a name is that of a followed file after rotation: Master.csv.1, Master-20260101.csv, …."""
    name, base = os.path.basename(path), os.path.basename(followed)
    if name == base or os.path.dirname(path) != os.path.dirname(followed) or name.endswith(COMPRESSED):
        return False
    stem, extension = os.path.splitext(base)
    dated = re.escape(stem) + r"[._-]\d{6}[\d._T-]*" + re.escape(extension)
    return re.fullmatch(re.escape(base) + r"[._-](?:\d[\d._T-]*|old|bak|prev)", name) is not None or (
        re.fullmatch(dated, name) is not None
    )


# --- the shipper ------------------------------------------------------------------------------------------

BACKOFF_S = (1.0, 60.0)
"""First and longest pause between two tries. A minute at most: a missed caller waits no longer for us."""

TIMEOUT_S = 30.0

EXIT_STOPPED, EXIT_USAGE, EXIT_REFUSED, EXIT_UNREADABLE = 0, 2, 3, 4


class Stop(Exception):
    """Nothing can go on until a person has changed something; the message says what."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class Server(NamedTuple):
    """Where the rows go."""

    url: str
    token: str
    opener: urllib.request.OpenerDirector


class Shipper(NamedTuple):
    """Posts rows until they are accepted, and only then saves the checkpoint."""

    server: Server
    save: Callable[[Mapping[str, Checkpoint]], None]
    is_stopping: Callable[[], bool]
    rest: Callable[[float], None]
    batch_rows: int

    def ship(self, tails: Tails) -> int:
        """Post all rows that are there now and return how many were accepted; raises Stop and Unreadable."""
        stored = tails.checkpoints()
        shipped = weight = 0
        batch = []  # type: List[Tuple[str, Row]]
        unreadable = None  # type: Optional[Unreadable]
        try:
            for path, row in tails.poll():
                if batch and (len(batch) >= self.batch_rows or weight + len(row.row) > MAX_ROW_BYTES):
                    if not self._deliver(batch, stored):
                        return shipped
                    shipped, weight, batch = shipped + len(batch), 0, []
                batch.append((path, row))
                weight += len(row.row)
        except Unreadable as error:
            unreadable = error
        if batch:
            if not self._deliver(batch, stored):
                return shipped
            shipped += len(batch)
        if unreadable is not None:
            raise unreadable
        if stored != tails.checkpoints():
            # A file seen for the first time and still empty: its place is worth remembering too.
            self.save(tails.checkpoints())
        return shipped

    def _deliver(self, batch: Sequence[Tuple[str, Row]], stored: Dict[str, Checkpoint]) -> bool:
        """Post until the server has the rows; False if we were told to stop before that."""
        pause = BACKOFF_S[0]
        while not self.is_stopping():
            answer = post(self.server, [row for _, row in batch])
            if answer.status == 202:
                stored.update((path, row.after) for path, row in batch)
                self.save(stored)
                return True
            if answer.status == 413 and len(batch) > 1:
                half = len(batch) // 2
                return self._deliver(batch[:half], stored) and self._deliver(batch[half:], stored)
            if not answer.is_passing:
                raise Stop(f"the server refused the rows: {answer.text}. {answer.advice}", EXIT_REFUSED)
            # Jitter: many switchboards must not come back in the same instant.
            wait = answer.retry_after or random.uniform(pause / 2, pause)  # noqa: S311
            log.warning("%d rows not taken (%s), next try in %.1f s", len(batch), answer.text, wait)
            self.rest(wait)
            pause = min(pause * 2, BACKOFF_S[1])
        return False


class Answer(NamedTuple):
    """What the server said; status 0 is no answer at all."""

    status: int
    text: str
    retry_after: float = 0.0

    @property
    def is_passing(self) -> bool:
        """Whether the same request can succeed later."""
        return self.status in (0, 408, 425, 429) or self.status >= 500

    @property
    def advice(self) -> str:
        """What a person should do."""
        if self.status in (401, 403):
            return "Check the token: `leadflow token new` on the server makes one"
        if self.status == 404 or self.status < 400:
            return "Check --url: it must be the address of the call rows, and answer 202"
        return "Nothing was skipped; mend the cause and start again"


def post(server: Server, rows: Sequence[Row]) -> Answer:
    """Send rows as JSON lines of key, file, offset and row (base64)."""
    lines = (
        json.dumps(
            {
                "key": row.key,
                "file": row.file,
                "offset": row.offset,
                "row": base64.b64encode(row.row).decode("ascii"),
            }
        )
        for row in rows
    )
    request = urllib.request.Request(  # noqa: S310 - _arguments lets only http and https through
        server.url,
        data="".join(line + "\n" for line in lines).encode("ascii"),
        headers={
            "Content-Type": "application/x-ndjson",
            "Authorization": "Bearer " + server.token,
            "User-Agent": "leadflow-shipper/1",
        },
        method="POST",
    )
    try:
        with server.opener.open(request, timeout=TIMEOUT_S) as response:
            return Answer(response.getcode(), f"status {response.getcode()}")
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _said(error), _retry_after(error))
    except (urllib.error.URLError, socket.timeout, OSError, ValueError) as error:
        return Answer(0, f"no answer: {getattr(error, 'reason', error)}")
    except http.client.HTTPException as error:  # A server killed in the middle of its answer.
        return Answer(0, f"no answer: {type(error).__name__}")


def _said(error: urllib.error.HTTPError) -> str:
    try:
        said = error.read(2000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException):  # The status alone decides; its explanation may be lost.
        said = ""
    try:
        told = json.loads(said)
        said = " ".join(str(told[name]) for name in ("code", "message", "hint", "detail") if name in told)
    except (ValueError, TypeError):
        pass
    return f"status {error.code} {' '.join(said.split())[:300]}".strip()


def _retry_after(error: urllib.error.HTTPError) -> float:
    try:
        return max(0.0, min(float(error.headers.get("Retry-After", "0")), BACKOFF_S[1]))
    except ValueError:
        return 0.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    # A redirected POST becomes a GET that answers 200: rows would be thought delivered.
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def load(state: str) -> Dict[str, Checkpoint]:
    """Read the stored checkpoints; none if there is no file yet. Raises Stop if the file is damaged."""
    try:
        with open(state, encoding="utf-8") as stream:
            files = json.load(stream)["files"]
            return {path: Checkpoint.from_json(stored) for path, stored in files.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Stop(
            f"{state} is damaged; delete it to send every row of the files again (repeats are recognised)",
            EXIT_USAGE,
        ) from error


def save(state: str, checkpoints: Mapping[str, Checkpoint]) -> None:
    """Replace the stored checkpoints in one step that a power failure cannot halve. Raises Stop."""
    text = json.dumps({"files": {path: at.to_json() for path, at in sorted(checkpoints.items())}}, indent=1)
    fresh = state + ".new"
    try:
        with open(fresh, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(fresh, state)
        folder = os.open(os.path.dirname(state) or ".", os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise Stop(
            f"cannot write {state}: {error}; make room or choose another --state", EXIT_USAGE
        ) from error


class _WithoutNumbers(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return re.sub(r"\+?\d{7,}", "#######", super().format(record))


def _arguments(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Post the rows of Asterisk CDR files to Leadflow.")
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="CDR file, or a quoted pattern such as '*.csv'"
    )
    parser.add_argument("--url", required=True, help="address of the call rows on the Leadflow server")
    parser.add_argument("--token", default=os.environ.get("LEADFLOW_TOKEN"), help="or LEADFLOW_TOKEN")
    parser.add_argument("--token-file", help="file that holds the token, so that it shows in no process list")
    parser.add_argument("--state", default="leadflow-shipper.json", help="where the checkpoint is kept")
    parser.add_argument("--ca-file", help="certificate of your own authority")
    parser.add_argument("--batch", type=int, default=200, help="rows a request at most (default 200)")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two looks (default 1)")
    parser.add_argument("--from-end", action="store_true", help="at the very first start, skip the old rows")
    parser.add_argument("--once", action="store_true", help="send what is there, then end")
    arguments = parser.parse_args(argv)
    if arguments.token_file:
        try:
            with open(arguments.token_file, encoding="utf-8") as stream:
                arguments.token = stream.read().strip()
        except OSError as error:
            parser.error(f"cannot read --token-file: {error}")
    if not arguments.token:
        parser.error("no token: give --token-file, LEADFLOW_TOKEN or --token")
    if not arguments.url.startswith(("http://", "https://")):
        parser.error("--url must begin with https:// or http://")
    if arguments.batch < 1:
        parser.error("--batch must be 1 or more")
    return arguments


@contextlib.contextmanager
def _only_one(state: str) -> Iterator[None]:
    import fcntl  # Here, because the tailer above also serves hosts that have no fcntl.

    with contextlib.ExitStack() as stack:
        try:
            lock = stack.enter_context(open(state + ".lock", "w"))
        except OSError as error:
            raise Stop(f"cannot write {state}: {error}; choose another --state", EXIT_USAGE) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Stop(
                f"another shipper already uses {state}; give each its own --state", EXIT_USAGE
            ) from error
        yield


def _run(arguments: argparse.Namespace) -> int:
    stops = []  # type: List[int]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: stops.append(got))

    def rest(seconds: float) -> None:
        until = time.monotonic() + seconds
        while not stops and time.monotonic() < until:
            time.sleep(min(0.2, max(0.0, until - time.monotonic())))

    with _only_one(arguments.state):
        trust = ssl.create_default_context(cafile=arguments.ca_file)
        opener = urllib.request.build_opener(_NoRedirect(), urllib.request.HTTPSHandler(context=trust))
        server = Server(arguments.url, arguments.token, opener)
        is_first = not os.path.exists(arguments.state)
        tails = Tails(arguments.files, load(arguments.state), from_end=arguments.from_end and is_first)
        keep = functools.partial(save, arguments.state)
        if is_first:
            keep(tails.checkpoints())
        shipper = Shipper(server, keep, lambda: bool(stops), rest, arguments.batch)
        while not stops:
            sent = shipper.ship(tails)
            if sent:
                log.info("%d rows delivered", sent)
            if arguments.once:
                break
            rest(arguments.interval)
    return EXIT_STOPPED


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run until told to stop; returns the exit code."""
    arguments = _arguments(argv)
    handler = logging.StreamHandler()
    handler.setFormatter(_WithoutNumbers("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        return _run(arguments)
    except Stop as error:
        log.error("%s", error)
        return error.code
    except Unreadable as error:
        log.error("%s", error)
        return EXIT_UNREADABLE


if __name__ == "__main__":
    sys.exit(main())
