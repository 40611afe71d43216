"""The LALR machine: the table, driven so that a keyword nobody wants is a name, and so that it
can be asked what fits.

One machine belongs to one thread: its reductions call the builder that it was made with.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any

from astrafs.syntax.build import Builder
from astrafs.syntax.resources import load_table
from astrafs.syntax.scan import Scanner
from astrafs.syntax.token import Token
from astrafs.syntax.words import SOFT_TYPES

Row = dict[str, Any]
Reduce = Callable[[list[Any]], Any]


class Machine:
    """States, and for each symbol what it does: an int shifts to that state, a tuple reduces."""

    def __init__(self) -> None:
        self.builder = Builder()
        table = load_table()
        self.scanner = Scanner(table["words"], table["terminals"])
        reductions = [(size, self._reduce(size, *how), name) for size, name, *how in table["rules"]]
        rows: list[Row] = [
            {
                symbol: action if action >= 0 else reductions[-1 - action]
                for symbol, action in row.items()
            }
            for row in table["rows"]
        ]
        self.rows: list[Row] = [rows[number] for number in table["states"]]
        self.first = 0
        self.last: int = table["last"]
        self.terminals: tuple[str, ...] = tuple(
            sorted({symbol for row in rows for symbol in row if symbol.isupper()} | {"$END"})
        )

    def _reduce(
        self,
        size: int,
        method: str,
        lift: bool,
        children: Sequence[tuple[int, int]] | None,
        after: int,
    ) -> Reduce:
        """Return what makes the value of a rule of its symbols; the table says what these mean."""
        if lift and size == 1 and children is None:
            return itemgetter(0)
        # The rule of a repetition has a name that begins with ``_``; its value is the list.
        build: Reduce = _same if method.startswith("_") else getattr(self.builder, method)
        if children is not None:
            build = _arranging(build, children, after)
        return _lifting(build) if lift else build

    def shifts(self, state: int, terminal: str) -> bool:
        """Whether ``state`` takes ``terminal`` at once, without finishing anything first."""
        return self.rows[state].get(terminal).__class__ is int

    def fits(self, stack: Sequence[int], terminals: Iterable[str], *, exact: bool = False) -> bool:
        """Whether the machine with ``stack`` could read ``terminals`` one after the other.

        With ``exact``, a soft keyword does not count as a name.
        """
        rows = self.rows
        states = list(stack)
        for terminal in terminals:
            kind = terminal
            while True:
                row = rows[states[-1]]
                action = row.get(kind)
                if action is None and kind in SOFT_TYPES and not exact:
                    kind = "NAME"
                    action = row.get(kind)
                if action is None:
                    return False
                if action.__class__ is int:
                    states.append(action)
                    break
                size, _, symbol = action
                if size:
                    del states[-size:]
                states.append(rows[states[-1]][symbol])
                if terminal == "$END" and states[-1] == self.last:
                    return True
        return True

    def expected(self, stack: Sequence[int]) -> frozenset[str]:
        """Return every terminal that could come next."""
        return frozenset(kind for kind in self.terminals if self.fits(stack, (kind,), exact=True))


def _same(symbols: list[Any]) -> list[Any]:
    return symbols


def _arranging(build: Reduce, children: Sequence[tuple[int, int]], after: int) -> Reduce:
    """Open repetitions and put a None in place of each optional symbol that is absent."""

    def arranged(symbols: list[Any]) -> Any:
        found: list[Any] = []
        for symbol, (nones, opened) in zip(symbols, children, strict=True):
            if nones:
                found.extend([None] * nones)
            if not opened:
                found.append(symbol)
            elif found:
                found.extend(symbol)
            else:
                found = symbol  # a copy for each item would make long lists quadratic
        if after:
            found.extend([None] * after)
        return build(found)

    return arranged


def _lifting(build: Reduce) -> Reduce:
    """Give a symbol that stands alone as it is."""

    def lifted(symbols: list[Any]) -> Any:
        return symbols[0] if len(symbols) == 1 else build(symbols)

    return lifted


class Run:
    """One parse: the stacks, and ``feed``."""

    __slots__ = ("machine", "result", "stack", "values")

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.stack: list[int] = [machine.first]
        self.values: list[Any] = []
        self.result: Any = None

    def feed(self, token: Token) -> bool:
        """Read one token; False, with nothing changed, if it does not fit."""
        rows, stack, values = self.machine.rows, self.stack, self.values
        kind = token.type
        action = rows[stack[-1]].get(kind)
        if action.__class__ is not int and not self._leads_to_shift(kind):
            return False
        while True:
            row = rows[stack[-1]]
            action = row.get(kind)
            if action is None:
                kind = "NAME"
                action = row[kind]
            if action.__class__ is int:
                if kind != token.type:
                    token = token.retyped(kind)
                stack.append(action)
                values.append(token)
                return True
            size, callback, symbol = action
            if size:
                children = values[-size:]
                del stack[-size:]
                del values[-size:]
            else:
                children = []
            values.append(callback(children))
            stack.append(rows[stack[-1]][symbol])
            if kind == "$END" and stack[-1] == self.machine.last:
                self.result = values[-1]
                return True

    def _leads_to_shift(self, kind: str) -> bool:
        """Whether the reductions that ``kind`` sets off end in taking it; the stack stays as it
        is.
        """
        rows, stack = self.machine.rows, self.stack
        depth = len(stack)
        above: list[int] = []
        top = stack[-1]
        while True:
            row = rows[top]
            action = row.get(kind)
            if action is None:
                if kind not in SOFT_TYPES or "NAME" not in row:
                    return False
                kind = "NAME"
                action = row[kind]
            if action.__class__ is int:
                return True
            size, _, symbol = action
            if size < len(above):
                if size:
                    del above[-size:]
                under = above[-1]
            else:
                depth -= size - len(above)
                above.clear()
                under = stack[depth - 1]
            top = rows[under][symbol]
            above.append(top)
            if kind == "$END" and top == self.machine.last:
                return True

    def cut(self, length: int) -> None:
        """Forget everything above the first ``length`` states."""
        del self.stack[length:]
        del self.values[length - 1 :]


_local = threading.local()


def machine() -> Machine:
    """Return this thread's machine, made on first use."""
    found: Machine | None = getattr(_local, "machine", None)
    if found is None:
        found = _local.machine = Machine()
    return found
