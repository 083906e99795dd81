"""Every route in every role: the table is whole, it is what the page says, and the gate keeps it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient

from console.kill import Kill
from console.permits import PERMITS, ROLES, permit_of
from leadflow.clock import new_id, wall_clock_us
from leadflow.demo.feed import Doors
from leadflow.demo.stories import DemoStories
from leadflow.embedded import Embedded, open_files
from leadflow.server import DOOR_PREFIXES, make_app
from leadflow.settings import Settings
from schemas.company import Role
from store.access import grant
from store.acts import Command, perform
from store.company import put_company
from tests.e2e.test_access import AWAY
from tests.support.rig import DAY, small_company
from tools.export_access import PAGE, with_table

STRANGERS = (
    "/f/site",
    "/f/site/html",
    "/thanks/site",
    "/sign-in",
    "/enter/nothing",
    "/no/such/page",
    "/counter/none",
)
FRAMED = "/forms/site/preview"
"""The one page that may stand in a frame, of our own page alone."""
NOT_ASKED = ("/demo/kill", "/leave")
"""One kills this process; the other ends a session, and a token has none."""


def routes_of(app: Any) -> Iterator[str]:
    """Return method and path of each route that strangers do not reach."""

    for path, route in _walk(app.routes, ""):
        if not path.startswith(DOOR_PREFIXES):
            yield from (f"{method} {path}" for method in sorted(route.methods or ()) if method != "HEAD")


def _walk(routes: list[BaseRoute], prefix: str) -> Iterator[tuple[str, Route]]:
    for route in routes:
        path = f"{prefix}{getattr(route, 'path', '')}"
        if isinstance(route, Route):
            yield path, route
        elif f"{path}/".startswith(DOOR_PREFIXES):
            assert isinstance(route, Mount)
        else:
            assert isinstance(route, Mount), f"what is a {type(route)}?"
            yield from _walk(list(route.routes), path)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("routes")
    files = open_files(folder / "data")
    company = small_company()
    with files.store.write() as connection:
        put_company(connection, company, 0)
    made = Embedded(files)
    yield made
    files.close()


@pytest.fixture(scope="module")
def app(engine: Any) -> Any:
    doors = Doors("http://127.0.0.1:9", 0)
    made = make_app(
        engine,
        Settings(data=engine.files.folder),
        Kill(lambda: None, list, 0),
        stories=lambda host: DemoStories(doors, host),
    )
    made.state.stopping.set()  # else an open page is told news for a minute
    return made


def test_each_route_is_in_the_table_and_the_table_names_no_other(app: Any) -> None:
    assert set(routes_of(app)) == set(PERMITS)


def test_the_page_shows_the_table_as_it_is() -> None:
    text = PAGE.read_text("utf-8")
    assert with_table(text) == text, "run: python -m tools.export_access"


def test_an_auditor_changes_nothing() -> None:
    own = {
        "POST /me/{verb}",
        "POST /leave",
        "POST /look",
        "POST /api/people/{person_id}/away",
        "POST /api/people/{person_id}/back",
        "POST /api/people/{person_id}/cancel-leave",
    }
    assert {
        key for key, permit in PERMITS.items() if key.startswith("POST") and "auditor" in permit.roles
    } == own


def test_what_is_not_listed_is_for_operations() -> None:
    for method, path in (("GET", "/whatever"), ("DELETE", "/inbox"), ("POST", "/customers"), ("PUT", "/")):
        assert permit_of(method, path)[0].roles == {"operations"}


@pytest.mark.parametrize("role", ROLES)
def test_the_gate_keeps_the_table(engine: Any, app: Any, role: Role) -> None:
    """Each route, asked for by somebody of team East for what is not theirs."""
    files, secret = engine.files, f"secret-{role}"
    command = Command("grant", "operator", new_id(), "ann")
    perform(files.store, command, grant("token", secret, DAY, role), wall_clock_us(), files.store_log.append)
    headers = {"authorization": f"Bearer {secret}", "origin": f"http://{AWAY}"}
    client = TestClient(
        app, f"http://{AWAY}", headers=headers, follow_redirects=False, raise_server_exceptions=False
    )
    found: dict[str, str] = {}
    for key, permit in PERMITS.items():
        method, _, path = key.partition(" ")
        if path in NOT_ASKED:
            continue
        answer = client.request(method, re.sub(r"\{[^}]*\}", "1", path))
        is_json = answer.headers.get("content-type", "").startswith(
            ("application/json", "application/problem+json")
        )
        refused = answer.status_code == 403 and is_json and answer.json()["code"] == "not_allowed"
        led_away = path == "/" and answer.status_code == 303
        narrowed = bool(permit.of) and role in ("representative", "manager")
        if (role in permit.roles and not narrowed) == (refused or led_away):
            found[key] = f"{answer.status_code}: the table says otherwise"
    assert found == {}


@pytest.mark.parametrize("role", [None, *ROLES])
def test_no_page_runs_what_stands_in_it_or_is_framed(engine: Any, app: Any, role: Role | None) -> None:
    """Each page by its address, for strangers and in each role, found or refused: only our own files run, nobody frames it."""
    headers = {"accept": "text/html", "origin": f"http://{AWAY}"}
    if role is not None:
        secret = f"page-{role}"
        command = Command("grant", "operator", new_id(), "ann")
        plan = grant("token", secret, DAY, role)
        perform(engine.files.store, command, plan, wall_clock_us(), engine.files.store_log.append)
        headers["authorization"] = f"Bearer {secret}"
    client = TestClient(app, f"http://{AWAY}", headers=headers, follow_redirects=False)
    known = {"source_id": "site", "holder_id": "ann", "person_id": "ann"}
    paths = [
        re.sub(r"\{(\w+)[^}]*\}", lambda part: known.get(part[1], "1"), path)
        for method, _, path in (key.partition(" ") for key in PERMITS)
        if method == "GET" and path not in NOT_ASKED
    ]
    pages, wrong = 0, {}
    for path in (*paths, *STRANGERS):
        answer = client.get(path)
        if answer.headers.get("content-type", "").startswith("text/html"):
            pages += 1
            if found := list(_lets_run(answer, framed=path == FRAMED)):
                wrong[path] = found
    assert wrong == {}
    assert pages > 50, "a refusal is a page as well"


def _lets_run(answer: Any, framed: bool) -> Iterator[str]:
    """Say what a page leaves open."""
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers.get("content-security-policy", "x x").split(";")
    )
    for name, wanted in (("default-src", "'none'"), ("base-uri", "'none'")):
        if policy.get(name) != wanted:
            yield f"{name} is {policy.get(name)}"
    if policy.get("frame-ancestors") != ("'self'" if framed and answer.status_code == 200 else "'none'"):
        yield f"frame-ancestors is {policy.get('frame-ancestors')}"
    if "unsafe" in str(policy) or "*" in str(policy):
        yield str(policy)
    if answer.headers.get("x-content-type-options") != "nosniff":
        yield "its type may be guessed"
    yield from re.findall(
        r"<script(?![^>]*\bsrc=)[^>]*>|<[a-z][^>]*\s(?:on\w+|style)=[^>]*>|<style[^>]*>", answer.text
    )
