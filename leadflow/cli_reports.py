"""`leadflow first-touch` and `leadflow sources`: how fast leads are turned to, and how many of a source are any."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from leadflow.cli_routing import days_of
from leadflow.terminal import language, reading, say

Since = Annotated[str, typer.Option("--from", help="First day; without it the first of this month")]
Until = Annotated[str, typer.Option("--to", help="Last day")]


def first_touch(
    since: Since = "",
    until: Until = "",
    late: Annotated[
        bool, typer.Option("--late", help="Each lead over its limit, with the hours counted")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="As JSON, every lead")] = False,
) -> None:
    """Show how much working time went by until leads were first turned to, by whoever has them."""
    from dataclasses import asdict

    import orjson

    from console.first_touch import hours
    from console.view import View
    from leadflow.clock import wall_clock_us
    from router.office import office_of
    from sales.first_touch import counted, first_touches, lines_of
    from store.company import company_version, load_company

    now_us = wall_clock_us()
    with reading() as connection:
        company = load_company(connection, company_version(connection))
        office = office_of(company)
        from_us, to_us = days_of(since, until, company.zone, now_us)
        found = first_touches(connection, office.calendar_of_holder, from_us, to_us, now_us)
    if json:
        shown = [{**asdict(one), "over_s": one.over_s} for one in found]
        typer.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
        return
    view = View(language(), company, now_us)
    say("holder\tleads\ttouched\twithin limit\tmedian\tworst", "负责人\t线索\t已接触\t时限内\t中位数\t最长")
    for line in lines_of(found):
        middle = "-" if line.median_s is None else view.length(line.median_s)
        numbers = (line.leads, line.touched, line.within, middle, view.length(line.worst_s))
        typer.echo("\t".join(map(str, (line.holder_id, *numbers))))
    over = [one for one in found if one.over_s]
    for one in over if late else ():
        spans = counted(one, office.calendar_of_holder(one.holder_id), now_us)
        told = (one.lead_id, one.holder_id, view.length(one.counted_s), hours(spans, company.zone))
        typer.echo("  " + "\t".join(map(str, told)))
    say(
        f"{len(found)} leads, {len(over)} over their limit, in working time",
        f"共 {len(found)} 条线索，{len(over)} 条超出时限（按工作时间计）",
    )


def sources(
    by: Annotated[
        Literal["source", "campaign", "channel"], typer.Option(help="What leads are counted by")
    ] = "source",
    since: Since = "",
    until: Until = "",
    json: Annotated[bool, typer.Option("--json", help="As JSON")] = False,
) -> None:
    """Show how many leads each source brought, how many of them turned out to be none, and how many were won."""
    from dataclasses import asdict

    import orjson

    from leadflow.clock import wall_clock_us
    from sales.valid_leads import brought
    from store.company import company_version, load_company

    with reading() as connection:
        zone = load_company(connection, company_version(connection)).zone
        from_us, to_us = days_of(since, until, zone, wall_clock_us())
        found = brought(connection, by, from_us, to_us)
    if json:
        shown = [{**asdict(one), "valid": one.valid} for one in found]
        typer.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
        return
    say(f"{by}\tleads\tvalid\tinvalid\twon", f"{_BY_ZH[by]}\t线索\t有效\t无效\t成交")
    for one in found:
        typer.echo("\t".join(map(str, (one.key or "-", one.leads, one.valid, one.invalid, one.won))))
    leads, valid = sum(one.leads for one in found), sum(one.valid for one in found)
    say(f"{valid} of {leads} leads are valid so far", f"{leads} 条线索中目前 {valid} 条有效")


_BY_ZH = {"source": "来源", "campaign": "市场活动", "channel": "渠道"}
