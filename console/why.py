"""One sentence that says why a customer is where it is, from the recorded reason of the decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from console.names import holder_name, source_name
from console.times import local
from console.words import COLUMNS, PASSED_OVER, VALUES, word
from schemas.base import Language
from schemas.company import Company
from schemas.shares import LEAD
from schemas.work import Condition, Reason


@dataclass(frozen=True)
class Teller:
    """Explains in one language, with the names of one company."""

    company: Company
    language: Language
    gettext: Callable[[str], str]

    def sentence(self, reason: Reason, holder_id: str) -> str:
        """Return the sentence."""
        _ = self.gettext
        parts = [self._rule(reason), self._outcome(reason, holder_id)]
        return _("; ").join(part for part in parts if part)

    def condition(self, condition: Condition) -> str:
        """Return a condition that held, such as `省份=上海`; with its test where there was no value."""
        _ = self.gettext
        column = word(COLUMNS, condition.column, _)
        if not condition.value:
            return _("%(column)s: %(test)s") % {"column": column, "test": condition.test}
        value = word(VALUES.get(condition.column, {}), condition.value, _)
        if condition.column == "source":
            value = source_name(self.company, condition.value)
        return _("%(column)s = %(value)s") % {"column": column, "value": value}

    def passed_over(self, reason: Reason) -> str:
        """Return how many could not have it and why, such as `不在班 3 人，请假 1 人`; the story has the names."""
        _ = self.gettext
        counts = Counter(why for _person, why in reason.passed_over)
        return _(", ").join(
            _("%(count)s %(why)s") % {"count": count, "why": word(PASSED_OVER, why, _)}
            for why, count in counts.items()
        )

    def why_not(self, reason: Reason, holder_id: str, person_id: str) -> str:
        """Return why somebody did not get what this decision gave, in one sentence."""
        _ = self.gettext
        why = next((why for one, why in reason.passed_over if one == person_id), None)
        values = {
            "person": self.name(person_id),
            "team": self.name(reason.team_id),
            "why": word(PASSED_OVER, why, _),
            "sentence": self.sentence(reason, holder_id),
        }
        if holder_id == person_id:
            said = _("%(person)s did get it: %(sentence)s")
        elif why is not None:
            said = _("%(person)s could not have it (%(why)s): %(sentence)s")
        elif person_id in reason.eligible and reason.code == "call_now":
            said = _("%(person)s may still take it: %(sentence)s")
        elif person_id in reason.eligible:
            return self._others_turn(reason, holder_id, person_id, values)
        elif reason.team_id is not None and reason.code not in ("claimed", "returned", "owner_left"):
            said = _("%(person)s was not in %(team)s, to whom it went: %(sentence)s")
        else:
            said = _("Nobody was chosen by turn: %(sentence)s")
        return said % values

    def _others_turn(
        self, reason: Reason, holder_id: str, person_id: str, values: Mapping[str, object]
    ) -> str:
        _ = self.gettext
        stood = {one[0]: one for one in reason.standing}
        own, other = stood[person_id], stood[holder_id]
        numbers = {
            "received": own[2],
            "entitled": leads(own[3]),
            "its_received": other[2],
            "its_entitled": leads(other[3]),
        }
        told = _(
            "%(person)s could have had it, with %(received)s received of %(entitled)s entitled to, but "
            "another was first, with %(its_received)s of %(its_entitled)s: %(sentence)s"
        )
        return told % {**values, **numbers}

    def name(self, holder_id: str | None) -> str:
        """Return the name of a person or team."""
        return holder_name(self.company, holder_id, self.language)

    def _rule(self, reason: Reason) -> str:
        _ = self.gettext
        if reason.rule_id is None:
            return ""
        if not reason.conditions:
            return _("Rule “%(rule)s” applies to everything") % {"rule": reason.rule_id}
        held = _(", ").join(self.condition(one) for one in reason.conditions)
        return _("Rule “%(rule)s” matched: %(conditions)s") % {"rule": reason.rule_id, "conditions": held}

    def _outcome(self, reason: Reason, holder_id: str) -> str:
        _ = self.gettext
        values = {
            "person": self.name(holder_id),
            "team": self.name(reason.team_id),
            "pool": self.name(reason.pool_id),
            "days": reason.untouched_days,
        }
        said = {
            "sticky_owner": _("%(person)s has this customer already"),
            "default_queue": _("No rule matched; it went to the default queue"),
            "claimed": _("%(person)s took it out of the waiting queue of %(team)s"),
            "pooled": _("it went into the open pool %(pool)s"),
            "released": _("Released into the open pool %(pool)s"),
            "reminded": _("Nothing was done for %(days)s working days: %(person)s was reminded"),
            "copied": _("Nothing was done for %(days)s working days: the manager was told, too"),
            "offered": _(
                "Nothing was done for %(days)s working days: the manager was asked to give it to somebody else"
            ),
            "reclaimed": _("Nothing was done for %(days)s working days: it is in the open pool %(pool)s now"),
            "returned": _("Returned to the waiting queue of %(team)s"),
            "owner_left": _("Its owner has left; it waits for %(team)s to share it out"),
            "moved": _("Moved to %(person)s"),
            "moved_back": _("A move was undone; it is back with %(person)s"),
            "handed_over": _("Handed over to %(person)s"),
            "nurtured": _("Put aside (%(person)s), to be taken up again on a date"),
            "woken": _("It had been put aside until now; %(person)s has it again"),
            "merged": _("Two customers are one since then; %(person)s has it"),
            "parted": _("One customer was two; by the decisions on its own leads, %(person)s has this one"),
            "registered": _("Registered; %(person)s has it"),
            "claim_decided": _("A manager decided between departments: %(person)s has it"),
            "auto_moved": _("Moved by itself to %(person)s"),
            "imported": _("It came with a list; %(person)s has it"),
            "list_reverted": _("The list that it came with was taken back; it is closed"),
            "probe": _("A self-test; no figure counts it"),
        }
        match reason.code:
            case "claimed" if reason.pool_id is not None:
                return _("%(person)s claimed it out of the open pool %(pool)s") % values
            case "sticky_owner" if reason.stand_in is not None:
                values["stand_in"] = self.name(reason.stand_in)
                return _("%(person)s has this customer already and is away; %(stand_in)s stands in") % values
            case "weighted_turn" | "least_loaded" | "least_recent" | "best_match" | "fixed":
                chosen = self._chosen(reason, holder_id, values)
                if reason.rule_id is not None:
                    return chosen
                return _("taken out of the waiting queue of %(team)s; ") % values + chosen
            case "nurtured" if reason.wakes_us is not None:
                values["date"] = f"{local(reason.wakes_us, self.company.zone):%Y-%m-%d}"
                return _("Put aside (%(person)s), to be taken up again on %(date)s") % values
            case "woken" if reason.team_id is not None:
                return _("It had been put aside until now; it waits for %(team)s to share it out") % values
            case "imported":
                return self._by_list(reason, values)
            case "call_now":
                return _("whoever of %(team)s takes it first gets it: %(who)s") % {
                    **values,
                    "who": _(", ").join(self.name(one) for one in reason.eligible),
                }
            case "waiting":
                nobody = _("nobody of %(team)s can take it now, so it waits") % values
                if not reason.passed_over:
                    return nobody
                return _("%(nobody)s (%(who)s)") % {"nobody": nobody, "who": self.passed_over(reason)}
        return said[reason.code] % values

    def _by_list(self, reason: Reason, values: Mapping[str, object]) -> str:
        _ = self.gettext
        more = dict(values)
        if reason.wakes_us is not None:
            more["date"] = f"{local(reason.wakes_us, self.company.zone):%Y-%m-%d}"
            if reason.named is not None and reason.not_named is None:
                more["person"] = self.name(reason.named)
                return _("Its list names %(person)s, who takes it up again on %(date)s") % more
            return _("It came with a list, to be taken up again on %(date)s") % more
        match reason.not_named:
            case None:
                return _("Its list names %(person)s as the owner") % more
            case "left":
                more["named"] = self.name(reason.named)
                return _("Its list names %(named)s, who has left; it is with %(person)s") % more
            case "unknown":
                return _("Its list names an owner whom nobody knows; it is with %(person)s") % more
        return _("It came with a list that names no owner; it is with %(person)s") % more

    def _chosen(self, reason: Reason, person_id: str, values: Mapping[str, object]) -> str:
        _ = self.gettext
        told = {
            "least_loaded": _("%(person)s had the fewest open customers"),
            "least_recent": _("%(person)s had waited longest"),
            "best_match": _("%(person)s knows best what it is about"),
            "fixed": _("the rule names %(person)s"),
        }
        if reason.code in told:
            return told[reason.code] % values
        stood = next((one for one in reason.standing if one[0] == person_id), None)
        if stood is None:
            return _("it was %(person)s's turn") % values
        numbers = {**values, "received": stood[2] + 1, "share": stood[1]}
        return _("it was %(person)s's turn (%(received)s so far that month, share %(share)s)") % numbers


def leads(parts: int) -> str:
    """Return parts of leads (`schemas.shares`) as a number of leads, such as `3.25`."""
    return f"{parts / LEAD:.2f}".rstrip("0").rstrip(".")
