"""Mails that people write, forward or fill into forms: what a salesperson gets to see of them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ingest.email.parse import EmailSource, message_key, parse
from schemas.capture import Capture, capture_of
from schemas.lead import CampaignHint, Lead
from schemas.results import Ignored, ParseResult, Refused

EXAMPLES = Path(__file__).parents[2] / "examples" / "email"
ACCEPTED_US = int(datetime(2026, 3, 5, 4, tzinfo=UTC).timestamp()) * 1_000_000
REPLIES = sorted(path.stem for path in EXAMPLES.glob("reply_*.eml"))


def source(**settings: Any) -> EmailSource:
    given: dict[str, Any] = {"own_domains": ("haichuan.example",), "own_phones": ("400-800-1234",)}
    return EmailSource(source_id="mail", name="Mail", **(given | settings))


def example(name: str) -> bytes:
    return (EXAMPLES / f"{name}.eml").read_bytes()


def capture(body: bytes, **meta: str) -> Capture:
    return capture_of(
        source_id="mail",
        channel="email",
        format="email.message",
        body=body,
        accepted_us=ACCEPTED_US,
        trace_id="0" * 32,
        made_key="test",
        meta={"mail_from": "sender@somewhere.example", "rcpt_to": "sales@haichuan.example"} | meta,
    )


def read(name: str, settings: EmailSource | None = None, **meta: str) -> tuple[ParseResult, ...]:
    return parse(capture(example(name), **meta), settings or source())


def lead(name: str, settings: EmailSource | None = None, **meta: str) -> Lead:
    (result,) = read(name, settings, **meta)
    assert isinstance(result, Lead), result
    return result


def lead_of_text(text: str, headers: str = "", settings: EmailSource | None = None, **meta: str) -> Lead:
    raw = f"From: =?utf-8?B?6ams6LaF?= <ma@cust.example>\nSubject: Hi\n{headers}\n\n{text}".encode()
    (result,) = parse(capture(raw, **meta), settings or source())
    assert isinstance(result, Lead), result
    return result


def values(found: Lead, name: str, *, origin: str | None = None) -> list[str]:
    return [item.received for item in found.fields if item.name == name and origin in (None, item.origin)]


def origins(found: Lead, name: str) -> list[str]:
    return [item.origin for item in found.fields if item.name == name]


def test_chinese_mail_with_signature_is_read_whole() -> None:
    found = lead("zh_gb2312_signature")
    assert values(found, "full_name") == [
        "朱镕轩"
    ]  # declared gb2312, which has no 镕; the word is cut inside it
    assert values(found, "email", origin="header:From") == ["zhu@suzhou-jm.example"]
    assert values(found, "subject") == ["电动叉车询价：3吨，3台"]
    assert values(found, "job_title", origin="signature") == ["采购经理"]
    assert values(found, "company", origin="signature") == ["苏州錦盛精密机械有限公司"]
    assert values(found, "address", origin="signature") == ["苏州市工业园区星湖街328号"]
    assert values(found, "phone", origin="signature") == ["0512-62881234转801", "139 1234 5678"]  # no fax
    assert "我司需要3台3吨电动叉车" in values(found, "message")[0]
    assert "采购经理" not in values(found, "message")[0]
    assert (found.kind, found.language, found.flags) == ("enquiry", "zh", ())
    assert found.occurred_us == int(datetime(2026, 3, 5, 2, 22, tzinfo=UTC).timestamp()) * 1_000_000
    assert found.mail is not None
    assert found.mail.message_id == "20260305102200.4711@suzhou-jm.example"


def test_english_mail_with_signature_is_read_whole() -> None:
    found = lead("en_signature")
    assert values(found, "full_name", origin="signature") == ["Maeve O'Neill"]
    assert values(found, "email") == ["maeve.oneill@northwind.example", "purchasing@northwind.example"]
    assert origins(found, "email") == ["header:From", "header:Reply-To"]
    assert values(found, "job_title") == ["Head of Procurement"]
    assert values(found, "company") == ["Northwind Cold Stores Ltd."]
    assert values(found, "phone") == [
        "+353 91 555 0142 ext. 12",
        "+353 86 555 0199",
    ]  # no fax, no order number
    assert values(found, "website") == ["www.northwind.example"]
    assert found.language == "en"


@pytest.mark.parametrize("name", REPLIES)
def test_quoted_history_is_no_part_of_the_message(name: str) -> None:
    found = lead(name)
    message = values(found, "message")[0]
    said = ("价格可以，请发合同。", "價格可以，請發合約。", "The price is fine, please send the contract.")
    assert message.removesuffix("何静").strip() in said
    assert values(found, "phone") == []
    assert values(found, "company") == []


def test_every_reply_style_has_an_example() -> None:
    assert len(REPLIES) >= 12


def test_reply_names_its_thread() -> None:
    mail = lead("reply_netease").mail
    assert mail is not None
    assert mail.in_reply_to == ("offer-17@haichuan.example",)
    assert mail.references == ("first@reply.example", "offer-17@haichuan.example")


def test_long_thread_keeps_the_first_and_the_newest_ids() -> None:
    ids = [f"m{number}@x.example" for number in range(200)]
    mail = lead_of_text("Hello there", "References: " + "\n ".join(f"<{key}>" for key in ids)).mail
    assert mail is not None
    assert len(mail.references) == 50
    assert (mail.references[0], mail.references[-1]) == (ids[0], ids[-1])


@pytest.mark.parametrize(
    "line", ["他在信里写道：好的", "On Monday we wrote: nothing", "主题：叉车，日期：下周"]
)
def test_words_that_merely_resemble_a_quotation_stay(line: str) -> None:
    text = f"您好\n{line}\n请报价 three trucks"
    headers = "Content-Type: text/plain; charset=utf-8"
    assert values(lead_of_text(text, headers), "message") == [text]


def test_attached_forward_makes_the_inner_sender_the_lead() -> None:
    found = lead("forwarded_attached")
    assert values(found, "email") == ["sunli@qingdao.example"]
    assert values(found, "full_name", origin="attached:From") == ["孙立"]
    assert values(found, "phone") == ["13912340008"]  # not our colleague's 0512-66660000
    assert values(found, "message") == ["您好，我们要采购两台托盘搬运车，请报价。\n孙立 13912340008"]
    assert ("forwarded_by", "zhou.min@haichuan.example") in [
        (item.label, item.received) for item in found.fields
    ]
    assert "forwarded" in found.flags
    assert found.occurred_us == int(datetime(2026, 3, 4, 8, 39, 58, tzinfo=UTC).timestamp()) * 1_000_000


def test_inline_forward_makes_the_first_stranger_the_lead() -> None:
    found = lead("forwarded_inline_outlook_zh")
    assert values(found, "email") == ["wujg@changzhou.example"]
    assert values(found, "full_name") == ["吴建国"]
    assert values(found, "company") == ["常州恒达物流有限公司"]
    assert values(found, "phone") == ["13912340009"]
    assert values(found, "subject", origin="forwarded:Subject") == ["叉车租赁"]
    assert "欢迎关注海川" not in values(found, "message")[0]


def test_inline_forward_in_english() -> None:
    found = lead("forwarded_inline_gmail_en")
    assert values(found, "email", origin="forwarded:From") == ["owen.price@leeds-parts.example"]
    assert values(found, "phone", origin="body") == ["+44 113 496 0001"]
    assert values(found, "message")[0].startswith("Hi Dana,")


def test_customer_who_sends_our_own_mail_back_stays_the_lead() -> None:
    text = (
        "请按此报价执行\n\n---------- Forwarded message ---------\nFrom: 海川 <sales@haichuan.example>\n"
        "Date: Tue, 3 Mar 2026\nSubject: 报价\n\n报价如下"
    )
    found = lead_of_text(text, "Content-Type: text/plain; charset=utf-8")
    assert values(found, "email") == ["ma@cust.example"]
    assert "forwarded" not in found.flags


def test_html_only_mail_shows_what_a_reader_sees() -> None:
    found = lead("html_only")
    message = values(found, "message")[0]
    assert message.startswith("您好，\n\n我们计划建设自动化立库， 占地 5000 平方米，\n请安排工程师联系。")
    for hidden in ("看不见", "隐藏的预览", "color:red", "13900000000", "无标题文档", "13800000001"):
        assert hidden not in str(found.fields)
    assert values(found, "phone") == ["0571-88880010"]
    assert values(found, "company") == ["杭州云仓科技有限公司"]
    assert origins(found, "message") == ["body:text/html"]


def test_plain_text_wins_over_html_but_an_empty_one_does_not() -> None:
    for plain, expected in (("plain words", "plain words"), (" \n", "html words")):
        body = f"--b\nContent-Type: text/plain\n\n{plain}\n--b\nContent-Type: text/html\n\n<p>html words</p>\n--b--"
        found = lead_of_text(body, "Content-Type: multipart/alternative; boundary=b")
        assert values(found, "message") == [expected]


def test_winmail_dat_gives_its_text() -> None:
    found = lead("tnef_winmail")
    assert values(found, "message", origin="body:tnef") == [
        "您好，请报价：5台手动搬运车。\n联系人 钱多，电话 13912340011。"
    ]
    assert values(found, "phone") == ["13912340011"]


def test_unreadable_winmail_dat_is_flagged_and_the_rest_is_read() -> None:
    raw = example("tnef_winmail").replace(b"eJ8+Ig", b"AAAAAA")
    (found,) = parse(capture(raw), source())
    assert isinstance(found, Lead)
    assert "tnef_unread" in found.flags
    assert values(found, "email") == ["qianduo@ningbo.example"]


def test_old_vcard_completes_the_sender() -> None:
    found = lead("vcard_attached")
    assert values(found, "full_name", origin="vcard:FN") == ["冯刚"]
    assert values(found, "company", origin="vcard:ORG") == ["无锡汇通制造有限公司"]
    assert values(found, "job_title", origin="vcard:TITLE") == ["厂长"]
    assert values(found, "phone", origin="vcard:TEL") == ["13912340012"]  # and not the fax
    assert [values(found, name)[0] for name in ("address", "city", "region", "postcode", "country")] == [
        "太湖大道1号",
        "无锡",
        "江苏",
        "214000",
        "中国",
    ]


def test_new_vcard_has_uris() -> None:
    found = lead("vcard_4")
    assert values(found, "phone", origin="vcard:TEL") == ["+65-6555-0101 ext 7"]
    assert values(found, "company") == ["Straits Cold Chain Pte. Ltd."]


def test_names_of_attachments_are_read_in_both_encodings() -> None:
    found = lead("rfc2231_attachment_name")
    assert values(found, "other", origin="attachment") == ["询价单 2026年3月.xlsx", "图纸.pdf"]
    assert values(found, "subject") == ["询价单见附件"]


def test_adf_document_is_the_customers_own_data() -> None:
    found = lead("adf_xml")
    assert values(found, "email") == ["luis@ortega-sons.example"]  # never the portal's
    assert values(found, "phone", origin="adf:phone") == ["+1 (602) 555-0114"]  # no fax
    assert values(found, "given_name") == ["Luis"]
    assert values(found, "company") == ["Ortega & Sons Logistics Inc."]  # a bare & in the XML
    assert values(found, "city", origin="adf:city") == ["Phoenix"]
    assert values(found, "product", origin="adf:vehicle") == ["2026 Haichuan E30"]
    assert values(found, "message", origin="adf:comments") == ["Need a demo of the E30 before April."]
    assert found.occurred_us == int(datetime(2026, 3, 5, 5, 15, tzinfo=UTC).timestamp()) * 1_000_000


def test_adf_document_with_two_prospects_is_two_leads() -> None:
    one = "<prospect><customer><contact><email>{}@x.example</email></contact></customer></prospect>"
    text = f"<adf>{one.format('a')}{one.format('b')}</adf>"
    raw = f"From: leads@portal.example\n\n{text}".encode()
    first, second = parse(capture(raw), source())
    assert isinstance(first, Lead)
    assert isinstance(second, Lead)
    assert [values(item, "email") for item in (first, second)] == [["a@x.example"], ["b@x.example"]]
    assert first.lead_id != second.lead_id


@pytest.mark.parametrize("text", ["<adf><prospect>", '<!DOCTYPE a [<!ENTITY b "c">]><adf>&b;</adf>'])
def test_broken_adf_is_flagged_and_the_sender_is_the_lead(text: str) -> None:
    found = lead_of_text(text)
    assert "adf_unread" in found.flags
    assert values(found, "email") == ["ma@cust.example"]


def test_form_mailer_passes_on_what_the_visitor_typed() -> None:
    found = lead("form_zh_noreply", source(no_reply_is_form=True, form_labels={"吨位": "product"}))
    assert values(found, "full_name", origin="body:姓 名") == ["张三"]
    assert values(found, "phone", origin="body:手机") == ["１３９１２３４００１４"]
    assert values(found, "company", origin="body:公司名称") == ["南京宏图仓储有限公司"]
    assert values(found, "email") == ["zhangsan@hongtu.example"]  # never noreply@
    assert values(found, "product", origin="body:吨位") == ["3吨"]
    assert values(found, "message") == ["想了解电动叉车的价格，\n最好带锂电池。\n\n能否上门演示？"]


def test_label_that_nobody_mapped_is_kept_under_its_own_name() -> None:
    found = lead("form_zh_noreply", source(no_reply_is_form=True))
    assert ("吨位", "3吨") in [(item.label, item.received) for item in found.fields if item.name == "other"]


def test_form_mailer_by_address_is_never_the_lead() -> None:
    raw = b"From: Forms <hello@jot.example>\n\nName: Ann Lee\nPhone: +44 113 496 0002\n"
    (found,) = parse(capture(raw), source(form_senders=("jot.example",)))
    assert isinstance(found, Lead)
    assert values(found, "email") == []
    assert values(found, "full_name") == ["Ann Lee"]


def test_form_mail_without_known_labels_waits_for_repair() -> None:
    raw = b"From: noreply@jot.example\n\nVorname: Ann\nTelefonnummer: 0441 5550177\n"
    (refused,) = parse(capture(raw), source(no_reply_is_form=True))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.field) == ("form_unmapped", "body")
    assert "form_labels" in refused.hint


def test_form_sent_by_our_own_website_is_a_lead() -> None:
    found = lead("form_en_html_table")
    assert values(found, "email") == ["priya@nair-foods.example"]
    assert values(found, "full_name", origin="body:Your Name (required)") == ["Priya Nair"]
    assert values(found, "phone", origin="body:Phone") == ["+91 484 555 0115"]
    assert values(found, "message", origin="body:Message") == [
        "Two stackers for a spice warehouse, please call."
    ]


def test_colleague_who_types_in_a_call_is_not_the_caller() -> None:
    text = "姓名：赵六\n电话：13700000001\n需求：2台叉车\n\n周敏\n电话：0512-66660000\n"
    raw = f"From: zhou@haichuan.example\nContent-Type: text/plain; charset=utf-8\n\n{text}".encode()
    (found,) = parse(capture(raw), source())
    assert isinstance(found, Lead)
    assert (values(found, "full_name"), values(found, "phone")) == (["赵六"], ["13700000001"])
    assert values(found, "email") == []


def test_form_mail_that_a_colleague_forwards_is_the_visitors() -> None:
    text = (
        '请处理\n\n周敏\n电话：0512-66660000\n\n-------- 转发邮件信息 --------\n发件人："官网" <noreply@site.example>\n'
        "发送日期：2026-03-04 10:00:00\n主题：新留言\n\n姓名：钱七\n电话：13700000002\n留言：想租叉车"
    )
    raw = f"From: zhou@haichuan.example\nContent-Type: text/plain; charset=utf-8\n\n{text}".encode()
    (found,) = parse(capture(raw), source())
    assert isinstance(found, Lead)
    assert (values(found, "full_name"), values(found, "phone")) == (["钱七"], ["13700000002"])
    assert values(found, "email") == []


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("=?utf-8?Q?Smith,_John?= <ma@cust.example>", "Smith, John"),
        ('"陈经理(苏州)" <ma@cust.example>', "陈经理(苏州)"),
        ("ma@cust.example (Ann Lee)", "Ann Lee"),
        ("Ann <Lee> <ma@cust.example>", None),
        ("ma@cust.example", None),
        ("<ma@cust.example>, other@cust.example", None),
    ],
)
def test_sender_is_read_however_it_is_written(header: str, name: str | None) -> None:
    (found,) = parse(capture(f"From: {header}\n\nhello there".encode()), source())
    assert isinstance(found, Lead)
    assert values(found, "email") == ["ma@cust.example"]
    if name is not None:
        assert values(found, "full_name") == [name]


def test_several_labels_may_share_a_line() -> None:
    found = lead("zh_inline_labels")
    assert values(found, "company", origin="body:公司") == ["徐州金牛冷链有限公司"]
    assert values(found, "full_name", origin="body:联系人") == ["马超"]
    assert values(found, "phone", origin="body:电话") == ["0516-83330016-8"]
    assert values(found, "product", origin="body:产品") == ["冷库叉车"]
    assert values(found, "email", origin="header:From") == ["user8812@163.example"]


@pytest.mark.parametrize(
    ("line", "phone"),
    [
        ("Tel: 0512-62881234转801", "0512-62881234转801"),
        ("电话：0512-62881234-801", "0512-62881234-801"),
        ("T: +44 20 7946 0018 x12", "+44 20 7946 0018 x12"),
        ("请回电 139-1234-5678 谢谢", "139-1234-5678"),
        ("手机:　１３９１２３４５６７８", "１３９１２３４５６７８"),
        ("ring +8613912345678.", "+8613912345678"),
        ("客服 400-810-8888 转 2", "400-810-8888 转 2"),
    ],
)
def test_phone_numbers_are_kept_as_received(line: str, phone: str) -> None:
    found = lead_of_text(f"hello\n{line}\n", "Content-Type: text/plain; charset=utf-8")
    assert values(found, "phone") == [phone]


@pytest.mark.parametrize(
    "line",
    ["Fax: 0512-62881234", "传真：0512-62881234", "order 20260304139123456789", "1391234567@x.example"],
)
def test_what_is_no_phone_number_is_left_alone(line: str) -> None:
    assert values(lead_of_text(f"hello\n{line}\n", "Content-Type: text/plain; charset=utf-8"), "phone") == []


def test_our_own_number_and_address_are_never_the_customers() -> None:
    found = lead_of_text("Regards\nBo Li\nTel: 400-800-1234\nsales@haichuan.example\nbo@cust.example")
    assert values(found, "phone") == []
    assert values(found, "email") == ["ma@cust.example", "bo@cust.example"]


def test_envelope_tag_names_the_campaign_before_the_header() -> None:
    assert lead("zh_gb2312_signature").hints == (CampaignHint(kind="tag", value="expo2026"),)
    tagged = lead("zh_gb2312_signature", rcpt_to="sales+spring@haichuan.example")
    assert tagged.hints == (CampaignHint(kind="tag", value="spring"),)


def test_tag_of_somebody_elses_address_is_no_campaign() -> None:
    assert lead_of_text("hello there", "Cc: bob+news@cust.example").hints == ()


def test_distribution_list_of_ours_is_no_mailing_list() -> None:
    found = lead("own_group_list")
    assert values(found, "email") == ["pengyu@cust.example"]
    assert values(found, "full_name", origin="header:X-Original-From") == ["彭宇"]


def test_colleague_is_no_lead() -> None:
    (ignored,) = read("own_colleague")
    assert isinstance(ignored, Ignored)
    assert (ignored.code, ignored.kind, ignored.field) == ("own_sender", "private", "header:From")


def test_dates_are_flagged_and_never_refused() -> None:
    assert "future_date" in lead("date_future").flags
    absent = lead("date_absent")
    assert (absent.flags, absent.occurred_us) == (("no_date",), None)
    assert lead_of_text("hello there", "Date: soon").flags == ("bad_date",)
    assert lead_of_text("hello there", "Date: Thu, 05 Mar 2026 10:00:00 +9999").flags == ("bad_date",)
    local = lead_of_text("hello there", "Date: Thu, 05 Mar 2026 10:00:00")
    assert local.flags == ("time_no_zone",)
    assert local.occurred_us == int(datetime(2026, 3, 5, 2, tzinfo=UTC).timestamp()) * 1_000_000


def test_sender_of_the_envelope_serves_where_the_header_is_missing() -> None:
    raw = b"Subject: two trucks\nDate: Thu, 5 Mar 2026 09:00:00 +0800\n\nPlease call"
    (found,) = parse(capture(raw, mail_from="li@cust.example"), source())
    assert isinstance(found, Lead)
    assert values(found, "email", origin="envelope:mail_from") == ["li@cust.example"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "empty"),
        (b" \r\n\r\n", "empty"),
        (b'{"name": "x"}', "not_a_mail"),
        (b"\xff\xd8\xff\xe0", "not_a_mail"),
    ],
)
def test_what_is_no_mail_is_refused_with_a_hint(body: bytes, code: str) -> None:
    (refused,) = parse(capture(body), source())
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert refused.hint


def test_web_page_is_no_mail() -> None:
    (refused,) = read("not_a_mail")
    assert isinstance(refused, Refused)
    assert refused.code == "not_a_mail"


def test_mail_that_says_nothing_at_all_is_refused() -> None:
    (refused,) = parse(capture(b"Date: Thu, 5 Mar 2026 09:00:00 +0800\n\n\n", mail_from="x"), source())
    assert isinstance(refused, Refused)
    assert refused.code == "nothing_to_read"


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        (b"Message-ID: <a.b@c>\r\nFrom: x\r\n\r\nhi", "a.b@c"),
        (b"From: x\nmessage-id:\n <a.b@c>\n\nhi", "a.b@c"),
        (b"\xef\xbb\xbf\r\nMESSAGE-ID:a.b@c\n", "a.b@c"),
        (b"From: x\n\nMessage-ID: <in.body@c>", None),
        (b"X-Message-ID: <a@b>\n\n", None),
        (b"Message-ID: <" + b"a" * 2000 + b">\n\n", None),
        (b"Message-ID: \n\n", None),
        (b"Message-ID: <a\x00\xff@c>\n\n", "a\\x00�@c"),
        (b"", None),
    ],
)
def test_message_key_is_the_message_id_or_none(raw: bytes, key: str | None) -> None:
    assert message_key(raw) == key


def test_source_rejects_a_setting_it_does_not_know() -> None:
    with pytest.raises(ValidationError):
        source(own_domain="haichuan.example")
