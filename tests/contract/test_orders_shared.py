"""The same list of orders, and its correction, sent by ten at the same instant: one version each, nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from enrich.given import identifiers_given
from sales.orders import Taken, take_orders, typed_in
from schemas.orders import Buyer, OrderRow
from store.acts import Command, Plan, perform
from store.database import Database, open_postgres
from tests.support.rig import DAY, MONDAY_10, Rig, post
from tests.support.workers import in_threads

AT_ONCE = 10


@pytest.fixture
def rig(clean_postgres: Database, tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path, clean_postgres)
    made.feed([post(made="z", name="张伟", phone="13812345678")])
    made.run()
    yield made
    made.files.doors.close()


def at_once(rig: Rig, rows: list[OrderRow]) -> list[str]:
    """Have the same orders taken in on connections of their own, all at once; return what each was told of the first."""
    url = rig.store.engine.url.render_as_string(hide_password=False)
    named = [(row, identifiers_given(row.buyer.model_dump(exclude_none=True))) for row in rows]
    heard: list[str] = []

    def send(store: Database, number: int) -> None:
        told: list[Taken] = []
        command = Command("take_orders", "erp", f"{rows[0].amount_minor} {number}", "erp")
        perform(store, command, take_orders("erp", named, told), MONDAY_10 + DAY, rig.files.store_log.append)
        heard.append(told[0].became)

    with ExitStack() as stack:
        work = []
        for number in range(AT_ONCE):
            store = open_postgres(url)
            stack.callback(store.close)
            work.append(lambda store=store, number=number: send(store, number))
        in_threads(work)
    return heard


def test_sent_by_ten_at_once_an_order_is_there_once_and_corrected_once(rig: Rig) -> None:
    buyer = Buyer(phone="13812345678")
    rows = [
        OrderRow(order_no=f"n{number}", ordered_us=MONDAY_10, amount_minor=100, currency="CNY", buyer=buyer)
        for number in range(20)
    ]
    assert sorted(at_once(rig, rows)) == ["known"] * (AT_ONCE - 1) + ["new"]
    corrected = [row.model_copy(update={"amount_minor": 200}) for row in rows]
    assert sorted(at_once(rig, corrected)) == ["corrected"] + ["known"] * (AT_ONCE - 1)
    found = rig.rows("sale_order")
    assert len(found) == 40
    assert [row["amount_minor"] for row in found if row["to_us"] is None] == [200] * 20
    assert {row["matched_by"] for row in found} == {"identifier"}


def test_typed_in_at_the_moment_it_is_sent_it_counts_once(rig: Rig) -> None:
    (lead,) = rig.rows("lead")
    url, append = rig.store.engine.url.render_as_string(hide_password=False), rig.files.store_log.append
    rows = [
        OrderRow(order_no=f"n{n}", ordered_us=MONDAY_10, amount_minor=100, currency="CNY") for n in range(20)
    ]
    sent = [row.model_copy(update={"buyer": Buyer(phone="13812345678")}) for row in rows]

    def typed(row: OrderRow) -> Plan:
        return lambda connection, command, now_us: typed_in(
            connection, row, command.scope_id, command.act_id, now_us
        )

    def type_in(store: Database) -> None:
        for row in rows:
            command = Command("outcome", "ann", f"typed {row.order_no}", str(lead["lead_id"]))
            perform(store, command, typed(row), MONDAY_10 + DAY, append)

    def send(store: Database) -> None:
        for row in sent:
            named = [(row, identifiers_given(row.buyer.model_dump(exclude_none=True)))]
            command = Command("take_orders", "erp", f"sent {row.order_no}", "erp")
            perform(store, command, take_orders("erp", named, []), MONDAY_10 + DAY, append)

    with ExitStack() as stack:
        one, other = (open_postgres(url) for _ in range(2))
        stack.callback(one.close)
        stack.callback(other.close)
        in_threads([lambda: type_in(one), lambda: send(other)])
    standing = [row["order_no"] for row in rig.rows("sale_order") if row["to_us"] is None]
    assert sorted(standing) == sorted(row.order_no for row in rows)
