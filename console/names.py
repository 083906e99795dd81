"""Names of people, teams and sources as shown in a language."""

from __future__ import annotations

from schemas.base import Language
from schemas.company import Company
from store.views import INTAKE


def holder_name(company: Company, holder_id: str | None, language: Language) -> str:
    """Return the name of a person, team, pool or cadence; its id if the company does not know it; empty for intake."""
    if holder_id is None or holder_id == INTAKE:
        return ""
    if person := company.people.get(holder_id):
        return (person.name_en or person.name) if language == "en" else person.name
    if unit := company.units.get(holder_id):
        return unit.name_zh if language == "zh" else unit.name_en
    if pool := company.pools.get(holder_id):
        return pool.name_zh if language == "zh" else pool.name_en
    for one in company.choices_of("nurture"):
        if one.code == holder_id:
            return one.name_zh if language == "zh" else one.name_en
    return holder_id


def source_name(company: Company, source_id: str | None) -> str:
    """Return the name of a source, or its id."""
    if source_id is None:
        return ""
    return str(company.sources.get(source_id, {}).get("name") or source_id)


def sink_name(company: Company, sink_id: str) -> str:
    """Return the name of a sink, or its id."""
    return str({**company.sinks_off, **company.sinks}.get(sink_id, {}).get("name") or sink_id)
