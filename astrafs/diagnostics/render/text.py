"""The form for people: title, place, excerpt with what is marked, notes, helps and a preview of
fixes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from astrafs.diagnostics.model import Diagnostic, Fix, Severity
from astrafs.diagnostics.render.cells import lay_out, reveal, wrap
from astrafs.diagnostics.render.excerpt import Line, Mark, Piece, Style, excerpt, last_line
from astrafs.source import SourceFile

MIN_WIDTH = 60
PREVIEW_LINES = 12
LONGEST_PREVIEW = 1_000
"""Lines longer than this are not shown as a fix would make them."""

_SGR = {
    Style.PLAIN: "",
    Style.BOLD: "1",
    Style.ERROR: "1;31",
    Style.WARNING: "1;33",
    Style.SECOND: "1;34",
    Style.FRAME: "34",
    Style.HELP: "1;36",
    Style.REMOVED: "31",
    Style.ADDED: "32",
}


def render(
    diagnostics: Iterable[Diagnostic],
    files: Mapping[str, SourceFile],
    *,
    width: int = 100,
    colour: bool = False,
) -> str:
    """Draw ``diagnostics`` one below the other with an empty line between; empty for none.

    ``files`` maps the paths of spans to their texts; a place in a file that is not there is only
    named.
    """
    width = max(width, MIN_WIDTH)
    drawn = (_paint(_diagnostic(found, files, width), colour) for found in diagnostics)
    return "\n".join(drawn)


def summary(diagnostics: Sequence[Diagnostic]) -> str:
    """Count: ``3 errors, 1 warning``; empty for none."""
    errors = sum(found.is_error for found in diagnostics)
    counts = ((errors, "error"), (len(diagnostics) - errors, "warning"))
    return ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in counts if n)


def paint(text: str, style: Style, colour: bool) -> str:
    """Return ``text`` in ``style`` for a terminal if ``colour``, else as it is."""
    return f"\x1b[{_SGR[style]}m{text}\x1b[0m" if colour and _SGR[style] and text else text


def _paint(lines: Iterable[Line], colour: bool) -> str:
    out = []
    for line in lines:
        if colour:
            out.append("".join(paint(text, style, True) for text, style in line).rstrip(" "))
        else:
            out.append("".join(text for text, _ in line).rstrip())
    return "".join(f"{line}\n" for line in out)


def _diagnostic(found: Diagnostic, files: Mapping[str, SourceFile], width: int) -> Iterable[Line]:
    style = Style.ERROR if found.code.severity is Severity.ERROR else Style.WARNING
    head = f"{found.code.severity}[{found.code.id}]"
    first, *rest = wrap(found.title, max(20, width - len(head) - 2))
    yield ((head, style), (f": {first}", Style.BOLD))
    for more in rest:
        yield ((" " * (len(head) + 2) + more, Style.BOLD),)
    groups = _groups(found, style)
    gutter = max(
        [len(str(last_line(files[path], marks))) for path, marks in groups if path in files],
        default=1,
    )
    blank: Line = ((" " * (gutter + 1) + "|", Style.FRAME),)
    shown = False
    for path, marks in groups:
        sign = ":::" if shown else "-->"
        file = files.get(path)
        if shown:
            yield blank
        if file is None:
            yield ((" " * gutter + sign, Style.FRAME), (f" {reveal(path)}", Style.PLAIN))
        else:
            line, column = file.position(min(marks[0].label.span.start, len(file.text)))
            place = f" {reveal(path)}:{line}:{column}"
            yield ((" " * gutter + sign, Style.FRAME), (place, Style.PLAIN))
            yield from excerpt(file, marks, gutter, width)
        shown = True
    if found.picture:
        yield blank
        for line_text in found.picture.rstrip("\n").split("\n"):
            yield (*blank, (" " + lay_out(line_text)[0], Style.PLAIN))
    previewed = {fix.title for fix in found.fixes}
    remarks = [
        *(("note", Style.BOLD, note) for note in found.notes),
        *(("help", Style.HELP, text) for text in found.helps if text not in previewed),
    ]
    if shown and (remarks or found.fixes):
        yield blank
    for word, word_style, text in remarks:
        yield from _remark(word, word_style, text, gutter, width, shown)
    for fix in found.fixes:
        yield from _fix(fix, files, gutter, width)


def _groups(found: Diagnostic, style: Style) -> list[tuple[str, list[Mark]]]:
    """Put the places together by file, the primary one's first."""
    marks = [] if found.primary is None else [Mark(found.primary, True, style)]
    marks += [Mark(label, False, Style.SECOND) for label in found.labels]
    groups: dict[str, list[Mark]] = {}
    for mark in marks:
        if mark.label.span.path:
            groups.setdefault(mark.label.span.path, []).append(mark)
    return list(groups.items())


def _remark(
    word: str, style: Style, text: str, gutter: int, width: int, framed: bool
) -> Iterable[Line]:
    lead = " " * (gutter + 1) + "= " if framed else "  "
    pad = " " * (len(lead) + len(word) + 2)
    first, *rest = wrap(text, max(30, width - len(pad)))
    yield ((lead, Style.FRAME), (word, style), (f": {first}", Style.PLAIN))
    for more in rest:
        yield ((pad + more, Style.PLAIN),)


def _fix(fix: Fix, files: Mapping[str, SourceFile], gutter: int, width: int) -> Iterable[Line]:
    """Show the lines that a fix takes away and puts in."""
    title = fix.title if fix.safe else f"{fix.title} (this changes what the program means)"
    first, *rest = wrap(title, width - len("help: "))
    yield (("help", Style.HELP), (f": {first}", Style.PLAIN))
    for more in rest:
        yield ((" " * len("help: ") + more, Style.PLAIN),)
    blank: Line = ((" " * (gutter + 1) + "|", Style.FRAME),)
    by_file: dict[str, list[tuple[int, int, str]]] = {}
    for edit in fix.edits:
        by_file.setdefault(edit.span.path, []).append((edit.span.start, edit.span.end, edit.text))
    for path, edits in by_file.items():
        file = files.get(path)
        if file is None:
            continue
        rows = list(_changed(file, sorted(edits)))
        if any(len(text) > LONGEST_PREVIEW for _, _, text in rows):
            continue
        yield blank
        for number, sign, text in rows[:PREVIEW_LINES]:
            style = Style.REMOVED if sign == "-" else Style.ADDED
            lead: Piece = (f"{number:>{gutter}} ", Style.FRAME)
            yield (lead, (f"{sign} {lay_out(text)[0]}", style))
        if len(rows) > PREVIEW_LINES:
            yield (
                ("...", Style.FRAME),
                (f" and {len(rows) - PREVIEW_LINES} lines more", Style.PLAIN),
            )


def _changed(
    file: SourceFile, edits: Sequence[tuple[int, int, str]]
) -> Iterable[tuple[int, str, str]]:
    """Yield (line number, ``-`` or ``+``, text) of the lines that ``edits`` (sorted, disjoint)
    touch.
    """
    done = 0
    shift = 0
    while done < len(edits):
        first = file.position(edits[done][0])[0]
        last = file.position(edits[done][1])[0]
        taken = done + 1
        while taken < len(edits) and file.position(edits[taken][0])[0] <= last:
            last = max(last, file.position(edits[taken][1])[0])
            taken += 1
        old = [file.line_text(line) for line in range(first, last + 1)]
        start = edits[done][0] - (file.position(edits[done][0])[1] - 1)
        text, at = "", start
        for begin, end, new in edits[done:taken]:
            text += file.text[at:begin] + new
            at = end
        text += file.text[at : _line_end(file, last)]
        new_lines = text.split("\n") if text.strip() else []
        while old and new_lines and old[0] == new_lines[0]:
            del old[0], new_lines[0]
            first += 1
        while old and new_lines and old[-1] == new_lines[-1]:
            del old[-1], new_lines[-1]
        yield from ((first + n, "-", line) for n, line in enumerate(old))
        yield from ((first + shift + n, "+", line.rstrip("\r")) for n, line in enumerate(new_lines))
        shift += len(new_lines) - len(old)
        done = taken


def _line_end(file: SourceFile, line: int) -> int:
    """Return the offset of the line break that ends the 1-based ``line``."""
    at = -1
    for _ in range(line):
        at = file.text.find("\n", at + 1)
        if at < 0:
            return len(file.text)
    return at
