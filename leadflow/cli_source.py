"""`leadflow source`: set a new one up, or try a captured body on a source or a preset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from leadflow.terminal import company_from, fail, language, reading, say, settings, tell

source = typer.Typer(no_args_is_help=True, help="Ways in: set one up, try a captured body.")


@source.command("new")
def new(
    folder: Annotated[Path, typer.Argument(help="Folder of the company's files")],
    *,
    kind: Annotated[
        str,
        typer.Option(help="form, webhook, web-to-lead, mailbox, calls, queue, call-table, counter or list"),
    ] = "",
    source_id: Annotated[
        str, typer.Option("--id", help="Small letters, digits and -; part of addresses")
    ] = "",
    name: Annotated[str, typer.Option(help="Shown to people")] = "",
    preset: Annotated[str, typer.Option(help="Of a webhook: feiyu, baidu, tencent or form-service")] = "",
    oid: Annotated[str, typer.Option(help="Of Web-to-Lead: `oid` in the form")] = "",
    host: Annotated[str, typer.Option(help="Of a mailbox: IMAP server; of Web-to-Lead: host of retURL")] = "",
    user: Annotated[str, typer.Option(help="Of a mailbox: the account")] = "",
    file: Annotated[str, typer.Option(help="Of calls and queues: file to follow")] = "",
    number: Annotated[str, typer.Option(help="Of calls: our public number")] = "",
    url: Annotated[str, typer.Option(help="Of a call table: SQLAlchemy URL without a password")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: defaults for what is not given")] = False,
) -> None:
    """Ask, write a source into the company's files, and print what to set on the other side."""
    from leadflow.clock import new_secret
    from leadflow.source_new import ASKED, KINDS, QUESTIONS, Wanted, advice, section_of

    company = company_from(folder)
    kind = kind or ("" if yes else _asked("Kind: " + ", ".join(KINDS), "类型：" + "、".join(KINDS), "form"))
    if kind not in KINDS:
        fail(f"{kind!r} is none of: {', '.join(KINDS)}", f"{kind!r} 不在可选范围：{', '.join(KINDS)}")
    given = {
        "preset": preset,
        "oid": oid,
        "host": host,
        "user": user,
        "file": file,
        "number": number,
        "url": url,
    }
    source_id = source_id or (kind if yes else _asked("Id", "代码", kind))
    if source_id in company.sources or source_id in company.sources_off:
        fail(
            f"There is a source {source_id} already; choose another id.",
            f"已有接入渠道 {source_id}，请换一个代码。",
        )
    name = name or (source_id if yes else _asked("Name", "名称", source_id))
    answers = {
        key: given[key] or (QUESTIONS[key][2] if yes else _asked(*QUESTIONS[key]))
        for key in ASKED.get(kind, ())
    }
    records = [
        key for key, one in company.sources.items() if one["format"] in ("cti.asterisk", "cti.cdr_table")
    ]
    if kind == "queue" and len(records) == 1:
        answers["cdr_source"] = records[0]  # the only switchboard that there is
    wanted = Wanted(kind, source_id, name, answers, new_secret())
    section = section_of(wanted, company.zone, company.language)
    _written(folder, source_id, section)
    say(
        f"written to {folder / 'company.toml'}; next: leadflow apply {folder}. On the other side:",
        f"已写入 {folder / 'company.toml'}；接下来：leadflow apply {folder}。在对方处设置：",
    )
    for line in advice(wanted, section, settings().console_url, language()):
        typer.echo(line)


def _asked(en: str, zh: str, default: str) -> str:
    return str(typer.prompt(tell(en, zh), default=default, show_default=bool(default))).strip()


def _written(folder: Path, source_id: str, section: dict[str, Any]) -> None:
    """Add a section to company.toml below what stands there; what does not pass the check is taken out again."""
    import tomli_w

    file = folder / "company.toml"
    before = file.read_bytes()
    added = tomli_w.dumps({"sources": {source_id: section}})
    file.write_bytes(before.rstrip() + b"\n\n" + added.encode())
    try:
        company_from(folder)
    except typer.Exit:
        file.write_bytes(before)
        raise


@source.command("try")
def try_file(
    file: Annotated[Path, typer.Argument(help="A body as it was received: JSON, a form, an .eml, a CDR row")],
    name: Annotated[str, typer.Option("--source", help="A source of the company")] = "",
    preset: Annotated[
        str, typer.Option(help="Instead: feiyu, baidu, tencent, form-service or salesforce-web-to-lead")
    ] = "",
    content_type: Annotated[
        str, typer.Option(help="Its Content-Type, if it cannot be told from the body")
    ] = "",
) -> None:
    """Show what a body would become – fields, key, time, what is wrong – without taking it in; exit 1 if it is refused."""
    from leadflow.clock import wall_clock_us
    from leadflow.source_try import is_well, tried

    if bool(name) == bool(preset):
        fail("Give either --source or --preset.", "请指定 --source 或 --preset 其中之一。")
    settings = _of_preset(preset) if preset else _of_company(name)
    try:
        body = file.read_bytes()
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", f"无法读取 {file}：{error.strerror}")
    for line in tried(settings, body, wall_clock_us(), content_type):
        typer.echo(line)
    raise typer.Exit(0 if is_well(settings, body, wall_clock_us(), content_type) else 1)


def _of_preset(preset: str) -> dict[str, Any]:
    from ingest.web.presets import PRESETS

    if preset not in PRESETS:
        known = ", ".join(PRESETS)
        fail(f"There is no preset {preset!r}; one of: {known}", f"没有预设 {preset!r}；可选：{known}")
    return {
        "source_id": preset,
        "channel": "web",
        "format": "web.mapped",
        "name": preset,
        "preset": preset,
    }


def _of_company(name: str) -> dict[str, Any]:
    from store.company import company_version, load_company

    with reading() as connection:
        company = load_company(connection, company_version(connection))
    found = company.sources.get(name) or company.sources_off.get(name)
    if found is None:
        known = ", ".join([*company.sources, *company.sources_off]) or "-"
        fail(f"There is no source {name!r}; one of: {known}", f"没有接入渠道 {name!r}；可选：{known}")
    return dict(found)
