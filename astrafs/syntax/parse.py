"""Text to surface tree. One run reports every independent syntax error of the file."""

from __future__ import annotations

from bisect import bisect_left

from astrafs.diagnostics.codes import syntax as codes
from astrafs.diagnostics.model import Sink
from astrafs.source import SourceFile, Span
from astrafs.syntax import ast
from astrafs.syntax.balance import Layout, balance, starts_declaration, starts_line
from astrafs.syntax.characters import readable_text
from astrafs.syntax.errors import Situation, explain
from astrafs.syntax.machine import Run, machine
from astrafs.syntax.report import Reporter
from astrafs.syntax.token import Token
from astrafs.syntax.tokens import stray_docs, tokenize
from astrafs.syntax.words import NAME_LIKE


def parse_module(file: SourceFile, name: str, sink: Sink) -> ast.Module:
    """Return the tree of ``file``, the module called ``name``; every problem goes to ``sink``.

    What could not be read is left out, or stands in the tree as ``BadExpr`` or a type called
    ``ast.BAD_TYPE``.
    """
    report = Reporter(file, sink)
    text = readable_text(report)
    empty = ast.Module(name, file.path, (), Span(file.path, 0, len(file.text)))
    if text is None:
        return empty
    engine = machine()
    tokens = tokenize(engine.scanner, text, report)
    layout = balance(tokens.items, report)
    if report.full:
        return empty
    engine.builder.start(report, name, tokens.docs)
    run = _Parse(Run(engine), layout, report)
    run.all_tokens()
    _unmatched_brackets(layout, report)
    for span in engine.builder.too_large.values():
        report.emit(
            codes.INT_TOO_LARGE.at(span, "an int is at most 9223372036854775807").help(
                "only -9223372036854775808 reaches one further"
            )
        )
    if report.count == 0:
        stray_docs(tokens, report)
    module = run.run.result
    return module if isinstance(module, ast.Module) else empty


def _unmatched_brackets(layout: Layout, report: Reporter) -> None:
    """Report closing brackets that close nothing, but those of a declaration with another error."""
    if not report.unmatched:
        return
    items = layout.items
    starts = [
        token.start_pos
        for at, token in enumerate(items[:-1])
        if layout.inner[at] == -1 and starts_declaration(items, at)
    ]
    for offset, diagnostic in report.unmatched:
        at = bisect_left(starts, offset)
        first = starts[at - 1] if at else 0
        if not any(first <= error < offset for error in report.errors):
            report.emit(diagnostic)


class _Parse:
    """Feeds the tokens, and after an error finds the place from which to go on."""

    def __init__(self, run: Run, layout: Layout, report: Reporter) -> None:
        self.run = run
        self.layout = layout
        self.items = layout.items
        self.report = report
        self.quiet_until = -1
        self.stuck_at = -1

    def all_tokens(self) -> None:
        """Read the whole file."""
        index = 0
        run, items, limits = self.run, self.items, self.layout.limits
        last = len(items) - 1
        while True:
            if index in limits:
                self.report.emit(limits.pop(index))
                index = self._panic(index)
            elif run.feed(items[index]):
                if index == last:
                    return
                index += 1
            else:
                index = self._after_error(index)
            if self.report.full:
                self._give_up()
                return

    def _after_error(self, index: int) -> int:
        """Report the token that does not fit; return the index of the token to go on with."""
        situation = Situation(self.run, self.items, index, self.report)
        found = explain(situation)
        if not self._is_cascade(index):
            self.report.errors.append(self.items[index].start_pos)
            self.report.emit(found.diagnostic)
        if index != self.stuck_at:
            self.stuck_at = index
            kinds = [token.type for token in found.instead]
            after = index + found.consumed
            if found.mends and (
                not kinds or self.run.machine.fits(self.run.stack, [*kinds, self.items[after].type])
            ):
                for token in found.instead:
                    self.run.feed(token)
                return after
        return self._panic(index)

    def _is_cascade(self, index: int) -> bool:
        token = self.items[index]
        start = self.items[index - 1].end_pos if index else 0
        return index <= self.quiet_until or self.report.is_tainted(start, token.end_pos)

    def _panic(self, index: int) -> int:
        """Drop the item or declaration around ``index``; return the index of what follows it."""
        run, engine = self.run, self.run.machine
        if engine.fits(run.stack, ("BAD_DECL",)):
            after = self.quiet_until = self._next_declaration(index)
            start, end = self.items[index].start_pos, self.items[after].start_pos
            run.feed(self.items[index].moved("BAD_DECL", "", start, end))
            return after
        for position in range(len(run.stack) - 1, -1, -1):
            state = run.stack[position]
            if engine.shifts(state, "BAD_ITEM"):
                marker, after = "BAD_ITEM", self._next_item(index, self._opener(position), state)
                if after < 0:
                    continue
            elif engine.shifts(state, "BAD_DECL"):
                marker, after = "BAD_DECL", self._next_declaration(index)
            else:
                continue
            token = self.items[after]
            if not engine.fits(run.stack[: position + 1], (marker, token.type)):
                continue
            self.quiet_until = after
            first = self.items[min(index, after)]
            start, end = first.start_pos, max(first.start_pos, token.start_pos)
            for inner in range(position + 1, len(run.stack)):
                if engine.shifts(run.stack[inner], "BAD_EXPR") and engine.fits(
                    run.stack[: inner + 1], ("BAD_EXPR", token.type)
                ):
                    run.cut(inner + 1)
                    run.feed(first.moved("BAD_EXPR", "", start, end))
                    return after
            run.cut(position + 1)
            run.feed(first.moved(marker, "", start, end))
            return after
        return len(self.items) - 1

    def _opener(self, position: int) -> int:
        """Return the index of the brace that opened the block whose items stand at ``position``."""
        for value in reversed(self.run.values[:position]):
            if isinstance(value, Token) and value.type == "LBRACE":
                return bisect_left(self.items, value.start_pos, key=lambda item: item.start_pos)
        return -1

    def _next_item(self, index: int, opener: int, state: int) -> int:
        items, inner = self.items, self.layout.inner
        row = self.run.machine.rows[state]
        if index == self.stuck_at and items[index].type != "RBRACE":
            index += 1
        for at in range(index, len(items)):
            if inner[at] < opener:
                return -1
            if inner[at] != opener:
                continue
            kind = items[at].type
            if kind == "RBRACE":
                return at
            if kind in ("FIELD", "ANNOTATION", "FOR") and kind in row:
                return at
            if kind == "EXPECT" and kind in row and starts_line(items, at):
                return at
            if kind in NAME_LIKE and "NAME" in row and starts_line(items, at):
                return at
        return -1

    def _next_declaration(self, index: int) -> int:
        items, inner = self.items, self.layout.inner
        for at in range(index + 1, len(items) - 1):
            if inner[at] == -1 and starts_declaration(items, at):
                return at
        return len(items) - 1

    def _give_up(self) -> None:
        """Close the tree with the declarations that were read."""
        run = self.run
        position = 0
        for at in range(len(run.stack) - 1, -1, -1):
            if run.machine.shifts(run.stack[at], "BAD_DECL"):
                position = at
                break
        run.cut(position + 1)
        run.feed(self.items[-1])
