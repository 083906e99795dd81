"""The command line's way in: whatever is sent as the payload of a verb, it is done or refused, and nothing breaks."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from leadflow.embedded import Embedded, open_files
from leadflow.operate import VERBS
from leadflow.payload import _TEXTS, _WHOLE
from leadflow.server import make_app
from leadflow.settings import Settings
from store.company import put_company
from tests.support.rig import small_company

_MORE = "act_id although bands beside body bytes company draft entries fields gives keep_contacts leads orders pieces purposes roles rows spec tables value was"
_TEXT = st.sampled_from(["", "ann", "x", "2026-01-01"])
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2**53 - 1) | _TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXT, inner, max_size=2),
    max_leaves=3,
)
_PAYLOADS = st.fixed_dictionaries(
    {"actor": st.sampled_from(["ann", "operator", "x"]), "id": _TEXT},
    optional={
        **{name: _TEXT | st.none() for name in _TEXTS - {"actor", "id", "key"}},
        **{name: st.integers(-1, 2**53 - 1) for name in _WHOLE},
        **dict.fromkeys(_MORE.split(), _ANYTHING),
    },
)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    files = open_files(tmp_path_factory.mktemp("verbs") / "data")
    with files.store.write() as connection:
        put_company(connection, small_company(), 0)
    app = make_app(Embedded(files), Settings(data=files.folder))
    yield TestClient(app, "http://127.0.0.1", client=("127.0.0.1", 1))
    files.close()


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_does_or_refuses_what_it_is_sent(host: TestClient, verb: str) -> None:
    @given(_PAYLOADS)
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    def ask(payload: dict[str, object]) -> None:
        answer = host.post(f"/api/operate/{verb}", content=orjson.dumps(payload))
        assert answer.status_code in (200, 400, 409), answer.text
        if answer.status_code != 200:
            assert answer.json()["code"]

    ask()


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b'{"actor": 1}', b'{"id": "\\u0000"}', b'{"id": "\\ud800"}', b'{"from_us": 1e99}'],
)
def test_what_is_no_payload_is_refused(host: TestClient, body: bytes) -> None:
    answer = host.post("/api/operate/replay", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_body")
