"""Reading our pages: their command blocks with the marker above each, and their sections."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "operations").glob("*.md")]
)

_BLOCK = re.compile(
    r"<!-- (?P<marker>(?:run|file|line|monday)\b[^>]*?) -->\n```(?P<kind>\w+)\n(?P<text>.*?)^```\n"
    r"(?:```text\n(?P<output>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """A marked block and the output promised below it (`…` stands for anything)."""

    marker: str
    kind: str
    text: str
    output: str | None

    def fits(self, output: str) -> bool:
        """Tell whether an output is as promised."""
        if self.output is None:
            return True
        parts = (re.escape(part) for part in self.output.strip().split("…"))
        return re.fullmatch(".*".join(parts), output.strip(), re.DOTALL) is not None


def page(name: str) -> str:
    """Return a page's text."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, marker: str) -> list[Block]:
    """Return the blocks of a page whose marker begins with a word, in order."""
    found = (
        Block(one["marker"], one["kind"], one["text"], one["output"]) for one in _BLOCK.finditer(page(name))
    )
    return [one for one in found if one.marker.split(",")[0].split(":")[0].split()[0] == marker]


def section(name: str, title: str) -> str:
    """Return what stands under a heading that contains `title`, up to the next of its level."""
    match = re.search(
        rf"^(#+) [^\n]*{re.escape(title)}[^\n]*\n(.*?)(?=^\1 |\Z)", page(name), re.DOTALL | re.MULTILINE
    )
    if match is None:
        raise LookupError(f"{name} has no section {title!r}")
    return match[2]
