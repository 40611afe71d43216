"""Computing a dataset: one table or file per split, and what is said of its labels."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from astrafs.backends.duckdb.datasets import TEST, compile_dataset, immature
from astrafs.backends.duckdb.names import ident
from astrafs.diagnostics.codes import internal as usage
from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.diagnostics.suggest import closest
from astrafs.plan import identity, ir
from astrafs.plan.program import Program
from astrafs.record import dataclass
from astrafs.runtime import atomic, output, paths, result
from astrafs.runtime.answer import Place, Reused, Run, loaded
from astrafs.runtime.backfill import hashed_inputs, placed
from astrafs.runtime.contracts import Quarantined
from astrafs.runtime.dataset_parts import Parts, compute
from astrafs.runtime.digest import TableDigest
from astrafs.runtime.manifest import DatasetManifest, WrittenSplit
from astrafs.runtime.recorded import Writer
from astrafs.runtime.request import Request, check_as_of, check_parts, find_dataset
from astrafs.runtime.reuse import LostError
from astrafs.typesys import Type
from astrafs.values.times import iso

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class SplitFacts:
    """One split: its rows, and per label how many of them have it undecided (null)."""

    name: str
    rows: int
    immature: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """What a backfill of a dataset wrote; ``gap`` counts the rows between training and testing."""

    dataset: str
    splits: tuple[SplitFacts, ...]
    gap: int
    outputs: tuple[Path, ...]
    manifest: Path
    digests: tuple[str, ...]
    quarantined: tuple[Quarantined, ...]
    reused: Reused | None = None


@dataclass(slots=True)
class _Answer:
    """A dataset that has been computed, while the run is open."""

    dataset: ir.Dataset
    run: Run
    columns: list[tuple[str, Type]]
    splits: tuple[SplitFacts, ...]
    gap: int
    result: _Whole | Parts

    @property
    def schema(self) -> pa.Schema:
        """The columns of every split."""
        return pa.schema([pa.field(name, result.arrow_type(type_)) for name, type_ in self.columns])

    @property
    def reused(self) -> Reused | None:
        """What came from earlier runs."""
        return self.result.reused if isinstance(self.result, Parts) else None

    def batches(self, split: SplitFacts) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a split in order; to be asked split by split, each once."""
        if isinstance(self.result, Parts):
            yield from result.chunks(self.result.take(split.rows, self.schema))
        else:
            yield from self.result.batches(split, self.schema)


@dataclass(frozen=True, slots=True)
class _Whole:
    """The relation that holds a dataset computed at once."""

    run: Run
    relation: str
    columns: list[tuple[str, Type]]
    splits: tuple[SplitFacts, ...]

    def batches(self, split: SplitFacts, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a split in order."""
        listed = "".join(f", {ident(name)}" for name, _ in self.columns)
        first = self.splits[0].rows if split.name == "test" else 0
        where = "" if split.name == "all" else f" WHERE {ident(TEST)} = {split.name == 'test'}"
        query = (
            f'SELECT "@row" - {first} AS "@row"{listed} FROM {self.relation}{where} ORDER BY "@row"'
        )
        rows = result.chunks(self.run.session.stream(query, "reading the result"))
        types = [type_ for _, type_ in self.columns]
        yield from result.zipped(result.in_order(rows, split.rows), None, types, schema)


def to_tables(
    program: Program, place: Place, request: Request
) -> tuple[dict[str, pa.Table], tuple[SplitFacts, ...], int]:
    """Compute a dataset: the table of each split (``train`` and ``test``, or ``all``), what is
    undecided in them, and how many rows lie in the gap.
    """

    def take(answer: _Answer) -> tuple[dict[str, pa.Table], tuple[SplitFacts, ...], int]:
        tables = {
            split.name: pa.Table.from_batches(list(answer.batches(split)), answer.schema)
            for split in answer.splits
        }
        _unchanged(answer, place)
        return tables, answer.splits, answer.gap

    return _answered(program, place, request, take)


def to_files(
    program: Program, place: Place, request: Request, target: Path, format_: str | None = None
) -> DatasetReport:
    """Compute a dataset and write one file per split and a manifest into the directory ``target``;
    all or none. The directory is made where it is missing.
    """
    chosen = output.format_of(target, format_ or "parquet")
    return _answered(
        program,
        place,
        request,
        lambda answer: _written(program.plan, place, request, answer, target, chosen),
    )


def _written(
    plan: ir.Plan, place: Place, request: Request, answer: _Answer, target: Path, chosen: str
) -> DatasetReport:
    """Write the splits of an answer and its manifest."""
    targets = [target / f"{split.name}.{chosen}" for split in answer.splits]
    _refuse_inputs(targets, answer)
    made = not target.exists()
    with atomic.refused(target):
        target.mkdir(exist_ok=True)
    files: list[atomic.AtomicFile] = []
    try:
        written = []
        for split, path in zip(answer.splits, targets, strict=True):
            files.append(atomic.AtomicFile(path))
            written.append(_write(answer, split, files[-1], chosen))
        _unchanged(answer, place)
        manifest = _manifest(plan, answer, request, written)
        files.append(atomic.AtomicFile(target / MANIFEST))
        with atomic.refused(files[-1].target):
            text = manifest.text()
            files[-1].temporary.write_text(text, encoding="utf-8", newline="\n")
        atomic.publish(files)
        made = False
    finally:
        for file in files:
            file.discard()
        if made:
            with contextlib.suppress(OSError):
                target.rmdir()
    return DatasetReport(
        answer.dataset.name,
        answer.splits,
        answer.gap,
        tuple(targets),
        target / MANIFEST,
        tuple(one.digest for one in written),
        answer.run.quarantined,
        answer.reused,
    )


T = TypeVar("T")
_TRIES = 3


def _answered(program: Program, place: Place, request: Request, take: Callable[[_Answer], T]) -> T:
    """Run ``request`` and return what ``take`` makes of its answer, while the run is open; again
    where a kept column turns out to be gone or damaged.
    """
    check_parts(request, spine=True)
    wanted = (request.cache or request.partition_rows is not None) and request.quarantine is None
    with placed(program):
        for _ in range(_TRIES if wanted else 0):
            with contextlib.suppress(LostError), _reused(program, place, request) as found:
                if found is None:  # nothing to keep, and the sources are to be judged
                    break
                return take(found)
        with _computed(program, place, request) as answer:
            return take(answer)


@contextlib.contextmanager
def _reused(program: Program, place: Place, request: Request) -> Iterator[_Answer | None]:
    """Like :func:`_computed`, with kept columns; None for a dataset without rows."""
    plan = program.plan
    dataset = _dataset(plan, request.view)
    as_of = check_as_of(request)
    with compute(program, place, request, dataset, as_of) as parts:
        if parts is None:
            yield None
            return
        splits = _splits(parts.run, dataset, parts.relation)
        _check_mature(parts.run, dataset, parts.relation, splits, as_of)
        columns = _columns(plan, dataset)
        yield _Answer(dataset, parts.run, columns, splits, parts.gap, parts)


@contextlib.contextmanager
def _computed(program: Program, place: Place, request: Request) -> Iterator[_Answer]:
    plan = program.plan
    dataset = _dataset(plan, request.view)
    as_of = check_as_of(request)
    compiled = compile_dataset(plan, dataset.name, request.engine)
    with loaded(program, place, compiled.script, as_of, request) as run:
        run.execute(compiled.script)
        run.steps.next("writing the result")
        relation = ident(compiled.script.result)
        splits = _splits(run, dataset, relation)
        _check_mature(run, dataset, relation, splits, as_of)
        gap = int(run.session.rows(f"SELECT n FROM {compiled.gap}", "counting rows")[0][0])
        columns = _columns(plan, dataset)
        yield _Answer(dataset, run, columns, splits, gap, _Whole(run, relation, columns, splits))


def _dataset(plan: ir.Plan, name: str) -> ir.Dataset:
    """Return the dataset called ``name``; raises :class:`AstrafsError` where there is none."""
    found = find_dataset(plan, name)
    if found is None:
        raise AstrafsError(_unknown(plan, name))
    return found


def _unknown(plan: ir.Plan, name: str) -> Diagnostic:
    names = [one.name for one in plan.datasets]
    found = usage.UNKNOWN_VIEW.nowhere(f"the project has no dataset `{name}`")
    near = closest(name, names) or closest(name, [one.rsplit(".", 1)[-1] for one in names])
    if near:
        return found.help(f"did you mean `{near}`?")
    if names:
        return found.note("its datasets are " + ", ".join(f"`{one}`" for one in names[:12]))
    return found


def _columns(plan: ir.Plan, dataset: ir.Dataset) -> list[tuple[str, Type]]:
    view = next(one for one in plan.views if one.name == dataset.view)
    found = [(one.name, one.type) for one in dataset.columns]
    found += [(one.name, one.type) for one in view.outputs]
    return [*found, *((one.name, one.type) for one in dataset.labels)]


def _splits(run: Run, dataset: ir.Dataset, relation: str) -> tuple[SplitFacts, ...]:
    counts = "".join(
        f", count(*) FILTER (WHERE {ident(immature(place))})"
        for place in range(len(dataset.labels))
    )
    query = f"SELECT {ident(TEST)}, count(*){counts} FROM {relation} GROUP BY 1"
    found = {bool(test): rest for test, *rest in run.session.rows(query, "counting rows")}
    names = ("all",) if dataset.test_from is None else ("train", "test")
    splits = []
    for place, name in enumerate(names):
        rows, *waiting = found.get(place == 1, [0] * (1 + len(dataset.labels)))
        labels = zip((label.name for label in dataset.labels), waiting, strict=True)
        splits.append(SplitFacts(name, rows, tuple(labels)))
    return tuple(splits)


def _check_mature(
    run: Run, dataset: ir.Dataset, relation: str, splits: Sequence[SplitFacts], as_of: int
) -> None:
    """Raise where no label of any row is decided: nothing could be learnt from the result."""
    rows = sum(split.rows for split in splits)
    waiting = sum(count for split in splits for _, count in split.immature)
    if not rows or not dataset.labels or waiting < rows * len(dataset.labels):
        return
    first = run.session.rows(f'SELECT min("@t") FROM {relation}', "counting rows")[0][0]
    found = codes.NO_MATURE_LABEL.nowhere(
        f"no label of `{dataset.name}` is decided at {iso(as_of)}"
    )
    for label in dataset.labels:
        waits = [f"the first at {iso(first + label.horizon)}"] if label.horizon else []
        waits += [f"each at its row's `{name}`" for name in label.known]
        found = found.note(f"label `{label.name}`: {' and '.join(waits) or 'none'}")
    if dataset.test_from is not None:
        found = found.note(
            "labels of training rows must be decided when the test begins, at "
            f"{iso(dataset.test_from)}"
        )
    raise AstrafsError(found.help("name a later `--as-of`, from which on there are labels"))


def _refuse_inputs(targets: Sequence[Path], answer: _Answer) -> None:
    inputs = {file.path for files in answer.run.inputs.values() for file in files}
    for target in targets:
        if target.resolve() in inputs:
            raise AstrafsError(
                usage.CANNOT_WRITE.nowhere(f"`{target}` is an input of this run").help(
                    "write the result to another directory"
                )
            )


def _unchanged(answer: _Answer, place: Place) -> None:
    files = tuple(file for found in answer.run.inputs.values() for file in found)
    paths.check_unchanged(files, place.root)


def _write(answer: _Answer, split: SplitFacts, file: atomic.AtomicFile, form: str) -> WrittenSplit:
    digest = TableDigest(answer.schema)
    with (
        atomic.refused(file.target),
        output.Writer(file.temporary, form, answer.schema) as writer,
    ):
        for batch in answer.batches(split):
            digest.update(batch)
            writer.write(batch)
    written = paths.inspect(file.temporary.resolve(), file.temporary.resolve().parent)
    return WrittenSplit(
        split.name,
        split.rows,
        dict(split.immature),
        digest.hexdigest(),
        file.target.name,
        form,
        written.size,
        paths.sha256(written),
    )


def _manifest(
    plan: ir.Plan, answer: _Answer, request: Request, written: Sequence[WrittenSplit]
) -> DatasetManifest:
    dataset = answer.dataset
    view = next(one for one in plan.views if one.name == dataset.view)
    recorded = Writer(plan)
    return DatasetManifest(
        dataset=dataset,
        dataset_identity=identity.dataset_identities(plan)[dataset.name],
        view=recorded.view(view),
        labels=recorded.shown(dataset.labels),
        features=recorded.features(view),
        as_of=iso(check_as_of(request)),
        inputs=hashed_inputs(answer.run.inputs),
        quarantined=answer.run.quarantined,
        schema=answer.schema,
        gap=answer.gap,
        splits=tuple(written),
    )
