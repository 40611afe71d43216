"""Scalar expressions in layers: linear text, operands computed once, branches that stay lazy."""

from __future__ import annotations

import duckdb
import pytest

from astrafs.backends.duckdb.layers import Layers
from astrafs.backends.duckdb.names import ident, literal, text
from astrafs.deep import deeply
from astrafs.plan import ir
from astrafs.typesys import BOOL, FLOAT, INT, STRING

A, B = ir.Column("a", INT), ir.Column("b", INT)


def call(name: str, *args: ir.Expr) -> ir.Call:
    kind = BOOL if name in ("eq", "lt", "gt") else INT.optional()
    return ir.Call(name, args, kind)


def value(expr: ir.Expr, a: int | None, b: int | None) -> object:
    layers = Layers({A: "a", B: "b"})
    layers.add("x", expr)
    with duckdb.connect() as connection:
        shown = ["NULL" if one is None else str(one) for one in (a, b)]
        rows = f"(SELECT {shown[0]}::BIGINT AS a, {shown[1]}::BIGINT AS b)"
        found = connection.execute(layers.select(rows, {"x": "x"})).fetchone()
    assert found is not None
    return found[0]


def test_operands_that_repeat_are_computed_once() -> None:
    expr: ir.Expr = A
    for _ in range(60):
        expr = call("floordiv", call("add", expr, B), ir.Literal(3, INT))
    layers = Layers({A: "a", B: "b"})
    layers.add("x", expr)
    assert len(layers.select("t")) < 60 * 1_000


def test_floor_division_nests() -> None:
    expr: ir.Expr = A
    expected = -1_000
    for divisor in (3, -2, 5):
        expr = call("floordiv", expr, ir.Literal(divisor, INT))
        expected //= divisor
    assert value(expr, -1_000, 0) == expected


def test_a_branch_that_is_not_taken_does_not_raise() -> None:
    huge = call("mul", call("mul", A, A), call("mul", A, A))
    guarded = call("if", call("lt", A, ir.Literal(10, INT)), call("mod", huge, B), B)
    assert value(guarded, 2**40, 7) == 7
    assert value(guarded, 3, 7) == 81 % 7
    default = call("coalesce", B, call("mod", huge, A))
    assert value(default, 2**40, 7) == 7
    with pytest.raises(duckdb.OutOfRangeException):
        value(default, 2**40, None)


def test_the_deepest_chain_is_emitted() -> None:
    expr: ir.Expr = A
    for _ in range(300):
        expr = call("add", expr, B)
    assert deeply(lambda: value(expr, 1, 2)) == 601


def test_negative_zero_becomes_zero() -> None:
    x = ir.Column("x", FLOAT)
    layers = Layers({x: "x"})
    layers.add("y", ir.Call("neg", (x,), FLOAT))
    with duckdb.connect() as connection:
        found = connection.execute(layers.select("(SELECT 0.0::DOUBLE AS x)", {"y": "y"}))
        row = found.fetchone()
    assert row is not None
    assert str(row[0]) == "0.0"


@pytest.mark.parametrize("name", ['a"b', "a; DROP TABLE t", "", "select", "é'"])
def test_names_and_literals_are_only_ever_data(name: str) -> None:
    with duckdb.connect() as connection:
        found = connection.execute(f"SELECT {literal(name, STRING)}, {text(name)}").fetchone()
        assert found == (name, name)
        if name:
            connection.execute(f"CREATE TABLE {ident(name)} ({ident(name)} BIGINT)")
            assert connection.execute(f"SELECT * FROM {ident(name)}").description[0][0] == name
