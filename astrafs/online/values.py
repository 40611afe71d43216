"""Engine values from JSON and back, each JSON form the only one of its value.

Integers beyond 2^53 are strings of digits, because most JSON readers would round them; decimals are
strings; times are ISO 8601 with an offset, durations as a program writes them (``1h30m``), bytes
base64, maps objects. Python's own values (``datetime``, ``Decimal``, ``bytes``) are taken too.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.diagnostics.suggest import closest
from astrafs.typesys import DURATION_UNITS, Kind, Type, duration_text
from astrafs.values.numbers import INT_MAX, INT_MIN, MAX_TIME, MIN_TIME, from_unscaled
from astrafs.values.text import calendar_day, date_text, instant_text, moment
from astrafs.values.vectors import single

SAFE_INT = 2**53
"""Integers of at most this size are JSON numbers; larger ones are strings of digits."""
MAX_DEPTH = 64
_SHOWN = 60
_MOST_DIGITS = 100

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_ZERO = date(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_DIGITS = re.compile(r"-?[0-9]{1,19}")
_KEY_DIGITS = re.compile(r"[+-]?[0-9]{1,40}")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?")
_FLOAT_TEXT = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6}0*)?)?"
"""Patterns of a date and of a time of day."""
_TIME = re.compile(
    f"(?P<date>{DATE})[T ](?P<clock>{CLOCK})(?P<offset>Z|[+-](0[0-9]|1[0-8])(:?[0-5][0-9])?)?"
)
_DURATION = re.compile(
    "(?P<sign>-?)" + "".join(f"(?:(?P<{u}>[0-9]+){u})?" for u in ("w", "d", "h", "m", "s"))
    + "(?:(?P<ms>[0-9]+)ms)?(?:(?P<us>[0-9]+)us)?"
)  # fmt: skip
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)

Reader = Callable[[Any, str], Any]
"""Takes a JSON value and its place; returns the engine value or raises."""


# --- JSON text


def parse_json(data: bytes | str, *, most_bytes: int, what: str) -> Any:
    """Return the value of a JSON text; numbers with a point or an exponent as exact ``Decimal``.

    Raises :class:`AstrafsError` for anything that is no JSON by the letter, for keys that come
    twice, NaN and infinities, more than ``most_bytes`` bytes or ``MAX_DEPTH`` levels. ``what``
    names the text in errors.
    """
    if len(data) > most_bytes:
        raise _no_json(what, f"it has {len(data):,} bytes, and {most_bytes:,} are allowed")
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
    except UnicodeDecodeError as error:
        raise _no_json(what, f"byte {error.start + 1:,} is no UTF-8") from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise _no_json(what, f"it is nested deeper than {MAX_DEPTH} levels")
    try:
        return json.loads(
            text, parse_float=_exact, parse_constant=_no_constant, object_pairs_hook=_once
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno:,}, column {error.colno:,}"
        raise _no_json(what, f"{error.msg[:1].lower()}{error.msg[1:]} at {place}") from None
    except _RefusedError as error:
        raise _no_json(what, str(error)) from None
    except (ValueError, RecursionError):
        raise _no_json(what, "a number has too many digits") from None


class _RefusedError(Exception):
    """What is wrong with a JSON text that the standard reader would take."""


def _depth(text: str) -> int:
    depth = deepest = 0
    for match in _BRACKETS.finditer(text):
        sign = match[0]
        if sign in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in "]}":
            depth -= 1
    return deepest


def _exact(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise _RefusedError(f"the number {text[:_SHOWN]} is out of range") from None


def _no_constant(text: str) -> Any:
    raise _RefusedError(f"`{text}` is no JSON number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _RefusedError(f"the key {shown(twice)} comes twice in one object")
    return found


def _no_json(what: str, reason: str) -> AstrafsError:
    return AstrafsError(codes.BAD_JSON.nowhere(f"{what} is no valid JSON: {reason}"))


# --- from JSON


def from_json(value: Any, type_: Type, place: str = "value") -> Any:
    """Return the engine value of ``value``, a part of parsed JSON or one of Python's own values.

    ``place`` names it in errors (``rows[3].amount``). Raises :class:`AstrafsError` where it is none
    of ``type_``.
    """
    return reader(type_)(value, place)


@cache
def reader(type_: Type) -> Reader:
    """Return what reads values of ``type_``: see :func:`from_json`."""
    plain = plain_type(type_)
    read = _READERS.get(plain.kind)
    inner = read if read is not None else _MAKERS[plain.kind](plain)

    def one(value: Any, place: str) -> Any:
        if value is None:
            if plain.nullable:
                return None
            raise refused(place, plain, None)
        found = inner(value, place)
        if found is None:
            raise refused(place, plain, value)
        return found

    return one


def plain_type(type_: Type) -> Type:
    """Return the type of the values of ``type_``: an entity key of one part is that part."""
    while type_.kind is Kind.KEY and len(type_.parts) == 1:
        type_ = type_.parts[0].with_null(type_.nullable)
    return type_


def refused(place: str, type_: Type, value: Any) -> AstrafsError:
    """Return the error that ``value`` at ``place`` is none of ``type_``."""
    return AstrafsError(_problem(place, type_, value))


def _problem(place: str, type_: Type, value: Any) -> Diagnostic:
    if value is None:
        return codes.BAD_FIELD.nowhere(f"`{place}` is null, and `{type_}` is never null")
    found = codes.BAD_FIELD.nowhere(f"`{place}` is `{type_}`, and {shown(value)} is none")
    if type_.kind is Kind.ENUM:
        near = closest(value, type_.values) if isinstance(value, str) else None
        listed = ", ".join(f"`{one}`" for one in type_.values)
        return found.help(f"did you mean `{near}`?" if near else f"its values are {listed}")
    advice = _ADVICE.get(type_.kind)
    if type_.kind is Kind.VECTOR:
        advice = f"write an array of {type_.precision:,} finite numbers"
    return found.help(advice) if advice else found


_ADVICE = {
    Kind.INT: f"write a whole number of 64 bits, beyond {SAFE_INT} as a string of digits",
    Kind.FLOAT: "write a finite number",
    Kind.DECIMAL: 'write it as a string, such as `"12.50"`: it must fit without rounding',
    Kind.BOOL: "write `true` or `false`",
    Kind.STRING: "write a string",
    Kind.BYTES: "write base64 in a string",
    Kind.TIMESTAMP: "write an ISO 8601 time with an offset, such as `2026-01-01T10:00:00Z`",
    Kind.DATE: "write a date, such as `2026-01-01`",
    Kind.DURATION: "write a duration, such as `1h30m`",
    Kind.LIST: "write an array",
    Kind.MAP: "write an object",
}


def shown(value: Any) -> str:
    """Return a JSON value as a short text for messages."""
    match value:
        case dict():
            return "an object"
        case list() | tuple():
            return f"an array of {len(value):,}"
        case str():
            text = json.dumps(value)
        case bool():
            text = "true" if value else "false"
        case None:
            return "null"
        case int() if value.bit_length() > 256:
            return f"a number of {value.bit_length():,} bits"
        case int() | float() | Decimal():
            text = str(value)
        case _:
            return f"a `{type(value).__name__}`"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _int(value: Any, _place: str) -> int | None:
    if type(value) is int:
        return value if INT_MIN <= value <= INT_MAX else None
    if type(value) is str and _DIGITS.fullmatch(value):
        number = int(value)
        return number if abs(number) > SAFE_INT and INT_MIN <= number <= INT_MAX else None
    return None


def _float(value: Any, _place: str) -> float | None:
    if type(value) not in (float, int, Decimal):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    # -0.0 is 0.0: there is one zero.
    return found + 0.0 if math.isfinite(found) else None


def _bool(value: Any, _place: str) -> bool | None:
    return value if type(value) is bool else None


def _string(value: Any, _place: str) -> str | None:
    if type(value) is not str:
        return None
    if value.isascii() or not any("\ud800" <= one <= "\udfff" for one in value):
        return value
    return None  # half of a surrogate pair is no text


def _bytes(value: Any, _place: str) -> bytes | None:
    if type(value) is bytes:
        return value
    if type(value) is not str:
        return None
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None


def _timestamp(value: Any, place: str) -> int | None:
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise _zoneless(place, str(value))
        micros = (value - _EPOCH) // _MICROSECOND
        return micros if MIN_TIME <= micros <= MAX_TIME else None
    match = _TIME.fullmatch(value) if type(value) is str else None
    if match is None:
        return None
    if match["offset"] is None:
        raise _zoneless(place, value)
    try:
        # Digits behind the sixth are zeros, which the reader of ISO times would not take.
        found = datetime.fromisoformat(f"{match['date']}T{match['clock'][:15]}{match['offset']}")
        micros = (found - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        return None
    return micros if MIN_TIME <= micros <= MAX_TIME else None


def _zoneless(place: str, text: str) -> AstrafsError:
    found = codes.BAD_FIELD.nowhere(f"`{place}` is a time without offset: {shown(text)}")
    return AstrafsError(found.help(f"write `{text[:_SHOWN]}Z` for UTC, or another offset"))


def _date(value: Any, _place: str) -> int | None:
    if isinstance(value, date) and not isinstance(value, datetime):
        return (value - _DAY_ZERO).days
    if type(value) is not str or not re.fullmatch(DATE, value):
        return None
    try:
        return (date.fromisoformat(value) - _DAY_ZERO).days
    except ValueError:
        return None


def _duration(value: Any, _place: str) -> int | None:
    if isinstance(value, timedelta):
        return value // _MICROSECOND
    if type(value) is not str or len(value) > _MOST_DIGITS:
        return None
    match = _DURATION.fullmatch(value)
    if match is None or not any(sign.isdigit() for sign in value):
        return None
    total = sum(int(match[unit] or 0) * DURATION_UNITS[unit] for unit in DURATION_UNITS)
    total = -total if match["sign"] else total
    return total if INT_MIN <= total <= INT_MAX else None


_READERS: dict[Kind, Reader] = {
    Kind.INT: _int,
    Kind.FLOAT: _float,
    Kind.BOOL: _bool,
    Kind.STRING: _string,
    Kind.BYTES: _bytes,
    Kind.TIMESTAMP: _timestamp,
    Kind.DATE: _date,
    Kind.DURATION: _duration,
}


def _decimal(type_: Type) -> Reader:
    scale, most = type_.scale, 10**type_.precision

    def read(value: Any, _place: str) -> Decimal | None:
        if type(value) is str:
            if len(value) > _MOST_DIGITS or not _NUMBER.fullmatch(value):
                return None
            value = Decimal(value)
        elif type(value) is float and math.isfinite(value):
            value = Decimal(repr(value))
        elif type(value) is int and value.bit_length() <= 128:
            value = Decimal(value)
        if type(value) is not Decimal or not value.is_finite():
            return None
        _, digits, exponent = value.as_tuple()
        assert isinstance(exponent, int)  # only what is not finite has another one
        units, shift = int("".join(map(str, digits))), exponent + scale
        if units == 0:
            return from_unscaled(0, scale)
        if len(digits) > _MOST_DIGITS or abs(shift) > _MOST_DIGITS:
            return None
        if shift < 0:
            units, rest = divmod(units, 10**-shift)
            if rest:
                return None
        else:
            units *= 10**shift
        return from_unscaled(-units if value < 0 else units, scale) if units < most else None

    return read


def _enum(type_: Type) -> Reader:
    known = frozenset(type_.values)
    return lambda value, _place: value if type(value) is str and value in known else None


def _list(type_: Type) -> Reader:
    inner = reader(type_.parts[0])

    def read(value: Any, place: str) -> tuple[Any, ...] | None:
        if not isinstance(value, list | tuple):
            return None
        return tuple(inner(item, f"{place}[{at}]") for at, item in enumerate(value))

    return read


def _vector(type_: Type) -> Reader:
    length = type_.precision

    def read(value: Any, place: str) -> tuple[float, ...] | None:
        if not isinstance(value, list | tuple) or len(value) != length:
            return None
        found: list[float] = []
        for at, item in enumerate(value):
            number = _float(item, place)
            rounded = None if number is None else single(number)
            if rounded is None:
                here = codes.BAD_FIELD.nowhere(
                    f"`{place}[{at}]` is no finite float32: {shown(item)}"
                )
                raise AstrafsError(here)
            found.append(rounded)
        return tuple(found)

    return read


def _map(type_: Type) -> Reader:
    key_type = plain_type(type_.parts[0])
    key, inner = _name_reader(key_type), reader(type_.parts[1])

    def read(value: Any, place: str) -> tuple[tuple[Any, Any], ...] | None:
        if not isinstance(value, Mapping):
            return None
        found = {}
        for name, item in value.items():
            here = f"{place}[{shown(name)}]"
            read_key = key(name, here)
            if read_key in found:
                twice = f"`{place}` has the key {shown(name)} twice"
                raise AstrafsError(codes.BAD_FIELD.nowhere(twice))
            found[read_key] = inner(item, here)
        return tuple(sorted(found.items(), key=lambda pair: pair[0]))

    return read


def _name_reader(type_: Type) -> Reader:
    """Return what reads a key of a map, which in JSON is always a string."""
    required = reader(type_.required())

    def read(name: Any, place: str) -> Any:
        given = name
        if type(name) is str:
            match type_.kind:
                case Kind.INT if _KEY_DIGITS.fullmatch(name):
                    given = int(name)
                case Kind.FLOAT if _FLOAT_TEXT.fullmatch(name):
                    given = float(name)
                case Kind.BOOL:
                    given = {"true": True, "false": False}.get(name.lower(), name)
                case _:
                    pass
        return required(given, place)

    return read


_MAKERS: dict[Kind, Callable[[Type], Reader]] = {
    Kind.DECIMAL: _decimal,
    Kind.ENUM: _enum,
    Kind.LIST: _list,
    Kind.VECTOR: _vector,
    Kind.MAP: _map,
}


# --- to JSON and Python


def to_json(value: Any, type_: Type) -> Any:
    """Return an engine value as JSON has it; :func:`from_json` gives exactly it back."""
    return writer(type_)(value)


@cache
def writer(type_: Type) -> Callable[[Any], Any]:
    """Return what writes values of ``type_`` as JSON: see :func:`to_json`."""
    plain = plain_type(type_)
    inner = _json_writer(plain)
    return (lambda value: None if value is None else inner(value)) if inner else lambda value: value


def _json_writer(type_: Type) -> Callable[[Any], Any] | None:
    match type_.kind:
        case Kind.INT:
            return lambda value: value if abs(value) <= SAFE_INT else str(value)
        case Kind.DECIMAL:
            return lambda value: f"{value:f}"
        case Kind.BYTES:
            return lambda value: base64.b64encode(value).decode()
        case Kind.TIMESTAMP:
            return instant_text
        case Kind.DATE:
            return date_text
        case Kind.DURATION:
            return duration_text
        case Kind.LIST:
            inner = writer(type_.parts[0])
            return lambda value: list(map(inner, value))
        case Kind.VECTOR:
            return lambda value: [shortest_single(item) for item in value]
        case Kind.MAP:
            name, item = writer(type_.parts[0]), writer(type_.parts[1])
            return lambda value: {_name(name(key)): item(one) for key, one in value}
        case _:
            return None


def _name(key: Any) -> str:
    return key if isinstance(key, str) else json.dumps(key)


def shortest_single(value: float) -> float:
    """Return the float with the fewest digits that is ``value`` as a float32."""
    for digits in range(1, 10):
        found = float(f"{value:.{digits}g}")
        if single(found) == value:
            return found
    return value


def to_python(value: Any, type_: Type) -> Any:
    """Return an engine value as Python has it: ``datetime`` in UTC, ``date``, ``timedelta``, lists
    and dicts.
    """
    if value is None:
        return None
    plain = plain_type(type_)
    match plain.kind:
        case Kind.TIMESTAMP:
            return moment(value)
        case Kind.DATE:
            return calendar_day(value)
        case Kind.DURATION:
            return timedelta(microseconds=value)
        case Kind.LIST:
            return [to_python(item, plain.parts[0]) for item in value]
        case Kind.VECTOR:
            return list(value)
        case Kind.MAP:
            name, inner = plain.parts
            return {to_python(key, name): to_python(item, inner) for key, item in value}
        case _:
            return value


def json_text(value: Any) -> str:
    """Return parsed or written JSON as compact text; raises ValueError for NaN and infinities."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def read_fields(
    given: Mapping[str, Any], fields: Sequence[tuple[str, Type]], place: str
) -> tuple[Any, ...]:
    """Return the engine values of ``fields`` (name and type) from an object; an absent nullable one
    is null.

    Raises :class:`AstrafsError` with one diagnostic for each field that is wrong, missing or not
    known.
    """
    problems: list[Diagnostic] = []
    found = []
    names = [name for name, _ in fields]
    for name in given:
        if name in names:
            continue
        unknown = codes.UNKNOWN_FIELD.nowhere(f"`{place}` has no field {shown(name)}")
        near = closest(name, names)
        listed = ", ".join(f"`{one}`" for one in names) or "none"
        problems.append(unknown.help(f"did you mean `{near}`?" if near else f"it has {listed}"))
    for name, type_ in fields:
        if name not in given and not type_.nullable:
            missing = f"`{place}.{name}` is missing"
            problems.append(codes.BAD_FIELD.nowhere(missing).help(f"it is a `{type_}`"))
            continue
        try:
            found.append(reader(type_)(given.get(name), f"{place}.{name}"))
        except AstrafsError as error:
            problems.extend(error.diagnostics)
    if problems:
        raise AstrafsError(*problems)
    return tuple(found)
