"""JSON and engine values: each value has one form and comes back exactly, the rest is refused."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astrafs.diagnostics.model import AstrafsError
from astrafs.online.values import (
    MAX_DEPTH,
    from_json,
    json_text,
    parse_json,
    read_fields,
    to_json,
    to_python,
)
from astrafs.typesys import (
    BOOL,
    BYTES,
    DATE,
    DURATION,
    FLOAT,
    INT,
    STRING,
    TIMESTAMP,
    Kind,
    Type,
    list_of,
)
from astrafs.values.numbers import INT_MAX, INT_MIN, MAX_TIME, MIN_TIME, from_unscaled
from astrafs.values.vectors import single

MONEY = Type(Kind.DECIMAL, precision=12, scale=2)
WIDE = Type(Kind.DECIMAL, precision=38, scale=6)
COLOUR = Type(Kind.ENUM, values=("red", "green"))
PLACE = Type(Kind.VECTOR, precision=2)
USER = Type(Kind.KEY, entity="m.User", parts=(INT,))


def map_of(key: Type, value: Type) -> Type:
    return Type(Kind.MAP, parts=(key, value))


def texts() -> st.SearchStrategy[str]:
    return st.text(st.characters(exclude_categories=("Cs",)))


def typed() -> st.SearchStrategy[tuple[Type, Any]]:
    """Types with a value of each."""
    ints = st.integers(INT_MIN, INT_MAX)
    floats = st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0)
    plain: list[tuple[Type, st.SearchStrategy[Any]]] = [
        (INT, ints),
        (USER, ints),
        (FLOAT, floats),
        (BOOL, st.booleans()),
        (STRING, texts()),
        (BYTES, st.binary()),
        (TIMESTAMP, st.integers(MIN_TIME, MAX_TIME)),
        (DATE, st.integers(-719_162, 2_932_896)),
        (DURATION, ints),
        (COLOUR, st.sampled_from(COLOUR.values)),
        (MONEY, st.integers(-(10**12) + 1, 10**12 - 1).map(lambda n: from_unscaled(n, 2))),
        (WIDE, st.integers(-(10**38) + 1, 10**38 - 1).map(lambda n: from_unscaled(n, 6))),
        (
            PLACE,
            st.tuples(*[st.floats(-1e30, 1e30).map(lambda x: single(x) or 0.0)] * 2),
        ),
    ]
    lists = [(list_of(type_.optional()), st.lists(st.none() | made)) for type_, made in plain]
    maps = [
        (map_of(key, INT), st.dictionaries(made, ints))
        for key, made in plain
        if key.kind not in (Kind.VECTOR, Kind.FLOAT)
    ]
    return st.one_of(
        *(st.tuples(st.just(type_), made) for type_, made in plain),
        *(st.tuples(st.just(type_), made.map(tuple)) for type_, made in lists),
        *(
            st.tuples(st.just(type_), made.map(lambda found: tuple(sorted(found.items()))))
            for type_, made in maps
        ),
    )


def same(left: Any, right: Any) -> bool:
    return repr(left) == repr(right)


@given(typed())
def test_a_value_comes_back_from_json_exactly(case: tuple[Type, Any]) -> None:
    type_, value = case
    text = json_text(to_json(value, type_))
    parsed = parse_json(text, most_bytes=1 << 20, what="it")
    assert same(from_json(parsed, type_), value)


@given(typed())
def test_a_value_comes_back_from_python_exactly(case: tuple[Type, Any]) -> None:
    type_, value = case
    if type_.kind in (Kind.DURATION, Kind.LIST, Kind.MAP):  # not all durations are timedeltas
        return
    assert same(from_json(to_python(value, type_), type_), value)


@pytest.mark.parametrize(
    ("given_", "type_", "value"),
    [
        ("9007199254740993", INT, 2**53 + 1),
        (Decimal("1.5"), FLOAT, 1.5),
        (Decimal("-0.0"), FLOAT, 0.0),
        (7, FLOAT, 7.0),
        ("12.50", MONEY, Decimal("12.50")),
        (Decimal("12.500"), MONEY, Decimal("12.50")),
        (Decimal("1e3"), MONEY, Decimal("1000.00")),
        (12, MONEY, Decimal("12.00")),
        ("2026-01-01T10:00:00+02:00", TIMESTAMP, 1767254400000000),
        ("2026-01-01 08:00:00.1234560Z", TIMESTAMP, 1767254400123456),
        (datetime(2026, 1, 1, 8, tzinfo=UTC), TIMESTAMP, 1767254400000000),
        (date(1970, 1, 3), DATE, 2),
        ("1970-01-03", DATE, 2),
        ("1w2d1h30m", DURATION, 783_000_000_000),
        ("-1us", DURATION, -1),
        ("0s", DURATION, 0),
        (timedelta(hours=1), DURATION, 3_600_000_000),
        ("AQI=", BYTES, b"\x01\x02"),
        ({"10": 1, "9": 2}, map_of(INT, INT), ((9, 2), (10, 1))),
        ({"true": 1}, map_of(BOOL, INT), ((True, 1),)),
        ([1, Decimal("0.1")], PLACE, (1.0, single(0.1))),
        (None, INT.optional(), None),
    ],
)
def test_what_is_taken(given_: Any, type_: Type, value: Any) -> None:
    assert same(from_json(given_, type_), value)


@pytest.mark.parametrize(
    ("given_", "type_", "words"),
    [
        (True, INT, "`a` is `int`, and true is none"),
        ("5", INT, "is none"),
        (2**63, INT, "is none"),
        (Decimal("5.0"), INT, "is none"),
        (10**400, FLOAT, "bits is none"),
        (Decimal("1e400"), FLOAT, "1E+400 is none"),
        ("1.5", FLOAT, "is none"),
        (float("nan"), FLOAT, "is none"),
        ("\ud800", STRING, "is none"),
        (5, STRING, "is none"),
        ("blue", COLOUR, '"blue" is none'),
        ("12.505", MONEY, "is none"),
        ("10000000000", MONEY, "is none"),
        ("1e3", MONEY, "is none"),
        (Decimal("1e999999999"), MONEY, "is none"),
        ("9" * 5_000, MONEY, "is none"),
        ("2026-01-01T10:00:00", TIMESTAMP, "time without offset"),
        ("2026-01-01", TIMESTAMP, "is none"),
        ("2026-13-01T00:00:00Z", TIMESTAMP, "is none"),
        ("1500-01-01T00:00:00Z", TIMESTAMP, "is none"),
        (datetime(2026, 1, 1), TIMESTAMP, "time without offset"),  # noqa: DTZ001
        ("2026-02-30", DATE, "is none"),
        (datetime(2026, 1, 1, tzinfo=UTC), DATE, "is none"),
        ("1h30", DURATION, "is none"),
        ("30m1h", DURATION, "is none"),
        ("-", DURATION, "is none"),
        ("99999999999999999w", DURATION, "is none"),
        ("AQ", BYTES, "is none"),
        ("é", BYTES, "is none"),
        (None, INT, "`a` is null, and `int` is never null"),
        ([1, None], list_of(INT), "`a[1]` is null"),
        ([[1], ["x"]], list_of(list_of(INT)), "`a[1][0]` is `int`"),
        ({"x": "y"}, map_of(STRING, INT), '`a["x"]` is `int`'),
        ({"1": 1, "+1": 1}, map_of(INT, INT), "twice"),
        ([1], map_of(INT, INT), "an array of 1 is none"),
        ([1], PLACE, "is none"),
        ([1, 1e39], PLACE, "`a[1]` is no finite float32"),
        ([1, None], PLACE, "`a[1]` is no finite float32: null"),
    ],
)
def test_what_is_refused(given_: Any, type_: Type, words: str) -> None:
    with pytest.raises(AstrafsError) as found:
        from_json(given_, type_, "a")
    (one,) = found.value.diagnostics
    assert one.code.id == "AFS1051"
    assert words in one.title


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1, "a": 2}', 'the key "a" comes twice'),
        ("[NaN]", "`NaN` is no JSON number"),
        ("-Infinity", "`-Infinity` is no JSON number"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "nested deeper than 64 levels"),
        ("[" * 100_000, "nested deeper than 64 levels"),
        ("9" * 5_000, "too many digits"),
        ("1e99999999999999999999", "out of range"),
        ('{"a"', "at line 1, column 5"),
        ("", "expecting value"),
        ("[1,]", "at line 1"),
        (b'"\xff"', "byte 2 is no UTF-8"),
        ("x" * 2_000, "it has 2,000 bytes, and 1,000 are allowed"),
    ],
)
def test_json_is_read_by_the_letter(text: str | bytes, words: str) -> None:
    with pytest.raises(AstrafsError) as found:
        parse_json(text, most_bytes=1_000 if "x" * 9 in str(text) else 1 << 20, what="the body")
    (one,) = found.value.diagnostics
    assert one.code.id == "AFS1050"
    assert one.title.startswith("the body is no valid JSON: ")
    assert words in one.title


def test_brackets_in_strings_are_no_depth() -> None:
    text = json.dumps(["[{" * 200 + '"'] * 3)
    assert parse_json(text, most_bytes=1 << 20, what="it") == json.loads(text)


@given(
    st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace"))
)
def test_any_bytes_are_json_or_refused(data: bytes) -> None:
    try:
        parse_json(data, most_bytes=100, what="it")
    except AstrafsError as error:
        assert [one.code.id for one in error.diagnostics] == ["AFS1050"]


def test_fields_are_found_by_name_and_all_problems_told() -> None:
    fields = (("id", INT), ("name", STRING.optional()))
    assert read_fields({"id": 1}, fields, "key") == (1, None)
    with pytest.raises(AstrafsError) as found:
        read_fields({"nam": 1, "name": 2}, fields, "key")
    assert [(one.code.id, one.title) for one in found.value.diagnostics] == [
        ("AFS1052", '`key` has no field "nam"'),
        ("AFS1051", "`key.id` is missing"),
        ("AFS1051", "`key.name` is `string?`, and 2 is none"),
    ]
    assert found.value.diagnostics[0].helps == ("did you mean `name`?",)
