"""A workbook of the old kind (BIFF8, `.xls`) comes in as the same rows do in a new one; a damaged or false one is refused."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import xlsxwriter  # type: ignore[import-untyped]
from starlette.testclient import TestClient

from ingest.lists import trial
from ingest.lists.table import ListRefused, open_table
from leadflow.embedded import Files
from tests.e2e.test_import_page import EN, bring, client, draft_of, files, run_of, until
from tests.support.lists import Bringing, bringing, company_of_lists

__all__ = ("client", "files")  # fixtures

OLD = Path(__file__).parents[1] / "data" / "customers.xls"
"""Written once, with xlwt 1.3, from these rows."""
ROWS: tuple[tuple[Any, ...], ...] = (
    ("2026年老客户",),
    ("客户名称", "联系人", "手机", "邮箱", "业务员", "最后联系", "备注"),
    ("大恒信息", "李娜", 13900000001, "", "bo", date(2026, 11, 1), "电话是数字"),
    ("海天机械", "王芳", "139 0000 0002", "", "ann", date(2020, 1, 2), "电话是文本"),
    (),
    (
        "东方物流",
        "陈静",
        "021-6234 5678",
        "chen.jing@dongfang.example",
        "bo",
        date(2026, 10, 8),
        "鑫、珺、𠮷",
    ),
    ("宏图仓储", "赵云", 1.39e10, "", "bo", date(2026, 9, 1), ""),
)
HTML = (
    '<html xmlns:x="urn:schemas-microsoft-com:office:excel"><head><meta charset="{0}"></head><body>'
    "<table><tr><th>客户名称</th><th>手机</th></tr><tr><td>大恒</td><td>13900000001</td></tr></table></body></html>"
)
XML = '<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>\n<Workbook><Worksheet/></Workbook>'


def new_workbook() -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet, day = book.add_worksheet("客户"), book.add_format({"num_format": "yyyy-mm-dd"})
        for number, row in enumerate(ROWS):
            for column, cell in enumerate(row):
                sheet.write(number, column, cell, *([day] if isinstance(cell, date) else []))
    return out.getvalue()


def came(host: Bringing) -> list[tuple[str, Any]]:
    """Return what came in by a list: who has each customer, the fields of its lead, and what is to be done."""
    fields = sorted(
        [(one["name"], one["received"], one["value"]) for one in orjson.loads(row["fields_json"])]
        for row in host.rows("lead")
    )
    tasks = sorted((row["holder_id"], row["origin"]) for row in host.rows("task"))
    return [*sorted(host.holders().items()), ("fields", fields), ("tasks", tasks)]


def by_command(folder: Path, file: Path, *, code: int = 0) -> str:
    command = [sys.executable, "-m", "leadflow.cli", "import", "run", str(file), "--source", "lists"]
    done = subprocess.run(
        [*command, "--customers", "--no-route", "--no-notify"],
        env={**os.environ, "LEADFLOW_DATA": str(folder), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_the_old_workbook_is_read_as_the_new_one() -> None:
    assert OLD.read_bytes()[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    old, new = (open_table(io.BytesIO(data)) for data in (OLD.read_bytes(), new_workbook()))
    assert (old.kind, new.kind, old.sheets, new.sheets) == ("xls", "xlsx", ("客户",), ("客户",))
    rows = list(old.rows)
    assert rows == list(new.rows)
    assert rows[2].cells[2] == "13900000001"


@pytest.mark.timeout(120)
def test_by_the_page_and_by_the_command_the_same_comes_in_as_of_a_new_one(
    client: TestClient, files: Files, tmp_path: Path
) -> None:
    address = draft_of(client, OLD.read_bytes(), "客户.xls")
    assert "Rows: 4" in until(client, address, "What will happen")
    chosen = {"no_route": "on", "no_notify": "on"}
    assert client.post(f"{address}/run", data=chosen).status_code == 303
    until(client, f"{address}/progress", "Done")
    run = run_of(files, address)
    assert (run.name, run.taken, run.refused) == ("客户.xls", 4, 0)

    (tmp_path / "new.xlsx").write_bytes(new_workbook())
    found = []
    for name, file in (("old", OLD), ("new", tmp_path / "new.xlsx")):
        folder = tmp_path / name
        with bringing(folder, company_of_lists()):
            pass
        assert "4 rows taken, 0 refused" in by_command(folder, file)
        with bringing(folder) as host:
            found.append(came(host))
    assert found[0] == found[1]
    assert dict(found[0])["李娜"] == ("open", "person", "bo")
    assert [one for lead in dict(found[0])["fields"] for one in lead if one[1] == "13900000001"] == [
        ("phone", "13900000001", "+8613900000001")
    ]
    with files.store.read() as connection:
        text = str(connection.exec_driver_sql("SELECT group_concat(fields_json) FROM lead").scalar_one())
    assert all(name in text for name in ("李娜", "王芳", "陈静", "赵云", "+862162345678", "𠮷"))


def far_apart(row: int = 1_048_575, column: int = 16_383) -> bytes:
    """Return five kilobytes with a cell in the last corner: the reader would make room for all between, 500 GB."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "姓名")
        sheet.write(row, column, "x")
    return out.getvalue()


def endless() -> bytes:
    """Return the old workbook with its table of sectors said to be elsewhere: the reader would fill the memory."""
    data = bytearray(OLD.read_bytes())
    data[76] = 7
    return bytes(data)


FALSE = {
    "half": (OLD.read_bytes()[: OLD.stat().st_size // 2], "damaged_list"),
    "cut in the header": (OLD.read_bytes()[:300], "damaged_list"),
    "a page": (HTML.format("utf-8").encode(), "markup_list"),
    "a page in GB18030": (b"\r\n" + HTML.format("gb2312").encode("gb18030"), "markup_list"),
    "a page in UTF-16": (HTML.format("utf-16").encode("utf-16"), "markup_list"),
    "XML": (XML.encode(), "markup_list"),
    "far apart": (far_apart(), "bursting_list"),
    "a million rows of two cells": (far_apart(999_999, 71), "bursting_list"),
    "endless": (endless(), "bursting_list"),
}


@pytest.mark.parametrize("what", FALSE)
def test_one_that_is_cut_or_none_is_refused_by_the_page_and_the_command(
    client: TestClient, tmp_path: Path, what: str
) -> None:
    data, code = FALSE[what]
    refused = bring(client, data, "客户.xls")
    assert (refused.status_code, code in refused.text) == (422, True)
    if what in ("half", "a page"):
        (tmp_path / "客户.xls").write_bytes(data)
        with bringing(tmp_path / "other", company_of_lists()):
            pass
        said = by_command(tmp_path / "other", tmp_path / "客户.xls", code=2)
        assert code in said
        assert "save it" in said
        assert "Traceback" not in said
    assert client.get("/import", headers=EN).status_code == 200


def test_cut_anywhere_it_is_refused_with_what_to_do() -> None:
    data = OLD.read_bytes()
    for size in range(16, len(data) - 512, 480):
        with pytest.raises(ListRefused) as refused:
            open_table(io.BytesIO(data[:size]))
        assert (refused.value.code, bool(refused.value.hint)) == ("damaged_list", True), size


def test_where_there_is_no_reader_no_file_is_called_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "sys", SimpleNamespace(executable=sys.executable, path=[]))
    monkeypatch.setenv("PYTHONHOME", sys.base_prefix)
    with pytest.raises(RuntimeError, match="python-calamine"):
        trial.tried(new_workbook())
