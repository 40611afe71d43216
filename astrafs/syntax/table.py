"""The parse table: generated from the grammar by Lark, shipped as JSON, loaded without pickle.

``python -m astrafs.syntax.table`` writes it; ``--check`` fails when the written one is stale.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import lark
from lark.grammar import Rule
from lark.lexer import TerminalDef, Token

from astrafs.syntax.resources import TABLE_FILE, grammar_directory, grammar_text, table_text

KEPT = ("NUMERIC", "COMMENT", "FOREIGN", "OPEN_STRING", "QUOTED", "STRANGE")
"""Terminals that no rule names: the lexer must still make them, ``tokens`` deals with them."""


class _Keep:
    """A post-lexer that changes nothing; it makes Lark keep the terminals in ``KEPT``."""

    always_accept = KEPT

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        return stream


def build_parser(grammar: str, transformer: Any = None, *, strict: bool = False) -> lark.Lark:
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
        transformer=transformer,
        strict=strict,
    )


def _digest(grammar: str) -> str:
    return hashlib.sha256(grammar.encode("utf-8")).hexdigest()


def _line_of_versions() -> str:
    return ".".join(lark.__version__.split(".")[:2])


def _renumber_memo(data: Any, memo: dict[int, Any]) -> tuple[Any, dict[int, Any]]:
    """Give shared objects numbers that depend on what they are, not on hash order."""
    order = sorted(memo, key=lambda number: json.dumps(memo[number], sort_keys=True))
    fresh = {old: new for new, old in enumerate(order)}

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            if "@" in value:
                return {"@": fresh[value["@"]]}
            return {key: walk(item) for key, item in value.items()}
        return [walk(item) for item in value] if isinstance(value, list | tuple) else value

    return walk(data), {fresh[old]: walk(memo[old]) for old in order}


def _renumber_states(table: dict[str, Any]) -> dict[str, Any]:
    """Number the states in the order of a walk from the start, and the symbols by name."""
    names = sorted(table["tokens"].values())
    numbers = {name: number for number, name in enumerate(names)}
    old_numbers = {number: numbers[name] for number, name in table["tokens"].items()}
    (start_rule, first), *_ = table["start_states"].items()
    fresh = {first: 0}
    states: dict[int, dict[int, list[Any]]] = {}
    queue = [first]
    for old in queue:
        actions = {old_numbers[token]: action for token, action in table["states"][old].items()}
        state = states.setdefault(fresh[old], {})
        for token in sorted(actions):
            kind, argument = actions[token]
            if kind == 0:
                if argument not in fresh:
                    fresh[argument] = len(fresh)
                    queue.append(argument)
                argument = fresh[argument]
            state[token] = [kind, argument]
    return {
        "tokens": dict(enumerate(names)),
        "states": states,
        "start_states": {start_rule: 0},
        "end_states": {start_rule: fresh[table["end_states"][start_rule]]},
    }


def render_table(grammar: str) -> str:
    """Return the JSON text of the table of ``grammar``: the same bytes on every run."""
    data, memo = build_parser(grammar).memo_serialize([TerminalDef, Rule])
    leave_out = ("transformer", "postlex", "source_path", "import_paths", "lexer_callbacks")
    data["options"] = {
        name: value for name, value in data["options"].items() if name not in leave_out
    }
    data["parser"]["parser"] = _renumber_states(data["parser"]["parser"])
    data, memo = _renumber_memo(data, memo)
    data["rules"].sort(key=lambda rule: rule["@"])
    data["parser"]["lexer_conf"]["terminals"].sort(key=lambda terminal: terminal["@"])
    document = {
        "note": "generated from astrafs.lark by python -m astrafs.syntax.table; do not edit",
        "grammar": _digest(grammar),
        "lark": _line_of_versions(),
        "data": data,
        "memo": memo,
    }
    return json.dumps(document, separators=(",", ":"), sort_keys=True) + "\n"


def _numbered(mapping: dict[str, Any]) -> dict[int, Any]:
    return {int(key): value for key, value in mapping.items()}


@lru_cache(maxsize=1)
def _shipped() -> tuple[dict[str, Any], dict[int, Any]] | None:
    """Return the shipped table's data and memo, or None when it does not fit grammar and Lark."""
    text = table_text()
    if not text:
        return None
    document = json.loads(text)
    if document["grammar"] != _digest(grammar_text()) or document["lark"] != _line_of_versions():
        return None
    data: dict[str, Any] = document["data"]
    table = data["parser"]["parser"]
    table["tokens"] = _numbered(table["tokens"])
    table["states"] = {int(state): _numbered(actions) for state, actions in table["states"].items()}
    return data, _numbered(document["memo"])


def load_parser(transformer: Any = None) -> lark.Lark:
    """Return a parser whose reductions call the methods of ``transformer``."""
    shipped = _shipped()
    if shipped is None:
        return build_parser(grammar_text(), transformer)
    data, memo = shipped
    load: Any = lark.Lark._load_from_dict
    parser: lark.Lark = load(data, memo, transformer=transformer, postlex=_Keep())
    return parser


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
