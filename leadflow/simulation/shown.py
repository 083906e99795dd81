"""A simulation as people read it: lines on a terminal, or one page of HTML that needs no network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from answers.wording import Wording
from console.names import holder_name
from console.times import local
from leadflow.simulation.run import Run, told
from schemas.base import Language

WORDING = Wording(Path(__file__).parent)
FIRST = 20
"""Rows of each list on a terminal; the page and --json have more."""
ON_PAGE = 200
Gettext = Callable[[str], str]


def lines(run: Run, language: Language) -> Iterator[str]:
    """Yield a run as lines for a terminal, cells set apart by tabs; people by their codes."""

    def _(text: str) -> str:
        return WORDING.gettext(language, text)

    found = told(run)
    yield (
        _("%(leads)d leads from %(since)s to %(until)s; %(changed)d would have gone to somebody else") % found
    )
    if found["moves"]:
        yield ""
        yield _("leads\tfrom\tto")
        yield from (f"{row['leads']}\t{row['from']}\t{row['to']}" for row in found["moves"][:FIRST])
        yield ""
        yield _("lead\tcame\tfrom\tto\trule before\trule after")
        for row in found["changed_leads"][:FIRST]:
            came = f"{local(row['came_us'], run.office.company.zone):%Y-%m-%d %H:%M}"
            rules = (row["rule_before"] or "-", row["rule_after"] or "-")
            yield "\t".join((row["lead_id"], came, row["from"], row["to"], *rules))
    yield ""
    yield _("person\tleads before\tafter")
    yield from (f"{row['holder']}\t{row['before']}\t{row['after']}" for row in found["load"])
    if found["fairness"]:
        yield ""
        yield _("team\tperson\treceived / entitled before\tafter")
        for row in found["fairness"]:
            yield f"{row['team']}\t{row['person']}\t{_fair(row, 'before')}\t{_fair(row, 'after')}"
    if found["queues"]:
        yield ""
        yield _("queue\tput there before\tafter\tstill there before\tafter")
        for row in found["queues"]:
            cells = ("holder", "queued_before", "queued_after", "before", "after")
            yield "\t".join(str(row[cell]) for cell in cells)
    yield ""
    yield _("first response\tbefore\tafter")
    for label, before, after in _answers(found, _):
        yield f"{label}\t{before}\t{after}"
    if "collisions" in found:
        yield ""
        yield _("%(count)d customers were in several departments") % {"count": len(found["collisions"])}
        for row in found["collisions"][:FIRST]:
            rows = _("rows %s") % ", ".join(map(str, row["lines"]))
            yield f"{row['customer']}\t{' / '.join(row['departments'])}\t{rows}\t{row['would']}"
    yield ""
    yield _("%d leads would be without a holder") % found["orphans"]


def page(run: Run, language: Language) -> str:
    """Return a run as a page of HTML; people and teams by their names."""
    company = run.office.company

    def _(text: str) -> str:
        return WORDING.gettext(language, text)

    def name(holder_id: str) -> str:
        return holder_name(company, holder_id, language) or "–"

    found = told(run)
    values = {
        **found,
        "company": company.name,
        "name": name,
        "came": lambda us: f"{local(us, company.zone):%Y-%m-%d %H:%M}",
        "answers": list(_answers(found, _)),
        "on_page": ON_PAGE,
        "most": _most_of(found),
    }
    return WORDING.render(language, "simulation.html", values)


def _most_of(found: dict[str, Any]) -> dict[str, int]:
    """Return the greatest number of each chart: what its longest bar stands for."""
    numbers = {
        "load": [row[when] for row in found["load"] for when in ("before", "after")],
        "queues": [row[f"queued_{when}"] for row in found["queues"] for when in ("before", "after")],
        "moves": [row["leads"] for row in found["moves"]],
        "by_rule": [row["leads"] for row in found["by_rule"]],
    }
    return {name: max(ours, default=0) or 1 for name, ours in numbers.items()}


def _fair(row: dict[str, Any], when: str) -> str:
    received, entitled = row[f"received_{when}"], row[f"entitled_{when}"]
    return "–" if received is None else f"{received} / {entitled:.2f}"


def _answers(found: dict[str, Any], _: Gettext) -> Iterator[tuple[str, Any, Any]]:
    before, after = found["first_response"]["before"], found["first_response"]["after"]
    rows = (
        (_("with a limit"), "leads"),
        (_("with a person only after the limit, or with nobody"), "late"),
        (_("the limit ends on a later day"), "overnight"),
        (_("with an owner who was away, nobody standing in"), "absent"),
        (_("waited in a queue"), "queued"),
        (_("still waiting"), "waiting"),
        (_("waited on average, minutes"), "mean_wait_minutes"),
        (_("longest wait, minutes"), "longest_wait_minutes"),
    )
    for label, key in rows:
        yield label, "–" if before is None else before[key], after[key]
