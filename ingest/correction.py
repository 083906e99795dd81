"""What somebody of ours put right about a customer, read into a lead that continues one of the customer's: `desk.correction`.

The body is what was put right, by field: `{"full_name": "王芳", "phone": "138 0000 0001"}`. Meta say which lead it continues
(`joins`) and who put it right (`by`).
"""

from __future__ import annotations

import orjson

from schemas.capture import Capture
from schemas.correction import CORRECTABLE
from schemas.lead import FieldValue, lead_of
from schemas.results import ParseResult, Refused

FORMAT = "desk.correction"


def parse(capture: Capture) -> tuple[ParseResult, ...]:
    """Turn a correction into a lead of the fields that were put right. Refused: `bad_correction`."""
    try:
        said = orjson.loads(capture.body)
        fields = tuple(
            FieldValue(name=name, received=said[name], origin=f"correction:{name}")
            for name in CORRECTABLE
            if name in said
        )
        lead = lead_of(capture, fields, kind="correction")
        more = {"joins": capture.meta["joins"], "corrected_by": capture.meta["by"]}
    except (ValueError, KeyError, TypeError):
        hint = "Correct the customer on their page again."
        message = "This is no correction: a JSON object of texts by field, and meta `joins` and `by`."
        return (Refused(stage="parse", code="bad_correction", message=message, hint=hint),)
    return (lead.model_copy(update=more),)
