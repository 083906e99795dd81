"""`leadflow undo`: an act taken back, or all that a person, a rule book's version or an import did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leadflow.cli_move import show_refused
from leadflow.terminal import REFUSED_ZH, Actor, fail, operate, reading, say, tell

if TYPE_CHECKING:
    from leadflow.undo_scope import ScopePlan

# Everything heavy is imported inside the commands: `leadflow --help` answers in a tenth of a second.


def undo(
    act: Annotated[str, typer.Argument(help="The act to take back: a move, or an undo")] = "",
    *,
    by: Annotated[str, typer.Option(help="Instead: all that this person did")] = "",
    rule_version: Annotated[
        str,
        typer.Option(help="Instead: all that this version of the rule book (or of automatic moves) decided"),
    ] = "",
    imported: Annotated[
        list[str] | None, typer.Option("--import", help="Instead: all that came of a source or a receipt")
    ] = None,
    since: Annotated[
        str, typer.Option(help="Since when: 10:00 (today), YYYY-MM-DD or YYYY-MM-DDTHH:MM; else undo_hours")
    ] = "",
    preview: Annotated[bool, typer.Option("--preview", help="Only show what would happen")] = False,
    actor: Actor = "operator",
    reason: Annotated[str, typer.Option(help="Why; kept with the act")] = "",
    key: Annotated[str, typer.Option(help="Of a scope: done twice under one key, it happens once")] = "",
) -> None:
    """Take moves back: exactly what was given, where nothing happened since. What went on since is left and listed."""
    if sum(map(bool, (act, by, rule_version, imported))) != 1:
        fail(
            "Say what: an act, --by PERSON, --rule-version NUMBER or --import SOURCE",
            "请指定其一：操作编号、--by 人员、--rule-version 版本号、--import 来源",
        )
    if act:
        _act(act, preview=preview, actor=actor, reason=reason)
        return
    asked: dict[str, Any] = {
        "by": by or None,
        "rule_version": rule_version or None,
        "imported": imported or [],
    }
    asked |= {"since_us": _moment(since), "actor": actor}
    _show_scope(asked)
    if preview:
        return
    answer = operate("undo_scope", reason=reason, key=key or None, **asked)
    while answer["more"]:
        say(f"{answer['done']} of {answer['items']}", f"{answer['done']} / {answer['items']}", err=True)
        answer = operate("undo_scope", reason=reason, key=key or None, **asked)
    left = sum(answer["left"].values())
    say(
        f"{answer['job_id']}: {answer['given']} back, {left} left; {answer['state']}",
        f"{answer['job_id']}：已退回 {answer['given']} 个，保留 {left} 个",
    )


def _act(act: str, *, preview: bool, actor: str, reason: str) -> None:
    from leadflow.above import may_give_as
    from leadflow.clock import wall_clock_us
    from leadflow.operate_moves import told
    from store.acts import ActRefused
    from store.acts_undo import plan_undo

    if preview:
        with reading() as connection:
            try:
                show_undoing(told(plan_undo(connection, act, may_give_as(actor), wall_clock_us())))
            except ActRefused as refused:
                fail(str(refused), REFUSED_ZH.get(refused.code))
        return
    answer = operate("undo", id=act, actor=actor, reason=reason, key=f"undo:{act}")
    if answer["repeated"]:
        say(f"undone before ({answer['act_id']})", f"此前已撤销（{answer['act_id']}）")
        return
    show_undoing(answer)
    say(f"undone ({answer['act_id']})", f"已撤销（{answer['act_id']}）")


def _moment(said: str) -> int | None:
    """Return the moment that a time of today or a day names, by the company's clock."""
    from datetime import datetime

    from leadflow.clock import wall_clock_us
    from store.company import company_version, load_company
    from worktime.localtime import day_start, moment, zone_of

    if not said:
        return None
    with reading() as connection:
        zone = zone_of(load_company(connection, company_version(connection)).zone)
    today = datetime.fromtimestamp(day_start(wall_clock_us(), zone) / 1_000_000, zone).date()
    try:
        text = said if len(said) > len("23:59") else f"{today}T{said}"
        return moment(datetime.fromisoformat(text), zone)
    except ValueError:
        fail(
            f"{said!r} is no time; write 10:00, 2026-11-29 or 2026-11-29T10:00",
            f"{said!r} 不是时间；请写 10:00、2026-11-29 或 2026-11-29T10:00",
        )


def _show_scope(asked: Mapping[str, Any]) -> None:
    from leadflow.clock import wall_clock_us
    from leadflow.undo_scope import plan_scope, scope_of
    from store.acts import ActRefused
    from store.company import company_version, load_company

    now_us = wall_clock_us()
    with reading() as connection:
        company = load_company(connection, company_version(connection))
        try:
            _, scope = scope_of(connection, company, asked, now_us)
        except ActRefused as refused:
            fail(str(refused), REFUSED_ZH.get(refused.code))
        _show(plan_scope(connection, company, scope, asked["actor"], now_us))


def _show(plan: ScopePlan) -> None:
    """Print what cannot be taken back first, then what is left and why, then what goes back to whom."""
    for kind, what, count in plan.lasting:
        if kind == "sent":
            say(f"cannot be taken back: {count} sent, {what}", f"无法收回：已发出 {count} 条，{what}")
        elif kind == "task_done":
            say(f"cannot be taken back: {count} tasks done", f"无法收回：已完成 {count} 条待办")
        else:
            how = tell(*_INSTEAD.get(what, _STAYS))
            say(f"not undone here: {count} {what}: {how}", f"不在此撤销：{what} {count} 次：{how}")
    show_refused((one.give.customer_id, one.refused) for one in plan.returns if one.refused)
    back = Counter(one.give.holder_id for one in plan.returns if one.refused is None)
    for holder_id, count in sorted(back.items()):
        typer.echo(f"{count}\t{holder_id}")
    left = len(plan.returns) - back.total()
    say(f"{back.total()} back, {left} left", f"退回 {back.total()} 个，保留 {left} 个")


_STAYS = ("it stays as it is", "保持不变")
_INSTEAD: Mapping[str, tuple[str, str]] = {
    "outcome": ("what was done with a customer stays; record another outcome", "处理结果保留；请另行登记"),
    "merge": ("leadflow match unmerge", "请用 leadflow match unmerge"),
    "review": ("leadflow match unmerge", "请用 leadflow match unmerge"),
    "publish": ("leadflow apply the files as they were", "请用原文件 leadflow apply"),
    "publish_book": ("leadflow rules rollback", "请用 leadflow rules rollback"),
    "hand_over_begin": (
        "duties and access: leadflow handover undo",
        "职责与令牌：请用 leadflow handover undo",
    ),
    "erase": ("what was erased is gone", "已删除，无法恢复"),
}
"""By verb of an act that gave nobody a customer: what to do instead."""


def show_undoing(told: dict[str, Any]) -> None:
    """Print what cannot be taken back first, then what is left, then what goes back to whom."""
    for delivery_id, sink, dest in told["sent"]:
        say(
            f"cannot be taken back: {delivery_id} to {dest} by {sink}",
            f"无法收回：{delivery_id}，经 {sink} 已发给 {dest}",
        )
    show_refused(told["left"])
    for holder_id, count in sorted(Counter(to for _, _, to in told["back"]).items()):
        typer.echo(f"{count}\t{holder_id}")
    say(
        f"{len(told['back'])} back, {len(told['left'])} left",
        f"退回 {len(told['back'])} 个，保留 {len(told['left'])} 个",
    )
