"""What there is, is documented: settings, commands, formats, files, codes; and what is documented, is there."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import typer

from ingest.email.automatic import _REPORTS
from ingest.registry import FORMATS
from leadflow.cli import app
from leadflow.exports import EXPORTS
from leadflow.server import DOOR_PREFIXES
from leadflow.settings import Settings
from sales.layout import TABLES
from schemas.facts import SCORED_FACTS
from schemas.sinks import SinkSettings
from schemas.sources import SourceSettings
from sinks.registry import SETTINGS as SINK_SETTINGS
from sinks.trouble import MEANINGS
from stream.crash import CRASH_POINTS
from tests.docs.pages import PAGES, ROOT, page, section
from worktime.calendar import Calendar

OPERATIONS, CHANNELS, FILES = "docs/operations.md", "docs/channels.md", "docs/company-files.md"
SINKS = "docs/sinks.md"
NOT_YET = {"README.md": "Not yet", "README.zh-CN.md": "还没有的"}
PACKAGES = (
    "answers",
    "console",
    "enrich",
    "ingest",
    "leadflow",
    "router",
    "sales",
    "schemas",
    "sinks",
    "store",
    "stream",
)
OTHER_VARIABLES = {
    "LEADFLOW_ACTOR",
    "LEADFLOW_CRASH_AT",
    "LEADFLOW_CRASH_LOG",
    "LEADFLOW_MASTER_KEY_FILE",
    "LEADFLOW_WHEELS",
    "LEADFLOW_TOKEN",
}


def commands() -> dict[str, list[str]]:
    """Return every command with its options, `dead show` for one of a group."""
    found: dict[str, list[str]] = {}

    def walk(command: typer.core.TyperCommand | typer.core.TyperGroup, path: str) -> None:
        if isinstance(command, typer.core.TyperGroup):
            for name, each in command.commands.items():
                walk(each, f"{path} {name}".strip())  # type: ignore[arg-type]
            return
        options = [name for one in command.params for name in one.opts if name.startswith("--")]
        found[path] = [name for name in options if name != "--help"]

    walk(typer.main.get_command(app), "")  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("key", Settings.model_fields)
def test_a_setting_is_documented_with_its_default(key: str) -> None:
    default = Settings.model_fields[key].default
    shown = (
        "none" if default is None else f"`{str(default).lower() if isinstance(default, bool) else default}`"
    )
    row = f"| `{key}` | `LEADFLOW_{key.upper()}` | {shown} |"
    assert row in section(OPERATIONS, "Settings"), f"write a row that begins with {row}"


def test_every_variable_in_the_pages_exists() -> None:
    known = OTHER_VARIABLES | {f"LEADFLOW_{key.upper()}" for key in Settings.model_fields}
    named = {
        (one.name, name) for one in PAGES for name in re.findall(r"LEADFLOW_[A-Z_]+", one.read_text("utf-8"))
    }
    assert {(where, name) for where, name in named if name not in known} == set()


@pytest.mark.parametrize("name", commands())
def test_a_command_is_documented_with_its_options(name: str) -> None:
    table = section(OPERATIONS, "Commands")
    row = re.search(rf"^\| `leadflow {name}\b.*$", table, re.MULTILINE)
    assert row is not None, f"`leadflow {name}` stands in no row of the table"
    assert [option for option in commands()[name] if option not in row[0]] == []


def test_every_command_in_the_pages_exists() -> None:
    known = commands()
    groups = {name.split()[0] for name in known if " " in name}
    for one in PAGES:
        name = one.relative_to(ROOT).as_posix()
        text = page(name).replace(section(name, NOT_YET[name]), "") if name in NOT_YET else page(name)
        for first, second in re.findall(
            r"\bleadflow ([a-z]+(?:-[a-z]+)*)(?: ([a-z]+)\b)?", "\n".join(_code(text))
        ):
            assert first in known or (first in groups and (not second or f"{first} {second}" in known)), (
                name,
                first,
            )


@pytest.mark.parametrize("name", NOT_YET)
def test_what_is_said_to_be_missing_is_missing(name: str) -> None:
    missing = re.findall(r"`leadflow ([a-z -]+)`", section(name, NOT_YET[name]))
    there = {*commands(), *(name.split()[0] for name in commands())}
    assert missing
    assert [one for one in missing if one in there] == []


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_documented_with_its_keys(name: str) -> None:
    keys = FORMATS[name].settings.model_fields.keys() - SourceSettings.model_fields.keys()
    text = section(CHANNELS, f"`{name}`")
    rows = "\n".join(line.split(" | ")[0] for line in text.splitlines() if line.startswith("| `"))
    assert [key for key in sorted(keys) if f"`{key}`" not in rows] == []


def test_the_keys_of_every_source_are_documented() -> None:
    assert [key for key in SourceSettings.model_fields if f"\n| `{key}` |" not in page(CHANNELS)] == []


@pytest.mark.parametrize("name", SINK_SETTINGS)
def test_a_kind_of_sink_is_documented_with_its_keys(name: str) -> None:
    own = SINK_SETTINGS[name].model_fields.keys() - SinkSettings.model_fields.keys()
    text = section(SINKS, f"`{name}`")
    assert [key for key in sorted(own) if f"\n| `{key}` |" not in text] == []


def test_the_keys_of_every_sink_and_what_can_go_wrong_are_documented() -> None:
    assert [key for key in SinkSettings.model_fields if f"\n| `{key}` |" not in page(SINKS)] == []
    assert sorted(set(MEANINGS) - _documented_codes()) == []


@pytest.mark.parametrize("file", TABLES)
def test_a_table_is_documented_with_its_columns(file: str) -> None:
    text = section(FILES, file)
    assert [one.name for one in TABLES[file].columns if f"`{one.name}`" not in text] == []


def test_the_rule_book_and_company_toml_are_documented() -> None:
    rules, company = section(FILES, "rules.csv"), section(FILES, "company.toml")
    keys = tomllib.loads((ROOT / "examples" / "demo" / "company.toml").read_text("utf-8")).keys()
    assert [fact for fact in SCORED_FACTS if f"`{fact}`" not in rules] == []
    assert [
        key for key in (*keys, *(one.name for one in fields(Calendar))) if f"`{key}`" not in company
    ] == []


def test_exports_crash_points_and_addresses_are_documented() -> None:
    assert [name for name in EXPORTS if f"`{name}`" not in page(OPERATIONS)] == []
    assert [name for name in CRASH_POINTS if f"\n| {name} |" not in page("docs/how-it-works.md")] == []
    assert [one for one in DOOR_PREFIXES if f"`{one}…`" not in page(OPERATIONS)] == []


def test_the_lines_of_the_log_that_call_for_a_person_are_documented() -> None:
    logged = re.compile(r"\blog\.(?:error|warning)\(\s*\"(\w+)\"")
    found = {name for file in _sources() for name in logged.findall(file.read_text("utf-8"))}
    assert [name for name in sorted(found) if f"| `{name}` |" not in page(OPERATIONS)] == []


def test_every_alarm_says_what_to_do() -> None:
    rules = re.findall(r"^- alert: (\w+)", page(OPERATIONS), re.MULTILINE)
    told = re.findall(r"^\| `(\w+)` \|", page("docs/operations/alarms.md"), re.MULTILINE)
    assert told == rules


def test_every_code_that_somebody_may_meet_is_documented() -> None:
    met = {code for file in _sources() for code in _codes(ast.parse(file.read_text("utf-8")))}
    met |= {code for code, _ in _REPORTS.values()} | {"no_name", "no_phone"}
    assert "truncated_row" in met
    assert "taken_already" in met
    assert sorted(met - _documented_codes()) == []


def test_every_documented_code_exists() -> None:
    texts = {
        node.value
        for file in _sources()
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert sorted(_documented_codes() - texts - {"no_name", "no_phone"}) == []


@pytest.mark.parametrize("one", PAGES, ids=lambda one: one.name)
def test_links_and_anchors_lead_somewhere(one: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", one.read_text("utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (one.parent / path).resolve() if path else one
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            broken.append(target)
    assert broken == []


def _anchors(file: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _code(text: str) -> list[str]:
    """Return blocks of commands and code within lines."""
    return re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE) + re.findall(r"`([^`\n]+)`", text)


def _sources() -> list[Path]:
    files = (file for name in PACKAGES for file in (ROOT / name).rglob("*.py"))
    return [file for file in files if "demo" not in file.parts and "migrations" not in file.parts]


def _documented_codes() -> set[str]:
    rows = re.findall(r"^\| (`[^|]+`) \|", page("docs/errors.md"), re.MULTILINE)
    return {code for row in rows for code in re.findall(r"`(\w+)`", row)}


_MAKERS = {
    "Refused",
    "Ignored",
    "Later",
    "Never",
    "Dropped",
    "FormError",
    "ActRefused",
    "_refused",
    "_ignored",
    "_error",
    "_problem",
    "_not",
}
_CODE = re.compile(r"[a-z]+(?:_[a-z]+)*")


def _codes(tree: ast.AST) -> Iterator[str]:
    """Yield the codes of refusals and answers: what is passed as `code`, or as first text that looks like one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name_of(node.func) in _MAKERS:
            named = [one.value for one in node.keywords if one.arg == "code"]
            yield from list(_texts(named or node.args))[:1]
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            yield from _texts([v for k, v in pairs if isinstance(k, ast.Constant) and k.value == "code"])
        elif isinstance(node, ast.Assign) and [_name_of(one) for one in node.targets] == ["code"]:
            yield from _texts(_branches(node.value))


def _branches(node: ast.expr) -> list[ast.expr]:
    return [*_branches(node.body), *_branches(node.orelse)] if isinstance(node, ast.IfExp) else [node]


def _texts(nodes: list[ast.expr]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _CODE.fullmatch(node.value):
            yield node.value


def _name_of(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
