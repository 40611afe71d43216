"""Diagnostics as a Code Quality report, which GitLab shows beside a merge request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from astrafs.diagnostics.model import Diagnostic
from astrafs.diagnostics.render.fingerprint import Fingerprints
from astrafs.source import SourceFile

PROJECT_FILE = "astrafs.toml"
"""Stands for a problem without a place: the report wants one for each."""


def render(diagnostics: Sequence[Diagnostic], files: Mapping[str, SourceFile]) -> str:
    """Return the report: a JSON list with one object per diagnostic, ended by a line break."""
    names = Fingerprints(files)
    return json.dumps([_issue(found, files, names) for found in diagnostics], indent=2) + "\n"


def _issue(
    found: Diagnostic, files: Mapping[str, SourceFile], names: Fingerprints
) -> dict[str, Any]:
    text = found.title
    path, lines = PROJECT_FILE, {"begin": 1}
    if found.primary is not None:
        span = found.primary.span
        path = span.path
        if found.primary.text:
            text += f": {found.primary.text}"
        file = files.get(path)
        if file is not None:
            size = len(file.text)
            first = file.position(min(span.start, size))[0]
            last = file.position(min(max(span.end - 1, span.start), size))[0]
            lines = {"begin": first, "end": last}
    return {
        "description": " ".join(text.split()),
        "check_name": found.code.id,
        "fingerprint": names.of(found),
        "severity": "major" if found.is_error else "minor",
        "location": {"path": path, "lines": lines},
    }
