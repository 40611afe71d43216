"""Plan expressions as Python closures, made once per plan and called once per value.

A closure takes the :class:`Scope` of what is evaluated: a row at its own time, or an entity's keys
at a prediction time. Values are those of the reference: times and durations are int microseconds,
dates int days, lists tuples, maps tuples of pairs, null is None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, assert_never

from astrafs.builtins.registry import FUNCTIONS
from astrafs.builtins.spec import Nulls
from astrafs.plan import ir
from astrafs.record import dataclass

Key = tuple[Any, ...]


class Answers(Protocol):
    """What an expression may ask of the engine, at one knowledge cutoff."""

    def feature(self, feature: ir.FeatureId, key: Key, t: int) -> Any:
        """Return the value of a feature of another context."""
        ...

    def table(self, lookup: ir.TableLookup, key: Key, t: int) -> Any:
        """Return the value that a changelog holds."""
        ...

    def aggregate(self, node: ir.Aggregate, scope: Scope) -> Any:
        """Return the value of an aggregate for the scope's entity."""
        ...


@dataclass(slots=True)
class Scope:
    """Where an expression stands: ``cells`` are the columns of a row, or the key parts (request
    fields) of an entity by name; ``t`` is the time of either. ``own`` keeps the entity's features
    as they are computed.
    """

    answers: Answers
    t: int
    cells: Mapping[str, Any]
    own: dict[str, Any]


Evaluator = Callable[[Scope], Any]


def compile_expression(expr: ir.Expr, feature: Callable[[ir.FeatureId], Evaluator]) -> Evaluator:
    """Return the closure of ``expr``; ``feature`` gives those of features of the same entity."""
    match expr:
        case ir.Literal(value=value):
            constant = value + 0.0 if isinstance(value, float) else value
            return lambda _scope: constant
        case ir.Column(name=name) | ir.KeyPart(name=name):
            return lambda scope: scope.cells[name]
        case ir.EvaluationTime():
            return lambda scope: scope.t
        case ir.FeatureRef(feature=named):
            return _reference(named, feature)
        case ir.Call():
            return _call(expr, feature)
        case ir.EntityLookup(keys=parts, feature=looked, offset=offset):
            keys = _all(parts, feature)
            return lambda scope: scope.answers.feature(looked, keys(scope), scope.t - offset)
        case ir.TableLookup(keys=parts, offset=offset):
            keys = _all(parts, feature)
            return lambda scope: scope.answers.table(expr, keys(scope), scope.t - offset)
        case ir.Aggregate():
            return lambda scope: scope.answers.aggregate(expr, scope)
        case _:
            assert_never(expr)


def _all(
    parts: tuple[ir.Expr, ...], feature: Callable[[ir.FeatureId], Evaluator]
) -> Callable[[Scope], Key]:
    made = tuple(compile_expression(part, feature) for part in parts)
    return lambda scope: tuple(one(scope) for one in made)


def _reference(named: ir.FeatureId, feature: Callable[[ir.FeatureId], Evaluator]) -> Evaluator:
    # Texts remember their hash; features are compiled when they are first asked for.
    name = str(named)

    def value(scope: Scope) -> Any:
        own = scope.own
        if name not in own:
            own[name] = feature(named)(scope)
        return own[name]

    return value


def _call(call: ir.Call, feature: Callable[[ir.FeatureId], Evaluator]) -> Evaluator:
    args = tuple(compile_expression(arg, feature) for arg in call.args)
    if call.function == "if":
        condition, then, otherwise = args
        return lambda scope: then(scope) if condition(scope) is True else otherwise(scope)
    if call.function == "coalesce":
        return lambda scope: next(
            (value for arg in args if (value := arg(scope)) is not None), None
        )
    row = FUNCTIONS[call.function]
    types = tuple(arg.type for arg in call.args)
    compute, result = row.evaluate, call.type
    if row.nulls is not Nulls.STRICT:
        return lambda scope: compute(tuple(arg(scope) for arg in args), types, result)
    match args:
        case (one,):

            def unary(scope: Scope) -> Any:
                value = one(scope)
                return None if value is None else compute((value,), types, result)

            return unary
        case (left, right):

            def binary(scope: Scope) -> Any:
                # Both are computed: either may stop the run.
                a, b = left(scope), right(scope)
                return None if a is None or b is None else compute((a, b), types, result)

            return binary
        case _:

            def several(scope: Scope) -> Any:
                values = tuple(arg(scope) for arg in args)
                return None if None in values else compute(values, types, result)

            return several
