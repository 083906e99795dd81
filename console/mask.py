"""Telephone numbers, masked in what is about to be sent: whatever page or answer it is, and also in free text.

Done on the finished text, so that a page which is added later, or a number in a place that nobody thought of (a note, a
subject, the raw bytes), is masked like any other.
"""

from __future__ import annotations

import re

from schemas.mask import masked

_TAG = re.compile(r"(<[^>]*>)")
_CALLS = re.compile(r'\shref="(?:tel|sms|mailto):[^"]*"')
_TITLE = re.compile(r'(\s(?:title|aria-label|placeholder|alt|data-[\w-]+)=")([^"]*)(")')
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def masked_html(html: str) -> str:
    """Return a page with its numbers masked, in what is shown and in what a tooltip holds, and no `tel:` or `mailto:` address.

    What stands in a form's fields is what its reader typed: masked, it would come back as dots.
    """
    parts = _TAG.split(html)
    for index, part in enumerate(parts):
        if index % 2:
            parts[index] = _TITLE.sub(_in_attribute, _CALLS.sub("", part))
        elif index == 0 or not parts[index - 1].startswith("<textarea"):
            parts[index] = masked(part)
    return "".join(parts)


def masked_json(text: str) -> str:
    """Return a JSON text with the numbers in its strings masked; its own numbers (moments, amounts) are left."""
    return _STRING.sub(lambda match: masked(match[0]), text)


def _in_attribute(match: re.Match[str]) -> str:
    return f"{match[1]}{masked(match[2])}{match[3]}"
