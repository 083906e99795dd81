"""The README's half hour: an empty machine becomes a company at work, in either language, by exactly what the page says."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.docs.pages import ROOT, Block, blocks
from tests.docs.test_commands import Terminal
from tests.support.mailserver import PASSWORD, USER, MailServer, enquiry, mail_server
from tools.servers import free_port

PHONE = {"width": 390, "height": 844}
NEW_PASSWORD = "four stacked pallets hum"


class Monday:
    """One machine: its terminal, its mailbox, and the product once it runs."""

    def __init__(self, folder: Path, mailbox: MailServer) -> None:
        self.folder, self.mailbox, self.port = folder, mailbox, free_port()
        self.terminal = Terminal(folder, {"127.0.0.1:8080": self.port})
        self.terminal.run(Block("monday", "sh", f"export LEADFLOW_HTTP_PORT={self.port}", None))

    def do(self, block: Block) -> str:
        """Run a block of the page; the mail provider it names is the server of this test."""
        text = block.text.replace("imap.163.com", "127.0.0.1").replace("sales@daheng.example", USER)
        text = text.replace("'the authorisation code'", f"'{PASSWORD}'")
        if block.marker.endswith("stays"):
            log, pid = self.folder / "host.log", self.folder / "host.pid"
            text = text.replace(
                "leadflow run", f"leadflow run > '{log}' 2>&1 < /dev/null & echo $! > '{pid}'"
            )
        said = self.terminal.run_until_it_fits(Block(block.marker, block.kind, text, block.output))
        if "--kind mailbox" in text:
            self._reach_the_mailbox()
        return said

    def _reach_the_mailbox(self) -> None:
        """Say where this test's server listens: a provider's is at the usual port, with TLS."""
        file = self.folder / "my-company" / "company.toml"
        here = f'[sources.mailbox.imap]\nport = {self.mailbox.port}\ntls = "none"\npoll_s = 0.3\n'
        text = file.read_text("utf-8")
        assert text.count("[sources.mailbox.imap]\n") == 1
        file.write_text(text.replace("[sources.mailbox.imap]\n", here), "utf-8")

    def link(self) -> str:
        """Return the link that the host prints, once, as soon as it does and is there."""
        give_up = time.monotonic() + 30
        while time.monotonic() < give_up:
            found = re.search(r"http\S+/enter/\S+", (self.folder / "host.log").read_text("utf-8"))
            with suppress(OSError):
                if found:
                    socket.create_connection(("127.0.0.1", self.port), 1).close()
                    return found[0]
            time.sleep(0.1)
        raise AssertionError((self.folder / "host.log").read_text("utf-8"))

    def stop(self) -> None:
        """Stop the product."""
        pid = self.folder / "host.pid"
        if pid.exists():
            os.kill(int(pid.read_text()), signal.SIGTERM)
            give_up = time.monotonic() + 30
            while Path(f"/proc/{pid.read_text().strip()}").exists() and time.monotonic() < give_up:
                time.sleep(0.05)


@pytest.fixture
def monday(tmp_path: Path) -> Iterator[Monday]:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    with mail_server() as mailbox:
        made = Monday(tmp_path, mailbox)
        yield made
        made.stop()


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("readme", "language"), [("README.md", "en-GB"), ("README.zh-CN.md", "zh-CN")])
def test_a_company_is_at_work_in_half_an_hour(
    readme: str, language: str, monday: Monday, browser: Browser
) -> None:
    begun = time.monotonic()
    context = browser.new_context(locale=language, viewport=PHONE)  # type: ignore[arg-type]
    page = context.new_page()
    for block in blocks(readme, "monday"):
        said = monday.do(block)
        assert block.fits(said), f"{block.text}\nprinted\n{said}\ninstead of\n{block.output}"
        if block.marker.endswith("stays"):
            _choose_a_password(page, monday.link())
        if "leadflow doctor" in block.text:
            monday.mailbox.deliver(enquiry(1))
    _nothing_was_routed(monday)
    _take_the_first_lead(page, monday)
    context.close()
    assert time.monotonic() - begun < 30 * 60


def _choose_a_password(page: Page, link: str) -> None:
    page.goto(link)
    page.locator("[name=password]").fill(NEW_PASSWORD)
    page.locator("main button[type=submit]").first.click()
    expect(page.locator("a[href='/me']")).to_be_visible()


def _export(monday: Monday, what: str) -> list[dict[str, object]]:
    said = monday.terminal.run(Block("monday", "sh", f"leadflow export {what}\n", None))
    return [orjson.loads(line) for line in said.splitlines()]


def _nothing_was_routed(monday: Monday) -> None:
    """Last year's customers have the owners that the list says, and no new task but what the list planned."""
    customers = {str(one["customer_id"]) for one in _export(monday, "leads") if one["channel"] == "list"}
    assert len(customers) == 3
    first = [one for one in _export(monday, "tasks") if one["customer_id"] in customers]
    assert {one["origin"] for one in first} <= {"plan"}


def _take_the_first_lead(page: Page, monday: Monday) -> None:
    """Whoever has it, or, out of office hours, one of the team whose queue it waits in."""
    (lead,) = (one for one in _export(monday, "leads") if one["channel"] == "web")
    (task,) = (one for one in _export(monday, "tasks") if one["lead_id"] == lead["lead_id"])
    waits = task["holder_kind"] == "queue"
    person = "wang-fang" if waits else task["holder"]
    page.context.clear_cookies()
    said = monday.terminal.run(Block("monday", "sh", f"leadflow token link --person {person}\n", None))
    page.goto(said.splitlines()[0])
    page.locator("main button[type=submit]").first.click()
    page.goto(f"http://127.0.0.1:{monday.port}/day")
    card = page.locator("article.task").filter(has_text="周洋")
    if waits:
        card.locator("form[action$='take'] button").click()
        card = page.locator("article.task").filter(has_text="周洋")
    expect(card.locator("a[href='tel:+8613900000091']")).to_be_visible()
    card.locator("button[value=interested]").click()
    expect(page).to_have_url(re.compile("/day"))
    done = {one["task_id"]: one["state"] for one in _export(monday, "tasks")}
    assert done[task["task_id"]] == "done"


def test_both_languages_show_the_same_half_hour() -> None:
    assert blocks("README.zh-CN.md", "monday") == blocks("README.md", "monday")
    assert len(blocks("README.md", "monday")) == 10
