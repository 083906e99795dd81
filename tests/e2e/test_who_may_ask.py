"""Strangers reach the doors; all else answers on this machine, and only under its own name, or asks for a token."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import pytest

from tests.support.live import Live


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    made = Live(tmp_path_factory.mktemp("live"))
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize("mark", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_what_a_proxy_passed_on_is_from_elsewhere_whatever_name_it_asks_for(live: Live, mark: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=10)
    try:
        connection.request("GET", "/api/tally", headers={"Host": "localhost", mark: "203.0.113.9"})
        assert connection.getresponse().status == 401
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/api/tally", "localhost", 200),
        ("/api/tally", "127.0.0.1:8080", 200),
        ("/api/tally", "[::1]:8080", 200),
        ("/api/tally", "evil.example", 401),
        ("/", "evil.example:8080", 401),
        ("/f/site", "forms.haichuan.example", 200),
    ],
)
def test_a_name_that_points_here_does_not_open_the_console(
    live: Live, path: str, host: str, status: int
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=10)
    try:
        connection.request("GET", path, headers={"Host": host})
        assert connection.getresponse().status == status
    finally:
        connection.close()
