"""A whole call out of its CDR rows: who called whom, did a person of ours speak, how long, since when.

Source of the rules: the CDR Specification on docs.asterisk.org and main/cdr.c (Asterisk 12 and later).
- A row is one path between two channels. Every ring attempt writes its own, and so does every transfer.
- Once an IVR or a queue has answered the caller, a row without a second channel ends ANSWERED though nobody
  spoke; and a failed ring attempt has a positive billsec, but a disposition of its own (NO ANSWER, BUSY).
- So a conversation is a row that is ANSWERED *and* has a second channel *and* lasted.
- A Local channel is a wire between two rows: what the far end did stands in the row of its other half.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Literal, NamedTuple

from ingest.cti.asterisk import AsteriskCdr
from ingest.cti.numbers import (
    is_outside,
    is_same_number,
    is_withheld,
    names_nobody,
    split_extension,
    without_trunk_prefix,
)
from schemas.capture import Capture
from schemas.lead import Call, CampaignHint, FieldValue, Lead, lead_of
from schemas.results import Ignored
from schemas.text import storable

Direction = Literal["inbound", "outbound", "internal"]

_VOICEMAIL = frozenset({"voicemail", "voicemailmain", "minivmrecord"})
_FAX = frozenset({"receivefax", "rxfax"})
_DIALLED = frozenset({"appdial", "appdial2"})
"""What a channel shows as its last application when somebody else dialled it: it called nobody."""


def assemble(rows: Collection[Mapping[str, str]], source: AsteriskCdr, capture: Capture) -> Lead | Ignored:
    """Judge one call from the `Part.data` of all its rows, in any order, repeated or not.

    `capture` is that of the part which opened the group; it gives the lead its id and must stay the same
    when late rows are added, so that the call stays one lead. Inbound calls are enquiries; outbound calls
    are touches (kind `existing_customer`); calls among ourselves and faxes are ignored.
    """
    if not rows:
        raise ValueError("a call has at least one row")
    legs = _legs(rows)
    first, direction = _first_outside(legs, source)
    if direction == "internal":
        return Ignored(
            stage="parse",
            code="internal_call",
            field="cdr:channel",
            message="A call among our own extensions",
            hint="If it was a customer, correct `internal`, `own_numbers` or `trunks` of this source",
        )
    call = _Whole(legs, first, direction, source)
    if direction == "inbound" and any(leg.app in _FAX for leg in call.legs):
        return Ignored(stage="parse", code="fax", field="cdr:lastapp", message="A fax was received")
    dialled = call.dialled
    return lead_of(
        capture,
        tuple(call.fields()),
        kind="enquiry" if direction == "inbound" else "existing_customer",
        occurred_us=first.start_us,
        hints=(CampaignHint(kind="dialled", value=dialled),) if direction == "inbound" and dialled else (),
        language=source.language,
        call=Call(
            call_id=first.cells.get("linkedid") or first.cells.get("uniqueid") or call.name,
            direction=direction,
            answered=bool(call.talks),
            caller=call.customer.number,
            dialled=dialled,
            agent=call.agent,
            talk_s=call.talk_s,
            wait_s=call.wait_s,
        ),
        flags=call.flags,
    )


class _Leg:
    """One row, with what is asked of it more than once."""

    def __init__(self, cells: Mapping[str, str]) -> None:
        self.cells = cells
        self.start_us = int(cells["start_us"])
        self.end_us = int(cells["end_us"])
        self.channel = cells["channel"]
        self.other = cells["dstchannel"]
        self.app = cells["lastapp"].casefold()
        billed_us = int(float(cells["billsec"]) * 1_000_000)
        self.answer_us = int(cells["answer_us"]) if "answer_us" in cells else self.end_us - billed_us
        self.spoke = cells["disposition"] == "ANSWERED" and billed_us > 0 and bool(self.other)
        sequence = cells.get("sequence") or "0"
        self.order = (self.start_us, int(sequence), sorted(cells.items()))

    @property
    def is_local(self) -> bool:
        return self.channel.startswith("Local/")


class _Customer(NamedTuple):
    number: str | None
    origin: str


class _Talk(NamedTuple):
    start_us: int
    end_us: int
    channel: str
    leg: _Leg


def _legs(rows: Collection[Mapping[str, str]]) -> list[_Leg]:
    distinct = {tuple(sorted(row.items())): row for row in rows}
    return sorted((_Leg(row) for row in distinct.values()), key=lambda leg: leg.order)


def _first_outside(legs: Sequence[_Leg], source: AsteriskCdr) -> tuple[_Leg, Direction]:
    # The rows of Local channels repeat what the rows of real ones say, with caller IDs passed on.
    for leg in [leg for leg in legs if not leg.is_local] or legs:
        if (direction := _direction(leg, source)) != "internal":
            return leg, direction
    return legs[0], "internal"


def _direction(leg: _Leg, source: AsteriskCdr) -> Direction:
    to = _party(leg.cells["dst"], source)
    caller = _party(leg.cells["src"], source)
    if leg.is_local:
        return "outbound" if to == "outside" and caller != "outside" else "internal"
    if leg.app in _DIALLED and not leg.other:
        return "internal"
    if _peer(leg.channel) in source.trunks:
        return "inbound"
    is_own_call = caller == "extension" or (caller == "line" and to == "outside")
    if is_own_call or _extension(leg.channel, source) is not None:
        return "outbound" if to == "outside" else "internal"
    return "inbound"


def _party(text: str, source: AsteriskCdr) -> Literal["extension", "line", "outside", "nobody"]:
    if is_withheld(text):
        return "nobody"  # First: 000 has the shape of an extension.
    if re.fullmatch(source.internal, split_extension(text).number):
        return "extension"
    if any(is_same_number(text, own, country=source.country) for own in source.own_numbers):
        return "line"
    return "outside" if is_outside(text) else "nobody"


class _Whole:
    """The rows that concern the customer, and what they add up to."""

    def __init__(
        self,
        legs: Sequence[_Leg],
        first: _Leg,
        direction: Literal["inbound", "outbound"],
        source: AsteriskCdr,
    ) -> None:
        self._all = legs
        self._first = first
        self._is_inbound = direction == "inbound"
        self._source = source
        self._channels = self._channels_of_customer()
        self.legs = [leg for leg in legs if leg is first or {leg.channel, leg.other} & self._channels]
        self.name = f"{first.channel}@{first.cells['start']}"

    def _channels_of_customer(self) -> frozenset[str]:
        if self._is_inbound:
            return frozenset({self._first.channel})
        number = self._first.cells["dst"]
        return frozenset(leg.other for leg in self._all if leg.cells["dst"] == number and leg.other)

    @cached_property
    def customer(self) -> _Customer:
        if not self._is_inbound:
            return _Customer(self._number(self._first.cells["dst"]), "cdr:dst")
        callers = [leg for leg in self.legs if leg.channel == self._first.channel]
        for leg in callers:
            if _party(leg.cells["src"], self._source) == "outside":
                return _Customer(self._number(leg.cells["src"]), "cdr:src")
        for leg in callers:
            shown = _caller_id(leg).number
            if _party(shown, self._source) == "outside":
                return _Customer(self._number(shown), "cdr:clid")
        return _Customer(None, "cdr:src")

    @cached_property
    def dialled(self) -> str | None:
        if not self._is_inbound:
            return self.customer.number
        for leg in self.legs:
            if did := leg.cells.get("did"):
                return storable(did)
        for leg in self.legs:
            if _party(leg.cells["dst"], self._source) == "line":
                return storable(leg.cells["dst"])
        dst = self._first.cells["dst"]
        return storable(dst) if _party(dst, self._source) == "outside" else None

    @cached_property
    def talks(self) -> list[_Talk]:
        """Conversations of the customer with a person, in the order in which they began."""
        talks = [
            talk
            for leg in self.legs
            if leg.spoke
            for talk in self._persons(
                _Talk(leg.answer_us, leg.end_us, self._other_end(leg), leg), frozenset()
            )
        ]
        return sorted(talks, key=lambda talk: (talk.start_us, talk.end_us, talk.channel))

    def _other_end(self, leg: _Leg) -> str:
        # After some transfers the customer's channel is the second of the row, not the first.
        return leg.channel if self._is_inbound and leg.channel not in self._channels else leg.other

    def _persons(self, talk: _Talk, passed: frozenset[str]) -> Iterator[_Talk]:
        """Follow Local channels to who sits at their end; nobody, if the far half found only a machine."""
        twin = _twin(talk.channel)
        behind = [leg for leg in self._all if leg.channel == twin] if twin and twin not in passed else []
        if not behind:
            yield talk
            return
        for leg in behind:
            start, end = max(talk.start_us, leg.answer_us), min(talk.end_us, leg.end_us)
            if leg.spoke and start < end:
                yield from self._persons(_Talk(start, end, leg.other, leg), passed | {twin or ""})

    @cached_property
    def agent(self) -> str | None:
        if not self._is_inbound:
            src = self._first.cells["src"]
            is_extension = _party(src, self._source) == "extension"
            return _extension(self._first.channel, self._source) or (src if is_extension else None)
        if self.talks:
            last = self.talks[-1]
            dst = last.leg.cells["dst"]
            is_extension = last.leg.app != "queue" and _party(dst, self._source) == "extension"
            return _extension(last.channel, self._source) or (dst if is_extension else None)
        rang = [_extension(leg.other, self._source) for leg in self._all if leg.other]
        return next((extension for extension in reversed(rang) if extension), None)

    @cached_property
    def talk_s(self) -> int:
        """Length of the union of the conversations: in a conference the same second counts once."""
        total = until = 0
        for talk in self.talks:
            total += max(0, talk.end_us - max(talk.start_us, until))
            until = max(until, talk.end_us)
        return total // 1_000_000

    @cached_property
    def wait_s(self) -> int:
        until = self.talks[0].start_us if self.talks else max(leg.end_us for leg in self.legs)
        return max(0, until - self._first.start_us) // 1_000_000

    @property
    def flags(self) -> tuple[str, ...]:
        flags = {flag for leg in self.legs for flag in leg.cells.get("flags", "").split(",") if flag}
        if not self.talks and any(leg.app in _VOICEMAIL for leg in self.legs):
            flags.add("voicemail")
        if self._is_inbound and self.talks and self._hides_wait(self.talks[0].leg):
            flags.add("talk_includes_wait")
        return tuple(sorted(flags))

    def _hides_wait(self, leg: _Leg) -> bool:
        # An IVR answered first: answer is the start of the row, and when the person picked up is not written.
        return leg in self.legs and leg.app in ("queue", "dial") and leg.answer_us <= leg.start_us

    def _number(self, text: str) -> str:
        source = self._source
        return storable(without_trunk_prefix(text, country=source.country, prefixes=source.trunk_prefixes))

    def fields(self) -> Iterator[FieldValue]:
        """Yield the number, and what the switchboard noted beside it."""
        number, origin = self.customer
        if number is not None:
            yield FieldValue(name="phone", received=number, origin=origin)
        if not self._is_inbound:
            return
        if name := self._caller_name():
            if self._source.caller_names:
                yield FieldValue(name="full_name", received=storable(name), origin="cdr:clid")
            else:
                yield _note("caller_id_name", name, "cdr:clid")
        queues = [leg.cells.get("lastdata", "").split(",")[0] for leg in self.legs if leg.app == "queue"]
        if queue := next(filter(None, queues), None):
            yield _note("queue", queue, "cdr:lastdata")
        noted = (leg.cells.get("userfield", "") for leg in self.legs)
        for text in dict.fromkeys(filter(None, noted)):
            yield _note("userfield", text, "cdr:userfield")

    def _caller_name(self) -> str | None:
        names = [_caller_id(leg).name for leg in self.legs if leg.channel == self._first.channel]
        return next((name for name in names if not names_nobody(name) and not is_outside(name)), None)


def _note(label: str, text: str, origin: str) -> FieldValue:
    return FieldValue(name="other", label=label, received=storable(text), origin=origin)


class _CallerId(NamedTuple):
    name: str
    number: str


def _caller_id(leg: _Leg) -> _CallerId:
    """Read `"Name" <number>`; text without brackets is a name."""
    name, bracket, number = leg.cells.get("clid", "").rpartition("<")
    if not bracket:
        name, number = number, ""
    return _CallerId(name.strip().strip('"').strip(), number.strip().rstrip(">"))


def _twin(channel: str) -> str | None:
    if not channel.startswith("Local/"):
        return None
    half = {";1": ";2", ";2": ";1"}.get(channel[-2:])
    return channel[:-2] + half if half else None


def _peer(channel: str) -> str:
    """Return `ct-trunk` of PJSIP/ct-trunk-0000001a, `801` of SIP/801-0000001b and of Agent/801."""
    name = channel.partition("/")[2]
    return re.sub(r"-[0-9a-fA-F]+(?:;\d)?$", "", name).partition("@")[0]


def _extension(channel: str, source: AsteriskCdr) -> str | None:
    name = _peer(channel)
    if channel.startswith("Local/"):
        # FreePBX writes Local/801@from-queue, Local/FMPR-801@…, Local/FMGL-801#@….
        name = re.split("-", channel.partition("/")[2].partition("@")[0].rstrip("#"))[-1]
    return name if re.fullmatch(source.internal, name) else None
