"""One line per diagnostic: ``path:line:column: error[CODE]: title: what is there``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from astrafs.diagnostics.model import Diagnostic
from astrafs.diagnostics.render.cells import reveal
from astrafs.source import SourceFile


def render(diagnostics: Iterable[Diagnostic], files: Mapping[str, SourceFile]) -> str:
    """Return a line per diagnostic, each ended by a line break; without a place, the path is left
    out.
    """
    return "".join(f"{_line(found, files)}\n" for found in diagnostics)


def _line(found: Diagnostic, files: Mapping[str, SourceFile]) -> str:
    text = f"{found.code.severity}[{found.code.id}]: {found.title}"
    if found.primary is None:
        return _one_line(text)
    if found.primary.text:
        text += f": {found.primary.text}"
    span = found.primary.span
    file = files.get(span.path)
    place = span.path
    if file is not None:
        line, column = file.position(min(span.start, len(file.text)))
        place += f":{line}:{column}"
    return _one_line(f"{place}: {text}")


def _one_line(text: str) -> str:
    return reveal(" ".join(text.splitlines()))
