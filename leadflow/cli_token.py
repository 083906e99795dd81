"""`leadflow token`: bearer tokens for programs and one-time links for people, made, listed and ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from leadflow.terminal import Actor, fail, operate, reading, say, settings

token = typer.Typer(no_args_is_help=True, help="Access from elsewhere: new, link, list, end.")

Person = Annotated[str, typer.Option(help="Code of the person who is to act")]
Role = Annotated[
    str,
    typer.Option(
        help="Only as representative, manager, marketing, front_desk, operations or auditor; else as all that they are"
    ),
]
ROLES = ("representative", "manager", "marketing", "front_desk", "operations", "auditor")
_OWN = ("their roles", "本人的角色")


@token.command("new")
def new(
    person: Person,
    role: Role = "",
    scope: Annotated[
        list[str] | None,
        typer.Option(help="Of that only a part of the API, such as leads:read; may stand several times"),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long it is valid")] = 90,
    actor: Actor = "operator",
) -> None:
    """Print a bearer token for a program that acts as a person. It is shown once and kept nowhere."""
    answer = _grant("token", person, role, days * 24, actor, scopes=scope or ())
    typer.echo(answer["secret"])
    access_id, (given, given_zh) = answer["access_id"], _given(answer)
    say(
        f"{access_id}: {given}, {days} days. Send it as: Authorization: Bearer TOKEN",
        f"{access_id}：{given_zh}，有效期 {days} 天。使用方式：Authorization: Bearer TOKEN",
        err=True,
    )


@token.command("link")
def link(
    person: Person,
    role: Role = "",
    hours: Annotated[int, typer.Option(min=1, max=24 * 30, help="How long it can be opened")] = 24,
    actor: Actor = "operator",
) -> None:
    """Print a one-time link that opens a person's inbox, such as on their phone."""
    here = settings()
    answer = _grant("link", person, role, hours, actor)
    typer.echo(f"{here.console_url}/enter/{answer['secret']}")
    access_id, (given, given_zh) = answer["access_id"], _given(answer)
    say(
        f"{access_id}: {given}, works once within {hours} hours, then stays in for 30 days",
        f"{access_id}：{given_zh}，{hours} 小时内可使用一次，之后该设备保持登录 30 天",
        err=True,
    )
    if here.public_url is None:
        say(
            "It opens on this machine only: set LEADFLOW_PUBLIC_URL to the address that people reach you by.",
            "此链接只能在本机打开：请把 LEADFLOW_PUBLIC_URL 设为对外可访问的地址。",
            err=True,
        )


@token.command("list")
def show(
    every: Annotated[bool, typer.Option("--all", help="Also what is used, over or ended")] = False,
) -> None:
    """List tokens, links and sessions that open something: id, kind, role, person, valid until, state, scopes."""
    from leadflow.clock import wall_clock_us
    from store.access import list_access

    now_us = wall_clock_us()
    with reading() as connection:
        found = list_access(connection)
    for one in found:
        state = one.state(now_us)
        if every or state == "valid":
            until = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=one.expires_us)
            cells = (
                one.access_id,
                one.kind,
                one.role or "own",
                one.person_id,
                f"{until:%Y-%m-%dT%H:%MZ}",
                state,
                one.scope or "-",
            )
            typer.echo("\t".join(cells))


@token.command("end")
def end(
    ids: Annotated[list[str], typer.Argument(help="Ids of `token list`, or persons: all that they have")],
    actor: Actor = "operator",
) -> None:
    """End tokens, links and sessions at once; a link takes its session with it."""
    for one in ids:
        operate("end_access", id=one, actor=actor)
        say(f"{one}\tended", f"{one}\t已停用")


def _given(answer: dict[str, Any]) -> tuple[str, str]:
    role = answer["role"]
    told, told_zh = (role, role) if role else _OWN
    scope = answer["scope"]
    return (f"{told}, {scope} alone", f"{told_zh}，仅限 {scope}") if scope else (told, told_zh)


def _grant(
    kind: str, person: str, role: str, hours: int, actor: str, *, scopes: Sequence[str] = ()
) -> dict[str, Any]:
    from console.permits import SCOPES

    if role and role not in ROLES:
        fail(
            f"Roles are {', '.join(ROLES)}; {role!r} is none.",
            f"角色只有 {'、'.join(ROLES)}，没有 {role!r}。",
        )
    if strange := [one for one in scopes if one not in SCOPES]:
        fail(
            f"Scopes are {', '.join(SCOPES)}; {strange[0]!r} is none.",
            f"范围只有 {'、'.join(SCOPES)}，没有 {strange[0]!r}。",
        )
    return operate(
        "grant", id=person, actor=actor, kind=kind, role=role or None, scopes=list(scopes), hours=hours
    )
