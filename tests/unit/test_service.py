"""The units are what systemd understands, and leave little to whoever breaks in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from leadflow.service import PARTS, Machine, commands, units

PROGRAM = Path(sys.executable).parent / "leadflow"


def leadflow(*arguments: str, code: int = 0) -> tuple[str, str]:
    done = subprocess.run(
        [PROGRAM, "service", "install", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize("cluster", [False, True])
@pytest.mark.parametrize("low_ports", [False, True])
def test_systemd_has_nothing_to_say_and_rates_them_as_safe(
    tmp_path: Path, cluster: bool, low_ports: bool
) -> None:
    made = units(Machine(PROGRAM, low_ports=low_ports), cluster=cluster)
    assert len(made) == (len(PARTS) if cluster else 1)
    for name, text in made.items():
        file = tmp_path / name
        file.write_text(text)
        verified = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", file],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
        rated = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", file],
            capture_output=True,
            text=True,
            check=False,
        )
        assert rated.returncode == 0, rated.stdout + rated.stderr


def test_a_unit_that_is_wrong_is_found(tmp_path: Path) -> None:
    (text,) = units(Machine(PROGRAM), cluster=False).values()
    file = tmp_path / "leadflow.service"
    file.write_text(text.replace("ProtectSystem=strict", "ProtectSystem=sometimes"))
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", file], capture_output=True, text=True, check=False
    )
    assert "sometimes" in found.stderr


def test_it_writes_what_it_says_and_says_what_to_type(tmp_path: Path) -> None:
    shown, _ = leadflow("--cluster", "--print")
    assert [part for part in PARTS if f"ExecStart={PROGRAM} {part}\n" not in shown] == []
    would, _ = leadflow("--cluster", "--dry-run", "--into", str(tmp_path))
    assert would.count("\tnew") == len(PARTS)
    assert list(tmp_path.iterdir()) == []
    _, told = leadflow("--into", str(tmp_path))
    (file,) = tmp_path.iterdir()
    assert f"ExecStart={PROGRAM} run\n" in file.read_text()
    assert "systemctl enable --now leadflow\n" in told
    assert leadflow("--into", str(tmp_path))[0] == f"{file}\tsame\n"
    assert "as root" in leadflow("--into", "/proc/nowhere", code=2)[1]


def test_a_machine_with_backups_elsewhere_and_mail_on_port_25_may_do_both() -> None:
    machine = Machine(PROGRAM, low_ports=True, writes_to=[Path("/mnt/backups")])
    (text,) = units(machine, cluster=False).values()
    assert "\nReadWritePaths=/mnt/backups\n" in text
    assert "\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n" in text
    (plain,) = units(Machine(Path("/home/a/leadflow")), cluster=False).values()
    assert "\nAmbientCapabilities=\n" in plain
    assert "\nProtectHome=read-only\n" in plain, "or its own program is out of its sight"


def test_two_of_each_part_are_enabled_on_ports_of_their_own() -> None:
    enable = commands(Machine(PROGRAM), cluster=True)[-1].split()[3:]
    assert len(enable) == len({name.split("@")[1] for name in enable}) == 2 * len(PARTS)
