"""A database put back from a backup, beside brokers that went on: nothing is lost, nothing twice, the erased stay erased."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from leadflow.clock import wall_clock_us
from leadflow.cluster import cluster_stage
from store.dump import dump, restore_dump, scratch_database
from store.journal import begin_journal
from stream.host import StoreBehind
from stream.log import Place
from tests.support.cluster import PARTS, Site, posts
from tests.support.rig import post


def test_a_database_older_than_its_topics_catches_up(site: Site, tmp_path: Path) -> None:
    door = site.door()
    site.part("timers", "t")
    site.workers("a")
    before, since = posts(12), posts(30, first=100)
    talkative = [post(made=f"talk{n}", name="李娜", phone="13900000001", message=f"{n}") for n in range(10)]
    site.accept(door, before)
    site.wait(lambda: site.count("task") >= 12, "the tasks before")
    site.leadflow("backup", str(tmp_path / "backups"), "--with-key")

    site.accept(door, [*talkative, *since])
    site.wait(lambda: routed(site) == 52, "everything")
    erased = customer_of(site, before[0].capture_id)
    for customer in (erased, customer_of(site, talkative[0].capture_id)):
        site.leadflow("erase", customer)
    site.stop_all()

    with scratch_database(site.cluster.store) as empty:
        url = empty.engine.url.render_as_string(hide_password=False)
        (archive,) = (tmp_path / "backups").glob("*.zip")
        told = site.leadflow("restore", str(archive), LEADFLOW_DATABASE_URL=url)
        assert "2 erased since were erased again" in told
        site.use(url)
        assert site.count("lead") == 11

        # Leads that come now are numbered in the log as some were that the restore undid: none may pass for one of those.
        door = site.door()
        anew = post(made="again", at_us=wall_clock_us(), name="李娜", phone="13900000001", message="again")
        later = [*posts(10, first=900), anew]
        site.accept(door, [talkative[0], *later])  # the first as an impatient sender would: once more
        site.workers("b")
        site.part("timers", "u")
        site.wait(lambda: routed(site) == 12 + 30 + 11, "what came since and later")
        site.wait(lambda: site.count("capture") == 12 + 30 + 11 + 1, "what was erased to be passed over")
        site.wait(lambda: site.count("key_to_erase") == 0, "the key of what was erased and sent again to go")

        site.assert_sound([*before, talkative[0], *since, *later], [erased])
        assert site.ask("SELECT capture_id FROM capture WHERE code = 'forgotten'") == [
            (talkative[0].capture_id,)
        ]
        assert site.count("lead") == 11 + 30 + 11
        assert site.count("task") == 12 + 30 + 11
        assert site.count("pii_key") == 11 + 30 + 11
        assert site.count("dead") == 0
        of_her = site.ask(
            "SELECT count(DISTINCT customer_id) FROM membership JOIN lead USING (lead_id) WHERE fields_json LIKE '%13900000001%'"
        )
        assert of_her == [(1,)]
        read_again = site.cluster.capture(since[0].capture_id)
        assert read_again is not None
        assert read_again.body == since[0].body
        assert site.cluster.capture(talkative[0].capture_id) is None
        site.stop_all()


def test_a_database_put_back_by_other_means_is_told_so(site: Site, tmp_path: Path) -> None:
    door = site.door()
    site.outbox()
    site.workers("a", ["parse"])
    before, since = posts(3), posts(5, first=100)
    site.accept(door, before)
    site.wait(lambda: site.count("capture") == 3, "what came before")
    moment = datetime.now(UTC).isoformat()
    dump(site.cluster.store, tmp_path / "dump")
    site.accept(door, since)
    site.wait(lambda: len(site.messages("leads")) == 8, "the leads to be sent on")
    site.stop_all()
    with scratch_database(site.cluster.store) as empty:
        url = empty.engine.url.render_as_string(hide_password=False)
        restore_dump(empty, tmp_path / "dump")
        (old,) = set(site.ask("SELECT topic_id FROM topic_head"))
        with empty.read() as busy:
            assert busy.execute(text("SELECT count(*) FROM pii_key")).scalar_one() == 3
            asked = ("restore", "--as-of", moment)
            assert "erasure journal" in site.leadflow(*asked, code=2, LEADFLOW_DATABASE_URL=url)
            begin_journal(site.settings.erasures, "1")
            refused = site.leadflow(*asked, code=2, LEADFLOW_DATABASE_URL=url)
            assert "Stop every process first" in refused
        empty.close()
        site.use(url)
        unaware = cluster_stage(site.cluster, "resolve", "unaware").worker.host
        with pytest.raises(StoreBehind, match="put back"):
            sum(unaware.run_place(Place("leads", part)) for part in range(PARTS))
        assert site.count("membership") <= 3
        site.cluster.store.close()
        told = site.leadflow(*asked, LEADFLOW_DATABASE_URL=url)
        assert told.startswith("5 captures came in since")
        site.use(url)
        assert site.count("pii_key") == 8
        assert set(site.ask("SELECT topic_id FROM log_past")) == {old}
        assert old not in set(site.ask("SELECT topic_id FROM topic_head"))


def routed(site: Site) -> int:
    return int(site.ask("SELECT count(*) FROM decision WHERE stage = 'route' AND lead_id IS NOT NULL")[0][0])


def customer_of(site: Site, capture_id: str) -> str:
    found = site.ask(
        f"SELECT customer_id FROM membership JOIN lead USING (lead_id) WHERE capture_id = '{capture_id}'"
    )
    return str(found[0][0])
