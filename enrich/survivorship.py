"""The golden record: of what several leads say of one customer, which value stands, from which lead, by which rule.

Derived anew whenever it is read, from the leads that are members at that moment; so a merge or a parting changes
it at once, and the order in which they came cannot matter. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as field_of
from typing import Any, Literal, get_args

from schemas.lead import FieldValue

Criterion = Literal["trusted", "recent", "oldest", "frequent", "complete"]
CRITERIA: tuple[str, ...] = get_args(Criterion)
"""`trusted`: its channel can know it best; `recent`, `oldest`: by when it came in; `frequent`: in most leads;
`complete`: the longest. The first that makes a difference decides; of the same rank, the latest."""

RULES: Mapping[str, tuple[str, ...]] = {
    "full_name": ("trusted", "frequent", "complete", "recent"),
    "company": ("frequent", "complete", "recent"),
    "phone": ("trusted", "recent"),
    "email": ("trusted", "recent"),
    "tax_id": ("frequent", "recent"),
    "address": ("complete", "recent"),
}
"""By field, where it is not the latest value that stands."""
OTHERWISE: tuple[str, ...] = ("recent",)

_TRUST: Mapping[str, Mapping[str, int]] = {
    "phone": {"cti": 3, "counter": 2, "web": 2, "email": 1},
    "email": {"email": 3, "web": 2, "counter": 1, "cti": 0},
    "full_name": {"counter": 2, "web": 2, "email": 1, "cti": 0},
}
"""What a channel can know of a field: a caller's number and a mail's sender were not typed by anybody; a
signature or a display name is worth less than what somebody wrote about themselves."""


@dataclass(frozen=True, slots=True)
class Member:
    """A lead of the customer. `atom` is the customer it was born to, before any merge."""

    lead_id: str
    atom: str
    channel: str
    accepted_us: int
    fields: tuple[FieldValue, ...]
    consent: Mapping[str, Any] | None = None
    opted_out: Mapping[str, int] = field_of(default_factory=dict)
    """Purposes that its sender does not agree to, each with the moment up to which that holds."""
    corrects: bool = False
    """Somebody of ours put right what is known."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The value of a field that stands, the lead it is from, the criterion that decided, and the other values."""

    value: str
    from_lead: str
    rule: str
    others: tuple[str, ...] = ()


def golden_record(members: Iterable[Member], rules: Mapping[str, Sequence[str]] = RULES) -> dict[str, Kept]:
    """Return the golden record, field by field. What could not be normalised stands only where nothing else does.

    A correction outranks what was said before it, also when that is said again: a form filled in by the browser says the
    old name for years. What is new after it competes with it by the rules.
    """
    found, wrong = _said(members)
    return {
        name: _kept(name, found[name], wrong.get(name, set()), tuple(rules.get(name, OTHERWISE)))
        for name in sorted(found)
    }


def put_right(members: Iterable[Member]) -> dict[str, set[str]]:
    """Return by field the values, as `key_of` them, that a correction has taken out of the running."""
    return _said(members)[1]


def key_of(value: str) -> str:
    """Return that under which two writings of a value are one."""
    return " ".join(value.casefold().split())


def _said(
    members: Iterable[Member],
) -> tuple[dict[str, dict[str, list[tuple[Member, FieldValue]]]], dict[str, set[str]]]:
    found: dict[str, dict[str, list[tuple[Member, FieldValue]]]] = {}
    wrong: dict[str, set[str]] = {}
    for member in sorted(members, key=lambda one: (one.accepted_us, one.lead_id)):
        for field in member.fields:
            value = (field.value or field.received).strip()
            if value:
                by_value, key = found.setdefault(field.name, {}), key_of(value)
                if member.corrects:
                    wrong[field.name] = set(by_value) - {key}
                by_value.setdefault(key, []).append((member, field))
    return found, wrong


def _kept(
    name: str, by_value: dict[str, list[tuple[Member, FieldValue]]], wrong: set[str], rule: tuple[str, ...]
) -> Kept:
    ranks = {
        key: (_is_readable(many), key not in wrong, *(_rank(one, name, many) for one in rule))
        for key, many in by_value.items()
    }
    last = {
        key: max((member.accepted_us, member.lead_id) for member, _ in many) for key, many in by_value.items()
    }
    ordered = sorted(by_value, key=lambda key: (ranks[key], last[key], key), reverse=True)
    best = ordered[0]
    # In the writing that was put right, if it was: a form says the old one for years.
    member, field = max(
        by_value[best], key=lambda said: (said[0].corrects, said[0].accepted_us, said[0].lead_id)
    )
    return Kept(
        value=(field.value or field.received).strip(),
        from_lead=member.lead_id,
        rule=_deciding(rule, [ranks[key] for key in ordered]),
        others=tuple(
            (by_value[key][-1][1].value or by_value[key][-1][1].received).strip() for key in ordered[1:]
        ),
    )


def _deciding(rule: tuple[str, ...], ranks: Sequence[tuple[Any, ...]]) -> str:
    """Return the criterion by which the first differs from the second; `only` where there is no second."""
    if len(ranks) < 2:
        return "only"
    names = ("readable", "corrected", *rule)
    return next((name for name, a, b in zip(names, ranks[0], ranks[1], strict=True) if a != b), "recent")


def _is_readable(many: Sequence[tuple[Member, FieldValue]]) -> bool:
    return any(field.value is not None for _, field in many)


def _rank(criterion: str, name: str, many: Sequence[tuple[Member, FieldValue]]) -> int:
    match criterion:
        case "trusted":
            trust = _TRUST.get(name, {})
            return max(trust.get(member.channel, 1) for member, _ in many)
        case "frequent":
            return len({member.lead_id for member, _ in many})
        case "complete":
            return max(len(field.value or field.received) for _, field in many)
        case "oldest":
            return -min(member.accepted_us for member, _ in many)
        case _:
            return max(member.accepted_us for member, _ in many)


@dataclass(frozen=True, slots=True)
class Agreed:
    """Whether a customer agreed to a purpose, and the leads that say so: those that withhold it, if any does."""

    purpose: str
    given: bool
    from_leads: tuple[str, ...]


def consents(members: Iterable[Member]) -> tuple[Agreed, ...]:
    """Return what a customer agreed to, per purpose.

    Of one customer the latest word counts; of several that were merged the stricter: what one of them was asked
    and did not agree to is withheld. Taken apart again, each side has its own back. Whoever opted out has withheld
    it until they agree to it anew.
    """
    latest: dict[str, Member] = {}
    refusals: dict[tuple[str, str], Member] = {}
    for member in sorted(members, key=lambda one: (one.accepted_us, one.lead_id)):
        if member.consent is not None:
            latest[member.atom] = member
        for purpose, at_us in member.opted_out.items():
            held = refusals.get((member.atom, purpose))
            if held is None or at_us >= held.opted_out[purpose]:
                refusals[member.atom, purpose] = member
    refused = {
        key: member
        for key, member in refusals.items()
        if (word := latest.get(key[0])) is None or word.accepted_us <= member.opted_out[key[1]]
    }
    purposes = {one for member in latest.values() for one in _agreed(member)} | {one for _, one in refused}
    found = []
    for purpose in sorted(purposes):
        withheld = {member.lead_id for (_, one), member in refused.items() if one == purpose}
        withheld |= {member.lead_id for member in latest.values() if purpose not in _agreed(member)}
        agreed = {member.lead_id for member in latest.values() if purpose in _agreed(member)}
        found.append(Agreed(purpose, not withheld, tuple(sorted(withheld or agreed))))
    return tuple(found)


def _agreed(member: Member) -> tuple[str, ...]:
    return tuple((member.consent or {}).get("purposes", ()))
