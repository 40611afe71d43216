"""The programs that go with the codes, and the stages that the codes are grouped by."""

from __future__ import annotations

import re

from astrafs.source import SourceFile

STAGES = {
    "00": "command line",
    "01": "syntax",
    "02": "names",
    "03": "types",
    "04": "windows",
    "05": "leakage",
    "06": "plan",
    "07": "backend",
    "08": "registry",
    "09": "runs, data and project files",
    "10": "online serving",
    "11": "the HTTP server",
}
"""What the first two digits of a code mean."""


def example_files(text: str, first: str = "example.afs") -> tuple[SourceFile, ...]:
    """Part an example into its files: a line ``# file: path.afs`` starts each further one."""
    parts = re.split(r"^# file: (\S+)[ \t]*\n", text.lstrip("\n"), flags=re.MULTILINE)
    names = [first, *parts[1::2]]
    texts = [parts[0], *parts[2::2]]
    found = [
        SourceFile(name, body) for name, body in zip(names, texts, strict=True) if body.strip()
    ]
    return tuple(sorted(found, key=lambda file: file.path))
