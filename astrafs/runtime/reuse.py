"""Computing only what earlier runs have not: columns are kept by what decides their values.

A column of a block of the spine's rows is decided by the meaning of its output (its identity), the
contents of the files that it reads and what is declared of them, the cutoff, this compiler and its
engine, and the keys and times of the block. All of these make its name in the store, so what is
found there is what a run would give. It is kept only after a run without errors, and contracts are
part of the name: what a full run would refuse is never passed over.

Missing columns are computed for the blocks that miss them, one script for all blocks that miss the
same ones, and put back in order. With parts, each part of the spine is finished and kept before the
next begins.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

import duckdb
import pyarrow as pa

from astrafs.backends.duckdb.names import ident
from astrafs.backends.duckdb.script import Script
from astrafs.cache.store import compiler
from astrafs.deep import deeply
from astrafs.plan import identity, ir
from astrafs.plan.graph import closure, dependencies
from astrafs.plan.program import Program
from astrafs.plan.prune import reachable
from astrafs.record import dataclass
from astrafs.runtime import answer, paths, result, sweeps
from astrafs.runtime.answer import (
    Answer,
    Place,
    Reused,
    Run,
    opened,
    questions,
    result_schema,
    view_script,
)
from astrafs.runtime.column_store import ColumnStore
from astrafs.runtime.digest import digest_table
from astrafs.runtime.request import Job, Request
from astrafs.values import zones

KEY_VERSION = 1
BLOCK = 65_536
"""Rows in a block, but for the last of a spine, and those of smaller parts."""

RESUMED_PART = 4 * BLOCK
"""Rows in the parts of a run that can be resumed, unless it says how many."""

_MOST_GROUPS = 3
"""More sets of missing columns than these are computed as one: each is a run of its own."""


class LostError(Exception):
    """A kept column was there and cannot be read now: the run has to begin again."""


def applies(request: Request) -> bool:
    """Whether a request is computed here: it has a spine, and asks for reuse or for parts."""
    wanted = request.cache or request.partition_rows is not None
    return wanted and request.spine is not None and request.quarantine is None


@contextlib.contextmanager
def compute(program: Program, place: Place, job: Job) -> Iterator[Answer]:
    """Like ``answer.compute`` for a spine, with kept columns; consuming the answer's batches may
    raise :class:`LostError`.
    """
    asked = questions(job, place)
    if not asked.spine.table.num_rows:  # nothing to keep, and the sources are to be judged
        with answer.compute(program, place, job) as whole:
            yield whole
        return
    script = view_script(program.plan, job, "spine")
    with opened(program, place, script, job.as_of, job.request) as run:
        store = ColumnStore(place.root) if job.request.cache else None
        hashes = input_hashes(run.inputs)
        keys = column_keys(program.plan, job, run, hashes) if store is not None else None
        run.steps.next("reading the spine")
        own = asked.load(run.session, job)
        bound = [column.name for column in asked.bound]
        work = begin(run, place, job, script, store, keys, bound, asked.spine.table.num_rows)
        columns = [(one.name, one.type) for one in job.view.outputs]
        schema = result_schema(own, columns)
        yield Answer(
            schema,
            _beside(own, result.chunks(work.rows()), schema),
            run.inputs,
            asked.spine,
            asked.file,
            (),
            hashes,
            work.reused(),
            script,
            run.swept,
        )
        if store is not None:
            store.sweep()


def begin(
    run: Run,
    place: Place,
    job: Job,
    script: Script,
    store: ColumnStore | None,
    keys: Sequence[str] | None,
    bound: Sequence[str],
    rows: int,
) -> Work:
    """Look up what is kept for the ``rows`` rows of the relation ``spine``, of which the columns
    ``bound`` decide the values; ``keys`` are :func:`column_keys` where there is a store.
    """
    named = list(keys) if keys is not None else [""] * len(job.view.outputs)
    work = Work(run, place, job, script, store, named)
    part = job.request.partition_rows
    work.blocks = tuple(_blocks(run, bound, rows, part, store is not None))
    work.missing = [work.missing_of(block) for block in work.blocks]
    return work


def _beside(
    own: pa.Table, batches: Iterator[pa.RecordBatch], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Yield each batch behind the same rows of the spine's own columns."""
    start = 0
    for batch in batches:
        mine = [result.one(column) for column in own.slice(start, batch.num_rows).columns]
        start += batch.num_rows
        yield pa.RecordBatch.from_arrays([*mine, *batch.columns], schema=schema)


def input_hashes(inputs: Mapping[str, Sequence[paths.InputFile]]) -> dict[Path, str]:
    """Return the SHA-256 of every file."""
    files = {file.path: file for found in inputs.values() for file in found}
    return {path: paths.sha256(file) for path, file in files.items()}


def column_keys(plan: ir.Plan, job: Job, run: Run, hashes: Mapping[Path, str]) -> list[str]:
    """Return, per output of the job's view, the name under which its columns are kept."""
    view = job.view
    small = reachable(replace(plan, views=(view,)), view.name)
    made = tuple(  # an output may be a lookup or a key: as a feature it has an identity
        ir.Feature(ir.FeatureId(view.entity, f"@{place}"), output.type, output.expression)
        for place, output in enumerate(view.outputs)
    )
    full = replace(small, features=(*small.features, *made))
    identities, graph = identity.feature_identities(full), dependencies(full)
    sources = {source.name: source for source in plan.sources}
    texts = {name: _source_key(sources[name], run, hashes) for name in run.inputs}
    fixed = [KEY_VERSION, compiler(), duckdb.__version__, pa.__version__, zones.version()]
    keys = []
    for feature in made:
        read = closure(graph, (feature.id,))
        inputs = sorted(texts[name] for name in read if isinstance(name, str) and name in texts)
        parts = [*fixed, job.as_of, identities[feature.id], inputs]
        keys.append(hashlib.sha256(json.dumps(parts).encode()).hexdigest())
    return keys


def _source_key(source: ir.Source, run: Run, hashes: Mapping[Path, str]) -> str:
    """Return what decides the rows of a source and whether they keep its contracts."""
    declared = deeply(lambda: repr(replace(source, name="")))  # a name decides nothing
    files = sorted([hashes[file.path], *file.path.suffixes] for file in run.inputs[source.name])
    text = json.dumps([declared, run.formats[source.name], files])
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Block:
    """Rows of the spine from ``start``, and the digest of their keys and times."""

    start: int
    rows: int
    key: str


def _blocks(
    run: Run, bound: Sequence[str], rows: int, part: int | None, hashed: bool
) -> Iterator[_Block]:
    """Cut the spine into blocks: of ``BLOCK`` rows, or of parts that are smaller."""
    size = BLOCK if part is None else min(BLOCK, part)
    if not hashed:
        yield from (_Block(at, min(size, rows - at), "") for at in range(0, rows, size))
        return
    listed = ", ".join(map(ident, bound))
    query = f'SELECT {listed} FROM "spine" ORDER BY "@row"'
    start = 0
    for batch in result.chunks(run.session.stream(query, "reading the spine"), size):
        named = batch.rename_columns([str(place) for place in range(batch.num_columns)])
        yield _Block(start, batch.num_rows, digest_table(pa.Table.from_batches([named]))[:40])
        start += batch.num_rows


Missing = frozenset[int]
"""Places of outputs."""


@dataclass(slots=True)
class _Group:
    """Blocks (by number, in order) that miss the same outputs."""

    missing: Missing
    blocks: list[int]

    def cells(self, blocks: Sequence[_Block]) -> int:
        """How many values are to be computed."""
        return len(self.missing) * sum(blocks[number].rows for number in self.blocks)


@dataclass(slots=True)
class Work:
    """One run over a loaded spine. ``missing`` says per block which outputs are to be computed."""

    run: Run
    place: Place
    job: Job
    script: Script
    store: ColumnStore | None
    keys: list[str]
    blocks: tuple[_Block, ...] = ()
    missing: list[Missing] = field(default_factory=list)

    def missing_of(self, block: _Block) -> Missing:
        """Return the outputs of ``block`` that are not kept."""
        store = self.store
        return frozenset(
            place
            for place, key in enumerate(self.keys)
            if store is None or not store.has(key, block.key)
        )

    def reused(self) -> Reused | None:
        """Say what is read from the store; None where nothing is."""
        anywhere = frozenset().union(*self.missing)
        total = sum(block.rows for block in self.blocks)
        whole = sum(
            block.rows
            for block, missing in zip(self.blocks, self.missing, strict=True)
            if not missing
        )
        columns = len(self.keys) - len(anywhere)
        if self.store is None or not (columns or whole):
            return None
        return Reused(columns, len(self.keys), whole, total)

    def rows(self) -> Iterator[pa.RecordBatch]:
        """Yield the outputs of every block, in order."""
        needed = frozenset().union(*self.missing)
        if needed:
            self.run.session.run('ALTER TABLE "spine" RENAME TO "spine:all"', "reading the spine")
            self.run.read(self._compiled(needed))
        size = max(1, len(self.blocks))
        if self.job.request.partition_rows is not None:
            size = max(1, self.job.request.partition_rows // BLOCK)
        for start in range(0, len(self.blocks), size):
            yield from self._part(range(start, min(start + size, len(self.blocks))))

    def _part(self, numbers: range) -> Iterator[pa.RecordBatch]:
        groups = self._groups(numbers)
        early: dict[tuple[int, int], pa.Array] = {}
        for group in groups[:-1]:
            for number, arrays in zip(group.blocks, self._computed(group), strict=True):
                early |= {(number, place): array for place, array in arrays.items()}
        last = groups[-1] if groups else _Group(frozenset(), [])
        streamed = self._computed(last) if last.blocks else iter(())
        waiting = set(last.blocks)
        for number in numbers:
            found = next(streamed) if number in waiting else {}
            yield self._batch(number, found, early)
        for _ in streamed:  # its end checks that no row is left over, and clears up
            pass

    def _batch(
        self,
        number: int,
        found: Mapping[int, pa.Array],
        early: dict[tuple[int, int], pa.Array],
    ) -> pa.RecordBatch:
        block, arrays = self.blocks[number], []
        for place, key in enumerate(self.keys):
            array = found.get(place)
            if array is None:
                array = early.pop((number, place), None)
            if array is None:
                assert self.store is not None
                kind = result.arrow_type(self.job.view.outputs[place].type)
                array = self.store.read(key, block.key, kind, block.rows)
            if array is None:
                raise LostError
            arrays.append(array)
        return pa.RecordBatch.from_arrays(arrays, [str(place) for place in range(len(arrays))])

    def _groups(self, numbers: range) -> list[_Group]:
        """Return what is to be computed, the most last: only that need not wait in memory."""
        found: dict[Missing, list[int]] = {}
        for number in numbers:
            if self.missing[number]:
                found.setdefault(self.missing[number], []).append(number)
        if len(found) > _MOST_GROUPS:
            found = {frozenset().union(*found): sorted(n for one in found.values() for n in one)}
        groups = [_Group(missing, blocks) for missing, blocks in found.items()]
        return sorted(groups, key=lambda group: group.cells(self.blocks))

    def _compiled(self, missing: Missing) -> Script:
        if len(missing) == len(self.keys):
            return self.script
        outputs = tuple(self.job.view.outputs[place] for place in sorted(missing))
        job = replace(self.job, view=replace(self.job.view, outputs=outputs))
        return view_script(self.run.program.plan, job, "spine")

    def _computed(self, group: _Group) -> Iterator[dict[int, pa.Array]]:
        """Compute a group; yield the arrays of each of its blocks by place, and keep them."""
        run, session = self.run, self.run.session
        script = self._compiled(group.missing)
        run.steps.expect(len(script.steps) + 1)
        session.run(f'CREATE TEMP TABLE "spine" AS {self._rows_of(group)}', "reading the spine")
        left = run.execute(script)
        files = tuple(file for found in run.inputs.values() for file in found)
        paths.check_unchanged(files, self.place.root)
        run.steps.next("writing the result")
        places = sorted(group.missing)
        types = [self.job.view.outputs[place].type for place in places]
        names = ", ".join(ident(self.job.view.outputs[place].name) for place in places)
        query = f'SELECT "@row", {names} FROM {ident(script.result)} ORDER BY "@row"'
        size = self.blocks[group.blocks[0]].rows
        expected = sum(self.blocks[number].rows for number in group.blocks)
        batches = result.chunks(session.stream(query, "reading the result"), size)
        numbers = iter(group.blocks)
        for batch in result.in_order(batches, expected):
            block = self.blocks[next(numbers)]
            arrays = {}
            for place, type_, column in zip(places, types, batch.columns, strict=True):
                arrays[place] = result.from_engine(column, type_)
                if self.store is not None:
                    self.store.write(self.keys[place], block.key, arrays[place])
            yield arrays
        for name in left:
            sweeps.forget(session, script, name)
        session.run('DROP TABLE "spine"', "freeing memory")

    def _rows_of(self, group: _Group) -> str:
        """Return SQL for the spine's rows in the blocks of ``group``, numbered from 0."""
        runs: list[tuple[int, int]] = []
        for number in group.blocks:
            block = self.blocks[number]
            if runs and runs[-1][1] == block.start:
                runs[-1] = (runs[-1][0], block.start + block.rows)
            else:
                runs.append((block.start, block.start + block.rows))
        selects, count = [], 0
        for start, stop in runs:
            selects.append(
                f'SELECT * REPLACE ("@row" - {start - count} AS "@row") FROM "spine:all" '
                f'WHERE "@row" >= {start} AND "@row" < {stop}'
            )
            count += stop - start
        return "\nUNION ALL\n".join(selects)
