"""From an enquiry to a lead: which fields in which order, the moment, the thread, the campaign's tag."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ingest.email.addresses import Ours, is_no_reply, tag_of, without_tag
from ingest.email.adf import Prospect
from ingest.email.dates import read_date
from ingest.email.enquiry import Enquiry
from ingest.email.fields import Found, collect
from ingest.email.forms import form_fields
from ingest.email.headers import Headers, Mailbox
from ingest.email.language import language_of
from ingest.email.limits import TEXT_CHARS
from ingest.email.phones import digits_of, find_phones
from ingest.email.quoted import split_history
from ingest.email.signature import is_company, last_block, signature_fields, split_signature
from ingest.email.source import EmailSource
from ingest.email.vcard import vcard_fields
from schemas.capture import Capture
from schemas.lead import CampaignHint, Lead, Mail, lead_of
from schemas.results import Refused
from schemas.text import storable

_TAG_CHARS = 100
_TAGS = 5


@dataclass(frozen=True)
class Reading:
    """What stays the same while one mail is read."""

    capture: Capture
    source: EmailSource
    ours: Ours
    headers: Headers
    """Of the mail as it reached us; an enquiry passed on inside has its own."""


def lead_from_enquiry(
    reading: Reading, enquiry: Enquiry, form: tuple[Found, ...], *, by_machine: bool
) -> Lead | Refused:
    """Return the lead of a mail written by a person, passed on by one, or filled into a form.

    `form` are the fields of a form mail, `by_machine` says that its sender only passes them on.
    """
    found = list(_found(reading, enquiry, form, by_machine))
    date = enquiry.content.headers.text("Date").text
    return _built(reading, enquiry, found, date)


def lead_from_prospect(
    reading: Reading, enquiry: Enquiry, prospect: Prospect, ordinal: int
) -> Lead | Refused:
    """Return the lead of one ADF prospect; the portal that mailed it is never the customer."""
    found = [*prospect.fields, Found("subject", enquiry.subject, "header:Subject")]
    date = prospect.requested or enquiry.content.headers.text("Date").text
    return _built(reading, enquiry, found, date, ordinal)


def _found(reading: Reading, enquiry: Enquiry, form: tuple[Found, ...], by_machine: bool) -> Iterator[Found]:
    """Yield the fields, the surest first."""
    text = enquiry.text[:TEXT_CHARS]
    newest, _ = split_history(text)
    form = form or form_fields(newest, reading.source.form_labels)
    yield from form
    is_person = not (by_machine or reading.ours.address(enquiry.sender) or is_no_reply(enquiry.sender))
    yield from _people(enquiry, is_person)
    said, signature = split_signature(newest)
    if is_person or not form:  # below a form stand the mailer's or our colleague's own numbers
        yield from signature_fields(signature or ("" if form else last_block(newest)))
        for phone in find_phones(newest):
            yield Found("phone", phone.received, f"body:{phone.label}" if phone.label else "body")
    yield from _cards(enquiry)
    yield Found("subject", enquiry.subject, f"{enquiry.place}:Subject")
    if not any(item.name == "message" for item in form):
        yield Found("message", said or newest or text, enquiry.text_origin)
    for name in enquiry.content.attachments:
        yield Found("other", name, "attachment", "attachment")
    if enquiry.passed_on_by is not None:
        yield Found("other", enquiry.passed_on_by.address, "header:From", "forwarded_by")


def _people(enquiry: Enquiry, is_person: bool) -> Iterator[Found]:
    """Yield the sender, and whom answers shall reach."""
    boxes: list[tuple[Mailbox, str]] = [(enquiry.sender, enquiry.sender_origin)] if is_person else []
    boxes += [(box, "header:Reply-To") for box in enquiry.reply_to if not is_no_reply(box)]
    for index, (box, origin) in enumerate(boxes):
        if box.name and index == 0:
            yield Found("company" if is_company(box.name) else "full_name", box.name, origin)
        yield Found("email", box.address, origin)


def _cards(enquiry: Enquiry) -> Iterator[Found]:
    if enquiry.place == "forwarded":  # attached by whoever passed it on: that person's card as a rule
        return
    for card in enquiry.content.vcards[:1]:
        fields, unread = vcard_fields(card, enquiry.sender.address.lower())
        enquiry.content.flags |= {"vcard_unread"} if unread else set()
        yield from fields


def _built(
    reading: Reading, enquiry: Enquiry, found: Iterable[Found], date: str, ordinal: int = 0
) -> Lead | Refused:
    fields, flags = collect(item for item in found if not _is_our_own(item, reading))
    if not any(field.name != "other" for field in fields):
        return Refused(
            stage="parse",
            code="nothing_to_read",
            message="It names nobody and says nothing.",
            hint="Look at the raw mail; if it holds an enquiry, repair it by hand.",
        )
    occurred_us, date_flags = read_date(date, reading.source.zone, reading.capture.accepted_us)
    flags |= enquiry.content.flags | date_flags
    if enquiry.passed_on_by is not None:
        flags.add("forwarded")
    if not any(field.name in ("email", "phone") for field in fields):
        flags.add("no_contact")
    words = " ".join(field.received for field in fields if field.name in ("message", "subject"))
    return lead_of(
        reading.capture,
        fields,
        ordinal=ordinal,
        occurred_us=occurred_us,
        hints=_tags(reading),
        language=language_of(words),
        mail=_thread(reading.headers),
        flags=tuple(sorted(flags)),
    )


def _is_our_own(item: Found, reading: Reading) -> bool:
    """Say whether a field is ours and not the customer's: people quote our address and our switchboard."""
    if item.name == "email":
        return reading.ours.address(Mailbox("", item.text.strip()))
    if item.name == "phone":
        digits = digits_of(item.text)
        own = (digits_of(number) for number in reading.source.own_phones)
        return any(number and (digits.endswith(number) or number.endswith(digits)) for number in own)
    return False


def _thread(headers: Headers) -> Mail:
    return Mail(
        message_id=next(iter(headers.ids("Message-ID")), None),
        in_reply_to=headers.ids("In-Reply-To"),
        references=headers.ids("References"),
    )


def _tags(reading: Reading) -> tuple[CampaignHint, ...]:
    """Return the `+tag` of the recipient: of the envelope, else of our address in the headers."""
    given = [address.strip("<> ") for address in reading.capture.meta.get("rcpt_to", "").split(",")]
    tags = [tag for address in given[:_TAGS] if (tag := tag_of(address))]
    if not tags:
        ours = reading.ours
        unknown = not ours.addresses and not ours.domains
        for name in ("Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc"):
            boxes, _ = reading.headers.mailboxes(name)
            tags += [tag for box in boxes if (ours.address(box) or unknown) and (tag := tag_of(box.address))]
    unique = dict.fromkeys(storable(tag[:_TAG_CHARS]) for tag in tags)
    return tuple(CampaignHint(kind="tag", value=tag) for tag in list(unique)[:_TAGS])


def our_addresses(capture: Capture, source: EmailSource) -> Ours:
    """Return what belongs to the company: what the source says, and the recipients of the envelope."""
    recipients = (address.strip("<> ") for address in capture.meta.get("rcpt_to", "").split(","))
    given = (*source.own_addresses, *recipients)
    return Ours(frozenset(without_tag(item) for item in given if "@" in item), frozenset(source.own_domains))
