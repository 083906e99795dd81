"""Live leads for the demo: through the web door, one a slot, never twice."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from leadflow.demo.cast import dice
from leadflow.demo.feed import LIVELY_S, SLOT_S, Doors, Feeder, feed, is_used, post_of, web
from leadflow.demo.run import demo_company
from leadflow.demo.script import SEED
from tests.support.live import Live
from tools.servers import free_port


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    running = Live(tmp_path, demo_company())
    running.start()
    yield running
    running.stop()


def doors(live: Live) -> Doors:
    return Doors(f"http://127.0.0.1:{live.port}", customers=100)


def test_live_leads_come_through_the_web_door_and_a_slot_sent_twice_counts_once(live: Live) -> None:
    keyed = [slot for slot in range(1_000, 1_120) if post_of(doors(live), slot, dice(SEED, "live", slot)).key]
    for slot in keyed + keyed[-30:]:
        web(doors(live), slot, dice(SEED, "live", slot), False)
    live.drained()
    assert live.query("SELECT count(*) FROM capture") == [(len(keyed),)]
    assert live.query("SELECT count(*) FROM lead WHERE purpose <> 'demo'") == [(0,)]
    assert live.query("SELECT count(*) FROM lead")[0][0] > 0.9 * len(keyed)
    assert live.query("SELECT count(*) FROM task")[0][0] > 0.9 * len(keyed)


def test_a_broken_body_is_answered_at_the_door_and_the_feed_goes_on(live: Live) -> None:
    broken = next(
        slot
        for slot in itertools.count(1)
        if post_of(doors(live), slot, dice(SEED, "live", slot)).body.startswith(b'{"name": "Cut')
    )
    assert web(doors(live), broken, dice(SEED, "live", broken), False) is None
    live.drained()
    assert live.query("SELECT count(*) FROM capture") == [(0,)]


def test_a_door_that_is_gone_is_tried_again_in_the_next_slot() -> None:
    with pytest.raises(OSError, match="refused"):
        web(Doors(f"http://127.0.0.1:{free_port()}", 10), 1, dice("any"), False)


class Hurried(threading.Event):
    """A stop sign, and a clock that moves on whenever somebody waits."""

    def __init__(self, until_s: float) -> None:
        super().__init__()
        self.now_s, self._until_s = 900_000.5, until_s

    def wait(self, timeout: float | None = None) -> bool:
        self.now_s += timeout or 0.0
        return self.now_s >= self._until_s


def test_one_lead_every_3_seconds_for_5_minutes_then_one_every_21() -> None:
    stop, sent = Hurried(until_s=900_000 + 1_800), list[int]()

    def quiet(_doors: Doors, slot: int, _rng: Random, _plain: bool) -> None:
        sent.append(slot)

    feed(Doors("", 1), stop, lambda: stop.now_s, feeders=(quiet,))
    assert len(sent) == len(set(sent))
    first = 900_000 // SLOT_S
    lively = [slot for slot in sent if (slot - first) * SLOT_S <= LIVELY_S]
    slow = [slot for slot in sent if slot not in lively]
    assert lively == list(range(first + 1, first + LIVELY_S // SLOT_S + 1))
    assert {(b - a) * SLOT_S for a, b in itertools.pairwise(slow)} == {21}
    assert not is_used(slow[0] + 1, first)


def test_what_got_no_answer_is_sent_again_the_same_until_it_does() -> None:
    stop, tries, promised = Hurried(until_s=900_000 + 120), list[tuple[int, float]](), list[str]()

    def sometimes_away(_doors: Doors, slot: int, rng: Random, _plain: bool) -> str:
        tries.append((slot, rng.random()))
        if len(tries) in (5, 6, 7, 20):
            raise ConnectionResetError
        return f"cap_{slot}"

    feed(Doors("", 1), stop, lambda: stop.now_s, promised.append, (sometimes_away,))
    slots = {slot for slot, _ in tries}
    assert len(promised) == len(set(promised)) == len(slots), "each is promised once, none is given up"
    again = {slot for slot in slots if [one for one, _ in tries].count(slot) > 1}
    assert again
    assert len(set(tries)) == len(slots), "and sent the same each time"


def test_the_first_leads_come_through_every_door_and_are_leads_in_any_slot() -> None:
    stop, seen = Hurried(until_s=900_000 + 30), list[tuple[str, bool]]()

    def channel(name: str) -> Feeder:
        def send(_doors: Doors, _slot: int, _rng: Random, plain: bool) -> None:
            seen.append((name, plain))

        return send

    names = ("web", "mail", "call", "visit")
    feed(Doors("", 1), stop, lambda: stop.now_s, feeders=tuple(map(channel, names)))
    assert seen[:4] == [(name, True) for name in names]
    assert not any(plain for _, plain in seen[4:])


def test_channels_take_turns() -> None:
    stop, sent = Hurried(until_s=900_000 + 60), Counter[str]()

    def channel(name: str) -> Feeder:
        return lambda _doors, _slot, _rng, _plain: sent.update([name])

    feed(Doors("", 1), stop, lambda: stop.now_s, feeders=(channel("web"), channel("mail")))
    assert abs(sent["web"] - sent["mail"]) <= 1 < sent["web"]
