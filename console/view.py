"""What templates ask while rendering one page: names, words, times and the parts of a lead, in one language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any, get_args
from urllib.parse import quote

from babel.core import get_global
from babel.dates import format_date, get_timezone_name

from console import times, words
from console.devices import device_name
from console.may import AT_THIS_MACHINE, Visitor
from console.menu import Group, Question, is_at, menu, questions
from console.names import holder_name, sink_name, source_name
from console.texts import WORDING
from console.why import Teller, leads
from sales.life import Life, at_a_glance
from sales.money import grouped
from schemas.base import Language
from schemas.company import Choice, ChoiceList, Company
from schemas.correction import CORRECTIONS
from schemas.mask import masked
from schemas.shares import parts_of
from schemas.work import Reason
from store.access import Access
from store.breakers import DELIVER
from store.whose import Aside

Fields = Sequence[Mapping[str, Any]]

_SHOWN_CHARS = 60
"""A name of a thousand characters must not push everything else off the page; the story has it whole."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where somebody stood who could have had a lead: what of that grade they had received that month, and were
    entitled to, before it and after; and the number that the strategy went by, where it has one."""

    person_id: str
    share: int
    received: tuple[int, int]
    entitled: tuple[str, str]
    number: str
    chosen: bool


@dataclass(frozen=True)
class View:
    """One page being rendered: for whom, of which company, and when."""

    language: Language
    company: Company
    now_us: int
    visitor: Visitor = AT_THIS_MACHINE

    @cached_property
    def gettext(self) -> Callable[[str], str]:
        """Translate a text."""
        return WORDING.translations(self.language).gettext

    @cached_property
    def teller(self) -> Teller:
        """Explain decisions."""
        return Teller(self.company, self.language, self.gettext)

    def device(self, access: Access) -> str:
        """Return what a session came in with; for a token that it is one."""
        _ = self.gettext
        if access.kind == "token":
            return self.word("ACCESS_KINDS", "token")
        return device_name(access.device) or _("Unknown device")

    @property
    def looks(self) -> tuple[str, ...]:
        """Return the roles that the demo can be looked at as."""
        return ("representative", "manager", "marketing", "front_desk", "operations")

    @property
    def rule_columns(self) -> Mapping[str, str]:
        """Return the columns of the rule book that are no conditions."""
        return words.RULE_COLUMNS

    @property
    def menu(self) -> list[Group]:
        """Return the menu of this visitor."""
        hidden = set() if self.visitor.person_id else {"/day"}
        if not self.company.pools:
            hidden.add("/pools")
        if self.visitor.roles == {"representative"}:
            hidden |= {"/neglected", "/collisions", "/campaigns"}
        return menu(self.visitor.opens, frozenset(hidden))

    @property
    def questions(self) -> list[Question]:
        """Return what this visitor may ask, each with where the answer stands."""
        who = self.visitor
        return questions(who.opens, has_a_day=who.person_id is not None and "representative" in who.roles)

    def is_at(self, path: str, place: str) -> bool:
        """Tell whether a path is a page of the menu, or lies below it."""
        return is_at(path, place)

    @property
    def is_demo(self) -> bool:
        """Tell whether a source of the demo company is configured."""
        return self.company.is_demo

    def word(self, table: str, code: str | None) -> str:
        """Return the text for a code of a table in `words`, such as ("ORIGINS", "plan")."""
        return words.word(getattr(words, table), code, self.gettext)

    def length(self, seconds: int) -> str:
        """Return a stretch of working time in hours and minutes; of less than a minute, in seconds."""
        if seconds < 60:
            return times.unit(seconds, "second", self.language)
        whole, minutes = divmod(seconds // 60, 60)
        parts = ((whole, "hour"), (minutes, "minute"))
        return " ".join(times.unit(count, name, self.language) for count, name in parts if count)

    def days(self, count: int) -> str:
        """Return a number of days in words."""
        return times.unit(count, "day", self.language)

    def junk(self, junk: Mapping[str, Any]) -> str:
        """Return how much a lead looks like junk and by what, from its row's `more`."""
        _ = self.gettext
        signs = _(", ").join(self.word("JUNK", sign) for sign in junk["signs"])
        return _("Looks like junk, %(score)s of 100: %(signs)s") % {"score": junk["score"], "signs": signs}

    def score(self, row: Mapping[str, Any]) -> str:
        """Return a lead's score with the rows of points that counted, from its row."""
        _ = self.gettext
        counted = _(", ").join(
            f"{self.word('FIELDS' if one['name'] in words.FIELDS else 'COLUMNS', one['name'])} {one['points']:+d}"
            for one in row["more"]["score"]
        )
        told = {"score": row["score"], "grade": row["grade"], "points": counted}
        return _("Score %(score)s of 100, grade %(grade)s: %(points)s") % told

    def profile(self, facts: Mapping[str, str]) -> list[str]:
        """Return what is known of a customer in short: grade and score, place, industry, product, language; without gaps."""
        _, company = self.gettext, self.company
        shown = []
        if facts["grade"]:
            told = {"grade": facts["grade"], "score": facts["score"]}
            shown.append(_("grade %(grade)s, %(score)s of 100") % told)
        shown.append(" ".join(dict.fromkeys(one for one in (facts["province"], facts["city"]) if one)))
        shown.append(self.fact("industry", facts["industry"]))
        shown.append(
            self._term(company.products.get(facts["product"]))
            or self._term(company.lines.get(facts["product_line"]))
        )
        return [one for one in shown if one]

    def fact(self, name: str, value: str) -> str:
        """Return the value of a customer's fact as people call it."""
        company = self.company
        match name:
            case "industry":
                term: Any = next((one for one in company.industries_of() if one.industry_id == value), None)
            case "product":
                term = company.products.get(value)
            case "product_line":
                term = company.lines.get(value)
            case "campaign":
                term = company.campaigns.get(value)
            case "territory":
                term = company.territories.get(value)
            case "channel":
                return self.word("CHANNELS", value)
            case _:
                term = None
        return self._term(term) or value

    def stages(self, lives: Sequence[Life]) -> list[str]:
        """Return in a sentence for each product line how far a customer is, since when, and until when it rests.

        Nothing of a line on which nothing has happened yet but that it came.
        """
        _, told = self.gettext, []
        for life in at_a_glance(lives):
            stay = life.stays[-1]
            if stay.stage == "new":
                continue
            said = {
                "line": self.fact("product_line", life.line) or _("no product line"),
                "stage": self.word("STAGES", stay.stage),
                "since": self.day(stay.from_us),
                "until": self.day(stay.until_us) if stay.until_us is not None else "",
            }
            text = (
                _("%(line)s: %(stage)s until %(until)s, said on %(since)s")
                if stay.until_us is not None
                else _("%(line)s: %(stage)s since %(since)s")
            )
            told.append(text % said)
        return told

    def masked(self, text: str) -> str:
        """Return a text with its telephone numbers hidden, for whoever is not to call them."""
        return text if self.visitor.reads_clearly() else masked(text)

    def money(self, minor: int, currency: str) -> str:
        """Return an amount with its currency, thousands set apart."""
        return f"{grouped({currency: minor})} {currency}"

    def named(self, term: Any) -> str:
        """Return the name of a campaign, product or anything else that has one in both languages."""
        return self._term(term)

    def campaign(self, campaign_id: str) -> str:
        """Return the name of a campaign, or its code."""
        return self._term(self.company.campaigns.get(campaign_id)) or campaign_id

    def to_ask(self, gaps: Sequence[str]) -> str:
        """Return the fields that nobody has told yet, as what to ask for."""
        return self.gettext(", ").join(self.word("FIELDS", name) for name in gaps)

    def _term(self, term: Any) -> str:
        if term is None:
            return ""
        return str(term.name_zh if self.language == "zh" else term.name_en)

    def choices(self, which: ChoiceList) -> list[tuple[str, str]]:
        """Return a list of the company to choose from, as (code, name)."""
        return [(one.code, self._named(one)) for one in self.company.choices_of(which)]

    def choice(self, which: ChoiceList, code: str | None) -> str:
        """Return the company's name of an entry; the code, or what was typed, if the list does not have it."""
        return next((name for one, name in self.choices(which) if one == code), code or "")

    def _named(self, choice: Choice) -> str:
        return choice.name_zh if self.language == "zh" else choice.name_en

    def name(self, holder_id: str | None) -> str:
        """Return the name of a person or team; of an actor that is nobody, what acted."""
        found = holder_name(self.company, holder_id, self.language)
        return self.word("MACHINES", found) if found == holder_id else found

    def scope(self, scope_id: str) -> str:
        """Return the name of what an act was done to: a holder, a campaign or a source; its id if it is none of them."""
        found = self.name(scope_id)
        if found == scope_id and scope_id in self.company.campaigns:
            return self.campaign(scope_id)
        return self.source(scope_id) if found == scope_id else found

    def act_reason(self, said: str) -> str:
        """Return the reason of an act: what was typed, or the name of the entry that was chosen."""
        chosen = (
            name for which in get_args(ChoiceList) for code, name in self.choices(which) if code == said
        )
        return next(chosen, said)

    def weekday(self, day: date, width: str = "EEEEE") -> str:
        """Return the name of a day of the week, the shortest or another of CLDR's widths."""
        return str(format_date(day, width, locale=self.language))

    def put_aside(self, aside: Aside) -> str:
        """Return until when a customer is put aside, in words."""
        _ = self.gettext
        if aside.wakes_us is None:
            return _("put aside")
        return _("put aside until %(date)s") % {"date": self.day(aside.wakes_us)}

    def source(self, source_id: str | None) -> str:
        """Return the name of a source."""
        if source_id == CORRECTIONS:
            return self.word("KINDS", "correction")
        return source_name(self.company, source_id)

    def breaker(self, row: Mapping[str, Any]) -> tuple[str, str, str]:
        """Return what is held or has stopped, what to do about it, and the command that has it go on."""
        is_destination = row["stage"] == DELIVER
        said, todo = words.BREAKERS["destination" if is_destination else row["state"]]
        facts = {
            "source": self._destination(row["source_id"])
            if is_destination
            else self.source(row["source_id"]),
            "stage": self.word("STEPS", row["stage"]),
            "tried": row["tried"],
            "refused": row["refused"],
        }
        command = {
            "open": f"leadflow breaker reset {row['source_id']}",
            "stopped": "leadflow breaker reset --all",
        }
        return self.gettext(said) % facts, self.gettext(todo), command.get(row["state"], "")

    def _destination(self, key: str) -> str:
        sink_id, _, person_id = key.removeprefix("sinks.").partition("/")
        return f"{self.sink(sink_id)} → {self.name(person_id)}" if person_id else self.sink(sink_id)

    def sink(self, sink_id: str) -> str:
        """Return the name of a sink."""
        return sink_name(self.company, sink_id)

    def way(self, way: str) -> str:
        """Return by which way an alarm was told: mail, webhook, or the name of a group's robot."""
        return self.sink(way.removeprefix("sinks.")) if way.startswith("sinks.") else self.word("WAYS", way)

    def recipient(self, row: Mapping[str, Any]) -> str:
        """Return whom a delivery is for: a person, else the sink's one destination."""
        return self.sink(row["dest"]) if row["dest"] == row["sink_id"] else self.name(row["dest"])

    def trouble(self, code: str | None) -> str:
        """Return why a delivery was not taken, in words; empty if it was."""
        if code is not None and code in words.DEAD:
            return self.gettext(words.DEAD[code][0])
        return words.word(words.DROPPED, code, self.gettext)

    def when(self, us: int) -> str:
        """Return a moment as people read it."""
        return times.shown(us, self.now_us, self.company.zone, self.language)

    def soon(self) -> list[tuple[str, str]]:
        """Return dates to take something up again, for a thumb: (as a form sends it, as people say it), at nine each."""
        _, today = self.gettext, times.local(self.now_us, self.company.zone)
        days = (
            (1, _("tomorrow")),
            (3, _("in 3 days")),
            (7 - today.weekday(), _("next Monday")),
            (30, _("in a month")),
        )
        return [((today + timedelta(days=n)).strftime("%Y-%m-%dT09:00"), text) for n, text in days]

    def day(self, us: int) -> str:
        """Return a date as ISO 8601."""
        return times.local(us, self.company.zone).date().isoformat()

    @property
    def zone(self) -> str:
        """Return the company's time zone in words, as CLDR has it (中国时间); one of no country, such as UTC, by its id."""
        zone = self.company.zone
        if get_global("zone_territories").get(zone, "ZZ") == "ZZ":
            return zone
        return str(get_timezone_name(zone, locale=self.language, zone_variant="generic"))

    def exact(self, us: int) -> str:
        """Return a moment to the millisecond."""
        return times.exact(us, self.company.zone)

    def distance(self, us: int) -> str:
        """Return how far a moment is from now, whichever side."""
        return times.distance(us - self.now_us, self.language)

    def why(self, row: Mapping[str, Any]) -> str:
        """Return the sentence for a row with `reason` and its holder."""
        return self.teller.sentence(self.reason(row), str(row["holder_id"])) if row["reason"] else ""

    def reason(self, row: Mapping[str, Any]) -> Reason:
        """Return the reason of a decision's row."""
        return Reason.model_validate(row["reason"])

    def besides(self, reason: Reason) -> list[str]:
        """Return what else a decision said: priority, playbook, protection, collaborators, a claim; a part each."""
        _ = self.gettext
        told = []
        if reason.priority is not None:
            told.append(_("priority: %(priority)s") % {"priority": self.word("PRIORITIES", reason.priority)})
        if reason.playbook is not None:
            told.append(_("playbook: %(playbook)s") % {"playbook": reason.playbook})
        if reason.protect_days is not None:
            told.append(_("protected for %(days)s days once a person has it") % {"days": reason.protect_days})
        if reason.collaborators:
            names = _(", ").join(self.name(one) for one in reason.collaborators)
            told.append(_("works on it, too: %(names)s") % {"names": names})
        if reason.claimant is not None:
            told.append(_("also claimed by: %(unit)s") % {"unit": self.name(reason.claimant)})
            if not reason.collaborators and reason.code != "registered":
                told.append(_("a manager decides"))
        return told

    def letter(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """Return message and hint of a dead letter in the reader's language, else as they were recorded."""
        if row["code"] not in words.DEAD:
            return row["message"], row["hint"]
        message, hint = words.DEAD[row["code"]]
        return self.gettext(message), self.gettext(hint)

    def standings(self, row: Mapping[str, Any]) -> list[Standing]:
        """Return who could have had what a decision gave, with what it went by, whoever got it on top."""
        reason = self.reason(row)
        parts = parts_of([one[1] for one in reason.standing]) if reason.standing else []
        found = []
        for (person_id, share, received, entitled, number), part in zip(reason.standing, parts, strict=True):
            chosen = row["holder_kind"] == "person" and row["holder_id"] == person_id
            found.append(
                Standing(
                    person_id,
                    share,
                    (received, received + chosen),
                    (leads(entitled), leads(entitled + part)),
                    self._number(reason.code, number),
                    chosen,
                )
            )
        return sorted(found, key=lambda one: not one.chosen)

    def standing(self, one: Standing) -> str:
        """Return where somebody stood, in words."""
        _ = self.gettext
        told = _("received %(before)s → %(after)s, entitled to %(due)s → %(then)s, share %(share)s") % {
            "before": one.received[0],
            "after": one.received[1],
            "due": one.entitled[0],
            "then": one.entitled[1],
            "share": one.share,
        }
        return _(", ").join(part for part in (told, one.number) if part)

    def _number(self, code: str, number: int) -> str:
        _, ngettext = self.gettext, WORDING.translations(self.language).ngettext
        match code:
            case "least_loaded":
                return ngettext("%(num)s open customer", "%(num)s open customers", number) % {"num": number}
            case "least_recent":
                last = self.exact(number) if number else _("not lately")
                return _("last given: %(last)s") % {"last": last}
            case "best_match":
                return ngettext("%(num)s match", "%(num)s matches", number) % {"num": number}
            case _:
                return ""

    def first(self, fields: Fields, name: str) -> str:
        """Return the first value of a field, normalised if it could be; empty if there is none."""
        return next((one.get("value") or one["received"] for one in fields if one["name"] == name), "")

    def who(self, fields: Fields) -> str:
        """Return what to call a lead: name, else company, phone, email; empty if it gave none."""
        names = (self.first(fields, name) for name in ("full_name", "company", "phone", "email"))
        return _cut(next((name for name in names if name), ""))

    def company_of(self, fields: Fields) -> str:
        """Return the lead's company, unless that is what it is called by."""
        return _cut(self.first(fields, "company")) if self.first(fields, "full_name") else ""

    def phones(self, fields: Fields) -> list[tuple[str, str | None]]:
        """Return (number as received, `tel:` address or None where it could not be read)."""
        return [
            (_cut(one["received"]), f"tel:{one['value']}" if one.get("value") else None)
            for one in fields
            if one["name"] == "phone"
        ]

    def mails(self, fields: Fields) -> list[tuple[str, str | None]]:
        """Return (address as received, `mailto:` address or None where it could not be read)."""
        return [
            (_cut(one["received"]), f"mailto:{quote(one['value'], safe='@')}" if one.get("value") else None)
            for one in fields
            if one["name"] == "email"
        ]


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[: _SHOWN_CHARS - 1] + "…"
