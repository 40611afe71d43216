"""Times and durations as they come from a caller: text, ``datetime``, or microseconds."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.typesys import DURATION_UNITS
from astrafs.values.numbers import MAX_TIME, MIN_TIME

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TIME = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<clock>\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)(?P<offset>Z|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)
_DURATION = re.compile(r"(?:\d+(?:us|ms|s|m|h|d|w))+", re.ASCII)
_PART = re.compile(r"(\d+)(us|ms|s|m|h|d|w)", re.ASCII)

Time = str | datetime | date | int
"""A point in time: ISO 8601 text with an offset, an aware ``datetime``, a date (its midnight in
UTC), or microseconds.
"""
Duration = str | timedelta | int
"""A length of time: text such as ``1h30m``, a ``timedelta``, or microseconds."""


def instant(given: Time, what: str) -> int:
    """Return ``given`` as microseconds since 1970 in UTC; ``what`` names it in errors.

    Raises :class:`AstrafsError` for a time without a zone, one outside the years 1678 to 2261, or
    no time at all.
    """
    match given:
        case bool():
            raise _bad(what, repr(given), "write an ISO 8601 time, such as `2026-01-01T00:00:00Z`")
        case int():
            micros = given
        case str():
            micros = _parse(given.strip(), what)
        case datetime():
            if given.utcoffset() is None:
                raise _bad(what, str(given), "give a datetime with a time zone (`tzinfo=UTC`)")
            micros = (given - _EPOCH) // _MICROSECOND
        case date():
            micros = (
                datetime(given.year, given.month, given.day, tzinfo=UTC) - _EPOCH
            ) // _MICROSECOND
        case _:
            raise _bad(what, repr(given), "write an ISO 8601 time, such as `2026-01-01T00:00:00Z`")
    if not MIN_TIME <= micros <= MAX_TIME:
        raise _bad(what, str(given), "times lie in the years 1678 to 2261")
    return micros


def _parse(text: str, what: str) -> int:
    match = _TIME.fullmatch(text)
    if match is None:
        raise _bad(what, text, "write an ISO 8601 time, such as `2026-01-01T00:00:00Z`")
    if match["clock"] is not None and match["offset"] is None:
        raise _bad(what, text, f"a time needs an offset: `{text}Z` for UTC")
    written = f"{match['date']}T{match['clock'] or '00:00'}{match['offset'] or 'Z'}"
    try:
        return (datetime.fromisoformat(written) - _EPOCH) // _MICROSECOND
    except ValueError as error:
        raise _bad(what, text, f"there is no such time: {error}") from None


def duration(given: Duration, what: str) -> int:
    """Return ``given`` as a positive number of microseconds; raises :class:`AstrafsError`
    otherwise.
    """
    match given:
        case bool():
            micros = 0
        case int():
            micros = given
        case timedelta():
            micros = given // _MICROSECOND
        case str() if _DURATION.fullmatch(given.strip()):
            parts = _PART.findall(given)
            micros = sum(int(count) * DURATION_UNITS[unit] for count, unit in parts)
        case _:
            micros = 0
    if micros <= 0 or micros > MAX_TIME - MIN_TIME:
        raise AstrafsError(
            codes.BAD_VALUE.nowhere(f"{what}: `{given}` is no length of time").help(
                "write a duration such as `1d` or `1h30m`"
            )
        )
    return micros


def iso(micros: int) -> str:
    """Return the time as ISO 8601 in UTC, with microseconds only where there are some."""
    moment = _EPOCH + timedelta(microseconds=micros)
    return moment.replace(tzinfo=None).isoformat() + "Z"


def _bad(what: str, text: str, advice: str) -> AstrafsError:
    return AstrafsError(codes.BAD_TIME.nowhere(f"{what}: `{text}` is not a time").help(advice))
