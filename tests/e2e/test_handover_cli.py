"""`leadflow move`, `undo` and `handover` as they are typed, without a host, in both languages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from leadflow.embedded import open_files
from sales.apply import publish
from schemas.company import Person
from store.acts import Command, perform
from tests.e2e.test_operate import leadflow
from tests.support.rig import small_company


def test_as_it_is_typed(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    files = open_files(folder)
    people = {key: Person(person_id=key, name=key) for key in ("ann", "bo", "chen")}
    company = small_company(people=people, absences=())
    perform(files.store, Command("publish", "x", "x", "company"), publish(company), 1, files.store_log.append)
    files.close()
    forms = [tmp_path / f"form{number}" for number in range(6)]
    for number, form in enumerate(forms):
        form.write_text(f"name=Kunde{number}&phone=1381234567{number}")
    leadflow(folder, "ingest", "--source", "site", *map(str, forms))
    everyone = tmp_path / "all"
    everyone.write_text(
        "\n".join(
            line.split('"customer_id":"')[1].split('"')[0]
            for line in leadflow(folder, "export", "customers").splitlines()
        )
    )
    told = leadflow(folder, "move", "--list", str(everyone), "--to", "bo", "--reason", "a start")
    assert "moved: " in told
    act_id = told.rpartition("(")[2].rstrip(")\n")
    assert "back, 0 left" in leadflow(folder, "undo", act_id, "--preview")
    assert "undone (act_" in leadflow(folder, "undo", act_id)
    assert "undone before" in leadflow(folder, "undo", act_id)
    leadflow(folder, "move", "--list", str(everyone), "--to", "bo", "--reason", "a start")

    day = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
    out = tmp_path / "plan.csv"
    leadflow(folder, "handover", "plan", "bo", "--to", "ann:1,chen:1", "--out", str(out))
    begun = leadflow(
        folder, "handover", "apply", "bo", "--plan", str(out), "--until", day, "--reason", "leave"
    )
    assert "6 handed over, 0 left; covering" in begun
    job_id = begun.split(":")[0]
    assert f"{job_id}\tbo\tcovering\t6/6" in leadflow(folder, "handover", "show")
    assert "6\tgiven" in leadflow(folder, "handover", "show", job_id)
    refused = leadflow(folder, "handover", "apply", "bo", "--to", "ann", "--reason", "again", code=2)
    assert "under way" in refused
    assert "6 back, 0 left" in leadflow(folder, "handover", "undo", job_id, "--preview")
    assert "undone" in leadflow(folder, "handover", "undo", job_id)
    assert "nobody who works here" in leadflow(folder, "handover", "plan", "bo", "--to", "nobody", code=2)
    assert "no hand-over" in leadflow(folder, "handover", "show", "job_none", code=2)
