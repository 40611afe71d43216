"""Draws a few events on a time axis with the window over them, and a table of their values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from astrafs.record import dataclass
from astrafs.temporal.interval import Interval, moment

if TYPE_CHECKING:
    from astrafs.leakage.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Mark:
    """Something at ``t + at`` (microseconds): a row (``*``), t itself (``|``), a change (``o``)."""

    at: int
    sign: str
    caption: str


@dataclass(frozen=True, slots=True)
class Story:
    """A counterexample: marks on the axis, the window, the rows' values, and what comes of them.

    ``columns`` head the table whose ``rows`` follow; ``outcome`` are the closing lines.
    """

    marks: tuple[Mark, ...]
    window: Interval | None
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    outcome: tuple[str, ...]
    scenario: Scenario | None = None


def draw(story: Story) -> str:
    """Return the picture as lines of ASCII text."""
    lines = _axis(story.marks, story.window) if story.marks else []
    if story.rows:
        lines += ["", *_table(story.columns, story.rows)]
    return "\n".join(line.rstrip() for line in [*lines, "", *story.outcome]).strip("\n") + "\n"


def _axis(marks: Sequence[Mark], window: Interval | None) -> list[str]:
    """Draw moments above the axis, not to scale, and captions below it; the window is ``=``."""
    signs: dict[int, str] = {}
    captions: dict[int, list[str]] = {}
    edges: list[Mark] = []
    if window is not None:
        for at, sign in (
            (window.low, "[" if window.low_closed else "("),
            (window.high, "]" if window.high_closed else ")"),
        ):
            if at is not None:
                edges.append(Mark(at, sign, ""))
    for mark in sorted((*edges, *marks), key=lambda mark: mark.at):
        taken = signs.get(mark.at)
        signs[mark.at] = mark.sign if taken in (None, "|") else taken or mark.sign
        if mark.caption:
            captions.setdefault(mark.at, []).append(mark.caption)
    top, axis, bottom = "  ", _fill(None, min(signs), window) * 2, "  "
    previous: int | None = None
    for at in sorted(signs):
        if previous is not None:
            axis += _fill(previous, at, window) * (len(top) - len(axis))
        label, caption = moment(at), ", ".join(captions.get(at, ()))
        width = max(len(label), len(caption), 4) + 3
        top += label.ljust(width)
        axis += signs[at]
        bottom += caption.ljust(width)
        previous = at
    axis += _fill(previous, None, window) * (len(top) - len(axis)) + "> time"
    return [top, axis, bottom]


def _fill(left: int | None, right: int | None, window: Interval | None) -> str:
    """Return the line between two neighbouring moments: ``=`` inside the window."""
    if window is None:
        return "-"
    after = window.low is None or (left is not None and left >= window.low)
    before = window.high is None or (right is not None and right <= window.high)
    return "=" if after and before else "-"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in (head, *rows)
    ]
