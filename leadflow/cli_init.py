"""`leadflow init`: the first company, asked for or given, as files and applied."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leadflow.terminal import Actor, company_from, fail, language, operate, reading, say, settings, tell

if TYPE_CHECKING:
    from sales.first_steps import FirstSteps

SMTP_PORT = 8025
"""Where the mail door listens after a start with mail: 25 needs a privilege, and a mail server passes mail on here."""


def init(
    folder: Annotated[Path, typer.Argument(help="Folder to write the company's files into")] = Path(
        "company"
    ),
    *,
    company: Annotated[str, typer.Option(help="Name of the company")] = "",
    zone: Annotated[str, typer.Option(help="IANA time zone, such as Asia/Shanghai")] = "",
    lang: Annotated[str, typer.Option("--language", help="zh or en")] = "",
    person: Annotated[
        list[str] | None, typer.Option(help='"Name <address>", once for each; the first is the manager')
    ] = None,
    source: Annotated[str, typer.Option(help="First way in: web, email or counter")] = "",
    address: Annotated[str, typer.Option(help="For email: where customers write to")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: defaults for what is not given")] = False,
    actor: Actor = "operator",
) -> None:
    """Begin: ask for company, people and first source, write them as files and apply them."""
    from sales.files import write_folder
    from sales.first_steps import FirstSteps, first_company

    here = settings()
    _refuse_what_is_there(folder, here.data)
    ask = not yes
    steps = FirstSteps(
        name=company or _needed(ask, "--company", tell("Name of the company", "公司名称")),
        zone=_zone(zone, ask),
        language="zh"
        if _chosen(lang, ask, ("zh", "en"), language(), tell("Language", "语言")) == "zh"
        else "en",
        people=person or _people(ask),
        source=_chosen(  # type: ignore[arg-type]
            source, ask, ("web", "email", "counter"), "web", tell("First source", "第一个接入渠道")
        ),
        address=address,
    )
    steps = _with_address(steps, ask)
    write_folder(first_company(steps), folder)
    made = company_from(folder)
    operate("apply", make=True, id="company", actor=actor, company=made.model_dump(mode="json"))
    if steps.source == "email" and not here.smtp_port:
        (here.data / "leadflow.toml").write_text(f"smtp_port = {SMTP_PORT}\n")
    count, data = len(steps.people), here.data
    say(
        f"{steps.name}: {count} people, written to {folder} and applied to {data}. Next:",
        f"{steps.name}：{count} 人，已写入 {folder} 并应用到 {data}。接下来：",
    )
    typer.echo("  leadflow run")
    typer.echo("  leadflow doctor")


def _refuse_what_is_there(folder: Path, data: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        fail(f"{folder} is not empty; name another folder.", f"{folder} 不是空文件夹，请另选一个。")
    if (data / "store.db").exists() and _has_company():
        fail(
            f"There is a company in {data} already. To change it: leadflow company FOLDER, then leadflow apply",
            f"{data} 中已有公司数据。如需修改：先 leadflow company FOLDER，再 leadflow apply",
        )


def _has_company() -> bool:
    """Tell whether anything was ever applied; a host that was started first has an empty store."""
    from store.company import company_version

    with reading() as connection:
        return company_version(connection) > 0


def _needed(ask: bool, option: str, question: str) -> str:
    if not ask:
        fail(f"{option} is missing.", f"缺少 {option}。")
    return str(typer.prompt(question)).strip()


def _chosen(given: str, ask: bool, choices: tuple[str, ...], default: str, question: str) -> str:
    """Return one of the choices: what is given, else what is answered, else the default."""
    answer = given
    while answer not in choices:
        if (answer and not ask) or (given and answer == given):
            fail(
                f"{answer!r} is none of: {', '.join(choices)}",
                f"{answer!r} 不在可选范围：{', '.join(choices)}",
            )
        if not ask:
            return default
        answer = str(typer.prompt(f"{question} ({'/'.join(choices)})", default=default)).strip().lower()
    return answer


def _zone(given: str, ask: bool) -> str:
    from worktime.localtime import zone_of

    zone = given or (_ask_zone() if ask else _zone_here())
    while True:
        try:
            zone_of(zone)
        except ValueError:
            said = (
                f"{zone!r} is no time zone; write one such as Asia/Shanghai",
                f"没有时区 {zone!r}，例如 Asia/Shanghai",
            )
            if given or not ask:
                fail(*said)
            say(*said, err=True)
            zone = _ask_zone()
        else:
            return zone


def _ask_zone() -> str:
    return str(typer.prompt(tell("Time zone", "时区"), default=_zone_here())).strip()


def _zone_here() -> str:
    """Return this machine's zone, by the link that tzset(3) follows. One in UTC says nothing about the company."""
    try:
        zone = os.readlink("/etc/localtime").partition("zoneinfo/")[2]
    except OSError:
        zone = ""
    return "Asia/Shanghai" if zone in ("", "UTC", "Etc/UTC") else zone


def _people(ask: bool) -> list[str]:
    first = _needed(ask, "--person", tell("First person, as Name <address>", "第一位人员，格式：姓名 <邮箱>"))
    people = [first]
    while another := str(
        typer.prompt(tell("Another (empty: no more)", "下一位（留空结束）"), default="", show_default=False)
    ).strip():
        people.append(another)
    return people


def _with_address(steps: FirstSteps, ask: bool) -> FirstSteps:
    from dataclasses import replace

    if steps.source != "email":
        return steps
    question = tell("Address that customers write to", "客户来信的邮箱地址")
    address = steps.address or _needed(ask, "--address", question)
    if "@" not in address:
        fail(f"{address!r} is no mail address.", f"{address!r} 不是邮箱地址。")
    return replace(steps, address=address)
