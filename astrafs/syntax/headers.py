"""Where the clauses of a declaration's header stand, and whether each has a line of its own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from astrafs.syntax.token import Token
from astrafs.syntax.words import NAME_LIKE, OPERAND_END
from astrafs.syntax.wrap import WIDTH

_NAMES = frozenset(["KEY", "TIME", "KNOWN", "FROM", "SPINE", "LABEL", "DELETED"])
_CLAUSES: dict[str, frozenset[str]] = {
    "SOURCE": frozenset(
        ["FROM", "KEY", "TIME", "KNOWN", "DELAY", "RETENTION", "MAX_AGE", "STATIC", "REVISIONS"]
    ),
    "STREAM": frozenset(["FROM", "TIME", "WHERE"]),
    "DATASET": frozenset(["VIEW", "SPINE", "LABEL", "SPLIT"]),
}
_CLAUSES["TABLE"] = _CLAUSES["SOURCE"]
SHORT_WORD = 5
"""Longer clause words do not push the others apart."""


class Header(NamedTuple):
    """The offsets of the clauses that start a line, none where all stand on one, and the length of
    their longest short word.
    """

    own_lines: frozenset[int]
    longest_word: int


def headers(code: Sequence[Token], starts: Collection[int]) -> dict[int, Header]:
    """Return the headers that have clauses by the offsets of their declarations' keywords.

    ``starts`` are the offsets of all declarations; ``code`` ends with ``$END``.
    """
    found: dict[int, Header] = {}
    for at, token in enumerate(code):
        words = _CLAUSES.get(token.type)
        if words is not None and token.start_pos in starts:
            end = at + 2
            while code[end].type not in ("LBRACE", "$END") and code[end].start_pos not in starts:
                end += 1
            found[token.start_pos] = _header(code[at:end], words)
    return found


def _header(tokens: Sequence[Token], words: frozenset[str]) -> Header:
    clauses = _clauses(tokens, words)
    size = sum(len(token) + 1 for token in tokens)
    if all(clause.line == tokens[0].line for clause in clauses) and size < WIDTH:
        return Header(frozenset(), 0)
    if tokens[0].type == "STREAM":
        clauses = [clause for clause in clauses if clause.type != "FROM"]
    words_short = [len(clause) for clause in clauses if len(clause) <= SHORT_WORD]
    return Header(frozenset(clause.start_pos for clause in clauses), max(words_short, default=0))


def _clauses(tokens: Sequence[Token], words: frozenset[str]) -> list[Token]:
    """Return the keywords that start clauses, not the columns with such names."""
    found: list[Token] = []
    before = tokens[1]
    named = True
    for token in tokens[2:]:
        ends = named or before.type in OPERAND_END or before.type in ("AHEAD", "REVISIONS")
        if token.type in words and ends:
            found.append(token)
            named = False
        else:
            wants = not named and (before.type in _NAMES or before.type == "COMMA")
            named = token.type in NAME_LIKE and (wants or not ends)
        before = token
    return found
