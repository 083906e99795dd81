"""`leadflow match model`, `use`, `calibrate` and `retune`: which model decides at arrival, and from how many bits on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leadflow.terminal import Actor, fail, operate, reading, say, tell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from enrich.live import Live
    from enrich.match.cluster import Bands
    from enrich.match.model import Level, MatchModel
    from enrich.match.tuning import Answer, Tuned

# Everything heavy is imported inside the commands: `leadflow --help` answers in a tenth of a second.

Reason = Annotated[str, typer.Option(help="Why; kept with the act")]
Preview = Annotated[bool, typer.Option("--preview", help="Only show what would change")]


def model(
    *,
    history: Annotated[bool, typer.Option("--history", help="What was in use before, too")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the model in use to this file")] = None,
) -> None:
    """Show the match model in use, and its bands. Exit 1 if the published one cannot be read."""
    from enrich.live import live, versions

    with reading() as connection:
        present, rows = live(connection), versions(connection) if history else []
    for line in _told(present):
        typer.echo(line)
    for row in rows:
        typer.echo(_version(row))
    if out:
        out.write_bytes(present.model.dump())
    if present.unreadable:
        fail_text = present.unreadable
        say(
            f"Version {present.number} cannot be read by this Leadflow ({fail_text}): train it anew",
            f"第 {present.number} 版无法由当前版本的 Leadflow 读取（{fail_text}），请重新训练",
            err=True,
        )
        raise typer.Exit(1)


def use(
    file: Annotated[Path | None, typer.Argument(help="A model, as `match train` writes it")] = None,
    *,
    default: Annotated[
        bool, typer.Option("--default", help="Go back to the one that comes with Leadflow")
    ] = False,
    actor: Actor = "operator",
    reason: Reason = "",
) -> None:
    """Let a match model decide about the leads that come from now on, at all workers."""
    from enrich.match.model import default_model
    from leadflow.match_why import model_from

    if (file is None) != default:
        fail("Name a model file, or --default", "请指定模型文件，或使用 --default")
    with reading() as connection:
        before = _live(connection)
    new = model_from(file) if file else default_model()
    _publish(before, new if file else None, None, actor, reason)


def calibrate(
    *,
    precision: Annotated[
        float, typer.Option(min=0.5, max=0.9999, help="The share of what is joined that is to be right")
    ] = 0.99,
    preview: Preview = False,
    actor: Actor = "operator",
    reason: Reason = "",
) -> None:
    """Find the prior and the bands of the model in use from the leads in the store, without labels."""
    from enrich.live import QUESTIONS, kept_records
    from enrich.match.calibrate import LARGER_SAMPLE, LEAST_MATCHES, calibrate_arrival
    from enrich.match.tuning import Tuned
    from enrich.similar import stated_bands

    with reading() as connection:
        before, records = _live(connection), kept_records(connection, LARGER_SAMPLE)
    model, found = calibrate_arrival(records, before.model, stated_bands(), precision)
    tuned = {one: Tuned(found[one].bands) for one in QUESTIONS}
    say(f"{len(records):,} leads looked at", f"查看了 {len(records):,} 条线索")
    for question in QUESTIONS:
        typer.echo(_change(question, before.tuned[question].bands, tuned[question].bands))
        prior = (model.customer if question == "customer" else model.contact).prior
        expected = found[question].expected_matches
        few = expected < LEAST_MATCHES
        say(
            f"  prior {prior:.2g}; {expected:,.0f} pairs that no identifier recognises are one, by their weights"
            + (f": fewer than {LEAST_MATCHES}, the stated bands stay" if few else ""),
            f"  先验 {prior:.2g}；按权重估计，有 {expected:,.0f} 对无标识可认却属同一个"
            + (f"：不足 {LEAST_MATCHES} 对，阈值仍为默认值" if few else ""),
        )
    if not preview:
        _publish(before, model, tuned, actor, reason)


def retune(*, preview: Preview = False, actor: Actor = "operator", reason: Reason = "") -> None:
    """Move the bands to where the answers to reviews say that they keep what the model promises.

    Exit 1 if there are too few answers yet.
    """
    from enrich.live import QUESTIONS, answers_to, retuned_by
    from enrich.match.tuning import LEAST_ANSWERS

    with reading() as connection:
        before = _live(connection)
        answers = answers_to(connection, before.digest)
    tuned = retuned_by(before, answers)
    for question in QUESTIONS:
        for line in _retuned(question, before.tuned[question].bands, tuned[question], answers[question]):
            typer.echo(line)
    if all(len(said) < LEAST_ANSWERS for said in answers.values()):
        say(
            f"Nothing moves below {LEAST_ANSWERS} answers to one question; give some: leadflow match review",
            f"同一问题的答复不足 {LEAST_ANSWERS} 条，阈值不变；请先复核：leadflow match review",
            err=True,
        )
        raise typer.Exit(1)
    if not preview:
        _publish(before, before.model, tuned, actor, reason)


def _live(connection: Any) -> Live:
    from enrich.live import live

    return live(connection)


def _publish(
    before: Live, new: MatchModel | None, tuned: Mapping[Level, Tuned] | None, actor: str, reason: str
) -> None:
    from enrich.live import written_bands

    done = operate(
        "use_model",
        id="match_model",
        model=new.dump().decode() if new else None,
        bands=written_bands(tuned) if tuned else None,
        seen=before.number,
        actor=actor,
        reason=reason,
    )
    say(
        f"version {before.number + 1} is in use ({done['act_id']})",
        f"已启用第 {before.number + 1} 版（{done['act_id']}）",
    )


def _told(present: Live) -> list[str]:
    own = (
        present.model.made_from
        if present.own
        else tell("as it comes with Leadflow", "随 Leadflow 提供的模型")
    )
    lines = [f"{tell('version', '版本')} {present.number}\t{present.digest}\t{own}"]
    for question, tuned in present.tuned.items():
        prior = (present.model.customer if question == "customer" else present.model.contact).prior
        lines.append(
            f"{question}\t{tell('prior', '先验')} {prior:.2g}\t{_bands(tuned.bands)}\t{_answered(tuned)}"
        )
    return lines


def _version(row: dict[str, Any]) -> str:
    from leadflow.exports import moment

    at = str(moment(row["published_us"]))
    return "\t".join((str(row["number"]), row["digest"], at, row["actor"] or "-", row["reason"] or ""))


def _change(question: Level, before: Bands, after: Bands) -> str:
    return f"{question}\t{_bands(before)} → {_bands(after)}"


def _bands(bands: Bands) -> str:
    return tell(
        f"same from {bands.same:.1f} bits, review from {bands.review:.1f}",
        f"同一：{bands.same:.1f} 比特起，待复核：{bands.review:.1f} 比特起",
    )


def _answered(tuned: Tuned) -> str:
    if not tuned.answers:
        return tell("no answers", "尚无答复")
    return tell(
        f"{tuned.answers} answers: {tuned.shift:+.2f} bits, times {tuned.slope:.2f}",
        f"{tuned.answers} 条答复：{tuned.shift:+.2f} 比特，乘以 {tuned.slope:.2f}",
    )


def _retuned(question: Level, before: Bands, tuned: Tuned, answers: Sequence[Answer]) -> list[str]:
    from enrich.match.tuning import told

    lines = [_change(question, before, tuned.bands), f"  {_answered(tuned)}"]
    for when, bands in ((tell("before", "之前"), before), (tell("after", "之后"), tuned.bands)):
        made = told(bands, answers)
        lines.append(
            tell(
                f"  {when}: of these, {made.joined} joined ({made.joined_wrongly} wrongly), {made.asked} asked, "
                f"{made.missed} missed",
                f"  {when}：其中合并 {made.joined} 对（误合 {made.joined_wrongly} 对），询问 {made.asked} 对，漏掉 {made.missed} 对",
            )
        )
    return lines
