"""`leadflow segments`: which customers are in which segment, and how they spread over regions, industries, grades."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import orjson
import typer

from leadflow.terminal import fail, language, reading, say, tell


def segments(
    segment: Annotated[
        str, typer.Argument(help="Only this one: a customer a line, as JSON; without it, how many each has")
    ] = "",
    by: Annotated[
        str, typer.Option(help="Count by a fact: province, industry, product, grade, holder …")
    ] = "",
) -> None:
    """Show the company's segments (segments.csv), or who is in one, or how customers spread over a fact."""
    from leadflow.clock import wall_clock_us
    from sales.segments import customers_of, members
    from schemas.segments import CUSTOMER_FACTS, read_segments
    from store.company import company_version, load_company

    if by and by not in CUSTOMER_FACTS:
        names = ", ".join(CUSTOMER_FACTS)
        fail(f"There is no fact {by!r}; known: {names}", f"没有 {by!r} 这个字段；可用：{names}")
    with reading() as connection:
        company = load_company(connection, company_version(connection))
        known = {
            one.row.name: one for one in read_segments(company.segments_csv or "segment,name_zh,name_en\n")
        }
        if segment and segment not in known:
            names = ", ".join(known) or tell("none; see segments.csv", "暂无；请见 segments.csv")
            fail(f"There is no segment {segment!r}; known: {names}", f"没有客群 {segment!r}；现有：{names}")
        customers = list(customers_of(connection, company, wall_clock_us()))
    chosen = list(members(customers, known[segment])) if segment else customers
    if by:
        counts = Counter(one.facts[by] for one in chosen)
        for value, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            typer.echo(f"{count}\t{value or '–'}")
    elif segment:
        for one in chosen:
            row = {"customer_id": one.customer_id, **one.facts, "to_ask": one.gaps}
            typer.echo(orjson.dumps(row).decode())
    else:
        for each in known.values():
            name = each.name_zh if language() == "zh" else each.name_en
            typer.echo(f"{len(list(members(customers, each)))}\t{each.row.name}\t{name}")
        say(f"{len(customers)}\tcustomers in all", f"{len(customers)}\t客户总数")
