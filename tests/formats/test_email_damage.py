"""Mail in wrong charsets, damaged encodings and absurd sizes: read as far as it goes, flagged, and fast."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.email.charset import decode
from ingest.email.limits import FIELD_CHARS
from ingest.email.parse import message_key, parse
from ingest.email.transfer import decode_transfer
from schemas.lead import Lead
from schemas.results import Ignored, Refused
from tests.formats.test_email import EXAMPLES, capture, lead, source, values

MEGABYTE = 1 << 20
HEAD = b"From: a@cust.example\nTo: sales@haichuan.example\nSubject: s\nDate: Thu, 5 Mar 2026 09:20:00 +0800\n"
PLAIN = HEAD + b"Content-Type: text/plain; charset=utf-8\n\n"
HTML = HEAD + b"Content-Type: text/html; charset=utf-8\n\n"


@pytest.mark.parametrize(
    ("name", "words", "flags"),
    [
        ("zh_no_charset_8bit", "需要一批重型货架", {"charset_guessed"}),
        ("zh_utf8_declared_latin1", "想了解堆高车的价格", {"charset_guessed"}),
        ("zh_gbk_declared_utf8", "想了解堆高车的价格和租赁方案", {"charset_guessed"}),
        ("zh_tw_big5", "詢問兩台電動堆高機", set()),
        ("ja_iso2022jp", "フォークリフト２台の見積", set()),
        ("zh_base64_damaged", "请问仓储笼现货有多少", {"transfer_damaged", "bytes_damaged"}),
        ("de_qp_damaged", "warehouse in Münster", {"transfer_damaged"}),
    ],
)
def test_damaged_mail_is_read_and_flagged(name: str, words: str, flags: set[str]) -> None:
    found = lead(name)
    assert words in values(found, "message")[0]
    assert set(found.flags) == flags


def test_raw_eight_bit_headers_are_read() -> None:
    found = lead("zh_no_charset_8bit")
    assert values(found, "full_name") == ["陈晓明"]
    assert values(found, "subject") == ["仓库货架咨询"]


def test_text_that_a_gateway_appended_to_base64_is_no_garbage() -> None:
    message = values(lead("zh_base64_damaged"), "message")[0]
    assert message.endswith("王芳")


@pytest.mark.parametrize(
    ("text", "written", "declared", "guessed"),
    [
        ("镕基轩", "gb18030", "gb2312", False),
        ("您好，请报价", "gb18030", "GBK", False),
        ("您好，请报价三台叉车", "gb18030", None, True),
        ("您好，请报价三台叉车", "utf-8", "gb2312", True),
        ("您好，请报价三台叉车", "utf-8", None, True),
        ("您好，请报价三台叉车", "gb18030", "iso-8859-1", True),
        ("您好，请报价三台叉车", "gb18030", "x-unknown", True),
        ("我們想詢問兩台電動堆高機的報價與交期", "big5", None, True),
        ("フォークリフト", "iso2022_jp", None, True),
        ("Grüße aus Münster, wir brauchen zwei Stapler", "cp1252", "iso-8859-1", False),
        ("Grüße aus Münster, wir brauchen zwei Stapler", "cp1252", None, True),
        ("Grüße aus Münster", "utf-8", "utf-8", False),
        ("plain", "ascii", "idna", False),
        ("您好", "hz", "hz-gb-2312", False),
    ],
)
def test_charset_chain(text: str, written: str, declared: str | None, guessed: bool) -> None:
    decoded = decode(text.encode(written), declared)
    assert decoded.text == text
    assert ("charset_guessed" in decoded.flags) is guessed


def test_one_broken_character_does_not_change_the_charset() -> None:
    decoded = decode("您好，请报价三台叉车，谢谢".encode()[:-1], "utf-8")
    assert decoded.text.startswith("您好，请报价三台叉车，谢")
    assert decoded.flags == {"bytes_damaged"}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"aGVsbG8", b"hello"),
        (b"aGVs\r\nbG8=\r\n", b"hello"),
        (b"aGVsbG8=\r\nIHdvcmxk", b"hello world"),
        (b"aG!Vs?bG8=", b"hello"),
        (b"aGVsbG8gd29ybGQ=\r\n-- sent by the list of friends\r\n", b"hello world"),
        (b"This was never encoded at all.", b"This was never encoded at all."),
        (b"=====", b""),
        (b"", b""),
    ],
)
def test_base64_is_read_as_far_as_it_goes(raw: bytes, expected: bytes) -> None:
    assert decode_transfer(raw, "base64")[0] == expected


def test_nul_and_surrogates_are_storable() -> None:
    raw = HEAD + b"Content-Type: text/plain; charset=utf-16\n\n" + b"\x00\xd8h\x00i\x00\x00\x00"
    for body in (raw, PLAIN + b"a\x00b call 13912345678", HEAD.replace(b": s", b": s\x00t") + b"\nhi"):
        for result in parse(capture(body), source()):
            result.model_dump_json().encode()
            assert "\\u0000" not in result.model_dump_json()


def test_formula_and_markup_in_a_name_are_kept_as_received() -> None:
    raw = b'From: "=cmd()|<b>x</b>" <a@cust.example>\n\nhello there'
    (found,) = parse(capture(raw), source())
    assert isinstance(found, Lead)
    assert values(found, "full_name") == ["=cmd()|<b>x</b>"]


def test_field_of_a_megabyte_is_cut_and_flagged() -> None:
    for raw in (HEAD.replace(b": s\n", b": " + b"x" * MEGABYTE + b"\n") + b"\nhi", PLAIN + b"x" * MEGABYTE):
        (found,) = parse(capture(raw), source())
        assert isinstance(found, Lead)
        assert "cut" in found.flags
        assert all(len(item.received) <= FIELD_CHARS[item.name] for item in found.fields)


def test_text_nested_too_deep_is_not_lost() -> None:
    raw = HTML + b"<script>no</script>" + b"<div>" * 20_000 + "请报价".encode() + b"</div>" * 20_000
    (found,) = parse(capture(raw), source())
    assert isinstance(found, Lead)
    assert values(found, "message") == ["请报价"]
    assert "html_simplified" in found.flags


def nested(levels: int) -> bytes:
    heads = (b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(levels))
    return HEAD + b"".join(heads) + b"\n" + b"two trucks please\n" * 2_000


MONSTERS: dict[str, Callable[[], bytes]] = {
    "subject": lambda: HEAD.replace(b": s\n", b": " + b"=?utf-8?B?5L2g?= " * 60_000 + b"\n") + b"\nhi",
    "half words": lambda: HEAD.replace(b": s\n", b": " + b"=?a?q?" * 180_000 + b"\n") + b"\nhi",
    "nested comments": lambda: b"From: " + b"(" * MEGABYTE + b"a@cust.example\n\nhi",
    "recipients": lambda: HEAD + b"Cc: " + b"a@b.example, " * 80_000 + b"\n\nhi",
    "headers": lambda: HEAD + b"X-A: b\n" * 100_000 + b"\nhi",
    "parameters": lambda: HEAD + b'Content-Type: multipart/mixed; a="' + b";" * MEGABYTE + b"\n\nhi",
    "one line": lambda: PLAIN + b"a" * MEGABYTE,
    "digits": lambda: PLAIN + b"1-" * (MEGABYTE // 2),
    "phones": lambda: PLAIN + b"Tel 123456 13912345678\n" * (MEGABYTE // 23),
    "blank lines": lambda: PLAIN + b"\n" * MEGABYTE,
    "quotes": lambda: PLAIN + b"> " * (MEGABYTE // 2),
    "attributions": lambda: PLAIN + (b"On " + b"a " * 95 + b"\n") * 5_000,
    "forwards": lambda: PLAIN.replace(b": s\n", b": Fwd: s\n") + b"From: a@b.cn\nTo: x\n\nhi\n" * 45_000,
    "labels": lambda: PLAIN + "姓名：张 电话：1 ".encode() * 40_000,
    "labelled lines": lambda: PLAIN + "姓名：\n".encode() * 100_000,
    "signature": lambda: PLAIN + "hi\n此致\n".encode() + ("公" * 399 + "\n").encode() * 12,
    "tags": lambda: HTML + b"<div>" * 20_000 + b"x",
    "tags again and again": lambda: HTML + (b"<div>" * 900 + b"</div>" * 900) * 90,
    "unclosed formatting": lambda: (
        HTML + b"".join(b"<b id=%d>" % n for n in range(900)) + b"<p>x</p>" * 20_000
    ),
    "unclosed scripts": lambda: HTML + b"<p>" * 2_000 + b"<script " * (MEGABYTE // 8),
    "parts": lambda: HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nhello\n" * 1_000,
    "levels": lambda: nested(90),
    "many levels": lambda: nested(5_000),
    "mails in mails": lambda: HEAD + b"Content-Type: message/rfc822\n\n" * 5_000 + b"hi",
    "xml": lambda: PLAIN + b"<adf>" + b"<a>" * 80_000 + b"</a>" * 80_000 + b"</adf>",
    "card": lambda: (
        HEAD + b"Content-Type: text/vcard\n\nBEGIN:VCARD\n" + (b"TEL" + b";A=B" * 45 + b"\n") * 5_000
    ),
    "noise": lambda: PLAIN + os.urandom(MEGABYTE),
    "codec": lambda: HEAD + b"Content-Type: text/plain; charset=punycode\n\n" + b"\xff-" * MEGABYTE,
    "attachment": lambda: (
        HEAD
        + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhello\n--b\nContent-Type: application/pdf; name=x.pdf\n"
        + b"Content-Transfer-Encoding: base64\n\n"
        + base64.encodebytes(os.urandom(10 * MEGABYTE))
    ),
}


@pytest.mark.parametrize("name", MONSTERS)
def test_no_monster_holds_up_the_mail_behind_it(name: str) -> None:
    """Each takes well under a second alone; three leave room for a busy machine, a hang or a square does not."""
    raw = MONSTERS[name]()
    started = time.perf_counter()
    results = parse(capture(raw), source())
    message_key(raw)
    assert time.perf_counter() - started < 3
    assert results


def test_winmail_dat_that_claims_four_billion_properties_ends_fast() -> None:
    claims = b"\x78\x9f\x3e\x22\x01\x00" + b"\x01\x03\x90\x06\x00\x08\x00\x00\x00" + b"\xff" * 8 + b"\x00\x00"
    raw = (
        HEAD
        + b"Content-Type: application/ms-tnef\nContent-Transfer-Encoding: base64\n\n"
        + base64.b64encode(claims)
    )
    started = time.perf_counter()
    (found,) = parse(capture(raw), source())
    assert time.perf_counter() - started < 1
    assert isinstance(found, Lead)


SAMPLES = [path.read_bytes() for path in sorted(EXAMPLES.glob("*.eml"))]
HOSTILE = [
    b"",
    b"\x00",
    b"\xff\xfe",
    b"\n\n",
    b"=?utf-8?B?",
    b"?=",
    b"--",
    b'"',
    b"<",
    b"(",
    b"BEGIN:VCARD\r\n",
    b"Content-Type: multipart/mixed; boundary*=a; boundary*0=b\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Type: text/plain; charset=undefined\r\n",
    b"Date: Thu, 99 Foo 99999 99:99:99 +9999\r\n",
    b"From: \xc1\xd6 <@>\r\n",
    b"<adf>",
]


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """An example with pieces cut out, doubled, swapped for another's, or replaced by something hostile."""
    raw = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(raw)))
        end = min(len(raw), start + draw(st.sampled_from([0, 1, 2, 5, 40, 400])))
        other = draw(st.sampled_from(SAMPLES))
        at = draw(st.integers(0, len(other)))
        piece = draw(
            st.one_of(st.sampled_from(HOSTILE), st.binary(max_size=8), st.just(other[at : at + 300]))
        )
        raw = raw[:start] + piece + raw[end:]
    return raw


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(raw=mutations(), form=st.booleans())
def test_no_mutation_of_a_mail_raises(raw: bytes, form: bool) -> None:
    message_key(raw)
    results = parse(capture(raw), source(no_reply_is_form=form))
    assert results
    for result in results:
        assert isinstance(result, Lead | Ignored | Refused)
        result.model_dump_json().encode()  # storable: no lone surrogate, no NUL
        if isinstance(result, Lead):
            assert all(item.received and "\x00" not in item.received for item in result.fields)
            assert all(len(item.received) <= FIELD_CHARS[item.name] for item in result.fields)


@settings(max_examples=100, deadline=None)
@given(raw=st.binary(max_size=2_000))
def test_no_bytes_raise(raw: bytes) -> None:
    message_key(raw)
    assert parse(capture(raw), source())
    assert parse(capture(b"From: a@cust.example\nContent-Type: " + raw), source())


def test_same_bytes_give_the_same_leads() -> None:
    for raw in SAMPLES:
        assert parse(capture(raw), source()) == parse(capture(raw), source())
