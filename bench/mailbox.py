"""How long a full mailbox takes from its first mail to its last as a durable capture: a real Dovecot, damaged mails among them.

    python bench/mailbox.py [--mails N] [--json]

Every 20th mail has an attachment of 100 kB; every 500th is damaged (noise, nothing at all, half a multipart). Measured, in a
fresh process each, is what the mailbox door does until every mail is durable, sealed under a key of its own, its progress with
it; then everything goes through the stages, and the sum must add up. `ratio_to_reader` is the door against imaplib merely
fetching the same mails in the same batches, in the same run, in CPU time of the reading process (Dovecot's is not in it);
`peak_mb` the process at its largest before the stages, `kb_per_1000_mails` how much that is more than with a quarter of them.
"""

from __future__ import annotations

import argparse
import imaplib
import os
import resource
import sys
import time
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import func, select

from bench.measure import in_process, report, rounded
from ingest.email.imap_door import BATCH_MAILS
from leadflow.embedded import Embedded, open_files
from schemas.company import Company, Unit
from store import tables
from store.company import put_company
from tests.support.mailserver import PASSWORD, USER, MailServer, enquiry, mail_server

_DAMAGED = (
    Random(7).randbytes(5_000),
    b"\r\n",
    b'From: x\r\nContent-Type: multipart/mixed; boundary="a"\r\n\r\n--a\r\nContent-Transfer-Encoding: base64\r\n\r\n%%%',
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mails", type=int, default=50_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    os.environ["BENCH_MAIL_PASSWORD"] = PASSWORD
    with TemporaryDirectory(prefix="leadflow-bench-") as folder, mail_server() as server:
        fill(server, 0, args.mails // 4)
        few = in_process(taken, server.port, Path(folder) / "few", args.mails // 4)
        fill(server, args.mails // 4, args.mails)
        reader_s = in_process(merely_fetched, server.port, args.mails)
        told = in_process(taken, server.port, Path(folder) / "all", args.mails, to_the_end=True)
    grown = max(0.0, told["peak_mb"] - few["peak_mb"]) * 1024
    figures = {
        "mails": args.mails,
        "mails_per_s": round(args.mails / told["wall_s"]),
        "cpu_us_per_mail": rounded(told["cpu_s"] / args.mails * 1e6),
        "ratio_to_reader": rounded(told["cpu_s"] / reader_s),
        "peak_mb": rounded(told["peak_mb"]),
        "kb_per_1000_mails": rounded(grown / (args.mails * 0.75 / 1000)),
        "leads": told["leads"],
        "dead_letters": told["dead"],
        "neither": told["neither"],
    }
    report("a full mailbox to durable captures", figures, args.json)
    if told["leads"] + told["dead"] + told["neither"] != args.mails:
        sys.exit("The sum does not add up: a mail was lost, or came twice.")


def fill(server: MailServer, first: int, end: int) -> None:
    """Put mails into the box."""
    plain = BytesParser(EmailMessage, policy=default)
    attached = Random(8).randbytes(100_000)
    for number in range(first, end):
        if number % 500 == 7:
            # No two are alike, else they were one mail that came twice.
            server.deliver(_DAMAGED[number // 500 % len(_DAMAGED)] + b"\r\n" * (number // 1_500))
        elif number % 20 == 3:
            mail = plain.parsebytes(enquiry(number))
            mail.add_attachment(attached, maintype="application", subtype="pdf", filename="图纸.pdf")
            server.deliver(mail.as_bytes())
        else:
            server.deliver(enquiry(number))


def merely_fetched(port: int, mails: int) -> float:
    """Return the CPU time of fetching every mail."""
    began, size = time.process_time(), 0
    client = imaplib.IMAP4("127.0.0.1", port, timeout=60)
    client.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
    client.select("INBOX", readonly=True)
    for first in range(1, mails + 1, BATCH_MAILS):
        _, found = client.uid("FETCH", f"{first}:{first + BATCH_MAILS - 1}", "(UID BODY.PEEK[])")
        size += sum(len(one[1]) for one in found if isinstance(one, tuple))
    client.logout()
    assert size > mails
    return time.process_time() - began


def taken(port: int, folder: Path, mails: int, *, to_the_end: bool = False) -> dict[str, Any]:
    """Read the mailbox into an empty installation; return what that took and, if asked, what became of the mails."""
    files = open_files(folder)
    source = {
        "source_id": "mail",
        "channel": "email",
        "format": "email.message",
        "name": "mail",
        "imap": {
            "host": "127.0.0.1",
            "port": port,
            "tls": "none",
            "user": USER,
            "password_env": "BENCH_MAIL_PASSWORD",
            "start": "all",
        },
    }
    unit = Unit(unit_id="default", kind="team", name_zh="默认", name_en="Default")
    with files.store.write() as connection:
        put_company(connection, Company(version=0, units={"default": unit}, sources={"mail": source}), 0)
    engine = Embedded(files)
    engine.door.start()
    began, began_cpu = time.perf_counter(), time.process_time()
    engine.mailboxes.start()
    while _count(files.doors, tables.door_log) < mails:
        time.sleep(0.2)
    figures = {
        "wall_s": time.perf_counter() - began,
        "cpu_s": time.process_time() - began_cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    engine.mailboxes.stop()
    if to_the_end:
        engine.work_off()
        figures |= {
            "leads": _count(files.store, tables.lead),
            "dead": _count(files.store, tables.dead),
        }
        figures["neither"] = _count(files.store, tables.capture) - figures["leads"] - figures["dead"]
    engine.door.close()
    files.close()
    return figures


def _count(database: Any, table: Any) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


if __name__ == "__main__":
    main()
