"""Did-you-mean: the candidate nearest to a misspelt name, chosen the same way on every run."""

from __future__ import annotations

from collections.abc import Iterable


def edit_distance(left: str, right: str, limit: int) -> int:
    """Return how many inserts, deletes, replacements or swaps of neighbours turn ``left`` into
    ``right``.

    Counting stops early; a distance over ``limit`` comes back as ``limit + 1``.
    """
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, start=1):
        before, above = row, before
        row = [i]
        for j, b in enumerate(right, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, above[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
    return min(row[-1], limit + 1)


def closest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that ``name`` most likely means, or None when none is near.

    A third of the letters may differ (at least one, at most three); case differences count for
    nothing. Equal
    distances go to the candidate that shares the longer start, then to the alphabetically first.
    """
    folded = name.lower()
    limit = min(3, max(1, len(folded) // 3))
    best: tuple[int, int, str] | None = None
    for candidate in candidates:
        if candidate == name:
            continue
        other = candidate.lower()
        distance = edit_distance(folded, other, limit)
        if distance > limit or distance >= max(len(folded), len(other)):
            continue
        shared = 0
        for a, b in zip(folded, other, strict=False):
            if a != b:
                break
            shared += 1
        rank = (distance, -shared, candidate)
        if best is None or rank < best:
            best = rank
    return best[2] if best else None
