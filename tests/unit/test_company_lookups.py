"""What the company's lists make of a lead: campaign, product line, territory."""

import pytest

from schemas.company import (
    Alias,
    Campaign,
    Company,
    Place,
    Product,
    ProductLine,
    Territory,
    asked_for,
    campaign_for,
    territory_for,
)
from schemas.lead import CampaignHint


def company() -> Company:
    def campaign(key: str, *aliases: tuple[str, str]) -> Campaign:
        named = tuple(Alias.model_validate({"kind": kind, "value": value}) for kind, value in aliases)
        return Campaign(campaign_id=key, name_zh=key, name_en=key, aliases=named)

    def territory(key: str, *places: Place) -> Territory:
        return Territory(territory_id=key, name_zh=key, name_en=key, places=places)

    return Company(
        version=1,
        campaigns={
            "search": campaign("search", ("utm", "Baidu Chache"), ("click", "bd_vid"), ("heard", "百度")),
            "fair": campaign("fair", ("tag", "cemat"), ("dialled", "021-1050 6611")),
            "global": campaign("global", ("click", "gclid")),
        },
        sources={"site": {"source_id": "site", "campaign": "fair"}, "plain": {"source_id": "plain"}},
        lines={
            "forklift": ProductLine(line_id="forklift", name_zh="叉车", name_en="Forklift"),
            "pallet": ProductLine(
                line_id="pallet", name_zh="搬运车", name_en="Pallet truck", aliases=("地牛",)
            ),
            "agv": ProductLine(line_id="agv", name_zh="智能物流", name_en="Automation", aliases=("AGV",)),
        },
        products={
            "f20": Product(product_id="f20", line_id="agv", name_zh="无人叉车", name_en="Driverless forklift")
        },
        territories={
            "east": territory("east", Place(province="江苏"), Place(province="山东", city="青岛")),
            "north": territory("north", Place(province="山东省"), Place(province="内蒙古")),
        },
    )


def named(kind: str, value: str, source_id: str = "plain") -> tuple[str | None, list[str]]:
    hint = CampaignHint.model_validate({"kind": kind, "value": value})
    campaign_id, unknown = campaign_for(company(), [hint], source_id)
    return campaign_id, [one.value for one in unknown]


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("utm", " baidu  CHACHE ", "search"),
        ("utm", "ｂａｉｄｕ chache", "search"),
        ("click", "bd_vid=8812736450012", "search"),
        ("dialled", "+86 21 10506611", "fair"),
        ("dialled", "02110506611", "fair"),
        ("dialled", "008602110506611", "fair"),
        ("tag", "CeMAT", "fair"),
        ("heard", "百度", "search"),
    ],
)
def test_an_alias_is_found_however_the_door_wrote_it(kind: str, value: str, wanted: str) -> None:
    assert named(kind, value) == (wanted, [])


def test_what_a_machine_stated_is_believed_before_what_the_visitor_remembers() -> None:
    hints = [CampaignHint(kind="heard", value="百度"), CampaignHint(kind="click", value="gclid=1")]
    assert campaign_for(company(), hints, "site")[0] == "global"


def test_without_any_known_hint_the_sources_own_campaign_holds() -> None:
    assert named("utm", "nobody-knows", "site") == ("fair", ["nobody-knows"])
    assert named("utm", "nobody-knows", "plain") == (None, ["nobody-knows"])
    assert campaign_for(company(), [], "no-such-source") == (None, ())


def test_an_unknown_alias_comes_back_without_what_would_identify_a_person() -> None:
    assert named("click", "fbclid=IwAR0secret") == (None, ["fbclid"])
    assert named("heard", "张三 138 0013 8000 介绍") == (None, ["张三 … 介绍"])
    assert named("utm", "x" * 500)[1] == ["x" * 80]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("想买两台叉车", "forklift"),
        ("无人叉车方案", "agv"),  # the longer name wins over 叉车 inside it
        ("need a pallet truck, not a forklift", "pallet"),
        ("ＡＧＶ 项目", "agv"),
        ("Magvia", None),
        ("", None),
    ],
)
def test_the_product_line_is_that_of_the_longest_name_in_the_text(text: str, wanted: str | None) -> None:
    assert asked_for(company(), text)[0] == wanted


@pytest.mark.parametrize(
    ("province", "city", "wanted"),
    [
        ("江苏省", "苏州市", "east"),
        ("山东省", "青岛市", "east"),
        ("山东", "济南", "north"),
        ("山东", None, "north"),
        ("内蒙古自治区", None, "north"),
        ("火星", None, None),
        (None, "青岛", None),
    ],
)
def test_the_citys_own_territory_goes_before_the_provinces(
    province: str | None, city: str | None, wanted: str | None
) -> None:
    found = territory_for(company(), province, city)
    assert (found.territory_id if found else None) == wanted


def test_another_company_is_asked_its_own_lists() -> None:
    assert asked_for(company(), "地牛") == ("pallet", None)
    assert asked_for(Company(version=2), "地牛") == (None, None)
    other = company().model_copy(update={"lines": {}})
    assert asked_for(other, "地牛") == (None, None)


def test_a_list_of_the_companys_own_replaces_the_built_in_one_only() -> None:
    plain = company()
    assert [one.code for one in plain.choices_of("outcome")][:2] == ["no_answer", "interested"]
    own = plain.choices_of("return")[:1]
    mine = Company.model_validate({**plain.model_dump(), "choices": own})
    assert mine.choices_of("return") == own
    assert mine.choices_of("outcome") == plain.choices_of("outcome")
