"""What the parser of mail needs to know about one source."""

from __future__ import annotations

from pydantic import Field, field_validator

from ingest.email.mailbox import ImapMailbox
from schemas.base import Channel
from schemas.lead import FieldName
from schemas.sources import SourceSettings


class EmailSource(SourceSettings):
    """Mail that arrives at one address, or in one folder or mailbox, of the company."""

    channel: Channel = "email"
    format: str = "email.message"
    addresses: tuple[str, ...] = Field(
        (),
        description="Where this source receives by SMTP, without `+tag`; mail to other addresses is refused",
    )
    own_addresses: tuple[str, ...] = Field(
        (), description="Addresses of the company outside its own domains, such as haichuan@163.com"
    )
    own_domains: tuple[str, ...] = Field(
        (),
        description="Domains of the company: their people are never leads, and distribution lists under them are"
        " no mailing lists",
    )
    own_phones: tuple[str, ...] = Field(
        (), description="Numbers of the company, such as its switchboard: never taken for the sender's"
    )
    loop_domains: tuple[str, ...] = Field(
        (), description="Domains that this installation writes into the Message-ID and X-Loop of its own mail"
    )
    no_reply_is_form: bool = Field(
        False, description="Senders such as noreply@ are form mailers: their mails are read as `label: value`"
    )
    form_senders: tuple[str, ...] = Field(
        (), description="Further form mailers, by address or domain: their From is never the lead's address"
    )
    form_labels: dict[str, FieldName] = Field(
        default_factory=dict,
        description="Labels of form mails beside the built-in Chinese and English ones, such as `吨位 = product`",
    )

    imap: ImapMailbox | None = Field(None, description="A mailbox at a provider to be followed by IMAP")

    @field_validator("addresses", "own_addresses", "own_domains", "loop_domains", "form_senders")
    @classmethod
    def _lower_case(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(value.strip().lower().removeprefix("@") for value in values)
