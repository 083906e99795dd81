"""Mail that nobody wrote to us: kept with its reason, never a lead."""

from __future__ import annotations

import pytest

from ingest.email.parse import EmailSource, parse
from schemas.lead import Lead
from schemas.results import Ignored
from tests.formats.test_email import capture, example, source

CASES = {
    "auto_submitted": ("auto_submitted", "header:Auto-Submitted"),
    "auto_precedence": ("precedence", "header:Precedence"),
    "auto_suppress": ("auto_response_suppress", "header:X-Auto-Response-Suppress"),
    "auto_x_autoreply": ("auto_reply", "header:X-Autoreply"),
    "auto_x_autorespond": ("auto_reply", "header:X-Autorespond"),
    "auto_subject_zh": ("auto_reply", "header:Subject"),
    "auto_list": ("mailing_list", "header:List-Id"),
    "auto_null_return_path": ("null_return_path", "header:Return-Path"),
    "auto_no_reply": ("no_reply", "header:From"),
    "auto_x_loop": ("loop", "header:X-Loop"),
    "auto_own_message_id": ("loop", "header:Message-ID"),
    "auto_bounce": ("bounce", "header:Content-Type"),
    "auto_read_receipt": ("read_receipt", "header:Content-Type"),
}
SETTINGS = source(loop_domains=("notify.haichuan.example",))


def reason(raw: bytes, settings: EmailSource = SETTINGS, **meta: str) -> Ignored:
    (result,) = parse(capture(raw, **meta), settings)
    assert isinstance(result, Ignored), result
    return result


@pytest.mark.parametrize("name", CASES)
def test_automatic_mail_is_ignored_with_the_mark_that_told_it(name: str) -> None:
    ignored = reason(example(name))
    assert (ignored.stage, ignored.kind) == ("parse", "automatic")
    assert (ignored.code, ignored.field) == CASES[name]
    assert ignored.message


@pytest.mark.parametrize("name", CASES)
def test_the_mark_alone_decides(name: str) -> None:
    """The same mail without its mark is a lead, so no other rule hides a broken one."""
    raw = example(name).decode()
    header = CASES[name][1].removeprefix("header:")
    kept = [line for line in raw.split("\r\n") if not line.startswith(f"{header}:")]
    if name == "auto_bounce":
        kept = [
            line for line in kept if not line.startswith(("Return-Path:", "Auto-Submitted:", "From: Mail"))
        ]
    if name == "auto_list":
        kept = [line for line in kept if not line.startswith("Precedence:")]
    (result,) = parse(capture("\r\n".join(kept).encode()), SETTINGS)
    assert isinstance(result, Lead), result


@pytest.mark.parametrize("mail_from", ["", "<>"])
def test_null_return_path_of_the_envelope_counts(mail_from: str) -> None:
    raw = b"From: Jo Li <jo@cust.example>\nSubject: s\n\nhello"
    assert reason(raw, mail_from=mail_from).code == "null_return_path"


def test_auto_submitted_no_is_a_person() -> None:
    raw = b"From: jo@cust.example\nAuto-Submitted: no\n\nhello there"
    (result,) = parse(capture(raw), SETTINGS)
    assert isinstance(result, Lead)


@pytest.mark.parametrize(
    "address", ["noreply@a.example", "no-reply@a.example", "DoNotReply@a.example", "noreply-12@a.example"]
)
def test_senders_that_read_no_answer(address: str) -> None:
    assert reason(f"From: {address}\n\nhello".encode()).code == "no_reply"


@pytest.mark.parametrize("address", ["noreen.reply@a.example", "norepo@a.example", "reply@a.example"])
def test_names_that_only_look_alike_are_people(address: str) -> None:
    (result,) = parse(capture(f"From: {address}\n\nhello".encode()), SETTINGS)
    assert isinstance(result, Lead)


@pytest.mark.parametrize(
    "mark", ["Auto-Submitted: auto-replied", "List-Id: <n.list.example>", "X-Loop: a@haichuan.example"]
)
def test_form_mailer_is_no_excuse_for_replies_lists_and_loops(mark: str) -> None:
    raw = f"From: noreply@f.example\n{mark}\n\nName: Ann\nPhone: 13912340001\n".encode()
    reason(raw, source(no_reply_is_form=True))


def test_forwarded_out_of_office_note_is_no_lead() -> None:
    raw = (
        b"From: zhou@haichuan.example\nSubject: Fwd: x\nContent-Type: message/rfc822\n\n"
        b"From: jo@cust.example\nAuto-Submitted: auto-replied\n\nI am away."
    )
    assert reason(raw).code == "auto_submitted"


def test_refusal_and_reason_hold_no_personal_data() -> None:
    for name in CASES:
        said = reason(example(name)).model_dump_json()
        assert "jo@cust" not in said
        assert "gone@cust" not in said
