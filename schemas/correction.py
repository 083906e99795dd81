"""Which facts about a customer somebody of ours may put right."""

from __future__ import annotations

from schemas.lead import FieldName

CORRECTIONS = "_corrections"
"""The source of corrections: our own people, whom nobody configures; no source of a company's files can be called so."""
CORRECTABLE: tuple[FieldName, ...] = (
    "full_name",
    "company",
    "job_title",
    "phone",
    "email",
    "city",
    "address",
    "industry",
)
"""In the order in which people read them."""
MOST_CHARS = 500
"""Of one of them; what is longer was pasted by mistake."""
