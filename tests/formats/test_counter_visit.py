"""Visits to the front desk: what is read, what is refused with which field, and what hostile input does."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from pydantic import ValidationError

from ingest.counter.visit import MAX_SHORT_CHARS, Counter, mistakes, parse
from ingest.web.form import MAX_FIELD_CHARS, Posted
from schemas.capture import Capture, capture_of
from schemas.lead import Lead
from schemas.results import Refused

DESK = Counter(
    source_id="desk", channel="counter", format="counter.visit", name="展厅前台", desks=("大厅", "二楼")
)
ACCEPTED_US = 1_795_399_200 * 1_000_000  # Monday 23 November 2026, 10:00 in Shanghai


def capture(body: bytes, content_type: str = "application/json") -> Capture:
    return capture_of(
        source_id="desk",
        channel="counter",
        format="counter.visit",
        body=body,
        accepted_us=ACCEPTED_US,
        trace_id="0" * 32,
        made_key="k",
        meta={"content_type": content_type},
    )


def read(source: Counter = DESK, /, **visit: Any) -> Lead | Refused:
    (result,) = parse(capture(orjson.dumps(visit)), source)
    assert isinstance(result, Lead | Refused)
    return result


def lead(source: Counter = DESK, /, **visit: Any) -> Lead:
    result = read(source, **visit)
    assert isinstance(result, Lead), result
    return result


def refused(source: Counter = DESK, /, **visit: Any) -> tuple[str, str | None]:
    result = read(source, **visit)
    assert isinstance(result, Refused), result
    assert result.message
    assert result.hint
    return result.code, result.field


def test_a_whole_visit_is_read_with_the_origin_of_every_field() -> None:
    found = lead(
        visit_no="0f8d2a6c41",
        at="2026-11-23T09:58:00+08:00",
        desk="大厅",
        taken_by="07",
        name="王芳",
        phone="139 1234 5678",
        company="苏州精密制造",
        product="电动叉车",
        note="要看样车",
        heard_of_us="秋季展会",
        type="appointment",
        anonymous=False,
        consent=True,
    )
    assert [(one.name, one.received, one.origin) for one in found.fields] == [
        ("full_name", "王芳", "counter:name"),
        ("phone", "139 1234 5678", "counter:phone"),
        ("company", "苏州精密制造", "counter:company"),
        ("product", "电动叉车", "counter:product"),
        ("message", "要看样车", "counter:note"),
        ("heard_of_us", "秋季展会", "counter:heard_of_us"),
    ]
    assert found.visit is not None
    assert found.visit.model_dump() == {
        "type": "appointment",
        "desk": "大厅",
        "taken_by": "07",
        "anonymous": False,
    }
    assert [(one.kind, one.value) for one in found.hints] == [("heard", "秋季展会")]
    assert found.occurred_us == ACCEPTED_US - 120 * 1_000_000
    assert found.kind == "enquiry"
    assert found.consent is None, "this desk shows no consent text, so nothing can be agreed to"
    assert found.flags == ()


@pytest.mark.parametrize("visit", [{"phone": "13912345678"}, {"name": "王芳"}, {"anonymous": True}])
def test_phone_or_name_or_anonymous_is_enough(visit: dict[str, Any]) -> None:
    found = lead(**visit)
    assert found.visit is not None
    assert found.visit.anonymous is ("anonymous" in visit)
    assert found.visit.type == "walk_in"


@pytest.mark.parametrize("visit", [{}, {"company": "大恒"}, {"name": "  "}, {"anonymous": False}])
def test_nobody_is_refused_at_the_field_to_fill_in(visit: dict[str, Any]) -> None:
    assert refused(**visit) == ("nobody", "name")


def test_a_desk_can_insist_on_a_phone_number() -> None:
    strict = DESK.model_copy(update={"suffices": ("phone",)})
    assert refused(strict, name="王芳") == ("no_phone", "phone")
    assert refused(strict, anonymous=True) == ("no_phone", "phone")
    assert lead(strict, phone="13912345678").first("phone")


@pytest.mark.parametrize(
    ("visit", "code", "field"),
    [
        ({"name": "王芳", "anonymous": True}, "named_anonymous", "anonymous"),
        ({"name": "王芳", "anonymous": "perhaps"}, "not_yes_or_no", "anonymous"),
        ({"name": "王芳", "consent": 17}, "not_yes_or_no", "consent"),
        ({"name": "王芳", "phone": "不肯留"}, "phone_unreadable", "phone"),
        ({"name": "王芳", "phone": "1" * 61}, "phone_unreadable", "phone"),
        ({"phone": "1.38E+10"}, "phone_cut", "phone"),
        ({"phone": 1.38e10}, "phone_cut", "phone"),
        ({"name": "王芳", "phone": {"mobile": "13912345678"}}, "not_text", "phone"),
        ({"name": "王芳", "taken_by": "7"}, "bad_code", "taken_by"),
        ({"name": "王芳", "taken_by": "王芳"}, "bad_code", "taken_by"),
        ({"name": "王芳", "desk": "三楼"}, "unknown_desk", "desk"),
        ({"name": "王芳", "type": "phone"}, "unknown_type", "type"),
        ({"name": "王芳", "visit_no": "7"}, "bad_visit_no", "visit_no"),
        ({"name": "王芳", "visit_no": "0f8d2a6c41'--"}, "bad_visit_no", "visit_no"),
        ({"name": "王芳", "at": "yesterday"}, "bad_time", "at"),
        ({"name": "王芳", "at": "1900-01-01"}, "bad_time", "at"),
        ({"name": "王芳", "at": "99999-01-01"}, "bad_time", "at"),
    ],
)
def test_a_mistake_is_named_with_its_field(visit: dict[str, Any], code: str, field: str) -> None:
    assert refused(**visit) == (code, field)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_fields() -> None:
    posted = Posted(pairs=(("type", "?"), ("phone", "x"), ("taken_by", "x"), ("name", "王芳")))
    assert [one.field for one in mistakes(posted, DESK)] == ["taken_by", "phone", "type"]


def test_consent_is_kept_with_the_version_that_was_shown_and_asked_for_where_there_is_one() -> None:
    asking = DESK.model_copy(update={"consent_version": "2026-01", "consent_text": "同意保存"})
    agreed = lead(asking, name="王芳", consent="yes").consent
    assert agreed is not None
    assert (agreed.text_version, agreed.purposes, agreed.text) == ("2026-01", ("contact",), "同意保存")
    assert refused(asking, name="王芳") == ("no_consent", "consent")
    assert lead(asking, anonymous=True).consent is None, "who is not named need not agree"


def test_the_form_of_the_page_reads_like_the_json() -> None:
    visit = {"name": "王芳", "phone": "13912345678", "type": "be_back", "anonymous": "", "lang": "en"}
    kind = "application/x-www-form-urlencoded"
    (found,) = parse(capture(urlencode(visit).encode(), kind), DESK)
    assert isinstance(found, Lead)
    assert [one.origin for one in found.fields] == ["counter:name", "counter:phone"]
    assert found.visit is not None
    assert found.visit.type == "be_back"
    assert found.language == "zh", "the language of the page is the typist's, not the visitor's"


def test_a_date_in_the_future_is_kept_and_flagged_but_a_fast_clock_is_not() -> None:
    assert lead(name="王芳", at="2026-11-23T11:00:00+08:00").flags == ("future_date",)
    assert lead(name="王芳", at="2026-11-23T10:04:00+08:00").flags == ()
    assert lead(name="王芳", at="9999-12-31T23:59:59-12:00").flags == ("future_date",)


def test_a_time_without_offset_is_the_desk_s_own() -> None:
    assert lead(name="王芳", at="2026-11-23 10:00").occurred_us == ACCEPTED_US
    berlin = DESK.model_copy(update={"zone": "Europe/Berlin"})
    assert lead(berlin, name="Anna", at="2026-10-25T02:30").flags == ("time_ambiguous",)


def test_a_doubtful_number_is_taken_and_flagged() -> None:
    found = lead(phone="139 1234 567")
    assert found.flags == ("phone_doubtful",)
    assert [one.received for one in found.all("phone")] == ["139 1234 567"]


def test_dots_between_groups_are_no_rounded_number() -> None:
    assert lead(phone="010.12345678").first("phone")


def test_a_second_number_and_unknown_fields_are_kept() -> None:
    found = lead(phone=["13912345678", "0512-66778899"], licence="沪A12345", email="a@daheng.cn")
    assert [one.received for one in found.all("phone")] == ["13912345678", "0512-66778899"]
    assert [(one.label, one.received) for one in found.all("other")] == [("licence", "沪A12345")]
    assert found.first("email") is not None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_json"),
        (b"{", "bad_json"),
        (b"[]", "bad_json"),
        (b"[" * 100_000, "bad_json"),
        (b"\xff\xfe", "bad_json"),
        (orjson.dumps({str(number): "x" for number in range(1_000)}), "too_many_fields"),
    ],
)
def test_what_is_no_visit_is_refused_by_code(body: bytes, code: str) -> None:
    (result,) = parse(capture(body), DESK)
    assert isinstance(result, Refused)
    assert result.code == code


def test_a_body_of_an_unknown_type_is_refused() -> None:
    (result,) = parse(capture(b"x", "application/pdf"), DESK)
    assert isinstance(result, Refused)
    assert result.code == "unsupported_type"


def test_hostile_text_is_bounded_and_harmless() -> None:
    found = lead(
        name="=cmd()" + "\x00" + "王" * 1_000_000,
        note="<script>" * 100_000,
        heard_of_us="x" * 1_000_000,
        **{"k" * 10_000: "v" * 1_000_000},
    )
    name, note, other = found.first("full_name"), found.first("message"), found.first("other")
    assert name is not None
    assert name.received.startswith("=cmd()\\x00王")
    assert len(name.received) == MAX_SHORT_CHARS
    assert note is not None
    assert len(note.received) == MAX_FIELD_CHARS
    assert other is not None
    assert (len(other.received), len(other.label or "")) == (MAX_FIELD_CHARS, 200)
    assert len(found.hints[0].value) <= MAX_SHORT_CHARS
    assert "cut" in found.flags


def test_full_width_digits_of_a_chinese_keyboard_count() -> None:
    found = lead(name="王芳", taken_by="０７")
    assert found.visit is not None
    assert found.visit.taken_by == "07"


def test_a_secret_that_can_be_guessed_is_no_secret() -> None:
    with pytest.raises(ValidationError, match="12 or more"):
        Counter.model_validate({**DESK.model_dump(), "secret": "1234"})


EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "counter").glob("*.json"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_do_what_their_names_say(path: Path) -> None:
    (result,) = parse(capture(path.read_bytes()), DESK)
    if path.stem.startswith("refused_"):
        assert isinstance(result, Refused)
        assert result.code == path.stem.removeprefix("refused_")
    else:
        assert isinstance(result, Lead)
