"""Small things that messages say alike."""

from __future__ import annotations

LONGEST_LIST = 5
"""A message names at most so many alternatives; more are not read."""


def count(number: int, word: str) -> str:
    """Return ``1,204 rows``, ``1 row``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"
