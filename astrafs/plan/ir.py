"""The plan: the span-free, typed, canonical form of a program. Every backend reads this and
nothing above it.

Names in a plan are qualified by module (``fraud.cards.approved``). A feature is named by
:class:`FeatureId`. All times and durations are integers in microseconds; timestamps count from
1970-01-01T00:00:00Z.
"""

from __future__ import annotations

from dataclasses import field
from decimal import Decimal

from astrafs.record import dataclass
from astrafs.typesys import Type

SCHEMA_VERSION = 2


@dataclass(frozen=True, slots=True, order=True)
class FeatureId:
    """Names one version of one feature of one entity (or request)."""

    entity: str
    name: str
    version: int = 1

    def __str__(self) -> str:
        tail = "" if self.version == 1 else f"@{self.version}"
        return f"{self.entity}.{self.name}{tail}"


# --- expressions

Value = None | bool | int | float | str | bytes | Decimal
"""A literal: timestamps, dates (days since 1970-01-01) and durations are ``int``; enums are
``str``.
"""


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant. ``value is None`` is a typed null."""

    value: Value
    type: Type


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the row at hand: in stream columns, conditions, aggregate inputs, keys,
    ``expect``.
    """

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class KeyPart:
    """A key column of the entity (or a field of the request) whose feature is being evaluated."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class EvaluationTime:
    """The prediction time ``t`` of the feature's context (the row's own time inside a stream)."""

    type: Type


@dataclass(frozen=True, slots=True)
class FeatureRef:
    """Another feature of the same entity at the same (key, t, K)."""

    feature: FeatureId
    type: Type


@dataclass(frozen=True, slots=True)
class Call:
    """A builtin scalar function or operator; ``function`` names its row in ``astrafs.builtins``.

    Arguments already have the types that the row asks for: every widening is an explicit
    ``to_float`` or ``to_decimal`` call. ``type`` is the result type, exact in nullability,
    precision and scale.
    """

    function: str
    args: tuple[Expr, ...]
    type: Type


@dataclass(frozen=True, slots=True)
class EntityLookup:
    """``X[keys].feature offset d``: a feature of another entity, at the context's time minus
    ``offset``.

    ``keys`` give one expression per key column of ``entity``, in its order. A null in any key
    gives the feature of no entity: its value over empty windows.
    """

    entity: str
    keys: tuple[Expr, ...]
    feature: FeatureId
    offset: int
    type: Type


@dataclass(frozen=True, slots=True)
class TableLookup:
    """``table[keys].column``: the changelog's value as of the context's time minus ``offset``.

    A value whose row is older than ``max_age`` (e < t - offset - max_age) is null, as is one
    without a row or with a null key.
    """

    table: str
    keys: tuple[Expr, ...]
    column: str
    offset: int
    max_age: int | None
    type: Type


@dataclass(frozen=True, slots=True)
class RangeWindow:
    """Rows by age: with ``t' = floor(t / every) * every`` (``t`` where ``every`` is None) and
    ``age = t' - e``.

    A row is in it iff it is visible and ``near <(=) age <(=) far``, ``<=`` where that edge is
    closed. ``far is None`` has no far edge. Visible means ``k <= t`` and ``k <= K`` (and the
    window itself bounds ``e``): a window whose near edge is ``0`` and open holds ``e < t``.
    Negative ages lie in the future: only labels and sources known ahead have them.
    ``over 7d`` is ``RangeWindow(far=7d, near=0, far_closed=True, near_closed=False)``.
    ``hindsight`` (windows of labels that reach past t) drops ``k <= t``: rows known by K count.
    """

    far: int | None
    near: int
    far_closed: bool
    near_closed: bool
    every: int | None = None
    hindsight: bool = False


@dataclass(frozen=True, slots=True)
class LastWindow:
    """The ``rows`` latest visible rows (e < t) in (e, key) order, of those with age <= ``within``
    if given.
    """

    rows: int
    within: int | None = None


@dataclass(frozen=True, slots=True)
class CalendarWindow:
    """``since day("Europe/Paris")``: the visible rows from the start of the unit that holds t, to t
    (e < t).

    ``unit`` is ``hour``, ``day``, ``week`` (from Monday) or ``month``, ``zone`` an IANA name.
    """

    unit: str
    zone: str


@dataclass(frozen=True, slots=True)
class SinceWindow:
    """``since last (condition)``: the visible rows (e < t) after the latest one, in (e, key) order,
    where ``condition`` is true; all of them if there is none.
    """

    condition: Expr


@dataclass(frozen=True, slots=True)
class SessionWindow:
    """The latest run of visible rows (e < t) whose neighbours, and t itself, are at most ``gap``
    apart.
    """

    gap: int


Window = RangeWindow | LastWindow | CalendarWindow | SinceWindow | SessionWindow


@dataclass(frozen=True, slots=True)
class Aggregate:
    """``function(args where condition) over window`` on the rows of ``rows`` that belong to the
    entity.

    ``keys`` give, per key column of the entity, an expression over the row; a row with a null in
    any of them belongs to no entity. ``block_where`` is the ``where`` of the ``features`` block:
    rows that fail it are not in the window at all (they do not count for ``last N``). ``where``
    only filters the aggregate's inputs. ``by`` groups the inputs by a value of the row (null
    belongs to no group): the result is a map. ``each`` makes every element of the list arguments an
    input.

    In the features of a request that is a row (``request R as ROWS``), ``match`` names the request
    fields that ``keys`` must equal, and with ``request`` the request itself is the newest row of
    the window, at t: its fields are read as the columns of that name. Elsewhere ``match`` is empty:
    ``keys`` equal the entity's key columns, in order.
    """

    function: str
    args: tuple[Expr, ...]
    where: Expr | None
    block_where: Expr | None
    rows: str
    keys: tuple[Expr, ...]
    window: Window
    type: Type
    by: Expr | None = None
    each: bool = False
    match: tuple[str, ...] = ()
    request: bool = False


Expr = (
    Literal
    | Column
    | KeyPart
    | EvaluationTime
    | FeatureRef
    | Call
    | EntityLookup
    | TableLookup
    | Aggregate
)


# --- declarations


@dataclass(frozen=True, slots=True)
class Field:
    """A named, typed key column, request field or computed column slot."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity with its key columns, or a request (``request=True``) with its fields as ``keys``.

    A request is no entity: nulls in its (nullable) fields are ordinary values. It has windows of
    its own only where it is a row about to happen: ``rows`` names the source then.
    """

    name: str
    keys: tuple[Field, ...]
    request: bool = False
    rows: str = ""


@dataclass(frozen=True, slots=True)
class KnownColumn:
    """k(r) is the value of this column."""

    column: str


@dataclass(frozen=True, slots=True)
class Delay:
    """k(r) = e(r) + ``delay`` (0 where nothing is declared)."""

    delay: int


Knowledge = KnownColumn | Delay


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """A declared column. ``physical`` is its name in the file; ``zone`` the IANA zone of a local
    time.

    ``settles`` (microseconds) and ``known_at`` (a column name) restrict reading it; see
    ``astrafs.leakage``.
    """

    name: str
    type: Type
    physical: str = ""
    zone: str = ""
    settles: int | None = None
    known_at: str = ""
    tags: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Source:
    """An event source, or a changelog (``table=True``; no ``time`` iff ``static`` gives its
    reason).

    Rows of a source are ordered by (e, key); ``key`` is unique in a source and the lookup key of a
    table. With ``revisions`` a key of a source may repeat: its rows are revisions of one event,
    ordered by (k, remaining columns in declared order, nulls first); at (t, K) the latest with
    ``k <= min(t, K)`` counts, and none where its column ``deleted`` (if given) is true.
    """

    name: str
    table: bool
    columns: tuple[SourceColumn, ...]
    key: tuple[str, ...]
    time: str
    knowledge: Knowledge
    ahead: bool = False
    static: str = ""
    max_age: int | None = None
    retention: int | None = None
    expects: tuple[Expr, ...] = ()
    revisions: bool = False
    deleted: str = ""


@dataclass(frozen=True, slots=True)
class Union:
    """The rows of several sources or streams as one: ``members`` in the order written.

    ``columns`` are those that every member has, of one type (nullable where it is in any member);
    ``key`` are key columns of every member. Rows are ordered by (e, key, place of the member).
    """

    name: str
    members: tuple[str, ...]
    columns: tuple[Field, ...]
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ComputedColumn:
    """A stream's extra column: ``expression`` over the base columns, lookups at the row's own
    time.
    """

    name: str
    expression: Expr
    type: Type


@dataclass(frozen=True, slots=True)
class Stream:
    """Rows of ``base`` (a source, stream or union) where ``where`` is true, re-timed to ``time`` if
    given, with columns.

    With ``time``: e becomes its value (earlier than the old e is a contract violation) and k at
    least the new e. ``where`` and ``time`` read base columns only. A stream keeps all base columns
    and the base key.
    """

    name: str
    base: str
    where: Expr | None
    time: Expr | None
    columns: tuple[ComputedColumn, ...]


@dataclass(frozen=True, slots=True)
class Feature:
    """One version of one feature; ``depends`` in ``plan.graph`` is derived from ``expression``.

    A ``label`` may look forward; only labels and datasets may refer to it. ``tags`` are the
    author's own, else those of what it reads. ``remove_after`` is the ISO date of the last day on
    which a deprecated version may be used, empty without one.
    """

    id: FeatureId
    type: Type
    expression: Expr
    doc: str = field(default="", compare=False)
    owner: str = field(default="", compare=False)
    tags: tuple[str, ...] = field(default=(), compare=False)
    deprecated: str = field(default="", compare=False)
    label: bool = False
    remove_after: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Output:
    """One column of a view: its name and a ``FeatureRef``, ``EntityLookup`` or ``KeyPart``."""

    name: str
    expression: Expr
    type: Type


@dataclass(frozen=True, slots=True)
class View:
    """The vector served for ``entity``: same names, order and types for training and serving.

    No output may have a tag of ``forbids``.
    """

    name: str
    entity: str
    outputs: tuple[Output, ...]
    doc: str = field(default="", compare=False)
    forbids: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Label:
    """A label column of a dataset: ``expression`` over the spine row at hand, lookups at its time.

    At (t, K) it is mature iff ``t + horizon <= K`` and every column of ``known`` is not null and
    lies at or before K; until then it is null. ``type`` is nullable.
    """

    name: str
    expression: Expr
    type: Type
    horizon: int
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    """Training data: ``view`` asked for every row of ``spine`` (a source, stream or union) at its
    own time, beside its ``labels``.

    ``keys`` gives, per key column (or request field) of the view's entity, an expression over the
    spine row. ``columns`` are those of the row that stand in the result: known at its time, and no
    labels. ``train_before``/``test_from`` (instants) split the rows; those between are left out,
    and labels of training rows must be mature at ``test_from`` too.
    """

    name: str
    view: str
    spine: str
    keys: tuple[Expr, ...]
    labels: tuple[Label, ...]
    train_before: int | None = None
    test_from: int | None = None
    doc: str = field(default="", compare=False)
    columns: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole program. Every tuple is sorted by name, so equal programs are equal plans."""

    entities: tuple[Entity, ...]
    sources: tuple[Source, ...]
    streams: tuple[Stream, ...]
    features: tuple[Feature, ...]
    views: tuple[View, ...]
    unions: tuple[Union, ...] = ()
    datasets: tuple[Dataset, ...] = ()
    schema_version: int = SCHEMA_VERSION
