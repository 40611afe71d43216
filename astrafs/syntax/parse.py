"""Text to surface tree. One run reports every independent syntax error of the file."""

from __future__ import annotations

from bisect import bisect_left

from astrafs.diagnostics.codes import syntax as codes
from astrafs.diagnostics.model import Sink
from astrafs.source import SourceFile, Span
from astrafs.syntax import ast
from astrafs.syntax.balance import Layout, balance
from astrafs.syntax.braces import starts_declaration, starts_line
from astrafs.syntax.characters import readable_text
from astrafs.syntax.errors import explain
from astrafs.syntax.machine import Run, machine
from astrafs.syntax.report import Reporter
from astrafs.syntax.situation import Situation
from astrafs.syntax.token import Token
from astrafs.syntax.tokens import stray_docs, tokenize
from astrafs.syntax.words import NAME_LIKE


def parse_module(file: SourceFile, name: str, sink: Sink) -> ast.Module:
    """Return the tree of ``file``, the module called ``name``; every problem goes to ``sink``.

    What could not be read is left out, or stands in the tree as ``BadExpr`` or a type called
    ``ast.BAD_TYPE``.
    """
    return parse_damaged(Reporter(file, sink), name)


def parse_damaged(report: Reporter, name: str) -> ast.Module:
    """Parse the file of ``report`` as :func:`parse_module` does; the reporter then knows what was
    lost.
    """
    file = report.file
    text = readable_text(report)
    empty = ast.Module(name, file.path, (), Span(file.path, 0, len(file.text)))
    if text is None:
        report.lost.append(Span(file.path, 0, len(file.text)))
        return empty
    engine = machine()
    tokens = tokenize(engine.scanner, text, report)
    layout = balance(tokens.items, report)
    if report.full:
        report.lost.append(empty.span)
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
    if isinstance(module, ast.Module):
        return module
    report.lost.append(empty.span)
    return empty


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


_WITH_BLOCK = frozenset(
    ["ENTITY", "REQUEST", "SOURCE", "TABLE", "STREAM", "FEATURES", "LABELS", "VIEW", "TEST"]
)
_HEADER_WORDS = frozenset(
    ["LBRACE", "FROM", "KEY", "TIME", "KNOWN", "DELAY", "RETENTION", "MAX_AGE", "STATIC",
     "REVISIONS", "WHERE", "BY"]
)  # fmt: skip
_MISSING: dict[int, tuple[tuple[str, ...], ...]] = {
    1: ((), ("NAME",), ("FOR", "NAME")),
    2: ((), ("NAME",), ("FOR", "NAME")),
    3: ((), ("NAME",)),
}
"""Words of a header that may be put in, by how many of its words were read."""


def _start(values: list[object], otherwise: int) -> int:
    """Return where the text of the first of ``values`` that has one begins."""
    for value in values:
        if isinstance(value, Token):
            return value.start_pos
        if isinstance(value, list | tuple):
            start = _start(list(value), -1)
            if start >= 0:
                return start
        span = getattr(value, "span", None)
        if isinstance(span, Span):
            return span.start
    return otherwise


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
                self._lose(0, self.items[-1].end_pos)
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
        resumed = self._resume_header(index)
        if resumed >= 0:
            return resumed
        if engine.fits(run.stack, ("BAD_DECL",)):
            after = self.quiet_until = self._next_declaration(index)
            start, end = self.items[index].start_pos, self.items[after].start_pos
            self._lose(start, end)
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
            self._lose(_start(run.values[position:], first.start_pos), end)
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

    def _lose(self, start: int, end: int) -> None:
        """Note that nothing of what stands in this range came into the tree."""
        self.report.lost.append(self.report.span(start, end))

    def _resume_header(self, index: int) -> int:
        """Go on with a later clause of a declaration's header, or with its block; return the index
        of the token that does so, or -1.
        """
        run, engine = self.run, self.run.machine
        head = self._header()
        if head < 0:
            return -1
        keyword = run.values[head]
        last = self._next_declaration(index)
        for at in range(index, last):
            kind = self.items[at].type
            if self.layout.inner[at] != -1 or kind not in _HEADER_WORDS:
                continue
            following = (kind, self.items[at + 1].type)
            for position in range(len(run.stack) - 1, head, -1):
                for missing in _MISSING.get(position - head, ((),)):
                    if not engine.fits(run.stack[: position + 1], (*missing, *following)):
                        continue
                    self.quiet_until = at
                    self.report.damaged.add(keyword.start_pos)
                    self._lose(
                        _start(run.values[position:], self.items[index].start_pos),
                        self.items[at].start_pos,
                    )
                    run.cut(position + 1)
                    for word in missing:
                        run.feed(keyword.moved(word, "", keyword.end_pos, keyword.end_pos))
                    return at
        return -1

    def _header(self) -> int:
        """Return where among the values the keyword of the declaration stands whose block has not
        begun, or -1.
        """
        values = self.run.values
        for at in range(len(values) - 1, -1, -1):
            value = values[at]
            if not isinstance(value, Token):
                continue
            if value.type == "LBRACE":
                return -1
            if value.type in _WITH_BLOCK:
                return at
        return -1

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
