"""Local times of a zone as instants, in SQL; and the range of times.

A local time that an autumn change repeats means its first occurrence; one that a spring change
skips is moved forward by the gap. The rule and the data are those of ``astrafs.values.zones``,
written out as a search tree: plain SQL that any thread may run.
"""

from __future__ import annotations

from collections.abc import Sequence

from astrafs.values import zones

SECOND = 1_000_000
MIN_TIME = -9_214_560_000 * SECOND
"""1678-01-01T00:00:00Z in microseconds: the first instant that a timestamp may hold."""
MAX_TIME = 9_214_646_400 * SECOND - 1
"""The last microsecond of 2261-12-31."""

UNIX_ZONES = zones.UNIX_ZONES
"""Microseconds in each unit of counted time; 0 stands for nanoseconds."""


def exists(name: str) -> bool:
    """Whether ``name`` is a zone of the packaged data."""
    return name in zones.names()


def instant_sql(name: str, local: str) -> str:
    """Return SQL for the UTC microseconds of the local microseconds ``local`` (a column) in zone
    ``name``; KeyError if there is no such zone.
    """
    zone = zones.zone(name)
    return f"({local} - {_search(zones.local_starts(zone), zone.offsets, local)})"


def _search(starts: Sequence[int], offsets: Sequence[int], local: str) -> str:
    """Return SQL for the offset at ``local``: ``offsets[i]`` holds up to ``starts[i]``."""
    if not starts:
        return str(offsets[0])
    middle = len(starts) // 2
    below = _search(starts[:middle], offsets[: middle + 1], local)
    above = _search(starts[middle + 1 :], offsets[middle + 1 :], local)
    return f"CASE WHEN {local} < {starts[middle]} THEN {below} ELSE {above} END"
