"""Mails to owners through a real mail server: each once, in their language, and none of them ever a lead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ingest.registry import parse_capture
from schemas.capture import capture_of
from schemas.company import Company
from schemas.results import Ignored
from tests.support.certificate import self_signed
from tests.support.postbox import Postbox
from tests.support.rig import DAY, MINUTE, MONDAY_10, Rig, post, small_company
from tests.support.sending import Clock, dispatching, send_all

ANN, BO = "ann@haichuan.example", "bo@haichuan.example"


def with_mail(postbox: Postbox, emails: dict[str, str], **sink: Any) -> Company:
    company = small_company(sinks={"mail": postbox.sink(**{"gather_s": 0, **sink})}, responsible_id="chen")
    people = {
        key: person.model_copy(update={"email": emails.get(key), "language": "en" if key == "bo" else "zh"})
        for key, person in company.people.items()
    }
    return company.model_copy(update={"people": people})


def fed(folder: Path, company: Company, count: int) -> Rig:
    rig = Rig(folder, company=company)
    rig.feed(post(made=f"m{n}", name=f"客户{n}", phone=f"139{n:08d}") for n in range(count))
    rig.run()
    return rig


def test_each_owner_gets_their_own_in_their_language(tmp_path: Path, postbox: Postbox) -> None:
    rig = fed(tmp_path, with_mail(postbox, {"ann": ANN, "bo": BO}), 6)
    with dispatching(rig, Clock(MONDAY_10 + MINUTE), "https://leads.haichuan.example") as dispatcher:
        send_all(dispatcher)
    owned = {row["lead_id"]: row["holder_id"] for row in rig.rows("task")}
    assert len(postbox.came) == 6
    assert sorted(to for to, _ in postbox.came) == sorted(
        {"ann": ANN, "bo": BO}[holder] for holder in owned.values()
    )
    for to, mail in postbox.came:
        text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert ("New lead" in mail["Subject"]) is (to == BO)
        assert f"https://leads.haichuan.example/inbox/{to.partition('@')[0]}" in text
    ids = {f"<{row['delivery_id']}@haichuan.example>" for row in rig.rows("delivery")}
    assert {mail["Message-ID"] for _, mail in postbox.came} == ids
    rig.close()


def test_the_mail_says_what_is_still_to_be_asked(tmp_path: Path, postbox: Postbox) -> None:
    company = with_mail(postbox, {"ann": ANN, "bo": BO})
    rig = fed(tmp_path, company.model_copy(update={"required": ("full_name", "city", "tax_id")}), 6)
    with dispatching(rig, Clock(MONDAY_10 + MINUTE)) as dispatcher:
        send_all(dispatcher)
    asked = {"ann": "请询问：城市、税号", "bo": "Ask for: City, Tax number"}
    assert len(postbox.came) == 6
    for to, mail in postbox.came:
        assert asked[to.partition("@")[0]] in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    rig.close()


def test_our_mail_that_comes_back_is_no_lead(tmp_path: Path, postbox: Postbox) -> None:
    rig = fed(tmp_path, with_mail(postbox, {"ann": ANN, "bo": BO}), 1)
    with dispatching(rig, Clock(MONDAY_10 + MINUTE)) as dispatcher:
        send_all(dispatcher)
    ((_, mail),) = postbox.came
    source = {
        "source_id": "mail",
        "channel": "email",
        "format": "email.message",
        "name": "m",
        "own_domains": ["haichuan.example"],
    }
    capture = capture_of(
        source_id="mail",
        channel="email",
        format="email.message",
        body=bytes(mail),
        accepted_us=MONDAY_10,
        trace_id="0" * 32,
        made_key="k",
    )
    (result,) = parse_capture(capture, {"mail": source})
    assert isinstance(result, Ignored)
    assert result.code in ("auto_submitted", "loop")
    rig.close()


def test_a_relay_that_is_down_gets_everything_later(tmp_path: Path, postbox: Postbox) -> None:
    postbox.close()
    rig = fed(tmp_path, with_mail(postbox, {"ann": ANN, "bo": BO}), 6)
    clock = Clock(MONDAY_10 + MINUTE)
    with dispatching(rig, clock) as dispatcher:
        send_all(dispatcher)
        assert {row["state"] for row in rig.rows("delivery")} == {"waiting"}
        postbox.open()
        clock.at_us += MINUTE
        send_all(dispatcher)
    assert len({mail["Message-ID"] for _, mail in postbox.came}) == len(postbox.came) == 6
    rig.close()


def test_an_address_that_is_refused_is_called_for_and_a_full_box_comes_again(
    tmp_path: Path, postbox: Postbox
) -> None:
    postbox.refuse = {ANN: "550 5.1.1 no such user", BO: "452 4.2.2 mailbox full"}
    rig = fed(tmp_path, with_mail(postbox, {"ann": ANN, "bo": BO}), 2)
    clock = Clock(MONDAY_10 + MINUTE)
    with dispatching(rig, clock) as dispatcher:
        send_all(dispatcher)
        found = {row["dest"]: (row["state"], row["code"], row["answer"]) for row in rig.rows("delivery")}
        assert found == {"ann": ("failed", "refused", "550"), "bo": ("waiting", "busy", "452")}
        (letter,) = rig.rows("dead")
        assert "@" not in letter["message"] + letter["hint"], "whose address it is stays out of dead letters"
        postbox.refuse = {}
        clock.at_us += MINUTE
        send_all(dispatcher)
    assert [to for to, _ in postbox.came] == [BO]
    rig.close()


def test_nobody_with_an_address_is_called_for_and_replayed(tmp_path: Path, postbox: Postbox) -> None:
    rig = fed(tmp_path, with_mail(postbox, {}), 1)
    assert rig.rows("delivery") == []
    (letter,) = rig.rows("dead")
    assert (letter["stage"], letter["code"], letter["field"]) == ("deliver", "no_address", "sinks.mail")
    assert len(rig.rows("task")) == 1, "the lead is on somebody's desk all the same"
    rig.close()


def test_a_relay_without_encryption_gets_nothing_in_the_clear(tmp_path: Path, postbox: Postbox) -> None:
    rig = fed(tmp_path, with_mail(postbox, {"ann": ANN, "bo": BO}, tls="starttls"), 1)
    with dispatching(rig, Clock(MONDAY_10 + MINUTE)) as dispatcher:
        send_all(dispatcher)
    assert postbox.came == []
    assert [(row["state"], row["code"]) for row in rig.rows("delivery")] == [("waiting", "no_starttls")]
    rig.close()


def test_mail_is_encrypted_and_only_for_a_relay_that_can_be_trusted(
    tmp_path: Path, postbox: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    postbox.close()
    chain, tls = self_signed(tmp_path)
    postbox.open(tls)
    rig = fed(tmp_path, with_mail(postbox, {"ann": ANN, "bo": BO}, tls="starttls"), 1)
    clock = Clock(MONDAY_10 + MINUTE)
    with dispatching(rig, clock) as dispatcher:
        send_all(dispatcher)
        assert postbox.came == []
        assert [row["code"] for row in rig.rows("delivery")] == ["bad_certificate"]
        monkeypatch.setenv("SSL_CERT_FILE", str(chain))
        clock.at_us += MINUTE
        send_all(dispatcher)
    assert len(postbox.came) == 1
    rig.close()


def test_a_queue_is_told_to_its_manager_where_the_sink_wants_it(tmp_path: Path, postbox: Postbox) -> None:
    company = with_mail(postbox, {"ann": ANN, "chen": "chen@haichuan.example"}, events=["queue"])
    rig = Rig(tmp_path, company=company)
    rig.feed([post(at_us=MONDAY_10 - 2 * DAY, phone="13812345678")])
    rig.run()
    assert [row["dest"] for row in rig.rows("delivery")] == ["chen"]
    rig.close()
