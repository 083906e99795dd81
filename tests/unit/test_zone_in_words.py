"""The company's time zone on pages: as people call it."""

from __future__ import annotations

from typing import Any

import pytest

from console.view import View
from tests.support.rig import MONDAY_10, small_company


@pytest.mark.parametrize(
    ("zone", "language", "said"),
    [
        ("Asia/Shanghai", "zh", "中国时间"),
        ("Asia/Shanghai", "en", "China Time"),
        ("Europe/Berlin", "zh", "中欧时间"),
        ("UTC", "en", "UTC"),
        ("Etc/UTC", "zh", "Etc/UTC"),
    ],
)
def test_a_zone_is_said_as_people_call_it(zone: str, language: Any, said: str) -> None:
    company = small_company().model_copy(update={"zone": zone})
    assert View(language, company, MONDAY_10).zone == said
