"""Random values of every type, with the awkward ones first in line."""

from __future__ import annotations

import math
from decimal import Context, Decimal
from random import Random

from astrafs.typesys import Kind, Type
from astrafs.values.vectors import singles
from tests.parity.model import Value, engine_type

BASE = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z in microseconds."""

DAY = 86_400_000_000
BASE_DAY = BASE // DAY

STRINGS = (
    "",
    "a",
    "b",
    "ab",
    "a:b",
    "a,b",
    "1",
    "12",
    "é",
    "e\u0301",
    "日本",
    "\U0001f600",
    "Straße",
    "İ",
    "A",
    "Z",
    " a ",
    "\t",
    "a'b",
    'q"q',
    "null",
    "\ufffd",
    "\uffff",
    "%_",
    "\\",
)
FLOATS = (
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.1,
    0.2,
    0.3,
    0.5,
    1.5,
    2.5,
    -2.5,
    1 / 3,
    1e-9,
    -1e-9,
    1e16,
    1e16 + 2,
    -1e16,
    123456789.123,
    1e22,
    -1e22,
    5e-324,
    1e-300,
    2.0**-86,
    2.0**-87,
    1 + 2.0**-52,
    2.0**53,
    7.0,
)
WILD_FLOATS = (1e308, -1e308, 1e27, 2.0**90, 1.7976931348623157e308)
INTS = (0, 1, -1, 2, 3, 5, -7, 10, 12, 100, -1000, 4096, 2**31, -(2**31), 2**40, 10**9)
WIDE_INTS = (2**53, 2**53 + 1, -(2**53) - 1, 10**15 + 7)
WILD_INTS = (2**63 - 1, -(2**63), 2**62, -(2**62), 2**63 - 2, 3037000500)


def draw(rng: Random, kind: Type, *, wild: bool = False, nulls: float = 0.2) -> Value:
    """Return a value of ``kind``: null now and then where it may be, extremes only if ``wild``."""
    if kind.nullable and rng.random() < nulls:
        return None
    kind = engine_type(kind)
    match kind.kind:
        case Kind.INT:
            return _int(rng, wild)
        case Kind.FLOAT:
            if kind.nullable and rng.random() < 0.08:
                return rng.choice((math.nan, math.inf, -math.inf))
            if wild and rng.random() < 0.15:
                return rng.choice(WILD_FLOATS)
            if rng.random() < 0.6:
                return rng.choice(FLOATS)
            return rng.choice((rng.uniform(-10, 10), rng.gauss(0, 1e6), rng.random()))
        case Kind.DECIMAL:
            return _decimal(rng, kind)
        case Kind.BOOL:
            return rng.random() < 0.5
        case Kind.STRING:
            return rng.choice(STRINGS)
        case Kind.ENUM:
            return rng.choice(kind.values)
        case Kind.TIMESTAMP:
            return BASE + rng.randint(-40, 40) * 3_600_000_000 + rng.choice((0, 0, 1, -1, 999_999))
        case Kind.DATE:
            return BASE_DAY + rng.choice((0, 0, 1, -1, 30, 58, 59, -366, rng.randint(-20000, 9000)))
        case Kind.DURATION:
            return rng.choice((0, 1, -1, 1_000_000, 3_600_000_000, -DAY, 7 * DAY, 90_000_001))
        case Kind.LIST:
            count = rng.choice((0, 1, 2, 2, 3, 5))
            return tuple(draw(rng, kind.parts[0], wild=wild) for _ in range(count))
        case Kind.MAP:
            keys = {draw(rng, kind.parts[0]) for _ in range(rng.choice((0, 1, 2, 3)))}
            pairs = [(key, draw(rng, kind.parts[1], wild=wild)) for key in keys]
            return tuple(sorted(pairs, key=lambda pair: pair[0]))
        case Kind.VECTOR:
            drawn = (
                rng.choice((0.0, 1.0, -1.0, 0.1, rng.gauss(0, 3))) for _ in range(kind.precision)
            )
            return singles(drawn)
        case other:
            raise ValueError(f"no values of {other}")


def _int(rng: Random, wild: bool) -> int:
    roll = rng.random()
    if wild and roll < 0.15:
        return rng.choice(WILD_INTS)
    if roll < 0.6:
        return rng.randint(-9, 20)
    return rng.choice(WIDE_INTS if roll > 0.97 else INTS)


def _decimal(rng: Random, kind: Type) -> Decimal:
    limit = 10**kind.precision - 1
    roll = rng.random()
    if roll < 0.05:
        units = rng.choice((limit, -limit))
    elif roll < 0.3:
        units = rng.choice((0, 1, -1, 5, -5, 15, 25, -25, 10**kind.scale))
    else:
        units = rng.randint(-(10 ** min(kind.precision, 6)), 10 ** min(kind.precision, 6))
    units = max(-limit, min(limit, units))
    return Decimal(units).scaleb(-kind.scale, Context(prec=60))


def literal(value: Value, kind: Type) -> str:
    """Return ``value`` as source text (negative numbers by unary minus, in parentheses)."""
    kind = engine_type(kind)
    if value is None:
        return "null"
    match kind.kind:
        case Kind.BOOL:
            return "true" if value else "false"
        case Kind.INT:
            assert isinstance(value, int)
            return str(value) if value >= 0 else f"(-{-value})"
        case Kind.FLOAT:
            assert isinstance(value, float)
            text = repr(abs(value))
            if "." not in text and "e" not in text:
                text += ".0"
            return text if math.copysign(1, value) > 0 else f"(-{text})"
        case Kind.DECIMAL:
            assert isinstance(value, Decimal)
            text = f"{abs(value):f}"
            if "." not in text and abs(value) >= 2**63:
                text += ".0"  # a literal without a point is an int, of 64 bits
            return text if value >= 0 else f"(-{text})"
        case Kind.STRING | Kind.ENUM:
            return quoted(str(value))
        case Kind.TIMESTAMP:
            assert isinstance(value, int)
            return timestamp_text(value)
        case Kind.DATE:
            assert isinstance(value, int)
            return timestamp_text(value * DAY)[:10]
        case Kind.DURATION:
            assert isinstance(value, int)
            return duration_text(value)
        case other:
            raise ValueError(f"no literal of {other}")


def quoted(text: str) -> str:
    """Return a string literal."""
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\uffff": "\\u{FFFF}"}
    return '"' + "".join(escapes.get(letter, letter) for letter in text) + '"'


def timestamp_text(micros: int) -> str:
    """Return ``2026-01-01T00:00:00[.ffffff]Z``."""
    days, rest = divmod(micros, DAY)
    seconds, fraction = divmod(rest, 1_000_000)
    year, month, day = _civil(days)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    tail = f".{fraction:06}" if fraction else ""
    return f"{year:04}-{month:02}-{day:02}T{clock}{tail}Z"


def duration_text(micros: int) -> str:
    """Return a duration literal such as ``1d2h``; negative ones by unary minus, in parentheses."""
    if micros < 0:
        return f"(-{duration_text(-micros)})"
    text = ""
    for suffix, size in (("d", DAY), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000)):
        count, micros = divmod(micros, size)
        if count:
            text += f"{count}{suffix}"
    for suffix, size in (("ms", 1000), ("us", 1)):
        count, micros = divmod(micros, size)
        if count:
            text += f"{count}{suffix}"
    return text or "0s"


def _civil(days: int) -> tuple[int, int, int]:
    days += 719_468
    era, rest = divmod(days, 146_097)
    year = (rest - rest // 1460 + rest // 36524 - rest // 146_096) // 365
    day = rest - (365 * year + year // 4 - year // 100)
    month = (5 * day + 2) // 153
    day = day - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return era * 400 + year + (month <= 2), month, day
