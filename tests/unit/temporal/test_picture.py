"""Pictures of footprints."""

from __future__ import annotations

import pytest

from astrafs.temporal.footprint import Reading
from astrafs.temporal.interval import ALWAYS, Interval
from astrafs.temporal.picture import footprint_picture
from astrafs.typesys import DURATION_UNITS

DAY, HOUR = DURATION_UNITS["d"], DURATION_UNITS["h"]
WEEK = Reading("m.events", Interval(-7 * DAY, 0, True, False))


def test_nothing_is_read() -> None:
    assert footprint_picture(()) == ["nothing: it is a function of its key and of t"]


@pytest.mark.parametrize(
    ("reading", "bar"),
    [
        (WEEK, "[=============)"),
        (Reading("m.e", Interval(-DAY, 0, False, True)), "(=============]"),
        (Reading("m.e", Interval(None, 0, False, False)), "<===)"),
        (Reading("m.e", Interval(-DAY, 0, True, False), known="delay 1h", delay=HOUR), "~)"),
        (Reading("m.e", Interval(0, DAY, True, False), ahead=True), "[=============)"),
        (Reading("m.e", Interval(0, 0, True, True)), "|"),
    ],
)
def test_bars(reading: Reading, bar: str) -> None:
    lines = footprint_picture((reading,))
    assert bar in lines[1]
    assert lines[1].startswith(reading.source)


def test_every_bar_ends_at_t_on_the_axis() -> None:
    lines = footprint_picture((WEEK, Reading("m.more", Interval(-DAY, 0, True, False))))
    axis, week, day = lines
    assert week.index(")") == day.index(")") == axis.index(" t", axis.index("t-1d")) + 1
    assert day.index("[") == axis.index("t-1d")


def test_static_tables_say_why() -> None:
    (line,) = footprint_picture((Reading("m.codes", ALWAYS, static="codes do not change"),))
    assert line == "m.codes  at any time: codes do not change"


def test_many_moments_keep_to_the_width() -> None:
    many = [Reading(f"m.s{n}", Interval(-n * HOUR, 0, True, False)) for n in range(1, 40)]
    lines = footprint_picture(many, 100)
    assert len(lines) == 40
    assert lines[0].rstrip().endswith("t")
