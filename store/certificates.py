"""The proof that a hand-over is complete: every object with its new holder, chained by digests, verifiable later.

The digest is SHA-256 over the canonical JSON (sorted keys, UTF-8) of number, `before` and body; `before` is the digest
of the certificate with the number before, so that none can be changed, taken out or slipped in without its being seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Connection, func, select

from schemas.company import Company
from schemas.ids import make_id
from store import tables
from store.acts import ActRefused, Command
from store.acts_job import Job, holders_of, items, read_job
from store.belongings import Belonging, belongings
from store.bulk import keys_in
from store.company import company_version, load_company
from store.effects import Effect, Insert, Update
from store.locks import lock_certificates, share_company

ENDED = "-"
"""In place of a holder: it ended, and nobody has it."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate, as stored or as read from a file."""

    certificate_id: str
    number: int
    before: str
    digest: str
    body: dict[str, Any]

    @property
    def is_sound(self) -> bool:
        """Tell whether its digest is that of what it says."""
        return digest_of(self.number, self.before, self.body) == self.digest


def digest_of(number: int, before: str, body: Mapping[str, Any]) -> str:
    """Return the digest of a certificate."""
    said = {"number": number, "before": before, "body": body}
    return sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()


def certify(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
    """Plan: end a job (the command's scope) with its certificate.

    Refused while anything of a leaver's is left: the message names it. Of a part, what the job was to give.
    """
    share_company(connection)
    job = read_job(connection, command.scope_id)
    company = load_company(connection, company_version(connection))
    left = belongings(connection, company, job.person_id, now_us) if job.leaving else []
    if left:
        named = ", ".join(f"{one.kind} {one.object_id}" for one in left[:10])
        raise ActRefused(
            "left_over", f"{len(left)} things are still theirs: {named}. Change them, then apply again."
        )
    lock_certificates(connection)
    table = tables.certificate
    number = int(connection.execute(select(func.coalesce(func.max(table.c.number), 0))).scalar_one()) + 1
    before = (
        connection.execute(select(table.c.digest).where(table.c.number == number - 1)).scalar_one_or_none()
        or ""
    )
    body = _body(connection, job, company, now_us)
    row = {
        "certificate_id": make_id("crt", job.job_id),
        "number": number,
        "job_id": job.job_id,
        "person_id": job.person_id,
        "body_json": orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode(),
        "before": before,
        "digest": digest_of(number, before, body),
        "made_us": now_us,
    }
    return [
        Insert("certificate", row),
        Update("job", {"job_id": job.job_id}, {"state": "done", "code": None, "ended_us": now_us}),
    ]


def _body(connection: Connection, job: Job, company: Company, now_us: int) -> dict[str, Any]:
    """Return what a certificate says: each object as (kind, id, new holder), in order."""
    given = items(connection, job.job_id, "given")
    customers = [row["customer_id"] for row in given]
    had = {Belonging("customer", one) for one in customers}
    had |= {Belonging(kind, object_id) for kind, object_id in job.spec["had"]}
    now = holders(connection, company, sorted(had))
    objects = sorted([one.kind, one.object_id, now[one]] for one in had)
    return {
        "job_id": job.job_id,
        "person_id": job.person_id,
        "whole": job.leaving,
        "made_us": now_us,
        "objects": objects,
        "left": 0,
    }


def holders(connection: Connection, company: Company, of: Sequence[Belonging]) -> dict[Belonging, str]:
    """Return who has each of these objects now; ENDED for what nobody has any more."""
    owners = holders_of(connection, (one.object_id for one in of if one.kind in ("customer", "pool_claim")))
    tasks = _task_holders(connection, [one.object_id for one in of if one.kind == "task"])
    stand_ins = {f"{away.person_id}@{away.from_us}": away.stand_in_id for away in company.absences}

    def holder(one: Belonging) -> str | None:
        match one.kind:
            case "customer" | "pool_claim":
                return owners.get(one.object_id)
            case "task":
                return tasks.get(one.object_id)
            case "unit_manager":
                unit = company.units.get(one.object_id)
                return unit.manager_id if unit else None
            case "stand_in":
                return stand_ins.get(one.object_id)
            case "responsible":
                return company.responsible_id
            case _:
                return None

    return {one: holder(one) or ENDED for one in of}


def _task_holders(connection: Connection, task_ids: Sequence[str]) -> dict[str, str]:
    task = tables.task
    wanted = keys_in(connection, ["task_id"], [(one,) for one in task_ids])
    rows = connection.execute(select(task.c.task_id, task.c.holder_id).where(wanted, task.c.state == "open"))
    return {row.task_id: row.holder_id for row in rows}


def read_certificate(connection: Connection, any_id: str) -> Certificate:
    """Return a certificate by its id or that of its job. Raises ActRefused for an unknown one."""
    table = tables.certificate
    row = connection.execute(
        select(table).where((table.c.certificate_id == any_id) | (table.c.job_id == any_id))
    ).one_or_none()
    if row is None:
        raise ActRefused(
            "unknown_certificate", f"There is no certificate {any_id}; see: leadflow handover show"
        )
    return _certificate(row)


def _certificate(row: Any) -> Certificate:
    return Certificate(row.certificate_id, row.number, row.before, row.digest, orjson.loads(row.body_json))


@dataclass(frozen=True, slots=True)
class Verified:
    """What verifying a certificate found. Sound: nothing in `wrong`; `changed` and `now_has` are later life."""

    certificate: Certificate
    wrong: tuple[str, ...]
    """What does not hold: `digest`, `chain`, `not_ours` (the store has another one under its id, or none)."""
    changed: tuple[tuple[str, str, str, str], ...]
    """Objects with another holder than the certificate says: (kind, id, holder then, holder now)."""
    now_has: tuple[Belonging, ...]
    """What the person has now; of a certificate for a whole hand-over nothing is expected."""


def verify(connection: Connection, given: Certificate, now_us: int) -> Verified:
    """Recompute a certificate and its chain, and say what changed since."""
    wrong = [] if given.is_sound else ["digest"]
    before = ""
    table = tables.certificate
    found: Certificate | None = None
    for row in connection.execute(select(table).order_by(table.c.number)):
        one = _certificate(row)
        if one.before != before or not one.is_sound:
            wrong.append("chain")
            break
        before = one.digest
        if one.certificate_id == given.certificate_id:
            found = one
    if found != given and "chain" not in wrong:
        wrong.append("not_ours")
    company = load_company(connection, company_version(connection))
    objects = [(Belonging(kind, object_id), holder) for kind, object_id, holder in given.body["objects"]]
    now = holders(connection, company, [one for one, _ in objects])
    changed = tuple((one.kind, one.object_id, then, now[one]) for one, then in objects if now[one] != then)
    has = belongings(connection, company, str(given.body["person_id"]), now_us) if given.body["whole"] else []
    return Verified(given, tuple(dict.fromkeys(wrong)), changed, tuple(has))
