"""What commands say in the terminal's language; that nothing an operator may be refused stays untranslated."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from leadflow.terminal import REFUSED_ZH, language
from schemas.pools import ClaimRefused
from tests.e2e.test_first_steps import PEOPLE, leadflow

CHINESE = "zh_CN.UTF-8"
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "C.UTF-8", "LC_MESSAGES": "zh_TW.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh"),
        ({}, "en"),
    ],
)
def test_the_locale_decides_as_posix_says(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language() == expected


def test_commands_speak_chinese_where_the_locale_does(tmp_path: Path) -> None:
    assert "没有 Leadflow 数据" in leadflow(tmp_path, "orphans", code=2, lang=CHINESE)
    leadflow(tmp_path, "init", "--yes", "--company", "大恒", *PEOPLE)
    assert leadflow(tmp_path, "orphans", lang=CHINESE).strip() == "无主客户 0 个"
    assert leadflow(tmp_path, "neglected", lang=CHINESE).strip() == "被搁置的客户 0 个"
    assert "0 个问题" in leadflow(tmp_path, "check", "company", lang=CHINESE)
    told = leadflow(tmp_path, "doctor", code=1, lang=CHINESE)
    assert "Leadflow 未在此文件夹上运行" in told
    assert "处理办法：请启动：leadflow run" in told
    assert "没有这个客户（unknown_customer）" in leadflow(tmp_path, "erase", "cus_none", code=2, lang=CHINESE)
    assert "There is no customer" in leadflow(tmp_path, "erase", "cus_none", code=2)


def test_every_refusal_of_an_operator_s_act_is_told_in_chinese() -> None:
    refusal = re.compile(r'ActRefused\(\s*"(\w+)"')
    files = (
        "store/acts_dead.py",
        "store/breakers.py",
        "store/acts_erase.py",
        "store/acts_opt_out.py",
        "store/acts_move.py",
        "store/acts_undo.py",
        "store/acts_job.py",
        "store/acts_pool.py",
        "store/acts_scope.py",
        "store/acts_claim.py",
        "leadflow/undo_scope.py",
        "store/certificates.py",
        "leadflow/handover_job.py",
        "leadflow/handover_leave.py",
        "leadflow/operate_moves.py",
        "sales/apply.py",
        "sales/away.py",
        "sales/roles.py",
        "sales/stages.py",
        "sales/orders.py",
        "sales/spend.py",
        "sales/aliases.py",
        "sales/forms.py",
        "leadflow/operate.py",
        "leadflow/operate_correct.py",
        "leadflow/operate_imports.py",
        "leadflow/imports/pieces.py",
        "leadflow/imports/spec.py",
        "store/imports.py",
        "store/access.py",
        "enrich/acts_merge.py",
        "enrich/acts_part.py",
        "enrich/groups.py",
        "enrich/live.py",
        "enrich/review.py",
        "enrich/taken.py",
        "enrich/whole.py",
    )
    codes = {code for name in files for code in refusal.findall((ROOT / name).read_text())}
    codes |= set(get_args(ClaimRefused))
    links = {"link_unknown", "link_used", "link_over"}  # met in a browser: see console.words
    assert len(codes) > 8
    assert codes - links == set(REFUSED_ZH)
