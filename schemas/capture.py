"""A capture: the raw bytes of one thing received, and what the door knew about it."""

from __future__ import annotations

from pydantic import Field

from schemas.base import Channel, Frozen, Micros, Purpose
from schemas.ids import body_digest, make_id

KEPT_FILE = "kept_file"
"""Meta of a capture and flag of its leads: it lay in a file, and may be of any time if it does not say of which."""


class Capture(Frozen):
    """What a door made durable before it answered. Never changed; a repair is a new capture with a parent.

    Identity is (source, key, digest of body): the same three are a retry and get the same receipt; the
    same key with another body is a new capture joined to the first one's lead.
    """

    capture_id: str
    source_id: str
    channel: Channel
    format: str = Field(description="Name of the parser, a key of ingest.PARSERS, such as `web.form`")
    idem_key: str = Field(description="The sender's key, or one the door made when there was none")
    key_given: bool = Field(description="False when the door made the key: a repeat is then only suspected")
    digest: str = Field(description="`ids.body_digest` of the body")
    occurred_us: Micros | None = Field(None, description="When it happened, by the sender's word")
    accepted_us: Micros = Field(description="When the door took it")
    trace_id: str = Field(description="32 hex characters, made at the door")
    traceparent: str | None = Field(None, description="A stranger's W3C trace context, kept as a link only")
    purpose: Purpose = "real"
    parent_id: str | None = Field(None, description="The capture that this one repairs")
    meta: dict[str, str] = Field(
        default_factory=dict,
        description="What the transport said: content_type, mail_from, rcpt_to, file, offset, page, …",
    )
    body: bytes = Field(description="Exactly as received")


def occurrences_of(
    channel: Channel, source_id: str, idem_hash: str, key_given: bool, digest: str
) -> tuple[str, ...]:
    """Return what a mail or a call is known by when it comes again, as hashes: its own id, and its bytes.

    Empty for forms and visits: other bytes, or the same ones without the sender's key, are typed by a person anew.
    `idem_hash` is the digest of the key.
    """
    if channel not in ("email", "cti"):
        return ()
    known_by = (("key", idem_hash), ("body", digest)) if key_given else (("body", digest),)
    return tuple(body_digest(f"{source_id}\x00{by}\x00{value}".encode()) for by, value in known_by)


def capture_of(
    *,
    source_id: str,
    channel: Channel,
    format: str,
    body: bytes,
    accepted_us: int,
    trace_id: str,
    idem_key: str | None = None,
    made_key: str = "",
    occurred_us: int | None = None,
    traceparent: str | None = None,
    purpose: Purpose = "real",
    parent_id: str | None = None,
    meta: dict[str, str] | None = None,
) -> Capture:
    """Build a capture with its deterministic id.

    `idem_key` is the sender's key; when there is none, `made_key` must be unique (the door passes a random
    one), so that nothing is dropped as a repeat on a mere suspicion.
    """
    digest = body_digest(body)
    key = idem_key if idem_key is not None else made_key
    if not key:
        raise ValueError("a capture needs the sender's idem_key or a made_key from the door")
    return Capture(
        capture_id=make_id("cap", source_id, key, digest),
        source_id=source_id,
        channel=channel,
        format=format,
        idem_key=key,
        key_given=idem_key is not None,
        digest=digest,
        occurred_us=occurred_us,
        accepted_us=accepted_us,
        trace_id=trace_id,
        traceparent=traceparent,
        purpose=purpose,
        parent_id=parent_id,
        meta=meta or {},
        body=body,
    )
