"""Running one view of a case on the reference interpreter and on DuckDB."""

from __future__ import annotations

from random import Random
from typing import Any

import pyarrow as pa

from astrafs import driver
from astrafs.builtins.errors import ValueFailure
from astrafs.diagnostics.model import Sink
from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.reference.interpreter import Interpreter, Question
from tests.parity.compare import Failure, Outcome
from tests.parity.model import Case, arrow_array, arrow_type


class RejectedError(Exception):
    """The compiler refused a generated program: a bug of the generator or of the compiler."""


def compile_case(case: Case) -> Program:
    """Return the compiled program; raises :class:`RejectedError` with the diagnostics."""
    sink = Sink()
    program = driver.compile_project(case.files(), sink)
    if sink.has_errors or program is None:
        lines = [_line(case, found) for found in sink if found.is_error]
        raise RejectedError("\n".join(lines) or "no program and no diagnostics")
    return program


def _line(case: Case, found: Any) -> str:
    place = ""
    if found.primary is not None:
        span = found.primary.span
        file = next(one for one in case.files() if one.path == span.path)
        line, _ = file.position(span.start)
        place = (
            f"{span.path}:{line}: {file.line_text(line).strip()}\n    {found.primary.text}\n    "
        )
    return f"{found.code.id} {found.title}\n    {place}{' '.join(found.helps)}"


def view_of(program: Program, case: Case, view: str) -> ir.View:
    """Return the plan's view of a short name."""
    name = case.qualified(view) if any(p.name == view for p in case.pieces) else view
    return next(
        one for one in program.plan.views if one.name.endswith("." + name.rsplit(".", 1)[-1])
    )


class Reference:
    """The reference's answers; one interpreter serves all views of a case."""

    def __init__(self, program: Program, case: Case) -> None:
        self._plan = program.plan
        self._case = case
        data = {
            case.qualified(name): [
                dict(zip([one.name for one in data.fields], row, strict=True)) for row in data.rows
            ]
            for name, data in case.relations.items()
        }
        self._machine = Interpreter(program.plan, data, case.as_of)

    def answer(self, view: ir.View) -> Outcome:
        """Return the view's outputs for its spine."""
        spine = self._case.spines[view.name.rsplit(".", 1)[-1]]
        questions = [Question(tuple(keys), int(str(t))) for *keys, t in spine.rows]
        try:
            rows = self._machine.view(view.name, questions)
        except ValueFailure as failure:
            return Failure(failure.code, failure.message)
        return output_table(view, rows)


def output_table(view: ir.View, rows: list[tuple[Any, ...]]) -> pa.Table:
    """Return the reference's rows as the Arrow table that a backfill gives."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(view.outputs)
    arrays = [
        arrow_array(cells, output.type) for cells, output in zip(columns, view.outputs, strict=True)
    ]
    return pa.table(arrays, names=[output.name for output in view.outputs])


def output_schema(view: ir.View) -> pa.Schema:
    """Return the Arrow schema that a view promises."""
    return pa.schema([(output.name, arrow_type(output.type)) for output in view.outputs])


def shuffled(table: pa.Table, seed: int) -> pa.Table:
    """Return ``table`` with its rows in another order."""
    order = list(range(table.num_rows))
    Random(seed).shuffle(order)
    return table.take(pa.array(order, pa.int64()))
