"""`leadflow fairness`, `why-not`, `away` and `back` on a data folder, in both languages."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.e2e.test_eligibility import lead, with_people
from tests.e2e.test_first_steps import leadflow
from tests.e2e.test_terminal import CHINESE
from tests.support.rig import Rig

MONTH = ("--from", "2026-11-01", "--to", "2026-11-30")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder in which three leads were given to two people, and bo has no manager."""
    data = tmp_path / "data"
    data.mkdir()
    rig = Rig(data, company=with_people(ann={}, bo={}))
    for number in range(3):
        lead(rig, number)
    rig.run()
    rig.store.checkpoint()
    rig.close()
    (data / "state.db").rename(data / "store.db")
    return tmp_path


def test_fairness_adds_up_and_names_each_decision(folder: Path) -> None:
    told = leadflow(folder, "fairness", *MONTH)
    assert "team\tgrade\tperson\treceived\tentitled\tdifference\tcredited" in told
    assert "nobody is further than 0.50 leads" in told
    assert "与应分相差最多 0.50 条" in leadflow(folder, "fairness", *MONTH, lang=CHINESE)
    (one,) = orjson.loads(leadflow(folder, "fairness", *MONTH, "--person", "ann", "--json"))
    assert (one["team"], one["person"], one["entitled"]) == ("east", "ann", 1.5)
    assert len(one["entries"]) == one["received"]
    listed = leadflow(folder, "fairness", *MONTH, "--person", "ann")
    assert all(entry["decision_id"] in listed for entry in one["entries"])
    assert orjson.loads(leadflow(folder, "fairness", *MONTH, "--team", "west", "--json")) == []
    assert "0 lines" in leadflow(folder, "fairness", "--from", "2026-12-01", "--to", "2026-12-31")
    assert "is no day" in leadflow(folder, "fairness", "--from", "soon", code=2)


def test_why_not_knows_people_and_leads(folder: Path) -> None:
    entry = orjson.loads(leadflow(folder, "fairness", *MONTH, "--person", "ann", "--json"))[0]["entries"][0]
    assert leadflow(folder, "why-not", "bo", entry["lead_id"]).startswith("bo could have had it")
    assert leadflow(folder, "why-not", "bo", entry["lead_id"], lang=CHINESE).startswith("bo当时可以接")
    assert leadflow(folder, "why-not", "ann", entry["lead_id"]).startswith("ann did get it")
    assert "Nobody has the code" in leadflow(folder, "why-not", "nobody", entry["lead_id"], code=2)
    assert "没有关于线索 lead_none 的分配记录" in leadflow(
        folder, "why-not", "bo", "lead_none", code=2, lang=CHINESE
    )


def test_away_and_back_are_entered_by_the_person(folder: Path) -> None:
    away = ("away", "ann", "2020-01-01", "2099-12-31")
    assert "not_above" in leadflow(folder, *away, "--actor", "bo", code=2, lang=CHINESE)
    assert "不是日期" in leadflow(folder, "away", "ann", "soon", "later", code=2, lang=CHINESE)
    assert "not_away" in leadflow(folder, "back", "ann", code=2, lang=CHINESE)
    assert "ann is away" in leadflow(folder, *away, "--stand-in", "bo", "--actor", "ann")
    leadflow(folder, "company", "out")
    assert (folder / "out" / "absences.csv").read_text().splitlines()[1] == "ann,2020-01-01,2099-12-31,bo"
    assert "ann 已返岗" in leadflow(folder, "back", "ann", "--actor", "ann", lang=CHINESE)
    cancel = ("back", "ann", "--cancel", "2099-01-05", "--actor", "ann")
    leadflow(folder, "away", "ann", "2099-01-05", "2099-01-09", "--actor", "ann")
    assert "not_above" in leadflow(folder, *cancel[:-1], "bo", code=2, lang=CHINESE)
    assert "ann does not go on this leave" in leadflow(folder, *cancel)
    assert "no_such_leave" in leadflow(folder, *cancel, code=2, lang=CHINESE)
    assert "is no day" in leadflow(folder, "back", "ann", "--cancel", "soon", code=2)


def test_absences_come_out_of_a_calendar_and_are_entered_once(folder: Path) -> None:
    (folder / "leave.ics").write_text(
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//x//\n"
        "BEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20990105\nDTEND;VALUE=DATE:20990110\nEND:VEVENT\n"
        "BEGIN:VEVENT\nUID:2\nSUMMARY:no time\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    (folder / "leave.csv").write_text("person,from,to\nann,2099-01-05,2099-01-09\nbo,2099-02-01,2099-02-02\n")
    read = ("absences", "leave.csv")
    assert "2 absences, none entered" in leadflow(folder, *read, "--dry-run")
    refused = leadflow(folder, *read, "--actor", "bo", code=2)
    assert "ann: Only the person, or a manager above them" in refused
    assert "1 entered, 0 known before, 1 refused" in refused
    assert "已登记 1 条，原已登记 1 条，拒绝 0 条" in leadflow(folder, *read, lang=CHINESE)
    assert "0 entered, 2 known before, 0 refused" in leadflow(folder, *read)
    told = leadflow(folder, "absences", "leave.ics", "--person", "ann")
    assert "left out: 2: it cannot be read (DTSTART)" in told
    assert "没有人使用代码" in leadflow(
        folder, "absences", "leave.ics", "--person", "x", code=2, lang=CHINESE
    )
    (folder / "bad.ics").write_text("hello")
    assert "bad.ics: this is no iCalendar file" in leadflow(folder, "absences", "bad.ics", code=2)
    (folder / "bad.csv").write_text("person,from\nann,2099-01-05\n")
    assert "to" in leadflow(folder, "absences", "bad.csv", code=2)
