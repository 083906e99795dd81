"""Messages as dispatch hands them to a sink."""

from __future__ import annotations

from typing import Any

from schemas.outward import Assigned, AssignedLead, AssignedTask, AssignedTo
from sinks.net import utc
from sinks.port import Message, Recipient
from tests.support.rig import HOUR, MONDAY_10

FIELDS = {"full_name": "李娜", "company": "大恒信息", "phone": "+8613900000001", "message": "两台托盘搬运车"}


def message(fields: dict[str, str] | None = None, **changes: Any) -> Message:
    """Return the first try of a delivery: Li Na's enquiry goes to An, due at eleven."""
    lead = AssignedLead(
        lead_id="lead_1",
        kind="enquiry",
        channel="web",
        source="site",
        campaign=None,
        product_line=None,
        language="zh",
        accepted=utc(MONDAY_10),
        fields=FIELDS if fields is None else fields,
    )
    assigned = Assigned(
        event_id="evt_1",
        decision_id="dec_1",
        decided=utc(MONDAY_10),
        why="weighted_turn",
        team="east",
        purpose="real",
        trace_id="0" * 32,
        customer_id="cus_1",
        holder=AssignedTo(kind="person", id="ann", name="安", name_en="Ann", email="ann@haichuan.example"),
        lead=lead,
        task=AssignedTask(task_id="task_1", origin="first_response", due=utc(MONDAY_10 + HOUR)),
        link="https://leads.haichuan.example/inbox/ann",
    )
    values: dict[str, Any] = {
        "delivery_id": "dlv_1",
        "attempt": 1,
        "at_us": MONDAY_10,
        "zone": "Asia/Shanghai",
        "company": "海川搬运设备",
        "assigned": assigned,
        "recipient": Recipient("安", "ann@haichuan.example", "zh"),
    }
    return Message(**{**values, **changes})
