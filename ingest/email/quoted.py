"""Where the history of a conversation begins below the newest words of a mail."""

from __future__ import annotations

import re

from mailparser_reply.parser import EmailMessage  # type: ignore[import-untyped]

_LANGUAGES = ["zh", "de", "fr", "es", "it", "ja", "ko", "en"]
_LINE_CHARS = 200
"""What the patterns see of a line: an attribution is shorter, and some of them are cubic in its length."""

_LINES = 2_000

_RULE_ABOVE = re.compile(r"\s*\n[-_=]{10,100}\s*$")
"""The rule that Outlook and DingTalk draw above the history."""

_ZH = {
    # Apple Mail, Gmail, NetEase, Foxmail: a date or an address, then 写道：, broken over at most two lines
    "wrote_header": (
        r"^(?:> ?)*(?=[^\n]{0,200}(?:\d{4}|@))[^\n]{0,200}(?:\n[^\n]{0,120})?(?:写道|寫道)[ \t]*[:：][ \t]*$"
    ),
    # Outlook, QQ, DingTalk: a rule with a title, or the sender's line with another header line below it
    "from_header": (
        r"(^(?:> ?)*-{2,} ?(?:原始邮件|原始郵件|邮件原件|回复的原邮件|转发的邮件|转发邮件信息|Original) ?-{2,}[ \t]*$"
        r"|^(?:> ?)*[|*_ \t]*(?:发件人|寄件人|寄件者|發件人)[*_ \t]*[:：|][^\n]*\n+(?:> ?)*[|*_ \t]*"
        r"(?:发送时间|发送日期|發送時間|寄件日期|传送时间|日\s?期|时\s?间|收件人|收件者|抄\s?送|副本|主\s?题|主題|主旨)"
        r"[*_ \t]*[:：|])"
    ),
    "disclaimers": "",
    "signatures": "",
    "sent_from": "",
}


def split_history(text: str) -> tuple[str, str]:
    """Split a mail's text into its newest words and the quoted history below them.

    Words written under a quotation are kept: of a mail that begins with its quotation, the lines marked
    `>` and the attribution are the history.
    """
    lines = text.split("\n")
    start = _history_line(lines)
    newest, history = lines[:start], lines[start:]
    if any(line.strip() for line in newest):
        answer = "\n".join(line for line in newest if not line.lstrip().startswith(">"))
        return _RULE_ABOVE.sub("", answer).strip() if history else answer.strip(), "\n".join(history).strip()
    marked = [line for line in history if line.lstrip().startswith(">")]
    if not marked:
        return "", text.strip()
    last_mark = max(index for index, line in enumerate(history) if line.lstrip().startswith(">"))
    return "\n".join(history[last_mark + 1 :]).strip(), "\n".join(history[: last_mark + 1]).strip()


def _history_line(lines: list[str]) -> int:
    """Return the index of the line at which the history begins, or the number of lines."""
    shown = "\n".join(line.strip()[:_LINE_CHARS] for line in lines[:_LINES])
    found = _PATTERN.search(shown)
    if found is None:
        return len(lines)
    return shown.count("\n", 0, found.start() + len(found[0]) - len(found[0].lstrip("\n")))


class _Patterns(EmailMessage):  # type: ignore[misc]
    """The library's patterns for mail clients, with our own for Chinese ones, which it mostly misses."""

    def _get_language_regex(self, language: str, regex_key: str) -> str:
        if language == "zh":
            return _ZH[regex_key]
        return str(super()._get_language_regex(language, regex_key))


_PATTERN: re.Pattern[str] = _Patterns(text="", languages=_LANGUAGES).HEADER_REGEX
