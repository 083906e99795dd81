"""Two departments and one customer: registered, claimed, decided by a manager, taken back; and both sides are told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from leadflow.above import may_give_as
from leadflow.operations_desk import OperationsDesk
from schemas.company import Person
from schemas.units import department_of, is_of, manager_of, people_beside
from store.acts import ActRefused, Command, Plan, perform
from store.acts_claim import Decide, Register
from store.acts_undo import Undo
from store.belongings import belongings
from store.claims import collisions
from store.company import CompanyCache, company_version, load_company, put_company, raise_version
from store.database import Database
from store.protection import protected_until
from store.views import balance, orphans
from tests.e2e.test_access import House
from tests.e2e.test_moves import owners
from tests.e2e.test_rule_outputs import BOOK, arrive, beside, company, rig_with, store
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, Rig

__all__ = ["store"]
LATER = MONDAY_10 + HOUR
UNTIL = LATER + 90 * DAY


@pytest.fixture
def rig(tmp_path: Path, store: Database | None) -> Rig:
    made = rig_with(tmp_path, store, BOOK.format("ask").replace('"wei、west",30', ",").replace("zoe", "zoe"))
    arrive(made, "a")
    return made


def act(
    rig: Rig, verb: str, plan: Plan, *, actor: str = "operator", at_us: int = LATER, undoes: str | None = None
) -> str:
    (customer_id,) = owners(rig)
    command = Command(verb, actor, f"{verb}{at_us}{actor}{undoes}", customer_id, "because", undoes)
    perform(rig.store, command, plan, at_us, rig.files.store_log.append)
    rig.run()
    with rig.store.read() as connection:
        assert orphans(connection, at_us + DAY) == []
        assert balance(connection, at_us + DAY).adds_up
    return command.act_id


def register(
    rig: Rig, for_id: str, *, actor: str = "operator", at_us: int = LATER, until_us: int = UNTIL
) -> bool:
    plan = Register(for_id, until_us, may_give_as(actor))
    act(rig, "register", plan, actor=actor, at_us=at_us)
    return plan.has_it


def open_now(rig: Rig, at_us: int = LATER + MINUTE) -> list[tuple[str, str]]:
    with rig.store.read() as connection:
        return [(row["holder_id"], row["claimant_id"]) for row in collisions(connection, at_us)]


def until(rig: Rig) -> int | None:
    with rig.store.read() as connection:
        return protected_until(connection, owners(rig), 0).get(next(iter(owners(rig))))


def test_who_has_a_customer_and_registers_it_is_protected(rig: Rig) -> None:
    (owner,) = owners(rig).values()
    assert register(rig, owner)
    assert until(rig) == UNTIL
    assert register(rig, "east", at_us=LATER + MINUTE, until_us=UNTIL + DAY), "or their team does"
    assert until(rig) == UNTIL + DAY
    assert open_now(rig) == []


def test_what_somebody_else_has_waits_for_a_manager_and_both_are_told_once(rig: Rig) -> None:
    (owner,) = owners(rig).values()
    assert not register(rig, "wei", actor="zoe")
    assert not register(rig, "wei", actor="zoe", at_us=LATER + MINUTE, until_us=UNTIL + DAY)
    assert open_now(rig) == [(owner, "wei")]
    (claim,) = rig.rows("claim")
    assert claim["until_us"] == UNTIL + DAY, "registered again is registered longer"
    assert {row["dest"] for row in rig.rows("delivery") if row["decided_us"] >= LATER} >= {owner, "wei"}
    assert open_now(rig, UNTIL + 2 * DAY) == [], "over by itself"


def test_a_customer_that_nobody_has_goes_to_whoever_it_is_registered_for(
    tmp_path: Path, store: Database | None
) -> None:
    rig = rig_with(tmp_path, store, BOOK.format(""), members=())
    arrive(rig, "a")
    assert list(owners(rig).values()) == ["east"]
    assert register(rig, "wei")
    assert list(owners(rig).values()) == ["wei"]
    assert until(rig) == UNTIL


def test_a_manager_decides_for_the_claimant_and_the_owner_works_on_it_too(rig: Rig) -> None:
    (owner,) = owners(rig).values()
    register(rig, "wei")
    act(rig, "decide_claim", Decide("wei", (owner,), may_give_as("operator")), at_us=LATER + MINUTE)
    assert list(owners(rig).values()) == ["wei"]
    assert beside(rig) == [owner]
    assert until(rig) == UNTIL, "registered until then"
    assert [row["state"] for row in rig.rows("claim")] == ["owner"]
    assert open_now(rig) == []
    for row in rig.rows("task"):
        assert row["holder_id"] == "wei"


def test_a_manager_decides_for_the_owner_and_the_claimant_works_on_it_too_or_not(rig: Rig) -> None:
    (owner,) = owners(rig).values()
    register(rig, "wei")
    register(rig, "agv", at_us=LATER + MINUTE)
    act(rig, "decide_claim", Decide(owner, ("wei",), may_give_as("operator")), at_us=LATER + 2 * MINUTE)
    assert list(owners(rig).values()) == [owner]
    assert beside(rig) == ["wei"]
    assert {row["claimant_id"]: row["state"] for row in rig.rows("claim")} == {
        "wei": "collaborator",
        "agv": "refused",
    }


def test_a_decision_is_taken_back_with_all_that_it_did(rig: Rig) -> None:
    before, counted = owners(rig), {row["person_id"]: row["received"] for row in rig.rows("ledger_total")}
    (owner,) = before.values()
    register(rig, "wei")
    act_id = act(rig, "decide_claim", Decide("wei", (owner,), may_give_as("operator")), at_us=LATER + MINUTE)
    act(rig, "undo", Undo(may_give_as("operator")), at_us=LATER + HOUR, undoes=act_id)
    assert owners(rig) == before
    assert beside(rig) == []
    assert open_now(rig) == [(owner, "wei")]
    assert {row["person_id"]: row["received"] for row in rig.rows("ledger_total")} == counted


@pytest.mark.parametrize(
    ("actor", "for_id", "code"),
    [("mia", "wei", "not_below"), ("operator", "nobody", "unknown_claimant")],
)
def test_who_may_not_register_is_told_why(rig: Rig, actor: str, for_id: str, code: str) -> None:
    with pytest.raises(ActRefused) as refused:
        register(rig, for_id, actor=actor)
    assert refused.value.code == code


def test_what_cannot_be_decided_is_refused(rig: Rig) -> None:
    with pytest.raises(ActRefused, match="no open claim"):
        act(rig, "decide_claim", Decide("wei", (), may_give_as("operator")))
    with pytest.raises(ActRefused, match="still to come"):
        register(rig, "wei", until_us=LATER)
    register(rig, "wei")
    with pytest.raises(ActRefused, match="Both sides"):
        act(rig, "decide_claim", Decide("wei", (), may_give_as("mia")), actor="mia", at_us=LATER + MINUTE)


def test_a_decision_that_moved_nothing_is_taken_back_by_whoever_is_above_the_owner(rig: Rig) -> None:
    (owner,) = owners(rig).values()
    register(rig, "wei")
    act_id = act(rig, "decide_claim", Decide(owner, (), may_give_as("operator")), at_us=LATER + MINUTE)
    with pytest.raises(ActRefused, match="not below"):
        act(rig, "undo", Undo(may_give_as("zoe")), actor="zoe", at_us=LATER + HOUR, undoes=act_id)
    act(rig, "undo", Undo(may_give_as("mia")), actor="mia", at_us=LATER + HOUR, undoes=act_id)
    assert open_now(rig) == [(owner, "wei")]


def test_what_a_leaver_claims_and_where_rules_name_them_is_theirs_to_hand_over(rig: Rig) -> None:
    register(rig, "wei")
    rules = 'rule,then_team,then_strategy,then_collaborators\nall,east,fixed:wei,"ann、wei"\n'
    more = {"more": "rule,then_team,then_collaborators\nx,east,wei\n"}
    seen = company(rules, book_tables=more, moves_csv="move,grade,then_person\na,A,wei\n")
    with rig.store.read() as connection:
        had = [(one.kind, one.object_id) for one in belongings(connection, seen, "wei", LATER)]
    (claim,) = rig.rows("claim")
    assert set(had) >= {
        ("claim", claim["claim_id"]),
        ("rule_book", "all"),
        ("rule_book", "more/x"),
        ("move_rule", "a"),
    }


def test_units_know_their_department_and_manager() -> None:
    seen = company(BOOK.format(""))
    assert department_of(seen, "west") == "agv"
    assert department_of(seen, "east") == "east", "a team of no department"
    assert department_of(seen, None) is None
    assert manager_of(seen, "west") == "zoe"
    assert manager_of(seen, "nowhere") is None
    assert is_of(seen, "wei", "agv")
    assert not is_of(seen, "ann", "agv")
    assert people_beside(["west", "zoe", "nobody"], seen) == ("zoe",)


@pytest.fixture
def house(rig: Rig) -> House:
    """Boss manages both sides."""
    with rig.store.write() as connection:
        known = load_company(connection, company_version(connection))
        people = {**known.people, "boss": Person(person_id="boss", name="boss")}
        top = known.units["company"].model_copy(update={"manager_id": "boss"})
        put_company(
            connection,
            known.model_copy(update={"people": people, "units": {**known.units, "company": top}}),
            0,
        )
        raise_version(connection)
    engine: Any = SimpleNamespace(files=rig.files, companies=CompanyCache())
    return House(rig, now_us=LATER, host={"operations": OperationsDesk(engine, "")})


def test_whoever_manages_both_sides_decides_on_the_page_and_nobody_else(rig: Rig, house: House) -> None:
    ((customer_id, owner),) = owners(rig).items()
    register(rig, "wei")
    place, form = f"/collisions/{customer_id}", {"owner": "wei", "beside": "yes", "reason": "knows them"}
    for person, role, status in (
        ("ann", "representative", 403),
        ("mia", "manager", 409),
        ("zoe", "manager", 409),
    ):
        client = house.client(house.grant(person, role=role))
        assert f'action="{place}"' not in client.get("/collisions").text, person
        assert client.post(place, data=form).status_code == status, person
    boss = house.client(house.grant("boss"))
    assert f'action="{place}"' in boss.get("/collisions").text
    refused = boss.post(place, data={**form, "reason": " "})
    assert (refused.status_code, "both sides will ask" in refused.text) == (409, True)
    assert '<option value="wei" selected>' in refused.text, "what was chosen stays"
    assert list(owners(rig).values()) == [owner]
    for _ in range(2):
        decided = boss.post(place, data={**form, "key": "k"})
        assert (decided.status_code, decided.headers["location"]) == (303, "/collisions?done=decided")
    assert list(owners(rig).values()) == ["wei"]
    assert beside(rig) == [owner], "the other side"
    (act_row,) = [row for row in rig.rows("act") if row["verb"] == "decide_claim"]
    assert (act_row["actor"], act_row["reason"]) == ("boss", "knows them")
    assert "Nothing is to be decided." in boss.get("/collisions").text
