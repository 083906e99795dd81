"""The match model in use: one for all workers, read from the store, published as a version that never changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, func, select

from enrich.match.cluster import Bands
from enrich.match.model import Level, MatchModel, NotAModel, default_model, load_model
from enrich.match.pack import unpack
from enrich.match.record import Record
from enrich.match.tuning import Answer, Tuned, retuned
from enrich.similar import Judge, digest_of, stated_bands
from store import tables
from store.acts import ITSELF, ActRefused, Command, Plan
from store.bulk import insert_ignore
from store.company import raise_version
from store.effects import Effect
from store.locks import lock_company
from store.similar import packed_records

QUESTIONS: tuple[Level, ...] = ("contact", "customer")


@dataclass(frozen=True, slots=True)
class Live:
    """A model in use, or that was."""

    number: int
    """0: nothing was published yet."""
    model: MatchModel
    digest: str
    tuned: Mapping[Level, Tuned]
    own: bool
    """It is not the one that comes with Leadflow."""
    unreadable: str = ""
    """Why the published model cannot be read by this Leadflow, so that the one that comes with it is used."""

    @property
    def judge(self) -> Judge:
        """What resolve decides by."""
        return Judge(self.model, self.tuned["contact"].bands, self.tuned["customer"].bands, self.digest)


def judge_in_use(connection: Connection) -> Judge:
    """Return what resolve decides by at present."""
    return live(connection).judge


def live(connection: Connection) -> Live:
    """Return the model in use.

    One that another Leadflow wrote and this one cannot read gives way to the one that comes with it, and says so:
    to recognise nobody would be worse.
    """
    table = tables.match_model
    row = connection.execute(select(table).order_by(table.c.number.desc()).limit(1)).one_or_none()
    if row is None:
        return _as_it_comes(0)
    if row.model_json is not None:
        try:
            model = load_model(row.model_json.encode())
        except NotAModel as wrong:
            return _as_it_comes(row.number, str(wrong))
        return Live(row.number, model, row.digest, read_bands(orjson.loads(row.bands_json)), own=True)
    return _as_it_comes(row.number)


def _as_it_comes(number: int, unreadable: str = "") -> Live:
    model, stated = default_model(), Tuned(stated_bands())
    return Live(
        number,
        model,
        digest_of(model),
        dict.fromkeys(QUESTIONS, stated),
        own=False,
        unreadable=unreadable,
    )


def versions(connection: Connection, limit: int = 20) -> list[dict[str, Any]]:
    """Return what was in use, the newest first: number, digest, when, and whose act it was."""
    table, act = tables.match_model, tables.act
    rows = connection.execute(
        select(table.c.number, table.c.digest, table.c.published_us, act.c.verb, act.c.actor, act.c.reason)
        .outerjoin(act, act.c.act_id == table.c.act_id)
        .order_by(table.c.number.desc())
        .limit(limit)
    )
    return [dict(row) for row in rows.mappings()]


def publish_model(
    model_json: str | None, bands: Mapping[str, Any] | None = None, seen: int | None = None
) -> Plan:
    """Return the plan that puts a model in use, from the next batch of every worker on.

    Without `model_json` it is the one that comes with Leadflow, as it comes; without `bands` they are those stated for
    any model. `seen` is the number of the version that the new one was made from. Refused: what is no model, and a
    `seen` that is not in use any more.
    """
    try:
        model = load_model(model_json.encode()) if model_json else default_model()
        tuned = read_bands(bands) if bands else dict.fromkeys(QUESTIONS, Tuned(stated_bands()))
    except (NotAModel, KeyError, TypeError) as wrong:
        raise ActRefused("not_a_model", f"That is no match model: {wrong}") from wrong

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        lock_company(connection)
        table = tables.match_model
        last = connection.execute(select(func.max(table.c.number))).scalar_one_or_none() or 0
        if seen is not None and seen != last:
            raise ActRefused(
                "model_changed",
                f"Version {last} is in use by now, not {seen}; look again: leadflow match model",
            )
        row = {
            "number": last + 1,
            "model_json": model_json,
            "digest": digest_of(model),
            "bands_json": orjson.dumps(written_bands(tuned)).decode(),
            "published_us": now_us,
            "act_id": command.act_id,
        }
        insert_ignore(connection, table, [row])
        raise_version(connection)
        return []

    return plan


def answers_to(connection: Connection, digest: str) -> dict[Level, list[Answer]]:
    """Return what people answered of pairs that this very model had offered, by question, oldest first."""
    review, act = tables.review, tables.act
    rows = connection.execute(
        select(review.c.millibits, review.c.state, review.c.evidence_json)
        .join(act, act.c.act_id == review.c.act_id)
        .where(
            review.c.kind == "pair",
            review.c.state.in_(("same", "apart")),
            review.c.millibits.is_not(None),
            act.c.actor != ITSELF,  # what it joined itself says nothing about whether it was right
        )
        .order_by(review.c.answered_us, review.c.review_id)
    )
    found: dict[Level, list[Answer]] = {one: [] for one in QUESTIONS}
    for row in rows:
        for said in orjson.loads(row.evidence_json):
            if said.get("model") == digest:
                found[said["question"]].append(Answer(row.millibits / 1000, row.state == "same"))
    return found


def kept_records(connection: Connection, most: int | None = None) -> list[Record]:
    """Return what is compared of the leads in the store, of so many of them: ids are hashes, so by chance."""
    return [unpack(packed) for packed in packed_records(connection, most)]


def retuned_by(present: Live, answers: Mapping[Level, Sequence[Answer]]) -> dict[Level, Tuned]:
    """Return the bands that answers ask for, each from what the model promised and not from where it was moved to."""
    return {one: retuned(present.tuned[one].stated, answers[one]) for one in QUESTIONS}


def written_bands(tuned: Mapping[Level, Tuned]) -> dict[str, Any]:
    """Return bands as plain values."""
    return {
        question: {**one.stated._asdict(), "shift": one.shift, "slope": one.slope, "answers": one.answers}
        for question, one in tuned.items()
    }


def read_bands(said: Mapping[str, Any]) -> dict[Level, Tuned]:
    """Read bands from plain values."""
    return {
        one: Tuned(
            Bands(float(said[one]["same"]), float(said[one]["review"])),
            float(said[one]["shift"]),
            float(said[one]["slope"]),
            int(said[one]["answers"]),
        )
        for one in QUESTIONS
    }
