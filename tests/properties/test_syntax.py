"""Whatever the text, parsing ends, with coded and located problems and a tree of bounded depth."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astrafs.diagnostics import codes
from astrafs.diagnostics.model import Sink
from astrafs.source import SourceFile, Span
from astrafs.syntax import ast
from astrafs.syntax.characters import decode
from astrafs.syntax.parse import parse_module
from astrafs.syntax.report import MOST_ERRORS
from astrafs.syntax.words import RESERVED, SOFT, SPELLING

EVERYTHING = (Path(__file__).parents[1] / "unit/syntax/everything.afs").read_text("utf-8")
WORDS = sorted(RESERVED | SOFT)
PIECES = [
    *WORDS,
    *SPELLING.values(),
    *("x", "amount", "User", "name_{w}", "`from`", "7d", "7", "1.5", "2026-01-01", "@2", "@owner"),
    *(
        '"text"',
        '"open',
        "'q'",
        "count(",
        "==",
        "<",
        "!",
        "&&",
        ";",
        "$",
        "\u00e9",
        "\n",
        "##",
        "# c",
    ),
    *("2026-01-01T00:00:00Z", "x: int =", "features for User {", "}", "SELECT", "\u202e", "\t"),
]


def parse(text: str) -> tuple[ast.Module, list]:
    """Parse and check what must hold for every text."""
    sink = Sink()
    file = SourceFile("soup.afs", text)
    module = parse_module(file, "soup", sink)
    found = list(sink)
    assert len(found) <= MOST_ERRORS
    for diagnostic in found:
        assert codes.ALL[diagnostic.code.id] is diagnostic.code
        assert diagnostic.code.id.startswith("AFS01")
        if diagnostic.primary is not None:
            assert 0 <= diagnostic.primary.span.start <= diagnostic.primary.span.end <= len(text)
    return module, found


def depth(node: object) -> int:
    """Return the height of a tree without recursion."""
    deepest = 0
    stack: list[tuple[object, int]] = [(node, 1)]
    while stack:
        item, level = stack.pop()
        deepest = max(deepest, level)
        if isinstance(item, tuple):
            stack.extend((part, level) for part in item)
        elif hasattr(type(item), "__slots__") and type(item).__module__ == ast.__name__:
            stack.extend((getattr(item, name), level + 1) for name in type(item).__slots__)
    return deepest


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=60).map(" ".join))
def test_any_words_give_coded_problems(text: str) -> None:
    parse(text)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80))
def test_any_text_gives_coded_problems(text: str) -> None:
    parse(text)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_give_coded_problems(data: bytes) -> None:
    sink = Sink()
    file = decode("soup.afs", data, sink)
    if file is None:
        assert len(sink) == 1
        assert sink.has_errors
    else:
        parse(file.text)


def _mutate(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text))
        match rng.randrange(4):
            case 0:
                text = text[:at] + text[at + rng.randint(1, 12) :]
            case 1:
                text = text[:at] + " " + rng.choice(PIECES) + " " + text[at:]
            case 2:
                other = rng.randrange(len(text))
                text = text[:at] + text[other : other + 30] + text[at:]
            case _:
                text = text[:at] + rng.choice("(){}[]\"'`.,:;=<>!@#%^&*-+/?|~\\") + text[at + 1 :]
    return text


@pytest.mark.parametrize("seed", range(12))
def test_mutated_programs_give_coded_problems(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(20):
        text = _mutate(EVERYTHING, rng)
        module, found = parse(text)
        assert found or module.declarations
        assert depth(module) < 400


def test_same_text_same_result() -> None:
    rng = random.Random(7)
    for _ in range(10):
        text = _mutate(EVERYTHING, rng)
        assert parse(text) == parse(text)


@pytest.mark.parametrize(
    "piece",
    ["(", ")", "{", "}", "[", "- ", "not ", "if ", "if a then ", "a.", "x + ", "1 ?? ", "f(",
     '"', "'",
     "`", "#", "##\n", "@", "features for User { ", "for w in [1d] { ", "list[", "a: int = ",
     "view v ",
     "count() over ", "${", ";", ", ", "\u202e", "\x00", "9", "f(a + a, ", "\u00e9 ", "x: ", "&& "],
)  # fmt: skip
def test_long_repetitions_end_soon(piece: str) -> None:
    prefix = "const c = " if piece[0].isalnum() or piece[0] in "([-" else ""
    start = time.process_time()
    module, found = parse(prefix + piece * (60_000 // len(piece)))
    assert time.process_time() - start < 60
    assert depth(module) < 400
    assert found or piece in ("#", "##\n", "@", "view v ")


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 64), st.integers(1, 256), st.sampled_from(["sum", "nest", "minus", "if", "or"])
)
def test_trees_within_the_limits_are_bounded(nesting: int, chain: int, kind: str) -> None:
    expression = {
        "sum": "1" + " + 1" * chain,
        "nest": "f(" * nesting + "1" + " + 1)" * nesting,
        "minus": "- " * chain + "x",
        "if": "if a then b else " * chain + "c",
        "or": "a or (" * min(nesting, 63) + "b" + ")" * min(nesting, 63),
    }[kind]
    module, _ = parse(f"const c = {expression}")
    assert depth(module) < 400


def test_spans_lie_inside_each_other() -> None:
    module, found = parse(EVERYTHING)
    assert not found
    stack: list[tuple[object, Span]] = [(module, module.span)]
    while stack:
        item, outer = stack.pop()
        if isinstance(item, tuple):
            stack.extend((part, outer) for part in item)
        elif type(item).__module__ == ast.__name__:
            span = item.span  # type: ignore[attr-defined]
            assert outer.start <= span.start < span.end <= outer.end, item
            stack.extend(
                (getattr(item, name), span) for name in type(item).__slots__ if name != "span"
            )
