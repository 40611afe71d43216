"""Days of the calendar: weekends, starts of weeks and months, days and months later."""

from __future__ import annotations

import calendar
from datetime import date, timedelta
from typing import Any

from astrafs.builtins.rules import dimensionless, guarded, need, strict
from astrafs.builtins.scalars.arithmetic import checked_instant
from astrafs.builtins.scalars.times import (
    date_sql,
    day_number,
    days_of,
    local_sql,
    need_zone,
    part_rule,
    part_sql,
    reading,
)
from astrafs.builtins.spec import Example, Function, Mismatch, Nulls, Signature
from astrafs.typesys import BOOL, DATE, INT, TIMESTAMP, Kind, Type
from astrafs.values import numbers, zones
from astrafs.values.errors import TIME_RANGE, ValueFailure, sql_error
from astrafs.values.text import calendar_day, moment

Types = tuple[Type, ...]
Values = tuple[Any, ...]

UNITS = ("day", "week", "month", "quarter", "year")
_MAX_MONTHS = 12 * 1_000
_DATE_ERROR = sql_error(TIME_RANGE, "a date lies outside the years 1678 to 2261")


def _checked_day(text: str) -> str:
    bounds = f"{numbers.MIN_DATE} AND {numbers.MAX_DATE}"
    return f"CASE WHEN {text} NOT BETWEEN {bounds} THEN {_DATE_ERROR} ELSE {text} END"


def _weekend_rule(types: Types, constants: Values) -> Signature:
    found = part_rule(dates=True)(types, constants)
    return Signature(found.args, BOOL.with_null(found.result.nullable))


def _weekend(values: Values, types: Types, _result: Type) -> bool:
    return reading(values, types).isoweekday() > 5


def _weekend_sql(args: tuple[str, ...], types: Types, result: Type) -> str:
    return f"({part_sql('isodow')(args, types, result)} > 5)"


def _start_rule(types: Types, constants: Values) -> Signature:
    if constants[1] not in UNITS:
        raise Mismatch(1, "one of " + ", ".join(f'"{unit}"' for unit in UNITS) + ", as a literal")
    if need(types, 0, (Kind.TIMESTAMP, Kind.DATE), "a timestamp or a date").kind is Kind.DATE:
        if len(types) > 2:
            raise Mismatch(2, "no zone for a date")
        return strict(types, DATE)
    if len(types) == 2:
        raise Mismatch(None, 'a timestamp, a unit and a time zone, such as "Europe/Paris"')
    need_zone(constants, 2)
    return strict(types, TIMESTAMP)


def _first_day(day: date, unit: str) -> date:
    match unit:
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case "year":
            return day.replace(month=1, day=1)
        case _:
            return day


def _start(values: Values, types: Types, _result: Type) -> int:
    unit = values[1]
    if types[0].kind is Kind.DATE:
        return numbers.day(day_number(_first_day(calendar_day(values[0]), unit)))
    zone = zones.zone(values[2])
    day = moment(zone.to_local(values[0])).date()
    return numbers.instant(zone.to_instant(day_number(_first_day(day, unit)) * numbers.DAY))


def _start_sql(args: tuple[str, ...], types: Types, _result: Type) -> str:
    if types[0].kind is Kind.DATE:
        return _checked_day(days_of(f"date_trunc({args[1]}, {date_sql(args[0])})"))
    local = f"make_timestamp({local_sql((args[0], args[2]))})"
    start = f"({days_of(f'date_trunc({args[1]}, {local})')} * {numbers.DAY})"
    utc = args[2].startswith("'UTC'")
    return checked_instant(start if utc else f"af_instant({start}, {args[2]})")


def _add_months_rule(types: Types, _constants: Values) -> Signature:
    need(types, 0, (Kind.DATE,), "a date")
    need(types, 1, (Kind.INT,), "an int: the number of months")
    dimensionless(types, 1)
    return strict(types, DATE)


def _add_months(values: Values, _types: Types, _result: Type) -> int:
    months = max(-_MAX_MONTHS, min(values[1], _MAX_MONTHS))
    day = calendar_day(values[0])
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not 1 <= year <= 9_999:
        raise ValueFailure(TIME_RANGE, "a date lies outside the years 1678 to 2261")
    last = calendar.monthrange(year, month + 1)[1]
    return numbers.day(day_number(date(year, month + 1, min(day.day, last))))


def _add_months_sql(args: tuple[str, ...], _types: Types, _result: Type) -> str:
    months = f"greatest(-{_MAX_MONTHS}, least({args[1]}, {_MAX_MONTHS}))::INTEGER"
    moved = days_of(f"({date_sql(args[0])} + to_months({months}))")
    return f"CASE WHEN {args[1]} IS NOT NULL THEN {_checked_day(moved)} END"


def _add_days_rule(types: Types, _constants: Values) -> Signature:
    need(types, 0, (Kind.DATE,), "a date")
    need(types, 1, (Kind.INT,), "an int: the number of days")
    dimensionless(types, 1)
    return strict(types, DATE)


def _add_days(values: Values, _types: Types, _result: Type) -> int:
    return numbers.day(values[0] + values[1])


def _add_days_sql(args: tuple[str, ...], _types: Types, _result: Type) -> str:
    total = f"({args[0]}::HUGEINT + {args[1]}::HUGEINT)"
    bounds = f"{numbers.MIN_DATE} AND {numbers.MAX_DATE}"
    return f"CASE WHEN {total} NOT BETWEEN {bounds} THEN {_DATE_ERROR} ELSE {total}::BIGINT END"


def _days_between_rule(types: Types, _constants: Values) -> Signature:
    for index in (0, 1):
        need(types, index, (Kind.DATE,), 'a date (`date(ts, "Zone")` gives the day of an instant)')
    return strict(types, INT)


def _days_between(values: Values, _types: Types, _result: Type) -> int:
    return int(values[1] - values[0])


_AT = "2026-03-29T00:30:00Z"

ROWS = (
    Function(
        name="is_weekend",
        params='ts, "Zone" | date',
        rule=_weekend_rule,
        evaluate=_weekend,
        sql=_weekend_sql,
        nulls=Nulls.STRICT,
        doc="Whether the day is a Saturday or a Sunday.",
        group="time",
        kernel="af_local",
        examples=(
            Example("is_weekend(2026-01-03)", True),
            Example(f'is_weekend({_AT}, "America/New_York")', True),
        ),
    ),
    Function(
        name="start_of",
        params='ts, "unit", "Zone" | date, "unit"',
        rule=guarded(_start_rule, 2, 3),
        evaluate=_start,
        sql=_start_sql,
        nulls=Nulls.STRICT,
        doc=(
            "The first day of the day, week (from Monday), month, quarter or year that holds a"
            " date; of a timestamp, the instant at which that day begins in a zone."
        ),
        group="time",
        kernel="af_local",
        examples=(
            Example('start_of(1970-02-28, "month")', 31),
            Example('start_of(1970-01-01, "week")', -3),
            Example(
                'start_of(2026-07-15T10:00:00Z, "month", "Europe/Paris")', 1_782_856_800_000_000
            ),
        ),
    ),
    Function(
        name="add_months",
        params="date, n",
        rule=guarded(_add_months_rule, 2),
        evaluate=_add_months,
        sql=_add_months_sql,
        nulls=Nulls.STRICT,
        doc="The date n months later (earlier, if n is negative), on the month's last day where it"
        " has no such day.",
        group="time",
        examples=(
            Example("days_between(add_months(2024-01-31, 1), 2024-02-29)", 0),
            Example("add_months(1970-03-31, -1)", 58),
        ),
    ),
    Function(
        name="add_days",
        params="date, n",
        rule=guarded(_add_days_rule, 2),
        evaluate=_add_days,
        sql=_add_days_sql,
        nulls=Nulls.STRICT,
        doc="The date n days later (earlier, if n is negative).",
        group="time",
        examples=(Example("add_days(1970-01-01, 31)", 31),),
    ),
    Function(
        name="days_between",
        params="from, to",
        rule=guarded(_days_between_rule, 2),
        evaluate=_days_between,
        sql="({1} - {0})",
        nulls=Nulls.STRICT,
        doc="The number of days from one date to another.",
        group="time",
        examples=(Example("days_between(2026-01-01, 2026-03-01)", 59),),
    ),
)
