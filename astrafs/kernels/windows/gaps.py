"""Windows over rows of which long stretches are not at hand, only what they add up to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from astrafs.kernels.windows.matrix import JOINED
from astrafs.kernels.windows.slices import Input

Ints = npt.NDArray[np.int64]
Part = tuple[str, Input, int]

_HALF = 26
"""Totals of stretches are added up in two parts, so that no number of them is too large."""


class Gaps:
    """Stretches of rows of one entity, in order: the time of their last rows, and per part of a
    matrix (``Columns.parts``) its value for each whole stretch.
    """

    def __init__(self, lasts: Sequence[int], parts: dict[Part, Ints]) -> None:
        self.lasts = np.asarray(lasts, dtype=np.int64)
        self._extremes = {part: one for part, one in parts.items() if part[0] in JOINED}
        self._sums = {
            part: (_running(one >> _HALF), _running(one & ((1 << _HALF) - 1)))
            for part, one in parts.items()
            if part[0] not in JOINED
        }

    def before(self, instant: int | None) -> int:
        """Return how many stretches end before ``instant``."""
        return 0 if instant is None else int(np.searchsorted(self.lasts, instant))

    def total(self, part: Part, low: int, high: int) -> int:
        """Return what the stretches ``low`` to ``high`` add up to."""
        top, bottom = self._sums[part]
        upper, lower = int(top[high]) - int(top[low]), int(bottom[high]) - int(bottom[low])
        return (upper << _HALF) + lower

    def extreme(self, part: Part, low: int, high: int, *, floats: bool) -> Any:
        """Return the extreme of the stretches ``low`` to ``high``, of which there are some."""
        bits = self._extremes[part][low:high]
        return JOINED[part[0]].reduce(bits.view(np.float64) if floats else bits).item()


def _running(values: Ints) -> Ints:
    return np.concatenate(([0], np.cumsum(values)))
