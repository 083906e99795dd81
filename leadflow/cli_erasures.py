"""`leadflow erasures` and `leadflow withdraw`: the proof of what was erased, and what people do not agree to any more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from leadflow.terminal import Actor, fail, looking, operate, say, settings, tell


def erasures(
    since: Annotated[
        str,
        typer.Option(help="A digest of an earlier end that was written down: it must still be in the chain"),
    ] = "",
) -> None:
    """List who was erased and who opted out, by ids, and prove it: the journal's chain, and that nothing is left."""
    from leadflow.erasures import check_journal

    if not settings().erasures.exists():
        fail(f"There is no journal {settings().erasures}.", f"没有日志 {settings().erasures}。")
    with looking() as data:
        found = check_journal(data)
    for one in found.entries:
        when = datetime.fromtimestamp(one.at_us / 1_000_000, UTC)
        what = tell("erased", "已删除") if one.is_erasure else tell("opted out", "已拒绝")
        typer.echo(f"{when:%Y-%m-%d %H:%M:%S}\t{what}\t{one.customer}\t{one.act_id}\t{one.digest}")
    faults = list(found.faults(language_is_zh=tell("", "zh") == "zh"))
    if since and since not in found.digests:
        faults.append(tell(f"{since} is not in the chain any more", f"链中已没有 {since}"))
    for fault in faults:
        typer.echo(fault, err=True)
    if faults:
        raise typer.Exit(1)
    say(
        f"whole: {len(found.entries)} entries, nothing left of the erased; end of the chain {found.digests[-1]}",
        f"完好：共 {len(found.entries)} 条，被删除者无任何残留；链尾 {found.digests[-1]}",
    )


def withdraw(
    customer: str,
    purpose: Annotated[list[str] | None, typer.Option(help="What they do not agree to any more")] = None,
    actor: Actor = "operator",
    reason: str = "asked by the person",
) -> None:
    """Note that a customer does not want something any more; it holds after an erasure and a restore, until they agree anew."""
    answer = operate("opt_out", id=customer, purposes=purpose or ["contact"], actor=actor, reason=reason)
    said = ", ".join(purpose or ["contact"])
    say(
        f"opted out of {said}: {answer['leads']} leads ({answer['act_id']})",
        f"已拒绝 {said}：线索 {answer['leads']} 条（{answer['act_id']}）",
    )
