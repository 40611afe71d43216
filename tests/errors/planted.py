"""Programs with planted mistakes: each is marked at the end of its line by ``#! AFS0301``.

Several codes on a line are several mistakes. Where the end of the line cannot hold a comment,
``#!next AFS0105`` stands on the line before.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.source import SourceFile

FILES = Path(__file__).parent / "multi"
MARK = re.compile(r"#!(next)? ((?:AFS\d{4} ?)+)$", re.MULTILINE)

Place = tuple[int, str]
"""A line, counted from 1, and a code."""


@dataclass(frozen=True, slots=True)
class Result:
    """One program: how many mistakes it has, those not reported, and what else was reported."""

    name: str
    planted: int
    missed: tuple[Place, ...]
    unexpected: tuple[Place, ...]


def marks(text: str) -> Counter[Place]:
    """Return the mistakes that ``text`` is marked to have."""
    found: Counter[Place] = Counter()
    for number, line in enumerate(text.split("\n"), 1):
        mark = MARK.search(line)
        if mark is not None:
            line_meant = number + (mark[1] is not None)
            found.update((line_meant, code) for code in mark[2].split())
    return found


def examine(path: Path) -> Result:
    """Compile the program once and compare what was reported with what was planted."""
    file = SourceFile(path.name, path.read_text(encoding="utf-8"))
    planted = marks(file.text)
    sink = Sink()
    compile_project([file], sink)
    reported = Counter(
        (file.position(found.primary.span.start)[0] if found.primary else 0, found.code.id)
        for found in sink
    )
    return Result(
        path.name,
        planted.total(),
        tuple(sorted((planted - reported).elements())),
        tuple(sorted((reported - planted).elements())),
    )


def all_results() -> Iterator[Result]:
    """Examine every program of the set."""
    return map(examine, sorted(FILES.glob("*.afs")))
