"""A browser for the whole run, and a Leadflow of its own for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.live import Live, chromium, find_chromium, live_server
from tests.support.rig import small_company

expect.set_options(timeout=20_000)
"""A loaded machine may take long over what a person waits a second for; what never comes fails all the same."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; where there is none, CI fails, and elsewhere the test is skipped with the fix."""
    executable = find_chromium()
    if executable is None:
        fix = (
            "there is no Chromium. Fix: apt-get install chromium fonts-wqy-microhei, or set LEADFLOW_CHROMIUM"
        )
        if os.environ.get("CI"):
            pytest.fail(fix)
        pytest.skip(fix)
    with chromium(executable) as started:
        yield started


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """A company whose three people are there at any hour of any day."""
    company = small_company(absences=())
    company.units["east"] = company.units["east"].model_copy(update={"calendar_id": None})
    with live_server(tmp_path, company) as running:
        yield running
