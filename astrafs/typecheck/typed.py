"""A checked expression: its plan expression, where it was written, and its surface type."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from astrafs.plan import ir
from astrafs.plan.tree import Origin
from astrafs.record import dataclass
from astrafs.source import Span
from astrafs.typesys import ERROR, Kind, Type


@dataclass(frozen=True, slots=True)
class Typed:
    """A value. ``type`` is the surface type: with unit, and an entity key as a key.

    ``parts`` are the plan expressions of a key of several parts; every other value has ``expr``.
    ``exact`` is the number of a literal as it was written. ``depth`` and ``size`` bound what
    inlining builds.
    """

    expr: ir.Expr
    type: Type
    origin: Origin
    parts: tuple[tuple[ir.Expr, Origin], ...] = ()
    exact: Decimal | None = None
    depth: int = 1
    size: int = 1

    @property
    def span(self) -> Span:
        """Where it was written."""
        return self.origin.span

    @property
    def failed(self) -> bool:
        """Whether an earlier message already explains this value."""
        return self.type.kind is Kind.ERROR

    @property
    def constant(self) -> Any:
        """The value of a literal, for type rules; None where it is not constant (or null)."""
        if self.exact is not None:
            return self.exact
        return self.expr.value if isinstance(self.expr, ir.Literal) else None

    @property
    def is_literal(self) -> bool:
        """Whether it is a literal that may still take on a unit or a wider type."""
        return isinstance(self.expr, ir.Literal) and not self.parts

    @property
    def is_composite(self) -> bool:
        """Whether it is a key of several parts (or of none)."""
        return self.type.kind is Kind.KEY and len(self.type.parts) != 1

    def at(self, span: Span) -> Typed:
        """This value, written at ``span``."""
        return replace(self, origin=replace(self.origin, span=span))


def stored(type_: Type) -> Type:
    """Return the engine-level type: no unit, a key of one part as that part, also of elements."""
    while type_.kind is Kind.KEY and len(type_.parts) == 1:
        type_ = type_.parts[0].with_null(type_.nullable)
    if type_.kind in (Kind.LIST, Kind.MAP):
        type_ = replace(type_, parts=tuple(stored(part) for part in type_.parts))
    return replace(type_, unit=()) if type_.unit else type_


def failed(span: Span) -> Typed:
    """Return the value that stands for a mistake; whatever uses it stays silent."""
    return Typed(ir.Literal(None, ERROR), ERROR, Origin(span))


def literal(value: ir.Value, type_: Type, span: Span, exact: Decimal | None = None) -> Typed:
    """Return a constant."""
    return Typed(ir.Literal(value, stored(type_)), type_, Origin(span), exact=exact)


def call(name: str, args: tuple[Typed, ...], result: Type, span: Span) -> Typed:
    """Return a call of a builtin row whose arguments already have the types it asks for."""
    expr = ir.Call(name, tuple(arg.expr for arg in args), stored(result))
    return Typed(
        expr,
        result,
        Origin(span, tuple(arg.origin for arg in args)),
        depth=1 + max((arg.depth for arg in args), default=0),
        size=1 + sum(arg.size for arg in args),
    )
