"""What a customer is found by at the front desk: the end of a telephone number, the name, its pinyin and initials, the
short name of the company. Pure: keys of a lead, and what somebody typed as ranges of such keys.

Keys begin with a sign that says what they are of: `t` telephone, backwards, so that its end is a beginning; `n` name; `y`
its pinyin or Latin letters; `i` initials; `c` company without region and legal form.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from enrich.identifiers import is_placeholder_phone
from enrich.match.companies import Company, company_of
from enrich.match.names import Name, name_of
from enrich.match.record import Record
from enrich.match.text import fold, has_chinese, plain_letters, syllable
from enrich.phone import parse_phone
from schemas.lead import FieldValue

LEAST_DIGITS = 4
"""Of a number: with fewer, everybody is found."""
LEAST_SIGNS = 2
"""Of a name or company: one sign is a surname."""
LONGEST = 60
"""Signs kept of a key: nobody types more of a name."""
MOST_WORDS = 4
"""Words that are looked for at once; a fifth narrows nothing any more."""

_END = "\U0010ffff"
_AREA_CODE_AND_NUMBER = 8
"""Digits: with more, a 0 in front belongs to the area code, which E.164 does not have."""


class Range(NamedTuple):
    """Keys from one (included) to another (left out)."""

    start: str
    end: str


Word = tuple[Range, ...]
"""One word that was typed: any of these ranges fits it."""


def keys_to_find(fields: Iterable[FieldValue], record: Record | None) -> tuple[str, ...]:
    """Return the keys of a lead: from its normalised telephone numbers, and the names and companies of its record."""
    found = dict.fromkeys(_of_phones(fields))
    for name in record.names if record else ():
        found |= dict.fromkeys(_of_name(name))
    for company in record.companies if record else ():
        found |= dict.fromkeys(_of_company(company))
    return tuple(key[:LONGEST] for key in found)


def words_of(asked: str) -> tuple[Word, ...]:
    """Return what somebody typed as words, all of which are to fit; none if it says too little.

    Digits are the end of a telephone number; they belong together, as Latin words do (`wang fang`). Chinese ones are each a word.
    """
    typed = unicodedata.normalize("NFKC", asked).strip()
    if not any(map(str.isalpha, typed)):
        return _digits(re.sub(r"\D", "", typed), typed)
    # A name of one sign again and again (0000) says nothing, and folds to nothing; the end of a number may be that.
    tokens = [one for word in typed.split() for one in ([word] if word.isdigit() else fold(word).split())]
    latin = "".join(one for one in tokens if not has_chinese(one) and not one.isdigit())
    words = [_letters(re.sub(r"[^\w]", "", plain_letters(latin)))] if latin else []
    digits = "".join(one for one in tokens if one.isdigit())
    chinese = [one for one in tokens if has_chinese(one)]
    if any(len(one) < LEAST_SIGNS for one in chinese):  # 刘 志成
        chinese = ["".join(chinese)]
    words += [*_digits(digits, digits), *map(_chinese, chinese)]
    return tuple(one for one in words if one)[:MOST_WORDS]


def is_number(word: Word) -> bool:
    """Tell whether a word is (the end of) a telephone number."""
    return any(one.start.startswith("t") for one in word)


def _digits(digits: str, typed: str) -> tuple[Word, ...]:
    whole = parse_phone(typed)
    if whole is not None and whole.line != "unknown":
        digits = whole.e164
    elif len(digits) > _AREA_CODE_AND_NUMBER:
        digits = digits.lstrip("0")
    digits = digits.lstrip("+")
    return ((_beginning(f"t{digits[::-1]}"),),) if len(digits) >= LEAST_DIGITS else ()


def _letters(text: str) -> Word:
    if len(text) < LEAST_SIGNS:
        return ()
    sound = text.replace("lv", "lu").replace("nv", "nu")  # ü, as `enrich.match.names` writes it
    return (_beginning(f"y{sound}"), _just(f"i{text}"), _beginning(f"c{text}"))


def _chinese(text: str) -> Word:
    bare = re.sub(r"[^\w]", "", text)
    name, company = name_of(bare), company_of(bare)
    if name is None or len(name.text) < LEAST_SIGNS:  # a surname with a title
        return ()
    ranges = [_beginning(f"n{name.text}")]
    if company is not None and len(company.core) >= LEAST_SIGNS:
        ranges.append(_beginning(f"c{company.core}"))
    return tuple(ranges)


def _beginning(key: str) -> Range:
    return Range(key[:LONGEST], key[:LONGEST] + _END)


def _just(key: str) -> Range:
    return Range(key[:LONGEST], key[:LONGEST] + "\x01")


def _of_phones(fields: Iterable[FieldValue]) -> Iterator[str]:
    for field in fields:
        if field.name == "phone" and field.value:
            number = field.value.partition(";")[0]
            if not is_placeholder_phone(number):
                yield "t" + number.lstrip("+")[::-1]


def _of_name(name: Name) -> Iterator[str]:
    if name.chinese:
        yield f"n{name.text}"
        if name.sound:
            yield f"y{name.sound}"
            yield f"i{_initials(name)}"
        return
    words = name.text.split()
    for ordered in (words, [*words[-1:], *words[:-1]]):  # Na Li is found as lina, too
        yield "y" + "".join(map(plain_letters, ordered))
        yield "i" + "".join(word[0] for word in ordered)


def _initials(name: Name) -> str:
    family = name.forms[0][0] if name.forms and len(name.family) == 1 else "".join(map(_first, name.family))
    return family + "".join(map(_first, name.given))


def _first(sign: str) -> str:
    return syllable(sign)[:1]


def _of_company(company: Company) -> Iterator[str]:
    yield "c" + company.core.replace(" ", "")
    if company.sound and company.chinese:
        yield f"c{company.sound}"
