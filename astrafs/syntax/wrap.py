"""Breaking a line that is too long: at the operators that bind least, then inside brackets."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from astrafs.syntax.words import CLOSERS, OPENERS

WIDTH = 100
INDENT = "  "

_LEVELS: tuple[frozenset[str], ...] = (
    frozenset(["BY", "WHERE"]),
    frozenset(["ELSE"]),
    frozenset(["THEN"]),
    frozenset(["OR"]),
    frozenset(["AND"]),
    frozenset(["COALESCE"]),
    frozenset(["PLUS", "MINUS"]),
    frozenset(["STAR", "SLASH", "FLOOR_DIVIDE", "PERCENT"]),
    frozenset(["OVER"]),
)
"""Before which tokens a line may break, those that bind least first."""


class Piece(NamedTuple):
    """A token of a line: the space before it, its text and its kind."""

    space: str
    text: str
    kind: str


def width(pieces: Sequence[Piece]) -> int:
    """Return how many characters the pieces take, without the space before the first."""
    return sum(len(piece.space) + len(piece.text) for piece in pieces) - len(pieces[0].space)


def wrap(pieces: Sequence[Piece], indent: str) -> list[str]:
    """Return the lines that ``pieces`` take, the first indented by ``indent``, none longer than
    ``WIDTH`` where that can be had.

    A comment at the end does not count.
    """
    lines: list[str] = []
    todo = [Part(tuple(pieces), indent, indent + INDENT)]
    while todo:
        part = todo.pop()
        line = part.pieces
        code = line[:-1] if len(line) > 1 and line[-1].kind == "COMMENT" else line
        fits = len(part.indent) + width(code) <= WIDTH
        parts = [] if fits else _broken(part, len(code))
        if len(parts) > 1:
            todo.extend(reversed(parts))
        else:
            rest = "".join(one.space + one.text for one in line[1:])
            lines.append(part.indent + line[0].text + rest)
    return lines


class Part(NamedTuple):
    """Pieces for one line or more: the indent of the first, and that of the others."""

    pieces: tuple[Piece, ...]
    indent: str
    further: str


def _broken(part: Part, end: int) -> list[Part]:
    """Return ``part`` in two or more parts; in one if its first ``end`` pieces cannot break."""
    line, indent, further = part
    depths = _depths(line)
    for at in range(1, end - 1):
        if line[at].kind == "EQUAL" and depths[at] == 0:
            value = Part(line[at + 1 :], further, further)
            return [Part(line[: at + 1], indent, further), value]
    for level in _LEVELS:
        cuts = [at for at in range(1, end) if depths[at] == 0 and _breaks(line, at, level)]
        if cuts:
            first, *others = itertools.pairwise([0, *cuts, len(line)])
            return [
                Part(line[slice(*first)], indent, indent + INDENT),
                *(Part(line[a:b], further, further + INDENT) for a, b in others),
            ]
    bracket = _widest_bracket(line, depths, end)
    if bracket is None:
        return [part]
    start, close = bracket
    commas = [at + 1 for at in range(start + 1, close) if _is_comma(line, depths, at)]
    edges = [start + 1, *(at for at in commas if at < close), close]
    deeper = indent + INDENT
    inside = [Part(line[a:b], deeper, deeper + INDENT) for a, b in itertools.pairwise(edges)]
    return [Part(line[: start + 1], indent, deeper), *inside, Part(line[close:], indent, deeper)]


def _depths(part: tuple[Piece, ...]) -> list[int]:
    """Return the depth of brackets at each piece; a bracket itself lies outside."""
    depths: list[int] = []
    depth = 0
    for piece in part:
        depth -= piece.kind in CLOSERS and depth > 0
        depths.append(depth)
        depth += piece.kind in OPENERS
    return depths


def _breaks(part: tuple[Piece, ...], at: int, level: frozenset[str]) -> bool:
    if part[at].kind not in level:
        return False
    # A sign stands close to its operand; the operator has a space on both sides.
    return part[at].kind != "MINUS" or (at + 1 < len(part) and part[at + 1].space != "")


def _is_comma(part: tuple[Piece, ...], depths: list[int], at: int) -> bool:
    return part[at].kind == "COMMA" and depths[at] == 1


def _widest_bracket(part: tuple[Piece, ...], depths: list[int], end: int) -> tuple[int, int] | None:
    """Return where the outermost bracket with the most text opens and closes."""
    best: tuple[int, int, int] | None = None
    opened = -1
    for at in range(end):
        if depths[at] != 0:
            continue
        kind = part[at].kind
        if kind in OPENERS:
            opened = at
        elif kind in CLOSERS and 0 <= opened < at - 1:
            size = width(part[opened + 1 : at])
            if best is None or size > best[0]:
                best = (size, opened, at)
            opened = -1
    return best[1:] if best is not None else None
