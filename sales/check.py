"""What a company's data contradicts itself in, found before anybody's lead gets lost in it. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError

from sales.book_files import BookText, book_of, file_of
from sales.layout import ABSENCES, CAMPAIGNS, CHOICES, MEMBERS, PEOPLE, POOLS, PRODUCTS, TERRITORIES, UNITS
from sales.problems import Problem, problem, suggest
from schemas.company import Absence, Company, Member, alias_key, place_key
from schemas.decision_table import TableError, Wrong, address
from schemas.moves import read_moves
from schemas.outcomes import OutcomeCode
from schemas.score import read_points
from schemas.segments import read_segments
from schemas.sinks import SinkSettings
from schemas.sources import SourceSettings
from worktime import CalendarError, parse_calendar

JudgeBook = Callable[[BookText], Iterable[Wrong]]
"""Says what is wrong in a rule book as such, its examples included: leadflow.company.wrong_in_book."""
Formats = Mapping[str, type[SourceSettings]]
"""The formats that can be read, each with the model of its source's settings."""
SinkKinds = Mapping[str, type[SinkSettings]]
"""The kinds of sink there are, each with the model of its settings."""

PROVINCES = tuple(
    """
    北京 天津 河北 山西 内蒙古 辽宁 吉林 黑龙江 上海 江苏 浙江 安徽 福建 江西 山东 河南 湖北 湖南 广东 广西 海南
    重庆 四川 贵州 云南 西藏 陕西 甘肃 青海 宁夏 新疆 台湾 香港 澳门
    """.split()
)
"""The 34 divisions of the first level, in the order of GB/T 2260."""

_BESIDE = "then_collaborators"
FIXED = "fixed:"
"""The strategy that names a person (router.strategies)."""
_UNIT, _PERSON, _CALENDAR = ("unit", "单位"), ("person", "人员"), ("calendar", "工作日历")
_LINE, _POOL = ("product line", "产品线"), ("pool", "公海")
_FILE = "company.toml"


def check(
    company: Company,
    *,
    judge_book: JudgeBook | None = None,
    formats: Formats | None = None,
    sinks: SinkKinds | None = None,
    now_us: int | None = None,
) -> list[Problem]:
    """Return everything that does not fit together: errors, and warnings that a person may want so.

    The rule book's syntax and examples are judged only with `judge_book`, the own keys of sources and sinks only with `formats`
    and `sinks`. A membership with an end counts as over unless `now_us` says otherwise.
    """
    return [
        *_settings(company),
        *_units(company),
        *_people(company),
        *_members(company),
        *_absences(company),
        *_products(company),
        *_campaigns(company),
        *_territories(company),
        *_choices(company),
        *_pools(company),
        *_calendars(company),
        *_sources(company, formats),
        *_sinks(company, sinks),
        *check_book(company, judge_book, now_us),
        *_table("score.csv", company.score_csv, read_points),
        *_table("segments.csv", company.segments_csv, read_segments),
        *_table("moves.csv", company.moves_csv, read_moves),
        *_moves(company),
        *_teams(company, now_us),
    ]


def _unknown(
    file: str, key: str, column: str, value: str, among: tuple[Iterable[str], tuple[str, str]]
) -> Problem:
    known, (what, what_zh) = among
    return problem(
        "ref_unknown",
        file,
        key,
        column=column,
        value=value,
        what=what,
        what_zh=what_zh,
        known=suggest(value, known),
    )


def _settings(company: Company) -> Iterator[Problem]:
    if company.default_queue not in company.units:
        yield _unknown(_FILE, "default_queue", "", company.default_queue, (company.units, _UNIT))
    if company.responsible_id is None:
        yield problem("no_responsible", _FILE, "responsible")
    else:
        yield from _active(company, _FILE, "responsible", "", company.responsible_id)


def _active(company: Company, file: str, key: str, column: str, person_id: str) -> Iterator[Problem]:
    person = company.people.get(person_id)
    if person is None:
        yield _unknown(file, key, column, person_id, (company.people, _PERSON))
    elif person.state == "left":
        yield problem("person_left", file, key, column=column or None, value=person_id)


def _units(company: Company) -> Iterator[Problem]:
    for unit in company.units.values():
        file, key = UNITS.file, unit.unit_id
        if unit.parent_id is not None and unit.parent_id not in company.units:
            yield _unknown(file, key, "parent", unit.parent_id, (company.units, _UNIT))
        if circle := _circle(company, unit.unit_id):
            yield problem("unit_circle", file, key, column="parent", value=" → ".join(circle))
        if unit.manager_id is not None:
            yield from _active(company, file, key, "manager", unit.manager_id)
        if unit.calendar_id is not None and unit.calendar_id not in company.calendars:
            yield _unknown(file, key, "calendar", unit.calendar_id, (company.calendars, _CALENDAR))


def _circle(company: Company, unit_id: str) -> list[str]:
    path = [unit_id]
    while (unit := company.units.get(path[-1])) is not None and unit.parent_id is not None:
        if unit.parent_id == unit_id:
            return [*path, unit_id]
        if unit.parent_id in path:
            return []  # a circle further up, reported there
        path.append(unit.parent_id)
    return []


def _people(company: Company) -> Iterator[Problem]:
    codes: dict[str, str] = {}
    emails: dict[str, str] = {}
    for person in company.people.values():
        key = person.person_id
        if person.calendar_id is not None and person.calendar_id not in company.calendars:
            yield _unknown(PEOPLE.file, key, "calendar", person.calendar_id, (company.calendars, _CALENDAR))
        if person.state == "left":
            continue
        for column, codes_of, known, what in (
            ("lines", person.lines, company.lines, ("product line", "产品线")),
            ("territories", person.territories, company.territories, ("territory", "片区")),
        ):
            for code in codes_of:
                if code not in known:
                    yield _unknown(PEOPLE.file, key, column, code, (known, what))
        if person.desk_code and (first := codes.setdefault(person.desk_code, key)) != key:
            yield problem(
                "desk_code_twice",
                PEOPLE.file,
                key,
                column="desk_code",
                value=person.desk_code,
                first=first,
            )
        if person.email and (first := emails.setdefault(person.email.casefold(), key)) != key:
            yield problem("email_twice", PEOPLE.file, key, column="email", value=person.email, first=first)


def _members(company: Company) -> Iterator[Problem]:
    before: Member | None = None
    for member in company.members:
        key = f"{member.unit_id}/{member.person_id}/{member.from_us}"
        if member.unit_id not in company.units:
            yield _unknown(MEMBERS.file, key, "unit", member.unit_id, (company.units, _UNIT))
        person = company.people.get(member.person_id)
        if person is None:
            yield _unknown(MEMBERS.file, key, "person", member.person_id, (company.people, _PERSON))
        elif person.state == "left" and member.to_us is None:
            yield problem("member_left", MEMBERS.file, key, column="to", value=member.person_id)
        same = before is not None and (before.unit_id, before.person_id) == (member.unit_id, member.person_id)
        if before is not None and same and (before.to_us is None or before.to_us > member.from_us):
            yield problem("member_overlap", MEMBERS.file, key, column="from", value=member.person_id)
        before = member


def _absences(company: Company) -> Iterator[Problem]:
    away: dict[str, list[Absence]] = defaultdict(list)
    for absence in company.absences:
        away[absence.person_id].append(absence)
    for absence in company.absences:
        key, stand_in = f"{absence.person_id}/{absence.from_us}", absence.stand_in_id
        if absence.person_id not in company.people:
            yield _unknown(ABSENCES.file, key, "person", absence.person_id, (company.people, _PERSON))
        if stand_in is None:
            continue
        if stand_in == absence.person_id:
            yield problem("own_stand_in", ABSENCES.file, key, column="stand_in", value=stand_in)
            continue
        yield from _active(company, ABSENCES.file, key, "stand_in", stand_in)
        if any(one.from_us < absence.to_us and absence.from_us < one.to_us for one in away[stand_in]):
            yield problem("stand_in_away", ABSENCES.file, key, column="stand_in", value=stand_in)


def _products(company: Company) -> Iterator[Problem]:
    for product in company.products.values():
        if product.line_id not in company.lines:
            what = (company.lines, ("product line", "产品线"))
            yield _unknown(PRODUCTS.file, product.product_id, "line", product.line_id, what)


def _campaigns(company: Company) -> Iterator[Problem]:
    first: dict[tuple[str, str], str] = {}
    for campaign in company.campaigns.values():
        for alias in campaign.aliases:
            known = (alias.kind, alias_key(alias.kind, alias.value))
            if known in first:
                yield problem(
                    "alias_twice",
                    CAMPAIGNS.file,
                    campaign.campaign_id,
                    column=alias.kind,
                    value=alias.value,
                    first=first[known],
                )
            first.setdefault(known, campaign.campaign_id)


def _territories(company: Company) -> Iterator[Problem]:
    first: dict[tuple[str, str], str] = {}
    for territory in company.territories.values():
        key = territory.territory_id
        if territory.unit_id is not None and territory.unit_id not in company.units:
            yield _unknown(TERRITORIES.file, key, "unit", territory.unit_id, (company.units, _UNIT))
        for place in territory.places:
            known = (place_key(place.province), place_key(place.city) if place.city else "")
            if known in first:
                yield problem(
                    "place_twice", TERRITORIES.file, key, column="places", value=place, first=first[known]
                )
            first.setdefault(known, key)
    if first and (missing := [name for name in PROVINCES if (name, "") not in first]):
        yield problem(
            "place_unmapped",
            TERRITORIES.file,
            column="places",
            severity="warning",
            value="、".join(missing),
        )


def _pools(company: Company) -> Iterator[Problem]:
    for pool in company.pools.values():
        key = pool.pool_id
        if key in company.units or key in company.people:
            yield problem("code_taken", POOLS.file, key, column="pool", value=key)
        for unit_id in pool.units:
            if unit_id not in company.units:
                yield _unknown(POOLS.file, key, "units", unit_id, (company.units, _UNIT))
        for line_id in pool.lines:
            if line_id not in company.lines:
                yield _unknown(POOLS.file, key, "lines", line_id, (company.lines, _LINE))
        days = pool.ladder
        if len(days) != 3 or not 0 < days[0] < days[1] < days[2]:
            yield problem("ladder_form", POOLS.file, key, column="ladder", value="; ".join(map(str, days)))
        if pool.owner_days and pool.owner_days < pool.again_days:
            yield problem(
                "owner_days_short",
                POOLS.file,
                key,
                column="owner_days",
                value=pool.owner_days,
                first=pool.again_days,
            )


def _choices(company: Company) -> Iterator[Problem]:
    codes = get_args(OutcomeCode)
    for choice in company.choices:
        key = f"{choice.list}/{choice.code}"
        if choice.list == "outcome" and choice.code not in codes:
            yield problem(
                "not_one_of", CHOICES.file, key, column="code", value=choice.code, known=", ".join(codes)
            )
        if choice.retry_minutes and (choice.list, choice.code) != ("outcome", "no_answer"):
            yield problem("retry_of_another", CHOICES.file, key, column="retry_minutes")
        if (choice.list == "nurture") != bool(choice.wake_days) or 0 in choice.wake_days:
            yield problem("cadence_days", CHOICES.file, key, column="wake_days")


def _calendars(company: Company) -> Iterator[Problem]:
    for calendar_id, value in company.calendars.items():
        try:
            parse_calendar(value)
        except CalendarError as error:
            for each in error.problems:
                yield problem(
                    "calendar",
                    _FILE,
                    f"calendars.{calendar_id}.{each.key}",
                    detail=each.message("en"),
                    detail_zh=each.message("zh"),
                    fix=each.fix("en"),
                    fix_zh=each.fix("zh"),
                )


def _sources(company: Company, formats: Formats | None) -> Iterator[Problem]:
    for on, some in ((True, company.sources), (False, company.sources_off)):
        for source_id, settings in some.items():
            key = f"sources.{source_id}"
            model = _model_of(settings, formats)
            if model is None:
                if on and formats is not None:
                    known = suggest(str(settings["format"]), formats)
                    yield problem(
                        "format_unknown", _FILE, f"{key}.format", value=settings["format"], known=known
                    )
                model = SourceSettings
            yield from _misfits(key, settings, model, whole=model is not SourceSettings)
            campaign = settings.get("campaign")
            if campaign is not None and campaign not in company.campaigns:
                what = (company.campaigns, ("campaign", "市场活动"))
                yield _unknown(_FILE, f"{key}.campaign", "", str(campaign), what)


def _sinks(company: Company, kinds: SinkKinds | None) -> Iterator[Problem]:
    for on, some in ((True, company.sinks), (False, company.sinks_off)):
        for sink_id, settings in some.items():
            key = f"sinks.{sink_id}"
            model = kinds.get(str(settings["kind"])) if kinds is not None else None
            if on and kinds is not None and model is None:
                known = suggest(str(settings["kind"]), kinds)
                yield problem("kind_unknown", _FILE, f"{key}.kind", value=settings["kind"], known=known)
            yield from _misfits(key, settings, model or SinkSettings, whole=model is not None)
            teams = settings.get("teams")
            for team in teams if isinstance(teams, (list, tuple)) else ():
                if team not in company.units:
                    yield _unknown(_FILE, f"{key}.teams", "", str(team), (company.units, _UNIT))
            person = settings.get("person")
            if isinstance(person, str) and person not in company.people:
                yield _unknown(_FILE, f"{key}.person", "", str(person), (company.people, _PERSON))


def _model_of(settings: Mapping[str, Any], formats: Formats | None) -> type[SourceSettings] | None:
    return formats.get(str(settings["format"])) if formats is not None else None


def _misfits(
    key: str, settings: Mapping[str, Any], model: type[SourceSettings | SinkSettings], *, whole: bool
) -> Iterator[Problem]:
    given = dict(settings) if whole else {k: v for k, v in settings.items() if k in model.model_fields}
    try:
        model.model_validate(given)
    except ValidationError as error:
        for each in error.errors(include_url=False, include_input=False):
            path = ".".join(str(part) for part in each["loc"])
            yield problem("source", _FILE, f"{key}.{path}", value=path, detail=each["msg"])


def _table(file: str, text: str | None, read: Callable[[str], object]) -> Iterator[Problem]:
    if text is None:
        return
    try:
        read(text)
    except TableError as error:
        yield from wrong_in(file, error.wrong)


def _moves(company: Company) -> Iterator[Problem]:
    """Yield each automatic move to somebody or some unit that there is not."""
    try:
        rules = read_moves(company.moves_csv or "move,then_team\n")
    except TableError:
        return  # told by its cells
    here = {key: one for key, one in company.people.items() if one.state == "active"}
    for rule in rules:
        column, among = (
            ("then_team", (company.units, _UNIT))
            if rule.kind == "queue"
            else ("then_person", (here, _PERSON))
        )
        if rule.target not in among[0]:
            found = _unknown("moves.csv", rule.row.name, column, rule.target, among)
            yield Problem(found.code, found.file, rule.row.name, rule.row.line, column, found.values)


def wrong_in(file: str, wrong: Iterable[Wrong]) -> Iterator[Problem]:
    """Yield what is wrong in a decision table that stands in a file."""
    for one in wrong:
        column = f"{one.column} ({one.cell})" if one.cell else one.column
        detail, detail_zh = one.en, one.zh
        yield problem("table", file, line=one.line, column=column, detail=detail, detail_zh=detail_zh)


def check_book(
    company: Company, judge_book: JudgeBook | None, now_us: int | None = None
) -> Iterator[Problem]:
    """Yield what is wrong with a company's rule book; see `check`."""
    book = book_of(company)
    if book is None:
        return
    if judge_book is not None:
        for wrong in judge_book(book):
            yield from wrong_in(file_of(wrong.table), [wrong])
    receiving = {one.unit_id for one in _current(company, now_us) if one.share > 0}
    for one in _sent_to(book):
        if one.pool:
            if one.pool not in company.pools:
                found = _unknown(one.file, one.rule, "then_pool", one.pool, (company.pools, _POOL))
                column = f"then_pool ({one.cell})"
                yield Problem(found.code, found.file, one.rule, one.line, column, found.values)
        elif one.team not in company.units:
            found = _unknown(one.file, one.rule, "then_team", one.team, (company.units, _UNIT))
            column = f"then_team ({one.cell})"
            yield Problem(found.code, found.file, one.rule, one.line, column, found.values)
        elif one.team not in receiving and one.team != company.default_queue:
            yield problem("team_empty", UNITS.file, one.team, value=one.rule)
        if one.person is not None:
            yield from _named(company, one, *one.person)
        people = {key for key, person in company.people.items() if person.state == "active"}
        for code in one.beside:
            if code not in company.units and code not in people:
                among = ([*people, *company.units], _PERSON)
                found = _unknown(one.file, one.rule, _BESIDE, code, among)
                yield Problem(found.code, found.file, one.rule, one.line, _BESIDE, found.values)


def _named(company: Company, sent: _Sent, person_id: str, cell: str) -> Iterator[Problem]:
    here = {key: one for key, one in company.people.items() if one.state == "active"}
    if person_id not in here:
        found = _unknown(sent.file, sent.rule, "then_strategy", person_id, (here, _PERSON))
        column = f"then_strategy ({cell})"
        yield Problem(found.code, found.file, sent.rule, sent.line, column, found.values)


def _teams(company: Company, now_us: int | None) -> Iterator[Problem]:
    staffed = {one.unit_id for one in _current(company, now_us)}
    for unit in company.units.values():
        if unit.kind == "team" and unit.unit_id not in staffed and unit.unit_id != company.default_queue:
            yield problem("team_idle", UNITS.file, unit.unit_id, severity="warning")


def _current(company: Company, now_us: int | None) -> Iterator[Member]:
    for member in company.members:
        person = company.people.get(member.person_id)
        lasts = member.to_us is None or (now_us is not None and member.to_us > now_us)
        if lasts and person is not None and person.state == "active":
            yield member


@dataclass(frozen=True, slots=True)
class _Sent:
    """A rule that sends leads to a team or into a pool, and where it says so."""

    file: str
    line: int
    cell: str
    rule: str
    team: str
    person: tuple[str, str] | None
    """Whom its strategy names, and in which cell."""
    beside: tuple[str, ...] = ()
    """People and units that are to collaborate."""
    pool: str = ""


def _sent_to(book: BookText) -> Iterator[_Sent]:
    """Yield every rule that names a team or a pool; nothing of a table that has no such columns."""
    for name, text in {"": book.csv, **book.tables}.items():
        reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""))
        header = [column.strip() for column in next(reader, [])]
        if "rule" not in header:
            continue
        at_rule = header.index("rule")
        at_team, at_pool = (
            header.index(one) if one in header else None for one in ("then_team", "then_pool")
        )
        at_way = header.index("then_strategy") if "then_strategy" in header else None
        line = reader.line_num
        for number, cells in enumerate(reader, start=2):
            start, line = line + 1, reader.line_num
            if len(cells) != len(header) or not cells[at_rule].strip():
                continue
            rule = cells[at_rule].strip()
            beside = re.split("[,，、;；]", cells[header.index(_BESIDE)]) if _BESIDE in header else []
            codes = tuple(code for one in beside if (code := one.strip()))
            if at_pool is not None and (pool := cells[at_pool].strip()):
                yield _Sent(file_of(name), start, address(at_pool, number), rule, "", None, codes, pool)
            if at_team is not None and (team := cells[at_team].strip()):
                named = cells[at_way].strip().partition(FIXED) if at_way is not None else ("", "", "")
                person = (named[2].strip(), address(at_way or 0, number)) if named[1] else None
                where = file_of(name), start, address(at_team, number)
                yield _Sent(*where, rule, team, person, codes)
