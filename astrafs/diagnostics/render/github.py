"""Workflow commands that show diagnostics beside the changed lines of a pull request on GitHub."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from astrafs.diagnostics.model import Diagnostic
from astrafs.source import SourceFile


def render(diagnostics: Iterable[Diagnostic], files: Mapping[str, SourceFile]) -> str:
    """Return one ``::error`` or ``::warning`` command per diagnostic."""
    return "".join(f"{_command(found, files)}\n" for found in diagnostics)


def _command(found: Diagnostic, files: Mapping[str, SourceFile]) -> str:
    fields = {"title": f"{found.code.id}: {found.title}"}
    lines = []
    if found.primary is not None:
        span = found.primary.span
        fields["file"] = span.path
        file = files.get(span.path)
        if file is not None:
            size = len(file.text)
            start = file.position(min(span.start, size))
            end = file.position(min(max(span.end - 1, span.start), size))
            fields |= {"line": str(start[0]), "endLine": str(end[0])}
            if start[0] == end[0]:
                fields |= {"col": str(start[1]), "endColumn": str(end[1])}
        lines.append(found.primary.text)
    lines += [f"note: {text}" for text in found.notes]
    lines += [f"help: {text}" for text in found.helps]
    body = "\n".join(line for line in lines if line) or found.title
    settings = ",".join(f"{name}={_property(value)}" for name, value in fields.items())
    return f"::{found.code.severity} {settings}::{_data(body)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
