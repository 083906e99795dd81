"""Following a growing file: rotation, truncation, partial lines, restart from a checkpoint, bounded memory.

The tailer itself stands in `ingest.cti.shipper`, because that one file must also run alone on a switchboard
and two tailers would drift apart. This is the name under which the rest of Leadflow uses it: `advance`
decides purely, `Tail` and `Tails` look and read, and the caller commits `Row.after` once the row is durable.
"""

from ingest.cti.shipper import (
    MAX_ROW_BYTES,
    Checkpoint,
    Observation,
    Read,
    Row,
    Seen,
    Tail,
    Tails,
    Unreadable,
    Wait,
    advance,
    observe,
    position_key,
)

__all__ = [
    "MAX_ROW_BYTES",
    "Checkpoint",
    "Observation",
    "Read",
    "Row",
    "Seen",
    "Tail",
    "Tails",
    "Unreadable",
    "Wait",
    "advance",
    "observe",
    "position_key",
]
