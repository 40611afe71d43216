"""Computing a view: sources and spine into a locked session, the script's steps, the rows out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Literal

import pyarrow as pa

from astrafs.backends.duckdb.compile import NoKnownKeysError, compile_view
from astrafs.backends.duckdb.names import ident
from astrafs.backends.duckdb.script import Check, Script
from astrafs.config import SourceOverride
from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import AstrafsError, Label
from astrafs.plan import ir
from astrafs.plan.contracts import expects_written
from astrafs.plan.program import Program
from astrafs.record import dataclass
from astrafs.runtime import paths, result, spine, sweeps
from astrafs.runtime.blame import blame
from astrafs.runtime.contracts import Quarantine, Quarantined, Rule, slug
from astrafs.runtime.paths import InputFile
from astrafs.runtime.progress import Steps
from astrafs.runtime.request import Grid, Job, Request
from astrafs.runtime.session import Session
from astrafs.runtime.sources import SourceReader
from astrafs.runtime.spine import SpineColumn
from astrafs.runtime.spine_input import Spine, from_object, own_columns, read_spine
from astrafs.runtime.sweeps import Swept
from astrafs.source import Span
from astrafs.typesys import TIMESTAMP, Type
from astrafs.workspace import missing

Mode = Literal["spine", "known_keys", "grid"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a program's files are: the project's directory, the directories that may be read,
    overrides by source.
    """

    root: Path
    roots: tuple[Path, ...]
    overrides: Mapping[str, SourceOverride]


@dataclass(slots=True)
class Answer:
    """A result about to be read: ``batches`` can be consumed once, while the run is open."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    inputs: Mapping[str, tuple[InputFile, ...]]
    given: Spine | None
    given_file: InputFile | None
    quarantined: tuple[Quarantined, ...]
    hashes: Mapping[Path, str] = field(default_factory=dict)
    reused: Reused | None = None
    script: Script | None = None
    swept: Sequence[Swept] = ()


@dataclass(frozen=True, slots=True)
class Reused:
    """What came from earlier runs: whole columns of all, and rows of which nothing was missing."""

    columns: int
    of_columns: int
    rows: int
    of_rows: int


@contextlib.contextmanager
def compute(program: Program, place: Place, job: Job) -> Iterator[Answer]:
    """Open a session, compute the view, and hand out its rows; everything is closed and removed
    afterwards.
    """
    request = job.request
    asked = questions(job, place) if request.spine is not None else None
    mode: Mode = "spine" if asked else "known_keys" if job.grid is None else "grid"
    script = view_script(program.plan, job, mode)
    with loaded(program, place, script, job.as_of, request) as run:
        session, steps = run.session, run.steps
        steps.next("reading the spine")
        own: pa.Table | None = None
        if asked is not None:
            own = asked.load(session, job)
        elif job.grid is not None:
            _make_grid(session, job.grid)
        run.execute(script)
        steps.next("writing the result")
        query, columns = _result_query(job, script, mode)
        schema = result_schema(own, columns)
        expected = asked.spine.table.num_rows if asked is not None else None
        rows = result.in_order(result.chunks(session.stream(query, "reading the result")), expected)
        yield Answer(
            schema,
            result.zipped(rows, own, [type_ for _, type_ in columns], schema),
            run.inputs,
            asked.spine if asked is not None else None,
            asked.file if asked is not None else None,
            run.quarantined,
            script=script,
            swept=run.swept,
        )


@dataclass(frozen=True, slots=True)
class Questions:
    """A spine as asked for, its file where it is one, and its columns that the view reads."""

    spine: Spine
    file: InputFile | None
    bound: tuple[SpineColumn, ...]

    def load(self, session: Session, job: Job) -> pa.Table:
        """Make the relation ``spine``; return the spine's own columns for the result."""
        spine.load(session, self.spine, self.bound, job.entity, job.request.time_zone)
        return own_columns(self.spine, _typed(session, self.spine, self.bound))


def questions(job: Job, place: Place) -> Questions:
    """Read the spine of a job that has one, and bind its columns; raises :class:`AstrafsError`."""
    request = job.request
    given, file = _given(request, place.root)
    given = given if request.limit is None else given.head(request.limit)
    bound = spine.bind(given, job.entity, request.time, request.keys)
    _no_clash(given, job.view)
    return Questions(given, file, bound)


def result_schema(own: pa.Table | None, columns: Sequence[tuple[str, Type]]) -> pa.Schema:
    """Return the schema of a result: the spine's own columns, then ``columns``."""
    made = [pa.field(name, result.arrow_type(type_)) for name, type_ in columns]
    return pa.schema([*(own.schema if own is not None else ()), *made])


@dataclass(slots=True)
class Run:
    """A session, and what scripts in it need: ``inputs`` are all files that it may read."""

    program: Program
    session: Session
    steps: Steps
    formats: Mapping[str, str]
    inputs: Mapping[str, tuple[InputFile, ...]]
    quarantine: Quarantine | None
    readers: dict[str, SourceReader] = field(default_factory=dict)
    swept: list[Swept] = field(default_factory=list)

    def read(self, script: Script) -> None:
        """Read the sources of ``script``, once a session: other scripts may need less of them."""
        self.session.prepare(script.kernels)
        for name, needed in script.inputs.items():
            if name in self.readers:
                continue
            self.steps.next(f"reading {name}")
            self.readers[name] = SourceReader(
                self.session,
                next(one for one in self.program.plan.sources if one.name == name),
                self.formats[name],
                self.inputs[name],
                self.quarantine,
                expects_written(self.program, name),
                self.program.sources.get(name),
            )
            self.readers[name].load(needed)

    def execute(self, script: Script) -> list[str]:
        """Execute the steps of ``script``; return the relations that are left of them."""
        spans = feature_spans(self.program)
        return _run(self.session, script, self.readers, self.steps, spans, self.swept)

    @property
    def quarantined(self) -> tuple[Quarantined, ...]:
        """What has been set aside."""
        return tuple(self.quarantine.found) if self.quarantine is not None else ()


@contextlib.contextmanager
def opened(
    program: Program, place: Place, script: Script, as_of: int, request: Request
) -> Iterator[Run]:
    """Open a session that may read the sources of ``script``; all is removed afterwards."""
    found = {name: source_files(program, place, name) for name in script.inputs}
    files = [file.path for _, listed in found.values() for file in listed]
    quarantine = Quarantine(request.quarantine) if request.quarantine is not None else None
    steps = Steps(request.progress, len(script.inputs) + len(script.steps) + 2)
    with Session(files, memory_limit=request.memory_limit, threads=request.threads) as session:
        session.set_as_of(as_of)
        formats = {name: format_ for name, (format_, _) in found.items()}
        inputs = {name: listed for name, (_, listed) in found.items()}
        yield Run(program, session, steps, formats, inputs, quarantine)


@contextlib.contextmanager
def loaded(
    program: Program, place: Place, script: Script, as_of: int, request: Request
) -> Iterator[Run]:
    """Open a session and read the sources of ``script`` into it; all is removed afterwards."""
    with opened(program, place, script, as_of, request) as run:
        run.read(script)
        yield run


def view_script(plan: ir.Plan, job: Job, mode: Mode) -> Script:
    """Compile the view of ``job``; raises :class:`AstrafsError` where it needs a spine."""
    names = [one.name for one in job.view.outputs]
    try:
        return compile_view(
            plan, job.view.name, outputs=names, mode=mode, engine=job.request.engine
        )
    except NoKnownKeysError:
        kind = "request" if job.entity.request else "entity"
        raise AstrafsError(
            codes.BAD_REQUEST.nowhere(f"the view `{job.view.name}` needs a spine").note(
                f"no source that it reads holds keys of the {kind} `{job.entity.name}`"
            )
        ) from None


def _make_grid(session: Session, grid: Grid) -> None:
    times = f"CAST({grid.start} AS BIGINT) + range * {grid.every}"
    session.run(
        f'CREATE TEMP TABLE "grid_times" AS SELECT {times} AS "@t" FROM range({grid.count})',
        "making the grid of times",
    )


def _given(request: Request, root: Path) -> tuple[Spine, InputFile | None]:
    """Return the spine that was asked for, and its file where it is one."""
    match request.spine:
        case str() | Path():
            path = Path(request.spine)
            if not path.exists():
                raise AstrafsError(missing(path, f"there is no spine `{path}`"))
            file = paths.inspect(path.resolve(), root)
            return read_spine(path), file
        case _:
            return from_object(request.spine), None


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


def source_files(program: Program, place: Place, name: str) -> tuple[str, tuple[InputFile, ...]]:
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
    try:
        return format_, paths.resolve(name, patterns, place.root, place.roots)
    except AstrafsError as error:
        if override.patterns or not binding.span.path:  # a kept definition has no text
            raise
        label = Label(binding.span, "named here")
        raise AstrafsError(*(replace(one, primary=label) for one in error.diagnostics)) from None


def feature_spans(program: Program) -> dict[str, Span]:
    """Return where each feature was written, by the name that steps give it."""
    return {str(feature): origin.name for feature, origin in program.features.items()}


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
        column.own: pa.chunked_array(
            [result.from_engine(batch.column(place), column.type) for batch in batches],
            result.arrow_type(column.type),
        )
        for place, column in enumerate(bound)
    }


def _run(
    session: Session,
    script: Script,
    readers: Mapping[str, SourceReader],
    steps: Steps,
    spans: Mapping[str, Span],
    swept: list[Swept],
) -> list[str]:
    """Execute the script's steps; return what they leave. Rows that a check sets aside change what
    came before, so it starts again.
    """
    while (left := _steps(session, script, readers, steps, spans, swept)) is None:
        steps.expect(len(script.steps) + 1)
    return left


def _steps(
    session: Session,
    script: Script,
    readers: Mapping[str, SourceReader],
    steps: Steps,
    spans: Mapping[str, Span],
    swept: list[Swept],
) -> list[str] | None:
    """Execute the steps once; return the relations that are left, None where a check took rows out
    (all that the steps made is then gone).
    """
    made: list[str] = []
    for step in script.steps:
        doing = step.comment.split("\n", 1)[0]
        steps.next(doing)
        try:
            found = sweeps.execute(session, step, f"computing {doing}")
        except AstrafsError as error:
            raise blame(session, step, error, spans) from None
        made.append(step.name)
        if found is not None:
            swept.append(found)
        for check in script.checks:
            if check.after == step.name and _takes_out(session, check, readers):
                for name in made:
                    sweeps.forget(session, script, name)
                return None
        for name in (script.drops or {}).get(step.name, ()):
            sweeps.forget(session, script, name)
            made.remove(name)
    return made


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


def _result_query(job: Job, script: Script, mode: Mode) -> tuple[str, list[tuple[str, Type]]]:
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
                    f"the view `{job.view.name}` has an output or key `t`, as the time column"
                ).help("give the output another name with `as`, or use a spine")
            )
        own.append(("t", TIMESTAMP, ident("@t")))
        columns = [*((name, type_) for name, type_, _ in own), *outputs]
        listed = [*(column for _, _, column in own), *listed]
    limit = job.request.limit
    where = f' WHERE "@row" < {limit}' if mode != "spine" and limit is not None else ""
    query = f'SELECT "@row", {", ".join(listed)} FROM {ident(script.result)}{where} ORDER BY "@row"'
    return query, columns
