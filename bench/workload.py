"""The work that every contender does: one company, and forms and mails as its customers send them."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator
from email.message import EmailMessage
from itertools import islice
from pathlib import Path
from urllib.parse import urlencode

from leadflow.clock import new_id
from leadflow.embedded import Files, open_files
from schemas.capture import Capture, capture_of
from schemas.company import Company, Matching, Member, Person, Place, Territory, Unit, book_version
from store import tables
from store.bulk import insert_ignore
from store.company import put_company
from stream.door_log import CAPTURES, capture_event

FORM_TYPE = "application/x-www-form-urlencoded"
MAIL_ADDRESS = "sales@haichuan.example"

_TEAMS = {"east": "华东", "south": "华南", "overseas": "海外", "default": "默认"}
_BOOK = """rule,language,province,then_team,then_respond_within
english,en,,overseas,60
east,,上海,east,30
east coast,,"江苏, 浙江",east,30
south,,广东,south,30
others,,,default,30
"""
_PER_TEAM = 6
_MAP = {
    "east": "上海 江苏 浙江 安徽 山东 福建 江西",
    "south": "广东 广西 海南 香港 澳门 台湾",
    "default": "北京 天津 河北 山西 内蒙古 辽宁 吉林 黑龙江 河南 湖北 湖南 重庆 四川 贵州 云南 西藏 陕西 甘肃 青海 宁夏 新疆",
}
"""Every province has a territory: a place on no map is written down with each lead that names it."""
_CITIES = (("上海", "上海"), ("江苏", "苏州"), ("浙江", "杭州"), ("广东", "深圳"), ("湖北", "武汉"))
_FAMILY, _GIVEN = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚"
_GOODS = ("电动叉车", "手动搬运车", "堆高车", "仓储货架", "AGV 小车")
_RETURNING, _CHINESE, _FREE_MAIL = 0.2, 0.85, 0.5
"""Shares: forms from somebody who wrote before, in Chinese, with an address of a free mail provider."""


def company() -> Company:
    """A company of four teams and 24 people who are on shift at every hour, so that no run depends on the clock."""
    top = Unit(unit_id="company", kind="company", name_zh="海川", name_en="Haichuan")
    teams = {
        team: Unit(unit_id=team, parent_id="company", kind="team", name_zh=name, name_en=team.title())
        for team, name in _TEAMS.items()
    }
    people = {f"{team}{i}": f"{name}{i}" for team, name in _TEAMS.items() for i in range(_PER_TEAM)}
    return Company(
        version=0,
        name="海川搬运设备",
        units={"company": top, **teams},
        people={key: Person(person_id=key, name=name) for key, name in people.items()},
        members=tuple(
            Member(unit_id=key.rstrip("0123456789"), person_id=key, from_us=0, share=1 + number % 3)
            for number, key in enumerate(people)
        ),
        territories={
            team: Territory(
                territory_id=team,
                name_zh=_TEAMS[team],
                name_en=team.title(),
                unit_id=team,
                places=tuple(Place(province=province) for province in provinces.split()),
            )
            for team, provinces in _MAP.items()
        },
        sources={
            "site": {"source_id": "site", "channel": "web", "format": "web.form", "name": "官网"},
            "post": {
                "source_id": "post",
                "channel": "email",
                "format": "email.message",
                "name": "邮箱",
                "addresses": [MAIL_ADDRESS],
            },
        },
        book_csv=_BOOK,
        book_version=book_version(_BOOK),
    )


def forms(seed: int = 1) -> Iterator[dict[str, str]]:
    """Yield the fields of form after form: the same ones for the same seed, without end."""
    rng = random.Random(seed)
    written = 0
    while True:
        returns = written > 0 and rng.random() < _RETURNING
        if not returns:
            written += 1
        yield _form(rng, rng.randrange(written) if returns else written - 1)


def _form(rng: random.Random, person: int) -> dict[str, str]:
    """A form of the `person`-th customer: the same name, number and address each time, another message."""
    own = random.Random(person)
    free = own.random() < _FREE_MAIL
    domain = own.choice(("qq.com", "163.com")) if free else f"firm{person // 3}.com.cn"
    phone = f"13{person % 10}{(person * 7_919 + 10_000_019) % 100_000_000:08d}"
    goods = rng.choice(_GOODS)
    if own.random() < _CHINESE:
        province, city = own.choice(_CITIES)
        name = own.choice(_FAMILY) + own.choice(_GIVEN) + own.choice(("", own.choice(_GIVEN)))
        fields = {"姓名": name, "电话": phone, "邮箱": f"u{person}@{domain}", "省份": province, "城市": city}
        if not free:
            fields["公司"] = f"第{person // 3}机械制造有限公司"
        amount = rng.randrange(1, 20)
        return fields | {"留言": f"需要{goods}{amount}台，请报价，并说明交货期和付款方式。", "lang": "zh"}
    fields = {"name": f"Alex Ho{person}", "phone": f"+86 {phone}", "email": f"u{person}@{domain}"}
    if not free:
        fields["company"] = f"Firm {person // 3} Machinery Ltd"
    amount = rng.randrange(1, 20)
    return fields | {"message": f"Please quote {amount} pallet trucks, with delivery time.", "lang": "en"}


def bodies(seed: int = 1) -> Iterator[bytes]:
    """Yield form after form as a browser posts it."""
    return (urlencode(fields).encode() for fields in forms(seed))


def captures(seed: int = 1) -> Iterator[Capture]:
    """Yield form after form as the web door takes it; every other one with a key of its sender."""
    for number, body in enumerate(bodies(seed)):
        yield capture_of(
            source_id="site",
            channel="web",
            format="web.form",
            body=body,
            accepted_us=time.time_ns() // 1_000,
            trace_id=new_id(),
            idem_key=f"token-{seed}-{number}" if number % 2 else None,
            made_key=new_id(),
            meta={"content_type": FORM_TYPE},
        )


def mails(seed: int = 1) -> Iterator[bytes]:
    """Yield mail after mail: an enquiry in plain text, some 1 kB, CRLF."""
    for number, fields in enumerate(forms(seed)):
        mail = EmailMessage()
        address = fields.get("邮箱") or fields["email"]
        mail["From"] = f"{fields.get('姓名') or fields['name']} <{address}>"
        mail["To"] = MAIL_ADDRESS
        mail["Subject"] = "询价" if "姓名" in fields else "Enquiry"
        mail["Message-ID"] = f"<{seed}.{number}@{address.partition('@')[2]}>"
        mail["Date"] = "Mon, 23 Nov 2026 10:00:00 +0800"
        mail.set_content("\n".join(f"{name}: {value}" for name, value in fields.items()) + "\n")
        yield mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def new_folder(folder: Path, matching: Matching = "join") -> Path:
    """Make a data folder with the company in it, closed again."""
    files = open_files(folder)
    with files.store.write() as connection:
        put_company(connection, company().model_copy(update={"matching": matching}), 0)
    close(files)
    return folder


def fill(files: Files, some: Iterable[Capture]) -> None:
    """Put captures into `doors.db` as the doors' log does, 1,000 under one fsync."""
    waiting = iter(some)
    while group := list(islice(waiting, 1_000)):
        keys, events = [], []
        for capture in group:
            key_id = new_id()
            wrapped = files.keys.make(key_id)
            keys.append({"key_id": key_id, "capture_id": capture.capture_id, "wrapped": wrapped})
            events.append(capture_event(capture, key_id))
        with files.doors.write() as connection:
            insert_ignore(connection, tables.door_key, keys)
            files.door_log.append(connection, CAPTURES, events, time.time_ns() // 1_000)
        if files.doors.wal_is_full():
            files.doors.checkpoint()


def filled_folder(folder: Path, leads: int, matching: Matching = "join") -> Path:
    """Make a data folder whose doors hold `leads` captures that no stage has seen yet."""
    new_folder(folder, matching)
    files = open_files(folder)
    fill(files, islice(captures(), leads))
    close(files)
    return folder


def close(files: Files) -> None:
    """Close the files with nothing left in their WALs, so that they can be copied."""
    files.doors.checkpoint()
    files.store.checkpoint()
    files.close()
