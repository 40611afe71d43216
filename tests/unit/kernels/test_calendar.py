"""Starts of calendar units: the walk back, the walk forward, and the clocks of the zones agree."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import numpy as np
import pytest

from astrafs.kernels.calendar import next_unit
from astrafs.values import calendar, zones

MINUTE = 60_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = (
    *("UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "America/Havana", "Africa/Cairo"),
    *("America/St_Johns", "Australia/Lord_Howe", "Antarctica/Troll"),  # odd moments and steps
    *("Pacific/Apia", "Pacific/Kwajalein", "Asia/Manila", "America/Juneau"),  # a day lost or twice
)


def instants(name: str) -> list[int]:
    """Moments around the changes of a zone and anywhere in time."""
    rng = random.Random(name)
    found = [rng.randint(-9_214_560_000, 9_214_646_399) * 1_000_000 for _ in range(60)]
    changes = zones.zone(name).starts[1:]
    for change in rng.sample(changes, min(12, len(changes))):
        found += [change, change - 1, change + 1]
        found += [change + rng.randint(-4_320, 4_320) * MINUTE for _ in range(8)]
    return found


def micros(text: str) -> int:
    return int((datetime.fromisoformat(text) - EPOCH).total_seconds() * 1_000_000)


@pytest.mark.parametrize("unit", calendar.UNITS)
@pytest.mark.parametrize("name", ZONES)
def test_units_follow_one_another(name: str, unit: str) -> None:
    moments = instants(name)
    following = next_unit(unit, name, np.asarray(moments, dtype=np.int64)).tolist()
    for moment, after in zip(moments, following, strict=True):
        start = calendar.start_of_unit(unit, name, moment)
        assert start <= moment < after
        assert calendar.start_of_unit(unit, name, after) == after
        assert calendar.start_of_unit(unit, name, after - 1) == start
        assert after - start <= calendar.longest(unit, name)


@pytest.mark.parametrize(
    ("unit", "zone", "moment", "start"),
    [
        ("day", "UTC", "2026-03-29T12:00:00Z", "2026-03-29T00:00:00Z"),
        ("day", "Europe/Paris", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z"),
        ("week", "Europe/Paris", "2026-03-29T12:00:00Z", "2026-03-22T23:00:00Z"),
        ("month", "Europe/Paris", "2026-03-31T22:00:00Z", "2026-03-31T22:00:00Z"),
        ("month", "UTC", "1969-12-31T23:59:59Z", "1969-12-01T00:00:00Z"),
        ("hour", "Asia/Kolkata", "2026-01-01T00:29:59Z", "2025-12-31T23:30:00Z"),
        # The hour from 02:00 comes twice, and each time it is an hour.
        ("hour", "Europe/Paris", "2026-10-25T00:59:59Z", "2026-10-25T00:00:00Z"),
        ("hour", "Europe/Paris", "2026-10-25T01:00:00Z", "2026-10-25T01:00:00Z"),
        ("day", "Europe/Paris", "2026-10-25T22:59:59Z", "2026-10-24T22:00:00Z"),
        # Midnight comes twice, or not at all.
        ("day", "America/Havana", "2026-11-01T05:30:00Z", "2026-11-01T04:00:00Z"),
        ("day", "Africa/Cairo", "2026-04-24T10:00:00Z", "2026-04-23T22:00:00Z"),
        # The clock went back half an hour at 02:00: the hour from 01:00 lasts 90 minutes.
        ("hour", "Australia/Lord_Howe", "2026-04-04T15:15:00Z", "2026-04-04T14:00:00Z"),
        # 30 December 2011 did not take place.
        ("day", "Pacific/Apia", "2011-12-30T12:00:00Z", "2011-12-30T10:00:00Z"),
    ],
)
def test_where_units_begin(unit: str, zone: str, moment: str, start: str) -> None:
    assert calendar.start_of_unit(unit, zone, micros(moment)) == micros(start)


def test_how_long_units_last() -> None:
    hour = 60 * MINUTE
    lengths = [calendar.longest(unit, "UTC") for unit in calendar.UNITS]
    assert lengths == [hour, 24 * hour, 168 * hour, 744 * hour]
    assert calendar.longest("day", "Europe/Paris") == 25 * hour
