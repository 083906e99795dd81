"""Posted forms are read as the URL standard says, whatever bytes arrive."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote_to_bytes

from hypothesis import given
from hypothesis import strategies as st

from ingest.web.form import read_form, unquoted
from schemas.text import storable

FORM = "application/x-www-form-urlencoded; charset=latin-1"
PIECES = st.sampled_from([b"%", b"%4", b"%41", b"%e5%a7%93", b"%zz", b"%0", b"+", b"=", b"&", b"a", b"\xff"])


@given(st.lists(PIECES, max_size=30).map(b"".join) | st.binary(max_size=60))
def test_percent_encoding_is_undone_as_the_standard_library_does(quoted: bytes) -> None:
    assert unquoted(quoted) == unquote_to_bytes(quoted)


@given(st.lists(PIECES, max_size=30).map(b"".join))
def test_names_and_values_are_those_of_the_standard_library(body: bytes) -> None:
    pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    assert read_form(FORM, body).pairs == tuple((storable(key), storable(value)) for key, value in pairs)


def test_fields_behind_many_empty_ones_are_read() -> None:
    assert read_form(FORM, b"&" * 1_000 + b"phone=1").pairs == (("phone", "1"),)
