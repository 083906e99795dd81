"""HTML to plain text: what a reader sees, line by line; scripts, styles and hidden elements are left out."""

from __future__ import annotations

import re
from html import unescape

from selectolax.lexbor import LexborHTMLParser, LexborNode

_DEEPEST = 1_000
"""Nesting up to which the tree is built. The HTML algorithm is quadratic in it: 100,000 levels take 20 s."""

_UNSEEN = {"script", "style", "head", "title", "template", "noscript", "object", "svg", "select"}
_BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd", "div", "dl", "dt",
    "fieldset", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav",
    "ol", "p", "pre", "section", "table", "tbody", "tfoot", "thead", "tr", "ul",
}  # fmt: skip
_CELLS = {"td", "th"}
_HIDDEN = re.compile(
    r"display:none|visibility:hidden|mso-hide:all|font-size:0(?![.\d])|max-height:0(?![.\d])|opacity:0(?![.\d])"
)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]{0,30})(?=[\s/>])[^<>]*(/?)>")
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "wbr"}
_FORMATTING = re.compile(
    r"(</?)(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s/>])", re.IGNORECASE
)
_ANY_TAG = re.compile(r"(<[^<>]*>)")
_UNSEEN_TAG = re.compile(r"<(script|style|head|title)\b", re.IGNORECASE)


def html_to_text(html: str) -> tuple[str, bool]:
    """Return the visible text and whether the markup was too deep to be read as a tree.

    Blocks become lines, the cells of a table row are separated by a tab. Text nested beyond 1,000 levels is
    not lost: the tags are then only stripped, and hidden elements may show.
    """
    if _depth(html) > _DEEPEST:
        return _tidy(_strip(html)), True
    # Unclosed formatting elements are reopened in every later block; as spans they cannot multiply.
    root = LexborHTMLParser(_FORMATTING.sub(r"\1span", html)).root
    return ("" if root is None else _tidy(_visible(root))), False


def _depth(html: str) -> int:
    depth = deepest = 0
    for tag in _TAG.finditer(html):
        if tag[1]:
            depth = max(depth - 1, 0)
        elif tag[2].lower() not in _VOID:
            depth += 1
            deepest = max(deepest, depth)
    return deepest


def _visible(root: LexborNode) -> str:
    out: list[str] = []
    node: LexborNode | None = root
    depth = 0  # counted, since comparing nodes compares their whole markup
    while node is not None:
        tag = node.tag or ""
        hidden = tag in _UNSEEN or (tag[:1] not in "-_!" and _is_hidden(node))
        if tag == "-text":
            text = node.text_content or ""
            preformatted = node.parent is not None and node.parent.tag == "pre"
            out.append(text if preformatted else re.sub(r"\s+", " ", text))
        elif tag in _BLOCKS:
            out.append("\n")
        if not hidden and node.child is not None:
            node = node.child
            depth += 1
            continue
        _close(node, out)
        while node is not None and node.next is None and depth > 0:
            node = node.parent
            depth -= 1
            if node is not None:
                _close(node, out)
        node = node.next if node is not None and depth > 0 else None
    return "".join(out)


def _close(node: LexborNode, out: list[str]) -> None:
    if node.tag in _CELLS:
        out.append("\t")
    elif node.tag in _BLOCKS and node.tag != "br":
        out.append("\n")
        if node.tag == "p":
            out.append("\n")


def _is_hidden(node: LexborNode) -> bool:
    attributes = node.attributes
    if not attributes:
        return False
    style = re.sub(r"\s+", "", attributes.get("style") or "").lower()
    return "hidden" in attributes or _HIDDEN.search(style) is not None


def _strip(html: str) -> str:
    """Take the tags out one by one, in a single pass: a pattern over whole elements would be quadratic."""
    out: list[str] = []
    inside = ""
    for piece in _ANY_TAG.split(html):
        if inside:
            inside = "" if piece.lower().startswith(f"</{inside}") else inside
        elif not piece.startswith("<"):
            out.append(piece)
        elif unseen := _UNSEEN_TAG.match(piece):
            inside = unseen[1].lower()
        else:
            out.append("\n")
    return unescape("".join(out))


def _tidy(text: str) -> str:
    lines = (re.sub(r"[ \xa0]+", " ", line).strip(" ") for line in text.replace("\u200b", "").split("\n"))
    lines = (re.sub(r" ?\t[\t ]*", "\t", line).strip("\t") for line in lines)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
