"""A dataset computed over its spine as a view is over a given one, with kept columns.

The spine is made first; the outputs of the view and the labels that are looked up are then two
views over its rows, whose columns are kept like those of any other. What a label is before it is
decided is a matter of its row alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import field, replace

import pyarrow as pa
import pyarrow.compute as pc

from astrafs.backends.duckdb.datasets import compile_spine, immature
from astrafs.backends.duckdb.names import ident
from astrafs.backends.duckdb.script import Script
from astrafs.plan import ir
from astrafs.plan.graph import subexpressions
from astrafs.plan.program import Program
from astrafs.plan.tree import transform
from astrafs.record import dataclass
from astrafs.runtime import result
from astrafs.runtime.answer import Place, Reused, Run, opened, view_script
from astrafs.runtime.column_store import ColumnStore
from astrafs.runtime.request import Job, Request
from astrafs.runtime.reuse import Work, begin, column_keys, input_hashes
from astrafs.runtime.scripts import together
from astrafs.typesys import BOOL, Type

_SPINE = "dataset:spine"
_LABELS = "@labels"


@dataclass(slots=True)
class Parts:
    """A dataset about to be computed in parts: ``relation`` is the spine with what decides splits
    and labels, ``gap`` counts the rows left out.
    """

    run: Run
    relation: str
    gap: int
    rows: int
    own: list[pa.ChunkedArray]
    labels: list[pa.ChunkedArray]
    work: Work
    reused: Reused | None
    _rest: Iterator[pa.RecordBatch] | None = field(init=False, default=None)
    _left: pa.RecordBatch | None = field(init=False, default=None)
    _done: int = field(init=False, default=0)

    def take(self, rows: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the next ``rows`` rows: own columns, outputs, labels."""
        if self._rest is None:
            self._rest = result.chunks(self.work.rows())
        while rows:
            batch = self._left if self._left is not None else next(self._rest)
            count = min(rows, batch.num_rows)
            self._left = batch.slice(count) if count < batch.num_rows else None
            yield self._joined(batch.slice(0, count), schema)
            self._done += count
            rows -= count
        if self._done == self.rows:
            for _ in self._rest:  # its end checks that no row is left over, and clears up
                pass

    def _joined(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        mine = [column.slice(self._done, batch.num_rows) for column in self.own]
        labels = [column.slice(self._done, batch.num_rows) for column in self.labels]
        arrays = [*map(result.one, mine), *batch.columns, *map(result.one, labels)]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)


@contextlib.contextmanager
def compute(
    program: Program, place: Place, request: Request, dataset: ir.Dataset, as_of: int
) -> Iterator[Parts | None]:
    """Make the spine of a dataset and hand out what is left to do; None where it has no rows.

    Consuming it may raise ``reuse.LostError``.
    """
    plan, labels = _with_labels(program.plan, dataset)
    jobs = [_job(plan, request, dataset.view, as_of)]
    if labels is not None:
        jobs.append(_job(plan, request, labels.name, as_of))
    spine = compile_spine(plan, dataset.name)
    scripts = [view_script(plan, job, "spine") for job in jobs]
    whole = together(spine.script, *scripts)
    with opened(replace(program, plan=plan), place, whole, as_of, request) as run:
        first = {name: whole.inputs[name] for name in spine.script.inputs}
        run.read(replace(spine.script, inputs=first, kernels=whole.kernels))
        left = run.execute(spine.script)
        made = ident(spine.script.result)
        run.session.run(f"CREATE TEMP TABLE {ident(_SPINE)} AS SELECT * FROM {made}", _DOING)
        gap = int(run.session.rows(f"SELECT n FROM {spine.gap}", _DOING)[0][0])
        for name in left:
            run.session.run(f"DROP TABLE {ident(name)}", "freeing memory")
        rows = int(run.session.rows(f"SELECT count(*) FROM {ident(_SPINE)}", _DOING)[0][0])
        if not rows:
            yield None
            return
        store = ColumnStore(place.root) if request.cache else None
        works = _Works(run, place, whole, store, rows)
        found: list[pa.ChunkedArray] = []
        reused: list[Reused] = []
        if labels is not None:
            work = works.begin(jobs[1], scripts[1], "=")
            reused.append(work.reused() or Reused(0, len(work.keys), 0, rows))
            batches = list(work.rows())
            table = pa.Table.from_batches(batches)
            found = table.columns
            works.end()
        decided = _labels(run, dataset, dict(zip(_looked_up(dataset), found, strict=True)))
        own = _own(run, [(f"={one.name}", one.type) for one in dataset.columns])
        work = works.begin(jobs[0], scripts[0], "")
        reused.append(work.reused() or Reused(0, len(work.keys), 0, rows))
        yield Parts(run, ident(_SPINE), gap, rows, own, decided, work, _sum(reused))
        if store is not None:
            store.sweep()


_DOING = "making the spine"


def _job(plan: ir.Plan, request: Request, view: str, as_of: int) -> Job:
    found = next(one for one in plan.views if one.name == view)
    entity = next(one for one in plan.entities if one.name == found.entity)
    return Job(request, found, entity, as_of, None)


def _looked_up(dataset: ir.Dataset) -> list[str]:
    return [one.name for one in dataset.labels if not isinstance(one.expression, ir.Column)]


def _with_labels(plan: ir.Plan, dataset: ir.Dataset) -> tuple[ir.Plan, ir.View | None]:
    """Return the plan with a view of the labels that are looked up, over a request of the columns
    of the row that they are looked up by; None where there are no such labels.
    """
    names = _looked_up(dataset)
    labels = [one for one in dataset.labels if one.name in names]
    if not labels:
        return plan, None
    columns = {
        part.name: part.type
        for part in subexpressions(*(one.expression for one in labels))
        if isinstance(part, ir.Column)
    }
    fields = tuple(ir.Field(name, type_) for name, type_ in sorted(columns.items()))
    entity = ir.Entity(_LABELS, fields, request=True)

    def as_field(expr: ir.Expr) -> ir.Expr:
        return ir.KeyPart(expr.name, expr.type) if isinstance(expr, ir.Column) else expr

    outputs = tuple(
        ir.Output(one.name, transform(one.expression, as_field), one.type) for one in labels
    )
    view = ir.View(_LABELS, _LABELS, outputs)
    return replace(plan, entities=(*plan.entities, entity), views=(*plan.views, view)), view


@dataclass(slots=True)
class _Works:
    """Makes the relation ``spine`` for one view after the other."""

    run: Run
    place: Place
    whole: Script
    store: ColumnStore | None
    rows: int

    def begin(self, job: Job, script: Script, mark: str) -> Work:
        """Make ``spine`` of the columns that are called as the keys of ``job``, behind ``mark``."""
        names = [one.name for one in job.entity.keys]
        listed = "".join(f", {ident(mark + name)} AS {ident(name)}" for name in names)
        query = f'SELECT "@row", "@t"{listed} FROM {ident(_SPINE)}'
        self.run.session.run(f'CREATE TEMP TABLE "spine" AS {query}', "reading the spine")
        keys = None
        if self.store is not None:
            plan, hashes = self.run.program.plan, input_hashes(self.run.inputs)
            keys = column_keys(plan, job, self.run, hashes)
        wide = {name: self.whole.inputs[name] for name in script.inputs}
        script = replace(script, inputs=wide)
        bound = [*names, "@t"]
        return begin(self.run, self.place, job, script, self.store, keys, bound, self.rows)

    def end(self) -> None:
        """Drop what the last view was computed over."""
        for name in ("spine", "spine:all"):
            self.run.session.run(f"DROP TABLE IF EXISTS {ident(name)}", "freeing memory")


def _own(run: Run, columns: Sequence[tuple[str, Type]]) -> list[pa.ChunkedArray]:
    """Return columns of the spine, in the order of its rows."""
    if not columns:
        return []
    listed = ", ".join(ident(name) for name, _ in columns)
    query = f'SELECT {listed} FROM {ident(_SPINE)} ORDER BY "@row"'
    batches = list(run.session.stream(query, "reading the spine"))
    return [
        pa.chunked_array(
            [result.from_engine(batch.column(place), type_) for batch in batches],
            result.arrow_type(type_),
        )
        for place, (_, type_) in enumerate(columns)
    ]


def _labels(
    run: Run, dataset: ir.Dataset, looked_up: dict[str, pa.ChunkedArray]
) -> list[pa.ChunkedArray]:
    """Return the labels of the spine's rows, null where they are not decided yet."""
    found = []
    for place, label in enumerate(dataset.labels):
        if isinstance(label.expression, ir.Column):
            (values,) = _own(run, [(f"={label.expression.name}", label.type)])
        else:
            values = looked_up[label.name]
        (waiting,) = _own(run, [(immature(place), BOOL)])
        places = pa.array(range(len(values)), pa.int64())
        found.append(values.take(pc.if_else(waiting, pa.scalar(None, pa.int64()), places)))
    return found


def _sum(found: Sequence[Reused]) -> Reused | None:
    """Return what came from earlier runs of all views over the same rows; None for nothing."""
    columns, rows = sum(one.columns for one in found), min(one.rows for one in found)
    if not columns and not rows:
        return None
    return Reused(columns, sum(one.of_columns for one in found), rows, found[0].of_rows)
