"""The acts by which a campaign is put on the list, or called something else, and by which names its leads come in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from sqlalchemy import Connection

from sales.aliases import counting, holders, with_aliases, written
from sales.apply import apply
from sales.cells import CODE, CellError
from schemas.company import Campaign, Company, alias_key
from store.acts import ActRefused, Command, Plan
from store.company import company_version, load_company
from store.effects import Effect
from store.locks import lock_company
from worktime.localtime import zone_of

ADD, CHANGE = "add_campaign", "change_campaign"
NAME_CHARS, ALIAS_CHARS, ALIASES = 200, 2_000, 500
"""How long a campaign's name may be, each name it is known by, and how many there are of these: forms and lists show them all."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a campaign is to be: its name, of which one language is enough, and every name it is known by, as kind and value."""

    name_zh: str
    name_en: str
    aliases: tuple[tuple[str, str], ...] = ()


def state_of(campaign: Campaign) -> str:
    """Return a digest by which one tells whether somebody changed the campaign meanwhile."""
    return blake2b(campaign.model_dump_json().encode(), digest_size=12).hexdigest()


def add_campaign(wish: Wish, counted: list[str]) -> Plan:
    """Return the plan that puts a campaign on the list, under the code that is the command's scope.

    Leads that came with one of its names and have no campaign count for it, as with `assign_alias`, which tells of `counted`.
    Refused: a code that is none or is another's, no name, a text too long, a name it is to be known by that is none or
    another's.
    """

    def check(company: Company, code: str) -> None:
        if code in company.campaigns:
            raise ActRefused("campaign_taken", f"There is a campaign {code!r} already; choose another code.")
        try:
            CODE.read(code, zone_of(company.zone))
        except CellError:
            raise ActRefused(
                "campaign_code",
                f"{code[:60]!r} is no code: small letters, digits, - and _, 40 at most, a letter or digit first.",
            ) from None

    return _saving(wish, check, counted)


def change_campaign(wish: Wish, was: str | None, counted: list[str]) -> Plan:
    """Return the plan that makes a campaign, the command's scope, what is wished; see `add_campaign`.

    A name that is left out counts for it no more; leads that came with it before do. `was` is the `state_of` what the actor
    had before them; without it whatever stands is replaced. Refused besides: a campaign that there is not, or that somebody
    changed meanwhile.
    """

    def check(company: Company, code: str) -> None:
        before = company.campaigns.get(code)
        if before is None:
            raise ActRefused("unknown_campaign", f"There is no campaign {code!r}.")
        if was is not None and state_of(before) != was:
            raise ActRefused(
                "campaign_changed", "Somebody changed this campaign meanwhile; look at it again."
            )

    return _saving(wish, check, counted)


def _saving(wish: Wish, check: Callable[[Company, str], None], counted: list[str]) -> Plan:
    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        counted.clear()
        lock_company(connection)
        company = load_company(connection, company_version(connection))
        check(company, command.scope_id)
        apply(connection, _with(company, command.scope_id, wish), now_us, command.act_id)
        before = holders(company)
        added = [one for one in wish.aliases if (one[0], alias_key(*one)) not in before]
        return counting(connection, command, added, counted)

    return plan


def _with(company: Company, code: str, wish: Wish) -> Company:
    zh, en = written(wish.name_zh), written(wish.name_en)
    if not zh and not en:
        raise ActRefused("campaign_name_missing", "A campaign needs a name, in Chinese or English.")
    # The files may hold longer names, and more: whoever changes another of them is not stopped by these.
    before = company.campaigns.get(code)
    known = {alias.value for alias in before.aliases} if before else set()
    longest = max((len(value) for _, value in wish.aliases if written(value) not in known), default=0)
    most = max(ALIASES, len(known))
    if max(len(zh), len(en)) > NAME_CHARS or longest > ALIAS_CHARS or len(wish.aliases) > most:
        raise ActRefused(
            "campaign_too_long",
            f"A campaign's name has {NAME_CHARS} characters at most, each name it is known by {ALIAS_CHARS}, and there are "
            f"{ALIASES} of these at most.",
        )
    bare = Campaign(campaign_id=code, name_zh=zh or en, name_en=en or zh)
    whole = company.model_copy(update={"campaigns": {**company.campaigns, code: bare}})
    return with_aliases(whole, code, wish.aliases)
