"""The demo lives at any hour of any day: its first leads come through four doors and have somebody at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from ingest.cti.asterisk import AsteriskCdr, row_key
from ingest.email.parse import message_key
from leadflow.demo.cast import dice, prospect
from leadflow.demo.channels import call_rows, mail_of, visit_of
from leadflow.demo.feed import SLOT_S, Doors, post_of
from leadflow.demo.run import demo_company
from leadflow.demo.script import SEED
from leadflow.demo.seed import moved_company
from router.office import office_of
from schemas.capture import Capture, capture_of
from store.views import balance, feed, orphans
from tests.support.rig import HOUR, MINUTE, SECOND, Rig
from worktime.localtime import wall_clock, zone_of

ZONE = zone_of("Asia/Shanghai")
HOURS = [
    pytest.param(datetime(2026, 11, 25, 2, 30), id="a Wednesday night"),
    pytest.param(datetime(2026, 11, 29, 15, 0), id="a Sunday"),
    pytest.param(datetime(2027, 1, 1, 0, 0), id="the first moment of a year"),
    pytest.param(datetime(2027, 2, 6, 20, 29), id="Chinese New Year, a minute before the shift changes"),
    pytest.param(datetime(2027, 10, 1, 20, 30), id="the National Day, as the shift changes"),
    pytest.param(datetime(2028, 2, 29, 12, 15), id="a leap day, at lunch"),
    pytest.param(datetime(2026, 11, 24, 10, 0), id="a Tuesday morning"),
]


def arrivals(slot: int, at_us: int, company_sources: dict[str, dict[str, object]]) -> list[Capture]:
    """What the feed's first slot sends, as the doors would keep it."""
    rng = {name: dice(SEED, "live", name, slot) for name in ("web", "mail", "call", "visit")}
    now = datetime.fromtimestamp(slot * SLOT_S, ZONE)
    post = post_of(Doors("", 100), slot, rng["web"], plain=True)
    letter = mail_of(rng["mail"], prospect(SEED, 7), f"live-{slot}", now, plain=True).as_bytes()
    walk_in = visit_of(rng["visit"], prospect(SEED, 8), f"live-{slot}")
    rows = call_rows(rng["call"], prospect(SEED, 9), slot, now).splitlines(keepends=True)
    source = AsteriskCdr.model_validate(company_sources["pbx"])
    made: list[tuple[str, str, str, bytes, str | None, dict[str, str]]] = [
        (post.source_id, "web", "web.form", post.body, post.key, {"content_type": post.content_type}),
        ("mail", "email", "email.message", letter, message_key(letter), {}),
        (
            "front-desk",
            "counter",
            "counter.visit",
            walk_in,
            f"visit {slot}",
            {"content_type": "application/json"},
        ),
        *(
            ("pbx", "cti", "cti.asterisk", row, row_key(row, source, "Master.csv", number), {})
            for number, row in enumerate(rows)
        ),
    ]
    return [
        capture_of(
            source_id=source_id,
            channel=channel,  # type: ignore[arg-type]
            format=format_,
            body=body,
            accepted_us=at_us + number,
            trace_id=f"{number:032x}",
            idem_key=key,
            made_key=f"{slot} {number}",
            purpose="demo",
            meta=meta,
        )
        for number, (source_id, channel, format_, body, key, meta) in enumerate(made)
    ]


@pytest.mark.parametrize("local", HOURS)
def test_four_channels_show_leads_with_somebody_to_see_to_them(local: datetime, tmp_path: Path) -> None:
    at_us = int(local.replace(tzinfo=ZONE).timestamp()) * SECOND
    company = moved_company(demo_company(), at_us)
    rig = Rig(tmp_path, company=company)
    rig.feed(arrivals(at_us // SECOND // SLOT_S, at_us, company.sources))
    rig.run()
    rig.fire(at_us + 14 * SECOND)
    with rig.store.read() as connection:
        shown = {row["channel"]: row for row in feed(connection)}
        total = balance(connection, at_us + 15 * SECOND)
        lost = orphans(connection, at_us + 2 * MINUTE)
    assert sorted(shown) == ["counter", "cti", "email", "web"]
    assert all(row["holder_kind"] in ("person", "queue") for row in shown.values())
    assert all(row["reason"] for row in shown.values()), "each says why"
    assert (total.adds_up, total.without_owner, lost) == (True, 0, [])
    rig.close()


def test_somebody_is_on_duty_at_every_hour_of_the_next_two_years_whenever_the_demo_begins() -> None:
    random = Random(1)
    for _ in range(20):
        begins_us = (
            int(datetime(2026, 11, 24, tzinfo=UTC).timestamp()) * SECOND + random.randrange(730 * 24) * HOUR
        )
        office = office_of(moved_company(demo_company(), begins_us))
        for hours in range(24 * 21):
            at_us = begins_us + hours * HOUR
            able, _ = office.could_take("hotline", at_us)
            assert able, f"nobody at {wall_clock(at_us, ZONE)}, begun {wall_clock(begins_us, ZONE)}"
    first_us = int(datetime(2026, 11, 24, tzinfo=UTC).timestamp()) * SECOND
    office = office_of(demo_company())
    for half_hours in range(48 * 730):
        at_us = first_us + half_hours * 30 * MINUTE
        assert office.could_take("hotline", at_us)[0], f"nobody at {wall_clock(at_us, ZONE) + timedelta()}"
