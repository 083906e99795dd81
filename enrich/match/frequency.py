"""How frequent names and companies are: the same rare name says more than the same common one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from zlib import crc32

from enrich.match.companies import Company
from enrich.match.names import Name
from enrich.match.record import Record


@lru_cache(maxsize=16_384)
def term(text: str) -> int:
    """Return the number under which the frequency of a word is kept: of 32 bits, so that no word can be read back."""
    return crc32(text.encode())


@dataclass(frozen=True, slots=True)
class Frequencies:
    """The share of records that have a surname, a given name or a company's brand, by `term`."""

    family: Mapping[int, float] = field(default_factory=dict)
    given: Mapping[int, float] = field(default_factory=dict)
    company: Mapping[int, float] = field(default_factory=dict)
    family_unseen: float = 1e-4
    given_unseen: float = 1e-4
    company_unseen: float = 5e-6
    short_unseen: float = 1e-4
    """Of a company known by two characters or four letters only."""
    registered_unseen: float = 2e-8
    """Of a company's whole registered name, with region, trade and legal form: a register gives it once, so two customers
    share it only where one of them names the other's company."""
    least_name: float = 4e-5
    """No name counts as rarer than this: a name alone, however rare, makes nobody the same."""

    def of_name(self, name: Name) -> float:
        """Return the share of people who have a name: its surname's times its given name's."""
        family = self.family.get(term(name.family), self.family_unseen)
        given = self.given.get(term(name.given), self.given_unseen)
        return max(family * given, self.least_name)

    def of_company(self, company: Company) -> float:
        """Return the share of companies that have this name; one that is no more than a short brand is commoner."""
        if company.is_registered:
            return self.registered_unseen
        bare = company.short and company.core == company.brand
        return self.company.get(term(company.core), self.short_unseen if bare else self.company_unseen)

    def of_record(self, comparison: str, record: Record) -> float:
        """Return the frequency that counts for a record: that of the commonest of its values."""
        if comparison == "name":
            names = record.names
            return self.of_name(names[0]) if len(names) == 1 else max(map(self.of_name, names))
        return max(map(self.of_company, record.companies))
