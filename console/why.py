"""One sentence that says why a customer is where it is, from the recorded reason of the decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from console.names import holder_name, source_name
from console.words import COLUMNS, PASSED_OVER, VALUES, word
from schemas.base import Language
from schemas.company import Company
from schemas.work import Condition, Reason


@dataclass(frozen=True)
class Teller:
    """Explains in one language, with the names of one company."""

    company: Company
    language: Language
    gettext: Callable[[str], str]

    def sentence(self, reason: Reason, holder_id: str, received: int | None = None) -> str:
        """Return the sentence; `received` is what the holder got of the team's leads on that day."""
        _ = self.gettext
        parts = [self._rule(reason), self._outcome(reason, holder_id, received)]
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
        """Return how many could not have it and why, such as `不在班 3 人，休假 1 人`; the story has the names."""
        _ = self.gettext
        counts = Counter(why for _person, why in reason.passed_over)
        return _(", ").join(
            _("%(count)s %(why)s") % {"count": count, "why": word(PASSED_OVER, why, _)}
            for why, count in counts.items()
        )

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

    def _outcome(self, reason: Reason, holder_id: str, received: int | None) -> str:
        _ = self.gettext
        values = {"person": self.name(holder_id), "team": self.name(reason.team_id), "received": received}
        said = {
            "sticky_owner": _("%(person)s has this customer already"),
            "default_queue": _("No rule matched; it went to the default queue"),
            "claimed": _("%(person)s took it out of the waiting queue of %(team)s"),
            "returned": _("Returned to the waiting queue of %(team)s"),
            "owner_left": _("Its owner has left; it waits for %(team)s to share it out"),
            "moved": _("Moved to %(person)s"),
            "moved_back": _("A move was undone; it is back with %(person)s"),
            "handed_over": _("Handed over to %(person)s"),
            "merged": _("Two customers are one since then; %(person)s has it"),
            "parted": _("One customer was two; by the decisions on its own leads, %(person)s has this one"),
            "probe": _("A self-test; no figure counts it"),
        }
        match reason.code:
            case "weighted_turn" if reason.rule_id is None:
                return _("taken out of the waiting queue of %(team)s; ") % values + self._turn(
                    reason, holder_id, values
                )
            case "weighted_turn":
                return self._turn(reason, holder_id, values)
            case "waiting":
                nobody = _("nobody of %(team)s can take it now, so it waits") % values
                if not reason.passed_over:
                    return nobody
                return _("%(nobody)s (%(who)s)") % {"nobody": nobody, "who": self.passed_over(reason)}
        return said[reason.code] % values

    def _turn(self, reason: Reason, person_id: str, values: Mapping[str, object]) -> str:
        _ = self.gettext
        share = next(
            (
                member.share
                for member in self.company.members
                if member.unit_id == reason.team_id and member.person_id == person_id and member.to_us is None
            ),
            None,
        )
        if values["received"] is None or share is None:
            return _("it was %(person)s's turn") % values
        return _("it was %(person)s's turn (%(received)s so far that day, share %(share)s)") % {
            **values,
            "share": share,
        }
