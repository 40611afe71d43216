"""What an expression may refer to: the tables of the project and the place where the expression
stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from enum import StrEnum
from typing import Protocol

from astrafs.diagnostics.model import Sink
from astrafs.plan import ir
from astrafs.plan.program import StreamOrigin
from astrafs.plan.tree import Origin
from astrafs.record import dataclass
from astrafs.resolve.symbols import FeatureSymbol, ModuleScope, Symbol, Symbols
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.typecheck.facts import NOTHING, Facts
from astrafs.typecheck.typed import Typed, failed, stored
from astrafs.typesys import Kind, Type


class Place(StrEnum):
    """Where an expression stands; the value names the place in messages."""

    FEATURE = "a feature"
    VIEW = "a view"
    STREAM = "a column of a stream"
    STREAM_WHERE = "the `where` of a stream"
    BLOCK_WHERE = "the `where` of a `features` block"
    AGGREGATE = "an aggregate"
    EXPECT = "an `expect` line"
    DATASET = "a dataset"
    CONST = "a constant"
    FN = "a function"
    TEST = "an expectation of a test"
    TEST_VALUE = "a value of a test"


AT_ROW = (Place.STREAM, Place.STREAM_WHERE, Place.DATASET)
"""Places that have a row and its own time."""


@dataclass(frozen=True, slots=True)
class NamedValue:
    """A column of a row, a key column of an entity or a field of a request, as a name in
    expressions.

    ``parts`` are the plan names and types that hold it: one, but for a key of several parts.
    """

    name: str
    type: Type
    span: Span
    parts: tuple[ir.Field, ...]
    inline: Typed | None = None
    """The value to put in place of the name (a computed column in the stream that declares it)."""

    def read(self, span: Span, key: bool, facts: Facts) -> Typed:
        """Return the value of the name; ``key`` makes a key part of it, else it is a column."""
        if self.inline is not None:
            return self.inline.at(span)
        if self.type.is_error:
            return failed(span)
        make = ir.KeyPart if key else ir.Column
        exprs = tuple(present(make(part.name, part.type), facts) for part in self.parts)
        nullable = any(expr.type.nullable for expr in exprs)
        kind = self.type.with_null(nullable) if exprs else self.type
        if len(exprs) == 1:
            return Typed(exprs[0], kind, Origin(span))
        nothing = ir.Literal(None, kind)
        return Typed(nothing, kind, Origin(span), tuple((expr, Origin(span)) for expr in exprs))


def present(leaf: ir.Expr, facts: Facts) -> ir.Expr:
    """Return ``leaf`` with a non-null type if ``facts`` say that it is present."""
    if facts and leaf.type.nullable and leaf in facts:
        return replace(leaf, type=leaf.type.required())
    return leaf


def named(name: str, type_: Type, span: Span) -> NamedValue:
    """Make a name of one plan column, or of one per part for a key of several parts
    (``name.part``).
    """
    if type_.kind is Kind.KEY and len(type_.parts) != 1:
        raise ValueError("a key of several parts names its plan columns itself")
    return NamedValue(name, type_, span, (ir.Field(name, stored(type_)),))


def named_key(name: str, type_: Type, fields: tuple[ir.Field, ...], span: Span) -> NamedValue:
    """Make a name of key type ``type_``, whose entity has the key columns ``fields``."""
    if len(fields) == 1:
        return named(name, type_, span)
    parts = tuple(
        ir.Field(f"{name}.{part.name}", stored(part.type).with_null(type_.nullable))
        for part in fields
    )
    return NamedValue(name, type_, span, parts)


@dataclass(frozen=True, slots=True)
class EntityInfo:
    """An entity or request: its key type and its names."""

    symbol: Symbol
    keys: tuple[ir.Field, ...]
    names: Mapping[str, NamedValue]
    type: Type
    request: bool
    rows: str = ""
    """The source of which a request is a row about to happen (qualified)."""

    @property
    def name(self) -> str:
        """The qualified name."""
        return self.symbol.qualified


@dataclass(frozen=True, slots=True)
class RowSchema:
    """The columns that rows of a source, table or stream have; ``facts`` are known of every row."""

    symbol: Symbol
    columns: Mapping[str, NamedValue]
    facts: Facts = NOTHING
    broken: bool = False
    """Whether the declaration had an error that may have cost it columns."""
    key: tuple[str, ...] = ()
    lacking: Mapping[str, str] = field(default_factory=dict)
    """Columns that some members of a union have, each with a member that lacks it."""
    places: int = 1
    """How many ways there are down to a source: several below a union."""
    plan_name: str = ""

    @property
    def name(self) -> str:
        """The name in the plan."""
        return self.plan_name or self.symbol.qualified


@dataclass(frozen=True, slots=True)
class Rows:
    """What aggregates of a ``features`` block read: the rows, their keys of the entity, the block's
    condition.
    """

    schema: RowSchema
    keys: tuple[ir.Expr, ...]
    key_origins: tuple[Origin, ...]
    where: Typed | None
    facts: Facts
    failed: bool
    match: tuple[str, ...] = ()
    """The request's fields that the keys must equal, in a block of a request."""


class Check(Protocol):
    """Checks an expression in a context; ``want`` is the type that literals may take on."""

    def __call__(self, expr: ast.Expr, ctx: Context, want: Type | None = None) -> Typed: ...


@dataclass(frozen=True, slots=True)
class Outside:
    """What is no part of a project and changes no plan, only what diagnostics say.

    ``day`` is the ISO date to judge deprecations by, empty to judge none; ``removed`` are feature
    versions that are no more, with the ISO date of their removal.
    """

    day: str = ""
    removed: Mapping[ir.FeatureId, str] = field(default_factory=dict)


NOTHING_OUTSIDE = Outside()


@dataclass(slots=True)
class Environment:
    """What every declaration of a project shares while it is checked.

    ``check`` is ``expressions.check``: the modules of single constructs call it for their operands.
    """

    symbols: Symbols
    sink: Sink
    check: Check
    outside: Outside = NOTHING_OUTSIDE
    entities: dict[str, EntityInfo] = field(default_factory=dict)
    schemas: dict[str, RowSchema] = field(default_factory=dict)
    streams: dict[str, tuple[ir.Stream, StreamOrigin]] = field(default_factory=dict)
    tables: dict[str, ir.Source] = field(default_factory=dict)
    feature_types: dict[ir.FeatureId, Type] = field(default_factory=dict)
    constants: dict[str, Typed] = field(default_factory=dict)
    functions: dict[str, bool] = field(default_factory=dict)
    """Whether the ``fn`` of this qualified name is sound by itself."""
    windows: dict[str, ir.Window | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """Where an expression stands and what it may name there."""

    env: Environment
    scope: ModuleScope
    sink: Sink
    place: Place
    columns: Mapping[str, NamedValue] = field(default_factory=dict)
    entity: EntityInfo | None = None
    rows: Rows | None = None
    loops: Mapping[str, ast.Expr] = field(default_factory=dict)
    params: Mapping[str, Typed] = field(default_factory=dict)
    facts: Facts = NOTHING
    nesting: int = 0
    """How deep the calls of functions that are being put in place nest."""
    broken: bool = False
    """Whether an unknown column may be due to an error already reported."""
    lacking: Mapping[str, str] = field(default_factory=dict)
    """Columns that a union has not because a member (the value) lacks them."""
    feature: FeatureSymbol | None = None

    def knowing(self, facts: Facts) -> Context:
        """This context where ``facts`` hold as well."""
        if not facts or facts <= self.facts:
            return self
        return replace(self, facts=self.facts | facts)
