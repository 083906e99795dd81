"""Asterisk's queue_log: one line an event of a call that waits in a queue; a call that was given up is a lead.

`epoch|callid|queue|agent|EVENT|p1|p2|…` (docs.asterisk.org, Operation, Logging, Queue Logs). The id of a call is that of
the caller's channel, so with `cdr_source` its lines and the call records of the same call are judged as one call.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from pydantic import Field, field_validator

from ingest.cti.numbers import is_withheld, split_extension, without_trunk_prefix
from schemas.capture import Capture
from schemas.lead import Call, CampaignHint, FieldValue, Lead, lead_of
from schemas.results import Ignored, ParseResult, Part, Refused
from schemas.sources import SourceSettings
from schemas.text import storable

EVENT = "queue_event"
"""Names what a part is: rows of call records have none."""

_WAITS_S = 4 * 3_600.0
"""Nobody waits or talks for longer; a call whose end is not written (a power cut) is judged then."""
_LEFT_S = 60.0
"""Who left a queue may enter another one, or leave a message: for a minute it is not over."""
_CLOCK_SLACK_S = 300
_ENDS = frozenset({"ABANDON", "COMPLETEAGENT", "COMPLETECALLER"})
_LEAVES = frozenset(
    {"EXITWITHTIMEOUT", "EXITEMPTY", "EXITWITHKEY", "BLINDTRANSFER", "ATTENDEDTRANSFER", "TRANSFER", "AGENTDUMP", "SYSCOMPAT"}
)  # fmt: skip
_GOES_ON = frozenset({"ENTERQUEUE", "DID", "CONNECT", "RINGNOANSWER", "RINGCANCELED"})
_LEAST = {"ENTERQUEUE": 2, "ABANDON": 3, "CONNECT": 1, "COMPLETEAGENT": 2, "COMPLETECALLER": 2, "DID": 1}
"""Parameters that must be there: with fewer the line was cut."""
_OF_AGENTS = re.compile(
    r"(?:AGENT|ADDMEMBER|REMOVEMEMBER|PAUSE|UNPAUSE|CONFIGRELOAD|QUEUESTART|PENALTY|RINGINUSE|MEMBER)[A-Z]*"
)


class QueueLog(SourceSettings):
    """The queue_log of an Asterisk switchboard, followed here or shipped to us."""

    channel: Literal["cti"] = "cti"
    format: str = "cti.queue_log"
    files: tuple[str, ...] = Field(
        (), description="Files on this machine to follow, such as /var/log/asterisk/queue_log"
    )
    cdr_source: str | None = Field(
        None, description="The source with the same switchboard's call records: one call is one lead"
    )
    queues: tuple[str, ...] = Field((), description="Only these queues; none: all")
    internal: str = Field(r"\d{3,4}", description="Pattern of our extensions: never a customer")
    trunk_prefixes: tuple[str, ...] = Field((), description="Digits dialled to get a line")
    country: str = Field("CN", pattern=r"^[A-Z]{2}$", description="Country whose numbers come without +")
    settle_s: float = Field(5.0, ge=0, description="Quiet seconds after its end before a call is judged")

    @field_validator("internal")
    @classmethod
    def _is_pattern(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"{pattern!r} is no pattern: {error}") from error
        return pattern


def parse(capture: Capture, source: QueueLog) -> tuple[ParseResult, ...]:
    """Read one line into a part of its call; Ignored what is not about a call, Refused a line that was cut."""
    text = capture.body.decode("utf-8", "replace")
    if not text.strip():
        return (Ignored(stage="parse", code="blank_row", message="The line is empty"),)
    if "\0" in text:
        hint = "A power failure or a full disk leaves them; if a whole line follows them, repair to that."
        return (_refused("nul_byte", None, "The line contains NUL bytes", hint),)
    cells = text.rstrip("\r\n").split("|")
    if len(cells) < 5 or not text.endswith("\n"):
        return (
            _refused(
                "truncated_row", None, "The line is cut", "Repair to the whole line of the switchboard."
            ),
        )
    if not re.fullmatch(r"\d{9,10}(?:\.\d+)?", cells[0]):
        return (_refused("bad_date", "time", "The line does not begin with a time", "Is this a queue_log?"),)
    return (_part(cells, capture, source),)


def _part(cells: Sequence[str], capture: Capture, source: QueueLog) -> Part | Ignored | Refused:
    call, queue, agent, event, parameters = cells[1], cells[2], cells[3], cells[4], cells[5:]
    if call in ("", "NONE", "REALTIME", "MANAGER") or _OF_AGENTS.fullmatch(event):
        return Ignored(
            stage="parse", code="queue_state", message="An event of agents or of the queue, not of a call"
        )
    if source.queues and queue not in source.queues and queue != "NONE":
        return Ignored(stage="parse", code="other_queue", message="A queue that this source does not follow")
    if event not in _ENDS | _LEAVES | _GOES_ON:
        return Ignored(stage="parse", code="queue_state", message="An event that says nothing of the caller")
    if len(parameters) < _LEAST.get(event, 0):
        return _refused(
            "truncated_row", event, "Parameters are missing", "Repair to the whole line of the switchboard."
        )
    at_us = int(float(cells[0]) * 1_000_000)
    flags = "future_date" if at_us > capture.accepted_us + _CLOCK_SLACK_S * 1_000_000 else ""
    data = {EVENT: event, "at_us": str(at_us), "call": call, "queue": queue, "agent": agent, "flags": flags}
    data |= {f"p{number}": text for number, text in enumerate(parameters, 1)}
    settle_s = source.settle_s if event in _ENDS else _LEFT_S if event in _LEAVES else _WAITS_S
    return Part(
        group=f"{source.cdr_source or source.source_id}/{storable(call)}",
        settle_s=settle_s,
        data={key: storable(text) for key, text in data.items()},
    )


def assemble(rows: Collection[Mapping[str, str]], source: QueueLog, capture: Capture) -> Lead | Ignored:
    """Judge a call from the lines of its queue alone: inbound, answered if an agent was connected."""
    lines = sorted(rows, key=lambda row: (int(row["at_us"]), _ORDER.get(row[EVENT], 5), sorted(row.items())))
    caller = next((row["p2"] for row in lines if row[EVENT] == "ENTERQUEUE" and "p2" in row), "")
    if caller and not is_withheld(caller) and re.fullmatch(source.internal, split_extension(caller).number):
        return Ignored(
            stage="parse",
            code="internal_call",
            field="queue_log:callerid",
            message="One of our own extensions called the queue",
            hint="If it was a customer, correct `internal` of this source",
        )
    number = None
    if caller and not is_withheld(caller):
        number = storable(
            without_trunk_prefix(caller, country=source.country, prefixes=source.trunk_prefixes)
        )
    dialled = next((row["p1"] for row in lines if row[EVENT] == "DID" and row.get("p1")), None)
    fields = [FieldValue(name="phone", received=number, origin="queue_log:callerid")] if number else []
    queues = dict.fromkeys(row["queue"] for row in lines if row["queue"] not in ("", "NONE"))
    fields += [
        FieldValue(name="other", label="queue", received=one, origin="queue_log:queue") for one in queues
    ]
    told = told_of(lines, source.internal)
    return lead_of(
        capture,
        tuple(fields),
        occurred_us=int(lines[0]["at_us"]),
        hints=(CampaignHint(kind="dialled", value=dialled),) if dialled else (),
        language=source.language,
        call=Call(
            call_id=lines[0]["call"],
            direction="inbound",
            answered=told.answered,
            caller=number,
            dialled=dialled,
            agent=told.agent,
            talk_s=told.talk_s,
            wait_s=told.wait_s,
        ),
        flags=told.flags,
    )


_ORDER = {"DID": 0, "ENTERQUEUE": 1, "RINGNOANSWER": 2, "CONNECT": 3, "ABANDON": 9, "COMPLETEAGENT": 9, "COMPLETECALLER": 9}  # fmt: skip
"""Of events in the same second."""


class Told:
    """What the lines of a queue say of a call."""

    def __init__(self, lines: Sequence[Mapping[str, str]], internal: str) -> None:
        self.answered = any(line[EVENT] == "CONNECT" for line in lines)
        self.talk_s = sum(_seconds(line, "p2") for line in lines if line[EVENT].startswith("COMPLETE"))
        self.wait_s = sum(_waited(line) for line in lines)
        self.agent = next(
            (found for line in reversed(lines) if line[EVENT] in ("CONNECT", "RINGNOANSWER") and (found := _extension(line["agent"], internal))),
            None,
        )  # fmt: skip
        self.is_abandoned = any(line[EVENT] == "ABANDON" for line in lines) and not self.answered
        flags = {one for line in lines for one in line.get("flags", "").split(",") if one}
        self.flags = tuple(sorted(flags | ({"abandoned"} if self.is_abandoned else set())))


def told_of(lines: Sequence[Mapping[str, str]], internal: str) -> Told:
    """Return what the lines of a queue say of a call."""
    return Told(lines, internal)


def _waited(line: Mapping[str, str]) -> int:
    """Return the seconds in the queue that an event tells: CONNECT(hold|…), ABANDON and EXITWITHTIMEOUT(…|…|wait)."""
    if line[EVENT] == "CONNECT":
        return _seconds(line, "p1")
    if line[EVENT] in ("ABANDON", "EXITWITHTIMEOUT", "EXITEMPTY"):
        return _seconds(line, "p3")
    return _seconds(line, "p4") if line[EVENT] == "EXITWITHKEY" else 0


def _seconds(line: Mapping[str, str], name: str) -> int:
    text = line.get(name, "")
    return int(text) if text.isdigit() and len(text) < 8 else 0


def _extension(agent: str, internal: str) -> str | None:
    """Return 801 of PJSIP/801, Local/801@from-queue/n or Agent/801; None of a member that is named otherwise."""
    name = agent.partition("/")[2].partition("@")[0].partition("-")[0] or agent
    return name if re.fullmatch(internal, name) else None


def with_queue(lead: Lead | Ignored, lines: Sequence[Mapping[str, str]], internal: str) -> Lead | Ignored:
    """Return a call, judged by its records, with what its queue knows better: who spoke, and how long one waited."""
    if isinstance(lead, Ignored) or lead.call is None or not lines:
        return lead
    told = told_of(lines, internal)
    call = lead.call.model_copy(
        update={
            "answered": lead.call.answered or told.answered,
            "wait_s": told.wait_s or lead.call.wait_s,
            "talk_s": told.talk_s or lead.call.talk_s,
            "agent": lead.call.agent or told.agent,
        }
    )
    flags = (set(lead.flags) - {"talk_includes_wait"}) | set(told.flags)
    return lead.model_copy(update={"call": call, "flags": tuple(sorted(flags))})


def _refused(code: str, field: str | None, message: str, hint: str) -> Refused:
    return Refused(stage="parse", code=code, field=field, message=message, hint=hint)
