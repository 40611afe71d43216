"""Windows over sorted rows: every aggregate of many windows, for many questions, in one sweep.

A :class:`Frame` holds the rows of one or more entities side by side: event times, rising within an
entity (rows of one time in the order of their keys), the offsets of the entities, and the columns
that aggregates read, as Arrow arrays in the engine's types (``kernels.arrow_types``: times and
durations are int64 microseconds, dates int64 days)::

    frame = Frame(times, columns, offsets=offsets, known=Delay(0))
    sweep = Sweep((Call("mean", (), (FLOAT,), FLOAT, Input((0,), where=1), RangeWindow(DAY)), ...))
    outputs = sweep.many(frame, entities, times_asked)   # one Arrow array per call, in order

``entities`` (int64, -1: a key without rows) and ``times_asked`` (int64) are the questions; they may
repeat and come in any order. All edges of all windows are located together, the exact totals at the
edges are gathered at once, and finished by the arithmetic that also finishes the totals of DuckDB.

``known`` says which rows a question at ``t`` may see: ``Delay(d)`` those with ``e + d <= t``, an
array of knowledge times those with ``k <= t`` (it must rise with the rows: ``Frame.rising`` tells),
``None`` all of them. Where rows become visible in another order, ask a frame of the visible rows
only (``Frame.visible``).

A frame remembers what it computed, so it may be asked again and by several sweeps; frames and
sweeps are safe to share between threads. ``sweep.one(frame, t)`` answers one question about a frame
of one entity as Python values, ``sweep.stacked(frames, times_asked)`` one question about each frame
of a list. Overflow of a sum raises :class:`astrafs.values.errors.ValueFailure`.
"""

from __future__ import annotations

from astrafs.kernels.windows.edges import (
    CalendarWindow,
    LastWindow,
    RangeWindow,
    SessionWindow,
    SinceWindow,
    Window,
)
from astrafs.kernels.windows.frame import Delay, Frame, Input
from astrafs.kernels.windows.slices import Call
from astrafs.kernels.windows.sweep import Sweep

__all__ = [
    "CalendarWindow",
    "Call",
    "Delay",
    "Frame",
    "Input",
    "LastWindow",
    "RangeWindow",
    "SessionWindow",
    "SinceWindow",
    "Sweep",
    "Window",
]
