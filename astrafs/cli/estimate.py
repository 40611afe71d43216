"""How much there is to compute anew after a change, from what files say of themselves."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from astrafs.cli.project import Compiled
from astrafs.diagnostics.model import AstrafsError
from astrafs.plan import ir
from astrafs.plan.graph import references
from astrafs.plan.program import Program
from astrafs.plan.prune import prune
from astrafs.record import dataclass
from astrafs.registry.compare import Comparison
from astrafs.runtime.answer import Place, source_files

_SAMPLE = 64 << 10


@dataclass(frozen=True, slots=True)
class Read:
    """A source that is read again: its rows, exact for Parquet and guessed by the length of the
    first lines for text, and its bytes.
    """

    source: str
    rows: int
    size: int


@dataclass(frozen=True, slots=True)
class Written:
    """A dataset that is written again: how many of its columns change, and at most how many rows it
    has.
    """

    dataset: str
    columns: int
    of: int
    rows: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is to be read and written; sources without files here are left out."""

    reads: tuple[Read, ...] = ()
    writes: tuple[Written, ...] = ()


def estimate(compiled: Compiled, program: Program, found: Comparison) -> Estimate:
    """Return what computing anew takes, as far as files are there to say."""
    changed = frozenset(found.recompute.features)
    if not changed:
        return Estimate()
    plan, config = program.plan, compiled.config
    place = Place(config.root, config.roots, config.sources)
    reads = {}
    for source in prune(plan, features=changed).sources:
        size = _read(program, place, source.name)
        if size is not None:
            reads[source.name] = size
    writes = []
    for dataset in plan.datasets:
        if dataset.name not in found.recompute.datasets:
            continue
        view = next(one for one in plan.views if one.name == dataset.view)
        shown = [one.expression for one in view.outputs]
        shown += [label.expression for label in dataset.labels]
        columns = sum(not changed.isdisjoint(references(expr)) for expr in shown)
        sizes = [
            reads[name] if name in reads else _read(program, place, name)
            for name in _behind(plan, dataset.spine)
        ]
        rows = [size.rows for size in sizes if size is not None]
        if len(rows) == len(sizes):
            writes.append(Written(dataset.name, columns, len(shown), sum(rows)))
    return Estimate(tuple(reads.values()), tuple(writes))


def _behind(plan: ir.Plan, rows: str) -> tuple[str, ...]:
    """Return the sources that the rows of a stream or union come from."""
    for stream in plan.streams:
        if stream.name == rows:
            return _behind(plan, stream.base)
    for union in plan.unions:
        if union.name == rows:
            return tuple(name for member in union.members for name in _behind(plan, member))
    return (rows,)


def _read(program: Program, place: Place, source: str) -> Read | None:
    """Return the size of a source; None where its files are not there or cannot be read."""
    try:
        form, files = source_files(program, place, source)
        rows = sum(_rows(form, file.path, file.size) for file in files)
    except (AstrafsError, OSError, ValueError):
        return None
    return Read(source, rows, sum(file.size for file in files))


def _rows(form: str, path: Path, size: int) -> int:
    if form == "parquet":
        return int(pq.read_metadata(path).num_rows)
    with path.open("rb") as stream:
        head = stream.read(_SAMPLE)
    lines = head.count(b"\n")
    header = 1 if form == "csv" else 0
    return max(0, round(lines * size / max(1, len(head))) - header)
