"""`leadflow taken`: whether a customer is somebody's already, without saying whose name or number it is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from leadflow.terminal import Actor, language, operate, reading, say


def taken(
    customer: Annotated[str, typer.Argument(help="A whole telephone number, or a company's name")],
    actor: Actor = "operator",
) -> None:
    """Ask whether a customer is taken: which department, since when, whom to ask. Its owner sees who asked."""
    from store.company import company_version, load_company

    answer = operate("ask_taken", asked=customer, actor=actor)
    with reading() as connection:
        ours = load_company(connection, company_version(connection))
    if not answer["taken"]:
        say("not taken", "无人负责")
    for one in answer["taken"]:
        unit, person = ours.units.get(one["unit"]), ours.people.get(one["ask"] or "")
        since = datetime.fromtimestamp(one["since_us"] // 1_000_000, ZoneInfo(ours.zone)).date()
        where = (unit.name_zh if language() == "zh" else unit.name_en) if unit else one["unit"]
        whom = ((person.name if language() == "zh" else person.name_en) or person.name) if person else "–"
        if one["yours"]:
            closed = (", closed", "，已关闭") if one["closed"] else ("", "")
            say(f"yours, since {since}{closed[0]}", f"由您负责，自 {since} 起{closed[1]}")
        elif one["closed"]:
            say(
                f"closed: last with {where}, since {since}; ask {whom}",
                f"已关闭：最后由{where}负责，自 {since} 起；请联系 {whom}",
            )
        else:
            say(
                f"taken: {where}, since {since}; ask {whom}",
                f"已有人负责：{where}，自 {since} 起；请联系 {whom}",
            )
