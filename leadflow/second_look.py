"""Looks again at what came in lately, for customers that are one although their leads did not see each other."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from enrich.acts_second_look import (
    ARRIVED_READ,
    arrived_since,
    join_contacts,
    join_if_one,
    leave,
    offer,
    read_arrived,
    sure_pairs,
)
from enrich.lately import SPAN_US, Lately
from enrich.live import judge_in_use
from enrich.similar import Judge, default_judge
from leadflow.clock import new_id
from schemas.company import Company
from store.acts import ITSELF, ActRefused, Append, Command, Plan, perform
from store.company import CompanyCache
from store.database import Database

log = structlog.get_logger()

EVERY_S = 1.0
"""Between two looks at what came in."""
START_US = 24 * 3_600 * 1_000_000
"""How far back the first look goes: over what came while nobody looked."""


class SecondLook:
    """Looks now and then, for a loop that has nothing else to do at the moment.

    `several`: leads are decided by several workers, so that two may come at once without seeing each other.
    """

    def __init__(
        self, store: Database, append: Append, *, several: bool, key: Callable[[], str] = new_id
    ) -> None:
        self._store = store
        self._append = append
        self._several = several
        self._key = key
        self._companies = CompanyCache()
        self._company: Company | None = None
        self._lately = Lately(default_judge())
        self._seen: dict[str, int] = {}
        self._since_us: int | None = None
        self._next_s = 0.0

    def turn(self, now_us: int) -> int:
        """Look, unless that was done a moment ago; return how many pairs were looked at."""
        if time.monotonic() < self._next_s:
            return 0
        done = self.look(now_us)
        if not done:
            self._next_s = time.monotonic() + EVERY_S
        return done

    def look(self, now_us: int) -> int:
        """Offer for review who came at once and resembles each other; join what is sure, if the company wants that."""
        with self._store.read() as connection:
            company = self._companies.get(connection)
            if company is not self._company:  # to publish a match model raises the company's version, too
                self._company, self._lately.judge = company, judge_in_use(connection)
        if company.matching == "off":
            return 0
        done = self._look_at_arrivals(now_us) if self._several else 0
        return done + (self._join(self._lately.judge, now_us) if company.matching == "join" else 0)

    def _look_at_arrivals(self, now_us: int) -> int:
        since_us = now_us - START_US if self._since_us is None else self._since_us
        with self._store.read() as connection:
            leads = arrived_since(connection, since_us)
            arrived = read_arrived(connection, [one for one in leads if one[0] not in self._seen])
        if not leads:
            return 0
        last_us = leads[-1][1]
        # Who was decided earlier may become visible later; unless more wait than are read at once.
        self._since_us = last_us - SPAN_US if len(leads) < ARRIVED_READ else last_us
        self._seen = {lead_id: at_us for lead_id, at_us in leads if at_us >= self._since_us}
        offers = self._lately.take(arrived, last_us)
        if offers:
            command = Command("offer", ITSELF, self._key(), "reviews", f"{len(offers)} pairs alike")
            perform(self._store, command, offer(offers, self._lately.judge), now_us, self._append)
        return len(offers)

    def _join(self, judge: Judge, now_us: int) -> int:
        with self._store.read() as connection:
            pairs = sure_pairs(connection, judge)
        for review_id, one in pairs:
            if not self._done("merge", one, review_id, join_if_one(review_id, judge), now_us):
                self._done("leave", one, review_id, leave(review_id), now_us)
            # Also of a pair that is one already: other merges brought contacts together that nobody has compared.
            while self._done("merge", one, review_id, join_contacts(judge), now_us):
                pass
        if pairs:
            log.info("pairs_looked_at", count=len(pairs))
        return len(pairs)

    def _done(self, verb: str, scope_id: str, reason: str, plan: Plan, now_us: int) -> bool:
        """Do an act; return False if it is refused: then a person decides."""
        command = Command(verb, ITSELF, self._key(), scope_id, reason)
        try:
            return perform(self._store, command, plan, now_us, self._append)
        except ActRefused:
            return False
