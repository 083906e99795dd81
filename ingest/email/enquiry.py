"""Who enquires in a mail, and with which words: its sender, or the sender of a mail passed on inside it."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message

from ingest.email.addresses import Ours, is_no_reply
from ingest.email.forwarded import forwarded_blocks, has_forward_marker, is_forwarding_subject
from ingest.email.headers import Headers, Mailbox
from ingest.email.structure import Content, read_content

_INNER_MAILS = 5


@dataclass(frozen=True)
class Enquiry:
    """The words of one person. `place` is where they stood: `header`, `attached` or `forwarded`."""

    sender: Mailbox
    sender_origin: str
    subject: str
    text: str
    text_origin: str
    place: str
    content: Content
    reply_to: tuple[Mailbox, ...] = ()
    passed_on_by: Mailbox | None = None


def sender_of(headers: Headers, ours: Ours, mail_from: str) -> tuple[Mailbox, str, frozenset[str]]:
    """Return the sender, its origin, and the flags of its name.

    From, else Sender, Reply-To and the envelope. A distribution list of ours that writes itself into From
    tells the true sender in X-Original-From or Reply-To.
    """
    boxes, flags = headers.mailboxes("From")
    if boxes and not (ours.address(boxes[0]) and "List-Id" in headers):
        return boxes[0], "header:From", flags
    order = ("X-Original-From", "Reply-To") if boxes else ("Sender", "Reply-To")
    for name in order:
        others, other_flags = headers.mailboxes(name)
        if others and not ours.address(others[0]):
            return others[0], f"header:{name}", other_flags
    if boxes:
        return boxes[0], "header:From", flags
    if "@" in mail_from:
        return Mailbox("", mail_from), "envelope:mail_from", frozenset()
    return Mailbox("", ""), "header:From", flags


def outer_enquiry(content: Content, sender: Mailbox, origin: str) -> Enquiry:
    """Return the words of the mail's own sender."""
    subject = content.headers.text("Subject")
    content.flags |= subject.flags
    replies, _ = content.headers.mailboxes("Reply-To")
    return Enquiry(
        sender=sender,
        sender_origin=origin,
        subject=subject.text,
        text=content.text,
        text_origin=f"body:{content.text_type}",
        place="header",
        content=content,
        reply_to=tuple(replies[:3]),
    )


def inner_enquiry(outer: Enquiry, ours: Ours) -> Enquiry | None:
    """Return the enquiry that the mail passes on, or None if it passes on none.

    A mail passes on another if it comes from one of us, says so in its subject or in a line of its text, or
    has no words of its own. A customer who attaches or quotes our mail stays the one who enquires.
    """
    passes_on = ours.address(outer.sender) or is_forwarding_subject(outer.subject)
    if passes_on or not outer.text.strip():
        for message in outer.content.inner[:_INNER_MAILS]:
            if found := _attached(outer, message, ours):
                return found
    if passes_on or has_forward_marker(outer.text):
        return _inline(outer, ours)
    return None


def _attached(outer: Enquiry, message: Message, ours: Ours) -> Enquiry | None:
    content = read_content(message)
    content.flags |= outer.content.flags
    sender, _, flags = sender_of(content.headers, ours, "")
    content.flags |= flags
    inner = outer_enquiry(content, sender, "attached:From")
    if ours.address(sender):
        return inner_enquiry(inner, ours)
    if not sender.address:
        return None
    return _passed_on(inner, "attached", outer)


def _inline(outer: Enquiry, ours: Ours) -> Enquiry | None:
    for block in forwarded_blocks(outer.text):
        if block.sender == Mailbox("", "") or ours.address(block.sender):
            continue
        inner = Enquiry(
            sender=block.sender,
            sender_origin="forwarded:From",
            subject=block.subject or outer.subject,
            text=block.text,
            text_origin="forwarded:text",
            place="forwarded",
            content=outer.content,
        )
        return _passed_on(inner, "forwarded", outer)
    return None


def _passed_on(inner: Enquiry, place: str, outer: Enquiry) -> Enquiry:
    known = outer.sender.address and not is_no_reply(outer.sender)
    return Enquiry(
        sender=inner.sender,
        sender_origin=inner.sender_origin,
        subject=inner.subject,
        text=inner.text,
        text_origin=inner.text_origin,
        place=place,
        content=inner.content,
        reply_to=inner.reply_to,
        passed_on_by=outer.sender if known else None,
    )
