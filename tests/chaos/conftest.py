"""No test leaves a process behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.live import Live


@pytest.fixture(autouse=True)
def none_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """End what a failed test has left running, so that the one after it does not fail for it."""
    started: list[Live] = []
    start = Live.start

    def noted(live: Live, *args: Any, **options: Any) -> None:
        started.append(live)
        start(live, *args, **options)

    monkeypatch.setattr(Live, "start", noted)
    yield
    for live in started:
        live.kill()
