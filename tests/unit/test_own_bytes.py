"""Of several leads in one body each capture has its own bytes: as they stood there, and nobody else's."""

from __future__ import annotations

import json
import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.web.mapping import search
from ingest.web.own_bytes import own_bytes

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet='{}[]":,\\a客 '),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def test_each_lead_stands_as_its_sender_wrote_it() -> None:
    body = '{"code": 0, "note": "[{", "data": {"list": [ {"tel" : 1.0e3, "n":"\\u738b"},\n{"tel":"2"} ]}}'
    parts = search("data.list", orjson.loads(body))
    assert own_bytes(body.encode(), parts) == [b'{"tel" : 1.0e3, "n":"\\u738b"}', b'{"tel":"2"}']


def test_what_an_expression_made_is_written_anew_and_the_others_stand() -> None:
    body = b'{"list": [{"a": 1, "tel": "1"}, {"tel": "2"}]}'
    assert own_bytes(body, [{"tel": "2"}, {"number": "1"}]) == [b'{"tel": "2"}', b'{"number":"1"}']


def test_leads_within_a_field_of_a_form_in_another_charset() -> None:
    body = 'list=[{"tel":"1"},{"tel":"2"}]&name=王'.encode("gb18030")
    assert own_bytes(body, [{"tel": "1"}, {"tel": "2"}]) == [b'{"tel":"1"}', b'{"tel":"2"}']


@given(st.lists(VALUES, min_size=2, max_size=5), st.booleans())
def test_the_bytes_say_what_was_found(parts: list[object], is_wide: bool) -> None:
    body = json.dumps({"x": "[", "leads": parts}, ensure_ascii=not is_wide, indent=1 if is_wide else None)
    found = orjson.loads(body)["leads"]
    assert [orjson.loads(one) for one in own_bytes(body.encode(), found)] == found


@pytest.mark.parametrize(
    "in_front",
    [
        json.dumps([["[" * 900 + "]" * 900]] * 500),
        "[" + ",".join(["[" * 900 + "]" * 900] * 500) + "]",
        json.dumps("{" * 400_000),
        json.dumps(("[" + "1" * 5_000) * 50),
    ],
    ids=["texts", "nested", "braces", "digits"],
)
def test_a_body_made_to_cost_time_does_not(in_front: str) -> None:
    body = f'{{"a": {in_front}, "list": [{{"tel":"1"}},{{"tel":"2"}}]}}'
    started = time.process_time()
    found = own_bytes(body.encode(), [{"tel": "1"}, {"tel": "2"}])
    assert [orjson.loads(one) for one in found] == [{"tel": "1"}, {"tel": "2"}]
    assert time.process_time() - started < 10, (
        "seconds on a busy machine; going through all of it again and again takes minutes"
    )
