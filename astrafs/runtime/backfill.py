"""A backfill, top to bottom: sources and spine into a locked session, the script's steps, the rows
out.
"""

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
from astrafs.diagnostics.model import AstrafsError
from astrafs.kernels.exact import EXACT_KERNELS
from astrafs.kernels.kernel import Kernel
from astrafs.kernels.scalar import KERNELS as SCALAR_KERNELS
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


_KERNELS: Mapping[str, Kernel] = {**EXACT_KERNELS, **SCALAR_KERNELS}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a program's files are: the project's directory, the directories that may be read,
    overrides by source.
    """

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


def to_table(
    program: Program, place: Place, request: Request
) -> tuple[pa.Table, tuple[Quarantined, ...]]:
    """Run ``request`` and return the whole result, and what was set aside."""
    job = check(program.plan, request)
    with _answer(program, place, job) as answer:
        table = pa.Table.from_batches(list(answer.batches), answer.schema)
        paths.check_unchanged(_all_files(answer), place.root)
        return table, answer.quarantined


def to_file(
    program: Program, place: Place, request: Request, target: Path, format_: str | None = None
) -> Report:
    """Run ``request`` and write the result and its manifest, both or none; what stood there before
    is replaced.
    """
    job = check(program.plan, request)
    chosen = output.format_of(target, format_)
    file = atomic.AtomicFile(target)
    beside: atomic.AtomicFile | None = None
    try:
        beside = atomic.AtomicFile(target.with_name(target.name + ".manifest.json"))
        with _answer(program, place, job) as answer:
            hashed = _hashed(answer)
            digest, rows = TableDigest(answer.schema), 0
            with (
                atomic.refused(target),
                output.Writer(file.temporary, chosen, answer.schema) as writer,
            ):
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
    """Open a session, compute the view, and hand out its rows; everything is closed and removed
    afterwards.
    """
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
            row = _KERNELS[kernel]
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
        query, columns = _result_query(job, script, mode)
        schema = pa.schema(
            [
                *(own.schema if own is not None else ()),
                *(pa.field(name, result.arrow_type(type_)) for name, type_ in columns),
            ]
        )
        expected = given.table.num_rows if given is not None else None
        batches = result.chunks(session.stream(query, "reading the result"))
        types = [type_ for _, type_ in columns]
        yield Answer(
            schema,
            result.zipped(result.in_order(batches, expected), own, types, schema),
            {name: found for name, (_, found) in inputs.items()},
            given,
            given_file,
            tuple(quarantine.found) if quarantine is not None else (),
        )


def _given(request: Request) -> tuple[Spine | None, InputFile | None]:
    """Return the spine that was asked for, and its file where it is one."""
    match request.spine:
        case None:
            return None, None
        case str() | Path():
            path = Path(request.spine)
            if not path.exists():
                raise AstrafsError(codes.UNREADABLE_FILE.nowhere(f"there is no spine `{path}`"))
            file = paths.inspect(path.resolve(), path.resolve().parent)
            return spine.read_spine(path), file
        case _:
            return spine.from_object(request.spine), None


def _no_clash(given: Spine, view: ir.View) -> None:
    own = set(given.table.column_names)
    clashes = [one.name for one in view.outputs if one.name in own]
    if clashes:
        listed = ", ".join(f"`{name}`" for name in clashes)
        raise AstrafsError(
            codes.NAME_CLASH.nowhere(
                f"the spine has columns that the view `{view.name}` makes: {listed}"
            ).help("rename them in the spine, or give the view's output another name with `as`")
        )


def _files(program: Program, place: Place, name: str) -> tuple[str, tuple[InputFile, ...]]:
    """Return the format and the files of source ``name``, overrides applied."""
    binding = program.bindings[name]
    override = place.overrides.get(name, SourceOverride())
    format_, patterns = override.format or binding.format, override.patterns or binding.patterns
    if not format_ or not patterns:
        raise AstrafsError(
            codes.NO_FILES_MATCH.nowhere(f"source `{name}` names no files").help(
                f'bind it in `astrafs.toml`: `[sources."{name}"]` with `format` and `paths`'
            )
        )
    return format_, paths.resolve(name, patterns, place.root, place.roots)


def _typed(
    session: Session, given: Spine, bound: Sequence[SpineColumn]
) -> dict[str, pa.ChunkedArray]:
    """Return the bound columns of a spine without types, as the view read them."""
    if not given.untyped:
        return {}
    listed = ", ".join(ident(column.name) for column in bound)
    query = f'SELECT {listed} FROM "spine" ORDER BY "@row"'
    batches = list(session.stream(query, "reading the spine"))
    return {
        column.name: pa.chunked_array(
            [result.from_engine(batch.column(place), column.type) for batch in batches],
            result.arrow_type(column.type),
        )
        for place, column in enumerate(bound)
    }


def _run(
    session: Session, script: Script, readers: Mapping[str, SourceReader], steps: Steps
) -> None:
    """Execute the script's steps. Rows that a check sets aside change what came before, so it
    starts again.
    """
    while not _steps(session, script, readers, steps):
        steps.expect(len(script.steps) + 1)


def _steps(
    session: Session, script: Script, readers: Mapping[str, SourceReader], steps: Steps
) -> bool:
    """Execute the steps once; return False where a check took rows out (all that the steps made is
    then gone).
    """
    made: list[str] = []
    for step in script.steps:
        doing = step.comment.split("\n", 1)[0]
        steps.next(doing)
        session.run(step.sql, f"computing {doing}")
        made.append(step.name)
        for found in script.checks:
            if found.after == step.name and _takes_out(session, found, readers):
                for name in made:
                    session.run(f"DROP TABLE {ident(name)}", "starting again")
                return False
        for name in (script.drops or {}).get(step.name, ()):
            session.run(f"DROP TABLE {ident(name)}", "freeing memory")
            made.remove(name)
    return True


def _takes_out(session: Session, found: Check, readers: Mapping[str, SourceReader]) -> bool:
    """Judge the rows that ``found`` lists; return whether any were set aside."""
    offenders = ident("@offenders")
    session.run(f"CREATE TEMP TABLE {offenders} AS {found.sql}", f"checking that {found.rule}")
    any_found = bool(
        session.rows(f"SELECT 1 FROM {offenders} LIMIT 1", f"checking that {found.rule}")
    )
    if any_found:
        readers[found.source].expel(Rule(slug(found.rule)[:60], found.rule, ()), offenders)
    session.run(f"DROP TABLE {offenders}", f"checking that {found.rule}")
    return any_found


def _result_query(job: Job, script: Script, mode: str) -> tuple[str, list[tuple[str, Type]]]:
    """Return the query for the result's rows in order (``"@row"`` first), and the name and type of
    each column.
    """
    outputs = [(one.name, one.type) for one in job.view.outputs]
    listed = [ident(name) for name, _ in outputs]
    columns = outputs
    if mode != "spine":
        keys = [(field.name, field.type) for field in job.entity.keys]
        taken = {name for name, _ in outputs}
        # An output that repeats a key stands for it; a `t` among the outputs is the view's own
        # business.
        own = [
            (name, type_, ident(f"@key{place}"))
            for place, (name, type_) in enumerate(keys)
            if name not in taken
        ]
        if "t" in taken or any(name == "t" for name, _ in keys):
            raise AstrafsError(
                codes.NAME_CLASH.nowhere(
                    f"the view `{job.view.name}` has an output or key `t`, the name of the time column"
                ).help("give the output another name with `as`, or use a spine")
            )
        own.append(("t", TIMESTAMP, ident("@t")))
        columns = [*((name, type_) for name, type_, _ in own), *outputs]
        listed = [*(column for _, _, column in own), *listed]
    limit = job.request.limit
    where = f' WHERE "@row" < {limit}' if mode != "spine" and limit is not None else ""
    query = f'SELECT "@row", {", ".join(listed)} FROM {ident(script.result)}{where} ORDER BY "@row"'
    return query, columns


def _all_files(answer: Answer) -> tuple[InputFile, ...]:
    own = (answer.given_file,) if answer.given_file is not None else ()
    return (*own, *(file for files in answer.inputs.values() for file in files))


def _hashed(answer: Answer) -> tuple[HashedInput, ...]:
    done: dict[Path, str] = {}
    found = []
    for name, files in sorted(answer.inputs.items()):
        for file in files:
            if file.path not in done:
                done[file.path] = paths.sha256(file)
            found.append(HashedInput(name, file, done[file.path]))
    return tuple(found)


def _spine_facts(answer: Answer) -> dict[str, object] | None:
    if answer.given is None:
        return None
    facts: dict[str, object] = {"rows": answer.given.table.num_rows}
    if answer.given_file is not None:
        file = answer.given_file
        facts |= {"file": file.path.name, "bytes": file.size, "sha256": paths.sha256(file)}
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


def _identities(plan: ir.Plan, view: ir.View) -> dict[str, str]:
    """Return the identity of the feature behind each output; key columns have none."""
    known = identity.feature_identities(plan)
    return {
        one.name: known[one.expression.feature]
        for one in view.outputs
        if isinstance(one.expression, ir.FeatureRef | ir.EntityLookup)
    }
