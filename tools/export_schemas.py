"""Write the JSON Schema of every event, and of what is sent outward, into schemas/json: `python -m tools.export_schemas`."""

from __future__ import annotations

from pathlib import Path

import orjson

from schemas.events import EVENT_MODELS
from schemas.outward import OUTWARD_MODELS

FOLDER = Path(__file__).parents[1] / "schemas" / "json"


def exported() -> dict[str, bytes]:
    """Return file names and contents."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    found = {}
    for event_type, model in (EVENT_MODELS | OUTWARD_MODELS).items():
        schema = {"$id": event_type, **model.model_json_schema(mode="serialization")}
        found[f"{event_type}.json"] = orjson.dumps(schema, option=options)
    return found


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, content in exported().items():
        (FOLDER / name).write_bytes(content)
