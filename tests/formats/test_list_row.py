"""Lists as people keep them: encodings, headers, columns, damaged numbers, and files that are none."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import orjson
import pytest
import xlsxwriter  # type: ignore[import-untyped]

from ingest.lists.columns import find_header, read_said
from ingest.lists.days import read_moment
from ingest.lists.phones import mend_phone
from ingest.lists.table import ListRefused, open_table
from ingest.registry import parse_capture
from schemas.capture import capture_of
from schemas.lead import Lead
from schemas.results import ParseResult, Refused
from worktime.localtime import zone_of

SOURCE = {"source_id": "fair", "channel": "list", "format": "list.row", "name": "展会"}
TITLED = "2025 年老客户\n\n姓名;手机;公司名称;业务员\n李娜;139 0000 0001;大恒信息;wu-ting\n"


def parsed(cells: list[list[str]], **meta: str) -> ParseResult:
    capture = capture_of(
        source_id="fair",
        channel="list",
        format="list.row",
        body=orjson.dumps(cells),
        accepted_us=1_795_399_200_000_000,
        trace_id="0" * 32,
        idem_key="imp_x:7",
        meta={"import": "imp_x", "row": "7", **meta},
    )
    (result,) = parse_capture(capture, {"fair": SOURCE})
    return result


def workbook(*rows: list[Any], **options: Any) -> io.BytesIO:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    book.add_worksheet("封面")
    sheet = book.add_worksheet("客户")
    for number, row in enumerate(rows):
        sheet.write_row(number, 0, row)
    book.close()
    return out


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_title_above_the_header_and_any_usual_encoding(charset: str) -> None:
    table = open_table(io.BytesIO(TITLED.encode(charset)))
    rows = list(table.rows)
    header = find_header(rows, {})
    assert table.delimiter == ";"
    assert (header.number, header.targets) == (3, ("full_name", "phone", "company", "owner"))
    assert rows[-1].number == 4
    assert rows[-1].cells[0] == "李娜"


@pytest.mark.parametrize(("sign", "name"), [(",", "a"), ("\t", "b"), ("|", "c")])
def test_whatever_separates_the_cells(sign: str, name: str) -> None:
    text = f'name{sign}company{sign}phone\n{name}{sign}"x{sign}y"{sign}1\n'
    table = open_table(io.BytesIO(text.encode()))
    assert [row.cells for row in table.rows][1] == (name, f"x{sign}y", "1")


def test_a_workbooks_first_sheet_with_anything_in_it() -> None:
    table = open_table(workbook(["姓名", "手机"], ["李娜", 13900000001.0]))
    assert (table.sheet, [row.cells for row in table.rows]) == (
        "客户",
        [("姓名", "手机"), ("李娜", "13900000001")],
    )
    with pytest.raises(ListRefused) as refused:
        open_table(workbook(["a"]), sheet="没有")
    assert refused.value.code == "unknown_sheet"


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (80 * 1024 * 1024))
    return out.getvalue()


NO_LISTS = {
    "empty_list": b"",
    "not_a_list": b"MZ\x90\x00" + b"\x00" * 200,
    "locked_list": b"\xd0\xcf\x11\xe0" + b"\x00" * 600 + "EncryptedPackage".encode("utf-16-le"),
    "damaged_list": b"PK\x03\x04" + b"x" * 300,
    "bursting_list": bomb(),
    "too_many_columns": (",".join("c" * 600) + "\n").encode(),
    "broken_table": b'name,phone\n"' + b"x" * 200_000,
}


@pytest.mark.parametrize("code", NO_LISTS)
def test_what_is_no_list_is_refused_with_a_code(code: str) -> None:
    with pytest.raises(ListRefused) as refused:
        list(open_table(io.BytesIO(NO_LISTS[code])).rows)
    assert refused.value.code == code
    assert refused.value.hint
    assert refused.value.zh


def test_a_picture_and_an_archive_of_other_things_are_no_lists() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    for data in (out.getvalue(), b"\x89PNG\r\n\x1a\n" + b"0" * 50, b"%PDF-1.7\n"):
        with pytest.raises(ListRefused) as refused:
            list(open_table(io.BytesIO(data)).rows)
        assert refused.value.code == "not_a_list"


def test_without_a_header_somebody_must_say_what_a_column_is() -> None:
    rows = list(open_table(io.BytesIO("甲,乙\n李娜,13900000001\n".encode())).rows)
    with pytest.raises(ListRefused) as refused:
        find_header(rows, {})
    assert refused.value.code == "no_header"
    said = read_said(["甲=full_name", "乙=phone"])
    assert find_header(rows, said).targets == ("full_name", "phone")
    with pytest.raises(ListRefused) as refused:
        read_said(["甲=shoe_size"])
    assert refused.value.code == "bad_mapping"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("13800138000.0", "13800138000"),
        ("'13800138000", "13800138000"),
        ("１３８００１３８０００", "13800138000"),
        ("1.3800138000E+10", "13800138000"),
        ("2162345678", "02162345678"),
        ("57188888888", "057188888888"),
        ("021-6234 5678", "021-6234 5678"),
        ("4008001234", "4008001234"),
        ("+49 30 901820", "+49 30 901820"),
    ],
)
def test_a_number_that_can_only_be_one_is_mended(cell: str, text: str) -> None:
    assert mend_phone(cell).text == text


@pytest.mark.parametrize(
    ("cell", "code"),
    [("1.38E+10", "phone_cut"), ("1.3800138E+10", "phone_cut"), ("2012-11-12", "phone_is_date")],
)
def test_digits_that_are_lost_are_not_made_up(cell: str, code: str) -> None:
    refused = parsed([["姓名", "李娜"], ["手机", cell]])
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == (code, "手机")
    reachable = parsed([["姓名", "李娜"], ["手机", cell], ["邮箱", "li.na@daheng.example"]])
    assert isinstance(reachable, Lead)
    assert reachable.flags == ("phone_lost",)


def test_a_row_becomes_a_lead_with_all_that_stood_in_it() -> None:
    lead = parsed(
        [
            ["客户名称", "大恒"],
            ["业务员", "陈杰"],
            ["最后联系", "2026-11-01"],
            ["下次跟进", "2027/1/5"],
            ["吨位", "3"],
        ],
        kind="customers",
        route="no",
    )
    assert isinstance(lead, Lead)
    assert lead.kind == "existing_customer"
    assert lead.imported is not None
    assert (lead.imported.owner, lead.imported.row, lead.imported.route) == ("陈杰", 7, False)
    zone = zone_of("Asia/Shanghai")
    assert lead.imported.last_us == lead.occurred_us == read_moment("2026年11月1日", zone)
    assert lead.imported.next_us == read_moment("20270105", zone)
    assert [(one.name, one.label, one.received) for one in lead.fields][-1] == ("other", "吨位", "3")


def test_a_row_that_names_nobody_is_refused() -> None:
    refused = parsed([["吨位", "3"], ["姓名", "-"]])
    assert isinstance(refused, Refused)
    assert refused.code == "nobody"


def test_a_day_that_may_be_two_is_not_read() -> None:
    zone = zone_of("Asia/Shanghai")
    assert read_moment("03/04/2026", zone) is None
    assert read_moment("2026-13-01", zone) is None
    assert read_moment("45992", zone) == read_moment("2025-12-01", zone)


@pytest.mark.parametrize("body", [b"", b"{}", b'[["a"]]', b'[["a", 1]]', b"\xff"])
def test_a_repair_that_is_no_row_is_refused(body: bytes) -> None:
    capture = capture_of(
        source_id="fair",
        channel="list",
        format="list.row",
        body=body,
        accepted_us=1,
        trace_id="0" * 32,
        made_key="k",
    )
    (refused,) = parse_capture(capture, {"fair": SOURCE})
    assert isinstance(refused, Refused)
    assert refused.code == "bad_row"
