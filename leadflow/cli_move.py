"""`leadflow move`: customers to other holders, one or a filtered set."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leadflow.terminal import Actor, fail, language, operate, reading, say, tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from schemas.company import Company
    from store.acts_move import Give

# Everything heavy is imported inside the commands: `leadflow --help` answers in a tenth of a second.


def move(
    customers: Annotated[list[str] | None, typer.Argument(help="Customers, under any of their ids")] = None,
    *,
    to: Annotated[str, typer.Option(help="A person, several by weight (ann:2,bo:1), or a team's queue")] = "",
    by_rules: Annotated[bool, typer.Option("--by-rules", help="To whom the rule book gives them")] = False,
    owner: Annotated[str, typer.Option(help="All that this person owns")] = "",
    segment: Annotated[str, typer.Option(help="Those in a segment of segments.csv")] = "",
    province: Annotated[str, typer.Option(help="Those of a province; a test as in segments.csv")] = "",
    product_line: Annotated[str, typer.Option(help="Those who ask for a product line")] = "",
    listed: Annotated[
        Path | None, typer.Option("--list", help="A file with a customer's id in each line")
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Only show what would happen")] = False,
    actor: Actor = "operator",
    reason: Annotated[str, typer.Option(help="Why; both sides are told of the move")] = "",
    key: Annotated[str, typer.Option(help="Done twice under one key, it happens once")] = "",
) -> None:
    """Give customers to another holder, with their open tasks and limits: one act, which can be undone."""
    from leadflow.choosing import ChoiceError, Part, read_filter, share_out
    from leadflow.clock import wall_clock_us
    from leadflow.operate_moves import gives_to
    from router.share_out import BY_RULES, TargetError, read_target
    from schemas.ids import make_id
    from store.company import company_version, load_company

    if bool(to) == by_rules:
        fail("Say whom to: --to or --by-rules", "请指定接收人：--to 或 --by-rules 之一")
    facts = {"segment": segment, "province": province, "product_line": product_line}
    said = "; ".join(f"{fact}={test}" for fact, test in facts.items() if test)
    now_us = wall_clock_us()
    with reading() as connection:
        company = load_company(connection, company_version(connection))
        try:
            target = read_target(BY_RULES if by_rules else to, company)
            chosen = _chosen(
                connection, company, _named(customers, listed), owner, read_filter(said, company)
            )
        except (ChoiceError, TargetError) as error:
            fail(str(error))
        gives, _ = share_out(connection, company, chosen, [Part(target)], now_us, without=owner or None)
        if preview:
            preview_of(connection, company, gives, actor)
            return
    names = [one.customer_id for one in gives]
    scope = names[0] if len(names) == 1 else make_id("set", *names)
    answer = operate("move", id=scope, actor=actor, reason=reason, key=key or None, gives=gives_to(gives))
    show_refused(answer["refused"])
    say(
        f"moved: {answer['moved']}, refused: {len(answer['refused'])} ({answer['act_id']})",
        f"已改派 {answer['moved']} 个，拒绝 {len(answer['refused'])} 个（{answer['act_id']}）",
    ) if not answer["repeated"] else say(
        f"done before ({answer['act_id']})", f"此前已执行（{answer['act_id']}）"
    )


def _named(customers: list[str] | None, listed: Path | None) -> list[str] | None:
    """Return the customers that were named one by one; None where a filter alone chooses."""
    if customers is None and listed is None:
        return None
    lines = listed.read_text("utf-8-sig").split() if listed is not None else []
    return [*(customers or ()), *lines]


def _chosen(
    connection: Connection, company: Company, named: list[str] | None, owner: str, segment: Any
) -> Sequence[str]:
    from leadflow.choosing import ChoiceError, chosen_of
    from leadflow.clock import wall_clock_us
    from store.acts_move import owned_by
    from store.present import present_ids

    if named is None and not owner and segment is None:
        raise ChoiceError(
            tell(
                "Say which: customers, --list, --owner, --segment, --province or --product-line",
                "请指定客户：客户编号、--list、--owner、--segment、--province 或 --product-line",
            )
        )
    if owner and owner not in company.people:
        raise ChoiceError(tell(f"There is nobody {owner!r} in people.csv", f"people.csv 中没有 {owner!r}"))
    among = set(owned_by(connection, owner)) if owner else None
    if named is not None:
        mine = set(present_ids(connection, named).values())
        among = mine if among is None else among & mine
    if segment is None:
        return sorted(among or ())
    return chosen_of(connection, company, segment, among, wall_clock_us())


def preview_of(
    connection: Connection, company: Company, gives: Sequence[Give], actor: str, owner: str | None = None
) -> None:
    """Print how many each would get, and the rows that would be refused."""
    from console.names import holder_name
    from leadflow.above import may_give_as
    from leadflow.clock import wall_clock_us
    from store.acts_move import judge

    may = may_give_as(actor)(company, wall_clock_us())
    judged = judge(connection, gives, (company, may), owner=owner)
    counts = Counter(one.give.holder_id for one in judged if one.refused is None)
    for holder_id, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        typer.echo(f"{count}\t{holder_id}\t{holder_name(company, holder_id, language())}")
    show_refused((one.give.customer_id, one.refused) for one in judged if one.refused)
    tasks = sum(len(one.held.open_tasks) for one in judged if one.refused is None and one.held)
    total, refused = sum(counts.values()), len(judged) - sum(counts.values())
    say(
        f"{total} customers with {tasks} open tasks would move, {refused} would not",
        f"将变更 {total} 个客户及其 {tasks} 条待办，{refused} 个不变",
    )


def show_refused(rows: Iterable[Any]) -> None:
    """Print the rows that are left where they are, each with why."""
    from leadflow.move_words import row_text

    for customer_id, code in rows:
        typer.echo(f"-\t{customer_id}\t{code}\t{row_text(code)}")
