"""What could not be read is kept, and becomes a task once the cause is put right."""

from __future__ import annotations

import pytest
from sqlalchemy import delete

from enrich.resolve import resolve
from store import tables
from store.acts import ActRefused, Command, perform
from store.acts_dead import replay
from store.company import put_company
from tests.support.rig import MONDAY_10, SECOND, Rig, post, small_company


def act(rig: Rig, dead_id: str, key: str = "key") -> bool:
    command = Command("replay", "ann", key, dead_id)
    return perform(rig.store, command, replay(), MONDAY_10 + SECOND, rig.files.store_log.append)


def test_a_lead_with_unknown_fields_is_replayed_after_the_source_was_mapped(rig: Rig) -> None:
    rig.feed([post(made="1", wer="13812345678"), post(made="2", phone="13987654321")])
    rig.run()
    (dead,) = rig.rows("dead")
    assert (dead["stage"], dead["code"], dead["state"]) == ("parse", "no_known_field", "open")
    assert "fields" in dead["hint"]
    assert len(rig.rows("task")) == 1, "the lead behind it goes on at once"

    company = small_company()
    company.sources["site"]["fields"] = {"wer": "phone"}
    with rig.store.write() as connection:
        put_company(connection, company, 0)
    assert act(rig, dead["dead_id"])
    rig.run()
    assert len(rig.rows("task")) == 2
    assert {row["result"] for row in rig.rows("capture")} == {"lead"}
    assert [row["state"] for row in rig.rows("dead")] == ["replayed"]


def test_a_replay_without_a_remedy_is_refused_again_and_counts_the_attempt(rig: Rig) -> None:
    rig.feed([post(made="1", wer="13812345678")])
    rig.run()
    act(rig, rig.rows("dead")[0]["dead_id"])
    rig.run()
    letters = sorted((row["attempt"], row["state"]) for row in rig.rows("dead"))
    assert letters == [(1, "replayed"), (2, "open")]
    assert rig.rows("task") == []


def test_an_act_done_twice_is_done_once(rig: Rig) -> None:
    rig.feed([post(made="1", wer="13812345678")])
    rig.run()
    dead_id = rig.rows("dead")[0]["dead_id"]
    assert act(rig, dead_id) is True
    assert act(rig, dead_id) is False
    with pytest.raises(ActRefused, match="replayed already"):
        act(rig, dead_id, key="another")
    assert len(rig.rows("act")) == 1


def test_a_fault_of_ours_becomes_a_dead_letter_and_stops_nobody(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = resolve

    def broken(lead, *known):  # type: ignore[no-untyped-def]
        if lead.first("message").received == "boom":
            raise ZeroDivisionError("13812345678 must never be logged")
        return honest(lead, *known)

    monkeypatch.setattr("enrich.gateway.resolve", broken)
    rig.feed(
        post(made=str(number), phone=f"1381234567{number}", message="boom" if number == 3 else "ok")
        for number in range(7)
    )
    rig.run()
    assert len(rig.rows("task")) == 6
    (dead,) = rig.rows("dead")
    assert (dead["stage"], dead["code"]) == ("resolve", "bug")
    assert "ZeroDivisionError" in dead["message"]
    assert "138" not in dead["message"]
    monkeypatch.setattr("enrich.gateway.resolve", honest)
    act(rig, dead["dead_id"])
    rig.run()
    assert len(rig.rows("task")) == 7


def test_a_fault_in_parse_is_on_record_once_after_its_replay(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("ingest.gateway.parse_capture", broken)
        rig.feed([post(made="1", phone="13812345678")])
        rig.run()
    (dead,) = rig.rows("dead")
    assert (dead["stage"], dead["code"]) == ("parse", "bug")
    act(rig, dead["dead_id"])
    rig.run()
    assert [row["result"] for row in rig.rows("capture")] == ["lead"]
    assert len(rig.rows("task")) == 1


def test_a_replay_of_what_the_log_keeps_no_longer_is_refused_and_stops_nobody(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("enrich.gateway.resolve", broken)
        rig.feed([post(made="1", phone="13812345678")])
        rig.run()
    with rig.store.write() as connection:
        connection.execute(delete(tables.log).where(tables.log.c.topic == "leads"))
    act(rig, rig.rows("dead")[0]["dead_id"])
    rig.feed([post(made="2", phone="13987654321")])
    rig.run()
    assert sorted(one["code"] for one in rig.rows("dead")) == ["bug", "no_raw_bytes"]
    assert len(rig.rows("task")) == 1
