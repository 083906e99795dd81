"""Mapped webhooks through the real door: who may send, what is answered, and what becomes of it."""

from __future__ import annotations

import hmac
import os
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from leadflow.clock import wall_clock_us
from leadflow.embedded import Embedded, open_files
from leadflow.server import make_app
from leadflow.settings import Settings
from store.company import put_company
from tests.browser.live import Live
from tests.support.rig import small_company

SECRET = "6d1f0c4e8b"
SAMPLES = Path("examples/web")


def mapped(source_id: str, **settings: Any) -> dict[str, Any]:
    base = {
        "source_id": source_id,
        "channel": "web",
        "format": "web.mapped",
        "name": source_id,
        "secret": SECRET,
    }
    return {**base, **settings}


SIGNED = mapped(
    "signed",
    fields={"phone": "tel"},
    key="id",
    proof="hmac",
    proof_name="X-Sig",
    hmac_encoding="base64",
    hmac_prefix="v1=",
    hmac_signs="{timestamp}.{body}",
    hmac_timestamp="X-Time",
)
SOURCES = {
    "feiyu": mapped("feiyu", preset="feiyu"),
    "baidu": mapped("baidu", preset="baidu"),
    "head": mapped("head", fields={"phone": "tel"}, key="id", proof_name="X-Token"),
    "bearer": mapped("bearer", fields={"phone": "tel"}),
    "batch": mapped("batch", fields={"phone": "tel"}, key="id", leads="items", proof="none"),
    "sfdc": mapped(
        "sfdc",
        preset="salesforce-web-to-lead",
        oid="00D5g00000HaiChuanAAB",
        hosts=["www.haichuan.example"],
    ),
    "signed": SIGNED,
}


class Site:
    """A running installation and what came of what was sent to it."""

    def __init__(self, folder: Path) -> None:
        files = open_files(folder)
        made = small_company(absences=())
        made.sources.update(SOURCES)
        with files.store.write() as connection:
            put_company(connection, made, 0)
        self.engine = Embedded(files)
        self.live = Live("", self.engine)
        self.client = TestClient(
            make_app(self.engine, Settings(data=folder)),
            base_url="http://127.0.0.1",
            client=("203.0.113.9", 1),
            follow_redirects=False,
        )

    def post(self, path: str, content: bytes, **headers: str) -> Any:
        kind = {"content-type": "application/json"}
        return self.client.post(path, content=content, headers=kind | headers)

    def fields(self, name: str) -> list[str]:
        """Return what the leads say of a field, once everything was looked at."""
        self.settled()
        fields = [field for row in self.live.rows("lead") for field in orjson.loads(row["fields_json"])]
        return sorted(field["received"] for field in fields if field["name"] == name)

    def letters(self) -> list[dict[str, Any]]:
        self.settled()
        return self.live.rows("dead")

    def settled(self) -> None:
        give_up = time.monotonic() + 15
        while any(waiting for _, waiting in self.engine.backlogs()):
            assert time.monotonic() < give_up
            time.sleep(0.02)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    with made.client:
        yield made


def test_a_key_that_comes_again_in_a_body_with_something_else_is_another_lead(site: Site) -> None:
    items = [
        {"id": "7", "tel": "13800000001"},
        {"id": "7", "tel": "13800000002"},
        {"id": "7", "tel": "13800000001"},
    ]
    body = orjson.dumps({"items": items})
    for _ in range(2):
        assert site.post("/in/web/batch", body).status_code in (200, 202)
    assert site.fields("phone") == ["13800000001", "13800000002"]


def test_a_sender_with_its_secret_in_the_address_gets_the_answer_it_wants_and_is_one_lead_if_it_repeats(
    site: Site,
) -> None:
    body = (SAMPLES / "feiyu.json").read_bytes()
    for _ in range(2):
        answer = site.post(f"/in/web/feiyu?token={SECRET}", body)
        assert (answer.status_code, answer.json()) == (200, {"code": 0, "message": "success"})
    assert site.fields("phone") == ["13900000021"]


@pytest.mark.parametrize("path", ["/in/web/feiyu", "/in/web/feiyu?token=wrong", "/in/web/baidu?token="])
def test_a_wrong_secret_is_turned_away_and_nothing_is_kept(site: Site, path: str) -> None:
    assert site.post(path, b'{"telphone": "1"}').json()["code"] == "bad_token"
    assert site.letters() == []
    assert site.fields("phone") == []


def test_secrets_in_headers(site: Site) -> None:
    body = b'{"tel": "13900000031"}'
    assert site.post("/in/web/head", body).status_code == 401
    assert site.post("/in/web/head", body, **{"x-token": SECRET}).status_code == 202
    assert site.post("/in/web/bearer", body, authorization="Bearer no").status_code == 401
    assert site.post("/in/web/bearer", body, authorization=f"Bearer {SECRET}").status_code == 202


def _signature(stamp: str, body: bytes, secret: str = SECRET) -> str:
    return "v1=" + b64encode(hmac.digest(secret.encode(), f"{stamp}.".encode() + body, "sha256")).decode()


def test_a_signature_is_over_time_and_body(site: Site) -> None:
    body, now = b'{"id": 1, "tel": "13900000032"}', str(wall_clock_us() // 1_000_000)
    good = {"x-sig": _signature(now, body), "x-time": now}
    assert site.post("/in/web/signed", body, **good).status_code == 202
    other = site.post("/in/web/signed", body.replace(b"2", b"3"), **good)
    assert other.json()["code"] == "bad_signature"
    forged = {"x-sig": _signature(now, body, "guess"), "x-time": now}
    assert site.post("/in/web/signed", body, **forged).json()["code"] == "bad_signature"
    old = str(int(now) - 3_600)
    said_again = {"x-sig": _signature(old, body), "x-time": old}
    assert site.post("/in/web/signed", body, **said_again).json()["code"] == "too_old"


def test_what_the_mapping_does_not_find_is_a_dead_letter_with_the_raw_bytes(site: Site) -> None:
    body = b'{"clueId": "x", "Telefon": "13900000033"}'
    assert site.post(f"/in/web/baidu?token={SECRET}", body).status_code == 200
    (letter,) = site.letters()
    assert letter["code"] == "nothing_mapped"
    capture = site.engine.files.capture(letter["capture_id"])
    assert capture is not None
    assert capture.body == body


def test_leads_of_one_body_go_their_own_ways(site: Site) -> None:
    items = [{"id": 1, "tel": "13900000034"}, {"id": 2, "phone": "?"}, {"id": 3, "tel": "13900000035"}]
    answer = site.post("/in/web/batch", orjson.dumps({"items": items}))
    assert len(set(answer.json()["receipts"])) == 3
    assert site.fields("phone") == ["13900000034", "13900000035"]
    assert [one["code"] for one in site.letters()] == ["nothing_mapped"]


def test_no_lead_of_a_body_keeps_the_bytes_of_another(site: Site) -> None:
    """Who is erased must not live on in the originals of those who came in the same body."""
    body = b'{"items": [{"id": 1, "tel":"13900000036"}, {"id":2,"tel": "13900000037"}]}'
    receipts = site.post("/in/web/batch", body).json()["receipts"]
    assert site.fields("phone") == ["13900000036", "13900000037"]
    captures = [site.engine.files.capture(one) for one in receipts]
    assert [one.body for one in captures if one] == [
        b'{"id": 1, "tel":"13900000036"}',
        b'{"id":2,"tel": "13900000037"}',
    ]


def test_what_is_no_json_is_said_at_once(site: Site) -> None:
    assert site.post("/in/web/batch", b'{"items": [').json()["code"] == "bad_json"


def sfdc(site: Site, **fields: str) -> Any:
    data = {"oid": "00D5g00000HaiChuan", "last_name": "Miller", "phone": "+442079460123", **fields}
    return site.client.post("/servlet/servlet.WebToLead?encoding=UTF-8", data=data)


def test_a_form_made_for_salesforce_goes_on_to_its_page(site: Site) -> None:
    answer = sfdc(site, retURL="https://www.haichuan.example/thanks")
    assert (answer.status_code, answer.headers["location"]) == (303, "https://www.haichuan.example/thanks")
    assert site.fields("phone") == ["+442079460123"]


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "javascript:alert(1)",
        "https://www.haichuan.example@evil.example/",
    ],
)
def test_it_goes_to_no_other_host(site: Site, target: str) -> None:
    assert sfdc(site, retURL=target).headers["location"] == "/thanks/sfdc"
    assert "Thank you" in site.client.get("/thanks/sfdc?lang=en").text


def test_its_charset_is_the_one_named_in_the_address(site: Site) -> None:
    body = b"oid=00D5g00000HaiChuan&last_name=" + "李".encode("gbk") + b"&phone=13900000036"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    site.client.post("/servlet/servlet.WebToLead?encoding=GBK", content=body, headers=headers)
    assert site.fields("family_name") == ["李"]


def test_debug_shows_what_was_read_as_plain_text(site: Site) -> None:
    answer = sfdc(site, debug="1", description="<script>alert(1)</script>")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "message: <script>" in answer.text


def test_an_unknown_oid_has_no_source(site: Site) -> None:
    assert sfdc(site, oid="00D000000000000").json()["code"] == "unknown_source"
    assert sfdc(site, oid="").json()["code"] == "unknown_source"


def test_a_preset_is_tried_on_a_file_and_what_is_refused_ends_with_1() -> None:
    told, code = tried("feiyu")
    assert code == 0
    assert "13900000021  ← mapped:telphone" in told
    told, code = tried("baidu")
    assert code == 1
    assert "nothing_mapped" in told


def tried(preset: str) -> tuple[str, int]:
    command = [sys.executable, "-m", "leadflow.cli", "source", "try", "examples/web/feiyu.json"]
    here = {**os.environ, "LANG": "C.UTF-8"}
    done = subprocess.run(
        [*command, "--preset", preset], env=here, capture_output=True, text=True, check=False
    )
    return done.stdout, done.returncode
