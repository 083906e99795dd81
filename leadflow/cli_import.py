"""`leadflow import`: bring lists in, look at them beforehand, get the refused rows, take a list back."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leadflow.terminal import REFUSED_ZH, Actor, fail, language, looking, operate, reading, say, tell

if TYPE_CHECKING:
    from ingest.lists.table import ListRefused
    from leadflow.imports.preview import Preview
    from store.imports import Run

# ruff: noqa: PLR0917
# Everything heavy is imported inside the commands: `leadflow --help` answers in a tenth of a second.

lists = typer.Typer(no_args_is_help=True, help="Lists: preview, run, list, show, errors, revert.")

File = Annotated[Path, typer.Argument(help="CSV, TSV, XLSX or XLS", exists=True, dir_okay=False)]
Source = Annotated[str, typer.Option(help="The sender: a source of format list.row")]
Customers = Annotated[
    bool, typer.Option("--customers", help="The rows are customers we have, with owner and history")
]
Mapped = Annotated[
    list[str] | None, typer.Option("--map", help="COLUMN=TARGET: what a column is; remembered for the sender")
]
Sheet = Annotated[str, typer.Option(help="Of a workbook, if it is not the first with anything in it")]
Heap = Annotated[
    str, typer.Option(help="Where customers go whom nobody has: queue:UNIT, pool:POOL or nurture:CADENCE")
]
Horizon = Annotated[
    int, typer.Option(min=0, help="Customers untouched for so many days get a dated step; 0: none do")
]
PerDay = Annotated[int, typer.Option(min=1, max=1000, help="Dated steps for one person and working day")]
NoRoute = Annotated[bool, typer.Option("--no-route", help="No rule decides, and nothing is to be done first")]
NoNotify = Annotated[bool, typer.Option("--no-notify", help="Nobody is told, inside and outside")]


@lists.command("preview")
def preview(
    file: File,
    source: Source,
    customers: Customers = False,
    mapped: Mapped = None,
    sheet: Sheet = "",
    heap: Heap = "",
    horizon: Horizon = 0,
    per_day: PerDay = 10,
    no_route: NoRoute = False,
    no_notify: NoNotify = False,
) -> None:
    """Show the first 20 rows as they would be read, and what would happen to all; changes nothing."""
    asked = _asked(mapped, sheet, heap, (horizon, per_day), (no_route, no_notify))
    _show_preview(_previewed(file, source, "customers" if customers else "leads", asked))


@lists.command("run")
def run(
    file: File,
    source: Source,
    customers: Customers = False,
    mapped: Mapped = None,
    sheet: Sheet = "",
    heap: Heap = "",
    horizon: Horizon = 0,
    per_day: PerDay = 10,
    no_route: NoRoute = False,
    no_notify: NoNotify = False,
    campaign: Annotated[str, typer.Option(help="The campaign that the list and its cost belong to")] = "",
    cost: Annotated[str, typer.Option(help="What the list cost, as in '12000.00 CNY'")] = "",
    actor: Actor = "operator",
) -> None:
    """Take a list: the file is kept first, then its rows one by one. The same file again goes on where it was."""
    asked = _asked(mapped, sheet, heap, (horizon, per_day), (no_route, no_notify))
    kind = "customers" if customers else "leads"
    _checked(file, source, kind, asked)
    begun = _begun(
        file, source, {"kind": kind, "spec": asked, "actor": actor, "campaign": campaign, **_money(cost)}
    )
    while True:
        answer = operate("import_step", id=begun, actor=actor)
        if not answer["more"]:
            break
        total = f" / {answer['total']}" if answer["total"] else ""
        say(f"{answer['done']}{total} rows", f"已读取 {answer['done']}{total} 行", err=True)
    _end_of(answer)


@lists.command("list")
def list_() -> None:
    """List what was brought, the newest first."""
    from store.imports import runs

    with reading() as connection:
        for one in runs(connection):
            day = _day(one.at_us)
            typer.echo(
                f"{one.import_id}\t{day}\t{one.source_id}\t{one.kind}\t{one.state}\t{one.taken}\t{one.refused}\t{one.name}"
            )


@lists.command("show")
def show(import_id: str) -> None:
    """Show how far a list is, what became of its rows, and what it cost."""
    from store.imports import became, codes_of, left_of

    with reading() as connection:
        one = _run(connection, import_id)
        for name, value in _facts(one):
            typer.echo(f"{name:12}{value}")
        for what, count in sorted(became(connection, import_id).items()):
            typer.echo(f"{what:24}{count}")
        for code, count in sorted(codes_of(connection, import_id).items()):
            typer.echo(f"refused {code:16}{count}")
        for what, count in sorted(left_of(connection, import_id).items()):
            typer.echo(f"reverted {what:15}{count}")


@lists.command("errors")
def errors(
    import_id: str,
    out: Annotated[Path, typer.Option(help="File to write: .csv or .xlsx", dir_okay=False)],
) -> None:
    """Write the refused rows in the same columns, with code and hint: correct them, and run that file."""
    from ingest.lists.row import ListSource
    from ingest.lists.table import ListRefused
    from leadflow.imports.errors import error_rows
    from leadflow.imports.pieces import NotYet
    from leadflow.tables_out import as_csv, as_xlsx
    from store.company import company_version, load_company

    with looking() as data:
        with data.store.read() as connection:
            one = _run(connection, import_id)
            company = load_company(connection, company_version(connection))
        settings = company.sources.get(one.source_id) or company.sources_off.get(one.source_id)
        if settings is None:
            fail(f"The source {one.source_id} is gone.", f"来源 {one.source_id} 已不存在。")
        try:
            header, rows = error_rows(data, one, ListSource.model_validate(settings), language())
            if out.suffix == ".xlsx":
                out.write_bytes(as_xlsx(header, rows))
            else:
                with out.open("wb") as file:
                    file.writelines(as_csv(header, rows))
        except ListRefused as refused:
            _refuse(refused)
        except NotYet:
            fail("The list has not been read yet.", "名单尚未读取。")
    say(f"{one.refused} rows in {out}", f"{one.refused} 行已写入 {out}")


@lists.command("revert")
def revert(
    import_id: str,
    reason: Annotated[str, typer.Option(help="Why; kept with the act")] = "",
    actor: Actor = "operator",
) -> None:
    """Take a list back within 30 days: what went on since stays, and is named."""
    answer: dict[str, Any] = {"more": True}
    while answer["more"]:
        answer = operate("import_revert", id=import_id, actor=actor, reason=reason)
    for what, count in sorted(answer["rows"].items()):
        typer.echo(f"{what}\t{count}")
    left = sum(answer["rows"].values()) - answer["rows"].get("out", 0)
    out = answer["rows"].get("out", 0)
    say(f"{out} rows taken back, {left} left", f"已撤回 {out} 行，保留 {left} 行")


def _asked(
    mapped: list[str] | None, sheet: str, heap: str, days: tuple[int, int], off: tuple[bool, bool]
) -> dict[str, Any]:
    from ingest.lists.columns import read_said
    from ingest.lists.table import ListRefused

    try:
        said = read_said(mapped or [])
    except ListRefused as refused:
        _refuse(refused)
    return {
        "route": not off[0],
        "notify": not off[1],
        "heap": heap or None,
        "horizon_days": days[0] or None,
        "per_day": days[1],
        "sheet": sheet or None,
        "said": said,
    }


def _refuse(refused: ListRefused) -> Any:
    fail(f"{refused.code}: {refused}", f"{refused.code}：{refused.zh}")


def _previewed(file: Path, source: str, kind: str, asked: dict[str, Any], most: int | None = None) -> Preview:
    """Return what would happen to a file; ends with 2 for one that is no list."""
    from ingest.lists.table import ListRefused
    from leadflow.imports.local import preview_of
    from store.acts import ActRefused

    with reading() as connection, file.open("rb") as opened:
        try:
            return preview_of(connection, opened, (source, kind), asked, most)
        except ListRefused as refused:
            _refuse(refused)
        except ActRefused as refused:
            zh = REFUSED_ZH.get(refused.code)
            fail(f"{refused.code}: {refused}", f"{zh}（{refused.code}）" if zh else None)
    raise AssertionError


def _checked(file: Path, source: str, kind: str, asked: dict[str, Any]) -> None:
    """End with 2 for a file that is no list before anything of it is kept."""
    _previewed(file, source, kind, asked, most=1)


def _begun(file: Path, source: str, asked: dict[str, Any]) -> str:
    from leadflow.imports.pieces import cut, digest_of

    with file.open("rb") as opened:
        digest, size = digest_of(opened)
        pieces = [
            operate(
                "import_piece", source=source, digest=digest, number=number, body=b64encode(body).decode()
            )["capture_id"]
            for number, body in enumerate(cut(opened))
        ]
    answer = operate(
        "import_begin", source=source, digest=digest, bytes=size, name=file.name, pieces=pieces, **asked
    )
    if answer["resumed"]:
        say(f"{answer['import_id']} was begun before", f"{answer['import_id']} 此前已开始", err=True)
    return str(answer["import_id"])


def _money(cost: str) -> dict[str, Any]:
    from sales.money import MoneyError, read_amount

    if not cost:
        return {}
    try:
        minor, currency = read_amount(cost, "")
    except MoneyError:
        fail(f"{cost!r} is no cost; write it as '12000.00 CNY'", f"{cost!r} 不是费用；请写成 '12000.00 CNY'")
    return {"cost_minor": minor, "currency": currency}


def _run(connection: Any, import_id: str) -> Run:
    from store.acts import ActRefused
    from store.imports import read_run

    try:
        return read_run(connection, import_id)
    except ActRefused as refused:
        fail(str(refused), REFUSED_ZH.get(refused.code))


def _day(at_us: int) -> str:
    from leadflow.exports import moment

    return str(moment(at_us))[:16]


def _facts(one: Run) -> list[tuple[str, Any]]:
    facts = [
        ("list", one.import_id),
        ("file", one.name),
        ("source", one.source_id),
        ("kind", one.kind),
        ("state", f"{one.state} ({one.code})" if one.code else one.state),
        ("brought", f"{_day(one.at_us)} {one.actor}"),
        ("rows", f"{one.next_row - 1}{f' / {one.total}' if one.total else ''}"),
        ("taken", one.taken),
        ("refused", one.refused),
        ("route", "yes" if one.spec.get("route") else "no"),
        ("notify", "yes" if one.spec.get("notify") else "no"),
        ("heap", one.spec.get("heap") or "-"),
    ]
    if one.cost_minor is not None:
        facts.append(
            ("cost", f"{one.cost_minor} minor units {one.currency}, campaign {one.campaign_id or '-'}")
        )
    return facts


def _end_of(answer: dict[str, Any]) -> None:
    typer.echo(f"{answer['import_id']}\t{answer['state']}")
    if answer["state"] == "stopped":
        fail(f"stopped: {answer['code']}", f"已停止：{answer['code']}")
    say(
        f"{answer['taken']} rows taken, {answer['refused']} refused",
        f"已导入 {answer['taken']} 行，拒绝 {answer['refused']} 行",
    )
    if answer["refused"]:
        name = f"leadflow import errors {answer['import_id']} --out errors.csv"
        say(f"the refused rows: {name}", f"被拒绝的行：{name}")


def _show_preview(found: Preview) -> None:
    columns = zip(found.header.names, found.header.targets, strict=True)
    how = ", ".join(filter(None, (found.encoding, found.delimiter and repr(found.delimiter), found.sheet)))
    say(f"header in row {found.header.number} ({how})", f"表头在第 {found.header.number} 行（{how}）")
    for name, target in columns:
        typer.echo(f"  {name} = {target or tell('kept as it is', '原样保留')}")
    for row in found.shown:
        said = " · ".join(f"{name} {value}".strip() for name, value in row.fields)
        mark = f"  ✗ {row.refused.code}" if row.refused else f"  → {row.owner}" if row.owner else ""
        typer.echo(f"{row.number}\t{said}{mark}")
    refused = found.refused.total()
    say(
        f"{found.rows} rows: {found.new} new, {found.joined} joined, {refused} refused, {found.aside} put aside until a date",
        f"共 {found.rows} 行：新增 {found.new}，并入 {found.joined}，拒绝 {refused}，定期再联系 {found.aside}",
    )
    for code, count in sorted(found.refused.items()):
        typer.echo(f"  {code}\t{count}")
    if found.owners["known"] or found.owners["unknown"] or found.owners["left"]:
        owners = found.owners
        say(
            f"owners: {owners['known']} known, {owners['left']} have left, {owners['unknown']} unknown, {owners['nobody']} without",
            f"负责人：在职 {owners['known']}，已离职 {owners['left']}，未知 {owners['unknown']}，未填 {owners['nobody']}",
        )
    for name, count in found.strangers.most_common(20):
        typer.echo(f"  {name}\t{count}")
