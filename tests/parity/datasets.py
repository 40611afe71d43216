"""Datasets of a case on both engines, as tables with their splits and what is undecided."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from astrafs.backends.duckdb.datasets import TEST, compile_dataset, immature
from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.reference.datasets import evaluate_dataset
from astrafs.typesys import BOOL, Type
from astrafs.values.errors import ValueFailure
from tests.parity.compare import Failure, Outcome
from tests.parity.direct import Direct
from tests.parity.engines import Reference
from tests.parity.model import Case, arrow_array


def expected(program: Program, case: Case, dataset: ir.Dataset, reference: Reference) -> Outcome:
    """Return the examples as the reference has them."""
    try:
        try:
            examples = evaluate_dataset(
                program.plan, dataset.name, reference.given(case.as_of + 2**62), case.as_of
            )
        except ValueFailure:
            # A row that nobody knows by K may not stop the run either.
            known = reference.given(case.as_of)
            examples = evaluate_dataset(program.plan, dataset.name, known, case.as_of)
    except ValueFailure as failure:
        return Failure(failure.code, failure.message)
    rows = [
        (
            *one.columns,
            *one.outputs,
            *one.labels,
            *(not ready for ready in one.mature),
            one.split == "test",
        )
        for one in examples
    ]
    columns = list(columns_of(program.plan, dataset))
    cells = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    arrays = [arrow_array(part, kind) for part, (_, kind) in zip(cells, columns, strict=True)]
    return pa.table(arrays, names=[name for name, _ in columns])


def found(direct: Direct, program: Program, case: Case, dataset: ir.Dataset, seed: int) -> Outcome:
    """Return the examples as DuckDB has them, with the rows of sources in an order of ``seed``."""
    compiled = compile_dataset(program.plan, dataset.name)
    columns = list(columns_of(program.plan, dataset))
    return direct.script(program, case, compiled.script, columns, seed)


def columns_of(plan: ir.Plan, dataset: ir.Dataset) -> Iterator[tuple[str, Type]]:
    """Yield the columns of a result: those of the spine, outputs, labels, and the marks."""
    view = next(one for one in plan.views if one.name == dataset.view)
    for one in (*dataset.columns, *view.outputs, *dataset.labels):
        yield one.name, one.type
    for place in range(len(dataset.labels)):
        yield immature(place), BOOL
    yield TEST, BOOL
