"""What every command shares: its language, its settings, the data folder, the running host, and how it gives up.

Help is English; sentences are said in Chinese where the locale is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from leadflow.engine import Data
    from leadflow.settings import Settings
    from schemas.base import Language
    from schemas.company import Company

# Everything heavy is imported inside the functions: `leadflow --help` answers in a tenth of a second.

Actor = Annotated[str, typer.Option(envvar="LEADFLOW_ACTOR", help="Who does it")]


REFUSED_ZH = {
    "last_operator": "没有其他人拥有运维角色，请先授予他人",
    "book_refused": "该规则簿不能启用，请运行：leadflow rules check",
    "book_replaced": "其间已发布了另一版分配规则，请重新载入后再发布",
    "unknown_book": "没有这个版本，请查看：leadflow rules list",
    "customers_waiting": "要删除的单位仍有客户在待分配中，请先清空",
    "dates_reversed": "结束须晚于开始，且不能已经过去",
    "dead_letter_ended": "该待修复记录已处理完毕",
    "dead_letter_held": "该记录随其接入渠道暂扣，请先排除原因，再运行：leadflow breaker reset",
    "delivery_ended": "该推送已送达或不再发送，无可重放",
    "key_reused": "此幂等键已用于其他操作，请更换",
    "no_breaker": "该接入渠道没有熔断，或正在重放，请查看：leadflow breaker",
    "no_raw_bytes": "原始内容已删除，无法修复",
    "answered_already": "该复核已有答复",
    "conflicting_identifiers": "两者的税号（或证件号）不同；确认其中之一有误时，请加 --although 并说明原因",
    "foreign_lead": "所列线索中有一条不属于该客户",
    "model_changed": "在此期间已有人启用了另一版本，请重新查看：leadflow match model",
    "not_a_model": "这不是本版本的匹配模型",
    "not_alike": "两者不是同一类，不能合并",
    "asked_too_often": "一小时内查询的客户过多，请联系您的主管",
    "name_fits_many": "符合该名称的客户太多，请写全称，或用电话号码查询",
    "names_not_kept": "未启用匹配模型，无法按公司名称查询，请用电话号码",
    "not_a_name": "该名称过于宽泛，请写公司注册全称",
    "not_a_number": "请写完整的电话号码（座机含区号）",
    "no_stand_in": "代管人不在职、届时也请假，或就是本人",
    "not_above": "只有本人或其上级主管可以登记",
    "not_away": "该人员目前没有请假",
    "no_such_leave": "该次请假已结束或已取消",
    "nothing_held": "该客户已被删除，没有任何内容",
    "nothing_left": "不能把全部线索都拆走，请留下仍属于该客户的",
    "nothing_merged": "没有可撤销的合并；请用 --leads 指明要拆走的线索",
    "one_already": "两者已是同一个",
    "parted_before": "曾有人确认两者不是同一个；确认当时有误时，请加 --although 并说明原因",
    "choice": "筛选条件、接收人或文件无法读取",
    "duties_missing": "此人还担任主管、代管人或默认待分配负责人；请用 --duties-to 指定接替者",
    "job_under_way": "此人的移交正在进行，请查看：leadflow handover show",
    "left_over": "还有未移交的内容；请先运行 leadflow handover plan 查看",
    "not_below": "此人不归您管理",
    "unknown_certificate": "没有这份交接证明，请查看：leadflow handover show",
    "unknown_job": "没有这次移交，请查看：leadflow handover show",
    "not_undoable": "该操作不能在此撤销；合并请用：leadflow match unmerge",
    "nothing_to_move": "所选客户都不能变更；请加 --preview 查看每个客户的原因",
    "undo_too_late": "已超过可撤销的时间（company.toml 的 undo_hours）；请逐一改派",
    "undone_already": "此前已撤销；如需恢复，请撤销那次撤销",
    "in_intake": "该客户正在处理中，请稍后再试",
    "no_claim": "没有人要求该客户，请查看：leadflow collisions",
    "unknown_claimant": "没有这个在职人员或单位",
    "until_past": "请填写今天以后的日期",
    "unknown_import": "没有这个接入渠道或回执编号",
    "unknown_list": "没有这份名单，请查看：leadflow import list",
    "unknown_heap": "没有这个去处；请写 queue:单位、pool:公海 或 nurture:培育节奏",
    "heap_routes": "该单位的成员会立即分走待分配客户；请改用公海、nurture:… 或没有成员的单位",
    "unknown_campaign": "campaigns.csv 中没有这个活动",
    "list_begun": "该名单已开始导入，请改为撤回",
    "no_currency": "请写明币种（三个字母），如 CNY",
    "unknown_version": "没有这个版本的分配规则，请查看：leadflow rules list",
    "unknown_act": "没有这个操作编号，请查看：leadflow explain",
    "claimed_already": "该客户已被领取，请刷新公海",
    "not_in_pool": "该客户不在公海中，请刷新公海",
    "other_pool": "该公海仅供其他单位领取（pools.csv 的 units 列）",
    "held_back": "刚进入公海，冻结期内不可领取（pools.csv 的 hold_hours 列）",
    "was_yours": "您曾负责该客户，间隔期内不可再次领取（pools.csv 的 again_days、owner_days 列）",
    "pool_full": "您从该公海领取的跟进中客户已达上限（pools.csv 的 open_limit 列）",
    "pool_day_full": "您今天从该公海领取的数量已达上限（pools.csv 的 day_limit 列）",
    "not_yours": "只有负责人可以放回公海；主管请用：leadflow move",
    "fact_changed": "此项已被他人更正，请查看现在的内容",
    "nothing_changed": "这些内容与已知的一致，没有改动",
    "value_unreadable": "电话号码或邮箱无法识别，请更正",
    "value_too_long": "内容过长，最多 500 个字符",
    "known_as_anothers": "该号码或邮箱已属于另一位客户；如为同一客户请合并，否则请换一个",
    "unknown_field": "此项不能在这里更正",
    "changed_meanwhile": "此表单已被他人修改，请重新打开",
    "consent_version_same": "修改授权内容须同时更换版本",
    "unknown_stage": "阶段为 new、contacted、opportunity、won、later 或 lost",
    "unknown_line": "没有这个产品线，请查看 lines.csv",
    "lost_reason_missing": "请用 --lost 指定丢单原因（choices.csv 的 no_need 列表）",
    "order_of_another": "该订单属于其他客户，请核对订单号",
    "unknown_order": "请指明订单号；同号订单有多个来源时请加 --source",
    "days_reversed": "结束日期早于开始日期，或相隔十年以上",
    "unknown_spend": "没有这条花费，请查看：leadflow spend list",
    "unknown_alias": "别名的类别为 utm、click、tag、dialled、list 或 heard，且不能为空",
    "alias_taken": "该别名已属于某个市场活动",
    "unknown_actor": "请用 --by 指定在职人员",
    "unknown_pool": "请用 --pool 指定公海，请查看：leadflow pools",
    "reason_missing": "请用 --reason 说明原因",
    "would_orphan": "此人名下还有客户，却没有哪个团队的待分配能接收；请修正 company.toml 的 default_queue，或先移交：leadflow handover apply",
    "unknown_access": "没有这个令牌、链接或人员，请查看：leadflow token list --all",
    "unknown_contact": "没有这个联系人",
    "unknown_customer": "没有这个客户",
    "unknown_dead_letter": "没有这条待修复记录，请查看：leadflow dead list",
    "unknown_person": "没有在职人员使用该代码，请查看 people.csv",
    "unknown_review": "没有这条待复核记录，请查看：leadflow match review",
    "unknown_source": "没有这个接入渠道",
    "without_owner": "该客户已被删除或无主，请查看：leadflow orphans",
}
"""Why an operator's act was refused, in Chinese, by the code of `ActRefused`."""


def language() -> Language:
    """Return the language of the terminal, by LC_ALL, LC_MESSAGES or LANG (POSIX, in this order)."""
    named = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return "zh" if next((one for one in named if one), "").lower().startswith("zh") else "en"


def tell(en: str, zh: str) -> str:
    """Return the sentence in the language of the terminal."""
    return zh if language() == "zh" else en


def say(en: str, zh: str, *, err: bool = False) -> None:
    """Print a sentence in the language of the terminal."""
    typer.echo(tell(en, zh), err=err)


def fail(en: str, zh: str | None = None) -> NoReturn:
    """Say why it cannot be done, and end with 2. `zh` is left out for what comes in one language only."""
    say(en, zh or en, err=True)
    raise typer.Exit(2)


def settings() -> Settings:
    """Return the settings of this machine, or say what is wrong with them and end with 2."""
    from leadflow.settings import SettingsError, read_settings

    try:
        return read_settings()
    except SettingsError as error:
        for line in error.lines(language()):
            typer.echo(line, err=True)
        raise typer.Exit(2) from None


def existing(folder: Path) -> Path:
    """Return a data folder that is there, or end with 2."""
    if not (folder / "store.db").exists():
        fail(
            f"There is no Leadflow data in {folder}. Set LEADFLOW_DATA, or start with: leadflow init",
            f"{folder} 中没有 Leadflow 数据。请设置 LEADFLOW_DATA，或从 leadflow init 开始",
        )
    return folder


@contextmanager
def looking() -> Iterator[Data]:
    """Yield the data of this installation to look at, beside hosts that may be running."""
    here = settings()
    if here.is_cluster:
        from leadflow.cluster import NotReady, open_cluster

        try:
            data: Data = open_cluster(here)
        except NotReady as refused:
            fail(str(refused))
    else:
        from leadflow.embedded import read_files

        data = read_files(existing(here.data))
    try:
        yield data
    finally:
        data.close()


@contextmanager
def reading() -> Iterator[Connection]:
    """Yield a connection that reads the store, beside hosts that may be running."""
    with looking() as data, data.store.read() as connection:
        yield connection


def operate(verb: str, *, make: bool = False, **payload: Any) -> dict[str, Any]:
    """Have something done by the running host, else here; a refusal ends with 2."""
    from leadflow.operate import operate as do
    from store.acts import ActRefused
    from store.relocation import NotHere

    here = settings()
    if not make and not here.is_cluster:
        existing(here.data)
    try:
        return do(here, verb, payload)
    except ActRefused as refused:
        zh = REFUSED_ZH.get(refused.code)
        fail(str(refused), f"{zh}（{refused.code}）" if zh else None)
    except NotHere as elsewhere:
        fail(elsewhere.en, elsewhere.zh)
    except OSError as error:
        fail(
            f"The running Leadflow does not answer ({error}). See its log, or stop it and try again.",
            f"正在运行的 Leadflow 没有应答（{error}）。请查看其日志，或停止后重试。",
        )


def tell_left(left: dict[str, int]) -> None:
    """Say what becomes of the customers of people who have left with this change."""
    for person_id, count in left.items():
        say(
            f"{person_id} has left: their open customers ({count} owned in all) wait in the team's queue now. Next time, to "
            f"choose who gets them: leadflow handover apply {person_id} --leaving",
            f"{person_id} 已离职：其跟进中的客户（名下共 {count} 个）已进入团队待分配。今后如需指定接收人："
            f"leadflow handover apply {person_id} --leaving",
        )


def company_from(path: Path) -> Company:
    """Read a company's files, or tell every problem and end with 2."""
    from leadflow.company import read_company
    from sales.problems import CompanyError

    try:
        return read_company(path)
    except CompanyError as error:
        problems_end(error.problems)


def problems_end(problems: Any) -> NoReturn:
    """Tell problems of the company's data, each with its place and fix, and end with 2."""
    for problem in problems:
        typer.echo(problem.text(language()), err=True)
    fail(f"{len(problems)} problems; nothing was changed", f"{len(problems)} 个问题；未作任何更改")
