"""A host without threads that lists are brought to, as the command line does it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select

from leadflow.embedded import Embedded, open_files
from leadflow.imports.pieces import digest_of, keep_file
from leadflow.operate_imports import do_import_begin, do_import_revert, do_import_step
from schemas.company import Campaign, Company, Person
from store import tables
from store.company import put_company
from tests.support.rig import small_company

LISTS = {"source_id": "lists", "channel": "list", "format": "list.row", "name": "名单", "language": "zh"}


def company_of_lists(**changes: Any) -> Company:
    """The small company with a sender of lists, and somebody who has left."""
    small = small_company()
    left = Person(person_id="dora", name="朵拉", state="left")
    return small_company(
        **{
            "people": {**small.people, "dora": left},
            "sources": {**small.sources, "lists": LISTS},
            "campaigns": {"fair": Campaign(campaign_id="fair", name_zh="展会", name_en="Fair")},
            "calendars": {},
            "matching": "off",
            "units": {
                key: unit.model_copy(update={"calendar_id": None}) for key, unit in small.units.items()
            },
            "absences": (),
            **changes,
        }
    )


class Bringing:
    """A host, and the lists that are brought to it."""

    def __init__(self, engine: Embedded) -> None:
        self.engine = engine

    def begin(self, text: str | bytes, kind: str = "leads", **spec: Any) -> str:
        """Keep a file, and begin it; return the list."""
        data = text.encode() if isinstance(text, str) else text
        file = io.BytesIO(data)
        digest, size = digest_of(file)
        pieces = keep_file(self.engine, "lists", file, digest)
        more: dict[str, Any] = {
            name: spec.pop(name) for name in ("campaign", "cost_minor", "currency") if name in spec
        }
        asked = {"source": "lists", "kind": kind, "digest": digest, "bytes": size, "name": "list.csv"}
        answer = do_import_begin(
            self.engine, {**asked, "pieces": pieces, "actor": "operator", "spec": spec, **more}
        )
        self.engine.work_off()
        return str(answer["import_id"])

    def take(self, text: str | bytes, kind: str = "leads", **spec: Any) -> str:
        """Take a whole list, and let the stages work; return the list."""
        import_id = self.begin(text, kind, **spec)
        self.go_on(import_id)
        return import_id

    def go_on(self, import_id: str) -> dict[str, Any]:
        """Go on until nothing is left to do; return how far it is."""
        while (answer := do_import_step(self.engine, {"id": import_id, "actor": "operator"}))["more"]:
            self.engine.work_off()
        self.engine.work_off()
        return answer

    def revert(self, import_id: str) -> dict[str, Any]:
        """Take a list back."""
        asked = {"id": import_id, "actor": "operator", "reason": "wrong list"}
        while (answer := do_import_revert(self.engine, asked))["more"]:
            pass
        self.engine.work_off()
        return answer

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return a table's rows in the order of its key."""
        table = tables.state.tables[name]
        with self.engine.files.store.read() as connection:
            found = connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
            return [dict(row) for row in found]

    def holders(self) -> dict[str, tuple[str, str, str]]:
        """Return by full name (else company) of its first lead who has each customer: state, kind and name."""
        names = {}
        for lead in self.rows("lead"):
            said = {one["name"]: one["value"] for one in orjson.loads(lead["fields_json"])}
            names[lead["lead_id"]] = said.get("full_name") or said.get("company", "")
        customers = {row["customer_id"]: row for row in self.rows("customer")}
        return {
            names[customers[row["customer_id"]]["born_lead"]]: (
                customers[row["customer_id"]]["state"],
                row["holder_kind"],
                row["holder_id"],
            )
            for row in self.rows("holding")
            if row["to_us"] is None and row["role"] == "owner"
        }


@contextmanager
def bringing(folder: Path, company: Company | None = None) -> Iterator[Bringing]:
    """Yield a host over a folder, with a company of its own if it is new."""
    files = open_files(folder)
    with files.store.write() as connection:
        if company is not None:
            put_company(connection, company, 0)
    engine = Embedded(files)
    engine.door.start()
    try:
        yield Bringing(engine)
    finally:
        engine.door.close()
        engine.files.close()
