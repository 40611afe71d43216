"""Zones follow the IANA data, through the whole range of timestamps."""

from __future__ import annotations

import io
import random
from datetime import UTC, datetime, timedelta
from importlib import resources
from zoneinfo import ZoneInfo

import pytest

from astrafs.values import zones

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NAMES = [
    "Africa/Casablanca",  # Ramadan: two more changes a year
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # half an hour
    "Europe/Dublin",  # negative daylight saving
    "Europe/Paris",
    "Pacific/Apia",  # skipped a whole day
    "UTC",
]


def library(name: str) -> ZoneInfo:
    """The same packaged data, read by the standard library."""
    path = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    return ZoneInfo.from_file(io.BytesIO(path.read_bytes()), key=name)


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize("name", NAMES)
def test_offsets_are_those_of_the_standard_library(name: str) -> None:
    zone, info, rng = zones.zone(name), library(name), random.Random(name)
    edges = [start // zones.SECOND + shift for start in zone.starts[1:] for shift in (-1, 0)]
    sampled = [rng.randint(-9_214_560_000, 9_214_646_399) for _ in range(400)]
    for second in [*rng.sample(edges, min(len(edges), 300)), *sampled]:
        moment = EPOCH + timedelta(seconds=second)
        local = moment.astimezone(info).replace(tzinfo=UTC)
        assert zone.to_local(micros(moment)) == micros(local), moment
        back = local.replace(tzinfo=info, fold=0).astimezone(UTC)
        assert zone.to_instant(micros(local)) == micros(back), local


def test_gaps_and_repeats_in_paris() -> None:
    paris = zones.zone("Europe/Paris")
    at = {hour: micros(datetime(2026, 3, 29, hour, 30, tzinfo=UTC)) for hour in range(4)}
    # 02:30 does not exist on that day: it is 03:30.
    assert paris.to_instant(at[2]) == paris.to_instant(at[3]) == at[1]
    repeated = micros(datetime(2026, 10, 25, 2, 30, tzinfo=UTC))
    assert paris.to_instant(repeated) == repeated - 2 * 3_600 * zones.SECOND


def test_a_day_that_was_skipped_begins_with_the_next() -> None:
    apia = zones.zone("Pacific/Apia")
    skipped = micros(datetime(2011, 12, 30, tzinfo=UTC))
    following = micros(datetime(2011, 12, 31, tzinfo=UTC))
    assert apia.to_instant(skipped) == apia.to_instant(following)


def test_names() -> None:
    assert {"UTC", *NAMES} <= zones.names()
    assert zones.version()
    for name in ("", "Nowhere/Town", "../zones", "europe/paris", "/etc/passwd"):
        with pytest.raises(KeyError):
            zones.zone(name)
