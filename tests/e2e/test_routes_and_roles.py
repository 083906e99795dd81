"""Every route in every role: the table is whole, it is what the page says, and the gate keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import BaseRoute, Mount, Route

from console.permits import PERMITS, ROLES, permit_of
from leadflow.server import DOOR_PREFIXES, make_app
from leadflow.settings import Settings
from schemas.company import Role
from store.access import grant
from store.acts import Command, perform
from tests.e2e.test_access import AWAY
from tests.support.rig import DAY, post, small_company
from tools.export_access import PAGE, with_table


def routes_of(app: Any) -> Iterator[str]:
    """Return method and path of each route that strangers do not reach."""

    def walk(routes: list[BaseRoute]) -> Iterator[Route]:
        for route in routes:
            if isinstance(route, Mount):
                assert route.path.startswith(DOOR_PREFIXES) or f"{route.path}/" in DOOR_PREFIXES
            else:
                assert isinstance(route, Route)
                yield route

    for route in walk(app.routes):
        if not route.path.startswith(DOOR_PREFIXES):
            yield from (f"{method} {route.path}" for method in sorted(route.methods or ()) if method != "HEAD")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from leadflow.embedded import Embedded, open_files
    from store.company import put_company

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
    from console.kill import Kill

    return make_app(engine, Settings(data=engine.files.folder), Kill(lambda: None, list, 0))


def test_each_route_is_in_the_table_and_the_table_names_no_other(app: Any) -> None:
    assert set(routes_of(app)) == set(PERMITS)


def test_the_page_shows_the_table_as_it_is() -> None:
    text = PAGE.read_text("utf-8")
    assert with_table(text) == text, "run: python -m tools.export_access"


def test_an_auditor_changes_nothing() -> None:
    own = {"POST /me/{verb}", "POST /leave"}
    assert {key for key, permit in PERMITS.items() if key.startswith("POST") and "auditor" in permit.roles} == own


def test_what_is_not_listed_is_for_operations() -> None:
    for method, path in (("GET", "/whatever"), ("DELETE", "/inbox"), ("POST", "/customers"), ("PUT", "/")):
        assert permit_of(method, path)[0].roles == {"operations"}


@pytest.mark.parametrize("role", ROLES)
def test_the_gate_keeps_the_table(engine: Any, app: Any, role: Role) -> None:
    """Each route, asked for by somebody of team East for what belongs to them, and for what is Chen's of team West."""
    from starlette.testclient import TestClient

    from leadflow.clock import new_id, wall_clock_us
    from store.access import grant

    files = engine.files
    secret = f"secret-{role}"
    command = Command("grant", "operator", new_id(), "ann")
    perform(files.store, command, grant("token", secret, DAY, role), wall_clock_us(), files.store_log.append)
    headers = {"authorization": f"Bearer {secret}"}
    client = TestClient(app, f"http://{AWAY}", headers=headers, follow_redirects=False, raise_server_exceptions=False)
    found: dict[str, str] = {}
    for key, permit in PERMITS.items():
        method, _, path = key.partition(" ")
        if path in ("/demo/kill", "/leave"):
            continue
        theirs = path.format(holder_id="chen", task_id="task_x", any_id="lead_x", verb="x", customer_id="cus_x", person_id="chen", **{"killed_us:int": 1}) if "killed" not in path else "/demo/killed/1"
        answer = client.request(method, theirs, headers={"origin": f"http://{AWAY}"})
        code = answer.json()["error"]["code"] if answer.status_code == 403 and "json" in answer.headers.get("content-type", "") else ""
        narrowed = bool(permit.of) and role in ("representative", "manager")
        allowed = role in permit.roles and not narrowed
        if path == "/" and not allowed:
            assert answer.status_code == 303, "led to their own page"
            continue
        if (code == "not_allowed") == allowed:
            found[key] = f"{answer.status_code} {code}, and the table says {'yes' if allowed else 'no'}"
    assert found == {}
