"""How fast the rule book decides, beside the decision engine zen (ZenEngine) and a chain of ifs generated from it.

    python bench/rules.py [--leads N] [--rules N ...] [--rounds N] [--json]

All decide on the same random leads by the same random books (bench/data/rules.py), and the run fails unless all answers
are the same. Ours takes facts as text, as routing has them, and returns the winner with every condition that held and the
value it held for. Zen and the chain are given numbers as numbers and say which rule won and nothing of why; zen by its loader,
with the book parsed ahead. Times are medians over rounds in which the contenders take turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any

import orjson
import zen

from bench.data.rules import COLUMNS, random_book, random_facts
from bench.measure import in_process, keep_out_of_collection, report, rounded, spread
from router.book import MAIN, Book, Rule, read_book
from schemas.unary import Exactly, Item, Starts, UnaryTest, Within, scalar_text

Facts = dict[str, str]
Values = dict[str, str | float]
CHAIN_RULES = 1_000
"""Python takes minutes to compile a longer chain, and nobody would write one."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--leads", type=int, default=20_000)
    parser.add_argument("--rules", type=int, nargs="*", default=[1_000, 5_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result: dict[str, Any] = {"leads": args.leads}
    for rules in args.rules:
        result |= in_process(measured, rules, args.leads, args.rounds)
    report("a lead decided by the rule book", result, args.json)


def measured(rules: int, leads: int, rounds: int) -> dict[str, Any]:
    """Return the figures of a book of so many rules."""
    random = Random(rules)
    text = random_book(random, rules)
    start = time.process_time()
    book = read_book(text)
    compile_s = time.process_time() - start
    facts = [random_facts(random) for _ in range(leads)]
    values = [values_of(one) for one in facts]
    engine, key = zen_of(book)
    contenders: dict[str, Callable[[], list[str | None]]] = {
        "ours": lambda: [found[0].row.name if (found := book.decide(one)) else None for one in facts],
        "zen": lambda: [engine.evaluate(key, one)["result"].get("rule") for one in values],
    }
    if rules <= CHAIN_RULES:
        chain = chain_of(book)
        contenders["chain"] = lambda: [chain(one) for one in values]
    answers = {name: decide() for name, decide in contenders.items()}
    if any(one != answers["ours"] for one in answers.values()):
        raise SystemExit(f"{rules} rules: the answers differ")
    took: dict[str, list[float]] = {name: [] for name in contenders}
    keep_out_of_collection()
    for _ in range(rounds):
        for name, decide in contenders.items():
            start = time.perf_counter()
            decide()
            took[name].append(time.perf_counter() - start)
    ratios = [zen_s / ours_s for zen_s, ours_s in zip(took["zen"], took["ours"], strict=True)]
    figures = {
        f"us_{rules}": rounded(1e6 * statistics.median(took["ours"]) / leads),
        f"zen_us_{rules}": rounded(1e6 * statistics.median(took["zen"]) / leads),
        f"ratio_to_zen_{rules}": rounded(statistics.median(ratios)),
        f"ratio_to_zen_{rules}_spread": spread(ratios),
        f"compile_s_{rules}": rounded(compile_s),
        f"winners_{rules}": len(set(answers["ours"])),
    }
    if "chain" in took:
        ratio = statistics.median(took["chain"]) / statistics.median(took["ours"])
        figures["ratio_to_generated_if_chain"] = rounded(ratio)
    return figures


def values_of(facts: Facts) -> Values:
    """Return facts as zen and the chain take them: numbers as numbers."""
    return {column: float(value) if column in ("score", "junk") else value for column, value in facts.items()}


def zen_of(book: Book) -> tuple[zen.ZenEngine, str]:
    """Return zen with a book of one table loaded, and the key to ask it by."""
    content = zen.ZenDecisionContent(orjson.dumps(jdm(book.tables[MAIN].rules)).decode())
    return zen.ZenEngine({"loader": lambda _key: content}), "book"


def jdm(rules: Sequence[Rule]) -> dict[str, Any]:
    """Return rules as a JSON decision model: a table of hit policy FIRST."""
    rows = [
        {
            "_id": rule.row.name,
            **{column: _zen_cell(test) for column, _, test in rule.row.tests},
            "rule": orjson.dumps(rule.row.name).decode(),
        }
        for rule in rules
    ]
    table = {
        "hitPolicy": "first",
        "inputs": [{"id": one, "name": one, "field": one} for one in COLUMNS],
        "outputs": [{"id": "rule", "name": "rule", "field": "rule"}],
        "rules": [{**dict.fromkeys(COLUMNS, ""), **row} for row in rows],
    }
    nodes: list[dict[str, Any]] = [
        {"id": "in", "type": "inputNode", "name": "in"},
        {"id": "table", "type": "decisionTableNode", "name": "table", "content": table},
        {"id": "out", "type": "outputNode", "name": "out"},
    ]
    edges = [
        {"id": "1", "type": "edge", "sourceId": "in", "targetId": "table"},
        {"id": "2", "type": "edge", "sourceId": "table", "targetId": "out"},
    ]
    return {"nodes": [{**node, "position": {"x": 0, "y": 0}} for node in nodes], "edges": edges}


def _zen_cell(test: UnaryTest) -> str:
    """Return a test as zen writes it: in its own unary form where there is one, since that is fastest for it."""
    plain = not test.negated and not any(isinstance(item, Starts) for item in test.items)
    if plain:
        return ", ".join(map(_zen_item, test.items))
    return (" and " if test.negated else " or ").join(_zen_whole(item, test.negated) for item in test.items)


def _zen_item(item: Item) -> str:
    if isinstance(item, Within) and item.low is not None and item.high is not None:
        left, right = "[" if item.with_low else "(", "]" if item.with_high else ")"
        return f"{left}{scalar_text(item.low)}..{scalar_text(item.high)}{right}"
    if isinstance(item, Within):
        return UnaryTest((item,)).text
    return _literal(item)


def _zen_whole(item: Item, negated: bool) -> str:
    if isinstance(item, Starts):
        starts = f"startsWith($, {orjson.dumps(item.prefix).decode()})"
        return f"not {starts}" if negated else starts
    if isinstance(item, Within) and item.low is not None and item.high is not None:
        return f"$ {'not ' if negated else ''}in {_zen_item(item)}"
    if isinstance(item, Within):
        ((sign, bound),) = _bounds(item)
        turned = {">=": "<", ">": "<=", "<=": ">", "<": ">="}
        return f"$ {turned[sign] if negated else sign} {bound}"
    return f"$ {'!=' if negated else '=='} {_literal(item)}"


def _literal(item: Item) -> str:
    return orjson.dumps(item.value).decode() if isinstance(item, Exactly) else ""


def _bounds(item: Within) -> Iterable[tuple[str, str]]:
    if item.low is not None:
        yield (">=" if item.with_low else ">"), scalar_text(item.low)
    if item.high is not None:
        yield ("<=" if item.with_high else "<"), scalar_text(item.high)


def chain_of(book: Book) -> Callable[[Values], str | None]:
    """Return a function that asks one rule after the other, as a program would that somebody wrote by hand."""
    lines = ["def first(f):"]
    for rule in book.tables[MAIN].rules:
        asked = " and ".join(_python(f"f[{column!r}]", test) for column, _, test in rule.row.tests)
        lines += [f"    if {asked or 'True'}:", f"        return {rule.row.name!r}"]
    space: dict[str, Any] = {}
    exec("\n".join(lines), space)
    made: Callable[[Values], str | None] = space["first"]
    return made


def _python(fact: str, test: UnaryTest) -> str:
    exact = {item.value for item in test.items if isinstance(item, Exactly)}
    parts = (
        [f"{fact} in {exact!r}" if len(exact) > 1 else f"{fact} == {next(iter(exact))!r}"] if exact else []
    )
    starts = tuple(item.prefix for item in test.items if isinstance(item, Starts))
    if starts:
        parts.append(f"{fact}.startswith({starts!r})")
    parts += [
        " and ".join(f"{fact} {sign} {bound}" for sign, bound in _bounds(item))
        for item in test.items
        if isinstance(item, Within)
    ]
    whole = " or ".join(f"({part})" for part in parts)
    return f"not ({whole})" if test.negated else f"({whole})"


if __name__ == "__main__":
    main()
