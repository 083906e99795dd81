"""How much of one mail is read: every bound of the parser, so that no message costs more than about a second."""

from __future__ import annotations

from schemas.lead import FieldName

HEADER_BYTES = 16_384
"""Of one header value. An address list of 500 recipients fits; the rest is padding or an attack."""

BOUNDARIES = 100
"""Multipart or message parts declared; beyond them only the outer headers and the bare text are read.

The standard library's parser recurses once a level and compares each line with each open boundary.
"""

DEPTH = 20
"""Levels of MIME that are walked. Ten forwards of a forward stay below it."""

PARTS = 200
"""Leaf parts that are looked at; later ones stay in the raw bytes only."""

PART_BYTES = 1_048_576
"""Decoded bytes read of one text part."""

TEXT_CHARS = 200_000
"""Characters of the body in which labels, signature and phone numbers are sought."""

STRUCTURED_BYTES = 262_144
"""Of one vCard, one ADF document or the properties of one winmail.dat: a card with a photo fits."""

FIELDS = 200
"""Fields of one lead, `other` included."""

PROSPECTS = 100
"""Leads taken from one ADF document."""

THREAD_IDS = 50
"""Ids kept of References: the first, which names the thread, and the newest."""

FIELD_CHARS: dict[FieldName, int] = {
    "full_name": 200,
    "given_name": 100,
    "family_name": 100,
    "salutation": 60,
    "company": 200,
    "job_title": 120,
    "phone": 80,
    "email": 254,
    "address": 500,
    "city": 100,
    "region": 100,
    "postcode": 20,
    "country": 80,
    "website": 300,
    "tax_id": 60,
    "product": 300,
    "industry": 120,
    "subject": 500,
    "message": 20_000,
    "heard_of_us": 300,
    "other": 2_000,
}
"""Characters kept of each field; a longer one is cut and the lead carries the flag `cut`."""
