"""Functions of vectors: float32 numbers in, exact sums of their products, one rounding at the
end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from astrafs.builtins.rules import guarded, int_literal, need, strict
from astrafs.builtins.scalars.logic import MANY
from astrafs.builtins.spec import Example, Function, Mismatch, Nulls, Signature
from astrafs.typesys import FLOAT, Kind, Type, vector_of
from astrafs.values import vectors

Types = tuple[Type, ...]
Values = tuple[Any, ...]

MAX_LENGTH = 65_536
"""The engine's own limit is 100,000."""


def _vector_rule(types: Types, constants: Values) -> Signature:
    source = need(types, 0, (Kind.LIST,), "a list of floats")
    if source.parts[0].kind is not Kind.FLOAT:
        raise Mismatch(0, "a list of floats; `floats(xs)` makes one of ints and decimals")
    length = int_literal(types, constants, 1)
    if length is None or not 1 <= length <= MAX_LENGTH:
        raise Mismatch(1, f"an int literal from 1 to {MAX_LENGTH:,}: the length")
    return strict(types, vector_of(length), maybe=True)


def _vector(values: Values, _types: Types, result: Type) -> tuple[float, ...] | None:
    items = values[0]
    return vectors.singles(items) if len(items) == result.precision else None


def _vector_sql(args: tuple[str, ...], _types: Types, result: Type) -> str:
    single = "TRY_CAST(x AS FLOAT)"
    return (
        f"CASE WHEN len({args[0]}) = {result.precision}"
        f" AND len(list_filter({args[0]}, lambda x: {single} IS NULL)) = 0"
        f" THEN TRY_CAST(list_transform({args[0]}, lambda x: {single} + 0.0::FLOAT)"
        f" AS FLOAT[{result.precision}]) END"
    )


def _literal_rule(types: Types, _constants: Values) -> Signature:
    for index, type_ in enumerate(types):
        if type_.kind is not Kind.FLOAT or type_.nullable:
            raise Mismatch(index, "a float")
    return Signature(types, vector_of(len(types)))


def _literal_sql(args: tuple[str, ...], _types: Types, result: Type) -> str:
    return f"CAST([{', '.join(args)}] AS FLOAT[{result.precision}])"


def _rule(count: int, *, maybe: bool = False) -> Callable[[Types, Values], Signature]:
    def rule(types: Types, _constants: Values) -> Signature:
        for index in range(count):
            found = need(types, index, (Kind.VECTOR,), "a vector; `vector(xs, n)` makes one")
            if found.precision != types[0].precision:
                raise Mismatch(index, f"vector[{types[0].precision}], like the first vector")
        return strict(types, FLOAT, maybe=maybe)

    return guarded(rule, count)


def _sql(kernel: str) -> Callable[[tuple[str, ...], Types, Type], str]:
    # As lists of any length: one function then serves vectors of every length.
    return lambda args, _types, _result: f"{kernel}({', '.join(f'{a}::FLOAT[]' for a in args)})"


def _row(
    name: str,
    params: str,
    function: Callable[..., float | None],
    doc: str,
    *examples: Example,
    maybe: bool = False,
) -> Function:
    return Function(
        name=name,
        params=params,
        rule=_rule(params.count(",") + 1, maybe=maybe),
        evaluate=lambda values, _types, _result: function(*values),
        sql=_sql(f"af_{name}"),
        nulls=Nulls.STRICT,
        doc=doc,
        group="vectors",
        kernel=f"af_{name}",
        examples=examples,
    )


ROWS = (
    Function(
        name="vector",
        params="xs, length",
        rule=guarded(_vector_rule, 2),
        evaluate=_vector,
        sql=_vector_sql,
        nulls=Nulls.STRICT,
        doc=(
            "A list of floats as a vector, each rounded to the nearest float32; null where it has"
            " another length, holds a null, or a number beyond float32."
        ),
        group="vectors",
        examples=(
            Example("vector([0.5, -1.0], 2)", (0.5, -1.0)),
            Example("vector([0.5], 2)", None),
            Example("get(vector([0.1, 1.0], 2), 0)", 0.10000000149011612),
        ),
    ),
    Function(
        name="vector_literal",
        params="a, b, ...",
        rule=guarded(_literal_rule, 1, max(MANY, MAX_LENGTH)),
        evaluate=lambda values, _types, _result: vectors.singles(values),
        sql=_literal_sql,
        nulls=Nulls.STRICT,
        doc="The vector of constants. Written by the compiler for `[0.5, 1.0]` as a `vector[2]`.",
        group="internal",
    ),
    _row(
        "dot",
        "a, b",
        vectors.dot,
        "The inner product of two vectors: the exact sum of the products, rounded once.",
        Example("dot(vector([1.0, 2.0], 2), vector([3.0, 4.0], 2))", 11.0),
    ),
    _row(
        "norm",
        "a",
        vectors.norm,
        "The Euclidean length of a vector, rounded once.",
        Example("norm(vector([3.0, 4.0], 2))", 5.0),
    ),
    _row(
        "cosine",
        "a, b",
        vectors.cosine,
        "The cosine of the angle between two vectors, rounded once; null where one is all zeros.",
        Example("cosine(vector([1.0, 0.0], 2), vector([1.0, 1.0], 2))", 0.7071067811865476),
        Example("cosine(vector([0.0, 0.0], 2), vector([1.0, 1.0], 2))", None),
        maybe=True,
    ),
)
