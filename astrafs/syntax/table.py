"""The parse table: made from the grammar by Lark, shipped as JSON; running it takes no Lark.

``python -m astrafs.syntax.table`` writes it; ``--check`` fails when the written one is stale. Only
this module imports Lark, and only where there is no current table to load is it imported.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import lark
from lark.grammar import Rule
from lark.lexer import Token
from lark.parsers.lalr_analysis import Shift

from astrafs.syntax.resources import (
    TABLE_FILE,
    grammar_digest,
    grammar_directory,
    grammar_text,
    table_text,
)

KEPT = ("NUMERIC", "COMMENT", "FOREIGN", "OPEN_STRING", "QUOTED", "STRANGE")
"""Terminals that no rule names: the lexer must still make them, ``tokens`` deals with them."""


class _Keep:
    """A post-lexer that changes nothing; it makes Lark keep the terminals in ``KEPT``."""

    always_accept = KEPT

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        return stream


def build_parser(grammar: str, *, strict: bool = False) -> lark.Lark:
    """Build the parser from the grammar text; ``strict`` turns conflicts and collisions into
    errors.
    """
    return lark.Lark(
        grammar,
        parser="lalr",
        lexer="basic",
        start="module",
        keep_all_tokens=True,
        maybe_placeholders=True,
        propagate_positions=False,
        postlex=_Keep(),
        strict=strict,
    )


def render_table(grammar: str) -> str:
    """Return the JSON text of the table of ``grammar``: the same bytes on every run.

    ``words`` are the keywords by spelling, ``terminals`` the others with their expressions, in the
    order in which they are tried. ``rules`` are ``[length, name, method, lift, children, after]``:
    ``lift`` hands a single child on as it is; ``children`` are ``[nones before, opened]``, null for
    all as they are; an opened child is a list (that of a repetition) whose items stand in its
    place; ``after`` counts the nones behind. ``rows`` map symbols to the next state, or
    to -1 - (number of a rule to reduce); ``states`` name the row of each state; 0 is the first
    state, ``last`` the state after the whole.
    """
    parser = build_parser(grammar)
    frontend: Any = parser.parser
    table = frontend.parser._parse_table
    rules = sorted(parser.rules, key=lambda rule: json.dumps(_rule(rule)))
    numbers = {id(rule): number for number, rule in enumerate(rules)}
    states = _numbered_states(table)
    rows: dict[str, int] = {}
    row_of = []
    for state in states:
        row = {
            symbol: states[argument] if action is Shift else -1 - numbers[id(argument)]
            for symbol, (action, argument) in sorted(table.states[state].items())
        }
        row_of.append(rows.setdefault(json.dumps(row), len(rows)))
    words, terminals = _terminals(parser)
    document = {
        "note": "generated from astrafs.lark by python -m astrafs.syntax.table; do not edit",
        "grammar": grammar_digest(grammar),
        "words": words,
        "terminals": terminals,
        "rules": [_rule(rule) for rule in rules],
        "rows": [json.loads(row) for row in rows],
        "states": row_of,
        "last": states[table.end_states["module"]],
    }
    return json.dumps(document, separators=(",", ":"), sort_keys=True) + "\n"


def _numbered_states(table: Any) -> dict[int, int]:
    """Number the states in the order of a walk from the start that takes symbols by name."""
    first = table.start_states["module"]
    found = {first: 0}
    queue = [first]
    for state in queue:
        for _, (action, argument) in sorted(table.states[state].items()):
            if action is Shift and argument not in found:
                found[argument] = len(found)
                queue.append(argument)
    return found


def _terminals(parser: lark.Lark) -> tuple[dict[str, str], list[list[str]]]:
    """Return the keywords by spelling, and the other terminals with their expressions."""
    frontend: Any = parser.parser
    lexer = frontend.lexer.lexer  # behind the post-lexer
    words: dict[str, str] = {}
    others: list[list[str]] = []
    for terminal in lexer.terminals:
        pattern = terminal.pattern
        if pattern.type == "str" and pattern.value.isidentifier():
            words[pattern.value] = terminal.name
        elif terminal.name not in lexer.ignore_types:
            others.append([terminal.name, pattern.to_regexp()])
    return words, others


def _rule(rule: Rule) -> list[Any]:
    """Return a rule as ``render_table`` describes it; what no rule here has is refused."""
    options = rule.options
    if options.template_source or not options.keep_all_tokens:
        raise ValueError(f"the grammar uses a feature of Lark that is not carried over: {rule}")
    size = len(rule.expansion)
    method = rule.alias or rule.origin.name
    lift = bool(options.expand1 and not rule.alias)
    opened = [not one.is_term and one.name.startswith("_") for one in rule.expansion]
    empty_indices = options.empty_indices or ()
    if not any(empty_indices) and not any(opened):
        return [size, rule.origin.name, method, lift, None, 0]
    children: list[list[int]] = []
    nones = 0
    for empty in empty_indices or [False] * size:
        if empty:
            nones += 1
        else:
            children.append([nones, int(opened[len(children)])])
            nones = 0
    return [size, rule.origin.name, method, lift, children, nones]


def main(arguments: list[str]) -> int:
    """Write the table file, or with ``--check`` say whether it is current."""
    text = render_table(grammar_text())
    if "--check" in arguments:
        if table_text() != text:
            sys.stderr.write(f"{TABLE_FILE} is stale: run python -m astrafs.syntax.table\n")
            return 1
        return 0
    (grammar_directory() / TABLE_FILE).write_bytes(text.encode("utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
