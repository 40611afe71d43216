"""Names for problems that services keep over many runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from astrafs.diagnostics.model import Diagnostic
from astrafs.source import SourceFile


class Fingerprints:
    """Names each diagnostic of one report by its code, title, path and the text of its line, so
    that the name survives moves within the file; equal ones are numbered.
    """

    def __init__(self, files: Mapping[str, SourceFile]) -> None:
        self._files = files
        self._seen: dict[str, int] = {}

    def of(self, found: Diagnostic) -> str:
        """Return 32 hexadecimal digits."""
        parts = [found.code.id, found.title]
        if found.primary is not None:
            span = found.primary.span
            parts.append(span.path)
            file = self._files.get(span.path)
            if file is not None:
                line = file.position(min(span.start, len(file.text)))[0]
                parts.append(file.line_text(line).strip())
        key = "\0".join(parts)
        self._seen[key] = self._seen.get(key, 0) + 1
        return hashlib.sha256(f"{key}\0{self._seen[key]}".encode()).hexdigest()[:32]
