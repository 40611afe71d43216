"""Source excerpts: numbered lines with what is marked in them drawn below, as pieces of styled
text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from astrafs.diagnostics.model import Label
from astrafs.diagnostics.render.cells import clip, lay_out, text_width, wrap
from astrafs.record import dataclass
from astrafs.source import SourceFile

ELIDE_ABOVE = 5
"""Lines of a label that spans more than this are left out in its middle."""

MARGIN = 8
"""Cells of source kept to the left of the first mark when a long line is clipped."""


class Style(Enum):
    """What a piece of text is; the colour form gives each a colour, the plain form ignores it."""

    PLAIN = 0
    BOLD = 1
    ERROR = 2
    WARNING = 3
    SECOND = 4
    FRAME = 5
    HELP = 6
    REMOVED = 7
    ADDED = 8


Piece = tuple[str, Style]
Line = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A label to draw, as the primary one (carets) or not (dashes)."""

    label: Label
    primary: bool
    style: Style

    @property
    def sign(self) -> str:
        """The character that underlines the place."""
        return "^" if self.primary else "-"


@dataclass(frozen=True, slots=True)
class _Inline:
    """A mark within one line, in cells of the drawn line."""

    start: int
    end: int
    mark: Mark


@dataclass(frozen=True, slots=True)
class _Block:
    """A mark over several lines; ``slot`` is its column in the gutter, 0 leftmost."""

    first: int
    last: int
    mark: Mark
    slot: int


def excerpt(file: SourceFile, marks: Sequence[Mark], gutter: int, width: int) -> list[Line]:
    """Draw the lines of ``file`` that ``marks`` touch; line numbers are ``gutter`` cells wide,
    lines ``width``.
    """
    return _Excerpt(file, marks, gutter, width).draw()


def last_line(file: SourceFile, marks: Sequence[Mark]) -> int:
    """Return the greatest line number that an excerpt of ``marks`` shows."""
    return max(_lines_of(file, mark)[1] for mark in marks)


def _lines_of(file: SourceFile, mark: Mark) -> tuple[int, int]:
    """Return the 1-based first and last line of a mark, without a line break at its end."""
    start = min(max(mark.label.span.start, 0), len(file.text))
    end = min(max(mark.label.span.end, start), len(file.text))
    while end > start and file.text[end - 1] in " \t\r\n":
        end -= 1
    return file.position(start)[0], file.position(max(start, end - 1))[0]


class _Excerpt:
    def __init__(self, file: SourceFile, marks: Sequence[Mark], gutter: int, width: int) -> None:
        self.file = file
        self.gutter = gutter
        self.drawn: dict[int, tuple[str, tuple[int, ...]]] = {}
        self.inline: dict[int, list[_Inline]] = {}
        self.blocks: list[_Block] = []
        self.lines: list[Line] = []
        for mark in marks:
            first, last = _lines_of(file, mark)
            if first == last:
                self.inline.setdefault(first, []).append(self._cells(first, mark))
            else:
                self.blocks.append(_Block(first, last, mark, len(self.blocks)))
        self.lead = 2 * len(self.blocks)
        self.room = max(20, width - gutter - 3 - self.lead)

    def draw(self) -> list[Line]:
        shown = self._shown()
        self._frame("")
        before = None
        for line in shown:
            if before is not None and line - before == 2:
                self._source(before + 1, ())
            elif before is not None and line - before > 2:
                pad = " " * (self.gutter - 1)
                self.lines.append((("..." + pad, Style.FRAME), *self._bars(before + 1, False)))
            first, *others = self._clusters(line)
            self._source(line, first)
            for block in self.blocks:
                if block.first == line and not self._opens(block):
                    self._open(block)
            if first:
                self._annotate(line, first)
            for marks in others:
                self._source(line, marks)
                self._annotate(line, marks)
            for block in self.blocks:
                if block.last == line:
                    self._close(block)
            before = line
        return self.lines

    def _shown(self) -> list[int]:
        lines = set(self.inline)
        for block in self.blocks:
            if block.last - block.first <= ELIDE_ABOVE:
                lines.update(range(block.first, block.last + 1))
            else:
                lines.update((block.first, block.first + 1, block.last - 1, block.last))
        return sorted(lines)

    def _text(self, line: int) -> tuple[str, tuple[int, ...]]:
        if line not in self.drawn:
            self.drawn[line] = lay_out(self.file.line_text(line))
        return self.drawn[line]

    def _cells(self, line: int, mark: Mark) -> _Inline:
        cells = self._text(line)[1]
        base = mark.label.span.start - (self.file.position(mark.label.span.start)[1] - 1)
        start = cells[min(max(mark.label.span.start - base, 0), len(cells) - 1)]
        end = cells[min(max(mark.label.span.end - base, 0), len(cells) - 1)]
        return _Inline(start, max(end, start + 1), mark)

    def _clusters(self, line: int) -> list[list[_Inline]]:
        """Put the marks of ``line`` into groups that can be drawn under one clipped view of it, the
        primary's first.
        """
        marks = self.inline.get(line, [])
        if text_width(self._text(line)[0]) <= self.room or not marks:
            return [marks]
        groups: list[list[_Inline]] = []
        for mark in sorted(marks, key=lambda one: one.start):
            start = groups[-1][0].start if groups else mark.start
            if groups and mark.start - start + 24 + 2 * MARGIN < self.room:
                groups[-1].append(mark)
            else:
                groups.append([mark])
        return sorted(groups, key=lambda group: not any(one.mark.primary for one in group))

    def _shift(self, line: int, marks: Sequence[_Inline]) -> int:
        """Return how many cells of a long line are cut off at its left, to show ``marks``."""
        whole = text_width(self._text(line)[0])
        if whole <= self.room or not marks:
            return 0
        start = min(mark.start for mark in marks)
        end = max(min(mark.end, start + self.room) for mark in marks)
        if end + MARGIN <= self.room:
            return 0
        return max(0, min(start - MARGIN, whole - self.room // 2))

    # --- the gutter -----------------------------------------------------------------------------

    def _frame(self, number: str, *pieces: Piece) -> None:
        lead: Line = ((f"{number:>{self.gutter}} |", Style.FRAME),)
        self.lines.append(lead + pieces)

    def _opens(self, block: _Block) -> bool:
        """Whether nothing but blanks stands before the block, so that its bar may start beside the
        line.
        """
        span = block.mark.label.span
        column = self.file.position(span.start)[1]
        return not self.file.line_text(block.first)[: column - 1].strip()

    def _bars(self, line: int, below: bool) -> Line:
        """Draw the bars of the blocks that run beside the source ``line``, or beside the rows
        ``below`` it.
        """
        pieces: list[Piece] = []
        for block in self.blocks:
            if block.first < line <= block.last or (below and block.first == line):
                pieces.append((" |", block.mark.style))
            elif block.first == line and self._opens(block):
                pieces.append((" /", block.mark.style))
            else:
                pieces.append(("  ", Style.PLAIN))
        return tuple(pieces)

    def _source(self, line: int, marks: Sequence[_Inline]) -> None:
        text = self._text(line)[0].rstrip()
        shift = self._shift(line, marks)
        if shift or text_width(text) > self.room:
            whole = text_width(text)
            text = clip(text, shift, self.room)
            if shift:
                text = "..." + clip(text, 3, self.room)
            if whole > shift + self.room:
                text = clip(text, 0, self.room - 3) + "..."
        bars = self._bars(line, False)
        pieces = (*bars, (f" {text}", Style.PLAIN)) if text else bars
        self._frame(str(line), *pieces)

    # --- marks over several lines ---------------------------------------------------------------

    def _open(self, block: _Block) -> None:
        """Lead from the gutter to the place in the line where the block starts."""
        cell = min(self._cells(block.first, block.mark).start, self.room)
        pieces: list[Piece] = [
            (" |" if other.first < block.first <= other.last else "  ", other.mark.style)
            for other in self.blocks[: block.slot]
        ]
        reach = self.lead - 2 * block.slot - 2 + 1 + cell
        pieces.append(("  " + "_" * reach + block.mark.sign, block.mark.style))
        self._frame("", *pieces)

    def _close(self, block: _Block) -> None:
        span = block.mark.label.span
        end = min(span.end, len(self.file.text))
        while end > span.start and self.file.text[end - 1] in " \t\r\n":
            end -= 1
        cells = self._text(block.last)[1]
        column = self.file.position(max(span.start, end - 1))[1]
        cell = min(cells[min(column - 1, len(cells) - 1)], self.room)
        pieces: list[Piece] = [
            (
                " |" if other.first <= block.last < other.last else "  ",
                other.mark.style,
            )
            for other in self.blocks[: block.slot]
        ]
        reach = self.lead - 2 * block.slot - 2 + 1 + cell
        text = wrap(block.mark.label.text, max(30, self.room - cell - 2))
        pieces.append((" |" + "_" * reach + block.mark.sign, block.mark.style))
        if text[0]:
            pieces.append((f" {text[0]}", block.mark.style))
        self._frame("", *pieces)
        for more in text[1:]:
            self._frame("", (" " * (self.lead + cell + 3) + more, block.mark.style))

    # --- marks within one line ------------------------------------------------------------------

    def _annotate(self, line: int, found: Sequence[_Inline]) -> None:
        shift = self._shift(line, found)
        marks = sorted(
            (
                _Inline(one.start - shift, min(one.end - shift, self.room), one.mark)
                for one in found
            ),
            key=lambda one: (one.start, not one.mark.primary),
        )
        canvas: dict[int, Piece] = {}
        for one in sorted(marks, key=lambda one: (one.mark.primary, one.start - one.end)):
            for cell in range(one.start, one.end):
                canvas[cell] = (one.mark.sign, one.mark.style)
        hanging = [one for one in marks if one.mark.label.text]
        beside = self._beside(marks)
        tail: list[Piece] = []
        if beside is not None:
            hanging.remove(beside)
            tail = [(f" {wrap(beside.mark.label.text, 10_000)[0]}", beside.mark.style)]
        bars = self._bars(line, True)
        self._frame("", *bars, (" ", Style.PLAIN), *_row(canvas), *tail)
        if not hanging:
            return
        self._frame("", *bars, (" ", Style.PLAIN), *_row(_stems(hanging)))
        waiting = list(hanging)
        while waiting:
            one = max(waiting, key=lambda each: each.start)
            waiting.remove(one)
            stems = _stems([other for other in waiting if other.start < one.start])
            start = one.start if one.start <= self.room - 24 else max(0, self.room - 24)
            clear = {cell: piece for cell, piece in stems.items() if cell < start - 1}
            for text in wrap(one.mark.label.text, max(24, self.room - start)):
                row = _row(clear)
                used = max(clear, default=-1) + 1
                pad = (" " * (start - used), Style.PLAIN)
                self._frame("", *bars, (" ", Style.PLAIN), *row, pad, (text, one.mark.style))

    def _beside(self, marks: Sequence[_Inline]) -> _Inline | None:
        """Return the mark whose text may stand beside its underline: the last one, if nothing else
        ends later.
        """
        last = marks[-1]
        if any(other is not last and other.end > last.start for other in marks):
            if len({(other.start, other.end) for other in marks}) == 1:
                last = marks[0]
            else:
                return None
        text = last.mark.label.text
        if not text or "\n" in text or last.end + 1 + text_width(text) > self.room:
            return None
        return last


def _stems(marks: Sequence[_Inline]) -> dict[int, Piece]:
    return {one.start: ("|", one.mark.style) for one in reversed(marks)}


def _row(canvas: Mapping[int, Piece]) -> Line:
    """Join cells into pieces, blanks between them."""
    pieces: list[Piece] = []
    at = 0
    for cell in sorted(canvas):
        if cell > at:
            pieces.append((" " * (cell - at), Style.PLAIN))
        sign, style = canvas[cell]
        if pieces and pieces[-1][1] is style and cell == at:
            pieces[-1] = (pieces[-1][0] + sign, style)
        else:
            pieces.append((sign, style))
        at = cell + 1
    return tuple(pieces)
