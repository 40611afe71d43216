"""Type rules: units, nullability, decimals, and the refusals with their argument."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from astrafs.builtins.registry import FUNCTIONS
from astrafs.builtins.spec import Mismatch
from astrafs.typesys import (
    BOOL,
    DATE,
    DURATION,
    ERROR,
    FLOAT,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    Kind,
    Type,
    decimal,
)

USD = (("usd", 1),)
HOUR = (("hour", 1),)
MONEY = replace(decimal(12, 2), unit=USD)
TIME = replace(FLOAT, unit=HOUR)
ENUM = Type(Kind.ENUM, values=("a", "b"))
USER = Type(Kind.KEY, entity="m.User", parts=(INT,))
CARD = Type(Kind.KEY, entity="m.Card", parts=(INT,))


def apply(name: str, *args: Any) -> tuple[tuple[str, ...], str]:
    """The widened arguments and the result; a literal is given as (type, value)."""
    types = tuple(arg[0] if isinstance(arg, tuple) else arg for arg in args)
    constants = tuple(arg[1] if isinstance(arg, tuple) else None for arg in args)
    found = FUNCTIONS[name].rule(types, constants)
    return tuple(map(str, found.args)), str(found.result)


@pytest.mark.parametrize(
    ("call", "args", "result"),
    [
        (("add", INT, INT), ("int", "int"), "int"),
        (("add", INT, FLOAT), ("float", "float"), "float"),
        (("add", INT.optional(), FLOAT), ("float?", "float"), "float?"),
        (("add", decimal(12, 2), INT), ("decimal(21, 2)", "decimal(21, 2)"), "decimal(22, 2)"),
        (("add", decimal(12, 2), (INT, 5)), ("decimal(12, 2)",) * 2, "decimal(13, 2)"),
        (("add", decimal(4, 2), (FLOAT, 1.125)), ("decimal(5, 3)",) * 2, "decimal(6, 3)"),
        (("add", decimal(38, 2), decimal(38, 2)), ("decimal(38, 2)",) * 2, "decimal(38, 2)"),
        (("add", MONEY, MONEY), ("decimal(12, 2) [usd]",) * 2, "decimal(13, 2) [usd]"),
        (("add", MONEY, (INT, 1)), (str(MONEY), "decimal(12, 2)"), "decimal(13, 2) [usd]"),
        (("mul", MONEY, (INT, 3)), (str(MONEY), "decimal(1, 0)"), "decimal(13, 2) [usd]"),
        (("mul", TIME, TIME), ("float [hour]",) * 2, "float [hour*hour]"),
        (("mul", decimal(30, 10), decimal(30, 10)), ("decimal(30, 10)",) * 2, "decimal(38, 20)"),
        (("mul", DURATION, INT), ("duration", "int"), "duration"),
        (("div", MONEY, TIME), ("float [usd]", "float [hour]"), "float? [usd/hour]"),
        (("div", MONEY, MONEY), ("float [usd]", "float [usd]"), "float?"),
        (("div", INT, (INT, 4)), ("float", "float"), "float"),
        (("div", INT, (INT, 0)), ("float", "float"), "float?"),
        (("div", FLOAT, (FLOAT, 0.5)), ("float", "float"), "float?"),
        (("div", INT, (FLOAT, 0.5)), ("float", "float"), "float"),
        (("div", INT, (FLOAT, 1e-300)), ("float", "float"), "float?"),
        (("div", DURATION, DURATION), ("duration", "duration"), "float?"),
        (("floordiv", INT, INT), ("int", "int"), "int?"),
        (("mod", INT, (INT, 7)), ("int", "int"), "int"),
        (("sub", TIMESTAMP, TIMESTAMP), ("timestamp", "timestamp"), "duration"),
        (("sub", TIMESTAMP, DURATION), ("timestamp", "duration"), "timestamp"),
        (("eq", ENUM, (STRING, "a")), ('enum("a", "b")',) * 2, "bool"),
        (("eq", USER, USER.optional()), ("User", "User?"), "bool?"),
        (("ge", MONEY, (INT, 0)), ("decimal(12, 2) [usd]", "decimal(12, 2)"), "bool"),
        (("coalesce", FLOAT.optional(), (INT, 0)), ("float?", "float"), "float"),
        (("coalesce", FLOAT.optional(), FLOAT.optional()), ("float?", "float?"), "float?"),
        (("coalesce", INT, INT.optional()), ("int", "int?"), "int"),
        (("if", BOOL, INT, NULL), ("bool", "int", "int?"), "int?"),
        (("if", BOOL.optional(), INT, FLOAT), ("bool?", "float", "float"), "float"),
        (("null_if", INT, INT), ("int", "int"), "int?"),
        (("sqrt", replace(FLOAT, unit=(("m", 2),))), ("float [m*m]",), "float? [m]"),
        (("sqrt", (INT, 2)), ("float",), "float"),
        (("ln", INT), ("float",), "float?"),
        (("sin", FLOAT), ("float",), "float"),
        (("round", decimal(12, 4), (INT, 1)), ("decimal(12, 4)", "int"), "decimal(10, 1)"),
        (("floor", decimal(12, 4)), ("decimal(12, 4)",), "decimal(9, 0)"),
        (("least", INT, FLOAT.optional()), ("float", "float?"), "float?"),
        (("int", STRING), ("string",), "int?"),
        (("int", USER), ("User",), "int"),
        (("decimal", FLOAT, (INT, 5), (INT, 2)), ("float", "int", "int"), "decimal(5, 2)"),
        (("hash", STRING, (INT, Decimal(5))), ("string", "int"), "int"),
        (("hour", TIMESTAMP, (STRING, "UTC")), ("timestamp", "string"), "int"),
        (("add", ERROR, STRING), ("error", "string"), "error"),
    ],
    ids=str,
)
def test_signatures(call: tuple[Any, ...], args: tuple[str, ...], result: str) -> None:
    assert apply(*call) == (args, result)


@pytest.mark.parametrize(
    ("call", "index", "words"),
    [
        (("add", STRING, STRING), 0, "concat"),
        (("add", DATE, INT), 1, "add_days"),
        (("sub", DATE, DATE), 1, "days_between"),
        (("add", TIMESTAMP, INT), 1, "duration"),
        (("add", TIMESTAMP, TIMESTAMP), 1, "duration"),
        (("add", MONEY, decimal(12, 2)), 1, "usd"),
        (("add", MONEY, replace(decimal(12, 2), unit=HOUR)), 1, "usd"),
        (("add", decimal(12, 2), FLOAT), 1, "decimal"),
        (("mul", decimal(38, 30), decimal(38, 30)), 1, "38"),
        (("mul", DURATION, FLOAT), 1, "int"),
        (("mod", FLOAT, INT), 0, "floor"),
        (("add", USER, (INT, 1)), 0, "int(key)"),
        (("eq", INT, NULL), 1, "is null"),
        (("eq", USER, INT), 1, "User(x)"),
        (("eq", USER, CARD), 1, "same entity"),
        (("eq", ENUM, STRING), 1, "enum"),
        (("eq", DATE, TIMESTAMP), 1, "date(ts"),
        (("eq", INT, STRING), 1, "int"),
        (("lt", BOOL, BOOL), 0, "=="),
        (("lt", ENUM, ENUM), 0, "=="),
        (("lt", USER, USER), 0, "=="),
        (("and", INT, BOOL), 0, "bool"),
        (("if", INT, INT, INT), 0, "bool"),
        (("if", BOOL, INT, STRING), 2, "int"),
        (("if", BOOL, NULL, NULL), 1, "null"),
        (("coalesce", INT, STRING), 1, "int"),
        (("ln", MONEY), 0, "unit"),
        (("sqrt", MONEY), 0, "square"),
        (("round", FLOAT, FLOAT), 1, "int"),
        (("round", decimal(5, 2), INT), 1, "literal"),
        (("decimal", FLOAT, (INT, 39), (INT, 2)), 1, "38"),
        (("decimal", FLOAT, (INT, 5), (INT, 6)), 2, "5"),
        (("decimal", FLOAT, INT, (INT, 6)), 1, "literal"),
        (("hour", TIMESTAMP), None, "time zone"),
        (("hour", TIMESTAMP, (STRING, "Europe/Pariss")), 1, "Europe/Paris"),
        (("hour", TIMESTAMP, STRING), 1, "literal"),
        (("hour", DATE), 0, "timestamp"),
        (("year", DATE, (STRING, "UTC")), 1, "no zone"),
        (("date", TIMESTAMP), None, "Europe/Paris"),
        (("hash", INT, INT), 1, "literal"),
        (("length", INT), 0, "string(x)"),
        (("add", INT), None, "2 arguments"),
        (("least", INT), None, "at least 2"),
    ],
    ids=str,
)
def test_refusals(call: tuple[Any, ...], index: int | None, words: str) -> None:
    with pytest.raises(Mismatch) as caught:
        apply(*call)
    assert caught.value.index == index
    assert words in caught.value.expected


def test_overflowing_literals_are_refused_beside_decimals() -> None:
    with pytest.raises(Mismatch) as caught:
        apply("add", decimal(5, 2), (FLOAT, 1e300))
    assert "38 digits" in caught.value.expected
