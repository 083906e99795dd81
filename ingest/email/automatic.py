"""Mail that no person wrote to us: automatic replies, bounces, lists, loops, senders that read no answer.

Marks: RFC 3834 (Auto-Submitted), RFC 3464 and 8098 (reports), RFC 2919 (List-Id), and the usual X- headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from ingest.email.addresses import Ours, is_no_reply, is_postmaster
from ingest.email.headers import Headers, Mailbox
from schemas.results import Ignored

_PRECEDENCE = {"bulk", "junk", "list", "auto_reply"}
_REPORTS = {
    "delivery-status": ("bounce", "A mail could not be delivered to its recipient."),
    "disposition-notification": ("read_receipt", "A receipt that a mail was displayed."),
    "feedback-report": ("complaint", "A recipient's provider reports a mail as unwanted."),
}
_REPLY_SUBJECT = re.compile(
    r"(?:自动回复|自动答复|自動回覆|自動回复|automatic reply|auto(?:matic)?[- ]?(?:reply|response)|out of (?:the )?office"
    r"|abwesenheitsnotiz|réponse automatique)\s*(?:[:：]|$)",
    re.IGNORECASE,
)
_BY_MACHINES = {"auto_submitted", "precedence", "auto_response_suppress", "null_return_path", "no_reply"}
"""Reasons that also fit a form mailer, which is a machine that passes on what a person typed."""

Envelope = Literal["null", "given", "unknown"]


def automatic_reason(
    headers: Headers,
    sender: Mailbox,
    envelope: Envelope,
    ours: Ours,
    loop_domains: frozenset[str],
    *,
    form: bool,
) -> Ignored | None:
    """Return why a mail is no enquiry, or None.

    `envelope` says whether the return path is the null one. `form` means that the mail carries a mapped
    form, an ADF document or the like: then the marks that any mailing program sets do not count, while
    replies, bounces, lists and loops still do.
    """
    for reason in _reasons(headers, sender, envelope, ours, loop_domains):
        if not (
            form and reason.code in _BY_MACHINES and "auto-replied" not in headers.token("Auto-Submitted")
        ):
            return reason
    return None


def _reasons(
    headers: Headers, sender: Mailbox, envelope: Envelope, ours: Ours, loop_domains: frozenset[str]
) -> Iterator[Ignored]:
    """Yield every reason, the most telling first."""
    yield from _loops(headers, ours, loop_domains)
    yield from _reports(headers, sender)
    yield from _replies(headers)
    yield from _lists(headers, ours)
    if envelope == "null" or headers.raw("Return-Path") == b"<>":
        yield _ignored(
            "null_return_path",
            "Return-Path",
            "The return path is empty: no answer is wanted, so no person wrote.",
        )
    if is_no_reply(sender):
        yield _ignored(
            "no_reply",
            "From",
            "The sender's address says that nobody reads answers.",
            "If it passes on web forms, name it in form_senders or set no_reply_is_form for this source.",
        )


def _loops(headers: Headers, ours: Ours, loop_domains: frozenset[str]) -> Iterator[Ignored]:
    for value in headers.every("X-Loop"):
        mark = value.decode("utf-8", "replace").lower().strip(" <>")
        if mark in ours.addresses or mark.rpartition("@")[2] in loop_domains | ours.domains:
            yield _ignored(
                "loop", "X-Loop", "Our own mail came back.", "Look for a forwarding rule in a circle."
            )
    for key in headers.ids("Message-ID"):
        if key.rpartition("@")[2].lower() in loop_domains:
            yield _ignored(
                "loop", "Message-ID", "Our own mail came back.", "Look for a forwarding rule in a circle."
            )


def _reports(headers: Headers, sender: Mailbox) -> Iterator[Ignored]:
    content_type = headers.token("Content-Type")
    if content_type.startswith("multipart/report"):
        kinds = (_REPORTS[kind] for kind in _REPORTS if kind in content_type)
        code, message = next(kinds, ("report", "A report of a mail system."))
        yield _ignored(code, "Content-Type", message, "Check the recipient's address.")
    if "X-Failed-Recipients" in headers:
        yield _ignored("bounce", "X-Failed-Recipients", _REPORTS["delivery-status"][1])
    if is_postmaster(sender):
        yield _ignored("bounce", "From", "A mail system writes about a mail it could not handle.")


def _replies(headers: Headers) -> Iterator[Ignored]:
    submitted = headers.token("Auto-Submitted").partition(";")[0].partition("(")[0].strip()
    if submitted and submitted != "no":
        yield _ignored("auto_submitted", "Auto-Submitted", f"Sent by a machine: {submitted[:40]}.")
    for name in ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Reply"):
        if name in headers and headers.token(name) not in ("no", "false", "0"):
            yield _ignored("auto_reply", name, "An automatic reply, such as an out-of-office note.")
    if _REPLY_SUBJECT.match(headers.text("Subject").text):
        yield _ignored("auto_reply", "Subject", "An automatic reply, such as an out-of-office note.")
    if "X-Auto-Response-Suppress" in headers:
        yield _ignored(
            "auto_response_suppress",
            "X-Auto-Response-Suppress",
            "Sent by a machine that forbids automatic answers.",
        )


def _lists(headers: Headers, ours: Ours) -> Iterator[Ignored]:
    list_id = headers.token("List-Id")
    if list_id and ours.domain(list_id.rpartition("<")[2].rstrip(">")):
        return  # a distribution list of ours in front of this source: what comes through it is for us
    if list_id:
        yield _ignored("mailing_list", "List-Id", "Sent to a mailing list.")
    precedence = headers.token("Precedence")
    if precedence in _PRECEDENCE:
        yield _ignored("precedence", "Precedence", f"Sent as {precedence} mail.")


def _ignored(code: str, header: str, message: str, hint: str = "") -> Ignored:
    return Ignored(stage="parse", code=code, field=f"header:{header}", message=message, hint=hint)
