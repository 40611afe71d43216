"""Time zones from the pinned IANA data: offsets of instants, and instants of local times.

The data is that of the ``tzdata`` package, never the machine's own, so that two machines agree.
Times are int microseconds; local times count from 1970-01-01T00:00:00 local.
"""

from __future__ import annotations

import io
import struct
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import import_module, resources
from zoneinfo import ZoneInfo

from astrafs.record import dataclass

SECOND = 1_000_000
UNIX_ZONES = {"unix:s": 1_000_000, "unix:ms": 1_000, "unix:us": 1, "unix:ns": 0}
"""Microseconds in each unit of counted time; 0 stands for nanoseconds."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = datetime(1677, 1, 1, tzinfo=UTC)
_LAST = datetime(2263, 1, 1, tzinfo=UTC)
_SAMPLE = 21 * 86_400
"""Seconds between looks at the yearly rules that follow the explicit list (they change twice a
year).
"""


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone from 1677 to 2263: from ``starts[i]`` (microseconds UTC) on, local time is
    ``offsets[i]`` ahead.

    ``starts[0]`` is far in the past, so every instant has an offset.
    """

    name: str
    starts: tuple[int, ...]
    offsets: tuple[int, ...]

    def __hash__(self) -> int:
        # Not of all changes: zones are looked up in caches for every value.
        return hash(self.name)

    def to_local(self, instant: int) -> int:
        """Local time at ``instant``."""
        return instant + self.offsets[bisect_right(self.starts, instant) - 1]

    def to_instant(self, local: int) -> int:
        """The instant of a local time; of two, the earlier; a time in a gap moves forward by the
        gap.
        """
        return local - self.offsets[bisect_right(local_starts(self), local)]


@cache
def local_starts(zone: Zone) -> tuple[int, ...]:
    """Per period of ``zone`` but the first, the local time from which its offset is taken for local
    times.

    That is the later of the two clock readings at the change: a repeated time means its first
    occurrence, a skipped one moves forward by the gap.
    """
    starts = [
        start + max(before, after)
        for start, before, after in zip(
            zone.starts[1:], zone.offsets[:-1], zone.offsets[1:], strict=True
        )
    ]
    # Keep them sorted where two changes lie closer than the clock moved.
    for index in range(1, len(starts)):
        starts[index] = max(starts[index], starts[index - 1])
    return tuple(starts)


@cache
def names() -> frozenset[str]:
    """All zone names."""
    listing = resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8")
    return frozenset(line.strip() for line in listing.splitlines() if line.strip())


def version() -> str:
    """The version of the zone data, such as ``2025b``."""
    return str(import_module("tzdata").IANA_VERSION)


@cache
def zone(name: str) -> Zone:
    """The zone called ``name``; KeyError if there is none."""
    if name not in names():
        raise KeyError(name)
    data = resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
    info = ZoneInfo.from_file(io.BytesIO(data), key=name)
    explicit = [second for second in _explicit(data) if _seconds(_FIRST) < second < _seconds(_LAST)]
    changes = list(explicit)
    second = explicit[-1] if explicit else _seconds(_FIRST)
    current = _offset(info, second)
    while second < _seconds(_LAST):
        after = second + _SAMPLE
        later = _offset(info, after)
        if later != current:
            changes.append(_change(info, second, after))
        second, current = after, later
    starts, offsets = [-(2**62)], [_offset(info, _seconds(_FIRST)) * SECOND]
    for change in changes:
        offset = _offset(info, change) * SECOND
        if offset != offsets[-1]:
            starts.append(change * SECOND)
            offsets.append(offset)
    return Zone(name, tuple(starts), tuple(offsets))


def _seconds(moment: datetime) -> int:
    return int((moment - _EPOCH).total_seconds())


def _offset(info: ZoneInfo, second: int) -> int:
    local = (_EPOCH + timedelta(seconds=second)).astimezone(info)
    offset = local.utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def _change(info: ZoneInfo, low: int, high: int) -> int:
    """The first second after ``low`` with another offset; there is one change up to ``high``."""
    before = _offset(info, low)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(info, middle) == before:
            low = middle
        else:
            high = middle
    return high


def _explicit(data: bytes) -> list[int]:
    """The listed transition times (seconds) of a TZif file, from its 64-bit block."""
    counts = struct.unpack(">6l", data[20:44])
    utc, standard, leaps, times, kinds, letters = counts
    if data[4:5] < b"2":
        raise ValueError("a time zone file without 64-bit times")
    second = 44 + times * 5 + kinds * 6 + letters + leaps * 8 + standard + utc
    times = struct.unpack(">6l", data[second + 20 : second + 44])[3]
    return list(struct.unpack(f">{times}q", data[second + 44 : second + 44 + 8 * times]))
