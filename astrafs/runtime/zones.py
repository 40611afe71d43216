"""Local times as instants: the offset changes of a zone, and the SQL that applies them.

A local time that an autumn change repeats means its first occurrence; one that a spring change
skips is moved forward by the gap. Both are the same rule: a new offset holds from the later of the
two wall-clock readings of its change. The data are those of the ``tzdata`` package, never the
machine's, so a run means the same everywhere.
"""

from __future__ import annotations

import importlib.resources
import struct
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from zoneinfo import ZoneInfo

SECOND = 1_000_000
DAY = 86_400
MIN_TIME = -9_214_560_000 * SECOND
"""1678-01-01T00:00:00Z in microseconds: the first instant that a timestamp may hold."""
MAX_TIME = 9_214_646_400 * SECOND - 1
"""The last microsecond of 2261-12-31."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@cache
def zone(name: str) -> ZoneInfo | None:
    """Return the zone called ``name`` from the packaged data, or None where there is none."""
    data = _data(name)
    return None if data is None else ZoneInfo.from_file(BytesIO(data), key=name)


@cache
def pieces(name: str) -> tuple[tuple[int, int], ...]:
    """Return (first local microsecond, offset in microseconds) of each stretch of the zone, oldest
    first.

    The first stretch has no beginning; its first entry only holds the offset.
    """
    found, data = zone(name), _data(name)
    if found is None or data is None:
        raise LookupError(name)
    first, end = MIN_TIME // SECOND - 2 * DAY, MAX_TIME // SECOND + 2 * DAY
    listed = [at for at in _listed_changes(data) if first < at < end]
    offset = _offset(found, first)
    result = [(2 * MIN_TIME, offset * SECOND)]
    for change in (*listed, *_later_changes(found, listed[-1] if listed else first, end)):
        later = _offset(found, change)
        if later != offset:
            result.append(((change + max(offset, later)) * SECOND, later * SECOND))
            offset = later
    return tuple(result)


def _data(name: str) -> bytes | None:
    parts = name.split("/")
    if not all(part and not part.startswith(".") and "\\" not in part for part in parts):
        return None
    try:
        data = importlib.resources.files("tzdata.zoneinfo").joinpath(*parts).read_bytes()
    except OSError:
        return None
    return data if data[:4] == b"TZif" else None


def _listed_changes(data: bytes) -> Iterator[int]:
    """Yield the seconds at which a compiled zone file lists a change (its second, 64-bit block)."""
    counts = struct.unpack_from(">6l", data, 20)
    isutc, isstd, leap, times, types, chars = counts
    second = 44 + times * 5 + types * 6 + chars + leap * 8 + isstd + isutc
    times = struct.unpack_from(">6l", data, second + 20)[3]
    yield from struct.unpack_from(f">{times}q", data, second + 44)


def _later_changes(found: ZoneInfo, start: int, end: int) -> Iterator[int]:
    """Yield the changes after the listed ones, which follow a yearly rule: none is shorter than a
    week.
    """
    at, offset = start, _offset(found, start)
    while at < end:
        later = _offset(found, at + 7 * DAY)
        if later != offset:
            yield _change(found, at, at + 7 * DAY, offset)
            offset = later
        at += 7 * DAY


def _offset(found: ZoneInfo, seconds: int) -> int:
    moment = (_EPOCH + timedelta(seconds=seconds)).astimezone(found)
    shift = moment.utcoffset()
    return int(shift.total_seconds()) if shift is not None else 0


def _change(found: ZoneInfo, low: int, high: int, offset: int) -> int:
    """Return the first second in (low, high] whose offset is not ``offset``."""
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(found, middle) == offset:
            low = middle
        else:
            high = middle
    return high


def instant_sql(name: str, local: str) -> str:
    """Return SQL for the UTC microseconds of the local microseconds ``local`` (a column) in zone
    ``name``.
    """
    return f"({local} - {_search(pieces(name), local)})"


def _search(stretches: Sequence[tuple[int, int]], local: str) -> str:
    if len(stretches) == 1:
        return str(stretches[0][1])
    middle = len(stretches) // 2
    below, above = _search(stretches[:middle], local), _search(stretches[middle:], local)
    return f"CASE WHEN {local} < {stretches[middle][0]} THEN {below} ELSE {above} END"
