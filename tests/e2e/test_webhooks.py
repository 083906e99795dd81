"""Webhooks to a real receiver: every assignment arrives, in order, signed, under one id whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.receiver import Receiver, crm
from tests.support.rig import MINUTE, MONDAY_10, SECOND, Rig, post, small_company
from tests.support.sending import Clock, dispatching, send_all


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    made.open()
    yield made
    made.close()


def rig_with(folder: Path, *sinks: dict[str, Any], **company: Any) -> Rig:
    return Rig(folder, company=small_company(sinks={one["sink_id"]: one for one in sinks}, **company))


def feed(rig: Rig, count: int, start: int = 0) -> None:
    """Let so many new customers come in and be assigned, a second apart."""
    rig.feed(
        post(
            at_us=MONDAY_10 + (start + number) * SECOND,
            made=f"m{start + number}",
            name=f"客户{start + number}",
            phone=f"139{start + number:08d}",
            message="叉车\n两台",
        )
        for number in range(count)
    )
    rig.run()


def test_an_assignment_arrives_with_lead_owner_and_due_time(tmp_path: Path, receiver: Receiver) -> None:
    rig = rig_with(tmp_path, crm(receiver))
    feed(rig, 1)
    clock = Clock(MONDAY_10 + MINUTE)
    with dispatching(rig, clock, "https://leads.haichuan.example/") as dispatcher:
        send_all(dispatcher)
    (task,) = rig.rows("task")
    (delivery,) = rig.rows("delivery")
    (arrived,) = receiver.taken
    data = arrived.content["data"]
    assert arrived.content["type"] == "leadflow.assigned.v1"
    assert arrived.webhook_id == delivery["delivery_id"]
    assert data["holder"]["id"] == task["holder_id"]
    assert data["task"]["task_id"] == task["task_id"]
    assert data["task"]["due"] == "2026-11-23T02:30:00.000001Z"
    assert data["lead"]["fields"]["phone"] == "+8613900000000"
    assert data["lead"]["channel"] == "web"
    assert data["why"] == "weighted_turn"
    assert data["link"] == f"https://leads.haichuan.example/inbox/{task['holder_id']}"
    assert (delivery["state"], delivery["answer"]) == ("sent", "204")
    rig.close()
