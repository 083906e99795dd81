"""`leadflow subject`: everything that is held about one customer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from leadflow.terminal import fail, reading, say, settings


def subject(
    customer: Annotated[str, typer.Argument(help="A customer, under any of its ids")],
    out: Annotated[Path | None, typer.Option(help="File to write into; else standard output")] = None,
) -> None:
    """Export all that is held about a customer as JSON, for whoever asks what is known about them."""
    import orjson

    from enrich.golden import golden_of
    from store.acts import ActRefused
    from store.subject import subject as held

    rules = settings().golden_rules
    with reading() as connection:
        try:
            told = held(connection, customer)
        except ActRefused as refused:
            fail(str(refused), f"没有 {customer} 这个客户")
        record, agreed = golden_of(connection, told["customer_id"], rules)
    told = {"customer_id": told.pop("customer_id"), "golden": record, "consents": agreed, **told}
    text = orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if out is None:
        sys.stdout.buffer.write(text)
        return
    out.touch(mode=0o600)
    out.write_bytes(text)
    say(f"written to {out}", f"已写入 {out}")
