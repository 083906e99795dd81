"""The company's files, judged by everything there is: the rule book, the sources' formats, the kinds of sinks."""

from __future__ import annotations

from pathlib import Path

from ingest.registry import FORMATS
from router.book import Book, read_book
from router.examples import Example, failures, read_examples
from sales import check, files
from sales.book_files import BookText
from sales.problems import Problem
from schemas.company import Company
from schemas.decision_table import TableError, Wrong
from sinks.registry import SETTINGS

_FORMATS = {name: one.settings for name, one in FORMATS.items()}


def wrong_in_book(book: BookText) -> tuple[Wrong, ...]:
    """Return everything that is wrong in a rule book as such: its tables, and examples that it sends elsewhere."""
    found: tuple[Wrong, ...] = ()
    read: Book | None = None
    examples: tuple[Example, ...] = ()
    try:
        read = read_book(book.csv, more=book.tables)
    except TableError as error:
        found += error.wrong
    try:
        examples = read_examples(book.examples) if book.examples is not None else ()
    except TableError as error:
        found += error.wrong
    return found + (tuple(failures(read, examples)) if read is not None else ())


def problems_of_book(company: Company) -> list[Problem]:
    """Return what keeps a company's rule book from being put in force: errors in it, an example that fails, no such team."""
    return list(check.check_book(company, wrong_in_book))


def read_company(path: Path) -> Company:
    """Read a company from its folder or zip. Raises CompanyError with all problems at once."""
    return files.read_company(path, judge_book=wrong_in_book, formats=_FORMATS, sinks=SETTINGS)


def problems_of(company: Company, now_us: int) -> list[Problem]:
    """Return everything in a company that does not fit together at a moment."""
    return check.check(company, judge_book=wrong_in_book, formats=_FORMATS, sinks=SETTINGS, now_us=now_us)
