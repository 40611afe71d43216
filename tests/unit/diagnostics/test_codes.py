"""Every code's ``bad`` program raises exactly that code, once, and its ``good`` program nothing."""

from __future__ import annotations

import pytest

from astrafs.diagnostics import codes
from astrafs.diagnostics.model import Code, Severity, Sink
from astrafs.driver import compile_project
from astrafs.source import SourceFile

COMPILED = [code for code in codes.ALL.values() if not code.runtime]
FILE_LINE = "# file: "


def files_of(program: str) -> list[SourceFile]:
    """Split a program at its ``# file: path`` lines; the first part is ``main.afs``."""
    found: dict[str, list[str]] = {"main.afs": []}
    lines = found["main.afs"]
    for line in program.split("\n"):
        if line.startswith(FILE_LINE):
            lines = found.setdefault(line.removeprefix(FILE_LINE).strip(), [])
        else:
            lines.append(line)
    return [SourceFile(path, "\n".join(part) + "\n") for path, part in found.items()]


def diagnostics_of(program: str) -> list[tuple[str, str]]:
    """Compile a program; (code, title) of everything reported."""
    sink = Sink()
    compile_project(files_of(program), sink)
    return [(found.code.id, found.title) for found in sink]


@pytest.mark.parametrize("code", COMPILED, ids=lambda code: code.id)
def test_bad_program_raises_its_code_once(code: Code) -> None:
    found = diagnostics_of(code.bad)
    assert [id_ for id_, _ in found] == [code.id], found


@pytest.mark.parametrize("code", COMPILED, ids=lambda code: code.id)
def test_good_program_is_clean(code: Code) -> None:
    assert diagnostics_of(code.good) == []


@pytest.mark.parametrize("code", codes.ALL.values(), ids=lambda code: code.id)
def test_code_is_documented(code: Code) -> None:
    assert code.title
    assert not code.title.endswith(".")
    assert len(code.explain) > 20
    assert code.runtime or (code.bad and code.good)
    assert code.severity in (Severity.ERROR, Severity.WARNING)
