"""Telling a person that a source is held or a stage has stopped: by mail, by webhook, at least once under one id.

Alarms are rows, written in the transaction of what they tell. A try is claimed in the table, so that several processes
tell it once; one that dies while it tells leaves the try to the next.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

import structlog

from schemas.base import Language
from schemas.company import Company
from schemas.outward import ALARM, Alarm
from sinks.ladder import GIVE_UP_US, dice_of, next_attempt
from sinks.mail import Letter, Mail, addressed, send_mail
from sinks.net import utc
from sinks.port import Answer, Later, Outside, Recipient, Taken
from sinks.registry import BadSink, sinks_of
from sinks.robot import Note, Robot, posted, send
from sinks.webhook import post_to, signed
from store import alarms
from store.breakers import WHOLE_STAGE
from store.company import CompanyCache
from store.database import Database

log = structlog.get_logger()

IDLE_S = 2.0
"""How late an alarm leaves: nobody is at their desk within two seconds."""
CLAIM_US = 60_000_000
"""How long a try may take before another process may have it: a relay's dialogue takes 30 s at most."""


@dataclass(frozen=True, slots=True)
class Ways:
    """Where alarms go, as the machine's settings say."""

    mail: str | None = None
    """Else to whoever answers for the default queue."""
    webhook: str | None = None
    secret: str | None = None
    """Signs the webhook; None leaves it unsigned."""
    public_url: str | None = None


class Alarms:
    """Tells what is to be told until stopped."""

    def __init__(
        self,
        store: Database,
        companies: CompanyCache,
        outside: Outside,
        clock: Callable[[], int],
        ways: Ways,
    ) -> None:
        self._store = store
        self._companies = companies
        self._outside = outside
        self._clock = clock
        self._ways = ways
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)

    def start(self) -> None:
        """Start telling."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the try at hand, and start no other."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._outside.http.close()

    def _run(self) -> None:
        while not self._stopping.wait(IDLE_S):
            try:
                self.turn()
            except Exception as error:  # the store failed: the rows are there, and their turn comes again
                log.error("alarms_failed", error=type(error).__name__)

    def turn(self) -> int:
        """Tell what is due; return how much of it has arrived."""
        now_us = self._clock()
        with self._store.read() as connection:
            company = self._companies.get(connection)
            ways = self._open_ways(company)
            due = alarms.due(connection, ways, now_us - GIVE_UP_US, now_us)
        return sum(self._try(alarm, way, company) for alarm, way in due)

    def _open_ways(self, company: Company) -> list[str]:
        ways = ["mail"] if relay_of(company) and recipient_of(self._ways, company) else []
        ways += ["webhook"] if self._ways.webhook else []
        return [*ways, *robots_of(company)]

    def _try(self, row: Mapping[str, Any], way: str, company: Company) -> bool:
        alarm_id, now_us = row["alarm_id"], self._clock()
        with self._store.write() as connection:
            if not alarms.claim(connection, alarm_id, way, now_us, now_us + CLAIM_US):
                return False
        alarm = alarm_of(row, self._ways.public_url)
        answer = self._told(alarm, way, company)
        failed = row["attempt"] + 1
        with self._store.write() as connection:
            if isinstance(answer, Taken):
                alarms.told(connection, alarm_id, way, self._clock())
                return True
            wait_s = answer.wait_s if isinstance(answer, Later) else 0.0
            next_us = next_attempt(failed, row["at_us"], now_us, wait_s, dice_of(alarm_id, failed))
            alarms.failed(connection, alarm_id, way, answer.code, next_us or now_us + GIVE_UP_US)
        log.error("alarm_not_told", alarm_id=alarm_id, way=way, code=answer.code, failed=failed)
        return False

    def _told(self, alarm: Alarm, way: str, company: Company) -> Answer:
        if way == "mail":
            return self._mailed(alarm, company)
        if way == "webhook":
            return self._posted(alarm)
        robot = robots_of(company)[way]
        subject, text = told(alarm, company, robot.language)
        note = Note(subject, tuple(line for line in text.splitlines() if line), alarm.link, "Leadflow")
        return send(robot, posted(robot, note, self._clock()), self._outside)

    def _mailed(self, alarm: Alarm, company: Company) -> Answer:
        relay, person = relay_of(company), recipient_of(self._ways, company)
        if relay is None or person is None:
            return Later("no_address")
        return send_mail(relay, Letter(person.email, mail_of(alarm, relay, person, company)))

    def _posted(self, alarm: Alarm) -> Answer:
        content = {"type": ALARM, "timestamp": alarm.since, "data": alarm.model_dump(mode="json")}
        at = utc(self._clock())
        post = signed(self._ways.webhook or "", self._ways.secret, alarm.alarm_id, at, content)
        return post_to(post, self._outside)


def alarm_of(row: Mapping[str, Any], public_url: str | None) -> Alarm:
    """Return what is told of an alarm's row. Pure."""
    return Alarm(
        alarm_id=row["alarm_id"],
        what=row["what"],
        stage=row["stage"],
        source=None if row["source_id"] == WHOLE_STAGE else row["source_id"],
        since=utc(row["at_us"]),
        tried=row["tried"],
        refused=row["refused"],
        code=row["code"],
        link=f"{public_url.rstrip('/')}/needs-repair" if public_url else None,
    )


def relay_of(company: Company) -> Mail | None:
    """Return the first mail sink that is switched on: its relay takes alarms, too."""
    for sink in sinks_of(company):
        if not isinstance(sink, BadSink) and isinstance(sink[1], Mail):
            return sink[1]
    return None


def robots_of(company: Company) -> dict[str, Robot]:
    """Return the robots that are switched on and tell alarms, by their way: `sinks.` and their id."""
    found = (sink[1] for sink in sinks_of(company) if not isinstance(sink, BadSink))
    return {f"sinks.{one.sink_id}": one for one in found if isinstance(one, Robot) and one.alarms}


def recipient_of(ways: Ways, company: Company) -> Recipient | None:
    """Return who is told by mail: the address of the settings, else whoever answers for the default queue."""
    people = [one for one in company.people.values() if one.state == "active" and one.email]
    if ways.mail:
        known = next((one for one in people if one.email == ways.mail), None)
        language = known.language if known else company.language
        return Recipient(known.name if known else ways.mail, ways.mail, language)
    person = next((one for one in people if one.person_id == company.responsible_id), None)
    return Recipient(person.name, person.email, person.language) if person and person.email else None


def mail_of(alarm: Alarm, relay: Mail, person: Recipient, company: Company) -> EmailMessage:
    """Return the mail that tells an alarm, in the recipient's language. Pure."""
    subject, text = told(alarm, company, person.language)
    mail = addressed(relay, company.name, person, subject, (alarm.alarm_id, alarm.since))
    mail.set_content(f"{text}\n\n{alarm.link}\n" if alarm.link else f"{text}\n", cte="base64")
    return mail


def told(alarm: Alarm, company: Company, language: Language) -> tuple[str, str]:
    """Return what an alarm says in a language: its subject and its text. Pure."""
    words = _WORDS[language]
    facts = {
        "source": _name(alarm, company),
        "id": alarm.source,
        "stage": _STAGES[language].get(alarm.stage, alarm.stage),
        "tried": alarm.tried,
        "refused": alarm.refused,
        "code": alarm.code,
    }
    return words[f"{alarm.what} subject"].format(**facts), words[alarm.what].format(**facts)


def _name(alarm: Alarm, company: Company) -> str:
    key = alarm.source or ""
    if alarm.what != "destination_held":
        return str(company.sources.get(key, {}).get("name", key))
    sink_id, _, dest = key.removeprefix("sinks.").partition("/")
    name = str(company.sinks.get(sink_id, {}).get("name", sink_id))
    return f"{name} → {dest}" if dest else name


_STAGES: Mapping[Language, Mapping[str, str]] = {
    "zh": {"parse": "解析", "resolve": "识别客户", "route": "分配", "deliver": "送出", WHOLE_STAGE: "全部"},
    "en": {WHOLE_STAGE: "(all)"},
}
_WORDS: Mapping[Language, Mapping[str, str]] = {
    "zh": {
        "source_held subject": "接入渠道「{source}」已暂扣：{tried} 条中 {refused} 条无法处理",
        "source_held": "接入渠道「{source}」（{id}）近期的 {tried} 条中有 {refused} 条在「{stage}」环节无法处理"
        "（{code}）。此后收到的内容照常接收并给回执，但暂扣、不再处理；其他渠道不受影响。\n\n"
        "处理办法：\n1. leadflow dead list，查看无法处理的原因；\n2. 更正该渠道的设置（leadflow apply），或请发送方更正；\n"
        "3. leadflow breaker reset {id}，暂扣的内容将按顺序重新处理。",
        "destination_held subject": "「{source}」不再接收任何内容，已暂停发送",
        "destination_held": "发往「{source}」（{id}）的内容连续 {refused} 次被拒绝，原因在对方或推送渠道的设置，而不在某条线索"
        "（{code}）。此后的内容排队等待，不会丢失，也不会逐条变成待修复；其他推送渠道不受影响。\n\n"
        "处理办法：\n1. leadflow doctor，检查该推送渠道；\n2. 更正推送渠道的设置（leadflow apply）或请对方更正；\n"
        "3. leadflow breaker reset {id}，等待中的内容将按顺序发送。",
        "stage_stopped subject": "「{stage}」环节已停止：{tried} 个接入渠道中 {refused} 个同时失败",
        "stage_stopped": "近期有内容的 {tried} 个接入渠道中有 {refused} 个同时在「{stage}」环节失败（最近一次：{code}），"
        "问题不在某个发送方，因此该环节已停止。内容照常接收，没有遗漏。\n\n"
        "处理办法：排除原因（公司文件、更新、环境）后运行：leadflow breaker reset --all",
        "stage_stands subject": "「{stage}」环节停住，不会自行恢复（{code}）",
        "stage_stands": "「{stage}」环节停住（{code}）：继续下去可能漏掉内容。内容照常接收，没有遗漏。\n\n"
        "处理办法：\n1. /readyz 和日志写明原因；topic_replaced 表示它读取的主题被重建、恢复或截断，见 docs/operations.md 的 "
        "A topic was replaced；\n2. 排除原因；\n3. 重启该进程，除非它已自行恢复。",
        "door_silent subject": "接入渠道「{source}」异常安静",
        "door_silent": "接入渠道「{source}」（{id}）在这段时间里通常会收到 {tried} 条，现在一条也没有：对方页面、邮箱、总机或网络"
        "可能出了问题。\n\n处理办法：\n1. 自己走一遍该渠道（提交表单、发一封邮件、拨打电话）；\n2. leadflow doctor；\n"
        "3. 如果只是淡季或放假，无需处理：放假日请写入工作日历。",
        "door_speaks subject": "接入渠道「{source}」恢复正常",
        "door_speaks": "接入渠道「{source}」（{id}）又收到内容了。",
        "door_failed subject": "接入渠道「{source}」无法读取（{code}）",
        "door_failed": "接入渠道「{source}」（{id}）的邮箱或话单表无法读取（{code}）。没有遗漏：内容仍在对方那里，排除原因后会接着读取。"
        "\n\n处理办法：leadflow doctor；代码含义见 docs/errors.md 的 Mailboxes and call tables。",
        "probe_lost subject": "接入渠道「{source}」的探测没有走完全程",
        "probe_lost": "定时探测没有走完接入渠道「{source}」（{id}）的全程：客户此刻提交的内容可能同样到不了负责人手中。\n\n"
        "处理办法：leadflow doctor，并查看日志。",
        "process_gone subject": "进程 {id} 失联",
        "process_gone": "集群中的进程 {id}（leadflow {stage}）一分钟没有消息，也没有正常退出。没有遗漏：它的工作由同类进程"
        "接手；如果没有同类进程，就等它回来。\n\n处理办法：查看那台机器和该进程的日志，然后重新启动它。",
    },
    "en": {
        "source_held subject": "{source} is held: {refused} of {tried} could not be handled",
        "source_held": "Of {tried} that came lately from {source} ({id}), {refused} could not be handled at the stage "
        "{stage} ({code}). What comes from now on is taken in and acknowledged, but held and not tried; the other sources "
        "go on.\n\nWhat to do:\n1. leadflow dead list shows what is wrong;\n2. correct the source (leadflow apply), or "
        "have the sender correct it;\n3. leadflow breaker reset {id} has what is held tried again, in order.",
        "destination_held subject": "{source} takes nothing any more and is held",
        "destination_held": "{source} ({id}) has refused {refused} deliveries in a row for a reason that is its own or its "
        "settings', not a lead's ({code}). What goes there from now on waits: nothing is lost, and nothing becomes a dead "
        "letter meanwhile. The other sinks go on.\n\nWhat to do:\n1. leadflow doctor looks at the sink;\n2. correct the "
        "sink (leadflow apply), or have the destination corrected;\n3. leadflow breaker reset {id} has what waits sent, in "
        "order.",
        "stage_stopped subject": "The stage {stage} has stopped: {refused} of {tried} sources fail at once",
        "stage_stopped": "{refused} of the {tried} sources that were heard of lately fail at the stage {stage} (the last "
        "one: {code}). That is no sender's doing, so the stage has stopped. The doors stay open, and nothing was "
        "skipped.\n\nWhat to do: put the cause right (the company's files, an update, the machine), then run: "
        "leadflow breaker reset --all",
        "stage_stands subject": "The stage {stage} stands, and will not go on by itself ({code})",
        "stage_stands": "The stage {stage} stands ({code}): going on could leave something out. The doors stay open, and "
        "nothing was skipped.\n\nWhat to do:\n1. /readyz and the log say why; topic_replaced is a topic that was "
        "recreated, restored or cut, see 'A topic was replaced' in docs/operations.md;\n2. put the cause right;\n3. restart "
        "the process, unless it goes on by itself.",
        "door_silent subject": "{source} is silent",
        "door_silent": "{source} ({id}) usually takes in {tried} in the time that has gone by, and there was nothing: the page, the "
        "mailbox, the switchboard or the network may be broken.\n\nWhat to do:\n1. try it yourself: fill in the form, send a mail, "
        "call;\n2. leadflow doctor;\n3. if it is a quiet season or a holiday, nothing: put days off into the calendar.",
        "door_speaks subject": "{source} speaks again",
        "door_speaks": "{source} ({id}) has taken something in again.",
        "door_failed subject": "{source} cannot be read ({code})",
        "door_failed": "The mailbox or table of {source} ({id}) cannot be read ({code}). Nothing is lost: it waits there, and is read "
        "once the cause is put right.\n\nWhat to do: leadflow doctor; docs/errors.md, Mailboxes and call tables, says what the code "
        "means.",
        "probe_lost subject": "A probe did not come through {source}",
        "probe_lost": "The probe that enters {source} ({id}) now and then did not reach its end: what a customer sends may not reach "
        "anybody either.\n\nWhat to do: leadflow doctor, and see the log.",
        "process_gone subject": "The process {id} is gone",
        "process_gone": "The cluster's process {id} (leadflow {stage}) has not been heard of for a minute, and did not say "
        "that it ends. Nothing is lost: others of its kind do its work, or it waits until there is one.\n\nWhat to do: look "
        "at that machine and the log of the process, and start it again.",
    },
}
