"""What the pages of operations have done by the host: the same acts as the command line's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sales.problems import Problem
from schemas.base import Language
from schemas.company import Company


class Operations(Protocol):
    """What a host does for these pages (leadflow.operations_desk)."""

    def do(self, verb: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Do what `leadflow` does under this verb. Raises ActRefused."""
        ...

    def problems_of_book(self, company: Company, *, thorough: bool) -> Sequence[Problem]:
        """Return what `leadflow rules check --overlaps` tells of a company's book; else only what keeps it from being used."""
        ...

    def simulated(self, company: Company, since_us: int, most: int) -> dict[str, Any]:
        """Return what `leadflow rules simulate --json` tells of a company's book and the last `most` leads since a moment."""
        ...

    def expected(
        self, source_id: str, company: Company, from_us: int, to_us: int
    ) -> tuple[float, float] | None:
        """Return how much a door usually takes in a week, and between two moments; None while that is being learnt."""
        ...

    def advice(self, section: Mapping[str, Any], language: Language) -> list[str]:
        """Return what the other side of a source needs, as `leadflow source new` prints it."""
        ...
