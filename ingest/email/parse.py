"""One received mail to leads: the whole way of a mail through this package, with nothing but its bytes.

Formats: RFC 5322 and MIME (RFC 2045 to 2049, 2231), RFC 3834 and 3464, ADF 1.0, vCard, TNEF.
"""

from __future__ import annotations

import re

from ingest.email.addresses import is_no_reply
from ingest.email.adf import Prospect, read_adf
from ingest.email.automatic import Envelope, automatic_reason
from ingest.email.compose import Reading, lead_from_enquiry, lead_from_prospect, our_addresses
from ingest.email.enquiry import Enquiry, inner_enquiry, outer_enquiry, sender_of
from ingest.email.fields import Found
from ingest.email.forms import form_fields, reaches_someone, without_footer
from ingest.email.headers import Mailbox, message_key
from ingest.email.limits import TEXT_CHARS
from ingest.email.source import EmailSource
from ingest.email.structure import Content, Text, read_content, read_message
from ingest.email.tnef import tnef_text
from schemas.capture import Capture
from schemas.results import Ignored, ParseResult, Refused

__all__ = ["EmailSource", "message_key", "parse"]

_KNOWN_HEADERS = {
    "from", "to", "cc", "subject", "date", "message-id", "received", "return-path", "delivered-to",
    "reply-to", "sender", "mime-version", "content-type", "x-mailer", "in-reply-to", "references",
    "dkim-signature",
}  # fmt: skip
_LABELLED_LINE = re.compile(r"^[^:：\n]{1,40}[:：][ \t]*\S", re.MULTILINE)


def parse(capture: Capture, source: EmailSource) -> tuple[ParseResult, ...]:
    """Turn one received mail into its leads, or the reason why it is none.

    `capture.body` holds the bytes as received, `capture.meta` the envelope: `mail_from` (empty or `<>` for
    the null return path) and `rcpt_to` (several separated by commas). Ignored covers automatic mail and
    mail among ourselves; Refused only what is no mail, says nothing, or is a form mail whose labels nobody
    has mapped. What is damaged is read as far as it goes and flagged. Never raises, whatever the bytes.
    """
    if not capture.body.strip():
        return (
            Refused(stage="parse", code="empty", message="Nothing is in it.", hint="Send the mail again."),
        )
    message, flags = read_message(capture.body)
    content = read_content(message)
    content.flags |= flags | ({"cut"} if "cut_bytes" in capture.meta else set())
    if not content.headers.names() & _KNOWN_HEADERS:
        return (_not_a_mail(),)
    reading = Reading(capture, source, our_addresses(capture, source), content.headers)
    return _judged(reading, _outer(reading, content))


def _outer(reading: Reading, content: Content) -> Enquiry:
    mail_from = reading.capture.meta.get("mail_from", "").strip("<> ")
    sender, origin, flags = sender_of(content.headers, reading.ours, mail_from)
    content.flags |= flags
    _open_tnef(content)
    return outer_enquiry(content, sender, origin)


def _judged(reading: Reading, outer: Enquiry) -> tuple[ParseResult, ...]:
    source, ours = reading.source, reading.ours
    prospects = _prospects(outer.content)
    by_machine = _is_form_mailer(outer.sender, source)
    inner = None if by_machine else inner_enquiry(outer, ours)
    form = _form(outer, source, by_machine) if inner is None else ()
    if (
        not by_machine
    ):  # our website or a colleague; a stranger's own labels are read with the rest of the mail
        form = without_footer(form) if ours.address(outer.sender) and reaches_someone(form) else ()
    reason = automatic_reason(
        reading.headers,
        outer.sender,
        _envelope(reading.capture),
        ours,
        frozenset(source.loop_domains),
        form=bool(form or prospects),
    )
    if reason is not None:
        unmapped = (
            by_machine
            and reason.code == "no_reply"
            and len(_LABELLED_LINE.findall(outer.text[:TEXT_CHARS])) > 1
        )
        return (_unmapped() if unmapped else reason,)
    if prospects:
        return tuple(lead_from_prospect(reading, outer, one, number) for number, one in enumerate(prospects))
    if form or by_machine:
        return (lead_from_enquiry(reading, outer, form, by_machine=by_machine),)
    return (_personal(reading, outer, inner),)


def _personal(reading: Reading, outer: Enquiry, inner: Enquiry | None) -> ParseResult:
    """Return what a mail that a person sent comes to; `inner` is the enquiry passed on inside it."""
    if inner is None:
        if reading.ours.address(outer.sender):
            return _own_sender(outer)
        return lead_from_enquiry(reading, outer, (), by_machine=False)
    form = _form(inner, reading.source, by_machine=False)
    if inner.place == "attached":
        reason = automatic_reason(
            inner.content.headers, inner.sender, "unknown", reading.ours, frozenset(), form=bool(form)
        )
        if reason is not None:
            return reason
    return lead_from_enquiry(reading, inner, form, by_machine=False)


def _form(enquiry: Enquiry, source: EmailSource, by_machine: bool) -> tuple[Found, ...]:
    return form_fields(enquiry.text[:TEXT_CHARS], source.form_labels, keep_unknown=by_machine)


def _prospects(content: Content) -> tuple[Prospect, ...]:
    prospects: list[Prospect] = []
    for document in (*content.xml, content.text):
        found, unread = read_adf(document)
        prospects += found
        content.flags |= {"adf_unread"} if unread else set()
    return tuple(prospects)


def _open_tnef(content: Content) -> None:
    """Take the text of a winmail.dat where the mail itself has none."""
    for raw in content.tnef[:3]:
        text = tnef_text(raw)
        if text is None:
            content.flags.add("tnef_unread")
        elif not content.text.strip():
            content.texts.append(Text(text, "tnef"))


def _is_form_mailer(sender: Mailbox, source: EmailSource) -> bool:
    named = sender.address.lower() in source.form_senders or sender.domain in source.form_senders
    return named or (source.no_reply_is_form and is_no_reply(sender))


def _envelope(capture: Capture) -> Envelope:
    mail_from = capture.meta.get("mail_from")
    if mail_from is None:
        return "unknown"
    return "given" if mail_from.strip("<> ") else "null"


def _own_sender(outer: Enquiry) -> Ignored:
    return Ignored(
        stage="parse",
        code="own_sender",
        kind="private",
        field=outer.sender_origin,
        message="One of our own people wrote, and passes on no enquiry.",
        hint="Forward the customer's own mail, or write lines such as `姓名：` and `电话：` (`Name:`, `Phone:`).",
    )


def _not_a_mail() -> Refused:
    return Refused(
        stage="parse",
        code="not_a_mail",
        field="header",
        message="It has none of the headers of a mail.",
        hint="Hand over the whole mail with its headers, as an .eml file.",
    )


def _unmapped() -> Refused:
    return Refused(
        stage="parse",
        code="form_unmapped",
        field="body",
        message="A form mailer's mail has labels, but they do not name a person, a company, a product or a wish.",
        hint="Add the form's labels to form_labels of this source, then replay.",
    )
