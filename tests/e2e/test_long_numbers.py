"""Numbers with thousands of digits, which Python refuses to read: a form and a program are answered, not given a 500."""

from __future__ import annotations

import pytest

from console.imports import asked_of
from leadflow.embedded import Embedded
from tests.e2e.test_repair_masked import client_of, engine

__all__ = ["engine"]
LONG = "9" * 5_000


@pytest.mark.parametrize("headers", [{"hx-request": "true"}, {}])
@pytest.mark.parametrize("verb", ["row", "check", "add", "up"])
def test_a_row_that_no_table_has_is_no_row(engine: Embedded, verb: str, headers: dict[str, str]) -> None:
    said = {"row": LONG, "base": LONG, "table": "", "from": LONG}
    answer = client_of(engine, "operations").post(f"/rules/{verb}", data=said, headers=headers)
    assert answer.status_code in (200, 303, 409)


def test_whom_customers_go_to_by_a_weight_like_that_is_refused(engine: Embedded) -> None:
    client = client_of(engine, "operations")
    said = {"c:cus_x": "on", "to": f"ann:{LONG}", "reason": "share"}
    for path in ("/move/preview", "/move/apply"):
        assert client.post(path, data=said).status_code in (409, 422)


def test_a_list_is_put_aside_for_no_longer_than_there_are_days() -> None:
    found = asked_of({"horizon_days": LONG, "per_day": LONG})
    assert (found["horizon_days"], found["per_day"]) == (None, 10)
    found = asked_of({"horizon_days": "99999", "per_day": "1000"})
    assert (found["horizon_days"], found["per_day"]) == (99_999, 1_000)
