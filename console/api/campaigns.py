"""The list of campaigns: what is on it, and by which names leads count for each; added and changed by the page's acts."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request

from console.api.acting import Key, command_for, company_of, done
from console.api.assign import CampaignId
from console.api.models_campaigns import (
    CampaignAdded,
    CampaignChanged,
    CampaignDone,
    CampaignSaid,
    ListedAlias,
    ListedCampaign,
    ListedCampaigns,
)
from console.api.operations import operations
from console.api.paging import Cursor, Limit, cursor_of, place_of
from console.desk import Desk
from sales.aliases import counted_before
from sales.campaign_list import ADD, CHANGE, Wish, add_campaign, change_campaign, state_of
from schemas.company import Campaign
from store.acts import Command, Plan


def campaign_routes(desk: Desk) -> APIRouter:
    """Return the operations on the list of campaigns."""
    router = operations("marketing")

    @router.get("/campaigns/listed", summary="Campaigns and the names they are known by, by code")
    def listed_campaigns(cursor: Cursor = "", limit: Limit = 50) -> ListedCampaigns:
        place = place_of(cursor, str)
        ordered = sorted(company_of(desk).campaigns.items())
        found = [one for code, one in ordered if place is None or code > str(place[0])]
        more = len(found) > limit
        return ListedCampaigns(
            campaigns=[_listed(one) for one in found[:limit]],
            next=cursor_of(found[limit - 1].campaign_id) if more else None,
        )

    @router.post("/campaigns", summary="Add a campaign, also for the leads that came with one of its names")
    def add(request: Request, body: CampaignAdded, key: Key = "") -> CampaignDone:
        command = command_for(desk, request, body, ADD, key, scope=body.campaign, reason=body.reason)
        return _put(desk, command, add_campaign(_wish(body), []))

    @router.put("/campaigns/{campaign_id}", summary="Call a campaign something else, or by other names")
    def change(
        request: Request, campaign_id: CampaignId, body: CampaignChanged, key: Key = ""
    ) -> CampaignDone:
        command = command_for(desk, request, body, CHANGE, key, scope=campaign_id, reason=body.reason)
        return _put(desk, command, change_campaign(_wish(body), body.was, []))

    return router


def _wish(body: CampaignSaid) -> Wish:
    return Wish(body.name_zh, body.name_en, tuple((one.kind, one.value) for one in body.aliases))


def _put(desk: Desk, command: Command, plan: Plan) -> CampaignDone:
    did = done(desk, command, plan)
    with desk.store.read() as connection:
        return CampaignDone(**did.model_dump(), leads=counted_before(connection, command.act_id))


def _listed(one: Campaign) -> ListedCampaign:
    aliases = [ListedAlias(kind=alias.kind, value=alias.value) for alias in one.aliases]
    return ListedCampaign(
        campaign=one.campaign_id,
        name_zh=one.name_zh,
        name_en=one.name_en,
        aliases=aliases,
        state=state_of(one),
    )
