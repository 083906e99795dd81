"""A person's name, read into what its comparison needs."""

from __future__ import annotations

import re
from typing import NamedTuple

from enrich.match.text import fold, has_chinese, plain_letters, spell
from enrich.match.words import (
    COMPOUND_SURNAMES,
    GENERATIONS,
    SURNAME_READINGS,
    SURNAME_VARIANTS,
    TITLES,
    full_forms,
    is_given_name,
)

_HONORIFIC = re.compile(r"(?:先生|女士|小姐|太太|老师|经理|总经理|主任|总)$")
_NOT_NAME = re.compile(r"[^\w\s,'’\-]|[\d_]")
_LONGEST_CHINESE = 6
_MOST_WORDS = 8


class Name(NamedTuple):
    """One name. All parts are folded: simplified characters, small letters, no accents, no title."""

    text: str
    """As written: 张伟, robert smith."""
    key: str
    """The same for every order of the words and every writing of the surname."""
    family: str
    """"" where only a given name is known."""
    given: str
    """"" where only the surname is known."""
    forms: tuple[str, ...]
    """The first given name and what it may be short for; of a Chinese name the reading of the surname."""
    sound: str
    """The pinyin without spaces; of a Chinese name only."""
    spellings: tuple[str, ...]
    """How it is spelt in Latin letters, words in alphabetical order: jianguo wang."""
    chinese: bool
    known: bool
    """The first given name is a name by itself, and no slip of another."""
    generation: str
    """jr, sr, iii; "" if none."""


def name_of(full: str = "", family: str = "", given: str = "") -> Name | None:
    """Read a name that stands whole or in parts; None if nothing in it names a person."""
    if family or given:
        first, last = _clean(given), _clean(family)
        if has_chinese(first + last):
            return _chinese(last + first, last, first) if first or last else None
        return _latin(_tokens(first), _tokens(last)) if first or last else None
    text = _clean(full)
    if not text:
        return None
    if has_chinese(text):
        text = re.sub(r"[^\w]", "", text)
        text = _HONORIFIC.sub("", text) or text
        family = text[:2] if len(text) > 2 and text[:2] in COMPOUND_SURNAMES else text[:1]
        return _chinese(text, family, text[len(family) :])
    before, comma, after = text.partition(",")
    if comma and after.strip():
        return _latin(_tokens(after), _tokens(before))
    tokens = _tokens(text)
    return _latin(tokens[:-1], tokens[-1:]) if len(tokens) > 1 else _latin(tokens, [])


def _clean(received: str) -> str:
    text = fold(received)
    return _NOT_NAME.sub(" ", text).strip() if text else ""


def _tokens(text: str) -> list[str]:
    words = re.sub(r"['’]", "", plain_letters(text)).replace(",", " ").split()
    kept = (word.strip("-") for word in words[:_MOST_WORDS])
    return [word for word in kept if word and word not in TITLES]


def _chinese(text: str, family: str, given: str) -> Name | None:
    if not text:
        return None
    if len(text) > _LONGEST_CHINESE or not all(map(has_chinese, text)):
        return Name(text, text, "", text, (), spell(text), (), True, False, "")
    common = SURNAME_VARIANTS.get(family, family)
    reading = SURNAME_READINGS.get(family) or spell(family)
    rest = spell(given)
    spelling = " ".join(sorted(part for part in (reading, rest) if part))
    forms = (reading,) if reading else ()
    return Name(text, common + given, common, given, forms, reading + rest, (spelling,), True, False, "")


def _latin(given: list[str], family: list[str]) -> Name | None:
    """A hyphen parts two given names (Jian-Guo), and joins a double surname (Muñoz-Pérez)."""
    generation = next((word for word in (*given, *family) if word in GENERATIONS), "")
    if generation:
        given, family = ([word for word in words if word not in GENERATIONS] for words in (given, family))
        if given and not family:  # John Smith Jr.
            given, family = given[:-1], given[-1:]
    first = "-".join(given).split("-") if given else []
    words = [*first, *"-".join(family).split("-")] if family else first
    if not words:
        return None
    last = "".join(family).replace("-", "")
    key = " ".join(sorted(words))
    spellings = {key, " ".join(sorted(part for part in ("".join(first), last) if part))}
    if len(words) > 2:  # Wang Jian Guo
        spellings.add(" ".join(sorted((words[0], "".join(words[1:])))))
    return Name(
        " ".join(words),
        key,
        last,
        " ".join(first),
        full_forms(first[0]) if first else (),
        "",
        tuple(sorted(map(_as_pinyin, spellings))),
        False,
        bool(first) and is_given_name(first[0]),
        generation,
    )


def _as_pinyin(spelling: str) -> str:
    """Write ü as u, whichever of lü, lv and lyu was typed."""
    return spelling.replace("lyu", "lu").replace("lv", "lu").replace("nyu", "nu").replace("nv", "nu")
