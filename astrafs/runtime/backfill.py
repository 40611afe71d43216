"""A backfill, top to bottom: sources and spine into a locked session, the script's steps, the rows out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.ipc

from astrafs.backends.duckdb.compile import NoKnownKeysError, compile_view
from astrafs.backends.duckdb.names import ident
from astrafs.backends.duckdb.script import Check, Script
from astrafs.config import SourceOverride
from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.kernels import KERNELS
from astrafs.plan import identity, ir
from astrafs.plan.program import Program
from astrafs.runtime import atomic, output, paths, result, spine
from astrafs.runtime.contracts import Quarantine, Quarantined, Rule, slug
from astrafs.runtime.digest import TableDigest, digest_table
from astrafs.runtime.manifest import HashedInput, Manifest
from astrafs.runtime.paths import InputFile
from astrafs.runtime.progress import Steps
from astrafs.runtime.request import Job, Request, check
from astrafs.runtime.session import Session
from astrafs.runtime.sources import SourceReader
from astrafs.runtime.spine import Spine, SpineColumn
from astrafs.runtime.times import iso
from astrafs.typesys import TIMESTAMP, Type


@dataclass(frozen=True, slots=True)
class Place:
    """Where a program's files are: the project's directory, the directories that may be read, overrides by source."""

    root: Path
    roots: tuple[Path, ...]
    overrides: Mapping[str, SourceOverride]


@dataclass(frozen=True, slots=True)
class Report:
    """What a backfill wrote."""

    rows: int
    features: tuple[str, ...]
    output: Path
    manifest: Path
    digest: str
    schema: pa.Schema
    quarantined: tuple[Quarantined, ...]


@dataclass(slots=True)
class Answer:
    """A result about to be read: ``batches`` can be consumed once, while the run is open."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    inputs: Mapping[str, tuple[InputFile, ...]]
    given: Spine | None
    given_file: InputFile | None
    quarantined: tuple[Quarantined, ...]


def to_table(program: Program, place: Place, request: Request) -> tuple[pa.Table, tuple[Quarantined, ...]]:
    """Run ``request`` and return the whole result, and what was set aside."""
    job = check(program.plan, request)
    with _answer(program, place, job) as answer:
        table = pa.Table.from_batches(list(answer.batches), answer.schema)
        paths.check_unchanged(_all_files(answer), place.root)
        return table, answer.quarantined


def to_file(
    program: Program, place: Place, request: Request, target: Path, format_: str | None = None
) -> Report:
    """Run ``request`` and write the result and its manifest, both or none; what stood there before is replaced."""
    job = check(program.plan, request)
    chosen = output.format_of(target, format_)
    file = atomic.AtomicFile(target)
    beside: atomic.AtomicFile | None = None
    try:
        beside = atomic.AtomicFile(target.with_name(target.name + ".manifest.json"))
        with _answer(program, place, job) as answer:
            hashed = _hashed(answer)
            digest, rows = TableDigest(answer.schema), 0
            with atomic.refused(target), output.Writer(file.temporary, chosen, answer.schema) as writer:
                for batch in answer.batches:
                    digest.update(batch)
                    writer.write(batch)
                    rows += batch.num_rows
            paths.check_unchanged(_all_files(answer), place.root)
            written = paths.inspect(file.temporary.resolve(), file.temporary.resolve().parent)
            manifest = Manifest(
                view=job.view.name,
                view_identity=identity.view_identity(program.plan, job.view.name),
                features=_identities(program.plan, job.view),
                mode=_mode(job),
                as_of=iso(job.as_of),
                inputs=hashed,
                spine=_spine_facts(answer),
                quarantined=answer.quarantined,
                schema=answer.schema,
                rows=rows,
                digest=digest.hexdigest(),
                file_name=target.name,
                file_format=chosen,
                file_bytes=written.size,
                file_sha256=paths.sha256(written),
            )
            with atomic.refused(beside.target):
                beside.temporary.write_text(manifest.text(), encoding="utf-8", newline="\n")
            atomic.publish([file, beside])
            return Report(
                rows=rows,
                features=tuple(one.name for one in job.view.outputs),
                output=target,
                manifest=beside.target,
                digest=manifest.digest,
                schema=answer.schema,
                quarantined=answer.quarantined,
            )
    finally:
        file.discard()
        if beside is not None:
            beside.discard()


@contextlib.contextmanager
def _answer(program: Program, place: Place, job: Job) -> Iterator[Answer]:
    """Open a session, compute the view, and hand out its rows; everything is closed and removed afterwards."""
    request = job.request
    given, given_file = _given(request)
    mode: Literal["spine", "known_keys", "grid"] = (
        "spine" if given is not None else "grid" if job.grid is not None else "known_keys"
    )
    bound: tuple[SpineColumn, ...] = ()
    if given is not None:
        if request.limit is not None:
            given = given.head(request.limit)
        bound = spine.bind(given, job.entity, request.time, request.keys)
        _no_clash(given, job.view)
    names = [one.name for one in job.view.outputs]
    try:
        script = compile_view(program.plan, job.view.name, outputs=names, mode=mode)
    except NoKnownKeysError:
        kind = "request" if job.entity.request else "entity"
        raise AstrafsError(
            codes.BAD_REQUEST.nowhere(f"the view `{job.view.name}` needs a spine").note(
                f"no source that it reads holds keys of the {kind} `{job.entity.name}`"
            )
        ) from None
    inputs = {name: _files(program, place, name) for name in script.inputs}
    files = [file.path for _, found in inputs.values() for file in found]
    quarantine = Quarantine(request.quarantine) if request.quarantine is not None else None
    steps = Steps(request.progress, len(script.inputs) + len(script.steps) + 2)
    with Session(files, memory_limit=request.memory_limit, threads=request.threads) as session:
        session.set_as_of(job.as_of)
        for kernel in script.kernels:
            row = KERNELS[kernel]
            session.add_function(kernel, row.run, row.params, row.result)
        readers = {}
        for name, needed in script.inputs.items():
            steps.next(f"reading {name}")
            format_, found = inputs[name]
            source = next(one for one in program.plan.sources if one.name == name)
            readers[name] = SourceReader(session, source, format_, found, quarantine)
            readers[name].load(needed)
        steps.next("reading the spine")
        own: pa.Table | None = None
        if given is not None:
            spine.load(session, given, bound, job.entity, request.time_zone)
            own = spine.own_columns(given, bound, _typed(session, given, bound))
        elif job.grid is not None:
            grid = job.grid
            session.run(
                f'CREATE TEMP TABLE "grid_times" AS SELECT CAST({grid.start} AS BIGINT) + range * {grid.every}'
                f' AS "@t" FROM range({grid.count})',
                "making the grid of times",
            )
        _run(session, script, readers, steps)
        steps.next("writing the result")
        query, types, schema = _result_query(job, script, own, mode)
        expected = given.table.num_rows if given is not None else None
        batches = session.stream(query, "reading the result")
        ordered = result.chunks(batches, session_schema(types))
        zipped = result.zipped(
            result.in_order(ordered, expected), own, types, schema
        )
        yield Answer(
            schema,
            zipped,
            {name: found for name, (_, found) in inputs.items()},
            given,
            given_file,
            tuple(quarantine.found) if quarantine is not None else (),
        )
