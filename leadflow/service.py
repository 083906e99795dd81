"""systemd units for Leadflow, hardened: one for a single machine, or one template a part of the cluster.

A template's instance is its HTTP port: `leadflow-doors@8080` and `leadflow-doors@8081` are two doors on one machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STATE = Path("/var/lib/leadflow")
ENVIRONMENT = Path("/etc/leadflow.env")
PARTS = {
    "doors": "doors: web, mail, calls, front desk",
    "stages": "stages: parse, resolve, route, deliver",
    "sinks": "sinks: what goes out",
    "timers": "timers, the outbox and the nightly backup",
    "console": "console",
}
FIRST_PORT = {"doors": 8080, "console": 8090, "stages": 8100, "sinks": 8110, "timers": 8120}
"""Instances that the examples enable; any free port does."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the units depend on."""

    program: Path
    """The `leadflow` to run."""
    user: str = "leadflow"
    low_ports: bool = False
    """A door listens below 1024, such as 25 for mail."""
    writes_to: Sequence[Path] = ()
    """Folders outside of /var/lib/leadflow that it writes to: backups on another disk, for one."""


def units(machine: Machine, *, cluster: bool) -> dict[str, str]:
    """Return each unit by its file's name."""
    if cluster:
        return {f"leadflow-{part}@.service": _unit(machine, part) for part in PARTS}
    return {"leadflow.service": _unit(machine, None)}


def commands(machine: Machine, *, cluster: bool) -> list[str]:
    """Return what is to be typed next, as root."""
    names = ["leadflow"]
    if cluster:
        names = [f"leadflow-{part}@{FIRST_PORT[part] + n}" for part in PARTS for n in range(2)]
    return [
        f"useradd --system --home-dir {STATE} --shell /usr/sbin/nologin {machine.user}   # if there is none",
        "systemctl daemon-reload",
        f"systemctl enable --now {' '.join(names)}",
    ]


def _unit(machine: Machine, part: str | None) -> str:
    what = PARTS[part] if part is not None else "leads from web, mail, calls and front desk to their owners"
    folder, command, port = "data", "run", ""
    if part is not None:
        folder, command, port = f"{part}-%i", part, "\nEnvironment=LEADFLOW_HTTP_PORT=%i"
        port += f"\nEnvironment=LEADFLOW_JOURNAL={STATE}/erasures LEADFLOW_MASTER_KEY={STATE}/master.key"
        port += f"\nEnvironment=LEADFLOW_BACKUP_FOLDER={STATE}/backups"
    home = "read-only" if {"home", "root"} & set(machine.program.parts[1:2]) else "true"
    capability = "CAP_NET_BIND_SERVICE" if machine.low_ports else ""
    writes = "".join(f"\nReadWritePaths={path}" for path in machine.writes_to)
    return f"""\
[Unit]
Description=Leadflow {what}
After=network-online.target
Wants=network-online.target
# However often it fails, it is started again: leads wait meanwhile.
StartLimitIntervalSec=0

[Service]
User={machine.user}
StateDirectory=leadflow
StateDirectoryMode=0700
WorkingDirectory={STATE}
Environment=LEADFLOW_DATA={STATE}/{folder} LEADFLOW_LOG_JSON=true{port}
# Passwords and what else is of this machine alone; root's, mode 0600.
EnvironmentFile=-{ENVIRONMENT}
ExecStart={machine.program} {command}
Restart=always
RestartSec=1
# SIGTERM answers what is at hand, and lets a backup under way finish. SIGKILL after that is no harm.
TimeoutStopSec=300
LimitNOFILE=65536
UMask=0077

NoNewPrivileges=true
CapabilityBoundingSet={capability}
AmbientCapabilities={capability}
ProtectSystem=strict{writes}
ProtectHome={home}
ProtectProc=invisible
ProcSubset=pid
ProtectClock=true
ProtectControlGroups=true
ProtectHostname=true
ProtectKernelLogs=true
ProtectKernelModules=true
ProtectKernelTunables=true
PrivateDevices=true
PrivateTmp=true
DevicePolicy=closed
KeyringMode=private
LockPersonality=true
MemoryDenyWriteExecute=true
RemoveIPC=true
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""
