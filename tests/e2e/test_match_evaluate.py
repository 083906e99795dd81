"""`leadflow match evaluate` on a made-up set: it recognises who Splink untuned does not, without seeing the labels."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from bench.data.people import COLUMNS, rows
from enrich.match.tuning import LEAST_ANSWERS
from leadflow.cli import app

RECORDS = 520
"""Just enough for the model to be fitted to them."""


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("people") / "people.csv"
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, COLUMNS)
        writer.writeheader()
        writer.writerows(rows(RECORDS, seed=5))
    return file


def _run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["match", "evaluate", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_people_are_recognised_better_than_by_splink_untuned(people: Path) -> None:
    pytest.importorskip("numpy")
    told: dict[str, Any] = orjson.loads(_run(str(people), "--truth", "person", "--orders", "2", "--json"))
    assert told["records"] == RECORDS
    assert told["pairs"]["f1"] > told["splink"]["pairs"]["f1"] + 0.1
    assert told["pairs"]["f1"] > told["splink"]["best_with_truth"]["f1"]
    assert told["pairs"]["precision"] > 0.85  # stated: 0.9
    assert told["blocked"]["lost_by_cap"] < 0.005
    assert len(told["f1_by_order"]) == 2
    assert max(told["f1_by_order"]) - min(told["f1_by_order"]) < 0.05


def test_the_labels_change_the_figures_and_nothing_else(people: Path, tmp_path: Path) -> None:
    blind = tmp_path / "blind.csv"
    with people.open(newline="") as opened:
        lines = list(csv.DictReader(opened))
    with blind.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, COLUMNS)
        writer.writeheader()
        writer.writerows({**line, "person": "one"} for line in lines[:300])
    some = tmp_path / "some.csv"
    with some.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, COLUMNS)
        writer.writeheader()
        writer.writerows(lines[:300])
    arguments = ("--truth", "person", "--orders", "1", "--no-peer", "--json")
    one, other = orjson.loads(_run(str(some), *arguments)), orjson.loads(_run(str(blind), *arguments))
    assert one["pairs"] != other["pairs"]
    for name in ("prior", "bands", "model", "reviewed", "shared_values", "compared_per_record"):
        assert one[name] == other[name]


def test_companies_are_a_question_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "few.csv"
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, COLUMNS)
        writer.writeheader()
        writer.writerows(rows(300, seed=6))
    arguments = (str(file), "--truth", "customer", "--orders", "1", "--no-peer", "--json")
    by_person = orjson.loads(_run(*arguments))
    by_company = orjson.loads(_run(*arguments, "--level", "customer"))
    assert by_company["splink"] is None
    assert by_company["pairs"]["recall"] > by_person["pairs"]["recall"] + 0.1


def test_what_is_wrong_with_the_call_is_said(people: Path) -> None:
    done = CliRunner().invoke(app, ["match", "evaluate", str(people), "--truth", "nowhere"])
    assert done.exit_code == 2
    assert "nowhere" in done.output
    done = CliRunner().invoke(app, ["match", "evaluate", str(people), "--truth", "person", "--level", "firm"])
    assert done.exit_code == 2


def test_what_answers_bought_is_told_beside_what_was_without_them(people: Path) -> None:
    pytest.importorskip("numpy")
    asked = (str(people), "--truth", "customer", "--level", "customer", "--orders", "1", "--no-peer")
    told: dict[str, Any] = orjson.loads(_run(*asked, "--answers", "40", "--json"))
    after = told["answered"]
    assert after["answers"] == min(40, after["offered"])
    assert (after["bands"] != told["bands"]) == (after["answers"] >= LEAST_ANSWERS)
    assert 0 < after["pairs"]["f1"] < 1
    assert "answers" in _run(*asked, "--answers", "5")
