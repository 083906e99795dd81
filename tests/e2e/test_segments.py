"""What enrichment adds to a lead, and how customers are found again by it, on both stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from sales.segments import customers_of, gaps_of, members
from schemas.company import Product, ProductLine
from schemas.segments import read_segments
from store.database import Database
from tests.e2e.test_operate import leadflow
from tests.support.live import Live
from tests.support.rig import DAY, MONDAY_10, Rig, post, small_company

SEGMENTS = (
    "segment,name_zh,name_en,grade,industry,days_silent,complete\n"
    'hot,高分客户,High grade,"A, B",,,\n'
    "food,食品企业,Food,,food,,\n"
    "quiet,沉睡客户,Gone quiet,,,>= 60,\n"
    "known,资料齐全,All known,,,,100\n"
)
COMPANY = small_company(
    lines={"forklift": ProductLine(line_id="forklift", name_zh="叉车", name_en="Forklift")},
    products={
        "cpd30": Product(
            product_id="cpd30",
            line_id="forklift",
            name_zh="3 吨锂电叉车",
            name_en="3 t lithium forklift",
            aliases=("CPD30",),
        )
    },
    segments_csv=SEGMENTS,
    required=("full_name", "phone", "company", "product"),
)
GOOD: dict[str, Any] = {
    "name": "张伟",
    "phone": "13900001234",
    "company": "苏州甜源食品有限公司",
    "message": "需要三台 CPD30，请报价，下个月要用，最好能先来现场看看我们的仓库和通道宽度，谢谢",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    store: Database | None = None
    if request.param == "postgresql":
        store = request.getfixturevalue("clean_postgres")
    made = Rig(tmp_path, store=store, company=COMPANY)
    yield made
    made.files.doors.close()
    if store is None:
        made.files.store.close()


def test_a_lead_says_product_industry_carrier_and_a_score_that_adds_up(rig: Rig) -> None:
    rig.feed([post(made="1", **GOOD)])
    rig.run()
    (lead,) = rig.rows("lead")
    assert (lead["product_line"], lead["product"], lead["industry"]) == ("forklift", "cpd30", "food")
    more = orjson.loads(lead["more_json"])
    assert more["carriers"] == ["China Mobile"]
    assert sum(one["points"] for one in more["score"]) == lead["score"] == 65
    assert lead["grade"] == "B"


def test_customers_are_in_segments_by_all_their_leads(rig: Rig) -> None:
    rig.feed(
        [
            post(made="1", **GOOD),
            post(made="2", at_us=MONDAY_10 + DAY, name="张伟", phone="13900001234", message="再问一下"),
            post(made="3", name="李娜", phone="13900005678"),
        ]
    )
    rig.run()
    found = {one.row.name: one for one in read_segments(SEGMENTS)}
    with rig.store.read() as connection:
        customers = list(customers_of(connection, COMPANY, MONDAY_10 + 61 * DAY))
    assert len(customers) == 2
    (zhang,) = members(customers, found["food"])
    assert (zhang.facts["leads"], zhang.facts["days_silent"], zhang.gaps) == ("2", "60", ())
    assert zhang.facts["product"] == "cpd30", "the second enquiry names no product, and takes none away"
    assert list(members(customers, found["known"])) == [zhang]
    assert len(list(members(customers, found["quiet"]))) == 2
    (li,) = (one for one in customers if one is not zhang)
    assert li.gaps == ("company", "product")
    assert li.facts["complete"] == "50"


def test_a_rule_may_ask_for_the_score(tmp_path: Path) -> None:
    book = 'rule,grade,industry,then_team\ngood,"A, B",food,east\nrest,,,default\n'
    rig = Rig(tmp_path, company=small_company(book_csv=book, lines=COMPANY.lines, products=COMPANY.products))
    rig.feed([post(made="1", **GOOD), post(made="2", name="李娜", phone="13900005678")])
    rig.run()
    held = sorted(
        (row["holder_kind"], row["holder_id"]) for row in rig.rows("holding") if row["to_us"] is None
    )
    assert held[1] == ("queue", "default")
    assert held[0][0] == "person"
    rig.files.doors.close()
    rig.files.store.close()


def test_gaps_keep_the_order_of_the_list() -> None:
    assert gaps_of({"company"}, ("full_name", "company", "city")) == ("full_name", "city")


def test_the_command_counts_lists_and_names_what_there_is(tmp_path: Path) -> None:
    live = Live(tmp_path / "data", COMPANY)
    live.start()
    try:
        live.post("/in/web/site", "&".join(f"{key}={value}" for key, value in GOOD.items()).encode(),
                  {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})  # fmt: skip
        live.drained()
        assert leadflow(live.folder, "segments").splitlines()[0].split("\t")[:2] == ["1", "hot"]
        (row,) = map(orjson.loads, leadflow(live.folder, "segments", "food").splitlines())
        assert (row["industry"], row["to_ask"]) == ("food", [])
        assert leadflow(live.folder, "segments", "--by", "grade") == "1\tB\n"
        assert "hot, food, quiet, known" in leadflow(live.folder, "segments", "nobody", code=2)
        assert "province" in leadflow(live.folder, "segments", "--by", "shoe_size", code=2)
    finally:
        live.stop()
