"""What the API has done by the host: the same as the pages have."""

from __future__ import annotations

from dataclasses import dataclass

from console.handover import HandOver
from console.imports import Lists
from console.move import Mover
from console.operations import Operations
from console.timeline import FindCapture


@dataclass(frozen=True)
class Ports:
    """What a host does; None: it does not, and there are no such operations."""

    mover: Mover | None = None
    hand_over: HandOver | None = None
    operations: Operations | None = None
    lists: Lists | None = None
    find_capture: FindCapture = lambda _capture_id: None
