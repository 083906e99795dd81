"""What nobody has told yet is a question where people work: at the task, in the story, in `explain`, in both languages."""

from __future__ import annotations

from pathlib import Path

from console.view import View
from leadflow.explain import explain
from sales.segments import customers_of
from tests.support.rig import MONDAY_10, Rig, post, small_company


def test_gaps_are_asked_for_and_go_when_they_are_told(tmp_path: Path) -> None:
    company = small_company(required=("full_name", "phone", "company", "city"))
    desk = Rig(tmp_path, company=company)
    desk.feed([post(made="1", name="李娜", phone="13812345678")])
    desk.run()
    (lead,) = desk.rows("lead")
    told = "\n".join(explain(desk.files, lead["lead_id"], "zh"))
    assert "请询问： 公司" in told
    assert "Ask for: company" in "\n".join(explain(desk.files, lead["lead_id"], "en")).replace(
        "Company", "company"
    )
    desk.feed(
        [post(made="2", phone="13812345678", company="大恒信息", city="苏州", address="江苏省苏州市园区1号")]
    )
    desk.run()
    assert "请询问" not in "\n".join(explain(desk.files, lead["lead_id"], "zh"))
    (customer,) = {row["customer_id"] for row in desk.rows("customer")}
    with desk.store.read() as connection:
        (found,) = customers_of(connection, company, MONDAY_10, [customer])
        assert list(customers_of(connection, company, MONDAY_10, ["cus_nobody"])) == []
    assert found.facts["complete"] == "100"
    assert any("苏州" in one for one in View("zh", company, MONDAY_10).profile(found.facts))
    desk.close()
