"""What `leadflow rules check` tells: all that is wrong or odd in a company's rule book, each with its place and its fix."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import get_args

from leadflow.company import problems_of_book
from router.book import Rule, read_book
from router.rule_check import Finding, findings, overlaps
from router.sentences import FACT_WORDS
from sales.book_files import file_of
from sales.check import PROVINCES
from sales.problems import Problem, problem, suggest
from schemas.base import Channel
from schemas.company import Company, place_key
from schemas.resolved import Grade
from schemas.unary import Exactly, Starts


def problems_in(company: Company, *, with_overlaps: bool = False) -> list[Problem]:
    """Return everything to be told about a company's rule book; what is merely odd, only of one that can be used."""
    wrong = problems_of_book(company)
    if wrong or company.book_csv is None:
        return wrong
    book = read_book(company.book_csv, more=company.book_tables)
    known = _known(company)
    found = [one for rule in book.rules for one in _unknown_names(rule, known)]
    found += (_told(one) for one in findings(book))
    if with_overlaps:
        found += (_told(one) for one in overlaps(book))
    return found


def _told(one: Finding) -> Problem:
    lead = ", ".join(f"{column}={value or 'null'}" for column, value in (one.witness or {}).items()) or "–"
    rule = one.rules[0] if one.rules else None
    names = {
        "rule": rule.row.name if rule else "",
        "by": ", ".join(other.row.name for other in one.rules[1:]),
        "lead": lead,
    }
    code = {
        "unreachable": "rule_same" if one.same else "rule_unreachable",
        "gap": "rule_gap",
        "overlap": "rule_overlap",
        "not_decided": "table_undecided" if rule is None else "rule_undecided",
        "unused_table": "table_unused",
    }[one.kind]
    line = rule.row.line if rule else None
    return problem(code, file_of(one.table), line=line, severity="warning", **names)


def _unknown_names(rule: Rule, lists: Mapping[str, Collection[str]]) -> Iterator[Problem]:
    for column, _, test in rule.row.tests:
        known = lists.get(column)
        if known is None:
            continue
        for item in test.items:
            value = (
                item.value if isinstance(item, Exactly) else item.prefix if isinstance(item, Starts) else ""
            )
            if not value or _is_known(column, value, known, whole=isinstance(item, Exactly)):
                continue
            yield problem(
                "ref_unknown",
                file_of(rule.table),
                line=rule.row.line,
                column=f"{column} ({rule.row.places[column]})",
                severity="warning",
                value=value,
                what=column.replace("_", " "),
                what_zh=FACT_WORDS[column][1],
                known=suggest(value, known),
            )


def _is_known(column: str, value: str, known: Collection[str], *, whole: bool) -> bool:
    if column == "province":
        value, known = place_key(value), [place_key(one) for one in known]
    return value in known if whole else any(one.startswith(value) for one in known)


def _known(company: Company) -> dict[str, Collection[str]]:
    """Return what there is to be named, by column; columns whose values nobody lists are left out."""
    return {
        "channel": get_args(Channel),
        "source": [*company.sources, *company.sources_off],
        "campaign": company.campaigns,
        "product_line": company.lines,
        "product": company.products,
        "industry": [one.industry_id for one in company.industries_of()],
        "territory": company.territories,
        "province": PROVINCES,
        "customer_kind": ("person", "company"),
        "language": ("zh", "en"),
        "grade": get_args(Grade),
    }
