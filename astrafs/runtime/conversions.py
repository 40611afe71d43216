"""From a column as a file holds it to a column as the engine computes with it: SQL that loses
nothing, or a refusal.

Every conversion has two stages over one row: ``prepare`` reads the raw value, ``value`` gives the
engine's, and ``problems`` are conditions under which the row breaks a rule. Text (CSV) and JSON
values are parsed by patterns of our own first, because the engine's casts are generous: they trim,
round ``1.5`` to 2 and read ``1_000``.
"""

from __future__ import annotations

from astrafs.backends.duckdb.names import sql_type, text
from astrafs.record import dataclass
from astrafs.runtime import zones
from astrafs.runtime.zones import MAX_TIME, MIN_TIME, UNIX_ZONES
from astrafs.typesys import DURATION_UNITS, Kind, Type

TEXT = "text"
"""The physical type of a CSV column."""
JSON = "json"
"""The physical type of a field of a JSON object."""
NULL = '"NULL"'
"""The physical type of a column that holds nothing but nulls."""

NOT_AN_INSTANT = "is a time with an offset, such as 2026-01-01T10:00:00Z"
"""The rule that times as text break when they have no offset."""
FINER_THAN_MICROSECONDS = "has whole microseconds"
"""The rule that nanoseconds break."""

_INTEGERS = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
)
_WIDE_INTEGERS = frozenset({"UBIGINT", "HUGEINT", "UHUGEINT"})
_EXACT_IN_FLOAT = frozenset({"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"})
_LOCAL_TIMES = frozenset({"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS"})

_INT = r"[+-]?[0-9]+"
_FLOAT = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
_NOT_FINITE = r"(?i)[+-]?(nan|inf|infinity)"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6}0*)?)?"
_OFFSET = r"(Z|[+-](0[0-9]|1[0-8])(:?[0-5][0-9])?)"
_DURATION = "".join(f"([0-9]+{unit})?" for unit in ("w", "d", "h", "m", "s", "ms", "us"))
_BASE64 = r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"

_MIN_DATE, _MAX_DATE = -719_162, 2_932_896


@dataclass(frozen=True, slots=True)
class Problem:
    """A rule of the column's type: a row breaks it where ``condition`` is true.

    ``advice`` says what a violation often means.
    """

    rule: str
    condition: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Conversion:
    """SQL of one column: ``prepare`` over ``raw``, the rest over ``raw`` and ``prepared``."""

    prepare: str
    value: str
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why values of the physical type cannot become the declared type, and the advice."""

    advice: str
    zone: bool = False


def convert(type_: Type, physical: str, zone: str, raw: str, prepared: str) -> Conversion | Refusal:
    """Return how to read a column of engine type ``physical`` as ``type_``.

    ``raw`` and ``prepared`` are the SQL names of the raw and the prepared value. ``zone`` is the
    declared zone.
    """
    single_key = type_.kind is Kind.KEY and len(type_.parts) == 1
    plain = type_.parts[0].with_null(type_.nullable) if single_key else type_
    if physical == NULL:
        return Conversion(raw, f"CAST(NULL AS {sql_type(plain)})")
    if physical == TEXT:
        return _from_text(plain, zone, raw, raw, prepared)
    if physical == JSON:
        return _from_json(plain, zone, raw, prepared)
    match plain.kind:
        case Kind.TIMESTAMP | Kind.DATE if physical == "VARCHAR":
            return _from_text(plain, zone, raw, raw, prepared)
        case Kind.INT:
            return _int(physical, raw, prepared)
        case Kind.FLOAT:
            return _float(physical, raw, prepared)
        case Kind.DECIMAL:
            return _decimal(plain, physical, raw, prepared)
        case Kind.TIMESTAMP:
            return _timestamp(physical, zone, raw, prepared)
        case Kind.DATE:
            return _date(physical, raw, prepared)
        case Kind.DURATION:
            return _duration(physical, raw, prepared)
        case Kind.BOOL if physical == "BOOLEAN":
            return Conversion(raw, prepared)
        case Kind.STRING | Kind.ENUM if physical in ("VARCHAR", "UUID") or physical.startswith(
            "ENUM"
        ):
            return Conversion(f"CAST({raw} AS VARCHAR)", prepared)
        case Kind.BYTES if physical == "BLOB":
            return Conversion(raw, prepared)
        case _:
            return Refusal(_advice(physical))


def _int(physical: str, raw: str, prepared: str) -> Conversion | Refusal:
    if physical in _INTEGERS:
        return Conversion(f"CAST({raw} AS BIGINT)", prepared)
    if physical in _WIDE_INTEGERS:
        return _tried(raw, f"TRY_CAST({raw} AS BIGINT)", prepared, "fits 64 bits")
    return Refusal(_advice(physical))


def _float(physical: str, raw: str, prepared: str) -> Conversion | Refusal:
    if physical in ("FLOAT", "DOUBLE") or physical in _EXACT_IN_FLOAT:
        return Conversion(f"CAST({raw} AS DOUBLE)", finite(prepared))
    return Refusal(_advice(physical))


def finite(value: str) -> str:
    """Return SQL for a float without NaN, infinities and negative zero."""
    return f"CASE WHEN {value} = 0 THEN CAST(0 AS DOUBLE) WHEN isfinite({value}) THEN {value} END"


def _decimal(type_: Type, physical: str, raw: str, prepared: str) -> Conversion | Refusal:
    target = sql_type(type_)
    if physical in _INTEGERS or physical in _WIDE_INTEGERS:
        rule = f"fits decimal({type_.precision}, {type_.scale})"
        return _tried(raw, f"TRY_CAST({raw} AS {target})", prepared, rule)
    if physical.startswith("DECIMAL("):
        precision, scale = (int(part) for part in physical[8:-1].split(","))
        if scale <= type_.scale and precision - scale <= type_.precision - type_.scale:
            return Conversion(f"CAST({raw} AS {target})", prepared)
    return Refusal(_advice(physical))


def _timestamp(physical: str, zone: str, raw: str, prepared: str) -> Conversion | Refusal:
    in_range = _time_range(prepared, raw)
    if zone in UNIX_ZONES:
        if physical not in _INTEGERS and physical not in _WIDE_INTEGERS:
            return Refusal(f'`in "{zone}"` reads whole numbers; {_advice(physical)}')
        return _unix(zone, f"CAST({raw} AS HUGEINT)", prepared)
    if physical in ("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"):
        if zone:
            return Refusal("the file already holds instants: remove the column's `in`")
        if physical == "TIMESTAMPTZ_NS":
            return _nanoseconds(raw, prepared, prepared_us="")
        return Conversion(f"epoch_us({raw})", prepared, (in_range,))
    if physical in _LOCAL_TIMES or physical == "TIMESTAMP_NS":
        if not zone:
            return Refusal(
                'name the zone of these local times: `in "Europe/Paris"` (or `in "UTC"`)', zone=True
            )
        if physical == "TIMESTAMP_NS":
            return _nanoseconds(raw, prepared, prepared_us=zone)
        return Conversion(
            f"epoch_us(CAST({raw} AS TIMESTAMP))", zones.instant_sql(zone, prepared), (in_range,)
        )
    if physical in _INTEGERS or physical in _WIDE_INTEGERS:
        return Refusal(
            'say what these numbers count: `in "unix:s"`, `unix:ms`, `unix:us` or `unix:ns`',
            zone=True,
        )
    if physical == "DATE":
        return Refusal(
            "a date is no instant: declare the column as `date`, or store the time of day"
        )
    return Refusal(_advice(physical))


def _nanoseconds(raw: str, prepared: str, prepared_us: str) -> Conversion:
    micros = f"({prepared} // 1000)"
    value = zones.instant_sql(prepared_us, micros) if prepared_us else micros
    problems = (
        _whole_micros(prepared),
        _time_range(micros, raw),
    )
    return Conversion(f"epoch_ns({raw})", value, problems)


def _unix(zone: str, number: str, prepared: str) -> Conversion:
    scale = UNIX_ZONES[zone]
    low, high = (
        (MIN_TIME * 1000, MAX_TIME * 1000 + 999)
        if scale == 0
        else (MIN_TIME // scale, MAX_TIME // scale)
    )
    out = Problem(
        f"lies in the years 1678 to 2261, read as {zone}",
        f"NOT {prepared} BETWEEN {low} AND {high}",
        "is it another unit: `unix:s`, `unix:ms`, `unix:us` or `unix:ns`?",
    )
    inside = f"CASE WHEN {prepared} BETWEEN {low} AND {high} THEN {prepared} END"
    if scale:
        return Conversion(number, f"CAST(({inside}) * {scale} AS BIGINT)", (out,))
    whole = _whole_micros(prepared)
    # // truncates towards zero; whole thousands are the only ones that pass, so it makes no
    # difference.
    return Conversion(number, f"CAST(({inside}) // 1000 AS BIGINT)", (whole, out))


def _whole_micros(nanos: str) -> Problem:
    return Problem(
        FINER_THAN_MICROSECONDS,
        f"{nanos} % 1000 <> 0",
        "times are counted in microseconds: round the column down where it is written",
    )


def _time_range(micros: str, raw: str = "") -> Problem:
    """Return the rule on the years. With ``raw``, a value that has no microseconds breaks it too:
    the engine reads the largest numbers as infinite times, and those as nothing.
    """
    outside = f"NOT {micros} BETWEEN {MIN_TIME} AND {MAX_TIME}"
    if raw:
        outside = f"({raw} IS NOT NULL AND {micros} IS NULL) OR {outside}"
    return Problem("lies in the years 1678 to 2261", outside)


def _date(physical: str, raw: str, prepared: str) -> Conversion | Refusal:
    if physical == "DATE":
        return Conversion(raw, _days(prepared), (_date_range(prepared),))
    if physical.startswith("TIMESTAMP"):
        return Refusal(
            'declare the column as `timestamp`, and use `date(column, "Zone/Name")` for its day'
        )
    return Refusal(_advice(physical))


def _days(date: str) -> str:
    return f"CAST({date} - DATE '1970-01-01' AS BIGINT)"


def _date_range(date: str) -> Problem:
    return Problem(
        "lies in the years 1 to 9999",
        f"NOT (isfinite({date}) AND {_days(date)} BETWEEN {_MIN_DATE} AND {_MAX_DATE})",
    )


def _duration(physical: str, raw: str, prepared: str) -> Conversion | Refusal:
    if physical == "INTERVAL":
        months = Problem(
            "has no calendar months",
            f"datepart('month', {prepared}) + 12 * datepart('year', {prepared}) <> 0",
        )
        return Conversion(raw, f"CAST(epoch_us({prepared}) AS BIGINT)", (months,))
    if physical.startswith("DURATION:"):
        factor = {"s": 1_000_000, "ms": 1_000, "us": 1}.get(physical.removeprefix("DURATION:"))
        if factor is None:
            whole = _whole_micros(prepared)
            return Conversion(raw, f"({prepared} // 1000)", (whole,))
        return Conversion(raw, f"({prepared} * {factor})")
    return Refusal(_advice(physical))


def _from_text(
    type_: Type, zone: str, raw: str, string: str, prepared: str
) -> Conversion | Refusal:
    """Read ``type_`` from the SQL text ``string``; ``raw`` is null exactly where the file has no
    value.
    """
    match type_.kind:
        case Kind.STRING | Kind.ENUM:
            if type_.kind is Kind.STRING and not type_.nullable and raw == string:
                return Conversion(f"coalesce({raw}, '')", prepared)
            return Conversion(string, prepared)
        case Kind.INT:
            return _parsed(raw, string, _INT, "BIGINT", prepared, "is a 64-bit integer")
        case Kind.FLOAT:
            number = f"{_matches(string, _FLOAT)} AND isfinite(TRY_CAST({string} AS DOUBLE))"
            other = f"{_matches(string, _NOT_FINITE)}"
            read = f"CASE WHEN {number} OR {other} THEN TRY_CAST({string} AS DOUBLE) END"
            fails = Problem("is a number", f"{raw} IS NOT NULL AND {prepared} IS NULL")
            return Conversion(read, finite(prepared), (fails,))
        case Kind.DECIMAL:
            fraction = f"(\\.[0-9]{{0,{type_.scale}}}0*)?" if type_.scale else "(\\.0*)?"
            rule = f"is a decimal({type_.precision}, {type_.scale})"
            return _parsed(raw, string, f"[+-]?[0-9]+{fraction}", sql_type(type_), prepared, rule)
        case Kind.BOOL:
            return _parsed(raw, string, "(?i)true|false", "BOOLEAN", prepared, "is true or false")
        case Kind.DATE:
            read = f"CASE WHEN {_matches(string, _DATE)} THEN TRY_CAST({string} AS DATE) END"
            fails = Problem("is a date", f"{raw} IS NOT NULL AND {prepared} IS NULL")
            return Conversion(read, _days(prepared), (fails, _date_range(prepared)))
        case Kind.TIMESTAMP:
            return _time_from_text(zone, raw, string, prepared)
        case Kind.DURATION:
            return _duration_from_text(raw, string, prepared)
        case Kind.BYTES:
            read = f"CASE WHEN {_matches(string, _BASE64)} THEN from_base64({string}) END"
            return _tried(raw, read, prepared, "is base64")
        case _:
            return Refusal("this type cannot be read from text")


def _time_from_text(zone: str, raw: str, string: str, prepared: str) -> Conversion | Refusal:
    if zone in UNIX_ZONES:
        whole = _parsed(raw, string, _INT, "HUGEINT", prepared, "is a whole number")
        counted = _unix(zone, whole.prepare, prepared)
        return Conversion(counted.prepare, counted.value, (*whole.problems, *counted.problems))
    instant = f"epoch_us(TRY_CAST({string} AS TIMESTAMP WITH TIME ZONE))"
    with_offset = _matches(string, _DATE + _CLOCK + _OFFSET)
    if not zone:
        read = f"CASE WHEN {with_offset} THEN {instant} END"
        problem = Problem(
            NOT_AN_INSTANT,
            f"{raw} IS NOT NULL AND {prepared} IS NULL",
            'local times need their zone: `timestamp in "Europe/Paris"`, or `in "UTC"`; '
            'counted ones their unit: `timestamp in "unix:s"`, or `unix:ms`',
        )
        return Conversion(read, prepared, (problem, _time_range(prepared)))
    # A list keeps both readings until the zone's offset is looked up: local times first, instants
    # second.
    local = f"epoch_us(TRY_CAST({string} AS TIMESTAMP))"
    read = (
        f"CASE WHEN {_matches(string, _DATE + _CLOCK)} THEN [{local}, NULL]"
        f" WHEN {with_offset} THEN [NULL, {instant}] END"
    )
    problem = Problem(
        "is a time, such as 2026-01-01T10:00:00",
        f"{raw} IS NOT NULL AND coalesce({prepared}[1], {prepared}[2]) IS NULL",
    )
    value = f"coalesce({prepared}[2], {zones.instant_sql(zone, f'{prepared}[1]')})"
    return Conversion(
        read, value, (problem, _time_range(f"coalesce({prepared}[2], {prepared}[1])"))
    )


def _duration_from_text(raw: str, string: str, prepared: str) -> Conversion:
    parts = [
        f"coalesce(TRY_CAST(nullif(regexp_extract({string}, '([0-9]+){unit}($|[0-9])', 1), '')"
        f" AS HUGEINT), 0) * {DURATION_UNITS[unit]}"
        for unit in ("w", "d", "h", "m", "s", "ms", "us")
    ]
    total = " + ".join(parts)
    sized = f"{_matches(string, '-?' + _DURATION)} AND {_matches(string, '.*[0-9].*')}"
    read = (
        f"CASE WHEN {sized} THEN TRY_CAST("
        f"CASE WHEN starts_with({string}, '-') THEN -1 ELSE 1 END * ({total}) AS BIGINT) END"
    )
    return _tried(raw, read, prepared, "is a duration, such as 1h30m")


def _from_json(type_: Type, zone: str, raw: str, prepared: str) -> Conversion | Refusal:
    string = f"({raw} ->> '$')"
    base = _from_text(type_, zone, raw, string, prepared)
    if isinstance(base, Refusal):
        return base
    numbers = "'BIGINT', 'UBIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE', 'DECIMAL'"
    match type_.kind:
        case Kind.INT | Kind.FLOAT:
            kinds = numbers
        case Kind.DECIMAL:
            kinds = f"{numbers}, 'VARCHAR'"
        case Kind.TIMESTAMP if zone in UNIX_ZONES:
            kinds = numbers
        case Kind.BOOL:
            kinds = "'BOOLEAN'"
        case _:
            kinds = "'VARCHAR'"
    wanted = "a JSON " + (
        "number" if "BIGINT" in kinds else "true or false" if "BOOLEAN" in kinds else "string"
    )
    # `raw ->> '$'` is null for a JSON null, so that null is a null of the column.
    wrong = Problem(f"is {wanted}", f"{string} IS NOT NULL AND json_type({raw}) NOT IN ({kinds})")
    problems = [wrong]
    if type_.kind is Kind.DECIMAL:
        # A JSON number passes through a double, which holds 15 decimal digits for sure.
        digits = f"length(regexp_replace({string}, '[^0-9]', '', 'g')) > 15"
        number = f"json_type({raw}) NOT IN ('VARCHAR', 'BIGINT', 'UBIGINT')"
        problems.append(
            Problem(
                "has at most 15 digits or is a JSON string",
                f"{number} AND {digits}",
                "write long decimals as JSON strings: a JSON number passes through a float",
            )
        )
    problems.extend(
        Problem(
            problem.rule,
            problem.condition.replace(f"{raw} IS NOT NULL", f"{string} IS NOT NULL"),
            problem.advice,
        )
        for problem in base.problems
    )
    return Conversion(base.prepare, base.value, tuple(problems))


def _parsed(raw: str, string: str, pattern: str, kind: str, prepared: str, rule: str) -> Conversion:
    read = f"CASE WHEN {_matches(string, pattern)} THEN TRY_CAST({string} AS {kind}) END"
    return _tried(raw, read, prepared, rule)


def _tried(raw: str, read: str, prepared: str, rule: str) -> Conversion:
    return Conversion(read, prepared, (Problem(rule, f"{raw} IS NOT NULL AND {prepared} IS NULL"),))


def _matches(string: str, pattern: str) -> str:
    return f"regexp_full_match({string}, {text(pattern)})"


_DECLARATIONS = {
    "BOOLEAN": "bool",
    "VARCHAR": "string",
    "BLOB": "bytes",
    "FLOAT": "float",
    "DOUBLE": "float",
    "DATE": "date",
    "INTERVAL": "duration",
    "UUID": "string",
}


def _advice(physical: str) -> str:
    declared = _DECLARATIONS.get(physical, "")
    if physical in _INTEGERS or physical in _WIDE_INTEGERS:
        declared = "int"
    elif physical.startswith("DECIMAL("):
        declared = "decimal" + physical[7:].replace(",", ", ")
    elif physical.startswith("TIMESTAMP"):
        declared = "timestamp"
    elif physical.startswith("ENUM"):
        declared = "string"
    if declared:
        return f"declare the column as `{declared}`, and convert where it is used"
    return "store the column with a type that the language has"
