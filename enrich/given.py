"""By which identifiers somebody is meant whose telephone, address or tax number a list names. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from enrich.identifiers import identifiers_of
from enrich.normalise import normalise
from schemas.lead import FieldName, FieldValue, Lead

_NAMES: tuple[FieldName, ...] = ("full_name", "phone", "email", "tax_id")


def identifiers_given(given: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return (kind, value) of all that can recognise somebody, as leads of theirs would have it, strongest first.

    `given` holds fields of a lead by name. A mail domain, a placeholder and a department's mailbox recognise nobody.
    """
    fields = tuple(
        FieldValue(name=name, received=given[name], origin="list") for name in _NAMES if given.get(name)
    )
    lead = Lead(
        lead_id="",
        capture_id="",
        source_id="",
        channel="counter",
        kind="enquiry",
        purpose="real",
        trace_id="",
        occurred_us=None,
        accepted_us=0,
        fields=fields,
    )
    found = identifiers_of(normalise(lead))
    return [(one.kind, one.value) for one in found if one.kind != "domain" and one.trust != "none"]
