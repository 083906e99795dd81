"""A new source is asked for, written beside what stands there, and the other side's setting is printed, in either language."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from leadflow.cli import app
from leadflow.source_new import KINDS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEADFLOW_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LEADFLOW_PUBLIC_URL", "https://leads.haichuan.example")
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)
    return Path(shutil.copytree("examples/demo", tmp_path / "company"))


def new(folder: Path, *options: str, **more: Any) -> Any:
    return CliRunner().invoke(app, ["source", "new", str(folder), *options], **more)


def section(folder: Path, source_id: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((folder / "company.toml").read_text("utf-8"))["sources"][source_id]
    return found


GIVEN = ("--host", "imap.163.com", "--user", "haichuan@163.com", "--url", "mysql+pymysql://leadflow@pbx/asteriskcdrdb", "--oid", "00D5g00000HaiChuan", "--yes")  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lang", ["C.UTF-8", "zh_CN.UTF-8"])
def test_each_kind_passes_the_check_and_leaves_the_rest_as_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str, lang: str
) -> None:
    monkeypatch.setenv("LANG", lang)
    before = (folder / "company.toml").read_text("utf-8")
    done = new(folder, "--kind", kind, "--id", "fresh", *GIVEN)
    assert done.exit_code == 0, done.output
    assert (folder / "company.toml").read_text("utf-8").startswith(before.rstrip())
    assert CliRunner().invoke(app, ["check", str(folder)]).exit_code == 0
    assert "password" not in section(folder, "fresh").get("imap", {})


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("webhook", "https://leads.haichuan.example/in/web/fresh?token="),
        ("web-to-lead", 'action="https://leads.haichuan.example/servlet/servlet.WebToLead?encoding=UTF-8"'),
        ("form", "https://leads.haichuan.example/f/fresh/html"),
        ("mailbox", "FRESH_PASSWORD="),
        ("queue", "Queue(sales"),
        ("calls", "https://leads.haichuan.example/in/cti/fresh"),
        ("call-table", "GRANT SELECT ON asteriskcdrdb.cdr"),
        ("counter", "https://leads.haichuan.example/counter/fresh"),
    ],
)
def test_the_other_sides_setting_is_printed(folder: Path, kind: str, told: str) -> None:
    assert told in new(folder, "--kind", kind, "--id", "fresh", *GIVEN).output


def test_it_asks_for_what_is_not_given(folder: Path) -> None:
    done = new(folder, input="webhook\nbaidu\n百度推广\nbaidu\n")
    assert done.exit_code == 0, done.output
    made = section(folder, "baidu")
    assert (made["name"], made["preset"]) == ("百度推广", "baidu")
    assert len(made["secret"]) > 30


@pytest.mark.parametrize(
    "options",
    [
        ("--kind", "fax", "--yes"),
        ("--kind", "form", "--id", "site", "--yes"),
        ("--kind", "webhook", "--id", "fresh", "--preset", "facebook", "--yes"),
        ("--kind", "call-table", "--id", "fresh", "--url", "mysql+pymysql://a:secret@b/c", "--yes"),
        ("--kind", "form", "--id", "No Good", "--yes"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_written(folder: Path, options: tuple[str, ...]) -> None:
    before = (folder / "company.toml").read_bytes()
    assert new(folder, *options).exit_code == 2
    assert (folder / "company.toml").read_bytes() == before
