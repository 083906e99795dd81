"""Deciding what goes out, when it comes again, and what it says."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from schemas.company import Company, Unit
from schemas.sinks import SinkSettings
from schemas.work import Assignment, Reason
from sinks.choose import recipient_of, wants
from sinks.ladder import GIVE_UP_US, LEAST_TRIES, STEPS_US, dice_of, next_attempt, wait_of
from sinks.mail import Mail
from sinks.mail import render as letter_of
from sinks.port import Later, Never, Recipient, Taken
from sinks.webhook import Webhook, judge
from sinks.webhook import render as post_of
from tests.support.messages import message
from tests.support.receiver import SECRET
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, SECOND, small_company

# --- the ladder ---------------------------------------------------------------------------------------


def test_the_first_step_is_seconds_and_the_whole_is_three_days() -> None:
    now, failed, moments = MONDAY_10, 0, []
    while True:
        failed += 1
        following = next_attempt(failed, MONDAY_10, now)
        if following is None:
            break
        moments.append(following - now)
        now = following
    assert moments[:4] == [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE]
    assert now - MONDAY_10 >= GIVE_UP_US == 3 * DAY
    assert len(moments) < 25


@given(
    failed=st.integers(1, 40),
    age=st.integers(0, 4 * DAY),
    wait_s=st.floats(0, 10**7),
    dice=st.floats(0, 1, exclude_max=True),
)
def test_a_next_try_is_never_early_and_never_past_a_day(
    failed: int, age: int, wait_s: float, dice: float
) -> None:
    now = MONDAY_10 + age
    following = next_attempt(failed, MONDAY_10, now, wait_s, dice)
    if failed >= LEAST_TRIES and age >= GIVE_UP_US:
        assert following is None
        return
    assert following is not None
    step = STEPS_US[min(failed, len(STEPS_US)) - 1]
    assert following - now >= int(0.8 * step) - 1
    assert following - now >= int(min(wait_s, 86_400) * SECOND)
    assert following - now <= max(int(1.2 * step), DAY)


def test_what_waited_behind_others_for_days_still_gets_a_second_try() -> None:
    assert next_attempt(1, MONDAY_10, MONDAY_10 + 10 * DAY) is not None
    assert next_attempt(2, MONDAY_10, MONDAY_10 + 10 * DAY) is None


def test_dice_are_seeded_and_spread() -> None:
    thrown = [dice_of(f"dlv_{number}", 1) for number in range(1_000)]
    assert thrown == [dice_of(f"dlv_{number}", 1) for number in range(1_000)]
    assert 0.45 < sum(thrown) / 1_000 < 0.55
    assert len(set(thrown)) == 1_000


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 5 ", 5.0),
        ("Mon, 23 Nov 2026 02:01:00 GMT", 60.0),
        ("Mon, 23 Nov 2026 01:00:00 GMT", 0.0),
        ("soon", 0.0),
        ("-3", 0.0),
        ("1e9", 0.0),
        ("99999999999999999999", 0.0),
        ("", 0.0),
        (None, 0.0),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(header: str | None, seconds: float) -> None:
    assert wait_of(header, MONDAY_10) == seconds


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, Taken("200")),
        (204, Taken("204")),
        (301, Never("redirected", "301")),
        (400, Never("refused", "400")),
        (404, Never("refused", "404")),
        (408, Later("busy", "408")),
        (410, Never("gone", "410")),
        (425, Later("busy", "425")),
        (429, Later("busy", "429")),
        (500, Later("broken", "500")),
        (503, Later("broken", "503")),
    ],
)
def test_a_status_is_taken_later_or_never(status: int, answer: object) -> None:
    assert judge(status) == answer


# --- who wants what -----------------------------------------------------------------------------------


def assignment(**changes: Any) -> Assignment:
    values: dict[str, Any] = {
        "decision_id": "dec_1",
        "lead_id": "lead_1",
        "customer_id": "cus_1",
        "holder_kind": "person",
        "holder_id": "ann",
        "previous_holder_id": "intake",
        "reason": Reason(code="weighted_turn", team_id="east"),
        "decided_us": MONDAY_10,
    }
    return Assignment(**{**values, **changes})


QUEUED = {
    "holder_kind": "queue",
    "holder_id": "east",
    "reason": Reason(code="waiting", team_id="east"),
}
STICKY = {"reason": Reason(code="sticky_owner")}


@pytest.mark.parametrize(
    ("sink", "given_", "wanted"),
    [
        ({}, {}, True),
        ({"events": ["queue"]}, {}, False),
        ({"events": ["queue"]}, QUEUED, True),
        ({"channels": ["email", "web"]}, {}, True),
        ({"channels": ["email"]}, {}, False),
        ({"teams": ["east"]}, {}, True),
        ({"teams": ["company"]}, {}, True),
        ({"teams": ["default"]}, {}, False),
        ({"teams": ["east"]}, STICKY, True),
        ({"teams": ["east"]}, QUEUED, True),
        ({"purposes": ["demo"]}, {}, False),
    ],
)
def test_a_filter_takes_what_it_names(sink: dict[str, Any], given_: dict[str, Any], wanted: bool) -> None:
    settings = SinkSettings(sink_id="s", kind="faulty", name="s", **sink)
    assert wants(settings, assignment(**given_), small_company(), ("real", "web")) is wanted


def company_with(**emails: str) -> Company:
    company = small_company()
    people = {
        key: person.model_copy(update={"email": emails.get(key)}) for key, person in company.people.items()
    }
    units: dict[str, Unit] = dict(company.units)
    units["east"] = units["east"].model_copy(update={"manager_id": "bo"})
    units["company"] = units["company"].model_copy(update={"manager_id": "chen"})
    return company.model_copy(update={"people": people, "units": units})


@pytest.mark.parametrize(
    ("emails", "given_", "told"),
    [
        ({"ann": "a@x.example", "bo": "b@x.example"}, {}, "ann"),
        ({"bo": "b@x.example", "chen": "c@x.example"}, {}, "bo"),
        ({"chen": "c@x.example"}, {}, "chen"),
        ({"chen": "c@x.example"}, STICKY, "chen"),
        ({"ann": "a@x.example", "bo": "b@x.example"}, QUEUED, "bo"),
        ({}, {}, None),
    ],
)
def test_the_owner_is_told_else_the_nearest_manager(
    emails: dict[str, str], given_: dict[str, Any], told: str | None
) -> None:
    assert recipient_of(assignment(**given_), company_with(**emails)) == told


def test_who_answers_for_the_default_queue_is_told_last() -> None:
    company = company_with(chen="c@x.example").model_copy(update={"units": {}, "responsible_id": "chen"})
    assert recipient_of(assignment(), company) == "chen"


# --- webhooks -----------------------------------------------------------------------------------------

HOOK = Webhook(sink_id="crm", kind="webhook", name="CRM", url="https://crm.example/h", secret=SECRET)


def test_the_signature_is_good_by_the_library_and_only_for_this_body() -> None:
    now_us = int(datetime.now(UTC).timestamp() * 1_000_000)
    post = post_of(HOOK, message(at_us=now_us))
    assert post is not None
    content = Verifier(SECRET).verify(post.body, post.headers)
    assert content["data"]["customer_id"] == "cus_1"
    assert post.headers["webhook-id"] == "dlv_1"
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(post.body.replace(b"cus_1", b"cus_2"), post.headers)


def test_the_body_is_of_a_named_version_with_moments_people_can_read() -> None:
    post = post_of(HOOK, message())
    assert post is not None
    content = orjson.loads(post.body)
    assert content["type"] == "leadflow.assigned.v1"
    assert content["timestamp"] == "2026-11-23T02:00:00Z"
    assert content["data"]["task"] == {
        "task_id": "task_1",
        "origin": "first_response",
        "due": "2026-11-23T03:00:00Z",
        "priority": None,
        "playbook": None,
    }


# --- mail ---------------------------------------------------------------------------------------------

RELAY = Mail(sink_id="m", kind="mail", name="m", relay="127.0.0.1", sender="leadflow@haichuan.example")


def parts(**changes: Any) -> tuple[Any, str, str]:
    letter = letter_of(RELAY, message(**changes))
    assert letter is not None
    mail = message_from_bytes(bytes(letter.mail), policy=default)
    text, html = mail.iter_parts()
    return mail, text.get_content(), html.get_content()


def test_a_mail_says_who_is_due_when_in_the_reader_s_language() -> None:
    mail, text, html = parts()
    assert mail["Subject"] == "新线索：李娜 · 大恒信息"
    assert "首次响应时限：2026-11-23 11:00 (首次响应)" in text
    assert "电话：+8613900000001" in text
    assert "https://leads.haichuan.example/inbox/ann" in text
    assert 'lang="zh"' in html
    mail, text, html = parts(recipient=Recipient("Ann", "ann@haichuan.example", "en"))
    assert mail["Subject"] == "New lead: 李娜 · 大恒信息"
    assert "Due: 2026-11-23 11:00 (first response)" in text
    assert "Owner: Ann" in text


def test_a_mail_is_marked_so_that_no_machine_answers_it_and_no_door_takes_it() -> None:
    mail, _, _ = parts()
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Loop"] == "leadflow@haichuan.example"
    assert mail["Message-ID"] == "<dlv_1@haichuan.example>"
    assert mail["To"].addresses[0].addr_spec == "ann@haichuan.example"


def test_the_same_delivery_has_the_same_message_id_at_every_try() -> None:
    first, _, _ = parts(attempt=1)
    second, _, _ = parts(attempt=2, at_us=MONDAY_10 + HOUR)
    assert first["Message-ID"] == second["Message-ID"]


def test_a_lead_cannot_write_headers_or_markup_into_the_mail() -> None:
    fields = {"full_name": "x\r\nBcc: all@firma.example", "message": "<script>alert(1)</script>\n第二行"}
    mail, text, html = parts(fields=fields)
    assert mail["Bcc"] is None
    assert "\n" not in mail["Subject"]
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;<br>第二行" in html
    assert "<script>alert(1)</script>" in text


def test_nobody_to_write_to_is_no_mail() -> None:
    assert letter_of(RELAY, message(recipient=None)) is None
