"""Webhooks of any sender are read as their source maps them; presets read what their senders send."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ingest.files import captures_of_file
from ingest.registry import parse_capture
from ingest.web.form import FormError
from ingest.web.mapped import MAX_LEADS, MappedWebhook, items_of
from ingest.web.mapping import moment_of, search, texts
from ingest.web.presets import PRESETS
from schemas.lead import Lead
from schemas.results import ParseResult, Refused

SAMPLES = Path("examples/web")
SHANGHAI = ZoneInfo("Asia/Shanghai")
TEN = 1_795_399_200_000_000
"""23 November 2026, 10:00 in Shanghai."""


def source(**settings: Any) -> dict[str, Any]:
    base = {"source_id": "ads", "channel": "web", "format": "web.mapped", "name": "广告"}
    return {**base, **settings}


def read(body: bytes, **settings: Any) -> list[ParseResult]:
    made = source(**settings)
    captures = captures_of_file(made, body, accepted_us=TEN, new_id=lambda: "0" * 32, meta={})
    return [result for one in captures for result in parse_capture(one, {"ads": made})]


def lead(body: bytes | dict[str, Any], **settings: Any) -> Lead:
    (result,) = read(body if isinstance(body, bytes) else orjson.dumps(body), **settings)
    assert isinstance(result, Lead), result
    return result


def shown(one: Lead) -> dict[str, str]:
    return {field.label or field.name: field.received for field in one.fields}


def test_feiyu_as_its_pushing_rule_names_the_fields() -> None:
    found = lead((SAMPLES / "feiyu.json").read_bytes(), preset="feiyu")
    assert shown(found) == {
        "full_name": "陈静",
        "phone": "13900000021",
        "region": "江苏",
        "city": "苏州",
        "message": "需要什么设备：电动托盘车\n数量：3 台",
        "微信": "wx_chenjing_demo",
        "落地页": "https://landing.haichuan.example/pallet",
    }
    assert found.occurred_us == TEN
    assert [(one.kind, one.value) for one in found.hints] == [("utm", "苏州仓储展")]


def test_baidu_with_the_answers_of_its_form() -> None:
    found = lead((SAMPLES / "baidu.json").read_bytes(), preset="baidu")
    assert shown(found)["full_name"] == "周洋"
    assert shown(found)["phone"] == "13900000022"
    assert shown(found)["message"] == "需求：两台堆高车，提升 3 米"
    assert shown(found)["关键词"] == "电动堆高车价格"
    assert found.occurred_us == TEN


def test_tencent_with_the_json_that_stands_in_a_text() -> None:
    found = lead((SAMPLES / "tencent.json").read_bytes(), preset="tencent")
    assert shown(found)["message"] == "意向产品：前移式叉车\n预计采购：三个月内"
    assert shown(found)["company"] == "顺和物流"
    assert found.occurred_us == TEN
    assert ("click", "gdt_vid=wx0demo0001") in [(one.kind, one.value) for one in found.hints]


def test_a_form_service_with_usual_names_and_what_it_asks_beside_them() -> None:
    found = lead((SAMPLES / "form_service.json").read_bytes(), preset="form-service")
    assert shown(found) == {
        "full_name": "何伟",
        "phone": "13900000024",
        "company": "宏远仓储",
        "message": "试用电动搬运车一周",
        "场地": "冷库",
    }
    assert found.occurred_us == TEN


def test_web_to_lead_with_its_standard_and_its_custom_fields() -> None:
    found = lead((SAMPLES / "web_to_lead.txt").read_bytes(), preset="salesforce-web-to-lead")
    assert shown(found)["given_name"] == "Jane"
    assert shown(found)["phone"] == "+44 20 7946 0123"
    assert shown(found)["00N5g00000Lift"] == "3 m"
    assert "retURL" not in shown(found)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_stands_by_itself_and_gives_way_to_what_is_said(name: str) -> None:
    alone = MappedWebhook.model_validate(source(preset=name))
    other = MappedWebhook.model_validate(
        source(preset=name, fields={"product": "model"}, proof="header", key="k")
    )
    assert other.fields == {**alone.fields, "product": "model"}
    assert (other.proof, other.key) == ("header", "k")


def test_constants_fill_what_was_not_found_and_only_that() -> None:
    settings = {"fields": {"phone": "tel", "product": "p"}, "constants": {"product": "叉车"}}
    assert shown(lead({"tel": "1"}, **settings))["product"] == "叉车"
    assert shown(lead({"tel": "1", "p": "堆高车"}, **settings))["product"] == "堆高车"


def test_several_leads_of_one_body_are_captures_of_their_own_with_their_own_keys() -> None:
    settings = {"leads": "data.list", "key": "id", "fields": {"phone": "tel"}}
    body = orjson.dumps({"data": {"list": [{"id": 1, "tel": "139"}, {"id": 2}, {"id": 3, "tel": "137"}]}})
    items = items_of("application/json", body, MappedWebhook.model_validate(source(**settings)))
    assert [one.key for one in items] == ["1", "2", "3"]
    first, second, third = read(body, **settings)
    assert isinstance(first, Lead)
    assert isinstance(third, Lead)
    assert [one.received for one in (*first.all("phone"), *third.all("phone"))] == ["139", "137"]
    assert isinstance(second, Refused)
    assert second.code == "nothing_mapped"


def test_too_many_leads_at_once_are_turned_away_at_the_door() -> None:
    body = orjson.dumps([{"tel": "1"}] * (MAX_LEADS + 1))
    made = MappedWebhook.model_validate(source(leads="@", fields={"phone": "tel"}))
    with pytest.raises(FormError) as refused:
        items_of("application/json", body, made)
    assert refused.value.code == "too_many_leads"


def test_a_number_that_a_loose_program_made_of_a_telephone_number_is_whole_again() -> None:
    found = lead({"tel": 13900000021.0, "name": 7}, fields={"phone": "tel", "full_name": "name"})
    assert shown(found) == {"phone": "13900000021", "full_name": "7"}


def test_a_time_that_cannot_be_read_is_said_and_does_not_stop_the_lead() -> None:
    found = lead({"tel": "1", "at": "soon"}, fields={"phone": "tel"}, time="at")
    assert found.occurred_us is None
    assert found.flags == ("time_unreadable",)
    ahead = lead({"tel": "1", "at": "2027-01-01"}, fields={"phone": "tel"}, time="at")
    assert ahead.flags == ("future_date",)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("1795399200", None),
        ("1795399200000", None),
        ("1795399200000000", None),
        ("1795399200.0", None),
        ("2026-11-23T02:00:00Z", None),
        ("2026-11-23T10:00:00+08:00", None),
        ("2026-11-23 10:00:00", None),
        ("2026/11/23 10:00", None),
        ("2026年11月23日 10:00", None),
        ("20261123100000", None),
        ("23.11.2026 10h00", "%d.%m.%Y %Hh%M"),
    ],
)
def test_times_as_senders_write_them(text: str, pattern: str | None) -> None:
    assert moment_of(text, pattern, SHANGHAI).us == TEN


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"fields": {"phone": "tel["}}, "is no JMESPath expression"),
        ({"fields": {"phone": "telephon(tel)"}}, "there is no function telephon()"),
        ({"fields": {"phone": "join(tel)"}}, "takes 2 arguments"),
        ({"fields": {"phone": "tel"}, "key": "a b"}, "is no JMESPath expression"),
        ({"fields": {}}, "fields is empty"),
        ({"preset": "facebook"}, "there is no preset"),
        ({"fields": {"phone": "tel"}, "keep": "("}, "is no pattern"),
        ({"fields": {"phone": "tel"}, "hmac_signs": "{time}"}, "write it with {body}"),
        ({"fields": {"phone": "tel"}, "hmac_signs": "{timestamp}{body}"}, "name its header"),
    ],
)
def test_what_is_wrong_in_a_mapping_is_said_before_it_is_applied(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as error:
        MappedWebhook.model_validate(source(**settings))
    assert said in str(error.value)


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["tel", "name", "id", "data"]), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


@given(JSONS, st.sampled_from(["feiyu", "baidu", "tencent", "form-service", "salesforce-web-to-lead"]))
def test_any_json_is_a_lead_or_refused_and_never_an_error(document: Any, preset: str) -> None:
    for result in read(orjson.dumps(document), preset=preset):
        assert isinstance(result, Lead | Refused)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_lead_or_refused(body: bytes) -> None:
    for result in read(body, fields={"phone": "tel", "message": "lines(@)"}):
        assert isinstance(result, Lead | Refused)


def test_an_expression_that_does_not_fit_what_came_finds_nothing() -> None:
    assert search("join(',', tel)", {"tel": 5}) is None
    assert list(texts(search("lines(@)", {"a": 1, "b": [True, None]}))) == ["a：1\nb：true"]
