"""The exported JSON Schemas are those of the code; run `python -m tools.export_schemas` after a change."""

from tools.export_schemas import FOLDER, exported


def test_exported_schemas_are_not_stale() -> None:
    assert {file.name: file.read_bytes() for file in FOLDER.glob("*.json")} == exported()
