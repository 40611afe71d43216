"""Running one view of a case on the reference interpreter and on DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

import pyarrow as pa

from astrafs import driver
from astrafs.diagnostics.model import Sink
from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.plan.tree import children, walk
from astrafs.reference.aggregates import SUMMED, check_summed
from astrafs.reference.interpreter import Interpreter, Question
from astrafs.reference.rows import Row
from astrafs.values.errors import ValueFailure
from tests.parity.compare import Failure, Outcome
from tests.parity.model import Case, Data, arrow_array


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


Seen = dict[tuple[Any, ...], list[tuple[int, int]]]
"""By key: from when to before when each of its rows counts."""
_EVER = 2**62


class Reference:
    """The reference's answers; one interpreter serves all views of a case."""

    def __init__(self, program: Program, case: Case) -> None:
        self.plan = program.plan
        self._case = case
        self._machine = self._interpreter(case.as_of + 2**62)

    def given(self, known_by: int) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of every source that are known at ``known_by``."""
        rows = {}
        for source in self.plan.sources:
            data = self._case.relations[source.name.rsplit(".", 1)[-1]]
            names = [field.name for field in data.fields]
            rows[source.name] = [
                dict(zip(names, row, strict=True))
                for row in data.rows
                if known_at(source, data, row) <= known_by
            ]
        return rows

    def _interpreter(self, known_by: int) -> Interpreter:
        return Interpreter(self.plan, self.given(known_by), self._case.as_of)

    def answer(self, view: ir.View) -> Outcome:
        """Return the view's outputs for its spine."""
        spine = self._case.spines[view.name.rsplit(".", 1)[-1]]
        return self.ask(view, [Question(tuple(keys), int(str(t))) for *keys, t in spine.rows])

    def ask(self, view: ir.View, questions: Sequence[Question]) -> Outcome:
        """Return the view's outputs for ``questions``."""
        try:
            try:
                rows = self._machine.view(view.name, questions)
            except ValueFailure:
                # A row that nobody knows by K may not stop the run either.
                rows = self._interpreter(self._case.as_of).view(view.name, questions)
        except ValueFailure as failure:
            return Failure(failure.code, failure.message)
        return output_table(view, rows)

    def lenient(self, view: ir.View) -> Outcome:
        """Return the outputs without the rows on which a condition or time of a stream stops a run.

        An engine need not compute a stream's condition for a row whose entity nobody asks for.
        """
        sound = {
            name: [row for row in rows if not self._stops_streams(name, row)]
            for name, rows in self.given(self._case.as_of).items()
        }
        spine = self._case.spines[view.name.rsplit(".", 1)[-1]]
        questions = [Question(tuple(keys), int(str(t))) for *keys, t in spine.rows]
        try:
            rows = Interpreter(self.plan, sound, self._case.as_of).view(view.name, questions)
        except ValueFailure as failure:
            return Failure(failure.code, failure.message)
        return output_table(view, rows)

    def _stops_streams(self, source: str, row: dict[str, Any]) -> bool:
        alone = Interpreter(self.plan, {source: [row]}, self._case.as_of)
        return any(_code(lambda name=one.name: alone.rows(name)) for one in self.plan.streams)

    def seen(self, view: ir.View) -> Seen | None:
        """Return every key of a row that the view's own features read, and when rows of it count.

        None where the features read no rows of the entity.
        """
        found: Seen = {}
        nodes = list(self._own_aggregates(view))
        for node in nodes:
            for row in self._machine.rows(node.rows):
                key = tuple(self._machine.in_row(part, row) for part in node.keys)
                assert row.event is not None
                assert row.known is not None
                ahead = self._base(node.rows, row).ahead
                first = row.known if ahead else max(row.known, row.event + 1)
                later = [] if row.revisions is None else row.revisions.later
                last = min((known for known in later if known <= self._case.as_of), default=_EVER)
                if None not in key and row.known <= self._case.as_of and first < last:
                    found.setdefault(key, []).append((first, last))
        return found if nodes else None

    def _base(self, rows: str, row: Row) -> ir.Source:
        """Return the source that a row of ``rows`` comes from."""
        sources = {source.name: source for source in self.plan.sources}
        streams = {stream.name: stream for stream in self.plan.streams}
        unions = {union.name: union for union in self.plan.unions}
        places = list(row.places)
        while rows not in sources:
            stream = streams.get(rows)
            rows = stream.base if stream else unions[rows].members[places.pop(0)]
        return sources[rows]

    def _own_aggregates(self, view: ir.View) -> Iterator[ir.Aggregate]:
        features = {feature.id: feature for feature in self.plan.features}
        waiting = [output.expression for output in view.outputs]
        done: set[ir.FeatureId] = set()
        while waiting:
            for node in walk(waiting.pop()):
                if isinstance(node, ir.Aggregate):
                    yield node
                elif isinstance(node, ir.FeatureRef) and node.feature not in done:
                    done.add(node.feature)
                    waiting.append(features[node.feature].expression)

    def stops(self, read: ir.Plan) -> frozenset[str]:
        """Return the codes with which a row that ``read`` (part of the plan) reads may stop a run.

        An engine may compute a row's values before it knows whether a question sees the row, so a
        value that is impossible there may stop it although no answer depends on it.
        """
        found: set[str] = set()
        for feature in read.features:
            for node in walk(feature.expression):
                if isinstance(node, ir.Aggregate):
                    found |= self._row_stops(node)
        for stream in read.streams:
            for row in self._rows(stream.name, found):
                for column in stream.columns:
                    found |= _code(lambda row=row, column=column: row[column.name])
        return frozenset(found)

    def _rows(self, name: str, found: set[str]) -> list[Row]:
        try:
            return self._machine.rows(name)
        except ValueFailure as failure:
            found.add(failure.code)
            return []

    def _row_stops(self, node: ir.Aggregate) -> set[str]:
        found: set[str] = set()
        for row in self._rows(node.rows, found):
            for part in children(node):
                found |= _code(lambda row=row, part=part: self._machine.in_row(part, row))
            if node.function in SUMMED:
                found |= _code(lambda row=row: self._summed(node, row))
        return found

    def _summed(self, node: ir.Aggregate, row: Row) -> None:
        check_summed(tuple(self._machine.in_row(arg, row) for arg in node.args))


def _code(compute: Callable[[], object]) -> set[str]:
    try:
        compute()
    except ValueFailure as failure:
        return {failure.code}
    return set()


def output_table(view: ir.View, rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """Return the reference's rows as the Arrow table that a backfill gives."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(view.outputs)
    arrays = [
        arrow_array(cells, output.type) for cells, output in zip(columns, view.outputs, strict=True)
    ]
    return pa.table(arrays, names=[output.name for output in view.outputs])


def known_at(source: ir.Source, data: Data, row: Sequence[Any]) -> int:
    """Return k of a row; rows of static tables are always known."""
    if not source.time:
        return -(2**62)
    names = [field.name for field in data.fields]
    match source.knowledge:
        case ir.KnownColumn(column):
            return int(row[names.index(column)])
        case ir.Delay(delay):
            return int(row[names.index(source.time)]) + delay


def shuffled(table: pa.Table, seed: int) -> pa.Table:
    """Return ``table`` with its rows in another order."""
    order = list(range(table.num_rows))
    Random(seed).shuffle(order)
    return table.take(pa.array(order, pa.int64()))
