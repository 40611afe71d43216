"""The surface tree: what the author wrote, with spans. Built by ``syntax.parse``; read by
``resolve`` and ``typecheck``.

Every node ends with its ``span``, which is not part of equality. Sequences are tuples. Names
inside a ``for`` template may hold placeholders (``txn_count_{w}``); ``resolve.expand`` replaces
the loops and the placeholders.
"""

from __future__ import annotations

import dataclasses
from dataclasses import field
from decimal import Decimal

from astrafs.record import dataclass
from astrafs.source import Span

NOWHERE = Span("", 0, 0)


@dataclass(frozen=True, slots=True)
class Ident:
    """A name as written (back-quotes removed); ``text`` may hold ``{placeholders}``."""

    text: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


# --- types


@dataclass(frozen=True, slots=True)
class UnitExpr:
    """``[usd/hour]``: (name, exponent) in the order written."""

    factors: tuple[tuple[Ident, int], ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


BAD_TYPE = "?"
"""The name of a type that the parser could not read; already reported."""


@dataclass(frozen=True, slots=True)
class TypeExpr:
    """``decimal(12, 2)? [usd]``, ``enum("a", "b")``, ``list[int]``, ``User?``.

    ``sizes`` are the integers in parentheses or brackets, ``values`` the strings of an enum,
    ``parts`` the element types.
    """

    name: Ident
    nullable: bool = False
    sizes: tuple[int, ...] = ()
    values: tuple[str, ...] = ()
    parts: tuple[TypeExpr, ...] = ()
    unit: UnitExpr | None = None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


# --- expressions


@dataclass(frozen=True, slots=True)
class IntLit:
    value: int
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class NumberLit:
    """A literal with a point or an exponent: float, or decimal where a decimal is wanted."""

    value: Decimal
    text: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class StringLit:
    value: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class BoolLit:
    value: bool
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class NullLit:
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DurationLit:
    """``7d``, ``1h30m``; microseconds."""

    micros: int
    text: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TimestampLit:
    """``2026-01-01T10:00:00Z`` (an offset is converted); microseconds since 1970 in UTC."""

    micros: int
    text: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DateLit:
    """``2026-01-01``; days since 1970-01-01."""

    days: int
    text: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ListLit:
    items: tuple[Expr, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A bare name: column, feature, key part, request field, loop variable, constant. ``version``
    from ``name@2``.
    """

    ident: Ident
    version: int | None = None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Member:
    """``base.field``; with a :class:`Index` as base it is a lookup. ``version`` from
    ``.field@2``.
    """

    base: Expr
    field: Ident
    version: int | None = None
    span: Span = dataclasses.field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Index:
    """``base[keys]``, such as ``User[user_id]`` or ``fx_rates[currency]``. ``base`` is a
    ``Name``.
    """

    base: Expr
    keys: tuple[Expr, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class LookupTime:
    """``lookup within 2h`` and/or ``offset 1h`` after a lookup path that is not an aggregate."""

    lookup: Expr
    within: Expr | None
    offset: Expr | None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class CallExpr:
    """``f(a, b where cond)``; ``each`` marks arguments written ``each xs``. A capital name makes a
    key: ``User(1)``.
    """

    callee: Ident
    args: tuple[Expr, ...]
    where: Expr | None = None
    each: bool = False
    by: Expr | None = None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """``-x``, ``not x``."""

    op: str
    operand: Expr
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """``+ - * / // % == != < <= > >= and or ??``."""

    op: str
    left: Expr
    right: Expr
    op_span: Span = field(default=NOWHERE, compare=False, repr=False)
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class IsNull:
    """``x is null``, ``x is not null``."""

    operand: Expr
    negated: bool
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class InList:
    """``x in ["a", "b"]``, ``x not in [...]``."""

    operand: Expr
    items: tuple[Expr, ...]
    negated: bool
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class IfExpr:
    """``if c then a else b``."""

    condition: Expr
    then: Expr
    otherwise: Expr
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Over:
    """``aggregate over window``. ``aggregate`` is a ``CallExpr``."""

    aggregate: Expr
    window: WindowExpr
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class BadExpr:
    """Where the parser recovered; already reported."""

    span: Span = field(default=NOWHERE, compare=False, repr=False)


Expr = (
    IntLit
    | NumberLit
    | StringLit
    | BoolLit
    | NullLit
    | DurationLit
    | TimestampLit
    | DateLit
    | ListLit
    | Name
    | Member
    | Index
    | LookupTime
    | CallExpr
    | Unary
    | Binary
    | IsNull
    | InList
    | IfExpr
    | Over
    | BadExpr
)


# --- windows


@dataclass(frozen=True, slots=True)
class PastWindow:
    """``7d [offset D] [every D] [including now|request]``, and ``next 30d`` with ``forward``.

    ``length`` is any expression so that loop variables and constants may stand there.
    """

    length: Expr
    offset: Expr | None = None
    every: Expr | None = None
    including: str = ""
    forward: bool = False
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class EdgesWindow:
    """``[7d, 1h)``: ages of the far and near edge; the flags say which are included."""

    far: Expr
    near: Expr
    far_closed: bool
    near_closed: bool
    every: Expr | None = None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AllWindow:
    """``all [including now|request] [offset D]``."""

    offset: Expr | None = None
    including: str = ""
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class LastRowsWindow:
    """``last 5 [within 7d]``."""

    rows: Expr
    within: Expr | None = None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SinceWindow:
    """``since day("Europe/Paris")`` (``unit``, ``zone``) or ``since last (condition)``."""

    unit: Ident | None = None
    zone: StringLit | None = None
    condition: Expr | None = None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SessionWindow:
    """``session gap 30m``."""

    gap: Expr
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class NamedWindow:
    """``over month`` where ``window month = 30d``; also a loop variable, with the suffixes of
    ``PastWindow``.

    The parser cannot tell a named window from a constant or loop variable: a bare name before
    ``offset`` and the like is a ``PastWindow`` whose ``length`` is a ``Name``; alone it is this.
    """

    name: Ident
    span: Span = field(default=NOWHERE, compare=False, repr=False)


WindowExpr = (
    PastWindow
    | EdgesWindow
    | AllWindow
    | LastRowsWindow
    | SinceWindow
    | SessionWindow
    | NamedWindow
)


# --- declarations


@dataclass(frozen=True, slots=True)
class NamedArg:
    """``remove_after="2027-01-01"`` in an annotation."""

    name: Ident
    value: StringLit
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Annotation:
    """``@owner("x")``, ``@tags("a", "b")``, ``@deprecated("use y", remove_after="2027-01-01")``."""

    name: Ident
    args: tuple[str, ...]
    named: tuple[NamedArg, ...] = ()
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Use:
    """``use common.customers.{User, users}`` or ``use common.customers.User``."""

    module: tuple[Ident, ...]
    names: tuple[Ident, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Owner:
    text: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class UnitDecl:
    name: Ident
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ConstDecl:
    name: Ident
    value: Expr
    type: TypeExpr | None = None
    doc: str = ""
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class WindowDecl:
    name: Ident
    window: WindowExpr
    doc: str = ""
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Param:
    name: Ident
    type: TypeExpr
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class FnDecl:
    name: Ident
    params: tuple[Param, ...]
    result: TypeExpr
    body: Expr
    doc: str = ""
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class KeyField:
    name: Ident
    type: TypeExpr
    doc: str = ""
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class EntityDecl:
    """``entity Route { origin: string, dest: string }``."""

    name: Ident
    fields: tuple[KeyField, ...]
    doc: str = ""
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RequestDecl:
    """``request Checkout [as transactions] { ... }``."""

    name: Ident
    fields: tuple[KeyField, ...]
    rows: Ident | None = None
    doc: str = ""
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Location:
    """``parquet("a/*.parquet", "b.parquet")``: format and path patterns."""

    format: Ident
    patterns: tuple[StringLit, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ColumnDecl:
    """``disputed: bool settles 60d``, ``arr_delay: int? known landed_at``, ``dep: timestamp in
    "America/New_York"``.

    ``physical`` is from ``from "Column Name"``: the name in the file where it is not an identifier.
    """

    name: Ident
    type: TypeExpr
    zone: StringLit | None = None
    physical: StringLit | None = None
    settles: Expr | None = None
    known: Ident | None = None
    tags: tuple[str, ...] = ()
    doc: str = ""
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Expect:
    condition: Expr
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SourceDecl:
    """``source NAME`` and ``table NAME`` (``table=True``) with its clauses, columns and ``expect``
    lines.

    Clauses come in any order, each at most once: ``from``, ``key a, b``, ``time c``, ``known c
    [ahead]``, ``delay 5m``, ``retention 90d``, ``max_age 2h``, ``static "why"``, ``revisions
    [deleted c]``.
    """

    name: Ident
    table: bool
    location: Location | None
    key: tuple[Ident, ...]
    time: Ident | None
    known: Ident | None
    ahead: bool
    delay: Expr | None
    retention: Expr | None
    max_age: Expr | None
    static: StringLit | None
    revisions: bool
    deleted: Ident | None
    columns: tuple[ColumnDecl, ...]
    expects: tuple[Expect, ...]
    doc: str = ""
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ComputedDecl:
    """``name: type = expr`` in a stream."""

    name: Ident
    type: TypeExpr
    value: Expr
    doc: str = ""
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class StreamDecl:
    """``stream NAME from BASE [time COLUMN] [where COND] [{ computed columns }]``, clauses in any
    order.

    ``union`` holds the bases of ``from union(a, b)``; then ``base`` is None.
    """

    name: Ident
    base: Ident | None
    union: tuple[Ident, ...]
    time: Ident | None
    where: Expr | None
    columns: tuple[ComputedDecl, ...]
    doc: str = ""
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class FeatureDecl:
    """``name[@2]: type = expr`` with its docs and annotations."""

    name: Ident
    version: int | None
    type: TypeExpr
    value: Expr
    doc: str = ""
    annotations: tuple[Annotation, ...] = ()
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ForLoop:
    """``for x in [1h, 1d] { ... }``."""

    variable: Ident
    values: tuple[Expr, ...]
    items: tuple[FeatureItem, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


FeatureItem = FeatureDecl | ForLoop


@dataclass(frozen=True, slots=True)
class FeaturesDecl:
    """``features for Entity [from rows] [by col, col] [where cond] { ... }``; ``labels=True`` for
    ``labels for``.
    """

    entity: Ident
    rows: Ident | None
    by: tuple[Ident, ...]
    where: Expr | None
    items: tuple[FeatureItem, ...]
    labels: bool = False
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ViewItem:
    """``txn_count_1h``, ``User[user_id].spend_ratio as user_spend_ratio``."""

    value: Expr
    alias: Ident | None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ViewLoop:
    """A ``for`` inside a view."""

    variable: Ident
    values: tuple[Expr, ...]
    items: tuple[ViewItem | ViewLoop, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ViewDecl:
    name: Ident
    entity: Ident
    items: tuple[ViewItem | ViewLoop, ...]
    forbids: tuple[str, ...] = ()
    doc: str = ""
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DatasetDecl:
    """``dataset NAME view V spine S [by col] label ... split train before T, test from T``."""

    name: Ident
    view: Ident | None
    spine: Ident | None
    by: tuple[Ident, ...]
    labels: tuple[ViewItem, ...]
    train_before: Expr | None
    test_from: Expr | None
    doc: str = ""
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TestRow:
    values: tuple[tuple[Ident, Expr], ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TestRows:
    source: Ident
    rows: tuple[TestRow, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TestExpect:
    """``expect LEFT at TIME [as_of TIME] == RIGHT``; ``op`` is any comparison."""

    value: Expr
    at: Expr
    as_of: Expr | None
    op: str
    expected: Expr
    op_span: Span = field(default=NOWHERE, compare=False, repr=False)
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TestDecl:
    """``test "title" { rows and expectations }``."""

    title: str
    rows: tuple[TestRows, ...]
    expects: tuple[TestExpect, ...]
    title_span: Span = field(default=NOWHERE, compare=False, repr=False)
    span: Span = field(default=NOWHERE, compare=False, repr=False)


Decl = (
    Use
    | Owner
    | UnitDecl
    | ConstDecl
    | WindowDecl
    | FnDecl
    | EntityDecl
    | RequestDecl
    | SourceDecl
    | StreamDecl
    | FeaturesDecl
    | ViewDecl
    | DatasetDecl
    | TestDecl
)


@dataclass(frozen=True, slots=True)
class Module:
    """One file. ``name`` is its dotted path without the suffix: ``fraud/cards.afs`` is
    ``fraud.cards``.
    """

    name: str
    path: str
    declarations: tuple[Decl, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)
