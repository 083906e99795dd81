"""Enquiries that somebody passed on inside a mail: the inner sender is the one who enquires."""

from __future__ import annotations

import re
from typing import NamedTuple

from ingest.email.headers import Mailbox, mailbox_in

_BLOCKS = 20
"""Nested forwards that are followed."""

_HEADER_LINES = 15

_FORWARDING_SUBJECT = re.compile(
    r"^\s*(?:\[[^\]]{1,40}\]\s*)?(?:(?:re|回复|答复|回覆)\s*[:：]\s*)?(?:fwd?|转发|轉寄|轉發|wg|tr|rv)\s*[:：]",
    re.IGNORECASE,
)
_MARKER = re.compile(
    r"^[> \t]*(?:-{2,} ?(?:Forwarded message|Forwarded mail|转发的邮件|转发的消息|转发邮件信息|轉寄的郵件|转发邮件"
    r"|Weitergeleitete Nachricht) ?-{2,}|Begin forwarded message:|开始转发邮件[:：]|以下是转发的邮件[:：])",
    re.IGNORECASE | re.MULTILINE,
)
_LABELS: dict[str, str] = {
    **dict.fromkeys(("from", "发件人", "寄件人", "寄件者", "發件人", "von", "de"), "from"),
    **dict.fromkeys(("subject", "主题", "主題", "主旨", "betreff", "objet"), "subject"),
    **dict.fromkeys(
        ("date", "sent", "发送时间", "发送日期", "發送時間", "寄件日期", "日期", "时间", "datum", "gesendet"),
        "date",
    ),
    **dict.fromkeys(
        ("to", "收件人", "收件者", "an", "cc", "抄送", "副本", "bcc", "密送", "reply-to", "回复"), "other"
    ),
}
_LINE = re.compile(
    r"^[>|*_ \t]*([A-Za-z-]{2,10}|[\u4e00-\u9fff][\u4e00-\u9fff\u3000 ]{0,3}[\u4e00-\u9fff])[*_ \t]*[:：|][*_ \t]*(.{0,400})"
)


class Block(NamedTuple):
    """One forwarded mail as its forwarder's program wrote it down."""

    sender: Mailbox
    subject: str
    text: str


def is_forwarding_subject(subject: str) -> bool:
    """Say whether a subject starts as forwarding programs make it: `Fwd:`, `转发：`."""
    return _FORWARDING_SUBJECT.match(subject) is not None


def has_forward_marker(text: str) -> bool:
    """Say whether the text holds a line such as `---------- Forwarded message ---------`."""
    return _MARKER.search(text) is not None


def forwarded_blocks(text: str) -> tuple[Block, ...]:
    """Return the mails written down inside a text, outermost first.

    A block begins with a sender's line and at least one more header line; its text runs to the next block.
    """
    lines = text.split("\n")
    found: list[tuple[int, int, dict[str, str]]] = []
    index = 0
    while index < len(lines) and len(found) < _BLOCKS:
        end, headers = _read_headers(lines, index)
        if headers:
            found.append((index, end, headers))
        index = max(end, index + 1)
    starts = [start for start, _, _ in found] + [len(lines)]
    return tuple(
        Block(
            mailbox_in(headers["from"].rstrip(";； |*")),
            headers.get("subject", "").rstrip(";； |*"),
            _unquoted(lines[end:stop]),
        )
        for (_, end, headers), stop in zip(found, starts[1:], strict=True)
    )


def _read_headers(lines: list[str], start: int) -> tuple[int, dict[str, str]]:
    """Return the line behind the header lines that begin at `start`, and those; no headers, no block."""
    headers: dict[str, str] = {}
    index = start
    while index < min(start + _HEADER_LINES, len(lines)):
        label, value = _labelled(lines[index])
        if index == start and label != "from":
            return start, {}
        if not label and not _continues(lines, index):
            break
        if label:
            headers.setdefault(label, value)
        index += 1
    return (index, headers) if len(headers) > 1 else (start, {})


def _continues(lines: list[str], index: int) -> bool:
    """Say whether a line that is no header belongs to the headers: a wrapped value, or Outlook's blank lines."""
    return index + 1 < len(lines) and bool(_labelled(lines[index + 1])[0])


def _labelled(line: str) -> tuple[str, str]:
    found = _LINE.match(line)
    if found is None:
        return "", ""
    return _LABELS.get(re.sub(r"\s", "", found[1]).lower(), ""), found[2].strip()


def _unquoted(lines: list[str]) -> str:
    filled = [line for line in lines if line.strip()]
    if filled and all(line.lstrip().startswith(">") for line in filled[:3]):
        lines = [re.sub(r"^\s*> ?", "", line) for line in lines]
    return "\n".join(lines).strip()
