"""Campaigns over the store: stages, orders and spend through acts, the table they add up to, merging, parting and erasing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from enrich.acts_merge import merge_with
from enrich.acts_part import Wish as PartWish
from enrich.acts_part import part
from enrich.given import identifiers_given
from leadflow.operate_marketing import do_take_orders
from router.office import office_of
from sales.aliases import assign_alias
from sales.campaign_table import Line, total
from sales.campaigns import campaigns_table, period_of
from sales.life_facts import records_of
from sales.money_files import WrongCell, read_orders, read_spend, spending_of
from sales.orders import Taken, assign_order, open_orders, take_orders
from sales.outcomes import Said, record_outcome
from sales.spend import Spending, add_spend, end_spend, entries, place_of, take_spend
from sales.stages import Wish, set_stage
from schemas.company import Alias, Campaign, ProductLine
from schemas.orders import Buyer, OrderRow
from schemas.outcomes import OutcomeCode
from store import tables
from store.acts import ActRefused, Command, perform
from store.acts_erase import erase_customer, find_erasure
from store.company import company_version, load_company
from store.subject import subject
from tests.e2e.test_unmerge import customer_of, lead_of
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, Rig, post, small_company
from worktime.localtime import zone_of

CAMPAIGNS = {
    "baidu": Campaign(
        campaign_id="baidu", name_zh="百度", name_en="Baidu", aliases=(Alias(kind="utm", value="bd"),)
    ),
    "fair": Campaign(
        campaign_id="fair", name_zh="展会", name_en="Fair", aliases=(Alias(kind="heard", value="展会"),)
    ),
}
LINES = {
    key: ProductLine(line_id=key, name_zh=name, name_en=key)
    for key, name in (("forklift", "叉车"), ("agv", "无人车"))
}
COMPANY = small_company(campaigns=CAMPAIGNS, lines=LINES, absences=())
NUMBERS = itertools.count()
NOVEMBER = period_of(date(2026, 11, 1), date(2026, 11, 30), zone_of("Asia/Shanghai"))


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """Zhang came by Baidu and again by the fair, Li by the fair, Wang by nothing that is known."""
    store = request.getfixturevalue("clean_postgres") if request.param == "postgresql" else None
    made = Rig(tmp_path, store=store, company=COMPANY)
    made.feed(
        [
            post(made="z", name="张伟", phone="13812345678", utm_campaign="bd", message="叉车"),
            post(made="l", at_us=MONDAY_10 + MINUTE, name="李娜", phone="13987654321", heard_of_us="展会"),
            post(
                made="w", at_us=MONDAY_10 + 2 * MINUTE, name="王芳", phone="13700000003", utm_campaign="xhs"
            ),
            post(
                made="z2",
                at_us=MONDAY_10 + HOUR,
                name="张伟",
                phone="13812345678",
                heard_of_us="展会",
                message="叉车",
            ),
        ]
    )
    made.run()
    yield made
    made.files.doors.close()
    if store is None:
        made.files.store.close()


def act(rig: Rig, scope: str, plan: Any, at_us: int = MONDAY_10 + 2 * HOUR, *, key: str = "") -> Command:
    command = Command("test", "ann", key or f"{scope} {next(NUMBERS)}", scope)
    perform(rig.store, command, plan, at_us, rig.files.store_log.append)
    rig.run()
    return command


def says(rig: Rig, name: str, code: OutcomeCode, at_us: int = MONDAY_10 + 2 * HOUR, **more: Any) -> None:
    lead_id = next(row["lead_id"] for row in rig.rows("lead") if name in row["fields_json"])
    task = next(row for row in rig.rows("task") if row["lead_id"] == lead_id and row["state"] == "open")
    act(rig, task["task_id"], record_outcome(Said(code, **more), COMPANY, office_of(COMPANY).due), at_us)


def table(rig: Rig, by: Any = "campaign") -> dict[str, Line]:
    with rig.store.read() as connection:
        return {row.key: row for row in campaigns_table(connection, NOVEMBER, by)}


def counts(row: Line) -> tuple[int, ...]:
    return row.leads, row.valid, row.contacted, row.opportunities, row.won, row.orders


def stays(rig: Rig, customer_id: str) -> dict[str, list[str]]:
    with rig.store.read() as connection:
        (record,) = records_of(connection, [customer_id]).values()
    return {life.line: [one.stage for one in life.stays] for life, _ in record.lives()}


def order(order_no: str, minor: int = 100_00, **more: Any) -> OrderRow:
    row = {"order_no": order_no, "ordered_us": MONDAY_10 + DAY, "amount_minor": minor, "currency": "CNY"}
    return OrderRow(**{**row, **more})


def take(rig: Rig, *rows: OrderRow, source: str = "erp", at_us: int = MONDAY_10 + 2 * DAY) -> list[Taken]:
    told: list[Taken] = []
    named = [(row, identifiers_given(row.buyer.model_dump(exclude_none=True))) for row in rows]
    act(rig, source, take_orders(source, named, told), at_us)
    return told


def by_phone(number: str) -> Buyer:
    return Buyer(phone=number)


def customer(rig: Rig, name: str) -> str:
    return customer_of(rig, next(row["lead_id"] for row in rig.rows("lead") if name in row["fields_json"]))


def test_the_first_touch_gets_it_and_the_rows_add_up(rig: Rig) -> None:
    says(rig, "张伟", "interested")
    says(rig, "李娜", "not_a_lead", reason="supplier")
    assert [one.why_open for one in take(rig, order("1", buyer=by_phone("138 1234 5678")))] == [None]
    spent: list[Any] = []
    act(
        rig,
        "spend",
        take_spend(
            "plan", [Spending("baidu", date(2026, 11, 1), date(2026, 11, 30), 90_001, "CNY")], COMPANY, spent
        ),
    )
    act(rig, "s2", add_spend(Spending("fair", date(2026, 10, 31), date(2026, 11, 1), 101, "USD"), COMPANY))
    found = table(rig)
    assert counts(found["baidu"]) == (1, 1, 1, 1, 1, 1), "Zhang's second enquiry came while the first ran"
    assert counts(found["fair"]) == (2, 1, 0, 0, 0, 0)
    assert counts(found[""]) == (1, 1, 0, 0, 0, 0), "no campaign is a row"
    assert found["baidu"].amount == {"CNY": 10_000}
    assert found["baidu"].costs == {
        "lead": {"CNY": 90_001},
        "valid": {"CNY": 90_001},
        "opportunity": {"CNY": 90_001},
        "order": {"CNY": 90_001},
    }
    assert found["fair"].spend == {"USD": 51}, "of two days, one lies in the period"
    assert found[""].costs["lead"] is None, "no spend is no cost, and not a cost of nothing"
    for by in ("campaign", "channel", "source"):
        whole = total(table(rig, by).values())
        assert counts(whole) == (4, 3, 1, 1, 1, 1)
    assert total(table(rig, "source").values()).spend == {}


def test_a_stage_set_by_hand_and_backward_is_a_step_of_its_own(rig: Rig) -> None:
    zhang = customer(rig, "张伟")
    says(rig, "张伟", "interested")
    act(rig, zhang, set_stage(Wish("contacted"), COMPANY), MONDAY_10 + 3 * HOUR)
    assert stays(rig, zhang) == {"forklift": ["new", "opportunity", "contacted"]}
    assert counts(table(rig)["baidu"])[2:] == (1, 0, 0, 0)
    act(rig, zhang, set_stage(Wish("opportunity", line="agv"), COMPANY), MONDAY_10 + 5 * HOUR)
    assert stays(rig, zhang)["agv"] == ["opportunity"], "a line that it never asked about, by hand"
    assert counts(table(rig)["fair"])[3] == 1, "it belongs to the last enquiry, which came by the fair"


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        (Wish("sold"), "unknown_stage"),
        (Wish("won", line="boats"), "unknown_line"),
        (Wish("later"), "until_past"),
        (Wish("later", until_us=MONDAY_10), "until_past"),
        (Wish("lost"), "lost_reason_missing"),
        (Wish("lost", reason="no such"), "lost_reason_missing"),
    ],
)
def test_a_stage_that_cannot_be_is_refused(rig: Rig, wish: Wish, code: str) -> None:
    with pytest.raises(ActRefused) as refused:
        act(rig, customer(rig, "张伟"), set_stage(wish, COMPANY))
    assert refused.value.code == code
    with pytest.raises(ActRefused):
        act(rig, "cus_none", set_stage(Wish("won"), COMPANY))


def test_orders_sent_again_corrected_and_cancelled_count_once(rig: Rig) -> None:
    zhang = by_phone("13812345678")
    first = order("1", buyer=zhang)
    assert take(rig, first)[0].became == "new"
    assert take(rig, first, at_us=MONDAY_10 + 3 * DAY)[0].became == "known"
    assert take(rig, order("1", 200_00), at_us=MONDAY_10 + 4 * DAY)[0].became == "corrected"
    assert take(rig, first, at_us=MONDAY_10 + 5 * DAY)[0].became == "known", "the old list is no correction"
    assert total(table(rig).values()).amount == {"CNY": 200_00}, "kept with the customer it was matched to"
    assert (
        take(rig, order("1", 200_00, state="cancelled"), at_us=MONDAY_10 + 6 * DAY)[0].became == "cancelled"
    )
    assert total(table(rig).values()).amount == {}
    assert counts(total(table(rig).values()))[3:] == (1, 0, 0), "an opportunity again"
    assert [row["version"] for row in sorted(rig.rows("sale_order"), key=lambda row: row["version"])] == [
        1,
        2,
        3,
    ]
    assert stays(rig, customer(rig, "张伟"))["forklift"][-2:] == ["won", "opportunity"]


def test_the_same_orders_of_another_source_are_no_repetition(rig: Rig) -> None:
    engine: Any = SimpleNamespace(files=rig.files)
    sent = {"actor": "operator", "key": "k", "orders": [order("A1").model_dump(mode="json")]}
    for _ in range(2):
        assert do_take_orders(engine, {**sent, "source": "erp"})["counts"] == {"new": 1}
    with pytest.raises(ActRefused) as refused:
        do_take_orders(engine, {**sent, "source": "shop"})
    assert refused.value.code == "key_reused"


def test_what_fits_nobody_or_several_is_kept_with_the_reason_and_can_be_assigned(rig: Rig) -> None:
    told = take(
        rig,
        order("1", buyer=by_phone("13611112222")),
        order("2", buyer=Buyer(full_name="某人")),
        order("3", buyer=Buyer(customer_id="cus_none")),
        order("4", buyer=Buyer(lead_id=lead_of(rig, "王芳"))),
        order("5", buyer=Buyer(phone="13800138000")),
    )
    assert [one.why_open for one in told] == [
        "nobody",
        "no_reference",
        "unknown_customer",
        None,
        "no_reference",
    ]
    with rig.store.read() as connection:
        found = open_orders(connection)
        assert {row["order_no"] for row in found} == {"1", "2", "3", "5"}
        assert open_orders(connection, after=found[1]["order_id"]) == found[2:]
    li = customer(rig, "李娜")
    act(rig, li, assign_order("1", None), MONDAY_10 + 3 * DAY)
    assert table(rig)["fair"].amount == {"CNY": 100_00}
    assert not any("13611112222" in (row["given_json"] or "") for row in rig.rows("sale_order"))
    assert (
        take(rig, order("1", buyer=by_phone("13611112222")), at_us=MONDAY_10 + 4 * DAY)[0].became == "known"
    )
    with pytest.raises(ActRefused):
        act(rig, li, assign_order("99", None))
    rig.feed([post(made="n", at_us=MONDAY_10 + 4 * DAY, name="某人", phone="13655556666")])
    rig.run()
    (again,) = take(rig, order("3", buyer=Buyer(customer_id="cus_none")), at_us=MONDAY_10 + 5 * DAY)
    assert (again.became, again.why_open) == ("known", "unknown_customer")


def test_an_order_that_fits_later_is_matched_when_it_is_sent_again(rig: Rig) -> None:
    early = order("7", buyer=by_phone("13655556666"))
    assert take(rig, early)[0].why_open == "nobody"
    rig.feed([post(made="n", at_us=MONDAY_10 + 4 * DAY, name="新人", phone="13655556666", utm_campaign="bd")])
    rig.run()
    assert take(rig, early, at_us=MONDAY_10 + 5 * DAY)[0].became == "matched"
    assert table(rig)["baidu"].amount == {"CNY": 100_00}


def test_an_order_typed_in_with_the_outcome_gives_way_to_the_same_number_from_a_list(rig: Rig) -> None:
    says(rig, "李娜", "won", order=order("S-1", 500_00))
    assert table(rig)["fair"].amount == {"CNY": 500_00}
    take(rig, order("S-1", 510_00))
    assert table(rig)["fair"].amount == {"CNY": 510_00}, "counted once, and still hers"
    assert counts(table(rig)["fair"])[4:] == (1, 1)


def test_an_outcome_says_whose_an_order_of_nobody_is_and_takes_none_from_others(rig: Rig) -> None:
    take(rig, order("N-1", 300_00), order("N-2", buyer=by_phone("13812345678")))
    with pytest.raises(ActRefused) as refused:
        says(rig, "李娜", "won", order=order("N-2"))
    assert refused.value.code == "order_of_another"
    says(rig, "李娜", "won", MONDAY_10 + 3 * DAY, order=order("N-1", 1))
    assert table(rig)["fair"].amount == {"CNY": 300_00}, "the amount is that of the list"


def test_merging_puts_lives_together_and_parting_gives_each_side_its_own(rig: Rig) -> None:
    zhang, li = customer(rig, "张伟"), customer(rig, "李娜")
    says(rig, "李娜", "won", order=order("L"))
    act(rig, zhang, set_stage(Wish("opportunity"), COMPANY), MONDAY_10 + 3 * HOUR)
    before, table_before = (stays(rig, zhang), stays(rig, li)), table(rig)
    act(rig, zhang, merge_with(li), MONDAY_10 + 5 * HOUR)
    one = customer(rig, "李娜")
    assert one == customer(rig, "张伟")
    assert set(stays(rig, one)) == {"", "forklift"}
    assert counts(total(table(rig).values())) == counts(total(table_before.values()))
    act(rig, one, part(PartWish(one)), MONDAY_10 + 6 * HOUR)
    assert (stays(rig, customer(rig, "张伟")), stays(rig, customer(rig, "李娜"))) == before
    assert table(rig) == table_before


def test_erasing_takes_what_an_open_order_names_and_leaves_no_life(rig: Rig) -> None:
    says(rig, "张伟", "won", order=order("Z"))
    take(rig, order("9", buyer=Buyer(full_name="张伟", phone="13812345678", customer_id="cus_none")))
    with rig.store.read() as connection:
        told = subject(connection, customer(rig, "张伟"))
        erasure = find_erasure(connection, "act", customer(rig, "张伟"))
    assert [row["order_no"] for row in told["orders"]] == ["Z"]
    act(rig, erasure.customers[0], erase_customer(erasure), MONDAY_10 + 3 * DAY)
    (row,) = [one for one in rig.rows("sale_order") if one["order_no"] == "9"]
    assert (row["given_json"], row["why_open"], row["amount_minor"]) == (None, "erased", 100_00)
    assert "13812345678" not in str(rig.rows("sale_order"))
    assert "baidu" not in table(rig), "what was erased is in no figure by name any more"


def test_spend_again_is_known_corrected_is_ended_and_taken_back_counts_no_more(rig: Rig) -> None:
    november = (date(2026, 11, 1), date(2026, 11, 30))

    def enter(*minors: int) -> list[str]:
        told: list[Any] = []
        rows = [Spending("baidu", *november, minor, "CNY") for minor in minors]
        act(rig, "spend", take_spend("plan", rows, COMPANY, told), MONDAY_10 + len(rig.rows("act")) * HOUR)
        return told

    assert enter(100, 100) == ["new", "new"], "two rows alike are two"
    assert enter(100, 100) == ["known", "known"]
    assert enter(100, 70) == ["known", "corrected"]
    assert table(rig)["baidu"].spend == {"CNY": 170}
    (row,) = [one for one in rig.rows("spend") if one["amount_minor"] == 70]
    act(rig, row["spend_id"], end_spend())
    assert table(rig)["baidu"].spend == {"CNY": 100}
    assert len(rig.rows("spend")) == 3, "nothing is deleted"
    with pytest.raises(ActRefused):
        act(rig, row["spend_id"], end_spend(), key="again")
    for entry in (
        Spending("none", *november, 1, "CNY"),
        Spending("baidu", november[1], november[0], 1, "CNY"),
    ):
        with pytest.raises(ActRefused):
            act(rig, "spend", add_spend(entry, COMPANY))


def test_a_name_assigned_counts_from_now_on_and_for_what_came_with_it(rig: Rig) -> None:
    assert counts(table(rig)[""])[0] == 1
    counted: list[str] = []
    act(rig, "fair", assign_alias("utm", "XHS", counted))
    assert counted == [lead_of(rig, "王芳")]
    assert "" not in table(rig)
    assert counts(table(rig)["fair"])[0] == 3
    rig.feed([post(made="n", at_us=MONDAY_10 + 4 * HOUR, name="新", phone="13611110000", utm_campaign="xhs")])
    rig.run()
    assert counts(table(rig)["fair"])[0] == 4
    with rig.store.read() as connection:
        fair = load_company(connection, company_version(connection)).campaigns["fair"]
    assert Alias(kind="utm", value="XHS") in fair.aliases
    act(rig, "fair", assign_alias("utm", "xhs", counted))
    assert counted == [], "the same once more is nothing new"
    for campaign, kind, value in (("none", "utm", "a"), ("fair", "shop", "a"), ("baidu", "utm", "xhs")):
        with pytest.raises(ActRefused):
            act(rig, campaign, assign_alias(kind, value, counted))


ORDERS = """订单编号,下单日期,产品名称,订单金额,电话,状态
A-1,2026-11-24,叉车,"12,000.50",13812345678,已付款
A-1,2026-11-24,电池,1000,13812345678,已付款
A-2,2026/11/25,无人车,3万,13987654321,已取消
A-3,明天,叉车,5,13987654321,
A-4,2026-11-25,叉车,-5,13987654321,
A-5,2026-11-25,叉车,100,,
A-5,2026-11-25,叉车,abc,,
"""


@pytest.mark.parametrize("charset", ["utf-8-sig", "gb18030"])
def test_a_list_of_orders_as_a_shop_exports_it(charset: str) -> None:
    rows, wrong = read_orders(ORDERS.encode(charset), "orders.csv", COMPANY, "CNY")
    told = [(one.order_no, one.amount_minor, one.product, one.line, one.state) for one in rows]
    assert told == [
        ("A-1", 1_300_050, "叉车 + 电池", None, "placed"),
        ("A-2", 3_000_000, "无人车", "agv", "cancelled"),
    ]
    assert [(one.line, one.column, one.code) for one in wrong] == [
        (5, "date", "date_form"),
        (6, "amount", "amount_form"),
        (7, "order_no", "mixed"),
        (8, "amount", "amount_form"),
    ]


def test_a_list_of_spend_knows_campaigns_by_code_and_name_and_months() -> None:
    text = "campaign,from,to,amount\nbaidu,2026-11,,¥900\n展会,2026-11-01,2026-11-03,USD 5\nx,2026-11-01,,1\nfair,2026-11-05,2026-11-04,1\n"
    rows, wrong = read_spend(text.encode(), "spend.csv", COMPANY, "CNY")
    assert rows == [
        Spending("baidu", date(2026, 11, 1), date(2026, 11, 30), 90_000, "CNY"),
        Spending("fair", date(2026, 11, 1), date(2026, 11, 3), 500, "USD"),
    ]
    assert [one.code for one in wrong] == ["unknown_campaign", "days_reversed"]


def test_a_month_beyond_the_calendar_is_an_error_of_its_cell() -> None:
    with pytest.raises(WrongCell) as wrong:
        spending_of({"campaign": "baidu", "from": "9999-12", "amount": "1"}, COMPANY, "CNY")
    assert wrong.value.code == "date_form"


def test_what_a_list_cost_is_its_campaign_s(rig: Rig) -> None:
    row = {
        "source_id": "lists",
        "kind": "leads",
        "name": "fair.xlsx",
        "digest": "d",
        "bytes": 1,
        "actor": "zhou",
        "spec_json": "{}",
        "next_row": 1,
        "taken": 1,
        "refused": 0,
        "aside_json": "{}",
        "campaign_id": "fair",
        "cost_minor": 120_050,
        "currency": "CNY",
        "dropped": False,
    }
    with rig.store.write() as connection:
        for import_id, state, at_us in (
            ("imp_1", "done", MONDAY_10),
            ("imp_2", "draft", MONDAY_10),
            ("imp_3", "reverted", MONDAY_10),
            ("imp_4", "done", MONDAY_10 + 40 * DAY),
        ):
            connection.execute(
                tables.import_run.insert().values(**row, import_id=import_id, state=state, at_us=at_us)
            )
    with rig.store.read() as connection:
        lines = {one.key: one for one in campaigns_table(connection, NOVEMBER, "campaign")}
    assert lines["fair"].spend == {"CNY": 2 * 120_050}, "what was taken back was paid for all the same"


def test_entries_of_spend_follow_each_other_without_a_gap(rig: Rig) -> None:
    first, last = date(2026, 11, 1), date(2026, 11, 30)
    for number, campaign in enumerate(("fair", "baidu", "fair", "baidu")):
        begin = date(2026, 11, 1 + number // 2)
        act(rig, f"s{number}", add_spend(Spending(campaign, begin, last, 100 + number, "CNY"), COMPANY))
        act(rig, f"t{number}", add_spend(Spending(campaign, begin, last, 200 + number, "CNY"), COMPANY))
    with rig.store.read() as connection:
        every = entries(connection, first, last)
        found, place = list[dict[str, Any]](), None
        while some := entries(connection, first, last, 3, place):
            found += some
            place = place_of(some[-1])
    assert len(every) == 8
    assert found == every
    assert [one["from_day"] for one in every] == sorted((one["from_day"] for one in every), reverse=True)
