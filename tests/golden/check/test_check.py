"""Golden cases of ``astrafs check``: each ``.md`` holds a program and what is reported about it.

A case has an ``afs`` block (``# file: path`` starts a further file) and a ``diagnostics`` block.
``ASTRAFS_REWRITE_GOLDEN=1`` rewrites the second from what the compiler says now.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from astrafs.diagnostics.model import Diagnostic, Sink
from astrafs.driver import compile_project
from astrafs.source import SourceFile, Span

HERE = Path(__file__).parent
CASES = sorted(HERE.glob("*.md"))
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
FILE_LINE = "# file: "


def files_of(program: str) -> list[SourceFile]:
    """Split a program at its ``# file: path`` lines."""
    found: dict[str, list[str]] = {"main.afs": []}
    lines = found["main.afs"]
    for line in program.split("\n"):
        if line.startswith(FILE_LINE):
            lines = found.setdefault(line.removeprefix(FILE_LINE).strip(), [])
        else:
            lines.append(line)
    return [SourceFile(path, "\n".join(part)) for path, part in found.items()]


def place(span: Span, files: dict[str, SourceFile]) -> str:
    """Print a span as ``line:column `text```."""
    file = files[span.path]
    line, column = file.position(span.start)
    text = " ".join(file.text[span.start : span.end].split())
    name = "" if span.path == "main.afs" else f"{span.path}:"
    return f"{name}{line}:{column} `{text}`"


def shown(found: Diagnostic, files: dict[str, SourceFile]) -> str:
    """Print a diagnostic with all its parts."""
    lines = [f"{found.code.id} {found.title}"]
    if found.primary is not None:
        lines.append(f"  at {place(found.primary.span, files)}: {found.primary.text}")
    lines += [f"  at {place(label.span, files)}: {label.text}" for label in found.labels]
    lines += [f"  note: {note}" for note in found.notes]
    lines += [f"  help: {text}" for text in found.helps]
    return "\n".join(lines)


def report(program: str) -> str:
    """Compile a program and print everything reported."""
    files = files_of(program)
    sink = Sink()
    compile_project(files, sink)
    by_path = {file.path: file for file in files}
    return "\n".join(shown(found, by_path) for found in sink) or "clean"


def test_there_are_cases() -> None:
    assert len(CASES) >= 10


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_reported_as_written(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    blocks = dict(BLOCK.findall(text))
    actual = report(blocks["afs"]) + "\n"
    if os.environ.get("ASTRAFS_REWRITE_GOLDEN"):
        head = text[: text.index("```diagnostics\n")] if "```diagnostics" in text else text + "\n"
        path.write_text(f"{head}```diagnostics\n{actual}```\n", encoding="utf-8")
        return
    assert blocks["diagnostics"] == actual
