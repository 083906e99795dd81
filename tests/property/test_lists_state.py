"""Rows of lists among forms, however the stream is cut: one state, a holder for every open customer, and none told who should not be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.capture import Capture, capture_of
from schemas.pools import Pool
from store.views import orphans
from tests.support.lists import company_of_lists
from tests.support.rig import DAY, MONDAY_10, SECOND, Rig, post

PHONES = ["13900000001", "13900000002", "13900000003", "13900000004"]
HEAPS = ["queue:default", "queue:east", "pool:old", "nurture:no_plan", "pool:gone", ""]
POOL = Pool(pool_id="old", name_zh="老客户", name_en="Old", reclaim="no")
CRM = {
    "sink_id": "crm",
    "kind": "faulty",
    "name": "CRM",
    "events": ["person", "queue", "pool", "nurture"],
    "purposes": ["real"],
}


@st.composite
def arrivals(draw: Callable[..., Any]) -> list[Capture]:
    """Few people, in lists that name owners, heaps and dated steps, and in forms."""
    found: list[Capture] = []
    for number in range(draw(st.integers(1, 12))):
        at_us = MONDAY_10 + number * SECOND
        phone = draw(st.sampled_from(PHONES))
        if draw(st.booleans()) and draw(st.booleans()):
            found.append(post(at_us=at_us, made=f"m{number}", phone=phone, message="x"))
            continue
        cells = [["name", f"n{phone[-1]}"], ["phone", phone]]
        owner = draw(st.sampled_from(["ann", "薄", "dora", "nobody", ""]))
        cells += [["owner", owner]] if owner else []
        cells += [["next contact", "2027-01-05"]] if draw(st.booleans()) else []
        meta = {
            "import": "imp_x",
            "row": str(number),
            "kind": draw(st.sampled_from(["leads", "customers"])),
            "route": draw(st.sampled_from(["yes", "no"])),
            "notify": draw(st.sampled_from(["yes", "no"])),
            "heap": draw(st.sampled_from(HEAPS)),
        }
        if draw(st.booleans()):
            meta |= {"wakes": str(MONDAY_10 + draw(st.integers(-1, 5)) * DAY), "cadence": "no_plan"}
        found.append(
            capture_of(
                source_id="lists",
                channel="list",
                format="list.row",
                body=orjson.dumps(cells),
                accepted_us=at_us,
                trace_id=f"{number:032x}",
                idem_key=f"imp_x:{draw(st.integers(0, 9))}",
                meta=meta,
            )
        )
    return found


def played(captures: list[Capture], batch_max: int) -> dict[str, list[dict[str, Any]]]:
    with TemporaryDirectory() as folder:
        company = company_of_lists(pools={"old": POOL}, sinks={"crm": CRM})
        rig = Rig(Path(folder), company=company, batch_max=batch_max)
        rig.feed(captures)
        rig.run()
        with rig.store.read() as connection:
            assert orphans(connection, MONDAY_10 + 10 * DAY) == []
        state = rig.state()
        rig.close()
    state.pop("progress")
    return state


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    print_blob=True,
)
@given(arrivals())
def test_one_state_however_it_is_cut_and_nobody_is_told_who_should_not_be(captures: list[Capture]) -> None:
    whole = played(captures, 1_000)
    assert played(captures, 1) == whole
    quiet = {one.capture_id for one in captures if one.meta.get("notify") == "no"}
    leads = {row["lead_id"] for row in whole["lead_capture"] if row["capture_id"] in quiet}
    assert [row for row in whole["delivery"] if row["lead_id"] in leads] == []
    ruled = {row["decision_id"] for row in whole["decision"] if row["code"] == "imported"}
    assert ruled.isdisjoint(row["decision_id"] for row in whole["ledger"])
    assert [row for row in whole["dead"] if row["code"] == "bug"] == []
