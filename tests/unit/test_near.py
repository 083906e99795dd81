"""Which of too many leads one is compared with."""

from __future__ import annotations

from enrich.match.record import Record, record_of
from enrich.near import MOST_COLLEAGUES, MOST_COMPARED, Neighbourhood, compared_by
from enrich.similar import default_judge

SURNAMES, GIVEN = "王李张刘陈杨黄赵吴周", "伟强磊军勇杰涛明超辉"


def _record(lead_id: str, **fields: str) -> Record:
    return record_of(lead_id, {name: [text] for name, text in fields.items()})


def _others(known: list[Record], new: Record) -> list[str]:
    near = Neighbourhood(default_judge())
    for record in known:
        list(near.add(compared_by(record), record.record_id, record.record_id))
    return near._others(compared_by(new))


def test_one_field_makes_no_neighbour_and_a_name_beside_it_does() -> None:
    same = _record("same", full_name="Wei Zhang", phone="13912345679")
    other = _record("other", full_name="李娜", phone="13912345677")
    assert _others([same, other], _record("new", full_name="张伟", phone="13912345678")) == ["same"]


def test_behind_a_mailbox_of_many_the_one_of_the_same_name_and_number_is_found() -> None:
    crowd = [
        _record(
            f"crowd{n:02}", full_name="王" + GIVEN[n % 10], email="zhanting@163.com", phone=f"1370000{n:02}11"
        )
        for n in range(45)
    ]
    kin = _record("kin", full_name="王静怡", phone="13912345678")
    new = _record("new", full_name="王静怡", phone="13912345678", email="zhanting@163.com")
    found = _others([*crowd, kin], new)
    assert "kin" in found
    assert len(found) <= MOST_COMPARED + MOST_COLLEAGUES


def test_of_colleagues_some_stand_for_all_and_whose_name_may_be_the_same_are_kept() -> None:
    staff = [
        _record(f"lead{n:02}", full_name=SURNAMES[n % 10] + GIVEN[n // 10], company="大恒信息")
        for n in range(40)
    ]
    found = _others(staff, _record("new", full_name="欧阳静怡", company="大恒信息"))
    assert len(found) == MOST_COLLEAGUES
    assert "lead00" in _others(staff, _record("new", full_name="王静怡", company="大恒信息"))
