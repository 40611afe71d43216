"""The rows of one entity key as questions see them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from astrafs.kernels.windows import Frame, Sweep
from astrafs.record import dataclass

FOR_EVER = 2**63 - 1
_REMEMBERED = 4

Ints = npt.NDArray[np.int64]


@dataclass(slots=True)
class Row:
    """A kept row: its columns, event time e, knowledge time k, and ``until``: from then on a later
    revision counts in its place.
    """

    cells: Mapping[str, Any]
    event: int
    known: int
    until: int = FOR_EVER


class Segment:
    """The sorted rows of one key. ``until`` says per row from when another counts in its place
    (None: never).

    ``floor``: rows of events before it are not here, so only windows that begin there or later may
    be asked (None: all rows are here).
    """

    __slots__ = ("_seen", "_whole", "floor", "frame", "until")

    def __init__(self, frame: Frame, until: Ints | None = None, floor: int | None = None) -> None:
        self.frame = frame
        self.until = until
        self.floor = floor
        self._whole = frame if frame.known is None else Frame(frame.times, frame.columns)
        self._seen: OrderedDict[int, Frame] = OrderedDict()

    @property
    def large(self) -> bool:
        """Whether not all rows are at hand."""
        return False

    def one(self, sweep: Sweep, t: int, as_of: int) -> list[Any]:
        """Return the values of a sweep at ``t``."""
        return sweep.one(self.at(t, as_of), t)

    def at(self, t: int, as_of: int) -> Frame:
        """Return rows that hold every one visible at ``t`` among those known by ``as_of``, and what
        is needed to leave out the others.
        """
        frame, moment = self.frame, min(t, as_of)
        if self.until is None:
            if frame.settled <= moment:
                return self._whole
            if frame.rising and t <= as_of:
                return frame
        found = self._seen.get(moment)
        if found is None:
            found = self._seen[moment] = self._visible(moment)
            while len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
        return found

    def _visible(self, moment: int) -> Frame:
        kept = self.frame.known_by(moment)
        return self.frame.filtered(kept if self.until is None else kept & (self.until > moment))

    @property
    def nbytes(self) -> int:
        """The bytes that the rows and all that was computed of them take."""
        seen = sum(frame.nbytes for frame in list(self._seen.values()))
        return self.frame.nbytes + self._whole.nbytes + seen
