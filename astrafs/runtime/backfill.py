"""A backfill: compute a view and hand it over as a table, or write it with its manifest."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from astrafs.diagnostics.codes import internal as usage
from astrafs.diagnostics.model import AstrafsError
from astrafs.plan import identity, ir
from astrafs.plan.program import Program
from astrafs.record import dataclass
from astrafs.runtime import atomic, output, paths, reuse
from astrafs.runtime.answer import Answer, Place, Reused, compute
from astrafs.runtime.aside import Aside
from astrafs.runtime.contracts import Quarantined
from astrafs.runtime.digest import TableDigest, digest_table
from astrafs.runtime.explained import explained
from astrafs.runtime.manifest import HashedInput, Manifest
from astrafs.runtime.paths import InputFile
from astrafs.runtime.recorded import Writer
from astrafs.runtime.request import Job, Request, check
from astrafs.values.times import iso

__all__ = ["Place", "Report", "Request", "to_file", "to_table"]


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
    reused: Reused | None = None
    plan: tuple[str, ...] = ()
    """How windows were evaluated, in lines of text."""


T = TypeVar("T")
_TRIES = 3


def answered(
    program: Program, place: Place, request: Request, take: Callable[[Job, Answer], T]
) -> T:
    """Run ``request`` and return what ``take`` makes of its answer, while the run is open.

    With kept columns it may be called again: where one of them turns out to be gone or damaged.
    """
    job = check(program.plan, request)
    with placed(program):
        for _ in range(_TRIES):
            if not reuse.applies(job.request):
                break
            with contextlib.suppress(reuse.LostError), reuse.compute(program, place, job) as found:
                return take(job, found)
        else:
            job = replace(job, request=replace(request, cache=False, partition_rows=None))
        with compute(program, place, job) as found:
            return take(job, found)


def to_table(
    program: Program, place: Place, request: Request
) -> tuple[pa.Table, tuple[Quarantined, ...]]:
    """Run ``request`` and return the whole result, and what was set aside."""

    def take(_: Job, answer: Answer) -> tuple[pa.Table, tuple[Quarantined, ...]]:
        table = pa.Table.from_batches(list(answer.batches), answer.schema)
        paths.check_unchanged(all_files(answer), place.root)
        return table, answer.quarantined

    return answered(program, place, request, take)


def to_file(
    program: Program, place: Place, request: Request, target: Path, format_: str | None = None
) -> Report:
    """Run ``request`` and write the result and its manifest, both or none; what stood there before
    is replaced.
    """
    chosen = output.format_of(target, format_)

    def take(job: Job, answer: Answer) -> Report:
        return _written(program.plan, job, place, answer, target, chosen)

    return answered(program, place, request, take)


def _written(
    plan: ir.Plan, job: Job, place: Place, answer: Answer, target: Path, chosen: str
) -> Report:
    """Write an answer and its manifest."""
    _refuse_input(target, answer)
    file = atomic.AtomicFile(target)
    beside: atomic.AtomicFile | None = None
    try:
        beside = atomic.AtomicFile(target.with_name(target.name + ".manifest.json"))
        hashed = hashed_inputs(answer.inputs, answer.hashes)
        digest, rows = TableDigest(answer.schema), 0
        with (
            atomic.refused(target),
            output.Writer(file.temporary, chosen, answer.schema) as writer,
            Aside(writer.write) as aside,
        ):
            for batch in answer.batches:
                aside.put(batch)
                digest.update(batch)
                rows += batch.num_rows
        paths.check_unchanged(all_files(answer), place.root)
        written = paths.inspect(file.temporary.resolve(), file.temporary.resolve().parent)
        recorded = Writer(plan)
        manifest = Manifest(
            view=recorded.view(job.view),
            outputs=tuple(one.name for one in job.view.outputs),
            features=recorded.features(job.view),
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
            features=manifest.outputs,
            output=target,
            manifest=beside.target,
            digest=manifest.digest,
            schema=answer.schema,
            quarantined=answer.quarantined,
            reused=answer.reused,
            plan=tuple(explained(answer)),
        )
    finally:
        file.discard()
        if beside is not None:
            beside.discard()


@contextlib.contextmanager
def placed(program: Program) -> Iterator[None]:
    """Give errors the texts of the program, which they point into."""
    try:
        yield
    except AstrafsError as error:
        error.files = error.files or program.files
        raise


def _refuse_input(target: Path, answer: Answer) -> None:
    """Raise where the result would replace a file that it was made from."""
    place = target.resolve()
    if any(file.path == place for file in all_files(answer)):
        raise AstrafsError(
            usage.CANNOT_WRITE.nowhere(f"`{target}` is an input of this run").help(
                "write the result to another file"
            )
        )


def all_files(answer: Answer) -> tuple[InputFile, ...]:
    """Return every file that a run reads."""
    own = (answer.given_file,) if answer.given_file is not None else ()
    return (*own, *(file for files in answer.inputs.values() for file in files))


def hashed_inputs(
    inputs: Mapping[str, tuple[InputFile, ...]], known: Mapping[Path, str] | None = None
) -> tuple[HashedInput, ...]:
    """Return the files that were read, by source, with their digests, some of them ``known``."""
    done = dict(known or {})
    found = {}
    for name, files in sorted(inputs.items()):
        source = identity.written_name(name)
        for file in files:
            if file.path not in done:
                done[file.path] = paths.sha256(file)
            found[source, file.path] = HashedInput(source, file, done[file.path])
    return tuple(found.values())


def _spine_facts(answer: Answer) -> dict[str, object] | None:
    if answer.given is None:
        return None
    facts: dict[str, object] = {"rows": answer.given.table.num_rows}
    if answer.given_file is not None:
        file = answer.given_file
        name = file.path.name if file.shown == str(file.path) else file.shown
        facts |= {"file": name, "bytes": file.size, "sha256": paths.sha256(file)}
    else:
        facts["digest"] = digest_table(answer.given.table)
    return facts


def _mode(job: Job) -> dict[str, object]:
    request = job.request
    facts: dict[str, object] = {}
    if request.spine is not None:
        facts |= {"kind": "spine", "time": request.time, "keys": dict(request.keys)}
        if request.time_zone:
            facts["time_zone"] = request.time_zone
    elif job.grid is not None:
        grid = job.grid
        facts |= {
            "kind": "grid",
            "from": iso(grid.start),
            "to": iso(grid.end),
            "every_us": grid.every,
        }
    else:
        facts |= {"kind": "known_keys"}
    if request.limit is not None:
        facts["limit"] = request.limit
    return facts
