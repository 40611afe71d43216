"""Building blocks of type rules: nullability, unification, decimal digits and units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from astrafs.builtins.spec import Mismatch, Signature
from astrafs.typesys import ERROR, FLOAT, Kind, Type, Unit, decimal, joined, unit_text

Rule = Callable[[tuple[Type, ...], tuple[Any, ...]], Signature]

MAX_DIGITS = 38
INT_DIGITS = 19
NUMERIC = (Kind.INT, Kind.FLOAT, Kind.DECIMAL)


def guarded(rule: Rule, low: int, high: int | None = None, *, what: str = "") -> Rule:
    """Wrap ``rule``: check the number of arguments, and stay silent about earlier errors."""
    most = low if high is None else high

    def checked(types: tuple[Type, ...], constants: tuple[Any, ...]) -> Signature:
        if not low <= len(types) <= most:
            expected = str(low) if low == most else f"{low} to {most}"
            if most >= 1_000:
                expected = f"at least {low}"
            raise Mismatch(None, what or f"{expected} argument{'' if expected == '1' else 's'}")
        if any(type_.is_error for type_ in types):
            return Signature(types, ERROR)
        return rule(types, constants)

    return checked


def any_null(types: Sequence[Type]) -> bool:
    """Whether any argument may be null."""
    return any(type_.nullable for type_ in types)


def strict(args: Sequence[Type], result: Type, *, maybe: bool = False) -> Signature:
    """A signature whose result is null where an argument is, and perhaps (``maybe``) elsewhere."""
    return Signature(tuple(args), result.with_null(maybe or any_null(args)))


def as_kind(type_: Type, target: Type) -> Type:
    """``type_`` widened to the plain type ``target``: its unit and nullability stay."""
    return replace(target, nullable=type_.nullable, unit=type_.unit)


def need(types: Sequence[Type], index: int, kinds: Sequence[Kind], expected: str) -> Type:
    """Return argument ``index``, which must have one of ``kinds``."""
    if types[index].kind not in kinds:
        raise Mismatch(index, expected)
    return types[index]


def dimensionless(types: Sequence[Type], index: int) -> None:
    """Refuse a unit where it has no meaning, such as in a logarithm."""
    if types[index].unit:
        raise Mismatch(index, "a number without a unit")


def multiply_units(left: Unit, right: Unit, sign: int = 1) -> Unit:
    """The unit of a product (``sign`` 1) or quotient (-1)."""
    powers = dict(left)
    for name, power in right:
        powers[name] = powers.get(name, 0) + sign * power
    return tuple(sorted((name, power) for name, power in powers.items() if power))


def common_unit(types: Sequence[Type], constants: Sequence[Any]) -> Unit:
    """The one unit that all share; plain literals take on the unit of the others."""
    unit: Unit | None = None
    for type_, constant in zip(types, constants, strict=True):
        if constant is not None and not type_.unit:
            continue
        if unit is None:
            unit = type_.unit
    for index, (type_, constant) in enumerate(zip(types, constants, strict=True)):
        if constant is not None and not type_.unit:
            continue
        if type_.unit != unit:
            wanted = f"[{unit_text(unit)}]" if unit else "no unit"
            raise Mismatch(index, f"a number with {wanted}, like the other operand")
    return unit or ()


def int_literal(types: Sequence[Type], constants: Sequence[Any], index: int) -> int | None:
    """The value of an int literal; None for any other argument. Literals may come as exact
    decimals.
    """
    constant = constants[index]
    return None if constant is None or types[index].kind is not Kind.INT else int(constant)


def digits_of(constant: int | float | Decimal) -> tuple[int, int] | None:
    """The smallest (precision, scale) that holds a literal exactly as written; None if no decimal
    does.
    """
    number = Decimal(repr(constant)) if isinstance(constant, float) else Decimal(constant)
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        return None
    scale = max(0, -exponent)
    precision = max(len(digits) + max(0, exponent), scale, 1)
    return (precision, scale) if precision <= MAX_DIGITS else None


def as_decimal(type_: Type, constant: Any) -> Type | None:
    """The decimal type that an int, decimal or literal turns into without loss; None if there is
    none.
    """
    if type_.kind is Kind.DECIMAL:
        return type_
    if constant is not None and not isinstance(constant, bool):
        digits = digits_of(constant)
        return None if digits is None else as_kind(type_, decimal(*digits))
    if type_.kind is Kind.INT:
        return as_kind(type_, decimal(INT_DIGITS, 0))
    return None


def cover(left: Type, right: Type) -> Type:
    """The decimal type that holds both decimals (whole digits give way at 38)."""
    scale = max(left.scale, right.scale)
    whole = max(left.precision - left.scale, right.precision - right.scale)
    return decimal(max(1, min(MAX_DIGITS, whole + scale)), scale)


def common_number(types: Sequence[Type], constants: Sequence[Any]) -> Type:
    """The plain numeric type that all arguments widen to: int, else decimal, else float.

    A decimal and a float do not mix, but a literal with a point is a decimal beside decimals.
    """
    kinds = {type_.kind for type_ in types}
    if Kind.DECIMAL in kinds:
        result: Type | None = None
        for index, (type_, constant) in enumerate(zip(types, constants, strict=True)):
            found = as_decimal(type_, constant)
            if found is None:
                expected = (
                    "a literal of at most 38 digits"
                    if constant is not None
                    else (
                        "a decimal or int beside a decimal;"
                        " write `decimal(x, p, s)`, or `float(...)` around the decimal"
                    )
                )
                raise Mismatch(index, expected)
            result = found if result is None else cover(result, found)
        assert result is not None
        return result.plain()
    if Kind.FLOAT in kinds:
        return FLOAT
    return types[0].plain()


def unify(types: Sequence[Type], constants: Sequence[Any], *, whose: str) -> Type:
    """The one type (with unit and nullability) that values of all ``types`` have; null joins any
    type.
    """
    null = any_null(types)
    known = [(index, type_) for index, type_ in enumerate(types) if type_.kind is not Kind.NULL]
    if not known:
        raise Mismatch(0, "a value whose type is known; `null` alone has none")
    members = [type_ for _, type_ in known]
    values = [constants[index] for index, _ in known]
    if all(type_.is_numeric for type_ in members):
        try:
            plain = common_number(members, values)
            unit = common_unit(members, values)
        except Mismatch as found:
            assert found.index is not None
            raise Mismatch(known[found.index][0], found.expected) from None
        return replace(plain, nullable=null, unit=unit)
    if members[0].is_nested:
        return _unify_nested(known, whose).with_null(null)
    enums = [type_ for type_ in members if type_.kind is Kind.ENUM]
    first = enums[0].plain() if enums else members[0].plain()
    for (index, type_), value in zip(known, values, strict=True):
        if enums and type_.kind is Kind.STRING and isinstance(value, str):
            continue
        if type_.plain() != first:
            raise Mismatch(index, f"{first}, like {whose}")
    return first.with_null(null)


def _unify_nested(known: Sequence[tuple[int, Type]], whose: str) -> Type:
    target = known[0][1]
    for index, type_ in known[1:]:
        found = joined(target, type_)
        if found is None:
            raise Mismatch(index, f"{target.required()}, like {whose}")
        target = found
    return target


def unified(types: Sequence[Type], target: Type) -> tuple[Type, ...]:
    """``types`` widened to ``target``, each with its own nullability and the target's unit."""
    return tuple(target.with_null(type_.nullable) for type_ in types)
