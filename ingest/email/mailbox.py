"""The mailbox of a mail source: where it is, how to get in, where to begin, and where a reader goes on. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from schemas.base import Frozen


class ImapMailbox(Frozen):
    """A mailbox at a provider, read by IMAP. The password stands in a file or in the environment, never here."""

    host: str = Field(min_length=1, description="IMAP server, such as imap.163.com")
    port: int = Field(993, ge=1, le=65535)
    tls: Literal["implicit", "starttls", "none"] = Field(
        "implicit", description="`none` only for a server on this machine"
    )
    ca_file: str | None = Field(None, description="Certificate (PEM) to trust beside the usual ones")
    user: str = Field(min_length=1, description="Usually the whole address")
    password_file: str | None = Field(None, description="File whose first line is the password")
    password_env: str | None = Field(
        None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Environment variable that holds the password"
    )
    folder: str = Field("INBOX", min_length=1)
    mode: Literal["read_only", "seen", "move"] = Field(
        "read_only", description="What is done with a mail that was taken: nothing, marked as seen, moved"
    )
    move_to: str | None = Field(None, description='Folder for `mode = "move"`; it must be there')
    start: str = Field(
        "new", description="`new`: only what comes from now on; `all`; or a day, such as 2026-01-01"
    )
    poll_s: float = Field(
        60.0, gt=0, le=3_600, description="Seconds between two looks, where the server cannot tell"
    )

    @field_validator("start")
    @classmethod
    def _is_start(cls, start: str) -> str:
        if start not in ("new", "all"):
            try:
                date.fromisoformat(start)
            except ValueError:
                raise ValueError("write new, all, or a day such as 2026-01-01") from None
        return start

    @model_validator(mode="after")
    def _fits(self) -> ImapMailbox:
        if (self.password_file is None) == (self.password_env is None):
            raise ValueError(
                "name either password_file or password_env; the password itself does not belong here"
            )
        if self.tls == "none" and self.host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError(
                'tls = "none" would send the password in clear; it is for a server on this machine'
            )
        if (self.mode == "move") != (self.move_to is not None):
            raise ValueError('mode = "move" needs move_to, and only it')
        return self

    @property
    def path(self) -> str:
        """Under which name it is kept how far it was read: another mailbox, folder or user is another one."""
        return f"imap:{self.user}@{self.host}:{self.port}/{self.folder}"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a mailbox was read. `uid` is the last that is durable under this `validity` (RFC 9051, 2.3.1.1).

    Of mails below `until`, only those that came at or after `from_us` are taken: they were there before we began, or
    before the server numbered its mails anew. `marking` are the last taken, which may still have to be marked.
    """

    validity: int
    uid: int
    until: int
    from_us: int
    marking: tuple[int, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return a dict that JSON can hold."""
        return {**asdict(self), "marking": list(self.marking)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Progress:
        """Read what `to_json` gave; KeyError if a part is missing."""
        numbers = {name: int(stored[name]) for name in ("validity", "uid", "until", "from_us")}
        return cls(**numbers, marking=tuple(int(one) for one in stored.get("marking", ())))


def resume(
    known: Progress | None, mailbox: ImapMailbox, *, validity: int, next_uid: int, now_us: int, zone: ZoneInfo
) -> Progress:
    """Return where to go on in a mailbox that has this UIDVALIDITY and UIDNEXT.

    With another validity than before every number means another mail: it is read from the first on, and the keys of
    what was taken already (Message-ID and bytes) keep it from becoming anything twice.
    """
    if known is not None and known.validity == validity:
        return known
    if known is not None:
        return Progress(validity, 0, next_uid, known.from_us)
    if mailbox.start == "new":
        return Progress(validity, next_uid - 1, next_uid, now_us)
    if mailbox.start == "all":
        return Progress(validity, 0, next_uid, 0)
    day = datetime.combine(date.fromisoformat(mailbox.start), datetime.min.time(), zone)
    return Progress(validity, 0, next_uid, int(day.timestamp()) * 1_000_000)


def is_wanted(progress: Progress, uid: int, came_us: int | None) -> bool:
    """Tell whether a mail is to be taken: it is new, or it came late enough. One without a date is taken."""
    return uid >= progress.until or came_us is None or came_us >= progress.from_us


def further(progress: Progress, uid: int, marking: tuple[int, ...]) -> Progress:
    """Return the progress once everything up to `uid` is durable."""
    return replace(progress, uid=max(progress.uid, uid), marking=marking)
