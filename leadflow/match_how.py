"""`leadflow match how`: how a customer became what it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leadflow.terminal import fail, reading, settings, tell

if TYPE_CHECKING:
    from enrich.survivorship import Agreed, Kept


def how(
    customer: Annotated[str, typer.Argument(help="A customer or contact, under any of its ids")],
) -> None:
    """Tell how a customer became what it is: its golden record, and leads, joins, partings and acts in order."""
    from enrich.golden import golden_of
    from enrich.groups import named
    from enrich.history import history
    from store.acts import ActRefused
    from store.present import atoms_of

    rules = settings().golden_rules
    with reading() as connection:
        try:
            name = named(connection, customer)
        except ActRefused as refused:
            fail(str(refused), f"没有 {customer} 这个客户或联系人")
        ids = sorted(atoms_of(connection, [name]))
        record, agreed = golden_of(connection, name, rules)
        steps = history(connection, name)
    typer.echo(f"{name}\t{' '.join(one for one in ids if one != name)}".rstrip())
    for line in (*_record(record), *_agreed(agreed)):
        typer.echo(line)
    for step in steps:
        typer.echo(f"{_moment(step.at_us)}  {step.kind}\t{step.text}")


def _record(record: dict[str, Kept]) -> Iterator[str]:
    for field, kept in record.items():
        others = f"  ({tell('also', '另有')}: {'; '.join(kept.others)})" if kept.others else ""
        yield f"  {field}\t{kept.value}\t{kept.from_lead} {kept.rule}{others}"


def _agreed(agreed: tuple[Agreed, ...]) -> Iterator[str]:
    for one in agreed:
        said = tell("agreed", "同意") if one.given else tell("withheld", "未同意")
        yield f"  {tell('consent', '授权')} {one.purpose}\t{said}\t{' '.join(one.from_leads)}"


def _moment(at_us: int) -> Any:
    from leadflow.exports import moment

    return moment(at_us)
