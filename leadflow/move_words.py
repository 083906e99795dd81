"""Why a customer is not moved, handed over or taken back, in both languages, with the setting to change."""

from __future__ import annotations

from collections.abc import Mapping

from leadflow.terminal import tell

ROWS: Mapping[str, tuple[str, str]] = {
    "unknown_customer": ("there is no such customer, or it was erased", "没有这个客户，或已被删除"),
    "in_intake": (
        "it is still on its way through the stages; try again in a moment",
        "正在处理中，请稍后再试",
    ),
    "not_below": (
        "its owner is not below you: units.csv, column manager",
        "其负责人不归您管理：units.csv 的 manager 列",
    ),
    "target_not_below": (
        "whom it is to go to is not below you: units.csv, column manager",
        "接收人不归您管理：units.csv 的 manager 列",
    ),
    "there_already": ("they have it already", "已在其名下"),
    "holder_gone": (
        "who is to have it does not work here: people.csv, column state",
        "接收人已不在职：people.csv 的 state 列",
    ),
    "moved_on": ("somebody else has it since", "此后已变更负责人"),
    "too_old": (
        "it is longer ago than undo_hours of company.toml allows",
        "已超过 company.toml 的 undo_hours 所允许的时间",
    ),
    "merged": ("it was merged into another customer since", "此后已并入其他客户"),
    "erased": ("it was erased since", "此后已被删除"),
}


def row_text(code: str) -> str:
    """Return the sentence of a code in the language of the terminal."""
    return tell(*ROWS[code]) if code in ROWS else code
