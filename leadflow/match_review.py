"""`leadflow match review`: what a person should look at, and the answers."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from leadflow.terminal import Actor, fail, operate, reading, say, tell


def review(
    review_id: Annotated[
        str, typer.Argument(help="What is answered; without it, all that is open is listed")
    ] = "",
    answer: Annotated[str, typer.Argument(help="same, apart or skip")] = "",
    look: Annotated[
        bool, typer.Option("--look", help="First look over everything for identifiers on too many people")
    ] = False,
    actor: Actor = "operator",
    reason: Annotated[str, typer.Option(help="Why; kept with the act")] = "",
) -> None:
    """List what may be one, or may not; answer `same`, `apart` or `skip`. Exit 1 if something is open."""
    if review_id:
        if answer not in ("same", "apart", "skip"):
            fail(
                "Answer with same, apart or skip", "请回答 same（同一个）、apart（不是同一个）或 skip（跳过）"
            )
        done = operate("review", id=review_id, answer=answer, actor=actor, reason=reason)
        say(f"{review_id}: {answer} ({done['act_id']})", f"{review_id}：{answer}（{done['act_id']}）")
        return
    if look:
        found = operate("look_over")
        say(f"{found['demoted']} identifiers demoted", f"停用 {found['demoted']} 个被多人共用的标识")
    from enrich.review import open_reviews

    with reading() as connection:
        rows = open_reviews(connection)
    for row in rows:
        typer.echo(_line(row))
    say(f"{len(rows)} to review", f"待复核 {len(rows)} 项", err=bool(rows))
    raise typer.Exit(1 if rows else 0)


def _line(row: dict[str, Any]) -> str:
    bits = "-" if row["millibits"] is None else f"{row['millibits'] / 1_000:+.1f} {tell('bits', '比特')}"
    who = row["b"] if row["kind"] == "pair" else ",".join(row["leads"])
    said = " ".join(f"{one['kind']}={one['value']}" for one in row["evidence"] if "kind" in one)
    why = tell(*_WHY[row["why"]])
    return "\t".join((row["review_id"], row["kind"], row["a"], who, why, bits, said))


_WHY = {
    "alike": ("alike", "相似"),
    "conflict": ("one lead names both", "同一线索指向两方"),
    "crowded_identifier": ("identifier on too many people", "标识被多人共用"),
}
