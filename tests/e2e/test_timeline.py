"""One customer across all channels, with the original of each touch; masked and closed where it is not theirs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware

from console.accounts import account_routes
from console.app import console_routes
from console.desk import Desk
from console.gate import Failures, Gate, Guard
from console.timeline import SHOWN_BYTES, as_text
from schemas.company import Member
from tests.e2e.test_access import House, _is_local
from tests.support.rig import MINUTE, MONDAY_10, Rig, post, small_company


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    members = tuple(
        Member(unit_id="east", person_id=one, from_us=0, share=one == "ann") for one in ("ann", "bo")
    )
    rig = Rig(tmp_path, company=small_company(absences=(), members=members))
    rig.feed(
        [
            post(
                made="1", name="张伟", phone="138 1234 5678", message="要两台叉车 <script>alert(1)</script>"
            ),
            post(at_us=MONDAY_10 + MINUTE, made="2", name="张伟", phone="13812345678", message="还要一台"),
        ]
    )
    rig.run()
    made = House(rig)
    append = rig.files.store_log.append
    guard = Guard(Desk(rig.store, lambda: made.now_us, lambda: next(made.ids), append), _is_local, Failures())
    routes = console_routes(
        rig.store, lambda: made.now_us, lambda: next(made.ids), append, find_capture=rig.files.capture
    )
    routes += account_routes(guard, lambda: "secret", bytes(32))
    made.app = Starlette(routes=routes, middleware=[Middleware(Gate, guard=guard, doors=("/enter/",))])
    yield made
    rig.close()


def test_the_owner_sees_every_touch_and_its_original(house: House) -> None:
    client = house.client(house.grant("ann"))
    (customer,) = house.rig.rows("customer")
    page = client.get(f"/customer/{customer['customer_id']}").text
    assert page.count('class="touch"') == 2
    assert page.index("还要一台") < page.index("要两台叉车"), "the newest first"
    assert "138 1234 5678" in page
    assert "<script>alert" not in page
    for capture in house.rig.rows("capture"):
        shown = client.get(f"/original/{capture['capture_id']}").text
        assert "<script>alert" not in shown
        raw = client.get(f"/original/{capture['capture_id']}/bytes")
        kept = house.rig.files.capture(capture["capture_id"])
        assert kept is not None
        assert raw.content == kept.body
        assert raw.headers["content-disposition"].startswith("attachment")


def test_who_has_nothing_to_do_with_it_sees_nothing_and_who_reads_masked_no_original(house: House) -> None:
    (customer,) = house.rig.rows("customer")
    page, original = (
        f"/customer/{customer['customer_id']}",
        f"/original/{house.rig.rows('capture')[0]['capture_id']}",
    )
    chen = house.client(house.grant("chen"))
    assert {chen.get(one).status_code for one in (page, original, f"{original}/bytes")} == {403}
    auditor = house.client(house.grant("chen", role="auditor"))
    assert "1234 5678" not in auditor.get(page).text
    assert "12345678" not in auditor.get(page).text
    for one in (original, f"{original}/bytes"):
        answer = auditor.get(one)
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            original.replace("original", "story"),
        )
    assert house.client(house.grant("chen", role="operations")).get("/customer/cus_none").status_code == 404


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("张伟".encode(), "张伟"),
        ("张伟".encode("gb18030"), "张伟"),
        (b"\xff\xff", "\ufffd\ufffd"),
        ("张".encode() * SHOWN_BYTES, "张" * (SHOWN_BYTES // 3)),
        (b"", ""),
    ],
)
def test_a_body_is_read_as_well_as_it_can_be(body: bytes, text: str) -> None:
    assert as_text(body) == text
