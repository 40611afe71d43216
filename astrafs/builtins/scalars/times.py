"""Calendar readings of instants in a named zone, dates, and durations as numbers."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from astrafs.builtins.rules import guarded, need, strict
from astrafs.builtins.scalars.arithmetic import checked_instant
from astrafs.builtins.spec import Example, Function, Mismatch, Nulls, Signature
from astrafs.typesys import DATE, DURATION_UNITS, FLOAT, INT, TIMESTAMP, Kind, Type
from astrafs.values import numbers, zones
from astrafs.values.text import calendar_day, moment

Types = tuple[Type, ...]
Values = tuple[Any, ...]
Sql = Callable[[tuple[str, ...], Types, Type], str]


_DATE_USE = 'a timestamp and a time zone, date(ts, "Europe/Paris"), or a text'
_TIMESTAMP_USE = 'a date and a time zone, timestamp(day, "Europe/Paris"), or a text'
DATE_TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIME_TEXT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?"
    r"(Z|[+-](0[0-9]|1[0-8]):[0-5][0-9])"
)


def need_zone(constants: Values, index: int) -> str:
    """Return the zone name at ``index``, which must be a literal and known."""
    name = constants[index]
    if not isinstance(name, str):
        raise Mismatch(index, 'a time zone as a literal, such as "Europe/Paris" or "UTC"')
    if name not in zones.names():
        near = difflib.get_close_matches(name, sorted(zones.names()), n=1)
        advice = f'; did you mean "{near[0]}"?' if near else ', such as "Europe/Paris" or "UTC"'
        raise Mismatch(index, f"an IANA time zone{advice}")
    return name


def local_sql(args: tuple[str, ...]) -> str:
    """SQL for the local microseconds of instant ``args[0]`` in zone ``args[1]``."""
    return args[0] if args[1].startswith("'UTC'") else f"af_local({args[0]}, {args[1]})"


def date_sql(days: str) -> str:
    return f"(DATE '1970-01-01' + {days}::INTEGER)"


# --- calendar parts -----------------------------------------------------------------------------


def part_rule(*, dates: bool) -> Callable[[Types, Values], Signature]:
    def rule(types: Types, constants: Values) -> Signature:
        expected = "a timestamp or a date" if dates else "a timestamp"
        kinds = (Kind.TIMESTAMP, Kind.DATE) if dates else (Kind.TIMESTAMP,)
        if need(types, 0, kinds, expected).kind is Kind.DATE:
            if len(types) > 1:
                raise Mismatch(1, "no zone for a date")
            return strict(types, INT)
        if len(types) == 1:
            raise Mismatch(None, 'a timestamp and a time zone, such as "Europe/Paris" or "UTC"')
        need_zone(constants, 1)
        return strict(types, INT)

    return guarded(rule, 1, 2)


def reading(values: Values, types: Types) -> datetime | date:
    if types[0].kind is Kind.DATE:
        return calendar_day(values[0])
    return moment(zones.zone(values[1]).to_local(values[0]))


def _part(read: Callable[[Any], int]) -> Callable[[Values, Types, Type], int]:
    def evaluate(values: Values, types: Types, _result: Type) -> int:
        return read(reading(values, types))

    return evaluate


def part_sql(name: str) -> Sql:
    def sql(args: tuple[str, ...], types: Types, _result: Type) -> str:
        if types[0].kind is Kind.DATE:
            return f"{name}{date_sql(args[0])}"
        return f"{name}(make_timestamp({local_sql(args)}))"

    return sql


def _row(
    name: str,
    engine: str,
    read: Callable[[Any], int],
    doc: str,
    *examples: Example,
    dates: bool = True,
) -> Function:
    return Function(
        name=name,
        params='ts, "Zone"' + (" | date" if dates else ""),
        rule=part_rule(dates=dates),
        evaluate=_part(read),
        sql=part_sql(engine),
        nulls=Nulls.STRICT,
        doc=doc,
        group="time",
        kernel="af_local",
        examples=examples,
    )


# --- days as numbers ----------------------------------------------------------------------------


def days_of(date_text: str) -> str:
    return f"({date_text}::DATE - DATE '1970-01-01')"


def day_number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


# --- dates and instants -------------------------------------------------------------------------


def _date_rule(types: Types, constants: Values) -> Signature:
    if types[0].kind is Kind.STRING and len(types) == 1:
        return strict(types, DATE, maybe=True)
    if len(types) != 2:
        raise Mismatch(None, _DATE_USE)
    need(types, 0, (Kind.TIMESTAMP,), "a timestamp")
    need_zone(constants, 1)
    return strict(types, DATE)


def _date(values: Values, types: Types, _result: Type) -> int | None:
    if types[0].kind is Kind.STRING:
        return _parsed_date(values[0])
    return int(zones.zone(values[1]).to_local(values[0]) // numbers.DAY)


def _parsed_date(text: str) -> int | None:
    if DATE_TEXT.fullmatch(text) is None:
        return None
    try:
        days = day_number(date.fromisoformat(text))
    except ValueError:
        return None
    return days if numbers.MIN_DATE <= days <= numbers.MAX_DATE else None


def _parsed_date_sql(text: str) -> str:
    days = days_of(f"TRY_CAST({text} AS DATE)")
    return (
        f"CASE WHEN regexp_full_match({text}, '{DATE_TEXT.pattern}')"
        f" AND {days} BETWEEN {numbers.MIN_DATE} AND {numbers.MAX_DATE} THEN {days} END"
    )


def _day_of_local_sql(args: tuple[str, ...], types: Types, _result: Type) -> str:
    if types[0].kind is Kind.STRING:
        return _parsed_date_sql(args[0])
    return f"(make_timestamp({local_sql(args)})::DATE - DATE '1970-01-01')"


def _timestamp_rule(types: Types, constants: Values) -> Signature:
    if types[0].kind is Kind.STRING and len(types) == 1:
        return strict(types, TIMESTAMP, maybe=True)
    if len(types) != 2:
        raise Mismatch(None, _TIMESTAMP_USE)
    need(types, 0, (Kind.DATE,), "a date")
    need_zone(constants, 1)
    return strict(types, TIMESTAMP)


def _parsed_time(text: str) -> int | None:
    if TIME_TEXT.fullmatch(text) is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    micros = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return micros if numbers.MIN_TIME <= micros <= numbers.MAX_TIME else None


def _parsed_time_sql(text: str) -> str:
    micros = f"epoch_us(TRY_CAST({text} AS TIMESTAMP WITH TIME ZONE))"
    return (
        f"CASE WHEN regexp_full_match({text}, '{TIME_TEXT.pattern}')"
        f" AND {micros} BETWEEN {numbers.MIN_TIME} AND {numbers.MAX_TIME} THEN {micros} END"
    )


def _timestamp(values: Values, types: Types, _result: Type) -> int | None:
    if types[0].kind is Kind.STRING:
        return _parsed_time(values[0])
    return numbers.instant(zones.zone(values[1]).to_instant(values[0] * numbers.DAY))


def _timestamp_sql(args: tuple[str, ...], types: Types, _result: Type) -> str:
    if types[0].kind is Kind.STRING:
        return _parsed_time_sql(args[0])
    start = f"({args[0]} * {numbers.DAY})"
    return checked_instant(
        start if args[1].startswith("'UTC'") else f"af_instant({start}, {args[1]})"
    )


# --- durations as numbers -----------------------------------------------------------------------


def _span_rule(kind: Kind, expected: str) -> Callable[[Types, Values], Signature]:
    def rule(types: Types, _constants: Values) -> Signature:
        need(types, 0, (kind,), expected)
        return strict(types, FLOAT)

    return guarded(rule, 1)


def _span(unit: int) -> Callable[[Values, Types, Type], float]:
    def evaluate(values: Values, _types: Types, _result: Type) -> float:
        return float(values[0]) / float(unit) + 0.0

    return evaluate


def _span_row(name: str, unit: int, kind: Kind, doc: str, *examples: Example) -> Function:
    what = "a duration" if kind is Kind.DURATION else "a timestamp"
    return Function(
        name=name,
        params="d" if kind is Kind.DURATION else "ts",
        rule=_span_rule(kind, what),
        evaluate=_span(unit),
        sql=f"({{0}}::DOUBLE / {unit}::DOUBLE)",
        nulls=Nulls.STRICT,
        doc=doc,
        group="time",
        examples=examples,
    )


_AT = "2026-03-29T00:30:00Z"

ROWS = (
    _row(
        "hour",
        "hour",
        lambda at: int(at.hour),
        "The hour of the day, 0 to 23, on the zone's clock.",
        Example(f'hour({_AT}, "UTC")', 0),
        Example(f'hour({_AT}, "America/New_York")', 20),
        dates=False,
    ),
    _row(
        "minute",
        "minute",
        lambda at: int(at.minute),
        "The minute of the hour, 0 to 59.",
        Example(f'minute({_AT}, "Asia/Kolkata")', 0),
        dates=False,
    ),
    _row(
        "second",
        "second",
        lambda at: int(at.second),
        "The whole second of the minute, 0 to 59.",
        Example('second(2026-01-01T10:00:59.999999Z, "UTC")', 59),
        dates=False,
    ),
    _row(
        "day",
        "day",
        lambda at: int(at.day),
        "The day of the month, 1 to 31.",
        Example(f'day({_AT}, "America/New_York")', 28),
        Example("day(2026-01-31)", 31),
    ),
    _row(
        "day_of_week",
        "isodow",
        lambda at: int(at.isoweekday()),
        "The day of the week, 1 (Monday) to 7 (Sunday).",
        Example("day_of_week(2026-01-01)", 4),
    ),
    _row(
        "day_of_year",
        "dayofyear",
        lambda at: int(at.timetuple().tm_yday),
        "The day of the year, 1 to 366.",
        Example("day_of_year(2024-12-31)", 366),
    ),
    _row(
        "week",
        "weekofyear",
        lambda at: int(at.isocalendar().week),
        "The ISO week of the year, 1 to 53.",
        Example("week(2026-01-01)", 1),
        Example("week(2027-01-01)", 53),
    ),
    _row(
        "month",
        "month",
        lambda at: int(at.month),
        "The month, 1 to 12.",
        Example("month(2026-03-01)", 3),
    ),
    _row(
        "quarter",
        "quarter",
        lambda at: (int(at.month) + 2) // 3,
        "The quarter of the year, 1 to 4.",
        Example("quarter(2026-03-31)", 1),
    ),
    _row(
        "year",
        "year",
        lambda at: int(at.year),
        "The year.",
        Example('year(2025-12-31T23:30:00Z, "Europe/Paris")', 2026),
    ),
    Function(
        name="date",
        params='ts, "Zone" | text',
        rule=guarded(_date_rule, 1, 2, what=_DATE_USE),
        evaluate=_date,
        sql=_day_of_local_sql,
        nulls=Nulls.STRICT,
        doc="The day of an instant on the zone's calendar, or the date that a text says"
        " (`2026-01-31`), null where it says none in the years 1678 to 2261.",
        group="time",
        kernel="af_local",
        examples=(
            Example('date(2026-01-01T00:00:00Z, "America/New_York")', 20_453),
            Example('date("2026-02-28")', 20_512),
            Example('date("2026-02-30")', None),
        ),
    ),
    Function(
        name="timestamp",
        params='date, "Zone" | text',
        rule=guarded(_timestamp_rule, 1, 2, what=_TIMESTAMP_USE),
        evaluate=_timestamp,
        sql=_timestamp_sql,
        nulls=Nulls.STRICT,
        doc=(
            "The instant at which a day begins in a zone (its first one, where clocks skip "
            "or repeat midnight); or the instant that a text with an offset says, null where it"
            " says none in the years 1678 to 2261."
        ),
        group="time",
        kernel="af_instant",
        examples=(
            Example('timestamp(2026-07-01, "Europe/Paris")', 1_782_856_800_000_000),
            Example('timestamp("2026-07-01T00:00:00+02:00")', 1_782_856_800_000_000),
            Example('timestamp("2026-07-01T00:00:00")', None),
        ),
    ),
    _span_row(
        "seconds",
        DURATION_UNITS["s"],
        Kind.DURATION,
        "A duration in seconds.",
        Example("seconds(1500ms)", 1.5),
    ),
    _span_row(
        "minutes",
        DURATION_UNITS["m"],
        Kind.DURATION,
        "A duration in minutes.",
        Example("minutes(90s)", 1.5),
    ),
    _span_row(
        "hours",
        DURATION_UNITS["h"],
        Kind.DURATION,
        "A duration in hours.",
        Example("hours(45m)", 0.75),
    ),
    _span_row(
        "days",
        DURATION_UNITS["d"],
        Kind.DURATION,
        "A duration in days of 24 hours.",
        Example("days(36h)", 1.5),
    ),
    _span_row(
        "epoch_seconds",
        DURATION_UNITS["s"],
        Kind.TIMESTAMP,
        "Seconds since 1970-01-01T00:00:00Z.",
        Example("epoch_seconds(1970-01-01T00:00:01.5Z)", 1.5),
    ),
)
