"""Every text in both languages, every code of the program in words, every vendored file as it was taken."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from console import words
from schemas.base import Channel, LeadKind, Purpose
from schemas.company import ALIAS_KINDS
from schemas.facts import SCORED_FACTS
from schemas.lead import FieldName
from schemas.resolved import IdentifierKind
from schemas.results import Stage
from schemas.work import Reason, TaskOrigin, TaskState
from sinks.trouble import MEANINGS

ROOT = Path(__file__).parents[2]
ROOMS = ("console", "ingest/web", "ingest/counter", "leadflow/simulation")
_PLACEHOLDER = re.compile(r"%\(\w+\)s")
_CJK = re.compile(r"[\u4e00-\u9fff]")


def texts_of(room: str) -> set[str]:
    """Return every text of a room's code and templates."""
    return {
        str(message[0] if isinstance(message, tuple) else message)
        for _file, _line, message, _comments, _context in extract_from_dir(
            ROOT / room,
            [("**.py", "python"), ("templates/**.html", "jinja2")],
            keywords={"_": None, "N_": None, "ngettext": (1, 2)},
        )
    }


def forms(text: str | list[str] | tuple[str, ...] | None) -> tuple[str, ...]:
    """Return what a message says for one and for several, which are mostly the same."""
    return (text,) if isinstance(text, str) else tuple(text or ("",))


def catalogue_of(room: str) -> Catalog:
    with (ROOT / room / "locale" / "zh.po").open("rb") as file:
        return read_po(file, locale="zh")


@pytest.mark.parametrize("room", ROOMS)
def test_every_text_has_its_chinese_and_every_chinese_text_is_used(room: str) -> None:
    catalogue = catalogue_of(room)
    known = {
        forms(message.id)[0]
        for message in catalogue
        if message.id and all(forms(message.string)) and not message.fuzzy
    }
    texts = texts_of(room)
    assert len(texts) > 20, "the extractor found nothing"
    assert sorted(texts - known) == [], f"add these to {room}/locale/zh.po"
    assert sorted(known - texts) == [], f"take these out of {room}/locale/zh.po: nothing shows them"


@pytest.mark.parametrize("room", ROOMS)
def test_translations_keep_the_placeholders(room: str) -> None:
    for message in catalogue_of(room):
        if message.id:
            *one, wanted, found = (
                sorted(_PLACEHOLDER.findall(text)) for text in (*forms(message.id), forms(message.string)[0])
            )
            assert found == wanted, message.id
            # "once" needs no number.
            assert all({*said, "%(num)s"} == set(wanted) for said in one), message.id


@pytest.mark.parametrize("room", ROOMS)
def test_no_chinese_stands_in_code_or_templates(room: str) -> None:
    # The language switch says 中文 in either language, by design.
    for path in [*(ROOT / room / "templates").glob("*.html")]:
        assert set(_CJK.findall(path.read_text())) <= set("中文"), path.name


@pytest.mark.parametrize(
    ("table", "codes"),
    [
        ("CHANNELS", get_args(Channel)),
        ("KINDS", get_args(LeadKind)),
        ("PURPOSES", get_args(Purpose)),
        ("ORIGINS", get_args(TaskOrigin)),
        ("TASK_STATES", get_args(TaskState)),
        ("DELIVERY_STATES", ("waiting", "sent", "failed", "dropped")),
        ("FIELDS", get_args(FieldName)),
        ("IDENTIFIERS", get_args(IdentifierKind)),
        ("STEPS", get_args(Stage)),
        ("DECISIONS", get_args(Reason.model_fields["code"].annotation)),
        ("COLUMNS", SCORED_FACTS),
        ("UNLISTED", (*ALIAS_KINDS, "place")),
    ],
)
def test_every_code_has_a_word(table: str, codes: tuple[Any, ...]) -> None:
    assert set(codes) <= set(getattr(words, table))


def test_every_refusal_of_an_act_on_an_inbox_has_a_word() -> None:
    refusal = re.compile(r'ActRefused\(\s*"(\w+)"')
    files = (
        "store/acts.py",
        "store/acts_inbox.py",
        "sales/outcomes.py",
        "console/pages.py",
        "console/outcome_form.py",
        "console/gate.py",
    )
    codes = {code for name in files for code in refusal.findall((ROOT / name).read_text())}
    assert len(codes) > 8
    assert sorted(codes - {"unknown_verb"} - set(words.REFUSALS)) == []


def test_every_dead_letter_of_the_web_door_is_told_in_both_languages() -> None:
    files = (ROOT / "ingest/web/form.py", ROOT / "ingest/registry.py")
    code = re.compile(r'(?:code=|FormError\(\s*|_refused\(\s*)"(\w+)"')
    refusals = {one for path in files for one in code.findall(path.read_text())}
    ignored = {"incomplete_form", "robot"}
    assert sorted(refusals - ignored - set(words.DEAD)) == []


def test_every_trouble_with_a_delivery_is_told_in_both_languages() -> None:
    assert sorted(set(MEANINGS) - set(words.DEAD)) == []


def test_vendored_files_are_the_ones_that_were_taken() -> None:
    folder = ROOT / "console/static/vendor"
    table = json.loads((folder / "vendored.json").read_text())
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == {*table, "vendored.json"}
    for name, entry in table.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == entry["sha256"], name
        assert entry["version"] in name.split("/")[0]
    for package in {name.split("/")[0] for name in table}:
        assert any(Path(name).name.startswith("LICENSE") for name in table if name.startswith(package)), (
            package
        )
