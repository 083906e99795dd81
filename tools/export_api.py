"""Write the API's description into docs/openapi.json and its operations into docs/api.md: `python -m tools.export_api`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, cast

import orjson

from console.api.app import api_app
from console.api.ports import Ports
from console.desk import Desk
from store.database import open_sqlite

DOCS = Path(__file__).parents[1] / "docs"
PAGE, SPEC = DOCS / "api.md", DOCS / "openapi.json"
BEGIN, END = "<!-- operations: made by tools.export_api -->\n", "<!-- /operations -->\n"


def described() -> dict[str, Any]:
    """Return the API's description, of a desk that nobody works at."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_sqlite(Path(folder) / "store.db")
        desk = Desk(store, lambda: 0, lambda: "", lambda *_: None)
        everything = Ports(*(cast("Any", object()) for _ in range(4)))  # described, and never asked
        spec: dict[str, Any] = {**api_app(desk, everything).openapi(), "servers": [{"url": "/api"}]}
        store.close()
    return spec


def as_json(spec: dict[str, Any]) -> bytes:
    """Return the description as it is kept, so that a change of the API is seen as one."""
    return orjson.dumps(spec, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def with_table(text: str, spec: dict[str, Any]) -> str:
    """Return the page's text with the operations as they are now."""
    lines = ["| | |", "|---|---|"]
    for path, operations in spec["paths"].items():
        lines += [
            f"| `{method.upper()} /api{path}` | {one['summary']} |" for method, one in operations.items()
        ]
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n" + "\n".join(lines) + "\n\n" + END + rest.partition(END)[2]


if __name__ == "__main__":
    found = described()
    SPEC.write_bytes(as_json(found))
    PAGE.write_text(with_table(PAGE.read_text("utf-8"), found), "utf-8")
