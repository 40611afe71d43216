"""Did-you-mean: the known name that a misspelt one most likely stands for."""

from __future__ import annotations

from collections.abc import Iterable

MAX_CANDIDATES = 5_000
"""More names than this are not compared: a message must not take longer than the check."""


def closest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate nearest to ``name``, or None if none is near; equal distances go by the
    alphabet.
    """
    best: tuple[int, str] | None = None
    folded = name.casefold()
    allowed = max(1, (len(name) + 1) // 3)
    for count, candidate in enumerate(sorted(set(candidates))):
        if count >= MAX_CANDIDATES:
            break
        if candidate == name or abs(len(candidate) - len(name)) > allowed:
            continue
        found = distance(folded, candidate.casefold(), allowed)
        if found <= allowed and (best is None or found < best[0]):
            best = (found, candidate)
    return None if best is None else best[1]


def distance(left: str, right: str, limit: int) -> int:
    """Count the insertions, deletions, replacements and swaps of neighbours between two words.

    Stops early with a number above ``limit`` once the words are further apart than that.
    """
    before: list[int] = []
    previous = list(range(len(right) + 1))
    for row, mine in enumerate(left, 1):
        current = [row]
        for column, theirs in enumerate(right, 1):
            cost = min(
                previous[column] + 1,
                current[column - 1] + 1,
                previous[column - 1] + (mine != theirs),
            )
            if row > 1 and column > 1 and mine == right[column - 2] and left[row - 2] == theirs:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        if min(current) > limit:
            return limit + 1
        before, previous = previous, current
    return previous[-1]
