"""The act by which somebody changes what a web form asks and says: the source's settings, and nothing else of the company."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import orjson
from sqlalchemy import Connection

from sales.apply import apply
from schemas.company import Company
from store.acts import ActRefused, Command, Plan
from store.company import company_version, load_company
from store.effects import Effect
from store.locks import lock_company

VERB = "save_form"
FORM = "web.form"


def forms(company: Company) -> dict[str, dict[str, Any]]:
    """Return the settings of every source that is a web form and switched on."""
    return {key: one for key, one in company.sources.items() if one.get("format") == FORM}


def state_of(settings: Mapping[str, Any]) -> str:
    """Return a digest by which one tells whether somebody changed the form meanwhile."""
    return blake2b(orjson.dumps(dict(settings), option=orjson.OPT_SORT_KEYS), digest_size=12).hexdigest()


def save_form(changes: Mapping[str, Any], was: str) -> Plan:
    """Return the plan that sets these keys of a source (the command's scope); None takes a key away.

    `was` is the `state_of` what the actor had before them. Refused: a source that is no web form or is gone, one that
    somebody changed meanwhile, a campaign that there is not, and another consent text under the same version: what
    people agreed to is kept by it.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        lock_company(connection)
        company = load_company(connection, company_version(connection))
        before = forms(company).get(command.scope_id)
        if before is None:
            raise ActRefused("unknown_source", f"There is no web form {command.scope_id!r}.")
        if state_of(before) != was:
            raise ActRefused("changed_meanwhile", "Somebody changed this form meanwhile; look at it again.")
        after = {key: value for key, value in {**before, **changes}.items() if value is not None}
        _check(company, before, after)
        sources = {**company.sources, command.scope_id: after}
        apply(connection, company.model_copy(update={"sources": sources}), now_us, command.act_id)
        return ()

    return plan


def _check(company: Company, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    campaign = after.get("campaign")
    if campaign is not None and campaign not in company.campaigns:
        raise ActRefused("unknown_campaign", f"There is no campaign {campaign!r}.")
    version = after.get("consent_version")
    is_other = after.get("consent_text") != before.get("consent_text")
    if version is not None and version == before.get("consent_version") and is_other:
        raise ActRefused(
            "consent_version_same",
            "Another consent text needs another version: it is kept with what people agreed to.",
        )
