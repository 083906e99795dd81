"""A real IMAP server (Dovecot) on free ports, with a configuration and a folder of its own."""

from __future__ import annotations

import getpass
import imaplib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.certificate import self_signed
from tools.servers import free_port

USER, PASSWORD = "sales@haichuan.example", 'geheim 密 "x"'

_CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{folder}/certificate.pem
ssl_key = <{folder}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
mail_location = maildir:{folder}/mail/%n
mail_max_userip_connections = 50
imap_id_log = *
{capability}
default_login_user = {login}
default_internal_user = {user}
default_internal_group = {group}
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
first_valid_gid = 1
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/passwd
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%n
}}
service imap-login {{
  {chroot}
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  {chroot}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
namespace inbox {{
  inbox = yes
  mailbox Taken {{
    auto = create
  }}
}}
"""


class MailServer:
    """Dovecot: started, killed, started again; mails are put into its folder as a delivery would."""

    def __init__(self, folder: Path, *, idle: bool = True) -> None:
        self.folder = folder
        self.port, self.tls_port = free_port(), free_port()
        self.ca_file, _ = self_signed(folder)
        self._process: subprocess.Popen[bytes] | None = None
        self._delivered = 0
        self._idle = idle
        is_root = os.geteuid() == 0
        me = getpass.getuser()
        self._user = "dovecot" if is_root else me
        self._login = "dovenull" if is_root else me
        for name in ("run", "state", "mail"):
            (folder / name).mkdir(exist_ok=True)
        self.box = folder / "mail" / "sales"
        self.set_password(PASSWORD)
        self._write_config()

    def _write_config(self) -> None:
        group = self._user if os.geteuid() == 0 else _group_of(self._user)
        text = _CONFIG.format(
            folder=self.folder,
            port=self.port,
            tls_port=self.tls_port,
            user=self._user,
            login=self._login,
            group=group,
            chroot="" if os.geteuid() == 0 else "chroot =",
            capability="" if self._idle else "imap_capability = IMAP4rev1 SASL-IR ID ENABLE UIDPLUS",
        )
        (self.folder / "dovecot.conf").write_text(text)

    def set_password(self, password: str) -> None:
        """Make it the password of the one user."""
        (self.folder / "passwd").write_text(f"{USER}:{{PLAIN}}{password}\n")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        for name in ("state", "mail"):
            _own(self.folder / name, self._user)
        command = [
            shutil.which("dovecot") or "/usr/sbin/dovecot",
            "-F",
            "-c",
            str(self.folder / "dovecot.conf"),
        ]
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        give_up = time.monotonic() + 20
        while time.monotonic() < give_up and self._process.poll() is None:
            with suppress(OSError, imaplib.IMAP4.error):
                imaplib.IMAP4("127.0.0.1", self.port, timeout=2).logout()
                return
            time.sleep(0.05)
        raise RuntimeError(f"Dovecot did not start: {self.said()} {(self.folder / 'output').read_text()}")

    def stop(self) -> None:
        """End it and all that it started."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Have it take every connection and answer nothing, until the block ends."""
        if self._process is None:
            raise RuntimeError("it does not run")
        os.killpg(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)

    def said(self) -> str:
        """Return its log."""
        path = self.folder / "log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def deliver(self, body: bytes, *, at: datetime | None = None) -> None:
        """Put a mail into the inbox, as a delivery agent does (Maildir: into tmp, then renamed into new)."""
        if not self._delivered:
            for name in ("tmp", "new", "cur"):
                (self.box / name).mkdir(parents=True, exist_ok=True)
            _own(self.box, self._user)
        self._delivered += 1
        name = f"{time.time_ns() // 1_000_000_000}.M{self._delivered:09d}P{os.getpid()}.test"
        made = self.box / "tmp" / name
        made.write_bytes(body)
        if at is not None:
            os.utime(made, (at.timestamp(), at.timestamp()))
        _own(made, self._user)
        made.rename(self.box / "new" / name)

    def number_anew(self) -> None:
        """Forget every UID: the same mails come back under another UIDVALIDITY."""
        for path in self.box.glob("dovecot*"):
            path.unlink(missing_ok=True)

    def counts(self, folder: str = "INBOX") -> tuple[int, int]:
        """Return how many mails a folder has, and how many of them are seen."""
        client = imaplib.IMAP4("127.0.0.1", self.port, timeout=5)
        try:
            client.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
            status, said = client.select(folder, readonly=True)
            if status != "OK":
                raise AssertionError(f"{folder}: {said}; {self.said()[-2000:]}")
            every = client.uid("SEARCH", "ALL")[1][0].split()
            seen = client.uid("SEARCH", "SEEN")[1][0].split()
            return len(every), len(seen)
        finally:
            client.logout()


def _group_of(user: str) -> str:
    import grp

    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name


def _own(folder: Path, user: str) -> None:
    if os.geteuid() != 0 or user == "root":
        return
    known = pwd.getpwnam(user)
    for one in (folder, *folder.rglob("*")):
        with suppress(FileNotFoundError):
            os.chown(one, known.pw_uid, known.pw_gid)


def enquiry(number: int, *, message_id: bool = True, text: str = "") -> bytes:
    """Return a mail of a customer who has that number."""
    mail = EmailMessage()
    mail["From"] = f"客户 {number} <buyer{number}@daheng{number}.example>"
    mail["To"] = USER
    mail["Subject"] = f"询价 {number}"
    mail["Date"] = datetime.now(UTC)
    if message_id:
        mail["Message-ID"] = f"<enquiry-{number}@daheng.example>"
    mail.set_content(text or f"请报价两台托盘车。\n电话：139{number:08d}\n")
    return mail.as_bytes()


@contextmanager
def mail_server(*, idle: bool = True) -> Iterator[MailServer]:
    """Run a server until the end of the block, in a folder that whoever it runs as can reach (pytest's are private)."""
    with TemporaryDirectory(prefix="leadflow-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        made = MailServer(Path(folder), idle=idle)
        made.start()
        try:
            yield made
        finally:
            made.stop()
