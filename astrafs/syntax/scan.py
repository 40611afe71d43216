"""The scanner: the grammar's terminals as one regular expression. It makes what Lark's basic
lexer would, faster.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from astrafs.syntax.token import Token

_SPACE = r"[ \t\r\n]*"


class Scanner:
    """Cuts a text into tokens; white space is between them, everything else is in them."""

    def __init__(self, words: Mapping[str, str], terminals: Iterable[Sequence[str]]) -> None:
        """Take the keywords by spelling, and the other terminals as pairs of name and expression,
        in the order in which they are tried.
        """
        self.words = words
        parts = "|".join(f"(?P<{name}>{pattern})" for name, pattern in terminals)
        self._next = re.compile(f"{_SPACE}(?:{parts})").match

    def scan(self, text: str) -> Iterator[Token]:
        """Yield the tokens of ``text``, comments included."""
        line, line_start, at = 1, 0, 0
        next_, words = self._next, self.words
        while (match := next_(text, at)) is not None:
            kind = match.lastgroup or ""
            start, end = match.span(kind)
            if start > at:
                breaks = text.count("\n", at, start)
                if breaks:
                    line += breaks
                    line_start = text.rfind("\n", at, start) + 1
            piece = text[start:end]
            if kind == "NAME":
                kind = words.get(piece, "NAME")
            yield Token(kind, piece, start, end, line, start - line_start + 1)
            at = end
