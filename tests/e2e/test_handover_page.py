"""The page of hand-overs: whose it shows, what it refuses and why, and that its file is the one that is verified."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from leadflow.desk_handover import ConsoleHandOver
from store.certificates import Certificate, verify
from store.company import CompanyCache
from tests.e2e.test_access import House
from tests.e2e.test_console_pages import text_of
from tests.e2e.test_moves import LATER, of, rig
from tests.support.rig import Rig

__all__ = ["rig"]
ASKED = {"person": "bo", "why": "leaving", "to": "ann", "reason": "leaves", "key": "k"}


@pytest.fixture
def house(rig: Rig) -> House:
    engine: Any = SimpleNamespace(files=rig.files, companies=CompanyCache())
    return House(rig, now_us=LATER, host={"hand_over": ConsoleHandOver(engine)})


def test_what_is_missing_is_said_and_nothing_is_done(rig: Rig, house: House) -> None:
    mia = house.client(house.grant("mia"))
    for wrong, said in (
        ({"person": ""}, "Choose somebody below you."),
        ({"person": "wei"}, "Choose somebody below you."),
        ({"why": ""}, "Choose why"),
        ({"to": ""}, "Choose why"),
        ({"to": "nobody"}, "Choose why"),
        ({"why": "until"}, "Choose the day"),
        ({"why": "until", "until": "2001-01-01"}, "in the past"),
        ({"filter1": "shoe=42", "to1": "ann"}, "Choose why"),
        ({"to": "wei"}, "whom it is to go to is not below you"),
    ):
        answer = mia.get("/handover/plan", params={**ASKED, **wrong})
        assert said in text_of(answer.text), wrong
    assert mia.post("/handover/apply", data={**ASKED, "reason": ""}).status_code == 409
    assert rig.rows("job") == []


def test_a_part_goes_by_its_filter_and_the_rest_elsewhere(rig: Rig, house: House) -> None:
    mine = of(rig, "bo")
    mia = house.client(house.grant("mia"))
    asked = {**ASKED, "filter1": "province=江苏*", "to1": "chen"}
    looked = mia.get("/handover/plan", params=asked)
    assert f"{len(mine)} customers" in text_of(looked.text)
    done = mia.post("/handover/apply", data=asked)
    assert done.status_code == 303
    assert mia.post("/handover/apply", data=asked).headers["location"] == done.headers["location"], (
        "twice is once"
    )
    assert of(rig, "bo") == []
    held = json_of(mia.get(f"{done.headers['location']}/certificate.json").content)
    with rig.store.read() as connection:
        assert verify(connection, held, LATER).wrong == ()
    receivers = {holder for kind, _, holder in held.body["objects"] if kind == "customer"}
    assert receivers == {"ann", "chen"}
    for path in ("", "/progress", "/certificate", "/certificate.json"):
        assert mia.get(done.headers["location"] + path).status_code == 200
        zoe = house.client(house.grant("zoe")).get(done.headers["location"] + path)
        assert zoe.status_code == 404, "nobody beside sees it"


def json_of(data: bytes) -> Certificate:
    """Return a certificate from its file."""
    return Certificate(**orjson.loads(data))
