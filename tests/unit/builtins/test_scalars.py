"""Every scalar builtin gives the same bits by the reference and in DuckDB, edges included."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from astrafs.builtins import registry
from astrafs.typesys import (
    BOOL,
    DATE,
    DURATION,
    FLOAT,
    INT,
    STRING,
    TIMESTAMP,
    Kind,
    Type,
    decimal,
    list_of,
    map_of,
    vector_of,
)
from astrafs.values import numbers
from astrafs.values.errors import ValueFailure
from astrafs.values.vectors import single

D4 = decimal(4, 2)
D12 = decimal(12, 2)
D18 = decimal(18, 4)
D38 = decimal(38, 6)
ENUM = Type(Kind.ENUM, values=("a", "bb"))
KEY = Type(Kind.KEY, entity="m.User", parts=(INT,))
INT_LIST, FLOAT_LIST, TEXT_LIST, TIME_LIST, D_LIST, BOOL_LIST = (
    list_of(part.optional()) for part in (INT, FLOAT, STRING, TIMESTAMP, D12, BOOL)
)
SURE_LIST = list_of(INT)
NESTED_LIST = list_of(TEXT_LIST.optional())
TEXT_MAP = map_of(STRING, INT.optional())
INT_MAP = map_of(INT, TEXT_LIST)
V1, V3 = vector_of(1), vector_of(3)
PARIS, UTC, APIA = "Europe/Paris", "UTC", "Pacific/Apia"

INTS = st.one_of(
    st.sampled_from([0, 1, -1, 2, -2, 7, -7, 10, 2**53 + 1, 2**62, -(2**63), 2**63 - 1]),
    st.integers(-50, 50),
    st.integers(-(2**63), 2**63 - 1),
)
FLOATS = st.one_of(
    st.sampled_from(
        [
            0.0,
            0.5,
            -0.5,
            1.5,
            2.5,
            -2.5,
            2.675,
            1.0,
            -1.0,
            0.1,
            1e16,
            1e22,
            1e-05,
            5e-324,
            1.7e308,
            -1.7e308,
            4503599627370495.5,
            9.223372036854776e18,
            -9.223372036854776e18,
            1e300,
        ]
    ),
    st.floats(-100, 100),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-100_000, 100_000).map(lambda n: n / 200),
).map(lambda x: x + 0.0)
TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            "a",
            "bb",
            " a\t",
            "a,b,,c",
            "É",
            "é",
            "👩\u200d👩\u200d👧",
            "A-Z",
            "12",
            "-7",
            "1.5e3",
            "1e999",
            ".5",
            "+",
            "1_0",
            "99999999999999999999",
            "-9223372036854775808",
            "0x10",
            " 1",
            "aaaa",
            "2026-01-31",
            "2026-02-30",
            "1677-12-31",
            "2026-01-31T10:00:00.5+02:00",
            "2026-01-31T10:00Z",
            "2026-01-31 10:00Z",
            "2262-01-01T00:00:00Z",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6),
    st.text("ab,", max_size=8),
)
TIMES = st.one_of(
    st.sampled_from(
        [
            0,
            -1,
            1,
            numbers.MIN_TIME,
            numbers.MAX_TIME,
            1774746000000000,
            1774745999999999,
            1792890000000000,
            1325239200000000,
            1700000000000000,
        ]
    ),
    st.integers(numbers.MIN_TIME, numbers.MAX_TIME),
    st.integers(0, 2**51),
)
DATES = st.one_of(
    st.sampled_from([0, -1, numbers.MIN_DATE, numbers.MAX_DATE, 15_338, 15_339, 20_453]),
    st.integers(numbers.MIN_DATE, numbers.MAX_DATE),
)


def decimals(type_: Type) -> st.SearchStrategy[Decimal]:
    most = 10**type_.precision - 1
    units = st.one_of(
        st.sampled_from([0, 1, -1, 5, -5, 50, 150, 250, -250, most, -most]),
        st.integers(-999, 999),
        st.integers(-most, most),
    )
    return units.map(lambda n: numbers.from_unscaled(max(-most, min(most, n)), type_.scale))


SINGLES = FLOATS.map(single).filter(lambda x: x is not None)


def nested(type_: Type) -> st.SearchStrategy[Any]:
    if type_.kind is Kind.VECTOR:
        return st.tuples(*[SINGLES] * type_.precision)
    if type_.kind is Kind.LIST:
        return st.lists(values(type_.parts[0]), max_size=4).map(tuple)
    key, value = (values(part) for part in type_.parts)
    return st.dictionaries(key, value, max_size=3).map(lambda m: tuple(sorted(m.items())))


def values(type_: Type) -> st.SearchStrategy[Any]:
    if type_.is_nested:
        whole = nested(type_)
        return st.one_of(st.none(), whole, whole, whole) if type_.nullable else whole
    plain: dict[Kind, st.SearchStrategy[Any]] = {
        Kind.INT: INTS,
        Kind.KEY: INTS,
        Kind.FLOAT: FLOATS,
        Kind.BOOL: st.booleans(),
        Kind.STRING: TEXTS,
        Kind.ENUM: st.sampled_from(type_.values or ("",)),
        Kind.TIMESTAMP: TIMES,
        Kind.DATE: DATES,
        Kind.DURATION: INTS,
    }
    found = decimals(type_) if type_.kind is Kind.DECIMAL else plain[type_.kind]
    return st.one_of(st.none(), found, found, found) if type_.nullable else found


ELEMENTARY = ("sqrt", "exp", "ln", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan")
Case = tuple[str, tuple[Any, ...]]
"""A function and its arguments: types (nullable here), or literals as (type, value)."""


def case(name: str, *args: Any) -> Case:
    return name, args


ARITHMETIC = [
    *(case(name, kind, kind) for name in ("add", "sub", "mul", "div") for kind in (INT, FLOAT)),
    *(case(name, INT, INT) for name in ("floordiv", "mod")),
    *(case(name, kind, kind) for name in ("add", "sub", "mul") for kind in (D4, D12, D18, D38)),
    case("mul", D18, decimal(18, 0)),
    case("mul", decimal(19, 0), decimal(19, 4)),
    case("floordiv", INT, (INT, 7)),
    case("floordiv", INT, (INT, -1)),
    case("mod", INT, (INT, -3)),
    case("div", FLOAT, (FLOAT, 0.1)),
    case("div", INT, (INT, 3)),
    case("add", TIMESTAMP, DURATION),
    case("add", DURATION, TIMESTAMP),
    case("add", DURATION, DURATION),
    case("sub", TIMESTAMP, TIMESTAMP),
    case("sub", TIMESTAMP, DURATION),
    case("mul", DURATION, INT),
    case("div", DURATION, DURATION),
    case("floordiv", DURATION, DURATION),
    case("floordiv", DURATION, INT),
    case("mod", DURATION, DURATION),
    *(case("neg", kind) for kind in (INT, FLOAT, D12, DURATION)),
]
COMPARISON = [
    *(
        case(name, kind, kind)
        for name in ("eq", "ne", "lt", "le", "gt", "ge")
        for kind in (INT, FLOAT, D12, STRING, TIMESTAMP, DATE, DURATION)
    ),
    *(case(name, kind, kind) for name in ("eq", "ne") for kind in (BOOL, ENUM, KEY)),
    case("eq", ENUM, (STRING, "bb")),
    case("in", STRING, (STRING, "a"), STRING),
    case("in", INT, INT, INT),
]
LOGIC = [
    case("and", BOOL, BOOL),
    case("or", BOOL, BOOL),
    case("not", BOOL),
    *(case(name, kind) for name in ("is_null", "is_not_null") for kind in (INT, STRING, BOOL)),
    *(case("coalesce", kind, kind) for kind in (INT, FLOAT, D12, STRING, ENUM, BOOL, TIMESTAMP)),
    case("coalesce", INT, INT, INT),
    *(case("if", BOOL, kind, kind) for kind in (INT, FLOAT, STRING)),
    *(case("null_if", kind, kind) for kind in (INT, FLOAT, STRING)),
]
CASTS = [
    *(case("int", kind) for kind in (INT, FLOAT, D4, D38, BOOL, STRING, KEY)),
    *(case("float", kind) for kind in (INT, FLOAT, D4, D18, D38, BOOL, STRING)),
    *(case("to_float", kind) for kind in (INT, FLOAT, D4, D12, D18, D38)),
    *(
        case("decimal", kind, (INT, p), (INT, s))
        for kind in (INT, FLOAT, D12, D38)
        for p, s in ((38, 10), (5, 2), (18, 0), (38, 38))
    ),
    *(
        case("string", kind)
        for kind in (INT, FLOAT, D4, D38, BOOL, STRING, ENUM, DATE, TIMESTAMP, KEY)
    ),
]
MATHEMATICS = [
    *(case(name, kind) for name in ("abs", "sign") for kind in (INT, FLOAT, D12, DURATION)),
    *(case(name, kind) for name in ("floor", "ceil", "trunc") for kind in (INT, FLOAT, D4, D38)),
    *(case("round", kind) for kind in (INT, FLOAT, D4, D38)),
    *(
        case("round", FLOAT, (INT, digits))
        for digits in (0, 1, 2, 5, 22, 23, 400, -1, -3, -308, -400)
    ),
    case("round", FLOAT, INT),
    *(case("round", D38, (INT, digits)) for digits in (0, 3, 6)),
    *(
        case(name, kind, kind)
        for name in ("least", "greatest")
        for kind in (INT, FLOAT, STRING, D12)
    ),
    case("least", DATE, DATE, DATE),
    *(case("clamp", kind, kind, kind) for kind in (INT, FLOAT)),
    *(case(name, FLOAT) for name in ELEMENTARY),
    case("pow", FLOAT, FLOAT),
    case("atan2", FLOAT, FLOAT),
]
TEXT = [
    *(case(name, STRING) for name in ("length", "lower", "upper", "trim")),
    *(case(name, STRING, STRING) for name in ("starts_with", "ends_with", "contains", "concat")),
    case("substring", STRING, INT, INT),
    *(case(name, STRING, INT) for name in ("left", "right")),
    case("replace", STRING, STRING, STRING),
    case("concat", STRING, ENUM, STRING),
    case("split_part", STRING, STRING, INT),
    case("split_part", STRING, (STRING, ","), INT),
    *(
        case("hash", kind, (INT, 10))
        for kind in (INT, STRING, KEY, ENUM, BOOL, FLOAT, D12, DATE, TIMESTAMP, DURATION)
    ),
]
PARTS = ("hour", "minute", "second", "day", "day_of_week", "day_of_year")
PARTS += ("week", "month", "quarter", "year")
TIME = [
    *(case(name, TIMESTAMP, (STRING, zone)) for name in PARTS for zone in (PARIS, UTC, APIA)),
    *(case(name, DATE) for name in PARTS[3:]),
    *(case("date", TIMESTAMP, (STRING, zone)) for zone in (PARIS, UTC, APIA)),
    *(case("timestamp", DATE, (STRING, zone)) for zone in (PARIS, UTC, APIA)),
    *(case("is_weekend", TIMESTAMP, (STRING, zone)) for zone in (PARIS, UTC, APIA)),
    case("is_weekend", DATE),
    *(
        case("start_of", TIMESTAMP, (STRING, unit), (STRING, zone))
        for unit in ("day", "week", "month", "quarter", "year")
        for zone in (PARIS, UTC, APIA)
    ),
    *(case("start_of", DATE, (STRING, unit)) for unit in ("week", "month", "quarter", "year")),
    case("add_months", DATE, INT),
    *(case(name, STRING) for name in ("date", "timestamp")),
    case("add_days", DATE, INT),
    case("days_between", DATE, DATE),
    *(case(name, DURATION) for name in ("seconds", "minutes", "hours", "days")),
    case("epoch_seconds", TIMESTAMP),
]
LISTS = [
    *(case("length", kind) for kind in (INT_LIST, TEXT_MAP, V3)),
    *(case("list", kind, kind) for kind in (INT, STRING, INT_LIST, V1)),
    *(case(name, kind, kind) for name in ("eq", "ne") for kind in (INT_LIST, TEXT_MAP, V3)),
    case("in", TEXT_LIST, TEXT_LIST, TEXT_LIST),
    case("null_if", TEXT_LIST, TEXT_LIST),
    case("coalesce", SURE_LIST, INT_LIST),
    *(case("is_null", kind) for kind in (INT_LIST, TEXT_MAP, V3)),
    case("if", BOOL, TEXT_MAP, TEXT_MAP),
    case("contains", INT_LIST, INT),
    case("contains", TEXT_LIST, STRING),
    case("contains", NESTED_LIST, TEXT_LIST),
    *(case("get", kind, INT) for kind in (INT_LIST, TEXT_LIST, NESTED_LIST, V3)),
    case("get", TEXT_MAP, STRING),
    case("get", INT_MAP, INT),
    case("concat", INT_LIST, INT_LIST),
    case("concat", SURE_LIST, INT_LIST, INT_LIST),
    *(case("slice", kind, INT, INT) for kind in (INT_LIST, TEXT_LIST)),
    *(case("sort", kind) for kind in (INT_LIST, FLOAT_LIST, TEXT_LIST, TIME_LIST, D_LIST)),
    *(
        case(name, kind)
        for name in ("reverse", "distinct", "drop_nulls")
        for kind in (INT_LIST, TEXT_LIST, BOOL_LIST, NESTED_LIST, FLOAT_LIST)
    ),
    *(
        case(name, kind)
        for name in ("sum_of", "mean_of")
        for kind in (INT_LIST, FLOAT_LIST, D_LIST)
    ),
    *(
        case(name, kind)
        for name in ("min_of", "max_of")
        for kind in (INT_LIST, FLOAT_LIST, TEXT_LIST, D_LIST, TIME_LIST)
    ),
    *(case("floats", kind) for kind in (INT_LIST, FLOAT_LIST, D_LIST, V3)),
    case("split", STRING, STRING),
    case("join", TEXT_LIST, STRING),
    case("map", TEXT_LIST, INT_LIST),
    case("map", INT_LIST, NESTED_LIST),
    case("has", TEXT_MAP, STRING),
    case("has", INT_MAP, INT),
    *(case(name, kind) for name in ("keys", "values") for kind in (TEXT_MAP, INT_MAP)),
    case("vector", FLOAT_LIST, (INT, 1)),
    case("vector", FLOAT_LIST, (INT, 3)),
    *(case(name, kind, kind) for name in ("dot", "cosine") for kind in (V1, V3)),
    *(case("norm", kind) for kind in (V1, V3)),
]
ALL = [*ARITHMETIC, *COMPARISON, *LOGIC, *CASTS, *MATHEMATICS, *TEXT, *LISTS, *TIME]


def label(given_case: Case) -> str:
    name, args = given_case
    texts = [str(arg[1]) if isinstance(arg, tuple) else str(arg) for arg in args]
    return f"{name}({', '.join(texts)})"


def test_every_row_is_tested() -> None:
    tested = {name for name, _ in ALL}
    # Widening decimals is done by casts of columns below; keys are made by the compiler.
    assert set(registry.FUNCTIONS) - tested == {"to_decimal", "to_key", "vector_literal"}


CORNERS: dict[Kind, tuple[Any, ...]] = {
    Kind.INT: (None, 0, 1, -1, 2**63 - 1, -(2**63)),
    Kind.KEY: (None, 0, 1),
    Kind.FLOAT: (None, 0.0, 1.0, -1.0, 0.5, 1.7e308, 5e-324),
    Kind.BOOL: (None, True, False),
    Kind.STRING: (None, "", "a", "a,b", "-7", "2026-01-31", "2026-01-31T10:00:00Z"),
    Kind.ENUM: (None, "a", "bb"),
    Kind.TIMESTAMP: (None, 0, -1, numbers.MAX_TIME),
    Kind.DATE: (None, 0, -1, numbers.MIN_DATE),
    Kind.DURATION: (None, 0, 1, -1, 2**63 - 1),
}


def corners(type_: Type) -> tuple[Any, ...]:
    """A few values that matter, null first."""
    if type_.kind is Kind.DECIMAL:
        most = 10**type_.precision - 1
        units = (0, 1, -(10**type_.scale), most, -most)
        return (None, *(numbers.from_unscaled(n, type_.scale) for n in units if abs(n) <= most))
    if type_.kind is Kind.VECTOR:
        numbers_ = (0.0, 1.0, -0.5, 2.0**-149, 3.4028234663852886e38)
        return (None, *((number,) * type_.precision for number in numbers_))
    if type_.kind is Kind.LIST:
        items = [
            item for item in corners(type_.parts[0]) if type_.parts[0].nullable or item is not None
        ]
        return (None, (), *((item,) for item in items[:3]), tuple(items[:4]), tuple(items[2:0:-1]))
    if type_.kind is Kind.MAP:
        keys, items = (corners(part)[1:4] for part in type_.parts)
        pairs = sorted(zip(keys, items, strict=False))
        return (None, (), tuple(pairs[:1]), tuple(pairs))
    return CORNERS[type_.kind]


@pytest.mark.parametrize("given_case", ALL, ids=label)
def test_every_combination_of_corner_values_agrees(engine: Any, given_case: Case) -> None:
    name, args = given_case
    types, constants = typed(args)
    widened = registry.FUNCTIONS[name].rule(types, constants).args
    choices = [
        corners(type_) if constant is None else (constant,)
        for type_, constant in zip(widened, constants, strict=True)
    ]
    engine.agree(name, types, list(itertools.product(*choices)), constants)


@pytest.mark.parametrize("given_case", ALL, ids=label)
def test_results_are_null_only_where_the_type_says_so(given_case: Case) -> None:
    name, args = given_case
    types = tuple(arg[0] if isinstance(arg, tuple) else arg for arg in args)
    constants = tuple(arg[1] if isinstance(arg, tuple) else None for arg in args)
    signature = registry.FUNCTIONS[name].rule(types, constants)
    choices = [
        corners(type_)[1:] if constant is None else (constant,)
        for type_, constant in zip(signature.args, constants, strict=True)
    ]
    for row in itertools.product(*choices):
        try:
            found = registry.evaluate(name, row, signature.args, signature.result)
        except ValueFailure:
            continue
        assert found is not None or signature.result.nullable, row


def typed(args: tuple[Any, ...]) -> tuple[tuple[Type, ...], tuple[Any, ...]]:
    """Argument types, nullable unless literal, and the literals."""
    types = tuple(arg[0] if isinstance(arg, tuple) else arg.optional() for arg in args)
    return types, tuple(arg[1] if isinstance(arg, tuple) else None for arg in args)


@pytest.mark.parametrize("given_case", ALL, ids=label)
def test_reference_and_duckdb_agree(engine: Any, given_case: Case) -> None:
    name, args = given_case
    types, constants = typed(args)
    widened = registry.FUNCTIONS[name].rule(types, constants).args

    @settings(
        max_examples=4,
        phases=[Phase.explicit, Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(
        st.lists(
            st.tuples(
                *(
                    st.just(constant) if constant is not None else values(type_)
                    for type_, constant in zip(widened, constants, strict=True)
                )
            ),
            min_size=1,
            max_size=25,
        )
    )
    def check(rows: list[tuple[Any, ...]]) -> None:
        engine.agree(name, types, rows, constants)

    check()


@pytest.mark.parametrize("target", [D12, D38, decimal(38, 0), decimal(5, 2)], ids=str)
@pytest.mark.parametrize("kind", [INT, D4, D18], ids=str)
def test_widening_to_decimal(engine: Any, kind: Type, target: Type) -> None:
    rows = [(0,), (1,), (-7,), (99,), (2**63 - 1,), (None,)]
    if kind.kind is Kind.DECIMAL:
        rows = [(numbers.from_unscaled(n, kind.scale),) for n in (0, 1, -5, 9_999)] + [(None,)]
    for row in rows:
        try:
            wanted = registry.evaluate("to_decimal", row, (kind,), target)
        except ValueFailure:
            continue
        assert engine.sql("to_decimal", (kind,), target, [row], (None,)) == [wanted]


def test_float_results_are_never_negative_zero(engine: Any) -> None:
    for name, rows in {
        "mul": [(-1.0, 0.0), (-5e-324, 0.1)],
        "div": [(0.0, -3.0), (-5e-324, 10.0)],
        "round": [(-0.4, 0)],
        "ceil": [(-0.4,)],
        "trunc": [(-0.4,)],
    }.items():
        types = (FLOAT, INT) if name == "round" else (FLOAT,) * len(rows[0])
        for answer in engine.agree(name, types, rows):
            assert answer == 0
            assert math.copysign(1, answer) == 1
