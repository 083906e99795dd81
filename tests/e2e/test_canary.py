"""Probes go through every door by themselves; one that is lost is told, and none of them is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leadflow.canary import Canary
from leadflow.doctor import Doorway
from leadflow.embedded import read_files
from leadflow.lock import AlreadyRunning, take_lock
from tests.support.live import Live
from tests.support.rig import small_company
from tools.servers import free_port


def test_a_probe_goes_through_each_door_and_is_missed_when_it_does_not(tmp_path: Path) -> None:
    company = small_company(absences=())
    more: dict[str, dict[str, Any]] = {
        "a fair": {"channel": "list", "format": "list.row", "name": "展会"},
        "ads": {"channel": "web", "format": "web.mapped", "preset": "feiyu", "secret": "s", "name": "飞鱼"},
        "hotline": {"channel": "cti", "format": "cti.queue_log", "secret": "s", "name": "热线"},
        "mail": {"channel": "email", "format": "email.message", "name": "邮箱", "addresses": ["sales@haichuan.example"]},
        "table": {"channel": "cti", "format": "cti.cdr_table", "name": "话单", "url": "sqlite:////nowhere/cdr.db"},
    }  # fmt: skip
    company.sources.update({key: {"source_id": key, **one} for key, one in more.items()})
    smtp_port = free_port()
    live = Live(tmp_path / "data", company, LEADFLOW_SMTP_PORT=str(smtp_port))
    live.start()
    files = read_files(live.folder)
    try:
        try:
            take_lock(live.folder).close()
        except AlreadyRunning as running:
            host = Doorway(running.url, running.smtp_port, running.probe_token)
        assert Canary(files, host, 60).turn() == 0
        assert live.query("SELECT count(DISTINCT source_id) FROM lead WHERE purpose = 'probe'") == [(4,)]
        assert live.query("SELECT count(*) FROM lead WHERE purpose != 'probe'") == [(0,)]
        assert live.query("SELECT count(*) FROM dead") == [(0,)]
        away = Doorway(f"http://127.0.0.1:{free_port()}", 0, host.probe_token)
        assert Canary(files, away, 60).turn() == 3
        told = live.query("SELECT what, source_id FROM alarm WHERE what = 'probe_lost' ORDER BY 2")
        assert told == [("probe_lost", "ads"), ("probe_lost", "hotline"), ("probe_lost", "site")]
    finally:
        files.close()
        live.stop()
