"""The demo looked at as each role: their pages, their masks; and nowhere else does the cookie open anything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from leadflow.embedded import Embedded, open_files
from leadflow.server import make_app
from leadflow.settings import Settings
from schemas.company import Company
from store.company import put_company
from tests.support.rig import small_company

HERE = "http://127.0.0.1"


@pytest.fixture
def client(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[TestClient]:
    company: Company = small_company(absences=())
    if getattr(request, "param", "demo") == "demo":
        company.sources["site"] = {**company.sources["site"], "purpose": "demo"}
    files = open_files(tmp_path / "data")
    with files.store.write() as connection:
        put_company(connection, company, 0)
    app: Any = make_app(Embedded(files), Settings(data=tmp_path / "data"))
    yield TestClient(app, HERE, client=("127.0.0.1", 1), follow_redirects=False)
    files.close()


def look(client: TestClient, role: str) -> str:
    answer = client.post("/look", data={"role": role})
    assert answer.status_code == 303
    return str(answer.headers["location"])


@pytest.mark.parametrize(
    ("role", "place", "opened", "closed"),
    [
        ("representative", "/day", "/customers", "/needs-repair"),
        ("manager", "/team", "/neglected", "/needs-repair"),
        ("marketing", "/", "/campaigns", "/day"),
        ("front_desk", "/desk", "/desk", "/customers"),
        ("operations", "/", "/needs-repair", "/nothing"),
    ],
)
def test_each_role_has_its_pages(client: TestClient, role: str, place: str, opened: str, closed: str) -> None:
    assert look(client, role) == place
    assert client.get(place).status_code == 200
    assert client.get(opened).status_code == 200
    assert client.get(closed).status_code in (403, 404)
    assert look(client, "") == "/"
    assert client.get("/needs-repair").status_code == 200


def test_a_look_is_no_more_than_a_role(client: TestClient) -> None:
    look(client, "representative")
    assert client.post("/api/operate/end_access", json={}).status_code == 403
    client.cookies.clear()
    client.cookies.set("leadflow_look", "king:ann")
    assert client.get("/needs-repair").status_code == 200, "nonsense is nobody: this machine, as ever"


@pytest.mark.parametrize("client", ["real"], indirect=True)
def test_a_real_company_knows_no_looks(client: TestClient) -> None:
    assert "Look as" not in client.get("/", headers={"accept-language": "en"}).text
    client.cookies.set("leadflow_look", "representative:ann")
    assert client.get("/needs-repair").status_code == 200


def test_from_elsewhere_a_look_opens_nothing(client: TestClient) -> None:
    away = {"host": "leads.example"}
    client.cookies.set("leadflow_look", "operations:ann")
    assert client.get("/needs-repair", headers=away).status_code == 401
