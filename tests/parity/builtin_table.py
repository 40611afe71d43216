"""The scalar builtins as the generator sees them.

How each is written and how many operands it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from astrafs.builtins import registry
from astrafs.builtins.spec import Function, Mismatch
from astrafs.typesys import INT, Type

MOST = 4
BINARY = frozenset(["+", "-", "*", "/", "//", "%", "==", "!=", "<", "<=", ">", ">=", "and", "or"])
"""Operators between two operands.

``??``, ``if``, ``in`` and ``is null`` have forms of their own.
"""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One builtin as source text."""

    name: str
    row: Function
    symbol: str
    arities: tuple[int, ...]

    @property
    def is_call(self) -> bool:
        """Whether it is written ``name(...)``."""
        return not self.symbol

    def result(self, kinds: tuple[Type, ...], constants: tuple[Any, ...]) -> Type | None:
        """Return the type of the call, None where the arguments do not fit."""
        return _result(self.row, kinds, constants)

    def render(self, operands: Sequence[str], texts: Sequence[str]) -> str:
        """Return the source text of the call; ``operands`` are ``texts`` with parentheses."""
        if not self.symbol:
            return f"{self.name}({', '.join(texts)})"
        if len(operands) == 1:
            gap = " " if self.symbol.isalpha() else ""
            return f"{self.symbol}{gap}{operands[0]}"
        return f"{operands[0]} {self.symbol} {operands[1]}"


@lru_cache(maxsize=200_000)
def _result(row: Function, kinds: tuple[Type, ...], constants: tuple[Any, ...]) -> Type | None:
    try:
        return row.rule(kinds, constants).result
    except Mismatch:
        return None


@cache
def scalars() -> tuple[Scalar, ...]:
    """Return every builtin that a program can write, by name."""
    found = [
        Scalar(row.name, row, symbol, (2,))
        for symbol, row in registry.OPERATORS.items()
        if symbol in BINARY
    ]
    found += [Scalar(row.name, row, symbol, (1,)) for symbol, row in registry.UNARY.items()]
    found += [Scalar(name, row, "", _arities(row)) for name, row in registry.CALLABLE.items()]
    return tuple(sorted(found, key=lambda one: one.name))


def _arities(row: Function) -> tuple[int, ...]:
    found = []
    for count in range(MOST + 1):
        try:
            row.rule((INT,) * count, (None,) * count)
        except Mismatch as wrong:
            if wrong.index is None:
                continue
        found.append(count)
    return tuple(found) or (1,)
