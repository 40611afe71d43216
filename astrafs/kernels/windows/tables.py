"""Extremes of any number of windows, whatever their lengths: the best of every run of 2**n rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int64] | npt.NDArray[np.float64]


def extremes(numbers: Numbers, lows: Ints, highs: Ints, *, greatest: bool) -> Numbers:
    """Return the extreme of the rows ``lows`` to ``highs`` of each question; 0 where there are
    none.

    Runs of twice the length are made of those before, one length at a time, and serve the windows
    that two of them cover: so memory holds two rows of runs.
    """
    best: Any = np.maximum if greatest else np.minimum
    lengths = highs - lows
    # Windows of 2**n to 2**(n + 1) - 1 rows are two runs of 2**n.
    levels = np.frexp(lengths.astype(np.float64))[1] - 1
    found: Any = np.zeros(len(lows), dtype=numbers.dtype)
    runs: Numbers = numbers
    for level in range(int(levels.max(initial=-1)) + 1):
        if level:
            step = 1 << (level - 1)
            runs = best(runs[:-step], runs[step:])
        mine = np.flatnonzero(levels == level)
        if len(mine):
            found[mine] = best(runs[lows[mine]], runs[highs[mine] - (1 << level)])
    answers: Numbers = found
    return answers
