"""How text lies in terminal cells: tabs, wide and invisible characters, wrapping, clipping."""

from __future__ import annotations

import unicodedata

TAB_WIDTH = 4


def cell_width(character: str) -> int:
    """Return how many terminal cells ``character`` takes: 0, 1 or 2 (tabs and controls are not for
    this).
    """
    if character < "\x7f":
        return 1
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def is_hidden(character: str) -> bool:
    """Whether ``character`` is drawn as nothing, or changes how its neighbours are drawn."""
    if " " <= character <= "~":
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def reveal(text: str) -> str:
    """Replace control and invisible characters by ``<U+XXXX>``, so that text cannot steer the
    terminal.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"<U+{ord(one):04X}>" if is_hidden(one) else one for one in text)


def text_width(text: str) -> int:
    """Return the cells that ``text`` takes on one line."""
    return len(text) if text.isascii() else sum(cell_width(one) for one in text)


def lay_out(line: str) -> tuple[str, tuple[int, ...]]:
    """Return ``line`` as drawn (tabs expanded, invisible characters revealed) and the cell of each
    code point.

    The cells have one entry more than the line: the cell after its last character.
    """
    if line.isascii() and line.isprintable():
        return line, tuple(range(len(line) + 1))
    drawn: list[str] = []
    cells: list[int] = []
    at = 0
    for character in line:
        cells.append(at)
        if character == "\t":
            piece = " " * (TAB_WIDTH - at % TAB_WIDTH)
            at += len(piece)
        elif is_hidden(character):
            piece = reveal(character)
            at += len(piece)
        else:
            piece = character
            at += cell_width(character)
        drawn.append(piece)
    cells.append(at)
    return "".join(drawn), tuple(cells)


def wrap(text: str, width: int) -> list[str]:
    """Break ``text`` at spaces into lines of at most ``width`` cells; its own line breaks are kept.

    An indented line is preformatted and is not broken; neither is a word longer than the width.
    """
    lines: list[str] = []
    for paragraph in text.split("\n"):
        clean = reveal(paragraph)
        if clean.startswith(" ") or text_width(clean) <= width:
            lines.append(clean)
            continue
        line = ""
        for word in clean.split(" "):
            if line and text_width(line) + 1 + text_width(word) > width:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
    return lines


def clip(text: str, start: int, width: int) -> str:
    """Return the part of ``text`` in the cells ``start`` to ``start + width``; a wide character cut
    in two is a space.
    """
    if text.isascii():
        return text[start : start + width]
    out: list[str] = []
    at = 0
    for character in text:
        size = cell_width(character)
        if at >= start and at + size <= start + width:
            out.append(character)
        elif at < start + width and at + size > start and size:
            out.append(" ")
        at += size
    return "".join(out)
