"""`leadflow register` and `leadflow collisions`: claims on customers that somebody else has, and a manager's decision."""

from __future__ import annotations

from typing import Annotated

import typer

from leadflow.terminal import Actor, language, operate, reading, say, tell

collisions = typer.Typer(
    invoke_without_command=True,
    help="Customers that two departments want: list them, decide on one.",
)


def register(
    customer: Annotated[str, typer.Argument(help="The customer, under any of its ids")],
    by: Annotated[str, typer.Option(help="For whom: a person or a unit (department, branch, partner)")],
    until: Annotated[str, typer.Option(help="Last day of the protection, YYYY-MM-DD")],
    *,
    actor: Actor = "operator",
    reason: Annotated[str, typer.Option(help="Why; the other side sees it")] = "",
    key: Annotated[str, typer.Option(help="Done twice under one key, it happens once")] = "",
) -> None:
    """Register a customer: protected if it is theirs or nobody's, else a claim of which a manager decides."""
    from leadflow.cli_handover import moment_of
    from store.protection import DAY_US

    until_us = (moment_of(until) or 0) + DAY_US
    answer = operate(
        "register", id=customer, for_id=by, until_us=until_us, actor=actor, reason=reason, key=key or None
    )
    if answer["repeated"]:
        say(f"done before ({answer['act_id']})", f"此前已执行（{answer['act_id']}）")
    elif answer["has_it"]:
        say(
            f"registered for {by} until {until} ({answer['act_id']})",
            f"已为 {by} 报备至 {until}（{answer['act_id']}）",
        )
    else:
        say(
            f"somebody else has it; a manager decides: leadflow collisions ({answer['act_id']})",
            f"该客户已有他人负责，由主管裁定：leadflow collisions（{answer['act_id']}）",
        )


@collisions.callback()
def list_them(context: typer.Context) -> None:
    """List the claims of which nobody decided yet, the oldest first."""
    if context.invoked_subcommand is not None:
        return
    from console.names import holder_name
    from console.times import local
    from leadflow.clock import wall_clock_us
    from store.claims import collisions as open_ones
    from store.company import company_version, load_company

    with reading() as connection:
        company = load_company(connection, company_version(connection))
        found = open_ones(connection, wall_clock_us())
    for row in found:
        owner, claimant = (holder_name(company, row[one], language()) for one in ("holder_id", "claimant_id"))
        why = tell(*_WHY[row["why"]])
        until = ""
        if row["until_us"]:
            day = f"{local(row['until_us'] - 1, company.zone):%Y-%m-%d}"
            until = tell(f", until {day}", f"，至 {day}")
        typer.echo(
            f"{row['customer_id']}\t{owner} ({row['holder_id']})\t{claimant} ({row['claimant_id']})\t{why}{until}"
        )
    say(f"{len(found)} to be decided", f"{len(found)} 项待裁定")


_WHY = {"rule": ("by a rule", "按规则"), "registered": ("registered", "报备")}


@collisions.command("decide")
def decide(
    customer: Annotated[str, typer.Argument(help="The customer, under any of its ids")],
    owner: Annotated[
        str, typer.Option(help="Who has it from now on: a person or a unit; may be who has it now")
    ],
    *,
    collaborate: Annotated[
        list[str] | None,
        typer.Option(help="Who works on it, too: people, or units (their manager); may repeat"),
    ] = None,
    actor: Actor = "operator",
    reason: Annotated[str, typer.Option(help="Why; both sides are told")] = "",
    key: Annotated[str, typer.Option(help="Done twice under one key, it happens once")] = "",
) -> None:
    """Decide who has a customer on which there are claims: a move with its reason, which can be undone."""
    answer = operate(
        "decide_claim",
        id=customer,
        owner=owner,
        beside=collaborate or [],
        actor=actor,
        reason=reason,
        key=key or None,
    )
    say(f"decided ({answer['act_id']})", f"已裁定（{answer['act_id']}）")
