"""What needs repair, for somebody who signs in: masked until they say why, then corrected under their name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from leadflow.clock import new_id, wall_clock_us
from leadflow.embedded import Embedded, open_files
from leadflow.server import make_app
from leadflow.settings import Settings
from schemas.company import Role
from store.access import grant
from store.acts import Command, perform
from store.company import put_company
from store.views import story
from tests.e2e.test_access import AWAY
from tests.support.rig import DAY, post, small_company


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Embedded]:
    files = open_files(tmp_path / "data")
    with files.store.write() as connection:
        put_company(connection, small_company(), 0)
    made = Embedded(files)
    made.door.start()
    made.door.append([post(wer="张伟", mobil="13812345678", at_us=wall_clock_us())]).result()
    made.work_off()
    yield made
    made.door.close()
    files.close()


def client_of(engine: Embedded, role: Role) -> TestClient:
    files, secret = engine.files, f"secret-{role}"
    command = Command("grant", "operator", new_id(), "ann")
    perform(files.store, command, grant("token", secret, DAY, role), wall_clock_us(), files.store_log.append)
    headers = {
        "authorization": f"Bearer {secret}",
        "origin": f"http://{AWAY}",
        "accept-language": "en",
        "accept": "text/html",
    }
    app = make_app(engine, Settings(data=engine.files.folder))
    return TestClient(app, f"http://{AWAY}", headers=headers, follow_redirects=False)


def letters(engine: Embedded) -> list[tuple[str, str]]:
    from sqlalchemy import select

    from store.tables import dead

    with engine.files.store.read() as connection:
        return [tuple(row) for row in connection.execute(select(dead.c.dead_id, dead.c.state))]


def test_it_is_masked_until_somebody_says_why_and_then_repaired_by_them(engine: Embedded) -> None:
    ((dead_id, _),) = letters(engine)
    client = client_of(engine, "operations")
    place = f"/needs-repair/{dead_id}"
    page = client.get(place).text
    assert "13812345678" not in page
    assert "Repair and replay" not in page
    fields = {"name:0": "name", "value:0": "张伟", "name:1": "phone", "value:1": "13812345678", "key": "k1"}
    blind = client.post(f"{place}/repair", data=fields)
    assert blind.status_code == 409
    assert "shown in full first" in blind.text
    unsaid = client.post(f"/reveal/{dead_id}", data={"reason": "", "back": "needs-repair"})
    assert "Say why" in client.get(unsaid.headers["location"]).text
    told = client.post(f"/reveal/{dead_id}", data={"reason": "field names", "back": "needs-repair"})
    assert (told.status_code, told.headers["location"]) == (303, place)
    assert "13812345678" in client.get(place).text
    assert client.post(f"{place}/repair", data=fields).status_code == 303
    assert client.post(f"{place}/repair", data=fields).status_code == 303, "a second click is no quarrel"
    engine.work_off()
    assert letters(engine) == [(dead_id, "repaired")]
    with engine.files.store.read() as connection:
        found = story(connection, "0" * 32)
    assert [lead["fields"][1]["received"] for lead in found["leads"]] == ["13812345678"]
    page = client.get("/audit?person=ann&kind=repair").text
    assert dead_id in page
    assert "repaired" in page


def test_an_auditor_reads_it_masked_and_gets_no_secret_and_no_button(engine: Embedded) -> None:
    ((dead_id, _),) = letters(engine)
    client = client_of(engine, "auditor")
    for place in (f"/needs-repair/{dead_id}", "/doors/site", "/audit", "/audit.csv", "/alarms", "/backups"):
        answer = client.get(place)
        assert answer.status_code == 200, place
        assert "13812345678" not in answer.text, place
    assert '<form method="post"' not in client.get(f"/needs-repair/{dead_id}").text.split("</main>")[0]
    assert client.post(f"/needs-repair/{dead_id}/discard", data={"reason": "x"}).status_code == 403
    assert client.post("/rules/add", data={"base": "1"}).status_code == 403
    assert letters(engine) == [(dead_id, "open")]
