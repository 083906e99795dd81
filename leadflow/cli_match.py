"""`leadflow match`: the model that recognises people and companies, who is one with whom, and taking that back."""

from __future__ import annotations

import typer

from leadflow.match_evaluate import evaluate
from leadflow.match_how import how
from leadflow.match_merge import merge, unmerge
from leadflow.match_review import review
from leadflow.match_train import train
from leadflow.match_use import calibrate, model, retune, use
from leadflow.match_why import why, why_not

match = typer.Typer(no_args_is_help=True, help="Recognising customers: the model, and merging and parting.")
match.command()(train)
match.command()(evaluate)
match.command()(model)
match.command()(use)
match.command()(calibrate)
match.command()(retune)
match.command()(why)
match.command("why-not")(why_not)
match.command()(merge)
match.command()(unmerge)
match.command()(review)
match.command()(how)
