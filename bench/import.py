"""How long a list takes from its first byte to its last row as a durable capture: `leadflow import run`, XLSX and CSV.

    python bench/import.py [--rows N] [--json]

A list of customers as firms keep them (name, company, mobile, mail, city, owner, dates, notes), every fortieth with a number
that a spreadsheet has rounded. Measured, in a fresh process for each, is all that the command does before the stages: keeping
the file in pieces, reading it back, each row read, judged, sealed under its own key and durable, a thousand to a commit.
`ratio_to_reader` is that against python-calamine or csv merely reading the same file, in the same run, in CPU time of
the whole process; `leads_per_s` is a twentieth of the rows through all stages, match model included, in CPU time; `peak_mb` the whole process at its largest, `kb_per_1000_rows` how much that is more than with a
quarter of the rows.
"""

from __future__ import annotations

import argparse
import csv
import io
import resource
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import xlsxwriter  # type: ignore[import-untyped]
from python_calamine import CalamineWorkbook

from bench.measure import in_process, report, rounded
from leadflow.embedded import Embedded, open_files
from leadflow.imports.pieces import digest_of, keep_file
from leadflow.imports.work import Imports
from leadflow.operate_imports import do_import_begin
from schemas.company import Company, Unit
from store.company import put_company
from store.imports import read_run

HEADER = ("客户名称", "联系人", "手机", "邮箱", "城市", "业务员", "建档日期", "最后联系", "备注")
_CITIES = ("苏州", "杭州", "南京", "宁波", "上海", "无锡")
_NAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures: dict[str, Any] = {"rows": args.rows}
    with TemporaryDirectory(prefix="leadflow-bench-") as folder:
        for kind in ("csv", "xlsx"):
            small, large = (Path(folder) / f"{name}.{kind}" for name in ("small", "large"))
            for path, rows in ((small, args.rows // 4), (large, args.rows)):
                write(path, rows)
            reader_s = in_process(merely_read, large)
            few = in_process(imported, small, Path(folder) / f"few-{kind}")
            told = in_process(imported, large, Path(folder) / f"all-{kind}")
            grown = max(0.0, told["peak_mb"] - few["peak_mb"]) * 1024
            figures |= {
                f"{kind}_rows_per_s": round(args.rows / told["wall_s"]),
                f"{kind}_cpu_us_per_row": rounded(told["cpu_s"] / args.rows * 1e6),
                f"{kind}_ratio_to_reader": rounded(told["cpu_s"] / reader_s),
                f"{kind}_peak_mb": rounded(told["peak_mb"]),
                f"{kind}_kb_per_1000_rows": rounded(grown / (args.rows * 0.75 / 1000)),
                f"{kind}_taken": told["taken"],
                f"{kind}_refused": told["refused"],
            }
        sample = Path(folder) / "sample.csv"
        count = max(100, args.rows // 20)
        write(sample, count)
        through = in_process(imported, sample, Path(folder) / "through", to_the_end=True)
        figures["leads_per_s"] = round(count / through["cpu_s"])
    report("a list to durable rows", figures, args.json)


def rows_of(count: int) -> Any:
    """Yield the rows of an invented list."""
    chance = Random(7)
    for number in range(count):
        phone = "1.39E+10" if number % 40 == 7 else f"139{number:08}"
        name = chance.choice(_NAMES) + chr(0x4E00 + chance.randrange(2_000))
        yield (
            f"{chance.choice(_CITIES)}{number:x}机电有限公司",
            name,
            phone,
            "" if number % 40 == 7 else f"u{number}@firm{number % 5000}.example",
            chance.choice(_CITIES),
            f"person-{number % 20}",
            f"20{15 + number % 10}-0{1 + number % 9}-1{number % 10}",
            f"2026-0{1 + number % 9}-1{number % 10}",
            "要两台托盘搬运车，月底前报价",
        )


def write(path: Path, count: int) -> None:
    """Write the list as CSV or XLSX."""
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(HEADER)
            writer.writerows(rows_of(count))
        return
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate((HEADER, *rows_of(count))):
            sheet.write_row(number, 0, row)


def merely_read(path: Path) -> float:
    """Return the CPU time of going through every cell of a file."""
    began = time.process_time()
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            cells = sum(len(row) for row in csv.reader(file))
    else:
        data = io.BytesIO(path.read_bytes())
        cells = sum(
            len(row) for row in CalamineWorkbook.from_filelike(data).get_sheet_by_index(0).iter_rows()
        )
    assert cells
    return time.process_time() - began


def imported(path: Path, folder: Path, *, to_the_end: bool = False) -> dict[str, Any]:
    """Take a file into an empty installation, without the stages or with them; return what it took."""
    files = open_files(folder)
    source = {"source_id": "lists", "channel": "list", "format": "list.row", "name": "lists"}
    unit = Unit(unit_id="default", kind="team", name_zh="默认", name_en="Default")
    with files.store.write() as connection:
        put_company(connection, Company(version=0, units={"default": unit}, sources={"lists": source}), 0)
    engine = Embedded(files)
    engine.door.start()
    began, began_cpu = time.perf_counter(), time.process_time()
    with path.open("rb") as file:
        digest, size = digest_of(file)
        pieces = keep_file(engine, "lists", file, digest)
    asked = {"source": "lists", "kind": "customers", "digest": digest, "bytes": size, "name": path.name}
    spec = {"route": False, "notify": False}
    begun = do_import_begin(engine, {**asked, "pieces": pieces, "actor": "bench", "spec": spec})
    engine.work_off()
    worker = Imports(engine, is_live=False)
    while worker.step(begun["import_id"], 60.0):
        pass
    if to_the_end:
        engine.work_off()
    took = {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - began_cpu}
    with files.store.read() as connection:
        run = read_run(connection, begun["import_id"])
    engine.door.close()
    files.close()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {**took, "peak_mb": peak_mb, "taken": run.taken, "refused": run.refused}


if __name__ == "__main__":
    main()
