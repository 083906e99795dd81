"""Whose an address is: ours, a machine's, or somebody's who may become a customer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingest.email.headers import Mailbox

_NO_REPLY = re.compile(
    r"(?:^|[._+-])(?:no|not|do[._-]?not|dont|never)[._-]?(?:reply|replies|respond|response|answer)(?:$|[._+\d-])"
)
_POSTMASTERS = {"mailer-daemon", "postmaster", "mail-daemon"}


@dataclass(frozen=True)
class Ours:
    """The addresses and domains that belong to the company, lower case."""

    addresses: frozenset[str]
    domains: frozenset[str]

    def address(self, box: Mailbox) -> bool:
        """Say whether a mailbox is one of ours, with or without a `+tag`."""
        return bool(box.address) and (without_tag(box.address) in self.addresses or self.domain(box.domain))

    def domain(self, domain: str) -> bool:
        """Say whether a host is ours or lies under a domain of ours."""
        host = domain.lower().strip("<> .")
        return any(host == own or host.endswith("." + own) for own in self.domains)


def is_postmaster(box: Mailbox) -> bool:
    """Say whether a mail system itself writes, as it does for bounces."""
    return box.local in _POSTMASTERS


def is_no_reply(box: Mailbox) -> bool:
    """Say whether the address itself says that nobody reads it: `noreply@`, `do-not-reply@`."""
    return _NO_REPLY.search(box.local) is not None


def without_tag(address: str) -> str:
    """Return an address in lower case without its `+tag`."""
    local, at, domain = address.lower().rpartition("@")
    return f"{local.partition('+')[0]}{at}{domain}"


def tag_of(address: str) -> str:
    """Return the `+tag` of an address as written, or an empty string."""
    return address.rpartition("@")[0].partition("+")[2].strip()
