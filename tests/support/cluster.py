"""A cluster over real servers: doors and outbox in the test, stages in processes of their own."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import orjson
from confluent_kafka import Consumer, ConsumerGroupState, TopicPartition
from confluent_kafka.admin import AdminClient
from sqlalchemy import text

from leadflow.clock import wall_clock_us
from leadflow.cluster import cluster_door, cluster_outbox, open_cluster
from leadflow.settings import Settings
from schemas.capture import Capture
from schemas.company import Company
from store.company import put_company
from store.database import open_postgres
from store.migrate import migrate
from store.views import orphans
from stream.kafka.door import KafkaDoor
from stream.kafka.outbox import Outbox
from stream.kafka.topics import ANSWER_S, admin_client, apply, topics_of
from tests.support.rig import post, small_company
from tools.servers import PostgresServer, free_port

PARTS = 4


class Process:
    """One part of the cluster as an operator starts it: killed, stopped and looked at by the test."""

    def __init__(self, settings: Settings, part: str, member: str, *options: str, **environment: str) -> None:
        self.port = free_port()
        self.errors = settings.data.with_name(f"{member}.log")
        variables = {
            **os.environ,
            "LEADFLOW_DATA": str(settings.data.with_name(member)),
            "LEADFLOW_MASTER_KEY": str(settings.data / "master.key"),
            "LEADFLOW_KAFKA": str(settings.kafka),
            "LEADFLOW_DATABASE_URL": str(settings.database_url),
            "LEADFLOW_PARTITIONS": str(settings.partitions),
            "LEADFLOW_HTTP_PORT": str(self.port),
            **({"LEADFLOW_CONTENT": settings.content} if settings.content else {}),
            **environment,
        }
        command = [sys.executable, "-m", "leadflow.cli", part, *options]
        with self.errors.open("ab") as errors:
            self._process = subprocess.Popen(command, env=variables, stdout=errors, stderr=errors)

    def ready(self, timeout_s: float = 60) -> Process:
        """Wait until it is ready, or has died."""
        give_up = time.monotonic() + timeout_s
        while time.monotonic() < give_up:
            if not self.alive or self.well()[0]:
                return self
            time.sleep(0.1)
        raise TimeoutError(f"not ready: {self.well()[1]} {self.log()[-3000:]}")

    def log(self) -> str:
        """Return what it has written."""
        return self.errors.read_text()

    def dead(self, timeout_s: float = 60) -> None:
        """Wait until it has died of SIGKILL."""
        assert self._process.wait(timeout_s) == -signal.SIGKILL, self.log()[-3000:]

    def well(self) -> tuple[bool, str]:
        """Ask whether it is ready, and why not."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            content = orjson.loads(answer.read())
            return answer.status == 200, str(content.get("why", ""))
        except OSError:
            return False, "does not answer"
        finally:
            connection.close()

    def metrics(self) -> str:
        """Return what it shows to Prometheus."""
        with urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    def events(self, stage: str) -> int:
        """Return how many events of a stage it has handled, whichever way they came."""
        line = rf'^leadflow_stage_events_total{{stage="{stage}",way="(?:taken|gap|swept)"}} (\S+)$'
        return sum(int(float(count)) for count in re.findall(line, self.metrics(), re.M))

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self._process.kill()
        self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, such as SIGSTOP to make a zombie of it."""
        self._process.send_signal(number)

    def stop(self) -> None:
        """SIGTERM, as an operator would."""
        if self.alive:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
                raise


class Site:
    """Fresh topics and an empty store (`moved`: those that are there); what was started is stopped at the end."""

    def __init__(
        self,
        folder: Path,
        brokers: str,
        database_url: str,
        company: Company | None = None,
        parts: int = PARTS,
        *,
        content: str | None = None,
        moved: bool = False,
    ) -> None:
        self.settings = Settings(
            data=folder / "one", kafka=brokers, database_url=database_url, partitions=parts, content=content
        )
        self.admin: AdminClient = admin_client(brokers)
        if not moved:
            renew_topics(self.admin, parts)
        self.cluster = open_cluster(self.settings)
        if not moved:
            with self.cluster.store.write() as connection:
                put_company(connection, company or small_company(), 0)
        self._running: list[Process | KafkaDoor | Outbox] = []

    def use(self, database_url: str) -> None:
        """Go on with another database: what is started from here on uses that one."""
        self.cluster.close()
        self.settings = self.settings.model_copy(update={"database_url": database_url})
        self.cluster = open_cluster(self.settings)

    def leadflow(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """Run a command as an operator would; return what it says, or why it ended with another code than 0."""
        command = [sys.executable, "-m", "leadflow.cli", *arguments]
        variables = {
            **os.environ,
            "LEADFLOW_DATA": str(self.settings.data),
            "LEADFLOW_KAFKA": str(self.settings.kafka),
            "LEADFLOW_DATABASE_URL": str(self.settings.database_url),
            "LEADFLOW_PARTITIONS": str(self.settings.partitions),
            **environment,
        }
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr[-3000:]
        return done.stderr if code else done.stdout

    def door(self) -> KafkaDoor:
        door = cluster_door(self.cluster)
        door.start()
        self._running.append(door)
        return door

    def outbox(self) -> Outbox:
        outbox = cluster_outbox(self.cluster)
        outbox.start()
        self._running.append(outbox)
        return outbox

    def workers(self, member: str = "a", stages: Iterable[str] = (), **environment: str) -> Process:
        """Start a process for these stages (none named: all) and wait until it is ready."""
        only = [word for name in stages for word in ("--only", name)]
        return self.part("stages", member, *only, **environment)

    def part(self, part: str, member: str, *options: str, **environment: str) -> Process:
        """Start a part and wait until it is ready, or has died at the crash point that `environment` names."""
        return self.begin(part, member, *options, **environment).ready()

    def begin(self, part: str, member: str, *options: str, **environment: str) -> Process:
        """Start a part, and do not wait for it."""
        process = Process(self.settings, part, member, *options, **environment)
        self._running.append(process)
        return process

    def accept(self, door: KafkaDoor, captures: Iterable[Capture]) -> None:
        """Give captures to a door, and return once it would answer."""
        door.append(list(captures)).result(60)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with self.cluster.store.read() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def count(self, table: str) -> int:
        return int(self.ask(f"SELECT count(*) FROM {table}")[0][0])

    def messages(self, topic: str) -> list[tuple[dict[str, bytes], bytes]]:
        """Read a topic, headers and values, as any other client would."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.settings.kafka,
                "group.id": "somebody-else",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )
        parts = self.admin.list_topics(topic, timeout=ANSWER_S).topics[topic].partitions
        consumer.assign([TopicPartition(topic, part, 0) for part in parts])
        found = consumer.consume(1_000, 1.5)
        consumer.close()
        headers: list[Any] = [one.headers() or [] for one in found]
        return [
            (dict(read), one.value() or b"")
            for read, one in zip(headers, found, strict=True)
            if one.error() is None
        ]

    def wait(self, holds: Callable[[], bool], what: str, timeout_s: float = 60) -> None:
        """Wait until something holds. Raises TimeoutError, which tells how far the stages are."""
        give_up = time.monotonic() + timeout_s
        while not holds():
            if time.monotonic() > give_up:
                places = self.ask("SELECT stage, topic, part, next_off FROM progress ORDER BY 1, 2, 3")
                raise TimeoutError(f"{what}: not after {timeout_s} s. Progress: {places}")
            time.sleep(0.05)

    def stop(self, part: Process | KafkaDoor | Outbox) -> None:
        self._running.remove(part)
        part.close() if isinstance(part, KafkaDoor) else part.stop()

    def assert_sound(self, captures: Iterable[Capture], erased: Iterable[str] = ()) -> None:
        """Each capture once, each lead in one customer, one open owner each, nobody forgotten, nothing twice.

        Customers that were erased have no owner.
        """
        wanted = sorted(one.capture_id for one in captures)
        assert [row[0] for row in self.ask("SELECT capture_id FROM capture ORDER BY 1")] == wanted
        assert self.ask(_TWICE) == [("no single owner", one) for one in erased]
        with self.cluster.store.read() as connection:
            assert orphans(connection, wall_clock_us()) == []

    def stop_all(self) -> None:
        """Stop what runs, the last first. One that does not stop leaves none of the others to the tests behind it."""
        with ExitStack() as stopping:
            for part in self._running:
                stopping.callback(self.stop, part)

    def close(self) -> None:
        try:
            self.stop_all()
        finally:
            self.cluster.close()


_TWICE = """
SELECT 'lead of no customer', lead.lead_id FROM lead
LEFT JOIN membership ON membership.lead_id = lead.lead_id AND to_us IS NULL WHERE membership.lead_id IS NULL
UNION ALL SELECT 'lead twice', capture_id FROM lead GROUP BY capture_id HAVING count(*) > 1
UNION ALL SELECT 'in two customers', lead_id FROM membership WHERE to_us IS NULL GROUP BY lead_id HAVING count(*) > 1
UNION ALL SELECT 'no single owner', customer.customer_id FROM customer
LEFT JOIN holding ON holding.customer_id = customer.customer_id AND role = 'owner' AND holding.to_us IS NULL
GROUP BY customer.customer_id HAVING count(holding.customer_id) <> 1
UNION ALL SELECT 'decided twice', lead_id FROM decision WHERE stage = 'route' AND lead_id IS NOT NULL
GROUP BY lead_id HAVING count(*) > 1
UNION ALL SELECT 'two first tasks', lead_id FROM task GROUP BY lead_id HAVING count(*) > 1
UNION ALL SELECT 'ledger', person_id FROM (
    SELECT person_id, sum(delta) AS given FROM ledger GROUP BY team_id, period, grade, person_id
    EXCEPT SELECT person_id, received FROM ledger_total) AS apart
"""


def started(server: PostgresServer) -> str:
    """Start a PostgreSQL and make our tables in it; return its URL."""
    url = server.start()
    store = open_postgres(url)
    migrate(store, "state")
    store.close()
    return url


def renew_topics(admin: AdminClient, parts: int) -> None:
    """Make every topic anew, empty: other identities than before."""
    topics = topics_of(parts)
    present = admin.list_topics(timeout=ANSWER_S).topics
    if any(one.name in present and len(present[one.name].partitions) > one.partitions for one in topics):
        # A group hands out partitions that are gone until it has forgotten its members, 6 s after they stopped.
        _wait_for_empty_groups(admin)
    drop_topics(admin, [one.name for one in topics])
    apply(admin, topics, 1)


def _wait_for_empty_groups(admin: AdminClient) -> None:
    groups = [one.group_id for one in admin.list_consumer_groups().result(ANSWER_S).valid]
    give_up = time.monotonic() + 60
    while any(_has_members(admin, group) for group in groups):
        if time.monotonic() > give_up:
            raise TimeoutError(f"still with members after 60 s: one of the groups {groups}")
        time.sleep(0.2)


def _has_members(admin: AdminClient, group: str) -> bool:
    (described,) = admin.describe_consumer_groups([group]).values()
    return described.result(ANSWER_S).state not in (ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD)


def drop_topics(admin: AdminClient, names: Iterable[str]) -> None:
    """Delete topics, and wait until they are gone."""
    present = [name for name in names if name in admin.list_topics(timeout=ANSWER_S).topics]
    if present:
        for done in admin.delete_topics(present, operation_timeout=ANSWER_S).values():
            done.result(ANSWER_S)
    while any(name in admin.list_topics(timeout=ANSWER_S).topics for name in present):
        time.sleep(0.05)


def posts(count: int, first: int = 0) -> list[Capture]:
    """Return posts of as many different people."""
    return [
        post(made=f"m{number}", name=f"客户{number}", phone=f"138{number:08d}", at_us=wall_clock_us())
        for number in range(first, first + count)
    ]
