"""Null facts: which values a condition shows to be present, in each of its outcomes.

A condition is true, false or null. ``when_true`` holds where it is true, ``when_not_true`` where it
is false or null (the ``else`` branch), and so on. All work on plan expressions, whose equality is
structural.
"""

from __future__ import annotations

from collections.abc import Iterable

from astrafs.builtins.registry import FUNCTIONS
from astrafs.builtins.spec import Nulls
from astrafs.plan import ir
from astrafs.plan.graph import subexpressions

Facts = frozenset[ir.Expr]
NOTHING: Facts = frozenset()


def timeless(facts: Facts) -> Facts:
    """Return the facts that hold at any time: those without a lookup and without ``t``."""
    timed = ir.EntityLookup | ir.TableLookup | ir.EvaluationTime
    return frozenset(
        fact for fact in facts if not any(isinstance(part, timed) for part in subexpressions(fact))
    )


def when_true(condition: ir.Expr) -> Facts:
    """Return the expressions that are not null wherever ``condition`` is true."""
    match condition:
        case ir.Call(function="is_null"):
            return NOTHING
        case (
            ir.Call(function="is_not_null", args=(operand,))
            | ir.Call(function="in", args=(operand, *_))
        ):
            return _present(operand)
        case ir.Call(function="not", args=(operand,)):
            return when_false(operand)
        case ir.Call(function="and", args=args):
            return _union(when_true(arg) for arg in args)
        case ir.Call(function="or", args=args):
            return _common(when_true(arg) for arg in args)
        case _:
            return _present(condition)


def when_false(condition: ir.Expr) -> Facts:
    """Return the expressions that are not null wherever ``condition`` is false."""
    match condition:
        case (
            ir.Call(function="is_null", args=(operand,))
            | ir.Call(function="in", args=(operand, *_))
        ):
            return _present(operand)
        case ir.Call(function="is_not_null"):
            return NOTHING
        case ir.Call(function="not", args=(operand,)):
            return when_true(operand)
        case ir.Call(function="and", args=args):
            return _common(when_false(arg) for arg in args)
        case ir.Call(function="or", args=args):
            return _union(when_false(arg) for arg in args)
        case _:
            return _present(condition)


def when_not_true(condition: ir.Expr) -> Facts:
    """Return the expressions that are not null wherever ``condition`` is false or null."""
    if not condition.type.nullable:
        return when_false(condition)
    match condition:
        case ir.Call(function="not", args=(operand,)):
            return when_not_false(operand)
        case ir.Call(function="and", args=args):
            return _common(when_not_true(arg) for arg in args)
        case ir.Call(function="or", args=args):
            return _union(when_not_true(arg) for arg in args)
        case _:
            return NOTHING


def when_not_false(condition: ir.Expr) -> Facts:
    """Return the expressions that are not null wherever ``condition`` is true or null."""
    if not condition.type.nullable:
        return when_true(condition)
    match condition:
        case ir.Call(function="not", args=(operand,)):
            return when_not_true(operand)
        case ir.Call(function="and", args=args):
            return _union(when_not_false(arg) for arg in args)
        case ir.Call(function="or", args=args):
            return _common(when_not_false(arg) for arg in args)
        case _:
            return NOTHING


def _present(expr: ir.Expr) -> Facts:
    """Return ``expr`` and the operands that must be present for it to be present."""
    found: set[ir.Expr] = set()
    pending = [expr]
    while pending:
        part = pending.pop()
        if part.type.nullable:
            found.add(part)
        if isinstance(part, ir.Call):
            row = FUNCTIONS.get(part.function)
            if row is not None and row.nulls is Nulls.STRICT:
                pending.extend(part.args)
    return frozenset(found)


def _union(parts: Iterable[Facts]) -> Facts:
    return NOTHING.union(*parts)


def _common(parts: Iterable[Facts]) -> Facts:
    first, *rest = parts
    return first.intersection(*rest)
