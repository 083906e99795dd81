"""Write the table of every route and role into docs/access.md: `python -m tools.export_access`."""

from __future__ import annotations

from pathlib import Path

from console.permits import PERMITS, ROLES

PAGE = Path(__file__).parents[1] / "docs" / "access.md"
BEGIN, END = "<!-- routes: made by tools.export_access -->\n", "<!-- /routes -->\n"
_OF = {
    "holder": "own inboxes",
    "task": "own tasks",
    "story": "own customers",
    "customer": "own customers",
    "list": "own lists",
}
_NARROWED = ("representative", "manager")


def table() -> str:
    """Return the table: a row a route, a column a role."""
    lines = ["| route | " + " | ".join(ROLES) + " |", "|---|" + "---|" * len(ROLES)]
    for key, permit in PERMITS.items():
        method, _, path = key.partition(" ")
        cells = []
        for role in ROLES:
            if role not in permit.roles:
                cells.append("")
            elif permit.of and role in _NARROWED:
                cells.append(", ".join(_OF[one] for one in permit.of))
            else:
                cells.append("yes")
        lines.append(f"| `{method} {path}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def with_table(text: str) -> str:
    """Return the page's text with the table as it is now."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n" + table() + "\n" + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")
