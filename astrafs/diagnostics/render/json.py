"""Diagnostics as one JSON document for programs; its shape is described in ``docs/cli.md``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from astrafs.diagnostics.model import Diagnostic, Label
from astrafs.source import SourceFile, Span

SCHEMA = "astrafs.diagnostics/1"
"""Grows only by new members; a change of meaning gets a new number."""


def render(diagnostics: Sequence[Diagnostic], files: Mapping[str, SourceFile]) -> str:
    """Return the document, indented, ASCII only, ended by a line break."""
    errors = sum(found.is_error for found in diagnostics)
    document = {
        "schema": SCHEMA,
        "errors": errors,
        "warnings": len(diagnostics) - errors,
        "diagnostics": [_diagnostic(found, files) for found in diagnostics],
    }
    return json.dumps(document, indent=2) + "\n"


def _diagnostic(found: Diagnostic, files: Mapping[str, SourceFile]) -> dict[str, Any]:
    return {
        "code": found.code.id,
        "severity": str(found.code.severity),
        "title": found.title,
        "primary": None if found.primary is None else _label(found.primary, files),
        "labels": [_label(label, files) for label in found.labels],
        "notes": list(found.notes),
        "helps": list(found.helps),
        "picture": found.picture,
        "example": "" if found.example is None else found.example.text,
        "fixes": [
            {
                "title": fix.title,
                "safe": fix.safe,
                "edits": [
                    {"place": place(edit.span, files), "text": edit.text} for edit in fix.edits
                ],
            }
            for fix in found.fixes
        ],
    }


def _label(label: Label, files: Mapping[str, SourceFile]) -> dict[str, Any]:
    return {"place": place(label.span, files), "text": label.text}


def place(span: Span, files: Mapping[str, SourceFile]) -> dict[str, Any]:
    """Return ``span`` with 1-based lines and columns (code points) and 0-based offsets; the end is
    exclusive.
    """
    file = files.get(span.path)
    found: dict[str, Any] = {"path": span.path}
    if file is None:
        return found
    for name, offset in (("start", span.start), ("end", span.end)):
        line, column = file.position(min(offset, len(file.text)))
        found[name] = {"line": line, "column": column, "offset": offset}
    return found
