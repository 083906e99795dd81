"""`leadflow doctor`: what could be wrong with an installation, each finding with its fix, and a probe by every door.

A probe is a real message, sent from outside through the real door. It carries a mark that only this
installation's owner can know, runs through every stage to the built-in holder `probe`, and touches no ledger,
figure or export.
"""

from __future__ import annotations

import csv
import http.client
import io
import shutil
import smtplib
import stat
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import select

from ingest.cti.asterisk import AsteriskCdr
from ingest.cti.cdr_table import CdrTable
from ingest.cti.layouts import CDR_CSV, CDR_CUSTOM
from ingest.cti.table_door import count_rows
from ingest.email.imap_client import Client
from ingest.email.mailbox import ImapMailbox
from ingest.followed import FetchTrouble
from leadflow.clock import new_id, wall_clock_us
from leadflow.embedded import read_files
from leadflow.engine import Data
from leadflow.holidays_ahead import calendars_without_next_year
from leadflow.lock import AlreadyRunning, take_lock
from leadflow.nightly import newest_age_s
from leadflow.settings import Settings
from leadflow.terminal import tell
from router.route import PROBE_HOLDER
from schemas.company import Company
from sinks.alarms import Ways, recipient_of, relay_of
from sinks.port import outside
from sinks.registry import BadSink, sinks_of
from store import tables, views
from store.breakers import open_breakers
from store.company import company_version, load_company
from store.database import sqlite_module
from stream.door_log import PROBE_HEADER

ARRIVES_S = 20.0
"""How long a probe may take: a call is judged 5 s after its last row, everything else takes milliseconds."""
LATE_MIN = 60
"""A delivery that has waited for an hour has failed some six times: somebody should look."""
NIGHTS_H = 50
"""Two nights and the time that a backup takes: one that was missed is made up for, two mean that something is wrong."""
FREE_BYTES = 1024**3
"""Below a gigabyte of free disk a busy day of mail may fill it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination, in the language of the terminal."""

    is_well: bool
    what: str
    fix: str = ""
    is_warning: bool = False
    """Well for now, but there is something to be done."""


class Reached(Protocol):
    """Where the doors of an installation can be reached, and what marks its own probes."""

    @property
    def url(self) -> str:
        """Its web doors."""
        ...

    @property
    def smtp_port(self) -> int:
        """Its mail door on the same host; 0 if closed."""
        ...

    @property
    def probe_token(self) -> str:
        """Known to the installation and its owner alone."""
        ...


@dataclass(frozen=True, slots=True)
class Doorway:
    """The doors of a cluster."""

    url: str
    smtp_port: int
    probe_token: str


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield the findings, cheap ones first."""
    yield Finding(True, f"SQLite {sqlite_module().sqlite_version}")
    if settings.is_cluster:
        from leadflow.doctor_cluster import examine_cluster  # Kafka's client is an extra

        yield from examine_cluster(settings)
        return
    folder = settings.data
    if not (folder / "store.db").exists():
        yield Finding(
            False,
            tell(f"no data in {folder}", f"{folder} 中没有数据"),
            tell(
                "set LEADFLOW_DATA, or start with: leadflow init",
                "请设置 LEADFLOW_DATA，或从 leadflow init 开始",
            ),
        )
        return
    is_private = not stat.S_IMODE(folder.stat().st_mode) & 0o077
    yield Finding(
        is_private,
        tell(f"{folder} is for its owner alone", f"{folder} 仅所有者可访问"),
        f"chmod 700 {folder}",
    )
    free = shutil.disk_usage(folder).free
    yield Finding(
        free > FREE_BYTES,
        tell(f"{free // 1024**2:,} MB of disk are free", f"磁盘剩余 {free // 1024**2:,} MB"),
        tell("make room, or move the folder", "请清理磁盘，或迁移数据文件夹"),
    )
    if settings.backup_at:
        yield _backed_up(settings, datetime.now(UTC))
    try:
        take_lock(folder).close()
        yield Finding(
            False,
            tell("Leadflow is not running on this folder", "Leadflow 未在此文件夹上运行"),
            tell("start it: leadflow run", "请启动：leadflow run"),
        )
        return
    except AlreadyRunning as running:
        host = running
    files = read_files(folder)
    try:
        yield from behind_doors(files, host, settings)
    finally:
        files.close()


def _backed_up(settings: Settings, now: datetime) -> Finding:
    """Look for a backup of the last two nights; an installation that is younger need not have one."""
    age_s = newest_age_s(settings.backups, now)
    began_s = now.timestamp() - settings.key_file.stat().st_mtime
    hours = int((began_s if age_s is None else age_s) // 3_600)
    if age_s is None:
        what = tell("no backup yet", "尚无备份")
    else:
        what = tell(f"the newest backup is {hours} hours old", f"最近一份备份在 {hours} 小时前")
    fix = tell(
        "leadflow backup; the log says backup_failed, and why",
        "leadflow backup；日志中 backup_failed 说明了原因",
    )
    return Finding(hours < NIGHTS_H, what, fix)


def behind_doors(files: Data, host: Reached, settings: Settings) -> Iterator[Finding]:
    """Yield what is found at the doors of an installation that runs, and behind them."""
    try:
        status, answer = _ask(host, "GET", "/readyz", b"", {})
        why = str(answer.get("why", tell("see its log", "请查看日志")))
        yield Finding(status == 200, tell(f"{host.url} is ready", f"{host.url} 已就绪"), why)
    except OSError as error:
        yield Finding(
            False,
            tell(f"{host.url} does not answer ({error})", f"{host.url} 没有应答（{error}）"),
            tell("see its log; stop it and start it again", "请查看日志，停止后重新启动"),
        )
        return
    with files.store.read() as connection:
        lost = len(views.orphans(connection, wall_clock_us()))
        company = load_company(connection, company_version(connection))
    yield Finding(
        lost == 0,
        tell(f"{lost} customers without owner", f"无主客户 {lost} 个"),
        "leadflow orphans; leadflow explain ID",
    )
    yield from _holidays_ahead(company)
    yield from _held(files)
    yield _told(settings, company)
    if not company.sources:
        yield Finding(
            False, tell("no source is configured", "尚未配置接入渠道"), "leadflow init; leadflow apply FOLDER"
        )
    for source in company.sources.values():
        if source["channel"] == "list":
            continue  # comes by an act, not by a door
        yield probe(files, host, source)
    yield from _ways_out(files, company)


def _holidays_ahead(company: Company) -> Iterator[Finding]:
    year, missing = calendars_without_next_year(company, wall_clock_us())
    if missing:
        names = ", ".join(missing)
        yield Finding(
            True,
            tell(
                f"the holidays of {year} are not known to: {names}",
                f"以下日历尚无 {year} 年放假安排：{names}",
            ),
            tell(
                f"update Leadflow, or enter them under `closed` and `open`, with {year} under `confirmed`",
                f"请更新 Leadflow，或在 `closed`、`open` 中填写，并将 {year} 列入 `confirmed`",
            ),
            is_warning=True,
        )


def _held(files: Data) -> Iterator[Finding]:
    with files.store.read() as connection:
        found = [row for row in open_breakers(connection) if row["state"] == "open"]
    for row in found:
        source_id = row["source_id"]
        yield Finding(
            False,
            tell(
                f"{source_id} is held at {row['stage']} ({row['code']}), {row['held']} wait",
                f"{source_id} 已在 {row['stage']} 环节暂扣（{row['code']}），{row['held']} 条等待中",
            ),
            tell(
                f"put the cause right (leadflow dead list), then: leadflow breaker reset {source_id}",
                f"请排除原因（leadflow dead list），然后运行：leadflow breaker reset {source_id}",
            ),
        )


def _told(settings: Settings, company: Company) -> Finding:
    """Say who is told when a source is held or a stage stops: no fault if it is nobody, but to be known."""
    person = recipient_of(Ways(settings.alarm_mail), company) if relay_of(company) else None
    ways = [person.email] if person else []
    ways += [urlsplit(settings.alarm_webhook).netloc] if settings.alarm_webhook else []
    if not ways:
        return Finding(
            True,
            tell(
                "alarms reach nobody: there is no mail sink with somebody to write to, and no alarm_webhook",
                "警报不会通知任何人：没有可用的邮件推送渠道和收件人，也未设置 alarm_webhook",
            ),
        )
    return Finding(True, tell(f"alarms go to {', '.join(ways)}", f"警报发送至 {'、'.join(ways)}"))


def _ways_out(files: Data, company: Company) -> Iterator[Finding]:
    for sink in sinks_of(company):
        if isinstance(sink, BadSink):
            yield Finding(False, f"sink {sink.sink_id}: {sink.field} does not fit", "leadflow check FOLDER")
            continue
        kind, settings = sink
        name = f"{settings.kind} sink {settings.sink_id}"
        world = outside(files.folder)
        try:
            yield Finding(True, f"{name}: {kind.probe(settings, world)}")
        except OSError as error:
            fix = "check the sink's settings, the network and the destination; what waits is sent by itself"
            yield Finding(False, f"{name}: {error}", fix)
        finally:
            world.http.close()
    with files.store.read() as connection:
        waiting, oldest_us = views.unsent(connection)
    if waiting:
        minutes = max(0, wall_clock_us() - oldest_us) // 60_000_000
        what = f"{waiting} deliveries wait, the oldest for {minutes} min"
        yield Finding(minutes < LATE_MIN, what, "look at the sinks above; leadflow export deliveries")


def probe(files: Data, host: Reached, source: Mapping[str, Any]) -> Finding:
    """Send a probe into a source's door and follow it to its end, or look into what the source is fetched from."""
    channel, source_id = source["channel"], source["source_id"]
    name = tell(f"{channel} door of {source_id}", f"接入渠道 {source_id}（{channel}）")
    if source.get("imap"):
        return _mailbox(source)
    if source["format"] == "cti.cdr_table":
        return _table(source)
    if source["channel"] == "email" and not host.smtp_port:
        fix = tell(
            "set LEADFLOW_SMTP_PORT and restart, or switch the source off",
            "请设置 LEADFLOW_SMTP_PORT 并重启，或停用该渠道",
        )
        return Finding(False, tell(f"{name} is closed", f"{name}：未开放"), fix)
    mark = new_id()
    since_us = wall_clock_us()
    try:
        _SEND[source["channel"]](host, source, mark)
    except (OSError, smtplib.SMTPException, http.client.HTTPException) as error:
        return Finding(
            False,
            tell(f"{name} did not take the probe: {error}", f"{name}：未接受探测（{error}）"),
            tell("check the source's settings and the log", "请检查该渠道的设置和日志"),
        )
    give_up = time.monotonic() + ARRIVES_S
    while time.monotonic() < give_up:
        if (took_us := _arrived(files, source["source_id"], since_us)) is not None:
            took = f"{took_us / 1e6:.2f}"
            return Finding(
                True,
                tell(f"{name}: a probe reached its end in {took} s", f"{name}：探测在 {took} 秒内走完全程"),
            )
        time.sleep(0.05)
    return Finding(
        False,
        tell(f"{name} took a probe that did not arrive", f"{name}：接受了探测，但未走完全程"),
        tell("leadflow dead list; see the log for its stage", "leadflow dead list；并查看日志中的环节"),
    )


def _mailbox(source: Mapping[str, Any]) -> Finding:
    """Look into a source's mailbox, once: no probe is put there, for it is not ours."""
    mailbox = ImapMailbox.model_validate(source["imap"])
    name = tell(
        f"mailbox of {source['source_id']} ({mailbox.user})",
        f"渠道 {source['source_id']} 的邮箱（{mailbox.user}）",
    )
    try:
        client = Client(mailbox)
    except FetchTrouble as trouble:
        what = tell(
            f"{name}: {trouble.code}, {trouble.message}", f"{name}：{trouble.code}，{trouble.message}"
        )
        return Finding(
            False, what, tell("see docs/errors.md, Mailboxes", "请查看 docs/errors.md 的 Mailboxes")
        )
    exists = client.folder.exists
    client.close()
    return Finding(
        True,
        tell(
            f"{name} opens; {exists} mails in {mailbox.folder}",
            f"{name}可以打开，{mailbox.folder} 中有 {exists} 封邮件",
        ),
    )


def _table(source: Mapping[str, Any]) -> Finding:
    """Look into a source's table of calls, once: it is only read, so no probe is put there."""
    settings = CdrTable.model_validate(source)
    name = tell(f"call table of {settings.source_id}", f"渠道 {settings.source_id} 的话单表")
    try:
        rows = count_rows(settings)
    except FetchTrouble as trouble:
        what = tell(
            f"{name}: {trouble.code}, {trouble.message}", f"{name}：{trouble.code}，{trouble.message}"
        )
        return Finding(
            False, what, tell("see docs/errors.md, Mailboxes", "请查看 docs/errors.md 的 Mailboxes")
        )
    return Finding(
        True,
        tell(
            f"{name} opens; {rows} rows in {settings.table}", f"{name}可以打开，{settings.table} 有 {rows} 行"
        ),
    )


def _arrived(files: Data, source_id: str, since_us: int) -> int | None:
    """Return how long the probe of a source took from its acceptance to its task; None if it is not there."""
    lead, task = tables.lead, tables.task
    with files.store.read() as connection:
        row = connection.execute(
            select(lead.c.accepted_us, task.c.created_us)
            .join(task, task.c.lead_id == lead.c.lead_id)
            .where(
                lead.c.source_id == source_id,
                lead.c.purpose == "probe",
                lead.c.accepted_us >= since_us,
                task.c.holder_id == PROBE_HOLDER,
            )
            .limit(1)
        ).one_or_none()
    return int(row.created_us - row.accepted_us) if row is not None else None


def _send_web(host: Reached, source: Mapping[str, Any], mark: str) -> None:
    body = urlencode({"name": "probe", "phone": "13900000000", "message": mark, "_token": mark}).encode()
    _accepted(_ask(host, "POST", f"/in/web/{source['source_id']}", body, _FORM))


def _send_mail(host: Reached, source: Mapping[str, Any], mark: str) -> None:
    if not source.get("addresses"):
        raise OSError("no address is set for it")
    mail = EmailMessage()
    mail[PROBE_HEADER] = host.probe_token
    mail["From"], mail["To"] = f"probe@{mark}.example", source["addresses"][0]
    mail["Subject"], mail["Message-ID"] = "probe", f"<{mark}@leadflow.example>"
    mail.set_content("A probe of leadflow doctor.\n")
    with smtplib.SMTP("127.0.0.1", host.smtp_port, timeout=10) as smtp:
        smtp.send_message(mail)


def _send_call(host: Reached, source: Mapping[str, Any], mark: str) -> None:
    if source["format"] == "cti.queue_log":
        queue = next(iter(source.get("queues") or ()), "probe")
        event = f"{int(time.time())}|{int(time.time())}.{mark[:9]}|{queue}|NONE|ABANDON|1|1|0\n"
        _send_row(host, source, mark, event)
        return
    settings = AsteriskCdr.model_validate(source)
    now = f"{datetime.now(ZoneInfo(settings.zone)):%Y-%m-%d %H:%M:%S}"
    trunk = settings.trunks[0] if settings.trunks else "probe-trunk"
    cells = {
        "src": "13900000000", "dst": next(iter(settings.own_numbers), "s"), "clid": '"" <13900000000>',
        "dcontext": "probe", "channel": f"PJSIP/{trunk}-00000001", "lastapp": "Dial", "start": now, "end": now,
        "duration": "0", "billsec": "0", "disposition": "NO ANSWER", "amaflags": "DOCUMENTATION",
        "uniqueid": f"{int(time.time())}.{mark[:9]}",
    }  # fmt: skip
    line = io.StringIO()
    csv.writer(line, delimiter=settings.separator, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(
        cells.get(column, "") for column in _columns(settings)
    )
    _send_row(host, source, mark, line.getvalue())


def _send_row(host: Reached, source: Mapping[str, Any], mark: str, text: str) -> None:
    row = {"key": mark, "file": mark, "offset": 0, "row": b64encode(text.encode()).decode()}
    _accepted(_ask(host, "POST", f"/in/cti/{source['source_id']}", orjson.dumps(row), _NDJSON))


def _send_visit(host: Reached, source: Mapping[str, Any], mark: str) -> None:
    visit = {"visit_no": mark, "anonymous": True, "note": "probe"}
    _accepted(_ask(host, "POST", f"/in/counter/{source['source_id']}", orjson.dumps(visit), _JSON))


_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_JSON = {"Content-Type": "application/json"}
_NDJSON = {"Content-Type": "application/x-ndjson"}
_SEND = {"web": _send_web, "email": _send_mail, "cti": _send_call, "counter": _send_visit}


def _columns(settings: AsteriskCdr) -> tuple[str, ...]:
    if settings.columns:
        return settings.columns
    known = CDR_CUSTOM if settings.layout == "cdr_custom" else CDR_CSV
    return next(one.columns for one in known if "uniqueid" in one.columns)


def _ask(
    host: Reached, method: str, path: str, body: bytes, headers: Mapping[str, str]
) -> tuple[int, dict[str, Any]]:
    address = urlsplit(host.url)
    connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=10)
    try:
        marked = {**headers, PROBE_HEADER: host.probe_token, "Accept": "application/json"}
        connection.request(method, path, body, marked)
        answer = connection.getresponse()
        content: dict[str, Any] = {}
        with suppress(orjson.JSONDecodeError):
            content = orjson.loads(answer.read())
        return answer.status, content
    finally:
        connection.close()


def _accepted(answer: tuple[int, dict[str, Any]]) -> None:
    status, content = answer
    if not 200 <= status < 300:
        raise OSError(f"{status} {content.get('error', {}).get('message', '')}")
