"""`leadflow fairness`, `why-not`, `nurture`, `away` and `back`: who gets leads, why not, who waits, and who is away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leadflow.terminal import REFUSED_ZH, Actor, fail, language, operate, problems_end, reading, say

Person = Annotated[str, typer.Argument(help="Code of the person, as in people.csv")]


def fairness(
    team: Annotated[str, typer.Option(help="Only this team")] = "",
    person: Annotated[str, typer.Option(help="Only this person, with every entry and its decision")] = "",
    since: Annotated[str, typer.Option("--from", help="First day; without it the first of this month")] = "",
    until: Annotated[str, typer.Option("--to", help="Last day")] = "",
    json: Annotated[bool, typer.Option("--json", help="As JSON, with every entry")] = False,
) -> None:
    """Show what each person received and was entitled to, by team and lead grade, from the decisions themselves."""
    import orjson

    from console.why import leads
    from leadflow.clock import wall_clock_us
    from router.fairness import entry_of, lines_of
    from store.company import company_version, load_company
    from store.views import ledger_entries

    with reading() as connection:
        company = load_company(connection, company_version(connection))
        now_us = wall_clock_us()
        from_us, to_us = days_of(since, until, company.zone, now_us)
        rows = ledger_entries(connection, from_us, to_us, team or None)
    lines = [one for one in lines_of(map(entry_of, rows)) if person in ("", one.person_id)]
    if json:
        shown = [
            {
                "team": one.team_id,
                "grade": one.grade,
                "person": one.person_id,
                "received": one.received,
                "credited": one.credited,
                "entitled": round(one.entitled, 6),
                "difference": round(one.difference, 6),
                "entries": [_entry(entry) for entry in one.entries],
            }
            for one in lines
        ]
        typer.echo(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
        return
    say(
        "team\tgrade\tperson\treceived\tentitled\tdifference\tcredited",
        "团队\t级别\t人员\t已得\t应分\t差额\t退记",
    )
    for one in lines:
        numbers = (one.received, leads(one.parts), f"{one.difference:+.2f}", one.credited)
        typer.echo("\t".join(map(str, (one.team_id, one.grade, one.person_id, *numbers))))
        if person:
            for entry in one.entries:
                about = entry.lead_id or entry.customer_id
                typer.echo(
                    f"  {_moment(entry.at_us, company.zone)}\t{entry.delta:+d}\t{entry.kind}\t{about}\t{entry.decision_id}"
                )
    worst = max((abs(one.difference) for one in lines), default=0.0)
    say(
        f"{len(lines)} lines; nobody is further than {worst:.2f} leads from what they are entitled to",
        f"共 {len(lines)} 行；与应分相差最多 {worst:.2f} 条",
    )


def why_not(
    person: Person,
    lead: Annotated[str, typer.Argument(help="Id of the lead")],
) -> None:
    """Answer in one sentence why somebody did not get a lead."""
    import orjson

    from console.view import View
    from leadflow.clock import wall_clock_us
    from schemas.work import Reason
    from store.company import company_version, load_company
    from store.views import given_by

    with reading() as connection:
        company = load_company(connection, company_version(connection))
        found = given_by(connection, lead)
    if person not in company.people:
        fail(
            f"Nobody has the code {person!r}; see people.csv", f"没有人使用代码 {person!r}，请查看 people.csv"
        )
    if found is None:
        fail(
            f"Nothing was decided about a lead {lead}; see: leadflow export leads",
            f"没有关于线索 {lead} 的分配记录；请查看：leadflow export leads",
        )
    view = View(language(), company, wall_clock_us())
    reason = Reason.model_validate(orjson.loads(found["reason_json"]))
    typer.echo(view.teller.why_not(reason, found["holder_id"], person))


def nurture(json: Annotated[bool, typer.Option("--json", help="As JSON")] = False) -> None:
    """List the customers that are put aside: on which cadence, since when, and when they wake."""
    import orjson

    from console.times import local
    from sales.nurture import put_aside_now
    from store.company import company_version, load_company

    with reading() as connection:
        zone = load_company(connection, company_version(connection)).zone
        found = put_aside_now(connection)
    if json:
        typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
        return
    for one in found:
        wakes_us = one["wakes_us"]
        until = f"{local(wakes_us, zone):%Y-%m-%d}" if wakes_us else "-"
        since = f"{local(one['from_us'], zone):%Y-%m-%d}"
        typer.echo("\t".join((one["customer_id"], one["cadence"], since, until)))
    say(f"{len(found)} put aside until a date", f"培育中的客户 {len(found)} 个")


def away(
    person: Person,
    since: Annotated[str, typer.Argument(metavar="FROM", help="First day, or a moment: 2026-12-24T13:00")],
    until: Annotated[str, typer.Argument(metavar="TO", help="Last day, or a moment")],
    stand_in: Annotated[str, typer.Option(help="Who looks after their customers meanwhile")] = "",
    actor: Actor = "operator",
) -> None:
    """Say that somebody is away; nothing new goes to them meanwhile. They may say it, or a manager above them."""
    from sales.cells import DAY, TO, CellError
    from worktime.localtime import zone_of

    zone = zone_of(_company_zone())
    try:
        from_us, to_us = DAY.read(since, zone), TO.read(until, zone)
    except CellError:
        fail(
            f"{since} or {until} is no day (2026-12-24) and no moment (2026-12-24T13:00).",
            f"{since} 或 {until} 不是日期（2026-12-24）或时刻（2026-12-24T13:00）。",
        )
    operate("away", id=person, actor=actor, from_us=from_us, to_us=to_us, stand_in=stand_in or None)
    say(f"{person} is away from {since} to {until}", f"{person} 请假：{since} 至 {until}")


def absences(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="A calendar (.ics), or a table as absences.csv"),
    ],
    person: Annotated[
        str, typer.Option(help="Whose calendar it is; without it, by attendee or organizer")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what is in it")] = False,
    actor: Actor = "operator",
) -> None:
    """Take absences out of a calendar or a staff system's table. For whom one may say so: as with `away`."""
    from leadflow.clock import wall_clock_us
    from sales.leave_files import LeaveFileError, absences_in_calendar, absences_in_csv
    from store.company import company_version, load_company
    from worktime.localtime import zone_of

    with reading() as connection:
        company = load_company(connection, company_version(connection))
    zone, now_us, data = zone_of(company.zone), wall_clock_us(), file.read_bytes()
    if person and person not in company.people:
        fail(
            f"Nobody has the code {person!r}; see people.csv", f"没有人使用代码 {person!r}，请查看 people.csv"
        )
    if file.suffix.lower() == ".csv":
        found, problems = absences_in_csv(data, zone)
        if problems:
            problems_end(problems)
        found = [one for one in found if one.to_us > now_us]
    else:
        emails = {one.email.lower(): one.person_id for one in company.people.values() if one.email}
        try:
            found, unread = absences_in_calendar(data, now_us, zone, whose=person or None, emails=emails)
        except LeaveFileError as error:
            fail(f"{file.name}: {error}", f"{file.name}：{error.zh}")
        for event in unread:
            say(f"left out: {event.uid}: {event.en}", f"未读入：{event.uid}：{event.zh}")
    for one in found:
        typer.echo(
            f"{one.person_id}\t{_moment(one.from_us, company.zone)}\t{_moment(one.to_us, company.zone)}"
        )
    if dry_run:
        say(f"{len(found)} absences, none entered", f"共 {len(found)} 条请假，未登记")
        return
    rows = [one.model_dump() for one in found]
    told = operate("away_many", id="absences", actor=actor, rows=rows)
    for one in told["refused"]:
        zh = REFUSED_ZH.get(one["code"], one["message"])
        whose = found[one["row"]].person_id
        say(f"{whose}: {one['message']}", f"{whose}：{zh}（{one['code']}）", err=True)
    say(
        f"{told['done']} entered, {told['known']} known before, {len(told['refused'])} refused",
        f"已登记 {told['done']} 条，原已登记 {told['known']} 条，拒绝 {len(told['refused'])} 条",
    )
    if told["refused"]:
        raise typer.Exit(2)


def back(
    person: Person,
    cancel: Annotated[
        str, typer.Option(help="Instead: not to go on the leave that begins on this day, or at this moment")
    ] = "",
    actor: Actor = "operator",
) -> None:
    """Say that somebody is back; what waits for their teams is looked at at once."""
    if not cancel:
        operate("back", id=person, actor=actor)
        say(f"{person} is back", f"{person} 已返岗")
        return
    from sales.cells import DAY, CellError
    from worktime.localtime import zone_of

    try:
        from_us = DAY.read(cancel, zone_of(_company_zone()))
    except CellError:
        fail(
            f"{cancel} is no day (2026-12-24) and no moment (2026-12-24T13:00).",
            f"{cancel} 不是日期（2026-12-24）或时刻（2026-12-24T13:00）。",
        )
    operate("cancel_leave", id=person, actor=actor, from_us=from_us)
    say(f"{person} does not go on this leave", f"已取消 {person} 的这次请假")


def _company_zone() -> str:
    from store.company import company_version, load_company

    with reading() as connection:
        return load_company(connection, company_version(connection)).zone


def days_of(since: str, until: str, zone_name: str, now_us: int) -> tuple[int, int]:
    """Return two days as (from, to) in µs; without them from the first of this month until now."""
    from sales.cells import DAY, TO, CellError
    from worktime.localtime import wall_clock, zone_of

    zone = zone_of(zone_name)
    first = wall_clock(now_us, zone).strftime("%Y-%m-01")
    try:
        return DAY.read(since or first, zone), TO.read(until, zone) if until else now_us + 1
    except CellError:
        fail(
            f"{since or until} is no day such as 2026-11-30.",
            f"{since or until} 不是 2026-11-30 这样的日期。",
        )


def _entry(entry: object) -> dict[str, object]:
    from dataclasses import asdict

    told = asdict(entry)  # type: ignore[call-overload]
    return {
        name: told[name]
        for name in ("at_us", "kind", "delta", "decision_id", "lead_id", "customer_id", "act_id")
    }


def _moment(at_us: int, zone: str) -> str:
    from console import times

    return times.exact(at_us, zone)
