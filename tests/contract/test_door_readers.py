"""One process at a time reads a mailbox; another goes on where it was."""

from __future__ import annotations

from functools import partial

from store import door_readers
from store.database import Database
from tests.support.workers import in_threads

MAIL = "mail"
LATER = int(door_readers.LEASE_S * 1_000_000) + 1


def claims(store: Database, worker: str, now_us: int) -> bool:
    with store.write() as connection:
        return door_readers.claim(connection, MAIL, worker, now_us)


def test_of_many_who_ask_at_once_one_reads(clean_postgres: Database) -> None:
    won: list[str] = []

    def ask(worker: str) -> None:
        if claims(clean_postgres, worker, 1):
            won.append(worker)

    in_threads([partial(ask, f"w{number}") for number in range(6)])
    assert len(won) == 1


def test_whoever_reads_goes_on_and_another_only_after_the_time(clean_postgres: Database) -> None:
    assert claims(clean_postgres, "a", 1)
    assert claims(clean_postgres, "a", 2)
    assert not claims(clean_postgres, "b", 3)
    assert claims(clean_postgres, "b", 3 + LATER)
    assert not claims(clean_postgres, "a", 4 + LATER)


def test_the_next_one_finds_how_far_the_last_one_was_of_the_same_mailbox_only(
    clean_postgres: Database,
) -> None:
    claims(clean_postgres, "a", 1)
    with clean_postgres.write() as connection:
        door_readers.keep(connection, MAIL, "a", "imap:1", {"uid": 7})
        door_readers.release(connection, "a")
    assert claims(clean_postgres, "b", 2)
    with clean_postgres.write() as connection:
        door_readers.keep(
            connection, MAIL, "a", "imap:1", {"uid": 9}
        )  # it was asleep, and another one reads now
    with clean_postgres.read() as connection:
        assert door_readers.progress(connection, MAIL, "imap:1") == {"uid": 7}
        assert door_readers.progress(connection, MAIL, "imap:2") is None
