"""What a console has done by its host, over a rig: the real moves, hand-overs, lists and operations, with a door that feeds the rig."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from leadflow.desk_handover import ConsoleHandOver
from leadflow.desk_moves import ConsoleMoves
from leadflow.imports.desk import ConsoleLists
from leadflow.operations_desk import OperationsDesk
from schemas.capture import Capture
from store.company import CompanyCache
from tests.support.rig import Rig


def host_of(rig: Rig) -> dict[str, Any]:
    """Return the ports of `console_routes`."""

    def append(captures: Sequence[Capture]) -> Any:
        rig.feed(list(captures))
        return SimpleNamespace(result=lambda: None)

    door = SimpleNamespace(append=append)
    companies = CompanyCache()

    def sources() -> Any:
        with rig.store.read() as connection:
            return companies.get(connection).sources

    engine: Any = SimpleNamespace(files=rig.files, companies=companies, door=door, sources=sources)
    return {
        "mover": ConsoleMoves(engine),
        "hand_over": ConsoleHandOver(engine),
        "operations": OperationsDesk(engine, "https://leads.example"),
        "lists": ConsoleLists(engine, 1024**2),
        "find_capture": rig.files.capture,
    }
