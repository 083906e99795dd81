"""Rows of Asterisk CDR files: layouts, damage, times, keys."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ingest.cti.asterisk import AsteriskCdr, parse, row_key
from schemas.capture import Capture, capture_of
from schemas.results import Ignored, Part, Refused

EXAMPLES = Path(__file__).parents[2] / "examples" / "cti"
ACCEPTED_US = int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()) * 1_000_000

CSV = (
    "accountcode src dst dcontext clid channel dstchannel lastapp lastdata start answer end duration billsec "
    "disposition amaflags"
).split()
CUSTOM = (
    "clid src dst dcontext channel dstchannel lastapp lastdata start answer end duration billsec disposition "
    "amaflags accountcode uniqueid userfield sequence"
).split()
CELLS = {
    "accountcode": "",
    "src": "19000000011",
    "dst": "02155550100",
    "dcontext": "from-trunk",
    "clid": '"" <19000000011>',
    "channel": "PJSIP/ct-trunk-00000010",
    "dstchannel": "PJSIP/801-00000011",
    "lastapp": "Dial",
    "lastdata": "PJSIP/801,25",
    "start": "2026-03-02 09:01:02",
    "answer": "2026-03-02 09:01:10",
    "end": "2026-03-02 09:04:12",
    "duration": "190",
    "billsec": "182",
    "disposition": "ANSWERED",
    "amaflags": "DOCUMENTATION",
    "uniqueid": "1772413262.16",
    "userfield": "",
    "peeraccount": "",
    "linkedid": "1772413262.16",
    "sequence": "7",
}


def source(**settings: Any) -> AsteriskCdr:
    return AsteriskCdr(source_id="pbx", name="Switchboard", **settings)


def capture(body: bytes, accepted_us: int = ACCEPTED_US) -> Capture:
    return capture_of(
        source_id="pbx",
        channel="cti",
        format="cti.asterisk",
        body=body,
        accepted_us=accepted_us,
        trace_id="0" * 32,
        idem_key="k",
        meta={"file": "f", "offset": "0"},
    )


def row(columns: list[str], **cells: str) -> bytes:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(
        {**CELLS, **cells}[column] for column in columns
    )
    return out.getvalue().encode()


def read(body: bytes, settings: AsteriskCdr | None = None) -> Part | Refused | Ignored:
    (result,) = parse(capture(body), settings or source())
    assert isinstance(result, Part | Refused | Ignored)
    return result


def refused(body: bytes, settings: AsteriskCdr | None = None) -> Refused:
    result = read(body, settings)
    assert isinstance(result, Refused), result
    assert result.message
    assert result.hint
    return result


def part(body: bytes, settings: AsteriskCdr | None = None) -> Part:
    result = read(body, settings)
    assert isinstance(result, Part), result
    return result


def flags(body: bytes, settings: AsteriskCdr | None = None) -> set[str]:
    return set(filter(None, part(body, settings).data["flags"].split(",")))


def us(text: str) -> str:
    return str(int(datetime.fromisoformat(text).timestamp()) * 1_000_000)


# --- layouts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "columns",
    [
        CUSTOM,
        CUSTOM[:-1],
        CSV,
        [*CSV, "uniqueid"],
        [*CSV, "userfield"],
        [*CSV, "uniqueid", "userfield"],
        [*CSV, "peeraccount", "linkedid", "sequence"],
        [*CSV, "uniqueid", "peeraccount", "linkedid", "sequence"],
        [*CSV, "uniqueid", "userfield", "peeraccount", "linkedid", "sequence"],
    ],
    ids=lambda columns: f"{columns[0]}-{len(columns)}-{columns[-1]}",
)
def test_each_layout_that_asterisk_writes_is_told_by_its_shape(columns: list[str]) -> None:
    data = part(row(columns)).data
    assert {name: data[name] for name in columns} == {name: CELLS[name] for name in columns}


def test_unanswered_rows_of_cdr_csv_leave_the_answer_bare() -> None:
    body = row([*CSV, "uniqueid", "userfield"], answer="", billsec="0", disposition="NO ANSWER")
    assert "answer_us" not in part(body.replace(b'02","",', b'02",,')).data


def test_a_text_that_may_be_uniqueid_or_userfield_is_not_guessed() -> None:
    body = row([*CSV, "uniqueid"], uniqueid="1400000000.16")
    result = refused(body)
    assert result.code == "layout_ambiguous"
    assert "uniqueid" in result.message
    assert "userfield" in result.message
    assert part(body, source(columns=(*CSV, "uniqueid"))).group == "pbx/1400000000.16"


def test_a_row_of_the_other_layout_is_refused_when_the_layout_is_configured() -> None:
    assert refused(row(CUSTOM), source(layout="cdr_csv")).code in {"layout_unknown", "bad_value"}
    assert refused(row([*CSV, "uniqueid", "userfield"]), source(layout="cdr_custom")).code in {
        "layout_unknown",
        "bad_value",
    }


def test_a_mapping_of_ones_own_with_another_separator() -> None:
    columns = ("src", "dst", "did", "channel", "dstchannel", "lastapp", "-", "start", "duration", "billsec")
    settings = source(columns=(*columns, "disposition", "linkedid"), separator="|")
    body = (
        b"19000000011|600|02155550101|PJSIP/ct-trunk-00000010||Queue|x|2026-03-02T09:01:02+0800|5|5|ANSWERED|"
        b"pbx1-1772413262.16\n"
    )
    result = part(body, settings)
    assert result.group == "pbx/pbx1-1772413262.16"
    assert result.data["did"] == "02155550101"
    assert result.data["start_us"] == us("2026-03-02T01:01:02Z")
    assert result.data["end_us"] == us("2026-03-02T01:01:07Z")


def test_columns_that_cannot_suffice_are_refused_at_configuration() -> None:
    with pytest.raises(ValidationError, match="lacks dst"):
        source(columns=("src", "channel"))
    with pytest.raises(ValidationError, match="twice"):
        source(columns=(*CSV, "src"))


def test_bad_settings_say_what_to_write_instead() -> None:
    with pytest.raises(ValidationError, match="three or four digits"):
        source(internal="[0-9")
    for charset in ("klingon", "utf-16"):
        with pytest.raises(ValidationError, match="gb18030"):
            source(charsets=(charset,))


def test_high_resolution_times_and_seconds() -> None:
    data = part(row(CUSTOM, start="1772413262.250000", duration="190.123456", billsec="182.500000")).data
    assert data["start_us"] == str(1772413262250000)


def test_names_written_without_csv_quote_are_repaired_and_flagged() -> None:
    body = row(CUSTOM, clid="CLID").replace(b'"CLID"', b'""WANG QIANG" <19000000011>"')
    assert "quotes_repaired" in flags(body)


def test_headers_and_blank_lines_are_ignored() -> None:
    for body in (b"\n", b"\r\n", b"", b"\xef\xbb\xbf\n"):
        result = read(body)
        assert isinstance(result, Ignored)
        assert result.code == "blank_row"
    result = read(b"\xef\xbb\xbf" + ",".join(CUSTOM).encode() + b"\n")
    assert isinstance(result, Ignored)
    assert result.code == "header_row"


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    assert part(b"\xef\xbb\xbf" + row(CUSTOM).replace(b"\n", b"\r\n")).data["sequence"] == "7"


# --- damage -------------------------------------------------------------------------------------------


def test_the_damaged_example_is_refused_row_by_row_and_the_last_row_goes_on() -> None:
    results = [read(line) for line in (EXAMPLES / "damaged.csv").read_bytes().splitlines(keepends=True)]
    assert [result.code if isinstance(result, Refused) else type(result).__name__ for result in results] == [
        "truncated_row",
        "number_as_float",
        "bad_date",
        "column_count",
        "nul_byte",
        "bad_charset",
        "Part",
    ]
    assert [result.field for result in results if isinstance(result, Refused)] == [
        None,
        "src",
        "start",
        None,
        None,
        "clid",
    ]


@pytest.mark.parametrize("layout", [CUSTOM, [*CSV, "uniqueid", "userfield"]], ids=["custom", "csv"])
def test_no_cut_of_a_row_passes_for_another_row(layout: list[str]) -> None:
    whole = row(layout)[:-1]
    for length in range(1, len(whole) + 1):
        assert refused(whole[:length]).code == "truncated_row", whole[:length]


def test_two_rows_run_together_are_refused() -> None:
    assert refused(row(CUSTOM)[:-1] + row(CUSTOM)).code == "column_count"


@pytest.mark.parametrize("column", ["src", "dst"])
def test_a_number_that_went_through_a_spreadsheet_is_refused(column: str) -> None:
    result = refused(row(CUSTOM, **{column: "1.38E+10"}))
    assert (result.code, result.field) == ("number_as_float", column)


def test_nothing_of_a_refused_row_stands_in_the_message() -> None:
    for line in (EXAMPLES / "damaged.csv").read_bytes().splitlines(keepends=True):
        result = read(line)
        if isinstance(result, Refused):
            assert "1900000" not in result.message + result.hint


@pytest.mark.parametrize(
    ("column", "text"), [("start", ""), ("start", "2026-13-01 00:00:00"), ("end", "2026-02-29 10:00:00")]
)
def test_dates_that_cannot_be(column: str, text: str) -> None:
    result = refused(row(CUSTOM, **{column: text}), source(layout="cdr_custom"))
    assert result.field == column


def test_a_row_of_a_megabyte_is_refused_at_once() -> None:
    assert refused(row(CUSTOM, clid="x" * 1_000_000)).code == "row_too_long"
    assert refused(b"\0" * 1_048_576).code == "row_too_long"


def test_a_chinese_name_in_gb18030_is_read_and_flagged() -> None:
    body = (EXAMPLES / "gb18030.csv").read_bytes()
    assert "北京东方叉车" in part(body).data["clid"]
    assert flags(body) == {"charset_guessed"}
    assert refused(body, source(charsets=("utf-8",))).field == "clid"


@given(st.binary(max_size=400))
def test_no_bytes_break_the_parser(body: bytes) -> None:
    assert isinstance(read(body), Part | Refused | Ignored)
    assert row_key(body, source(), "f", 0)


@given(st.dictionaries(st.sampled_from(["clid", "lastdata", "userfield"]), st.text(max_size=40)))
def test_free_text_never_moves_a_column(texts: dict[str, str]) -> None:
    body = row(
        CUSTOM,
        **{name: text.replace("\0", "").replace("\r", "").replace("\n", "") for name, text in texts.items()},
    )
    data = part(body).data
    assert (data["src"], data["sequence"]) == ("19000000011", "7")


# --- times --------------------------------------------------------------------------------------------

BERLIN = {"zone": "Europe/Berlin"}


def test_local_times_become_utc() -> None:
    data = part(row(CUSTOM)).data
    assert data["start_us"] == us("2026-03-02T01:01:02Z")
    assert data["answer_us"] == us("2026-03-02T01:01:10Z")
    assert data["end_us"] == us("2026-03-02T01:04:12Z")


def test_the_uniqueid_settles_the_repeated_hour() -> None:
    times = {"start": "2025-10-26 02:30:00", "answer": "2025-10-26 02:30:05", "end": "2025-10-26 02:31:05"}
    for created, utc in (("2025-10-26T00:30:00Z", "00:30:00"), ("2025-10-26T01:30:00Z", "01:30:00")):
        uniqueid = us(created)[:-6] + ".1"
        body = row(CUSTOM, **times, uniqueid=uniqueid, duration="65", billsec="60")
        data = part(body, source(**BERLIN)).data
        assert data["start_us"] == us(f"2025-10-26T{utc}Z")
        assert int(data["end_us"]) - int(data["start_us"]) == 65_000_000
        assert data["flags"] == ""


def test_a_call_that_leaves_the_repeated_hour_is_settled_by_its_duration() -> None:
    body = row(
        CSV, start="2025-10-26 02:50:00", answer="", end="2025-10-26 03:10:00", duration="1200", billsec="0"
    )
    data = part(body, source(**BERLIN)).data
    assert data["start_us"] == us("2025-10-26T01:50:00Z")
    assert "time_ambiguous" not in data["flags"]


def test_without_any_evidence_the_repeated_hour_is_flagged() -> None:
    body = row(
        CSV, start="2025-10-26 02:30:00", answer="", end="2025-10-26 02:31:00", duration="60", billsec="0"
    )
    data = part(body, source(**BERLIN)).data
    assert data["start_us"] == us("2025-10-26T00:30:00Z")
    assert "time_ambiguous" in data["flags"].split(",")


def test_an_hour_that_never_was_is_flagged() -> None:
    body = row(
        CSV, start="2026-03-29 02:30:00", answer="", end="2026-03-29 02:30:10", duration="10", billsec="0"
    )
    assert "time_nonexistent" in flags(body, source(**BERLIN))


def test_a_future_date_is_flagged_but_a_drifting_clock_is_not() -> None:
    start = datetime(2026, 3, 2, 9, 1, 2).replace(tzinfo=UTC).timestamp() - 8 * 3600
    for early_s, expected in ((60, False), (3600, True)):
        accepted = int((start - early_s) * 1_000_000)
        (result,) = parse(capture(row(CUSTOM), accepted), source())
        assert isinstance(result, Part)
        assert ("future_date" in result.data["flags"].split(",")) is expected


def test_times_before_the_channel_was_made_betray_a_wrong_zone() -> None:
    gmt = row(CUSTOM, start="2026-03-02 01:01:02", answer="2026-03-02 01:01:10", end="2026-03-02 01:04:12")
    assert "zone_suspect" in flags(gmt)
    assert flags(gmt, source(zone="UTC")) == set()


# --- groups and keys ----------------------------------------------------------------------------------


def test_rows_of_one_call_share_a_group() -> None:
    new = [*CSV, "uniqueid", "userfield", "peeraccount", "linkedid", "sequence"]
    agent = row(new, uniqueid="1772413300.20", sequence="9")
    assert part(row(new)).group == part(agent).group == "pbx/1772413262.16"
    assert part(row(CSV)).group == part(row(CSV, dstchannel="PJSIP/802-1")).group
    assert part(row(CSV)).group != part(row(CSV, start="2026-03-02 09:01:03")).group
    assert "no_call_id" in flags(row(CSV))


def test_a_key_is_uniqueid_and_sequence_wherever_the_row_stands() -> None:
    assert (
        row_key(row(CUSTOM), source(), "f", 0) == row_key(row(CUSTOM), source(), "g", 99) == "1772413262.16#7"
    )


def test_without_sequence_the_key_is_the_place_and_never_that_of_another_row() -> None:
    one, other = row(CSV), row(CSV, src="19000000012")
    assert row_key(one, source(), "f", 0) == row_key(one, source(), "f", 0)
    assert (
        len(
            {
                row_key(*key)
                for key in [(one, source(), "f", 0), (one, source(), "f", 9), (other, source(), "f", 0)]
            }
        )
        == 3
    )
