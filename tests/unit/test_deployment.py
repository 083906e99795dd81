"""The image and the Compose file pass their linters, and say what the program understands. Neither is run here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from leadflow.cli import app
from leadflow.settings import Settings

ROOT = Path(__file__).parent.parent.parent
SCHEMA = ROOT / "tests" / "support" / "compose-spec.json"
"""The Compose Specification's own schema (compose-spec.json of github.com/compose-spec/compose-go, Apache-2.0)."""
PARTS = ("doors", "stages", "sinks", "timers", "console")
TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return json.loads(json.dumps(YAML(typ="safe").load(TEXT)))  # type: ignore[no-any-return]


def leadflow_services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in compose["services"].items() if "build" in one}


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_compose_file_is_what_the_specification_allows(compose: dict[str, Any]) -> None:
    schema = Draft202012Validator(json.loads(SCHEMA.read_text("utf-8")))
    assert [f"{error.json_path}: {error.message}" for error in schema.iter_errors(compose)] == []
    broken = {**compose, "services": {"x": {"imag": "y"}}}
    assert list(schema.iter_errors(broken)), "or this test proves nothing"


def test_there_are_two_of_each_part(compose: dict[str, Any]) -> None:
    count = dict.fromkeys(PARTS, 0)
    for one in leadflow_services(compose).values():
        if (part := one["command"][0]) in count:
            count[part] += one["deploy"].get("replicas", 1)
    assert count == dict.fromkeys(PARTS, 2)


def test_what_waits_for_the_brokers_is_in_a_volume_of_its_own(compose: dict[str, Any]) -> None:
    mounts = [
        volume.split(":")[0]
        for one in leadflow_services(compose).values()
        if one["command"][0] in ("doors", "console")
        for volume in one["volumes"]
        if volume.endswith(":/var/lib/leadflow")
    ]
    assert len(mounts) == len(set(mounts)) == 4
    assert set(mounts) <= set(compose["volumes"])


def test_every_command_and_setting_in_it_exists(compose: dict[str, Any]) -> None:
    known: Any = typer.main.get_command(app)
    settings = {f"LEADFLOW_{name.upper()}" for name in Settings.model_fields}
    for name, one in leadflow_services(compose).items():
        command = known
        for word in one["command"]:
            command = command.commands[word]
        named = {key for key in one["environment"] if key.startswith("LEADFLOW_")}
        assert named <= settings, name
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    assert set(re.findall(r"LEADFLOW_[A-Z_]+", dockerfile)) <= settings


def test_no_secret_has_a_default() -> None:
    named = re.findall(r"\$\{(\w*(?:PASSWORD|KEY|SECRET|TOKEN)\w*)([^}]*)\}", TEXT)
    assert {name for name, _ in named} == {"POSTGRES_PASSWORD", "LEADFLOW_MASTER_KEY_FILE"}
    assert [name for name, rest in named if not rest.startswith(":?")] == []


def test_every_service_is_watched_limited_and_pinned(compose: dict[str, Any]) -> None:
    for name, one in compose["services"].items():
        assert one["healthcheck"], name
        assert set(one["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
        assert re.search(r":\$?[\w{]*\d+\.\d+", one["image"]), f"{name} runs {one['image']}"
        assert "latest" not in one["image"]


def test_nothing_is_open_to_the_network_or_runs_as_root(compose: dict[str, Any]) -> None:
    ports = [port for one in compose["services"].values() for port in one.get("ports", [])]
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
    assert compose["networks"]["inside"]["internal"] is True
    for name in ("kafka", "postgres"):
        assert compose["services"][name]["networks"] == ["inside"]
        assert "ports" not in compose["services"][name]
    for name, one in leadflow_services(compose).items():
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"], name
    last_stage = (ROOT / "Dockerfile").read_text("utf-8").split("\nFROM ")[-1]
    assert "\nUSER 10001" in last_stage
    assert last_stage.index("\nUSER") < last_stage.index("\nENTRYPOINT")


def test_the_image_is_built_of_hashed_wheels_and_holds_only_the_packages(compose: dict[str, Any]) -> None:
    installs = re.findall(r"pip install ([^\n]*)", (ROOT / "Dockerfile").read_text("utf-8"))
    assert [one for one in installs if "--require-hashes" not in one and "--no-index" not in one] == []
    lock = (ROOT / "requirements" / "image.txt").read_text("utf-8")
    assert "confluent-kafka==" in lock
    assert "psycopg-binary==" in lock
    assert [name for name in ("splink", "pytest", "pixeltable") if f"\n{name}" in lock] == []
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in ignored
    allowed = {line[1:].split("/")[0] for line in ignored if line.startswith("!")}
    packages = re.search(r"^packages = \[(.*)\]", (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert packages is not None
    wanted = set(re.findall(r'"(\w+)"', packages[1]))
    assert allowed == wanted | {"examples", "requirements", "LICENSE", "README.md", "pyproject.toml"}
