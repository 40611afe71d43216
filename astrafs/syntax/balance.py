"""Brackets: every one gets a partner before parsing, and expressions get a limit on their depth.

The parser then never meets an unbalanced bracket, so that one missing brace is one message, at
the bracket that was
left open, and the rest of the file is still read.
"""

from __future__ import annotations

from dataclasses import field
from itertools import pairwise

from astrafs.diagnostics.codes import syntax as codes
from astrafs.diagnostics.model import Diagnostic, Edit
from astrafs.record import dataclass
from astrafs.source import Span
from astrafs.syntax.braces import starts_declaration, starts_line, with_braces
from astrafs.syntax.report import MOST_ERRORS, Reporter
from astrafs.syntax.token import Token
from astrafs.syntax.tokens import span_of
from astrafs.syntax.words import (
    CLOSERS,
    OPENERS,
    OPERAND_END,
    OPERATORS,
    SOFT_TYPES,
    SPELLING,
)

MOST_NESTING = 64
MOST_OPERATORS = 256
MOST_LOOKED_AT = 500
"""Tokens, to guess where a bracket should have closed."""

_COMPLETE = SOFT_TYPES - frozenset(
    [
        "AS_OF",
        "AT",
        "BY",
        "DELAY",
        "EACH",
        "EVERY",
        "GAP",
        "LAST",
        "NEXT",
        "OFFSET",
        "SETTLES",
        "SINCE",
        "UNION",
        "WITHIN",
    ]
)
"""Keywords after which a name is never part of the same expression."""


@dataclass(slots=True)
class Layout:
    """Balanced tokens. ``inner[i]`` is the index of the innermost open bracket around token
    ``i``, or -1.

    An opening bracket lies outside of itself, a closing one inside.
    ``limits`` are the tokens with which a limit is passed, each with its diagnostic.
    """

    items: list[Token]
    inner: list[int] = field(default_factory=list)
    limits: dict[int, Diagnostic] = field(default_factory=dict)


def balance(items: list[Token], report: Reporter) -> Layout:
    """Return the tokens with matching brackets, reporting those that had no partner."""
    items = with_braces(items, report)
    if not _balanced(items):
        items = _mend(items, report)
    layout = Layout(items)
    _measure(layout, report)
    return layout


def _is_edge(items: list[Token], opener: int) -> bool:
    """Whether the bracket opens the edges of a window, where ``[`` may meet ``)``."""
    if opener == 0:
        return False
    before = items[opener - 1].type
    return before == "OVER" or (
        before == "EQUAL" and opener > 2 and items[opener - 3].type == "WINDOW"
    )


def _fits(items: list[Token], opener: int, closer: str) -> bool:
    kind = items[opener].type
    if OPENERS[kind] == closer:
        return True
    return kind != "LBRACE" and closer != "RBRACE" and _is_edge(items, opener)


def _balanced(items: list[Token]) -> bool:
    stack: list[int] = []
    for index, token in enumerate(items):
        if token.type in OPENERS:
            stack.append(index)
        elif token.type in CLOSERS and (not stack or not _fits(items, stack.pop(), token.type)):
            return False
    return not stack


def _mend(items: list[Token], report: Reporter) -> list[Token]:
    """Add the closing brackets that are missing and drop those that are too many."""
    fresh: list[Token] = []
    stack: list[int] = []

    def close(at: Token) -> None:
        index = stack.pop()
        opener = fresh[index]
        closer = SPELLING[OPENERS[opener.type]]
        where = fresh[-1].end_pos
        if report.full or opener.start_pos == opener.end_pos:
            fresh.append(fresh[-1].moved(OPENERS[opener.type], closer, where, where))
            return
        report.emit(
            codes.UNCLOSED_BRACKET.at(span_of(report, opener), f"this `{opener}` is never closed")
            .label(report.span(where, where), f"`{closer}` is missing at the latest here")
            .help(f"add `{closer}`")
            .fix(f"add `{closer}`", Edit(_likely(fresh, index, report), closer), safe=False)
        )
        if opener.type == "LBRACE":
            report.taint(where, at.start_pos)
        else:
            report.taint(opener.start_pos, at.start_pos)
        fresh.append(fresh[-1].moved(OPENERS[opener.type], closer, where, where))

    def is_parameters(opener: int) -> bool:
        return opener > 1 and fresh[opener - 2].type == "FN"

    def is_slip(index: int, token: Token) -> bool:
        """Whether a closing brace was meant to close the bracket of another kind before it."""
        inner = fresh[stack[-1]] if stack else token
        return (
            inner.type in ("LPAR", "LSQB")
            and inner.line == token.line
            and not starts_line(items, index)
            and not any(fresh[at].type == "LBRACE" and fresh[at].line == token.line for at in stack)
        )

    for index, token in enumerate(items):
        kind = token.type
        if kind == "$END" or (
            token.column == 1 and starts_line(items, index) and starts_declaration(items, index)
        ):
            while stack:
                close(token)
        elif kind in ("FIELD", "ANNOTATION") and starts_line(items, index):
            while stack and fresh[stack[-1]].type != "LBRACE" and not is_parameters(stack[-1]):
                close(token)
        elif kind == "LBRACE" and not (fresh and fresh[-1].type == "DOT"):
            while stack and fresh[stack[-1]].type != "LBRACE":
                close(token)
        if kind in OPENERS:
            stack.append(len(fresh))
        elif kind in CLOSERS:
            wanted = CLOSERS[kind]
            if kind == "RBRACE" and is_slip(index, token):
                fresh.append(_right_closer(token, fresh[stack.pop()], report))
                continue
            if kind == "RBRACE" and any(fresh[opener].type == wanted for opener in stack):
                while fresh[stack[-1]].type != wanted:
                    close(token)
            if not stack or (
                not _fits(fresh, stack[-1], kind) and "LBRACE" in (wanted, fresh[stack[-1]].type)
            ):
                _drop(token, report)
                continue
            opener = stack.pop()
            if not _fits(fresh, opener, kind):
                token = _right_closer(token, fresh[opener], report)
        fresh.append(token)
    return fresh


def _likely(items: list[Token], opener: int, report: Reporter) -> Span:
    """Return where the bracket most likely should close: a call, before its `over`, else at the
    end of what there is.
    """
    at = items[-1].end_pos
    if items[opener].type == "LPAR":
        inside = items[opener + 1 : opener + MOST_LOOKED_AT]
        depth = 0
        for before, token in pairwise(inside):
            depth += (before.type in OPENERS) - (before.type in CLOSERS)
            if token.type == "OVER" and depth == 0:
                at = before.end_pos
                break
    return report.span(at, at)


def _right_closer(token: Token, opener: Token, report: Reporter) -> Token:
    """Report a bracket that closes one of another kind, and return the one that was meant."""
    kind = OPENERS[opener.type]
    right = SPELLING[kind]
    span = span_of(report, token)
    report.emit(
        codes.UNMATCHED_BRACKET.at(span, f"`{token}` closes nothing")
        .label(span_of(report, opener), "this is open")
        .help(f"write `{right}`")
        .fix(f"write `{right}`", Edit(span, right), safe=False)
    )
    return token.moved(kind, right, token.start_pos, token.end_pos)


def _drop(token: Token, report: Reporter) -> None:
    if len(report.unmatched) >= MOST_ERRORS:
        return
    found = codes.UNMATCHED_BRACKET.at(span_of(report, token), f"`{token}` closes nothing")
    found = found.help("delete it, or add the opening bracket")
    found = found.fix(f"delete `{token}`", Edit(span_of(report, token), ""), safe=False)
    report.unmatched.append((token.start_pos, found))
    report.taint(token.start_pos - 1, token.end_pos + 1)


def _measure(layout: Layout, report: Reporter) -> None:
    """Fill ``inner``, and mark where brackets nest too deep or operators follow one another too
    long.

    Operators are counted along the way from the start of the expression to the innermost bracket,
    so that the count
    plus the nesting bounds the depth of the tree.
    """
    items, inner = layout.items, layout.inner
    stack: list[tuple[int, int, int]] = []  # opener, and base and peak of the count outside it
    count = base = peak = 0
    before = ""
    for index, token in enumerate(items):
        kind = token.type
        if kind in CLOSERS and stack:
            count = max(count, peak)
            opener, base, peak = stack.pop()
            inner.append(opener)
            if kind == "RBRACE":
                count = base
            before = kind
            continue
        inner.append(stack[-1][0] if stack else -1)
        if kind in OPENERS:
            stack.append((index, base, peak))
            count = 0 if kind == "LBRACE" else count + 1
            base = peak = count
            if len(stack) == MOST_NESTING + 1:
                layout.limits[index] = codes.TOO_DEEP.at(
                    span_of(report, token), f"this is nesting level {len(stack)}"
                ).help("name parts of it as columns or features of their own")
        elif kind == "COMMA":
            peak = max(peak, count)
            count = base
        elif kind in ("COLON", "FIELD") or (
            kind in ("NAME", "EXPECT") and (before in OPERAND_END or before in _COMPLETE)
        ):
            count = base
        elif kind in OPERATORS or kind in ("DOT", "IF", "OVER", "OFFSET", "WITHIN"):
            count += 1
            if count == MOST_OPERATORS + 1:
                layout.limits[index] = codes.CHAIN_TOO_LONG.at(
                    span_of(report, token), f"this is operator {count} of the expression"
                ).help("name parts of it as columns or features of their own")
        before = kind
