"""Damaged programs: mutations of valid ones, token soup, bytes; the same for the same seed."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from astrafs.cli.explain import example_files
from astrafs.diagnostics.codes import ALL

ROOT = Path(__file__).resolve().parents[2]
MOST_CHARACTERS = 6_000
TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
ODD = (
    *("\x00", "\t", "\r", "\n", "\x1b", "\u202e", "\ufeff", "\u00a0", "\ud7ff"),
    *("\u00e9", "\u6f22", "\U0001d4b3", "0x", "1e999", "99999999999999999999", ".5", "5.", "-0"),
    *("2026-13-45", "2026-01-01T25:00:00Z", "7d7d", "999999999999w", '"', "'", "`", "\\"),
    *("\\u{", "\\u{110000}", "##", "#", "@", "{w}", "{", "}", "[", "]", "(", ")", ",", ";", ":"),
    *("?", "??", "//", "**", "==", "=", "-", "->", "over", "every", "offset", "within", "last"),
    *("all", "next", "since", "null"),
)


@cache
def corpus() -> tuple[str, ...]:
    """Return valid and nearly valid programs: the examples of the codes and the demo's files."""
    texts = [
        file.text
        for code in ALL.values()
        for example in (code.good, code.bad)
        if example
        for file in example_files(example)
    ]
    demo = sorted((ROOT / "features").rglob("*.afs"))
    texts += [path.read_text(encoding="utf-8") for path in demo]
    return tuple(sorted({text for text in texts if text.strip()}))


@cache
def words() -> tuple[str, ...]:
    """Return every word and sign of the corpus, and the odd ones."""
    found = {token for text in corpus() for token in TOKEN.findall(text)}
    return (*sorted(found), *ODD)


def make(seed: int) -> str:
    """Return the program of ``seed``."""
    draw = random.Random(seed)
    kind = draw.random()
    if kind < 0.08:
        return soup(draw)
    if kind < 0.12:
        return nested(draw)
    if kind < 0.16:
        return "".join(chr(draw.randrange(1, 0x2FF)) for _ in range(draw.randrange(400)))
    text = draw.choice(corpus())
    for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
        text = mutate(text, draw)
    return text[:MOST_CHARACTERS]


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
    match draw.randrange(7):
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
