"""The worked example of CONTRIBUTING.md is a channel that works, in the style that the linters ask for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from ingest import registry
from schemas.sources import SourceSettings
from tests.docs.pages import ROOT, Block, blocks

NAME = "CONTRIBUTING.md"
PARSER, TEST = blocks(NAME, "file")
(LINE,) = blocks(NAME, "line")


def module(block: Block, name: str) -> ModuleType:
    made = ModuleType(name)
    sys.modules[name] = made  # pydantic looks a class's annotations up there
    exec(compile(block.text, block.marker, "exec"), made.__dict__)
    return made


@pytest.fixture
def badge(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    made = module(PARSER, "ingest.counter.badge")
    entry = eval("{" + LINE.text + "}", {"badge": made, "Format": registry.Format})
    monkeypatch.setattr(registry, "FORMATS", {**registry.FORMATS, **entry})
    yield made
    del sys.modules["ingest.counter.badge"]


def test_the_example_passes_its_own_tests(badge: ModuleType) -> None:
    assert issubclass(badge.Badge, SourceSettings)
    tests = module(TEST, "test_counter_badge")
    names = [name for name in vars(tests) if name.startswith("test_")]
    assert len(names) == 3
    for name in names:
        getattr(tests, name)()


def test_the_example_fails_its_tests_when_the_parser_is_broken(badge: ModuleType) -> None:
    badge._FIELDS.clear()
    with pytest.raises(AssertionError):
        module(TEST, "test_counter_badge").test_a_scan_becomes_a_lead_with_the_number_as_printed()


@pytest.mark.parametrize("block", [PARSER, TEST], ids=lambda block: block.marker)
@pytest.mark.parametrize("command", [("check",), ("format", "--check")], ids=" ".join)
def test_the_example_is_in_our_style(block: Block, command: tuple[str, ...]) -> None:
    file = block.marker.removeprefix("file: ")
    ruff = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--stdin-filename", file, "-"],
        input=block.text,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert ruff.returncode == 0, ruff.stdout + ruff.stderr
