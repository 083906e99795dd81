"""The table of places as a whole: complete, consistent, and deaf to junk."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

import enrich
from enrich.places import LONGEST_ENGLISH, by_name, by_number
from enrich.region import region_of
from schemas.company import place_key
from schemas.lead import FieldName, FieldValue

ROWS = [
    line.split("\t")
    for line in (Path(enrich.__file__).parent / "data" / "places.tsv").read_text("utf-8").splitlines()
]
PIECES = [text for row in ROWS for text in (row[0], row[1], row[3], row[4], *row[6].split()[:3])]
READ: list[FieldName] = ["address", "city", "region", "country", "company", "phone"]


def _of(name: FieldName, text: str) -> tuple[FieldValue, ...]:
    return (FieldValue(name=name, received=text, value=text or None, origin="test"),)


def test_all_34_provinces_and_333_prefectures_are_there() -> None:
    assert len({row[0] for row in ROWS}) == 34
    prefectures = [
        row
        for row in ROWS
        if row[0] not in "台湾香港澳门北京天津上海重庆" and re.search("[市州盟区]$", row[4])
    ]
    assert 333 <= len(prefectures) <= 360  # and the cities directly under their province


def test_every_city_is_found_by_province_and_name_in_full_and_in_short() -> None:
    for province, whole, _, city, full, _, _ in ROWS:
        for text in (whole + full, province + city):
            region = region_of(_of("address", text))
            assert region is not None, text
            assert (region.province, region.city) == (province, city), text


def test_every_county_is_found_below_its_city() -> None:
    for _, whole, _, city, full, _, counties in ROWS:
        for county in counties.split():
            region = region_of(_of("address", whole + full + county))
            assert region is not None
            assert region.city == city, county


def test_a_territory_compares_with_the_same_short_names() -> None:
    for province, whole, _, city, full, _, _ in ROWS:
        assert place_key(whole) == place_key(province) == province
        assert place_key(city) == city
        if re.search("(?:市|盟|地区|特别行政区)$", full):
            assert place_key(full) == city


def test_no_english_name_has_more_words_than_are_read() -> None:
    assert max(len(name.split()) for row in ROWS for name in row[5].split(",")) <= LONGEST_ENGLISH


def test_every_area_code_begins_the_number_of_a_known_place() -> None:
    path = Path(enrich.__file__).parent / "data" / "landlines.tsv"
    for line in path.read_text("utf-8").splitlines():
        code, province, city = line.split("\t")
        place = by_number("+86" + code)
        assert place is not None
        assert (place.province, place.city or "") == (province, city)
        assert by_name(city or province) is not None


@given(st.sampled_from(READ), st.text(max_size=300))
def test_junk_neither_raises_nor_is_a_place_outside_the_table(name: FieldName, text: str) -> None:
    region = region_of(_of(name, text))
    assert region is None or any(region.province == row[0] for row in ROWS)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(READ),
            st.lists(
                st.sampled_from([*PIECES, "路", "东路", "区", "（", "）", " ", ",", "有限公司", "Suzhou"]),
                max_size=8,
            ),
        ),
        max_size=6,
    )
)
def test_any_mixture_of_names_gives_a_city_of_its_province(said: list[tuple[FieldName, list[str]]]) -> None:
    region = region_of(tuple(one for name, parts in said for one in _of(name, "".join(parts))))
    if region is not None:
        assert (region.province, region.city) in {(row[0], row[3]) for row in ROWS} | {
            (row[0], None) for row in ROWS
        }


@given(st.text(alphabet="0123456789+", max_size=16))
def test_any_number_is_given_out_in_a_known_place_or_nowhere(number: str) -> None:
    place = by_number(number)
    assert place is None or any(place.province == row[0] for row in ROWS)
