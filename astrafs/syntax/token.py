"""A token: its text, with its kind, value and place."""

from __future__ import annotations

from typing import Any


class Token(str):
    """The text as written; ``value`` is what a literal means. No token spans lines."""

    __slots__ = ("column", "end_pos", "line", "start_pos", "type", "value")

    type: str
    value: Any
    start_pos: int
    end_pos: int
    line: int
    column: int

    def __new__(cls, kind: str, text: str, start: int, end: int, line: int, column: int) -> Token:
        """Return a token of ``kind`` at offsets ``start`` to ``end``; line and column count
        from 1.
        """
        token = str.__new__(cls, text)
        token.type = kind
        token.value = text
        token.start_pos = start
        token.end_pos = end
        token.line = line
        token.column = column
        return token

    def retyped(self, kind: str, value: Any = None) -> Token:
        """Return the same text at the same place as a token of another kind and value."""
        token = Token(kind, str(self), self.start_pos, self.end_pos, self.line, self.column)
        if value is not None:
            token.value = value
        return token

    def moved(self, kind: str, text: str, start: int, end: int) -> Token:
        """Return a token that the author did not write as such, on the line of this one."""
        return Token(kind, text, start, end, self.line, self.column)
