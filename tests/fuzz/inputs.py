"""Damaged projects: mutations of valid ones, token soup, bytes; the same for the same seed."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from astrafs.cli.explain import example_files
from astrafs.diagnostics.codes import ALL
from astrafs.diagnostics.codes.names import TOO_LARGE

ROOT = Path(__file__).resolve().parents[2]
MOST_CHARACTERS = 6_000
TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
BLOCK = re.compile(r"^```(?:afs|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ODD = (
    *("\x00", "\t", "\r", "\n", "\x1b", "\u202e", "\ufeff", "\u00a0", "\ud7ff"),
    *("\u00e9", "\u6f22", "\U0001d4b3", "0x", "1e999", "99999999999999999999", ".5", "5.", "-0"),
    *("2026-13-45", "2026-01-01T25:00:00Z", "7d7d", "999999999999w", '"', "'", "`", "\\"),
    *("\\u{", "\\u{110000}", "##", "#", "@", "{w}", "{", "}", "[", "]", "(", ")", ",", ";", ":"),
    *("?", "??", "//", "**", "==", "=", "-", "->", "over", "every", "offset", "within", "last"),
    *("all", "next", "since", "null", "decimal(38, 0)", "1678-01-01", "9223372036854775807"),
    *("session gap", "by", "each", "vector[3]", "map[string, int]", "list[int?]", "request"),
)

Project = tuple[tuple[str, bytes], ...]
"""Paths and contents."""
Texts = tuple[tuple[str, str], ...]


@cache
def corpus() -> tuple[Texts, ...]:
    """Return valid and nearly valid projects: the examples of the codes, every ``.afs`` file of
    this repository and every program in the pages about the language and in the golden files.
    """
    found: set[Texts] = set()
    for code in ALL.values():
        for example in (code.good, code.bad) if code is not TOO_LARGE else ():
            if example:
                found.add(tuple((file.path, file.text) for file in example_files(example)))
    for place in ("features", "tests"):
        for path in (ROOT / place).rglob("*.afs"):
            if "hostile" not in path.parts:
                found.add((("fuzz.afs", path.read_bytes().decode("utf-8", "replace")),))
    for place in ("docs/language", "tests/golden"):
        for path in (ROOT / place).rglob("*.md"):
            for text in BLOCK.findall(path.read_text(encoding="utf-8")):
                found.add((("fuzz.afs", text),))
    return tuple(sorted(project for project in found if any(text.strip() for _, text in project)))


@cache
def heavy() -> tuple[Texts, ...]:
    """Return projects at a limit of the language, which take a second or more."""
    return (tuple((file.path, file.text) for file in example_files(TOO_LARGE.bad)),)


@cache
def words() -> tuple[str, ...]:
    """Return every word and sign of the corpus, and the odd ones."""
    found = {token for project in corpus() for _, text in project for token in TOKEN.findall(text)}
    return (*sorted(found), *ODD)


def make(seed: int) -> Project:
    """Return the project of ``seed``."""
    draw = random.Random(seed)
    kind = draw.random()
    if kind < 0.07:
        return _single(soup(draw))
    if kind < 0.11:
        return _single(nested(draw))
    if kind < 0.14:
        return _single("".join(chr(draw.randrange(1, 0x2FF)) for _ in range(draw.randrange(400))))
    if kind < 0.17:
        return (("fuzz.afs", draw.randbytes(draw.randrange(400))),)
    project = list(draw.choice(heavy() if kind > 0.999 else corpus()))
    for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
        at = draw.randrange(len(project))
        path, text = project[at]
        project[at] = (path, mutate(text, draw))
    damaged = [(path, text[:MOST_CHARACTERS].encode("utf-8")) for path, text in project]
    if kind < 0.20:
        path, data = damaged[0]
        place = draw.randrange(len(data) + 1)
        damaged[0] = (path, data[:place] + draw.randbytes(draw.randrange(1, 4)) + data[place:])
    return tuple(damaged)


def _single(text: str) -> Project:
    return (("fuzz.afs", text.encode("utf-8", "replace")),)


def shown(project: Project) -> str:
    """Return the project as text, for people."""
    return "\n".join(
        f"# file: {path}\n{data.decode('utf-8', 'backslashreplace')}" for path, data in project
    )


def soup(draw: random.Random) -> str:
    """Return tokens in no order."""
    return " ".join(draw.choice(words()) for _ in range(draw.randrange(300)))


def nested(draw: random.Random) -> str:
    """Return an expression that nests or chains far."""
    depth = draw.choice((10, 63, 64, 65, 255, 256, 257, 2_000))
    opening, closing = draw.choice(
        (("(", ")"), ("[", "]"), ("if a then ", " else b"), ("-", ""), ("not ", ""), ("a + ", ""))
    )
    body = opening * depth + "a" + closing * (depth - draw.choice((0, 0, 0, 1)))
    head = 'owner "x"\n\nentity E { k: int }\n\n'
    return f"{head}features for E {{\n  ## Doc.\n  f: int = {body}\n}}\n"


def mutate(text: str, draw: random.Random) -> str:
    """Return ``text`` with one token or line removed, doubled, swapped, replaced or inserted."""
    tokens = TOKEN.findall(text)
    if not tokens:
        return draw.choice(words())
    at = draw.randrange(len(tokens))
    match draw.randrange(8):
        case 0:
            del tokens[at]
        case 1:
            tokens.insert(at, tokens[at])
        case 2:
            other = draw.randrange(len(tokens))
            tokens[at], tokens[other] = tokens[other], tokens[at]
        case 3:
            tokens[at] = draw.choice(words())
        case 4:
            tokens.insert(at, draw.choice(words()))
        case 5:
            return moved(text.split("\n"), draw)
        case 6:
            return spliced(text.split("\n"), draw)
        case _:
            place = draw.randrange(len(text) + 1)
            return text[:place] + draw.choice(ODD) + text[place + draw.randrange(4) :]
    return "".join(tokens)


def moved(lines: Sequence[str], draw: random.Random) -> str:
    """Return the lines with some of them cut out, doubled or put elsewhere."""
    start = draw.randrange(len(lines))
    end = min(len(lines), start + draw.randrange(1, 8))
    cut = list(lines[start:end])
    rest = [*lines[:start], *lines[end:]]
    place = draw.randrange(len(rest) + 1)
    return "\n".join([*rest[:place], *cut * draw.randrange(3), *rest[place:]])


def spliced(lines: Sequence[str], draw: random.Random) -> str:
    """Return the lines with some of another program among them."""
    _, other = draw.choice(draw.choice(corpus()))
    pieces = other.split("\n")
    start = draw.randrange(len(pieces))
    place = draw.randrange(len(lines) + 1)
    return "\n".join(
        [*lines[:place], *pieces[start : start + draw.randrange(1, 6)], *lines[place:]]
    )
