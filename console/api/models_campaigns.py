"""What the operations about the list of campaigns take and answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from console.api.models import Done, Id, Reasoned
from console.api.models_assign import Name
from sales.campaign_list import ALIASES, NAME_CHARS
from schemas.company import AliasKind

Label = Annotated[str, StringConstraints(max_length=NAME_CHARS, pattern=r"^[^\x00-\x1f]*$")]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


class CampaignAlias(BaseModel):
    """A name by which a campaign's leads come in."""

    model_config = ConfigDict(extra="forbid")

    kind: AliasKind
    value: Name = Field(description="As leads bring it; upper and lower case are one")


class ListedAlias(BaseModel):
    """A name as it stands on the list; the company's files may hold longer ones than are taken here."""

    kind: AliasKind
    value: str


class ListedCampaign(BaseModel):
    """A campaign, and every name it is known by."""

    campaign: str = Field(description="Its code")
    name_zh: str
    name_en: str
    aliases: list[ListedAlias]
    state: str = Field(description="Changes with it: sent back as `was`, nobody's change is overwritten")


class ListedCampaigns(BaseModel):
    """A page of campaigns, by code."""

    campaigns: list[ListedCampaign]
    next: str | None


class CampaignSaid(Reasoned):
    """What a campaign is to be called, and known by."""

    name_zh: Label = Field("", description="Of the two names one is enough")
    name_en: Label = ""
    aliases: list[CampaignAlias] = Field(default=[], max_length=ALIASES)


class CampaignAdded(CampaignSaid):
    """A new campaign."""

    campaign: Code = Field(description="Its code, which stays")


class CampaignChanged(CampaignSaid):
    """A campaign as it is to be, whole: a name that is left out counts for it no more."""

    was: Id | None = Field(
        None, description="The `state` it was read in; without it, whatever stands is replaced"
    )


class CampaignDone(Done):
    """A campaign that is on the list."""

    leads: int = Field(
        description="How many came with one of its new names, had no campaign, and count for it since"
    )
