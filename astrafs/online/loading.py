"""Filling a store from a project's sources, as known at one moment.

Each source is read and judged as in an offline run, with its rows on disk where memory is short,
and handed to the writer in batches. With every batch goes a mark of how far that pass has come, so
a load that was killed goes on there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from astrafs.backends.duckdb.names import ident
from astrafs.diagnostics.codes import ALL
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.online.engine import Engine
from astrafs.online.given import cells
from astrafs.online.groups import Shape
from astrafs.online.layout import Layout, digest
from astrafs.online.manifest import change_manifest, read_manifest
from astrafs.online.statements import Statement, statement
from astrafs.online.store import Store
from astrafs.online.writer import Writer
from astrafs.plan import ir, tree
from astrafs.plan.contracts import expects_written
from astrafs.plan.program import Program
from astrafs.record import dataclass
from astrafs.runtime.answer import Place, source_files
from astrafs.runtime.paths import InputFile, check_unchanged
from astrafs.runtime.progress import Progress, Silent
from astrafs.runtime.session import Session
from astrafs.runtime.sources import SourceReader
from astrafs.typesys import Type
from astrafs.values.errors import ValueFailure
from astrafs.values.numbers import SUM_LIMIT

BATCH_ROWS = 20_000
MEMORY = "1GB"
COLUMN_ROWS = 50_000
_MOST_SHOWN = 20
_MARK = b"l"
"""The kind of the entries that say how far a load has come."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did: rows read by source, and rows that were refused (``refused`` has the first
    of ``conflicts``): others are in the store under their keys.
    """

    rows: Mapping[str, int]
    conflicts: int
    refused: tuple[Diagnostic, ...]


@dataclass(slots=True)
class _Tally:
    rows: dict[str, int]
    conflicts: int
    refused: list[Diagnostic]


def load_missing(
    program: Program,
    place: Place,
    store: Store,
    as_of: int,
    progress: Progress | None = None,
    memory_limit: str = MEMORY,
) -> Loaded:
    """Load what the views of a store need and it does not hold, as known at ``as_of``.

    ``program`` is the one that it serves, restricted to its views. Raises :class:`AstrafsError`
    where files do not hold what is declared or rows break a contract; what was written so far
    stays, and the next load goes on from there.
    """
    manifest = read_manifest(store)
    layout = Layout(Engine(program.plan), manifest.groups)
    lacking = manifest.lacks(layout)
    writer = Writer(layout, store)
    loader = _Loader(program, place, layout, store, writer, progress, memory_limit)
    found = loader.load(as_of, lacking.shapes, lacking.tables)
    change_manifest(store, lambda now: now.loaded(layout, lacking.shapes, lacking.tables, as_of))
    marks = dict(store.scan(_MARK))
    store.write(dict.fromkeys(marks), marks)
    return found


class _Loader:
    """Loads groups and tables of a program into a store."""

    def __init__(
        self,
        program: Program,
        place: Place,
        layout: Layout,
        store: Store,
        writer: Writer,
        progress: Progress | None = None,
        memory_limit: str = MEMORY,
    ) -> None:
        self._program = program
        self._place = place
        self._layout = layout
        self._store = store
        self._writer = writer
        self._progress: Progress = progress or Silent()
        self._memory_limit = memory_limit

    def load(self, as_of: int, shapes: Sequence[Shape], tables: Sequence[str]) -> Loaded:
        """Put the rows known at ``as_of`` into groups and tables that lack them."""
        tally = _Tally({}, 0, [])
        for name in tables:
            self._source(name, as_of, (), tally)
        for level in levels(self._layout, shapes):
            sources = {way.source: None for shape in level for way in shape.ways}
            for name in sources:
                fed = [shape for shape, _, _ in self._layout.ways[name] if shape in level]
                self._source(name, as_of, tuple(dict.fromkeys(fed)), tally)
        return Loaded(tally.rows, tally.conflicts, tuple(tally.refused))

    def _source(self, name: str, as_of: int, shapes: Sequence[Shape], tally: _Tally) -> None:
        source = self._layout.engine.source(name)
        format_, files = source_files(self._program, self._place, name)
        mark = self._mark("source", name, shapes)
        state = _state(as_of, files)
        if self._store.get((mark,)) == [state.encode()]:
            return
        self._progress.step(1, 1, f"reading {name}")
        with Session([file.path for file in files], memory_limit=self._memory_limit) as session:
            session.set_as_of(as_of)
            reader = SourceReader(
                session,
                source,
                format_,
                files,
                None,
                expects_written(self._program, name),
                self._program.sources.get(name),
            )
            total = reader.load([column.name for column in source.columns])
            tally.rows[name] = total
            statements = self._statements(session, reader, shapes)
            rest = tuple(shape for shape in shapes if shape not in statements)
            self._rows(session, reader, rest, total, state, tally)
            for shape, one in statements.items():
                self._columns(session, reader, shape, one, state)
        check_unchanged(files, self._place.root)
        self._store.write({mark: state.encode()})

    def _statements(
        self, session: Session, reader: SourceReader, shapes: Sequence[Shape]
    ) -> dict[Shape, Statement]:
        """Return the groups whose columns are read by SQL. Where a stream breaks its contract, rows
        are taken one by one: that says which.
        """
        found = {}
        for shape in shapes:
            one = statement(self._program.plan, shape, self._layout.columns(shape))
            if one is not None:
                query = f"SELECT 1 FROM {reader.relation} WHERE {one.broken} LIMIT 1"
                if one.broken == "FALSE" or not session.rows(query, _doing(reader)):
                    found[shape] = one
        return found

    def _rows(
        self,
        session: Session,
        reader: SourceReader,
        shapes: tuple[Shape, ...],
        total: int,
        state: str,
        tally: _Tally,
    ) -> None:
        """Note every row, and put it into the table that the source may be and into ``shapes``."""
        source = reader.source
        names = [ident(column.name) for column in source.columns]
        # By time, so that a batch goes to few blocks; in an order that is the same again.
        order = ('"@e"', *(ident(name) for name in source.key), '"@k"')
        # Rows of a table or revisions may differ in any column.
        order += tuple(names) if source.table or source.revisions else ()
        mark = self._mark("rows", source.name, shapes)
        done = _done(self._store.get((mark,))[0], state)
        query = (
            f"SELECT {', '.join(names)} FROM {reader.relation}"
            f" ORDER BY {', '.join(dict.fromkeys(order))} OFFSET {done}"
        )
        for batch in session.stream(query, _doing(reader), BATCH_ROWS):
            self._progress.step(done + 1, total, f"rows of {source.name}")
            done += batch.num_rows
            marks = {mark: _text(state, done)}
            found = self._writer.load(source.name, _rows(source, batch), shapes, marks)
            tally.conflicts += len(found.refused)
            tally.refused += [why for _, why in found.refused][: _MOST_SHOWN - len(tally.refused)]

    def _columns(
        self, session: Session, reader: SourceReader, shape: Shape, one: Statement, state: str
    ) -> None:
        """Put the columns of a local group into its blocks, key by key."""
        mark = self._mark("columns", reader.source.name, (shape,))
        done = _done(self._store.get((mark,))[0], state)
        counted = f"SELECT count(*) FROM {reader.relation} WHERE {one.takes}"
        total = int(session.rows(counted, _doing(reader))[0][0])
        schema = self._layout.forms[shape].schema
        types = [part.type for part in shape.group.keys]
        query = one.query(reader.relation, done)
        for batch in session.stream(query, _doing(reader), COLUMN_ROWS):
            self._progress.step(done + 1, total, f"{shape.group.rows}, columns by key")
            done += batch.num_rows
            rows = pa.RecordBatch.from_arrays(
                [batch.column(field.name).cast(field.type) for field in schema], schema=schema
            )
            _judge(shape, rows)
            keys = [batch.column(f"@key{place}") for place in range(len(types))]
            runs = [
                (self._layout.head_key(shape, key), start, stop)
                for key, start, stop in _runs(keys, types, batch.num_rows)
            ]
            self._writer.load_columns(shape, rows, runs, {mark: _text(state, done)})

    def _mark(self, kind: str, source: str, shapes: Sequence[Shape]) -> bytes:
        return _MARK + digest(kind, source, *(self._layout.names[one].hex() for one in shapes))


def _doing(reader: SourceReader) -> str:
    return f"reading source {reader.source.name}"


def _judge(shape: Shape, rows: pa.RecordBatch) -> None:
    """Raise :class:`AstrafsError` where a value cannot enter an exact sum that it is of."""
    large = False
    for column in rows.columns:
        flat = column
        while pa.types.is_list(flat.type) or pa.types.is_fixed_size_list(flat.type):
            flat = flat.flatten()
        if pa.types.is_floating(flat.type):
            most = pc.max(pc.abs(flat)).as_py()
            large = large or (most is not None and most >= SUM_LIMIT)
    if large:
        names = [field.name for field in rows.schema if not field.name.startswith("@")]
        columns = [
            cells(rows.column(name), expr.type)
            for name, expr in zip(names, shape.exprs, strict=True)
        ]
        try:
            for row in zip(*columns, strict=True):
                shape.judge(row)
        except ValueFailure as failure:
            raise AstrafsError(ALL[failure.code].nowhere(failure.message)) from None


def _runs(
    keys: Sequence[pa.Array], types: Sequence[Type], rows: int
) -> Iterator[tuple[tuple[Any, ...], int, int]]:
    """Yield each key of rows that come by key, and from where to where its rows are."""
    changes = np.zeros(max(rows - 1, 0), dtype=bool)
    for column in keys:
        changes |= np.asarray(pc.not_equal(column.slice(1), column.slice(0, rows - 1)))
    starts = [0, *(int(at) + 1 for at in np.flatnonzero(changes))]
    firsts = [
        cells(column.take(pa.array(starts)), t) for column, t in zip(keys, types, strict=True)
    ]
    values = list(zip(*firsts, strict=True)) if firsts else [()]
    yield from zip(values, starts, [*starts[1:], rows], strict=True)


def _rows(source: ir.Source, batch: pa.RecordBatch) -> list[dict[str, object]]:
    columns = [
        cells(batch.column(place), column.type) for place, column in enumerate(source.columns)
    ]
    names = [column.name for column in source.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _text(state: str, rows: int) -> bytes:
    return json.dumps({"state": state, "rows": rows}).encode()


def _state(as_of: int, files: Sequence[InputFile]) -> str:
    """Return what must be as it was for a load to go on in the middle."""
    parts = [str(as_of)]
    parts += [f"{file.path} {file.size} {file.changed_ns}" for file in files]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _done(mark: bytes | None, state: str) -> int:
    """Return how many rows of a pass are in the store."""
    if mark is None:
        return 0
    found = json.loads(mark)
    return int(found["rows"]) if found["state"] == state else 0


def levels(layout: Layout, shapes: Sequence[Shape]) -> Iterator[list[Shape]]:
    """Yield groups so that what decides where rows go, values of other groups, comes before."""
    waiting = list(shapes)
    while waiting:
        missing = set(waiting)
        ready = [shape for shape in waiting if not missing & set(needs(layout, shape))]
        if not ready:  # not by any program that compiles: features do not depend on themselves
            raise AssertionError("groups that need one another")
        yield ready
        waiting = [shape for shape in waiting if shape not in ready]


def needs(layout: Layout, shape: Shape) -> Iterator[Shape]:
    """Yield the groups whose values are looked up for rows of ``shape``."""
    plan = layout.engine.plan
    streams = {stream.name: stream for stream in plan.streams}
    exprs = [*shape.group.keys, *((shape.group.where,) if shape.group.where else ())]
    for way in shape.ways:
        for step in way.steps:
            stream = streams[step.name]
            exprs += [one for one in (stream.where, stream.time) if one is not None]
            exprs += [column.expression for column in stream.columns]
    features = {feature.id: feature for feature in plan.features}
    seen: set[ir.FeatureId] = set()
    while exprs:
        for node in tree.walk(exprs.pop()):
            match node:
                case ir.EntityLookup(feature=named) | ir.FeatureRef(feature=named):
                    if named not in seen:
                        seen.add(named)
                        exprs.append(features[named].expression)
                case ir.Aggregate():
                    yield layout.engine.aggregate(node).shape
                case _:
                    pass
