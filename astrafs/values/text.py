"""Dates and timestamps as ISO 8601 text."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_ZERO = date(1970, 1, 1)


def moment(micros: int) -> datetime:
    """The calendar reading of microseconds since 1970-01-01 (marked UTC; of local time if they are
    local).
    """
    return _EPOCH + timedelta(microseconds=micros)


def calendar_day(days: int) -> date:
    """The date that lies ``days`` after 1970-01-01."""
    return _DAY_ZERO + timedelta(days=days)


def instant_text(micros: int) -> str:
    """A UTC timestamp, with six fractional digits if it has a fraction:
    ``2026-01-01T10:00:00Z``.
    """
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if micros % 1_000_000 else "%Y-%m-%dT%H:%M:%SZ"
    return moment(micros).strftime(form)


def date_text(days: int) -> str:
    """A date: ``2026-01-01``."""
    return calendar_day(days).isoformat()
