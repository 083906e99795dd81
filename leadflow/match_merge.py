"""`leadflow match merge` and `unmerge`: two customers are one, or one is two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from leadflow.terminal import REFUSED_ZH, Actor, fail, operate, reading, say, tell

if TYPE_CHECKING:
    from enrich.acts_part import Parting
    from enrich.part import Cut
    from enrich.settle_part import PartedSide

# Everything heavy is imported inside the commands: `leadflow --help` answers in a tenth of a second.

Reason = Annotated[str, typer.Option(help="Why; kept with the act")]


def merge(
    one: Annotated[str, typer.Argument(help="A customer or contact, under any of its ids")],
    other: Annotated[str, typer.Argument(help="The one that it is, too")],
    although: Annotated[
        bool, typer.Option("--although", help="Although they were parted, or have different tax numbers")
    ] = False,
    actor: Actor = "operator",
    reason: Reason = "",
) -> None:
    """Say that two customers (or two contacts) are one: the oldest id stays, every other leads to it."""
    answer = operate("merge", id=one, other=other, although=although, actor=actor, reason=reason)
    say(
        f"merged into {answer['name']} ({answer['act_id']})",
        f"已合并为 {answer['name']}（{answer['act_id']}）",
    )


def unmerge(
    customer: Annotated[str, typer.Argument(help="A customer or contact, under any of its ids")],
    *,
    leads: Annotated[
        str, typer.Option(help="Leads that are somebody else's, with commas between; else a merge is undone")
    ] = "",
    act: Annotated[str, typer.Option(help="The merge to be undone; else the latest")] = "",
    keep_contacts: Annotated[
        bool, typer.Option("--keep-contacts", help="Who has leads on both sides is one person, and stays one")
    ] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Only show what would happen")] = False,
    actor: Actor = "operator",
    reason: Reason = "",
) -> None:
    """Part what is two: undo a merge, or part leads. Each side gets what its own leads' decisions gave it."""
    from enrich.acts_part import plan_parting
    from leadflow.clock import wall_clock_us
    from leadflow.operate import wish_of
    from store.acts import ActRefused

    if leads and act:
        fail("Name leads or an act, not both", "--leads 与 --act 只能用一个")
    payload: dict[str, Any] = {
        "id": customer,
        "leads": [one.strip() for one in leads.split(",") if one.strip()],
        "act_id": act or None,
        "keep_contacts": keep_contacts,
    }
    if preview:
        with reading() as connection:
            try:
                _show(plan_parting(connection, wish_of(payload), wall_clock_us()))
            except ActRefused as refused:
                fail(str(refused), REFUSED_ZH.get(refused.code))
        return
    with reading() as connection:
        try:
            planned = plan_parting(connection, wish_of(payload), wall_clock_us())
        except ActRefused:
            planned = None  # the act itself says why, in the language of the terminal
    answer = operate("unmerge", **payload, actor=actor, reason=reason)
    if planned is not None:
        _show(planned)
    say(f"parted ({answer['act_id']})", f"已拆分（{answer['act_id']}）")


def _show(parting: Parting) -> None:
    """Print what a parting does, a line each."""
    for side in parting.sides:
        for line in _lines(side):
            typer.echo(line)
    for one in parting.contacts:
        typer.echo(_contact(one))
    for kind, value in parting.shared:
        say(
            f"identifies nobody any more: {kind} {value}",
            f"不再用于识别：{kind} {value}",
        )
    for row in parting.sent:
        say(
            f"cannot be taken back: {row['delivery_id']} to {row['dest']} by {row['sink_id']}, {row['lead_id'] or '-'}",
            f"无法收回：{row['delivery_id']}，经 {row['sink_id']} 已发给 {row['dest']}，{row['lead_id'] or '-'}",
        )


def _lines(side: PartedSide) -> list[str]:
    lines = [f"{side.name}\t{side.kind}\t{side.state}\t{side.holder[1]}\t{side.decision_id or '-'}"]
    lines += [f"  {tell('lead', '线索')}\t{lead_id}" for lead_id in side.leads]
    for row in side.tasks:
        if row["state"] == "open":
            due = _moment(row["due_us"])
            lines.append(
                f"  {tell('task', '待办')}\t{row['task_id']}\t{row['origin']}\t{tell('due', '时限')} {due}"
            )
    for row in side.credit:
        counted = f"{row['person_id']}\t{row['team_id']} {row['period']}\t{row['delta']:+d}"
        lines.append(f"  {tell('credit', '计数')}\t{counted}")
    return lines


def _contact(one: Cut) -> str:
    return f"{tell('contact', '联系人')}\t{' '.join(sorted(one.mine))} | {' '.join(sorted(one.others))}"


def _moment(at_us: int) -> str:
    from leadflow.exports import moment

    return str(moment(at_us))
