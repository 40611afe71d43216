"""``test`` blocks: rows of sources, and what expressions over them must give.

Tests are no part of the plan: they change no identity. Their expressions are plan expressions, so
every engine can evaluate them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from astrafs.plan import ir
from astrafs.plan.tree import Origin
from astrafs.record import dataclass
from astrafs.source import Span
from astrafs.typesys import Type

VALUE = "value"
"""The column that stands for the value found in :attr:`Expectation.test`."""


@dataclass(frozen=True, slots=True)
class InlineRow:
    """One row of a source as a test gives it: every declared column, null where left out.

    Values are those of :data:`astrafs.plan.ir.Value`, lists tuples and maps tuples of pairs.
    """

    values: Mapping[str, Any]
    span: Span


@dataclass(frozen=True, slots=True)
class Expectation:
    """``expect EXPRESSION at T [as_of K] OP CONSTANT``, times in microseconds.

    ``expression`` reads no key and no row of its own: it stands in a feature of an entity without
    keys. ``test`` is a condition over the column :data:`VALUE`, the value that it gives; ``op`` and
    ``expected`` (of ``expected_type``) say the same for people.
    """

    expression: ir.Expr
    type: Type
    at: int
    as_of: int
    test: ir.Expr
    op: str
    expected: Any
    expected_type: Type
    origin: Origin
    span: Span


@dataclass(frozen=True, slots=True)
class TestCase:
    """One ``test`` block; ``rows`` by the qualified name of a source or table, absent where empty.

    ``name`` is the place of its title.
    """

    __test__ = False

    title: str
    module: str
    rows: Mapping[str, tuple[InlineRow, ...]]
    expects: tuple[Expectation, ...]
    name: Span
    span: Span
