"""`leadflow match`: the model that recognises people and companies, and what it says of two records."""

from __future__ import annotations

import typer

from leadflow.match_evaluate import evaluate
from leadflow.match_train import train
from leadflow.match_why import why, why_not

match = typer.Typer(no_args_is_help=True, help="Recognising customers: train, why, why-not.")
match.command()(train)
match.command()(evaluate)
match.command()(why)
match.command("why-not")(why_not)
