"""The value of a literal from its text: numbers, durations, dates, timestamps, strings."""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import Decimal

from astrafs.diagnostics.codes import syntax as codes
from astrafs.diagnostics.model import Code
from astrafs.record import dataclass
from astrafs.typesys import duration_text

INT_LIMIT = 2**63
FIRST_YEAR, LAST_YEAR = 1678, 2261
NUMBER_LENGTH = 64

UNITS = {
    "w": 604_800_000_000,
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
    "us": 1,
}
"""Microseconds in each unit of a duration, longest first."""

UNIT_WORDS = {
    word: unit
    for unit, words in {
        "w": "week weeks wk wks",
        "d": "D day days",
        "h": "H hour hours hr hrs",
        "m": "min mins minute minutes",
        "s": "S sec secs second seconds",
        "ms": "millis millisecond milliseconds",
        "us": "micros microsecond microseconds",
    }.items()
    for word in words.split()
}
VAGUE_UNITS = frozenset(
    ["month", "months", "mo", "year", "years", "yr", "yrs", "y", "M", "quarter", "quarters", "q"]
)

_EPOCH = dt.date(1970, 1, 1).toordinal()
_INT = re.compile(r"[0-9]+(_[0-9]+)*\Z")
_NUMBER = re.compile(r"[0-9]+(_[0-9]+)*([.][0-9]+(_[0-9]+)*)?([eE][+-]?[0-9]+)?\Z")
_DURATION_PART = re.compile(r"([0-9]+(?:_[0-9]+)*)(us|ms|[wdhms])")
_DURATION = re.compile(r"(?:[0-9]+(?:_[0-9]+)*(?:us|ms|[wdhms]))+\Z")
_UNFINISHED = re.compile(r"(?:[0-9]{1,18}(?:us|ms|[wdhms])){1,8}[0-9]+\Z")
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})\Z")
_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.]([0-9]{1,6}))?"
    r"(?:(Z)|([+-])([0-9]{2}):([0-9]{2}))\Z"
)
_ZONELESS = re.compile(r"[0-9-]{10}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.][0-9]{1,6})?\Z")


@dataclass(frozen=True, slots=True)
class Literal:
    """A token type with its value."""

    type: str
    value: int | Decimal


@dataclass(frozen=True, slots=True)
class BadLiteral:
    """What is wrong with a literal; ``fix`` is a text that would be right (for certain if
    ``safe``), ``type`` what it was meant to be.
    """

    type: str
    code: Code
    text: str
    help: str = ""
    fix: str = ""
    safe: bool = True


def read_numeric(text: str) -> Literal | BadLiteral:
    """Tell what a token that starts with a digit is, and its value or its mistake."""
    if len(text) > NUMBER_LENGTH:
        return BadLiteral(
            "INT", codes.BAD_NUMBER, f"a literal has at most {NUMBER_LENGTH} characters"
        )
    if _INT.match(text):
        value = int(text.replace("_", ""))
        if value > INT_LIMIT:
            return BadLiteral(
                "INT",
                codes.INT_TOO_LARGE,
                "an int lies between -9223372036854775808 and 9223372036854775807",
                "write it with a point for a float or a decimal",
            )
        return Literal("INT", value)
    if _DURATION.match(text):
        return _duration(text)
    if _DATE.match(text):
        return _date(text)
    if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]", text):
        return _timestamp(text)
    if _NUMBER.match(text):
        number = Decimal(text.replace("_", ""))
        if math.isinf(float(number)):
            return BadLiteral("NUMBER", codes.BAD_NUMBER, "no float is as large as this")
        return Literal("NUMBER", number)
    return _misspelt(text)


def _duration(text: str) -> Literal | BadLiteral:
    total, last = 0, math.inf
    for count, unit in _DURATION_PART.findall(text):
        if UNITS[unit] >= last:
            return BadLiteral(
                "DURATION",
                codes.BAD_DURATION,
                "the parts of a duration go from the longest unit to the shortest, each once",
                "write it as in `1d12h30m`",
            )
        last = UNITS[unit]
        total += int(count.replace("_", "")) * UNITS[unit]
    if total >= INT_LIMIT:
        return BadLiteral(
            "DURATION",
            codes.DURATION_TOO_LARGE,
            "a duration has at most 9223372036854775807 microseconds, about 292,000 years",
            "write `over all` for a window without an end",
        )
    return Literal("DURATION", total)


def _days(year: int, month: int, day: int) -> int | None:
    try:
        return dt.date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        return None


def _no_such_day(type_: str, text: str) -> BadLiteral:
    return BadLiteral(type_, codes.BAD_TIMESTAMP, f"the calendar has no day {text[:10]}")


def _out_of_range(type_: str) -> BadLiteral:
    return BadLiteral(
        type_, codes.TIME_OUT_OF_RANGE, f"times lie in the years {FIRST_YEAR} to {LAST_YEAR}"
    )


def _date(text: str) -> Literal | BadLiteral:
    year, month, day = int(text[:4]), int(text[5:7]), int(text[8:10])
    days = _days(year, month, day)
    if days is None:
        return _no_such_day("DATE", text)
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return _out_of_range("DATE")
    return Literal("DATE", days)


def _timestamp(text: str) -> Literal | BadLiteral:
    match = _TIMESTAMP.match(text)
    if match is None:
        if _ZONELESS.match(text):
            return BadLiteral(
                "TIMESTAMP",
                codes.BAD_TIMESTAMP,
                "this time has no zone, so it is no instant",
                "end it with `Z` for UTC, or with an offset such as `+02:00`",
                text + "Z",
                safe=False,
            )
        if re.search(r"[.][0-9]{7,}", text):
            return BadLiteral(
                "TIMESTAMP",
                codes.BAD_TIMESTAMP,
                "times have microseconds: six digits after the point",
                fix=re.sub(r"([.][0-9]{6})[0-9]+", r"\1", text),
                safe=False,
            )
        return BadLiteral(
            "TIMESTAMP",
            codes.BAD_TIMESTAMP,
            "this is not a complete timestamp",
            "write it as `2026-01-31T09:30:00Z`",
        )
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    days = _days(year, month, day)
    if days is None:
        return _no_such_day("TIMESTAMP", text)
    if not FIRST_YEAR - 1 <= year <= LAST_YEAR + 1:
        return _out_of_range("TIMESTAMP")
    shift_hours, shift_minutes = int(match[10] or 0), int(match[11] or 0)
    if hour > 23 or minute > 59 or second > 59 or shift_hours > 23 or shift_minutes > 59:
        return BadLiteral("TIMESTAMP", codes.BAD_TIMESTAMP, "no clock shows this time")
    shift = (shift_hours * 60 + shift_minutes) * (-60 if match[9] == "-" else 60)
    seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - shift
    micros = seconds * 1_000_000 + int((match[7] or "0").ljust(6, "0"))
    utc_year = dt.date.fromordinal(micros // 86_400_000_000 + _EPOCH).year
    if not FIRST_YEAR <= utc_year <= LAST_YEAR:
        return _out_of_range("TIMESTAMP")
    return Literal("TIMESTAMP", micros)


def _misspelt(text: str) -> BadLiteral:
    if _UNFINISHED.match(text):
        return BadLiteral(
            "DURATION",
            codes.BAD_DURATION,
            "the last number of this duration has no unit",
            "write it as in `1d12h30m`",
        )
    parts = re.match(r"([0-9_]+)([.][0-9_]+)?([A-Za-z]+)\Z", text)
    if parts:
        count, fraction, word = parts.groups()
        unit = UNIT_WORDS.get(word) or (word if word in UNITS else "")
        if fraction and unit:
            return BadLiteral(
                "DURATION",
                codes.BAD_DURATION,
                "a duration is made of whole numbers",
                "write smaller units: `1h30m` is an hour and a half",
                _exact_duration(count + fraction, unit),
            )
        if unit:
            return bad_unit(count, word)
        if word in VAGUE_UNITS:
            return bad_unit(count, word)
    return BadLiteral(
        "INT",
        codes.BAD_NUMBER,
        "this is neither a number nor a duration, date or time",
        "names do not start with a digit; `_` stands only between digits",
    )


def _exact_duration(number: str, unit: str) -> str:
    """Return ``1.5`` hours as ``1h30m``; empty where that is no whole number of microseconds."""
    micros = Decimal(number.replace("_", "")) * UNITS[unit]
    return duration_text(int(micros)) if micros == int(micros) and micros < INT_LIMIT else ""


def bad_unit(count: str, word: str) -> BadLiteral:
    """Explain ``7 days`` or ``7days``, and that a month has no fixed length."""
    if word in VAGUE_UNITS:
        return BadLiteral(
            "DURATION",
            codes.BAD_DURATION,
            f"`{word}` has no fixed length",
            'count days (`30d`, `365d`), or use `over since month("UTC")` for a calendar month',
        )
    short = count + UNIT_WORDS.get(word, word)
    return BadLiteral(
        "DURATION",
        codes.BAD_DURATION,
        "the units of a duration are w, d, h, m, s, ms and us, without a space",
        f"write `{short}`",
        short,
    )


_ESCAPE = re.compile(r"\\(u\{[0-9A-Fa-f]{1,6}\}|.)", re.DOTALL)
_SIMPLE = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}


def read_string(text: str) -> tuple[str, tuple[tuple[int, int, str], ...]]:
    r"""Return the value of a quoted text and its bad escapes as (start, end, what is wrong).

    Known escapes: ``\n``, ``\t``, ``\"``, ``\\``, ``\u{1F600}``.
    """
    body = text[1:-1]
    if "\\" not in body:
        return body, ()
    problems: list[tuple[int, int, str]] = []

    def replace(match: re.Match[str]) -> str:
        escape = match[1]
        if escape in _SIMPLE:
            return _SIMPLE[escape]
        if escape.startswith("u{"):
            point = int(escape[2:-1], 16)
            if point <= 0x10FFFF and not 0xD800 <= point <= 0xDFFF and point != 0:
                return chr(point)
            problems.append((match.start() + 1, match.end() + 1, "no character has this number"))
        else:
            problems.append((match.start() + 1, match.end() + 1, "this escape has no meaning"))
        return "?"

    return _ESCAPE.sub(replace, body), tuple(problems)
