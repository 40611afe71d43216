"""The formatter keeps every token, comment and meaning, and changes nothing the second time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from astrafs.cli.init import PROGRAM
from astrafs.diagnostics.model import Sink
from astrafs.source import SourceFile
from astrafs.syntax import ast
from astrafs.syntax.format import format_module
from astrafs.syntax.machine import machine
from astrafs.syntax.parse import parse_module
from astrafs.syntax.wrap import WIDTH
from tests.parity.generator import generate

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    path
    for place in ("features", "tests")
    for path in (ROOT / place).rglob("*.afs")
    if "errors" not in path.parts
)
UNREADABLE = ("rej-015-maxsize-on-row-window",)
"""Cases with a syntax error, which the formatter leaves as they are."""
OPERATORS = (" + ", " and ", " then ", " ?? ")


def parsed(text: str) -> ast.Module:
    """Return the tree of ``text``, which must be without errors."""
    sink = Sink()
    module = parse_module(SourceFile("a.afs", text), "a", sink)
    assert not sink.has_errors, list(sink)
    return module


def formatted(text: str) -> str:
    """Format ``text`` and check what must hold of every program."""
    once = format_module(SourceFile("a.afs", text))
    assert format_module(SourceFile("a.afs", once)) == once
    assert parsed(once) == parsed(text)
    assert comments(once) == comments(text)
    for line in once.splitlines():
        assert line == line.rstrip()
        code = line.split("#")[0].rstrip()
        if any(operator in code for operator in OPERATORS) and '"' not in code:
            assert len(code) <= WIDTH, line
    return once


def comments(text: str) -> list[str]:
    """Return the comments of ``text`` in order."""
    return [str(t).rstrip() for t in machine().scanner.scan(text) if t.type == "COMMENT"]


def shaken(text: str, draw: random.Random) -> str:
    """Return ``text`` with other white space, and comments where they may stand."""
    out: list[str] = []
    before = None
    for token in machine().scanner.scan(text):
        if before is not None:
            if before.type == "COMMENT" or token.type == "COMMENT":
                out.append("\n" * draw.randint(1, 3))
            elif before.end_pos != token.start_pos:
                out.append(draw.choice([" ", " ", "   ", "\n", "\n\n\n ", "  # note\n"]))
        out.append(str(token))
        before = token
    return "".join(out)


def widened(text: str, draw: random.Random) -> str:
    """Return ``text`` with names so long that lines must break."""
    names = {
        str(t) for t in machine().scanner.scan(text) if t.type == "NAME" and str(t)[0].islower()
    }
    long = {name for name in sorted(names) if "{" not in name and draw.random() < 0.5}
    out: list[str] = []
    at = 0
    for token in machine().scanner.scan(text):
        out.append(text[at : token.start_pos])
        out.append(f"{token}_{'x' * (46 - len(token))}" if str(token) in long else str(token))
        at = token.end_pos
    return "".join([*out, text[at:]])


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_files_of_this_repository_are_in_the_style(path: Path) -> None:
    text = path.read_bytes().decode("utf-8")
    assert format_module(SourceFile("a.afs", text)) == text


def test_new_projects_are_in_the_style() -> None:
    assert formatted(PROGRAM) == PROGRAM


@pytest.mark.parametrize("seed", range(12))
def test_generated_programs(seed: int) -> None:
    draw = random.Random(seed)
    for file in generate(seed).files():
        formatted(file.text)
        formatted(shaken(file.text, draw))
        formatted(shaken(widened(file.text, draw), draw))


@pytest.mark.parametrize("seed", range(12))
def test_real_programs_with_other_white_space(seed: int) -> None:
    draw = random.Random(seed)
    for path in draw.sample(FILES, 4):
        text = path.read_bytes().decode("utf-8")
        if path.parent.name in UNREADABLE:
            continue
        formatted(shaken(text, draw))
        formatted(shaken(widened(text, draw), draw))
