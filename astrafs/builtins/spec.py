"""What one builtin row holds. Everything that knows a builtin reads its row: types, SQL,
reference, docs, tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from astrafs.typesys import Type


class Mismatch(Exception):  # noqa: N818 - a verdict on arguments, not a failure
    """Arguments do not fit. ``index`` is the argument at fault (None: the number of arguments)."""

    def __init__(self, index: int | None, expected: str) -> None:
        super().__init__(expected)
        self.index = index
        self.expected = expected


class Nulls(StrEnum):
    """What nulls do; the sentence is printed in docs and hover."""

    STRICT = "A null operand gives null."
    OWN = "Nulls are handled as described."
    SKIP = "Null inputs are skipped."


@dataclass(frozen=True, slots=True)
class Example:
    """Run by tests on every engine: source text of an expression (scalars) or inputs (aggregates),
    and the value.
    """

    given: Any
    value: Any


@dataclass(frozen=True, slots=True)
class Signature:
    """What a call means after typing: the types that the arguments are widened to, and the
    result's type.

    The checker inserts ``to_float``/``to_decimal`` calls where an argument's type differs from
    ``args`` only by widening. ``result`` already says whether it may be null (operands'
    nullability included).
    """

    args: tuple[Type, ...]
    result: Type


@dataclass(frozen=True, slots=True)
class Function:
    """A scalar builtin or operator.

    ``rule`` maps argument types (``Literal`` values in ``constants``, None where not constant) to a
    :class:`Signature` or raises :class:`Mismatch`. ``evaluate(values, types, result)`` computes
    one value from Python values (int, float, Decimal, bool, str, bytes, None; times as int
    microseconds, dates as int days), the widened argument types and the result type; it is the
    reference's meaning. Rows with ``Nulls.STRICT`` are not called with a null:
    ``registry.evaluate`` answers null for them. It raises ``errors.ValueFailure``. ``sql`` is the
    DuckDB text: a template with ``{0}``, ``{1}``, ... holes, or a function of (argument SQL texts,
    argument types, result type) that returns text. Every hole may be used several times: the
    printer hoists operands that are not leaves. ``kernel`` names a vectorised function of
    ``astrafs.kernels`` that the session registers where plain SQL has not the same bits; the SQL
    then calls it by that name.
    """

    name: str
    params: str
    rule: Callable[[tuple[Type, ...], tuple[Any, ...]], Signature]
    evaluate: Callable[..., Any]
    sql: str | Callable[[tuple[str, ...], tuple[Type, ...], Type], str]
    nulls: Nulls
    doc: str
    group: str
    symbol: str = ""
    kernel: str = ""
    examples: tuple[Example, ...] = ()


class Class(StrEnum):
    """How an aggregate may be computed; backends choose plans by this alone."""

    INVERTIBLE = "sums of states: may subtract rows that leave the window"
    SEMIGROUP = "min, max and the like: states merge, nothing can be taken out"
    DISTINCT = "counts different values"
    ORDERED = "depends on (e, key) order"


@dataclass(frozen=True, slots=True)
class AggregateFunction:
    """An aggregate. Rows whose condition is not true or with a null input are never seen by it.

    The invertible class keeps running totals, exact integers or decimals, so that rows may be
    subtracted again in any order: ``states`` (argument types -> DuckDB texts) says what a row adds
    to each (holes ``{0}``, ``{1}`` for the inputs) and ``finish`` (totals' texts, argument types,
    result type -> text) makes the value. ``merge`` names the SQL function that joins two
    states of the semigroup class (``min`` or ``max``): of the input itself, or for the ordered
    class of the row's rank in (e, key) order. ``keep_nulls`` lets rows with a null input take part
    (``first_row``).
    """

    name: str
    params: str
    rule: Callable[[tuple[Type, ...], tuple[Any, ...]], Signature]
    kind: Class
    empty: Any
    doc: str
    states: Callable[[tuple[Type, ...]], tuple[str, ...]] | None = None
    finish: Callable[[tuple[str, ...], tuple[Type, ...], Type], str] | None = None
    merge: str = ""
    keep_nulls: bool = False
    examples: tuple[Example, ...] = ()
