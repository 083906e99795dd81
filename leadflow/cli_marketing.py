"""`leadflow campaigns`, `stage`, `orders`, `spend` and `alias`: what campaigns cost and brought, and what that is reckoned from."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from leadflow.terminal import Actor, fail, language, operate, problems_end, reading, say, tell

if TYPE_CHECKING:
    from collections.abc import Callable

    from sales.money_files import Wrong
    from schemas.company import Company

# Everything heavy is imported inside the commands: `leadflow --help` answers in a tenth of a second.

_AT_ONCE = 10_000
"""Orders that a running host is sent at once: it takes them in within some seconds."""
orders = typer.Typer(no_args_is_help=True, help="Orders: import, list those of nobody, say whose one is.")
spend = typer.Typer(no_args_is_help=True, help="What campaigns cost: import, add, list, take back.")
Key = Annotated[str, typer.Option(help="Done twice under one key, it happens once")]
Currency = Annotated[str, typer.Option(help="Of amounts that name none")]
Source = Annotated[str, typer.Option(help="What the list counts as; default: the file's name")]
Since = Annotated[str, typer.Option("--from", help="First day; without it the first of this month")]
Until = Annotated[str, typer.Option("--to", help="Last day; without it today")]


def campaigns(
    since: Since = "",
    until: Until = "",
    by: Annotated[
        Literal["campaign", "channel", "source"], typer.Option(help="What a row stands for")
    ] = "campaign",
    json: Annotated[bool, typer.Option("--json", help="As JSON")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV for spreadsheet programs")] = False,
) -> None:
    """Show what each campaign cost and brought: leads, valid ones, how far they came, orders, and the cost of each."""
    import orjson

    from leadflow.clock import wall_clock_us
    from sales.campaign_table import total
    from sales.campaigns import asked_period, campaigns_table
    from sales.campaigns_shown import as_csv, as_json, cells, heading
    from store.company import company_version, load_company

    with reading() as connection:
        company = load_company(connection, company_version(connection))
        try:
            period = asked_period(since, until, company.zone, wall_clock_us())
        except ValueError:
            fail(
                "Write days such as 2026-11-01, the first one first",
                "请填写 2026-11-01 这样的日期，先开始后结束",
            )
        rows = campaigns_table(connection, period, by)
    if json:
        typer.echo(orjson.dumps(as_json(rows, period, by), option=orjson.OPT_INDENT_2).decode())
        return
    if csv:
        sys.stdout.buffer.write(as_csv(rows, by, company, language()))
        return
    typer.echo("\t".join(heading(by, language())))
    for name, row in [*((row.key or "-", row) for row in rows), (tell("total", "合计"), total(rows))]:
        typer.echo("\t".join([name, *(one or "-" for one in cells(row))]))


def stage(
    customer: Annotated[str, typer.Argument(help="A customer, under any of its ids")],
    name: Annotated[
        str, typer.Argument(help="new, contacted, opportunity, won, later or lost; without it, show them")
    ] = "",
    *,
    line: Annotated[
        str, typer.Option(help="Product line; default: that of the customer's last enquiry")
    ] = "",
    until: Annotated[str, typer.Option(help="Of later: the day to take it up again")] = "",
    lost: Annotated[str, typer.Option(help="Of lost: one of the reasons of choices.csv (no_need)")] = "",
    reason: Annotated[str, typer.Option(help="Why it is set by hand")] = "",
    actor: Actor = "operator",
    key: Key = "",
) -> None:
    """Show how far a customer is on each product line, and since when; or set the stage, backward too."""
    if not name:
        _show_stages(customer)
        return
    until_us = None
    if until:
        from leadflow.cli_routing import days_of
        from leadflow.clock import wall_clock_us

        until_us, _ = days_of(until, "", _company().zone, wall_clock_us())
    answer = operate(
        "stage",
        id=customer,
        stage=name,
        line=line or None,
        until_us=until_us,
        lost=lost or None,
        reason=reason or None,
        actor=actor,
        key=key or None,
    )
    say(f"{customer}: {name} ({answer['act_id']})", f"{customer}：{name}（{answer['act_id']}）")


def _show_stages(customer: str) -> None:
    from console.view import View
    from leadflow.clock import wall_clock_us
    from sales.life_facts import records_of
    from store.company import company_version, load_company

    with reading() as connection:
        company = load_company(connection, company_version(connection))
        records = records_of(connection, [customer])
    if not records:
        fail(f"There is no customer {customer}", f"没有客户 {customer}")
    view = View(language(), company, wall_clock_us())
    for record in records.values():
        for life, sold in record.lives():
            for stay in life.stays:
                typer.echo(
                    f"{life.line or '-'}\t{view.exact(stay.from_us)}\t{stay.stage}\t{stay.person_id or '-'}\t"
                    f"{stay.by} {stay.cause}\t{stay.reason or '-'}"
                )
            say(
                f"  first touch {life.lead_id}, {len(sold)} orders",
                f"  首次来源 {life.lead_id}，订单 {len(sold)} 个",
            )


@orders.command("import")
def orders_import(
    file: Annotated[Path, typer.Argument(help="CSV or XLSX; headings in Chinese or English")],
    source: Source = "",
    currency: Currency = "CNY",
    actor: Actor = "operator",
) -> None:
    """Take a list of orders in; sent again, corrected or cancelled, it says so. Exit 1 if rows were wrong."""
    from sales.money_files import read_orders

    company = _company()
    rows, wrong = _read(read_orders, file, company, currency)
    payload = [one.model_dump(mode="json") for one in rows]
    counts: Counter[str] = Counter()
    still_open = 0
    for start in range(0, len(payload), _AT_ONCE):
        some = payload[start : start + _AT_ONCE]
        answer = operate("take_orders", source=source or file.stem, orders=some, actor=actor)
        counts.update(answer["counts"])
        still_open += len(answer["open"])
        for one in answer["open"]:
            typer.echo(f"{one['order_no']}\t{one['why_open']}\t{_why(one['why_open'])}")
    _tell_counts(counts, wrong)
    if still_open:
        say(
            f"{still_open} belong to nobody yet: leadflow orders assign ORDER CUSTOMER",
            f"{still_open} 个订单尚无对应客户：leadflow orders assign 订单号 客户编号",
        )
    raise typer.Exit(1 if wrong else 0)


@orders.command("list")
def orders_list() -> None:
    """List the orders that belong to nobody yet, with the reason and what they name."""
    from console.times import local
    from sales.money import plain
    from sales.orders import open_orders

    zone = _company().zone
    with reading() as connection:
        found = open_orders(connection)
    for row in found:
        given = " · ".join(str(value) for name, value in row["given"].items() if name != "identifiers")
        amount = f"{plain(row['amount_minor'], row['currency'])} {row['currency']}"
        day = f"{local(row['ordered_us'], zone):%Y-%m-%d}"
        typer.echo(
            "\t".join((row["source"], row["order_no"], day, amount, _why(row["why_open"]), given or "-"))
        )
    say(f"{len(found)} orders belong to nobody yet", f"{len(found)} 个订单尚无对应客户")


@orders.command("assign")
def orders_assign(
    order_no: Annotated[str, typer.Argument(help="The order's number")],
    customer: Annotated[str, typer.Argument(help="A customer, under any of its ids")],
    *,
    source: Annotated[str, typer.Option(help="If several sources have that number")] = "",
    reason: Annotated[str, typer.Option(help="Why")] = "",
    actor: Actor = "operator",
    key: Key = "",
) -> None:
    """Say whose an order is, also if it was matched to somebody else."""
    operate(
        "assign_order",
        id=customer,
        order_no=order_no,
        source=source or None,
        reason=reason or None,
        actor=actor,
        key=key or None,
    )
    say(f"{order_no} belongs to {customer}", f"{order_no} 已归 {customer}")


@spend.command("import")
def spend_import(
    file: Annotated[Path, typer.Argument(help="CSV or XLSX; headings in Chinese or English")],
    source: Source = "",
    currency: Currency = "CNY",
    actor: Actor = "operator",
) -> None:
    """Take in what campaigns cost; the list again with other amounts is a correction. Exit 1 if rows were wrong."""
    from sales.money_files import read_spend

    rows, wrong = _read(read_spend, file, _company(), currency)
    counts: dict[str, int] = {}
    if rows:
        answer = operate(
            "take_spend",
            id="spend",
            source=source or file.stem,
            entries=[_entry(one) for one in rows],
            actor=actor,
        )
        counts = answer["counts"]
    _tell_counts(counts, wrong)
    raise typer.Exit(1 if wrong else 0)


@spend.command("add")
def spend_add(
    campaign: Annotated[str, typer.Argument(help="Code of a campaign")],
    amount: Annotated[str, typer.Argument(help="As in 1234.50")],
    *,
    since: Annotated[str, typer.Option("--from", help="First day, or a month: 2026-11")],
    until: Annotated[str, typer.Option("--to", help="Last day, included")] = "",
    currency: Currency = "CNY",
    note: Annotated[str, typer.Option(help="What for")] = "",
    actor: Actor = "operator",
    key: Key = "",
) -> None:
    """Add one entry of what a campaign cost; days in between are charged alike."""
    from sales.money_files import WRONG, WrongCell, spending_of

    cells = {"campaign": campaign, "from": since, "to": until, "amount": amount, "note": note}
    try:
        entry = spending_of(cells, _company(), currency)
    except WrongCell as wrong:
        en, zh = WRONG[wrong.code]
        fail(f"{wrong.column}: {wrong.value} {en}", f"{wrong.column}：{wrong.value} {zh}")
    answer = operate(
        "take_spend", id=entry.campaign_id, entries=[_entry(entry)], actor=actor, key=key or None
    )
    say(f"added ({answer['act_id']})", f"已录入（{answer['act_id']}）")


@spend.command("list")
def spend_list(since: Since = "", until: Until = "") -> None:
    """List the entries that count in a period."""
    from leadflow.clock import wall_clock_us
    from sales.campaigns import asked_period
    from sales.money import plain
    from sales.spend import entries

    with reading() as connection:
        try:
            period = asked_period(since, until, _company().zone, wall_clock_us())
        except ValueError:
            fail(
                "Write days such as 2026-11-01, the first one first",
                "请填写 2026-11-01 这样的日期，先开始后结束",
            )
        found = entries(connection, period.first, period.last)
    for row in found:
        amount = f"{plain(row['amount_minor'], row['currency'])} {row['currency']}"
        told = (row["spend_id"], row["campaign_id"], row["from_day"], row["to_day"], amount, row["source"])
        typer.echo("\t".join((*told, row["note"] or "-")))
    say(f"{len(found)} entries", f"{len(found)} 条花费")


@spend.command("remove")
def spend_remove(
    spend_id: Annotated[str, typer.Argument(help="Id of an entry, from: leadflow spend list")],
    reason: Annotated[str, typer.Option(help="Why")] = "",
    actor: Actor = "operator",
    key: Key = "",
) -> None:
    """Take an entry back: it stays on record, and counts no more."""
    operate("end_spend", id=spend_id, actor=actor, reason=reason or None, key=key or None)
    say(f"{spend_id} counts no more", f"{spend_id} 不再计入")


def alias(
    campaign: Annotated[str, typer.Argument(help="Code of the campaign that it is to count for")],
    kind: Annotated[str, typer.Argument(help="utm, click, tag, dialled, list or heard")],
    value: Annotated[str, typer.Argument(help="The name that leads came with")],
    *,
    reason: Annotated[str, typer.Option(help="Why")] = "",
    actor: Actor = "operator",
    key: Key = "",
) -> None:
    """Have a name that no list has count for a campaign: from now on, and for the leads that came with it."""
    answer = operate(
        "assign_alias",
        id=campaign,
        kind=kind,
        value=value,
        actor=actor,
        reason=reason or None,
        key=key or None,
    )
    say(f"{answer['leads']} leads count for {campaign} now", f"{answer['leads']} 条线索现计入 {campaign}")


def _entry(one: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(one), "from_day": one.from_day.isoformat(), "to_day": one.to_day.isoformat()}


def _company() -> Company:
    from store.company import company_version, load_company

    with reading() as connection:
        return load_company(connection, company_version(connection))


def _read(
    read: Callable[..., tuple[list[Any], list[Wrong]]], file: Path, company: Company, currency: str
) -> tuple[list[Any], list[Wrong]]:
    """Read a list and tell what is wrong with its rows; end with 2 if it is none."""
    from sales.money_files import WRONG
    from sales.problems import CompanyError

    try:
        rows, wrong = read(file.read_bytes(), file.name, company, currency)
    except CompanyError as error:
        problems_end(error.problems)
    except OSError as error:
        fail(f"{file}: {error.strerror}", f"无法读取 {file}：{error.strerror}")
    for one in wrong:
        en, zh = WRONG[one.code]
        say(
            f"{file.name}, line {one.line}, column {one.column}: {one.value} {en}",
            f"{file.name} 第 {one.line} 行，{one.column} 列：{one.value} {zh}",
            err=True,
        )
    return rows, wrong


def _tell_counts(counts: dict[str, int], wrong: list[Wrong]) -> None:
    named = [
        (counts.get(name, 0), en, zh)
        for name, en, zh in (
            ("new", "new", "新增"),
            ("corrected", "corrected", "更正"),
            ("cancelled", "cancelled", "取消"),
            ("matched", "now matched", "新匹配"),
            ("known", "known already", "已有"),
        )
    ]
    named.append((len(wrong), "wrong", "有误"))
    say(
        ", ".join(f"{count} {en}" for count, en, _ in named if count) or "nothing",
        "，".join(f"{zh} {count}" for count, _, zh in named if count) or "无",
    )


def _why(code: str) -> str:
    from console import words
    from console.texts import WORDING

    return words.word(words.WHY_OPEN, code, WORDING.translations(language()).gettext)
