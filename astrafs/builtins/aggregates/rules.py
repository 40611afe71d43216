"""Which types aggregates take and give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from astrafs.builtins.rules import multiply_units
from astrafs.builtins.spec import AggregateFunction, Constants, Mismatch, Signature, Types
from astrafs.typesys import BOOL, FLOAT, INT, PLAIN, Kind, Type, decimal

Rule = Callable[[Types, Constants], Signature]

MOST_VALUES = 10_000
"""The longest list that an aggregate gives."""

_ORDERED = "a value that can be ordered (a number, string, timestamp, date or duration)"


def typed(
    row: AggregateFunction,
    types: Types,
    constants: Constants,
    *,
    by: Type | None = None,
    each: bool = False,
) -> Signature:
    """Return the signature of ``row`` with ``by`` (the type of the key) and ``each`` (the inputs
    are lists); raises :class:`Mismatch`.
    """
    inner = types
    if each:
        for index, type_ in enumerate(types[: row.inputs]):
            if type_.kind is not Kind.LIST:
                raise Mismatch(index, "a list after `each`")
        lists = tuple(type_.parts[0] for type_ in types[: row.inputs])
        inner = (*lists, *types[row.inputs :])
    found = row.rule(inner, constants)
    result, args = found.result, found.args
    if each:
        for index, (given, wanted) in enumerate(zip(inner, args, strict=True)):
            if given != wanted and index < row.inputs:
                raise Mismatch(index, f"a list of {wanted} after `each`")
        args = (*types[: row.inputs], *args[row.inputs :])
    if by is not None:
        # A group is there because some row takes part, so what is null without rows is not.
        kept = row.keep_nulls and inner[0].nullable
        value = result.with_null(result.nullable and (row.partial or kept))
        result = Type(Kind.MAP, parts=(by.required(), value))
    return Signature(args, result)


def is_plain(type_: Type) -> bool:
    """Whether values of the type can be told apart and put in order: what `by` and lists take."""
    return type_.kind in PLAIN


def arity(types: Types, count: int, words: str) -> None:
    """Refuse another number of arguments than ``count``."""
    if len(types) != count:
        raise Mismatch(None, words)


def numeric(types: Types, index: int = 0, *, wide: bool = True) -> Type:
    """Return argument ``index``, a number; not ``wide``: one whose powers are still exact."""
    taken = types[index]
    if not taken.is_numeric:
        raise Mismatch(index, "a number (int, float or decimal)")
    if not wide and taken.kind is Kind.DECIMAL and taken.precision > 18:
        raise Mismatch(index, "a decimal of at most 18 digits; write float(x)")
    return taken


def plain(types: Types, index: int = 0) -> Type:
    """Return argument ``index``, a value that is no list, map or vector."""
    if not is_plain(types[index]):
        raise Mismatch(index, "a plain value")
    return types[index]


def count_of(types: Types, constants: Constants, index: int) -> int:
    """Return the constant number of values that argument ``index`` asks for."""
    constant = constants[index]
    if types[index].kind is not Kind.INT or constant is None or not 1 <= constant <= MOST_VALUES:
        raise Mismatch(index, f"an int literal from 1 to {MOST_VALUES:,}")
    return int(constant)


def duration_of(types: Types, constants: Constants, index: int, words: str) -> int:
    """Return the constant positive duration, microseconds, of argument ``index``."""
    constant = constants[index]
    if types[index].kind is not Kind.DURATION or constant is None or constant <= 0:
        raise Mismatch(index, f"a positive duration literal: {words}")
    return int(constant)


def share_of(constant: Any) -> Decimal:
    """Return the exact share that a literal says; a float literal means its shortest decimal."""
    return Decimal(repr(constant)) if isinstance(constant, float) else Decimal(constant)


# --- rules


def count_rule(types: Types, _constants: Constants) -> Signature:
    if len(types) > 1:
        raise Mismatch(None, "at most one argument")
    return Signature(types, INT)


def sum_rule(types: Types, _constants: Constants) -> Signature:
    arity(types, 1, "one number, duration or vector")
    taken = types[0]
    match taken.kind:
        case Kind.INT | Kind.FLOAT | Kind.DURATION | Kind.VECTOR:
            return Signature(types, taken.required())
        case Kind.DECIMAL:
            total = decimal(38, taken.scale)
            return Signature(
                types, Type(Kind.DECIMAL, False, total.precision, total.scale, unit=taken.unit)
            )
        case _:
            raise Mismatch(0, "a number (int, float or decimal), a duration or a vector")


def mean_rule(types: Types, _constants: Constants) -> Signature:
    arity(types, 1, "one number or vector")
    if types[0].kind is Kind.VECTOR:
        return Signature(types, types[0].optional())
    return Signature(types, Type(Kind.FLOAT, True, unit=numeric(types).unit))


def moment_rule(power: int) -> Rule:
    """The rule of a moment whose unit is that of the input to ``power``."""

    def rule(types: Types, _constants: Constants) -> Signature:
        arity(types, 1, "one number")
        taken = numeric(types, wide=False)
        unit = tuple((name, exponent * power) for name, exponent in taken.unit if power)
        return Signature(types, Type(Kind.FLOAT, True, unit=unit))

    return rule


def pair_rule(keeps_units: bool) -> Rule:
    """The rule of a moment of two numbers; ``keeps_units``: its unit is the product of theirs."""

    def rule(types: Types, _constants: Constants) -> Signature:
        arity(types, 2, "two numbers")
        x, y = numeric(types, 0, wide=False), numeric(types, 1, wide=False)
        unit = multiply_units(x.unit, y.unit) if keeps_units else ()
        return Signature(types, Type(Kind.FLOAT, True, unit=unit))

    return rule


def slope_rule(types: Types, constants: Constants) -> Signature:
    if not 1 <= len(types) <= 2:
        raise Mismatch(None, "a number, and perhaps the unit of time")
    numeric(types, wide=False)
    if len(types) == 2:
        duration_of(types, constants, 1, "the unit of time, `1d` for a slope per day")
    return Signature(types, FLOAT.optional())


def extreme_rule(types: Types, _constants: Constants) -> Signature:
    arity(types, 1, "one value that can be ordered")
    if not types[0].is_ordered:
        raise Mismatch(0, _ORDERED)
    return Signature(types, types[0].optional())


def quantile_rule(types: Types, constants: Constants) -> Signature:
    arity(types, 2, "a value that can be ordered and a share")
    if not types[0].is_ordered:
        raise Mismatch(0, _ORDERED)
    share = constants[1]
    if not types[1].is_numeric or share is None or not 0 <= share_of(share) <= 1:
        raise Mismatch(1, "a literal from 0 to 1, such as 0.95")
    if len(share_of(share).as_tuple().digits) > 18:
        raise Mismatch(1, "a literal of at most 18 digits")
    return Signature(types, types[0].optional())


def pick_rule(types: Types, _constants: Constants) -> Signature:
    arity(types, 1, "one value")
    return Signature(types, plain(types).optional())


def row_pick_rule(types: Types, _constants: Constants) -> Signature:
    """One value of any type, lists, maps and vectors too, which may be missing."""
    arity(types, 1, "one value")
    return Signature(types, types[0].optional())


def best_rule(types: Types, _constants: Constants) -> Signature:
    arity(types, 2, "a value, and what is compared")
    if not types[1].is_ordered:
        raise Mismatch(1, _ORDERED)
    return Signature(types, plain(types).optional())


def nth_rule(types: Types, constants: Constants) -> Signature:
    arity(types, 2, "a value and a number of rows")
    count_of(types, constants, 1)
    return Signature(types, plain(types).optional())


def list_rule(types: Types, constants: Constants) -> Signature:
    arity(types, 2, "a value and a number of values")
    count_of(types, constants, 1)
    return Signature(types, Type(Kind.LIST, parts=(plain(types).required(),)))


def ordered_list_rule(types: Types, constants: Constants) -> Signature:
    arity(types, 2, "a value that can be ordered and a number of values")
    if not types[0].is_ordered:
        raise Mismatch(0, _ORDERED)
    return list_rule(types, constants)


def distinct_rule(types: Types, _constants: Constants) -> Signature:
    arity(types, 1, "one value")
    plain(types)
    return Signature(types, INT)


def condition_rule(types: Types, _constants: Constants) -> Signature:
    arity(types, 1, "one condition")
    if types[0].kind is not Kind.BOOL:
        raise Mismatch(0, "a condition (bool)")
    return Signature(types, BOOL)


def decay_rule(types: Types, constants: Constants) -> Signature:
    arity(types, 2, "a number and a half-life")
    taken = types[0]
    if taken.kind not in (Kind.INT, Kind.FLOAT):
        raise Mismatch(0, "an int or a float; write float(x)")
    duration_of(types, constants, 1, "the half-life, such as `1d`")
    widened = replace(FLOAT, nullable=taken.nullable, unit=taken.unit)
    return Signature((widened, types[1]), Type(Kind.FLOAT, True, unit=taken.unit))
