"""`leadflow pools`, `pool show`, `claim` and `release`: open pools (公海), what lies there, and taking and putting back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from leadflow.terminal import REFUSED_ZH, fail, language, operate, reading, say, tell

if TYPE_CHECKING:
    from schemas.company import Company

# Everything heavy is imported inside the commands: `leadflow --help` answers in a tenth of a second.

pool = typer.Typer(no_args_is_help=True, help="One open pool: what lies there.")
Who = Annotated[str, typer.Option("--by", envvar="LEADFLOW_ACTOR", help="Who does it: a person's code")]


def pools() -> None:
    """List the open pools: how many customers lie in each, how long the oldest has, and who may claim how many."""
    from leadflow.clock import wall_clock_us
    from store.company import company_version, load_company
    from store.pools import counts

    with reading() as connection:
        company = load_company(connection, company_version(connection))
        found = counts(connection)
    for one in company.pools.values():
        count = found.get(one.pool_id)
        days = (wall_clock_us() - count.oldest_us) // _DAY_US if count and count.oldest_us else 0
        limits = f"{_limit(one.open_limit)}\t{_limit(one.day_limit)}"
        name = one.name_zh if language() == "zh" else one.name_en
        typer.echo(f"{one.pool_id}\t{name}\t{count.customers if count else 0}\t{days}\t{limits}")
    say(
        f"{len(company.pools)} pools (code, name, customers, days of the oldest, claims open at once, claims a day)",
        f"{len(company.pools)} 个公海（代码、名称、客户数、最久天数、跟进中上限、每日上限）",
    )


@pool.command("show")
def show(
    pool_id: Annotated[str, typer.Argument(help="Code of a pool")],
    by: Annotated[
        str, typer.Option("--by", help="Say of each customer whether this person may claim it")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="Only so many, who is there longest first")] = 50,
) -> None:
    """List what lies in a pool, without anything that says who it is; with `--by`, why somebody may not claim it."""
    from leadflow.clock import wall_clock_us
    from schemas.pools import why_not
    from store.company import company_version, load_company
    from store.pools import claimer, entries, lying

    with reading() as connection:
        company = load_company(connection, company_version(connection))
        chosen = company.pools.get(pool_id)
        if chosen is None:
            known = ", ".join(company.pools) or "-"
            fail(f"There is no pool {pool_id!r}; there are: {known}", f"没有公海 {pool_id}；现有：{known}")
        now_us = wall_clock_us()
        found = lying(connection, pool_id, limit)
        past = entries(connection, {one.customer_id: one.since_us for one in found}, by) if by else {}
        who = claimer(connection, company, chosen, by, now_us) if by else None
    for one in found:
        about = " · ".join(_about(company, one.product_line, one.province, one.city, one.grade))
        why = why_not(chosen, who, past[one.customer_id], now_us) if who is not None else None
        days = (now_us - one.since_us) // _DAY_US
        typer.echo(f"{one.customer_id}\t{days}\t{about or '-'}" + (f"\t{_why(why)}" if by else ""))
    say(
        f"{len(found)} customers (id, days in the pool, what it asked about)",
        f"{len(found)} 个客户（编号、在池天数、咨询内容）",
    )
    if who is not None:
        left = [_left(chosen.open_limit, who.open), _left(chosen.day_limit, who.today)]
        say(
            f"{by} may claim: {left[0]} more at once, {left[1]} more today",
            f"{by} 还可领取：跟进中 {left[0]} 个，今天 {left[1]} 个",
        )


def claim(
    customer: Annotated[str, typer.Argument(help="A customer, under any of its ids")],
    by: Who,
    key: Annotated[str, typer.Option(help="Done twice under one key, it happens once")] = "",
) -> None:
    """Claim a customer out of its pool: one of all who try gets it, with a task due within the first response."""
    answer = operate("claim", id=customer, actor=by, key=key or None)
    say(
        f"{customer} is with {by} now ({answer['act_id']})",
        f"{customer} 现由 {by} 负责（{answer['act_id']}）",
    )


def release(
    customer: Annotated[str, typer.Argument(help="A customer of the person's, under any of its ids")],
    by: Who,
    reason: Annotated[str, typer.Option(help="Why; whoever claims it next will ask")] = "",
    pool_id: Annotated[
        str, typer.Option("--pool", help="Into which; default: the one it was claimed from")
    ] = "",
    key: Annotated[str, typer.Option(help="Done twice under one key, it happens once")] = "",
) -> None:
    """Put a customer of one's own into an open pool, with its open tasks."""
    answer = operate("release", id=customer, actor=by, reason=reason, pool=pool_id or None, key=key or None)
    say(f"{customer} is in the pool now ({answer['act_id']})", f"{customer} 已放回公海（{answer['act_id']}）")


_DAY_US = 86_400_000_000


def _limit(limit: int | None) -> str:
    return "-" if limit is None else str(limit)


def _left(limit: int | None, used: int) -> str:
    return tell("any number", "不限") if limit is None else str(max(0, limit - used))


def _about(company: Company, line: str | None, *others: str | None) -> list[str]:
    named = company.lines.get(line or "")
    name = (named.name_zh if language() == "zh" else named.name_en) if named else line
    return [one for one in (name, *others) if one]


def _why(code: str | None) -> str:
    if code is None:
        return tell("may be claimed", "可领取")
    return f"{code}" if language() == "en" else f"{code}（{REFUSED_ZH[code]}）"
