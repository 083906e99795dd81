"""`leadflow match`: who is one with whom, and taking that back."""

from __future__ import annotations

import typer

from leadflow.match_how import how
from leadflow.match_merge import merge, unmerge
from leadflow.match_review import review

match = typer.Typer(no_args_is_help=True, help="Recognising customers: merge, unmerge, review, how.")
match.command()(merge)
match.command()(unmerge)
match.command()(review)
match.command()(how)
