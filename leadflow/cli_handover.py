"""`leadflow handover`: somebody's customers to others, all or part: dry run, apply, proof, and back."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from leadflow.cli_move import preview_of, show_refused
from leadflow.terminal import REFUSED_ZH, Actor, fail, language, operate, reading, say, tell

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from schemas.company import Company
    from store.acts_move import Judged
    from store.certificates import Certificate

# Everything heavy is imported inside the commands: `leadflow --help` answers in a tenth of a second.

handover = typer.Typer(no_args_is_help=True, help="A leaver's customers (or of one on leave) to others.")

Person = Annotated[str, typer.Argument(help="Whose customers; their code in people.csv")]
To = Annotated[str, typer.Option(help="Who gets the rest: a person, several (ann:2,bo:1), a unit, by-rules")]
Parts = Annotated[
    list[str] | None, typer.Option("--part", help="'FILTER => TARGET', once for each; the first that fits")
]
Sheet = Annotated[
    Path | None,
    typer.Option("--plan", help="CSV with columns customer (or filter) and to; a dry run's --out"),
]
Leaving = Annotated[bool, typer.Option("--leaving", help="They leave: everything of theirs goes")]
Duties = Annotated[str, typer.Option(help="Who manages, stands in and answers in a leaver's place")]
Until = Annotated[str, typer.Option(help="Stand-in only until this day, YYYY-MM-DD; it returns by itself")]


@handover.command("plan")
def plan(
    person: Person,
    *,
    to: To = "",
    part: Parts = None,
    sheet: Sheet = None,
    out: Annotated[
        Path | None, typer.Option(help="Write each customer and who gets it: .json, else CSV")
    ] = None,
    actor: Actor = "operator",
) -> None:
    """Show exactly who would get which customer, without doing it."""
    from leadflow.above import may_give_as
    from leadflow.choosing import ChoiceError
    from leadflow.clock import wall_clock_us
    from leadflow.handover_job import planned
    from store.acts_move import judge
    from store.company import company_version, load_company

    asked = _asked(to, part, sheet)
    now_us = wall_clock_us()
    with reading() as connection:
        company = load_company(connection, company_version(connection))
        _known(company, person)
        try:
            gives, left = planned(connection, company, person, asked, now_us)
        except ChoiceError as error:
            fail(str(error))
        preview_of(connection, company, gives, actor, owner=person)
        if out is not None:
            may = may_give_as(actor)(company, now_us)
            _write(out, judge(connection, gives, (company, may), owner=person))
        mentions = _others(connection, company, person, now_us)
    say(f"{len(left)} that no part takes stay", f"{len(left)} 个没有任何一部分包含，保持不变")
    for line in mentions:
        typer.echo(line)


@handover.command("apply")
def apply(
    person: Person,
    *,
    to: To = "",
    part: Parts = None,
    sheet: Sheet = None,
    leaving: Leaving = False,
    duties_to: Duties = "",
    until: Until = "",
    actor: Actor = "operator",
    reason: Annotated[str, typer.Option(help="Why; whoever gets them sees it")] = "",
    key: Annotated[str, typer.Option(help="Done twice under one key, it happens once")] = "",
) -> None:
    """Hand over, as one job that goes on where it was cut off; ends with a certificate."""
    from leadflow.clock import new_id

    if leaving and until:
        fail("Whoever leaves has no stand-in: --leaving or --until", "--leaving 与 --until 只能用一个")
    asked = {**_asked(to, part, sheet), "leaving": leaving, "duties_to": duties_to or None}
    asked |= {"until_us": moment_of(until), "actor": actor, "reason": reason, "key": key or new_id()}
    answer = operate("hand_over", id=person, **asked)
    if answer["resumed"]:
        say(
            f"{answer['job_id']} was under way and goes on as it was begun",
            f"{answer['job_id']} 此前已开始，按原计划继续",
        )
    while answer["more"]:
        say(f"{answer['done']} of {answer['items']}", f"{answer['done']} / {answer['items']}", err=True)
        answer = {**operate("hand_over", id=person, **asked), "resumed": True}
    _end(answer)


@handover.command("undo")
def undo(
    job: Annotated[str, typer.Argument(help="The hand-over, as `apply` named it")],
    *,
    preview: Annotated[bool, typer.Option("--preview", help="Only show what would happen")] = False,
    actor: Actor = "operator",
    reason: Annotated[str, typer.Option(help="Why; kept with the act")] = "",
) -> None:
    """Give back what the hand-over gave, where nothing happened since; what went on is left and listed."""
    _show_what_stays(job)
    if preview:
        return
    answer = operate("hand_back", id=job, actor=actor, reason=reason)
    while answer["more"]:
        answer = operate("hand_back", id=job, actor=actor, reason=reason)
    say(f"{job} is {answer['state']}", f"{job}：{_state(answer['state'])}")


@handover.command("show")
def show(
    job: Annotated[str, typer.Argument(help="A hand-over; without one, all of them")] = "",
) -> None:
    """List hand-overs; of one, what was given, what was left and why, and what was done meanwhile."""
    from leadflow.exports import moment
    from leadflow.handover_job import happened
    from store.acts import ActRefused
    from store.acts_job import counts, items, jobs, read_job

    with reading() as connection:
        if not job:
            for each in jobs(connection):
                typer.echo(
                    f"{each.job_id}\t{each.person_id}\t{_state(each.state)}\t{each.next_item}/{each.items}"
                )
            return
        try:
            found = read_job(connection, job)
        except ActRefused as refused:
            _refused(refused)
        rows = items(connection, job)
        between = happened(
            connection,
            [row["customer_id"] for row in rows],
            found.made_us,
            found.ended_us or found.until_us or 2**62,
        )
        tally = counts(connection, job)
    until = f" → {moment(found.until_us)}" if found.until_us else ""
    typer.echo(
        f"{job}\t{found.person_id}\t{_state(found.state)}\t{moment(found.made_us)}{until}\t{found.reason}"
    )
    if found.code:
        typer.echo(f"  {found.code}\t{REFUSED_ZH.get(found.code, '') if language() == 'zh' else ''}")
    for (state, code), count in sorted(tally.items(), key=str):
        typer.echo(f"  {count}\t{state}" + (f"\t{code}" if code else ""))
    show_refused((row["customer_id"], row["code"]) for row in rows if row["state"] == "left")
    for customer_id, codes in between.items():
        say(f"  meanwhile: {customer_id}: {', '.join(codes)}", f"  期间：{customer_id}：{'、'.join(codes)}")


@handover.command("certificate")
def certificate(
    which: Annotated[str, typer.Argument(help="A certificate, or the hand-over it is of")],
    out: Annotated[Path | None, typer.Option(help="Write it to a file, else to the terminal")] = None,
) -> None:
    """Write a certificate as JSON: every object with its new holder, and the digests of the chain."""
    from leadflow.handover_job import as_json
    from store.acts import ActRefused
    from store.certificates import read_certificate

    with reading() as connection:
        try:
            found = read_certificate(connection, which)
        except ActRefused as refused:
            _refused(refused)
    names = ("certificate_id", "number", "before", "digest", "body")
    text = as_json({name: getattr(found, name) for name in names})
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text, encoding="utf-8")
        say(f"{found.certificate_id} written to {out}", f"{found.certificate_id} 已写入 {out}")


@handover.command("verify")
def verify(
    which: Annotated[str, typer.Argument(help="A certificate, its hand-over, or a file of one")],
) -> None:
    """Recompute a certificate and its chain, and say what changed since; exit 1 if it does not hold."""
    from leadflow.clock import wall_clock_us
    from store.acts import ActRefused
    from store.certificates import read_certificate
    from store.certificates import verify as recompute

    with reading() as connection:
        try:
            given = _from_file(Path(which)) or read_certificate(connection, which)
        except ActRefused as refused:
            _refused(refused)
        found = recompute(connection, given, wall_clock_us())
    for kind, object_id, then, now in found.changed:
        say(f"since: {kind} {object_id}: {then} → {now}", f"此后：{_kind(kind)} {object_id}：{then} → {now}")
    for one in found.now_has:
        say(f"has again: {one.kind} {one.object_id}", f"又有：{_kind(one.kind)} {one.object_id}")
    body = given.body
    for code in found.wrong:
        say(*_WRONG[code], err=True)
    if found.wrong:
        raise typer.Exit(1)
    objects, left = len(body["objects"]), body["left"]
    say(
        f"{given.certificate_id} holds: {objects} objects of {body['person_id']}, {left} left; "
        f"changed since: {len(found.changed)}",
        f"{given.certificate_id} 有效：{body['person_id']} 的 {objects} 项，遗留 {left} 项；此后变动 {len(found.changed)} 项",
    )


@handover.command("brief")
def brief(
    customers: Annotated[list[str], typer.Argument(help="Customers, or a hand-over: all that it gave")],
    person: Annotated[str, typer.Option(help="For this receiver only, in their language")] = "",
) -> None:
    """Tell the receiver about each customer: whom to greet, what is promised, the next step, the last events."""
    from leadflow.clock import wall_clock_us
    from leadflow.handover_brief import briefs, given_to
    from store.company import company_version, load_company

    with reading() as connection:
        company = load_company(connection, company_version(connection))
        wanted = given_to(connection, customers, person)
        told = company.people[person].language if person in company.people else language()
        for block in briefs(connection, company, wanted, told, wall_clock_us()):
            typer.echo(block)
    say(f"{len(wanted)} customers", f"{len(wanted)} 个客户")


_WRONG = {
    "digest": ("its digest is not that of what it says: it was changed", "摘要与内容不符：内容被改动过"),
    "chain": (
        "the chain of certificates is broken: one was changed or taken out",
        "证明链断裂：有证明被改动或删除",
    ),
    "not_ours": (
        "this installation has no such certificate, or another one",
        "本系统没有这份证明，或内容不同",
    ),
}
_STATES = {
    "running": "移交中",
    "covering": "代管中",
    "returning": "归还中",
    "undoing": "撤销中",
    "stopped": "已停止，待处理",
    "done": "已完成",
    "returned": "已归还",
    "undone": "已撤销",
}


def _state(state: str) -> str:
    return tell(state, _STATES[state])


def _kind(kind: str) -> str:
    from store.belongings import KINDS

    return tell(*KINDS[kind])


def _asked(to: str, part: list[str] | None, sheet: Path | None) -> dict[str, Any]:
    parts = [*(part or ()), *([f"=> {to}"] if to else [])]
    if not parts and sheet is None:
        fail("Say who gets them: --to, --part or --plan", "请指定接收人：--to、--part 或 --plan")
    try:
        text = sheet.read_text("utf-8-sig") if sheet is not None else None
    except OSError as error:
        fail(f"{sheet} cannot be read: {error.strerror}", f"无法读取 {sheet}：{error.strerror}")
    return {"parts": parts, "plan_csv": text}


def _known(company: Company, person: str) -> None:
    if person not in company.people:
        fail(f"There is nobody {person!r} in people.csv", f"people.csv 中没有 {person!r}")


def moment_of(day: str) -> int | None:
    """Return when a day begins, by the company's clock; None for no day. Ends with 2 for what is none."""
    from datetime import datetime

    from store.company import company_version, load_company
    from worktime.localtime import moment, zone_of

    if not day:
        return None
    with reading() as connection:
        zone = zone_of(load_company(connection, company_version(connection)).zone)
    try:
        return moment(datetime.fromisoformat(day), zone)
    except ValueError:
        fail(f"{day!r} is no day; write YYYY-MM-DD", f"{day!r} 不是日期，请写 YYYY-MM-DD")


def _write(out: Path, judged: list[Judged]) -> None:
    rows = [
        {
            "customer": one.give.customer_id,
            "to": "" if one.refused else one.give.holder_id,
            "team": one.give.team_id or "",
            "rule": one.give.rule_id or "",
            "tasks": len(one.held.open_tasks) if one.held else 0,
            "refused": one.refused or "",
        }
        for one in judged
    ]
    if out.suffix.lower() == ".json":
        from leadflow.handover_job import as_json

        out.write_text(as_json(rows), encoding="utf-8")
    else:
        with out.open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, ("customer", "to", "team", "rule", "tasks", "refused"))
            table.writeheader()
            table.writerows(rows)
    say(f"{len(rows)} rows written to {out}", f"已将 {len(rows)} 行写入 {out}")


def _others(connection: Connection, company: Company, person: str, now_us: int) -> list[str]:
    """Return what a leaver has besides customers, and what a person has to change first."""
    from store.belongings import MENTIONS, belongings

    lines = []
    for one in belongings(connection, company, person, now_us):
        if one.kind not in ("customer", "task", "pool_claim"):
            todo = tell(" (change it first)", "（请先修改）") if one.kind in MENTIONS else ""
            lines.append(f"{one.object_id}\t{_kind(one.kind)}{todo}")
    return lines


def _end(answer: dict[str, Any]) -> None:
    left = sum(answer["left"].values())
    say(
        f"{answer['job_id']}: {answer['given']} handed over, {left} left; {answer['state']}",
        f"{answer['job_id']}：已移交 {answer['given']} 个，未移交 {left} 个；{_state(answer['state'])}",
    )
    if left:
        say(
            f"which and why: leadflow handover show {answer['job_id']}",
            f"明细与原因：leadflow handover show {answer['job_id']}",
        )


def _show_what_stays(job: str) -> None:
    from store.acts import ActRefused
    from store.acts_undo import what_job_undoes

    with reading() as connection:
        try:
            sent, left, back, ended = what_job_undoes(connection, job)
        except ActRefused as refused:
            _refused(refused)
    for sink, dest, count in sent:
        say(
            f"cannot be taken back: {count} to {dest} by {sink}",
            f"无法收回：经 {sink} 已发给 {dest} {count} 条",
        )
    if ended:
        say(f"cannot be taken back: {ended} tokens or links ended", f"无法恢复：{ended} 个令牌或链接已失效")
    show_refused(left)
    say(f"{back} back, {len(left)} left", f"退回 {back} 个，保留 {len(left)} 个")


def _from_file(path: Path) -> Certificate | None:
    import orjson

    from store.certificates import Certificate

    if not path.is_file():
        return None
    try:
        said = orjson.loads(path.read_bytes())
        names = ("certificate_id", "number", "before", "digest", "body")
        return Certificate(**{name: said[name] for name in names})
    except (ValueError, KeyError, TypeError):
        fail(f"{path} is no certificate", f"{path} 不是交接证明")


def _refused(refused: Any) -> NoReturn:
    zh = REFUSED_ZH.get(refused.code)
    fail(str(refused), f"{zh}（{refused.code}）" if zh else None)
