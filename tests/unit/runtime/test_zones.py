"""The search tree of a zone against Python's own zones, over the whole range of times."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from astrafs.runtime.session import Session
from astrafs.runtime.zones import MAX_TIME, MIN_TIME, exists, instant_sql
from astrafs.values import zones

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local times are what is tested


@pytest.mark.parametrize(
    "name",
    [
        "UTC",
        "Europe/Paris",
        "America/New_York",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Pacific/Apia",
        "Europe/Dublin",
    ],
)
def test_every_local_time_has_its_instant(name: str) -> None:
    zone = zones.zone(name)
    edges = [edge for edge in zones.local_starts(zone) if MIN_TIME < edge < MAX_TIME]
    near = [edge + shift for edge in edges for shift in (-3_600_000_000, -1, 0, 1, 3_599_000_000)]
    step = (MAX_TIME - MIN_TIME) // 500
    locals_ = [MIN_TIME, MAX_TIME, *near, *range(MIN_TIME, MAX_TIME, step)]
    values = ", ".join(f"({value})" for value in locals_)
    sql = f"SELECT local, {instant_sql(name, 'local')} FROM (VALUES {values}) v(local)"
    with Session([]) as session:
        rows = session.rows(sql, "testing")
    assert len(rows) == len(locals_)
    for local, instant in rows:
        assert instant == zone.to_instant(local)


def test_the_range_of_times() -> None:
    assert EPOCH + timedelta(microseconds=MIN_TIME) == datetime(1678, 1, 1)  # noqa: DTZ001
    assert EPOCH + timedelta(microseconds=MAX_TIME + 1) == datetime(2262, 1, 1)  # noqa: DTZ001


def test_unknown_zones() -> None:
    assert exists("Europe/Paris")
    assert not exists("Europe/Pariss")
    assert not exists("../../etc/localtime")
    with pytest.raises(KeyError):
        instant_sql("Europe", "local")
