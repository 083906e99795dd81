"""The company's files, judged by everything there is: the rule book, the sources' formats, the kinds of sinks."""

from __future__ import annotations

from pathlib import Path

from ingest.registry import FORMATS
from router.book import read_book
from sales import check, files
from sales.problems import Problem
from schemas.company import Company
from sinks.registry import SETTINGS

_FORMATS = {name: one.settings for name, one in FORMATS.items()}


def read_company(path: Path) -> Company:
    """Read a company from its folder or zip. Raises CompanyError with all problems at once."""
    return files.read_company(path, read_book=read_book, formats=_FORMATS, sinks=SETTINGS)


def problems_of(company: Company, now_us: int) -> list[Problem]:
    """Return everything in a company that does not fit together at a moment."""
    return check.check(company, read_book=read_book, formats=_FORMATS, sinks=SETTINGS, now_us=now_us)
