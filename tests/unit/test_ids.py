"""Ids are equal for equal things, differ for others, and those born in time sort by it."""

from base64 import b32hexencode
from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from schemas.ids import born_id, child_id, make_id

parts = st.lists(st.one_of(st.text(), st.integers()), max_size=4)


@given(parts, parts)
def test_ids_agree_exactly_when_the_parts_do(left: list[str | int], right: list[str | int]) -> None:
    same = [str(part) for part in left] == [str(part) for part in right]
    assert (make_id("cap", *left) == make_id("cap", *right)) == same


@given(st.integers(0, 2**50), st.integers(0, 2**50))
def test_what_is_born_later_sorts_later(early: int, late: int) -> None:
    if early // 1_000 < late // 1_000:
        assert born_id("lead", early, "a") < born_id("lead", late, "b")


def test_a_child_carries_the_moment_of_its_parent() -> None:
    parent = born_id("lead", 1_795_399_200_000_000, "cap_x", 0)
    child = child_id("cus", parent)
    assert child.removeprefix("cus_")[:9] == parent.removeprefix("lead_")[:9]
    assert child != child_id("cus", parent, 1)
    assert child_id("evt", "cap_unstamped", "x") == make_id("evt", "cap_unstamped", "x")


@given(st.binary(min_size=1, max_size=40))
def test_an_id_is_the_base32hex_of_a_hash_and_stays_what_it_is(key: bytes) -> None:
    text = key.hex()
    hashed = blake2b(b"cap" + len(text).to_bytes(4, "big") + text.encode(), digest_size=15).digest()
    assert make_id("cap", text) == "cap_" + b32hexencode(hashed).decode().lower()


def test_the_moment_of_an_id_stays_what_it_is() -> None:
    assert born_id("lead", 1_795_399_200_000_000, "cap_x", 0) == "lead_1k8323b80640k6jg6e8ikfcl1"
