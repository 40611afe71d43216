"""What one builtin row holds. Everything that knows a builtin reads its row: types, SQL,
reference, docs, tests.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from astrafs.record import dataclass
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
    """Run by tests on every engine: source text of an expression (scalars) or inputs (aggregates:
    a value, or a tuple of values, per row, and ``constants`` after them), and the value.
    """

    given: Any
    value: Any
    constants: tuple[Any, ...] = ()


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
    DISTINCT = "sums of states over the different values"
    ORDERED = "the value of one row, the first or last in some order"
    PAIRED = "needs the values of a window side by side"


class Order(StrEnum):
    """The order of rows by which an aggregate of the ordered class takes its row."""

    ROWS = "(event time, key)"
    RISING = "second input, then (event time, key)"
    FALLING = "second input falling, then (event time, key)"


Texts = tuple[str, ...]
Types = tuple[Type, ...]
Constants = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class AggregateFunction:
    """An aggregate. Rows whose condition is not true or with a null input are never seen by it.

    The first ``inputs`` arguments are taken of every row, the others are constants. ``empty`` is
    the value without rows; ``partial`` says that some rows may still give null.

    SQL texts have holes: ``{0}``, ``{1}`` for the inputs, ``{e}`` for the row's event time, ``{t}``
    for the time of the question (paired class only) and ``{p}`` for the text of ``prepare``
    (argument types and constants -> text), which is computed once per row.

    * invertible: running totals, exact integers or decimals, so that rows may be subtracted again
      in any order. ``states`` (argument types -> texts) is what a row adds to each, ``finish``
      (totals' texts, argument types, result type, constants) makes the value.
    * semigroup: ``merge`` is the SQL function that joins two values, ``min`` or ``max``.
    * ordered: ``merge`` picks the place of a row in ``order``; the value is the first input there.
    * distinct: as invertible, over the different values: of the input, or of the list that
      ``cells`` (argument types -> text) makes of it.
    * paired: ``gather`` (texts of the inputs, argument types, constants, result type) is an SQL
      aggregate over the rows of one window. Beside the inputs it may use ``"@ord"``, the place in
      (event time, key) order. With ``per_value`` the rows are the different values: ``"@n"`` says
      how often each occurs, ``"@ord"`` where last. ``latest``/``earliest`` (constants -> count)
      bound how many rows of a window matter. ``newest`` makes ``{newest}`` the event time of the
      window's last row.

    ``keep_nulls`` lets rows with a null input take part (``first_row``). ``summed`` names the
    inputs whose floats enter exact sums.
    """

    name: str
    params: str
    rule: Callable[[Types, Constants], Signature]
    kind: Class
    empty: Any
    doc: str
    inputs: int = 1
    prepare: Callable[[Types, Constants], str] | None = None
    states: Callable[[Types], Texts] | None = None
    finish: Callable[[Texts, Types, Type, Constants], str] | None = None
    cells: Callable[[Types], str] | None = None
    merge: str = ""
    order: Order = Order.ROWS
    gather: Callable[[Texts, Types, Constants, Type], str] | None = None
    per_value: bool = False
    newest: bool = False
    latest: Callable[[Constants], int] | None = None
    earliest: Callable[[Constants], int] | None = None
    keep_nulls: bool = False
    partial: bool = False
    summed: tuple[int, ...] = ()
    examples: tuple[Example, ...] = ()
