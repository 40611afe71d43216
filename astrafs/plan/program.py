"""A compiled program: its plan, where each source's files are, and where everything was written.

How surface types meet the plan:

- Expression nodes carry engine-level types: no units, and an entity key as its part (``User`` over
  an int is ``int``; a key of several parts is one expression per part). Declarations
  (``Feature.type``, ``SourceColumn.type``, ``Field.type``, ``ComputedColumn.type``,
  ``Output.type``) keep the surface type with its unit and key kind, so a unit is part of the
  identity.
- A leaf (column, key part, feature reference, lookup) that the author has just tested for null
  carries the non-null type inside that branch; its declaration may be nullable.
- An expression may be non-null where its declaration is nullable, never the other way round.
- After a mistake of the author, an expression is a literal whose type is ``ERROR``; passes stay
  silent about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from astrafs.plan import ir
from astrafs.plan.tests import TestCase
from astrafs.plan.tree import Origin
from astrafs.record import dataclass
from astrafs.source import SourceFile, Span


@dataclass(frozen=True, slots=True)
class Binding:
    """Where a source's rows are, as written in its declaration: ``parquet``, ``csv`` or ``jsonl``
    and path patterns.

    ``format`` is empty where the declaration names no files (the project's configuration must).
    """

    format: str
    patterns: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class FeatureOrigin:
    """Where a feature was written: its name, its declaration, its expression, and the template
    expansion (``w = 7d``).
    """

    name: Span
    span: Span
    value: Origin
    module: str
    expansion: str = ""


@dataclass(frozen=True, slots=True)
class SourceOrigin:
    """Where a source or table was written; ``columns`` and ``clauses`` (``time``, ``known``,
    ``delay``, ...) by name.
    """

    name: Span
    span: Span
    columns: Mapping[str, Span]
    clauses: Mapping[str, Span]
    expects: tuple[Origin, ...]
    module: str


@dataclass(frozen=True, slots=True)
class StreamOrigin:
    """Where a stream was written: its parts as origins parallel to the plan's expressions."""

    name: Span
    span: Span
    where: Origin | None
    time: Origin | None
    columns: Mapping[str, Origin]
    module: str


@dataclass(frozen=True, slots=True)
class ViewOrigin:
    """Where a view was written; one origin per output, in order."""

    name: Span
    span: Span
    outputs: tuple[Origin, ...]
    module: str


@dataclass(frozen=True, slots=True)
class DatasetOrigin:
    """Where a dataset was written: its spine, and one origin per key part and per label; the two
    instants of the split, if it has one.
    """

    name: Span
    span: Span
    spine: Span
    keys: tuple[Origin, ...]
    labels: tuple[Origin, ...]
    split: tuple[Span, ...]
    module: str


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled program. The maps are keyed by the plan's qualified names."""

    plan: ir.Plan
    bindings: Mapping[str, Binding]
    features: Mapping[ir.FeatureId, FeatureOrigin]
    sources: Mapping[str, SourceOrigin]
    streams: Mapping[str, StreamOrigin]
    views: Mapping[str, ViewOrigin]
    files: Mapping[str, SourceFile] = field(default_factory=dict)
    tests: tuple[TestCase, ...] = ()
    datasets: Mapping[str, DatasetOrigin] = field(default_factory=dict)
