"""The rows of a project's sources in the order in which they became known, kept on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from astrafs.backends.duckdb.names import ident
from astrafs.online.given import cells
from astrafs.plan import ir
from astrafs.plan.contracts import expects_written
from astrafs.plan.program import Program
from astrafs.record import dataclass
from astrafs.runtime.answer import Place, source_files
from astrafs.runtime.progress import Steps
from astrafs.runtime.session import Session
from astrafs.runtime.sources import SourceReader

Int64s = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The rows of one source, the first known first: columns in engine form, memory-mapped.

    ``known`` and ``events`` hold k and e of each row in microseconds; both are 0 in what has no
    time.
    """

    source: ir.Source
    table: pa.Table
    known: Int64s
    events: Int64s

    def rows(self, start: int, stop: int) -> list[dict[str, Any]]:
        """Return rows as engine values by column name."""
        part = self.table.slice(start, stop - start)
        types = {column.name: column.type for column in self.source.columns}
        columns = [cells(part.column(name), types[name]) for name in part.column_names]
        return [
            dict(zip(part.column_names, row, strict=True)) for row in zip(*columns, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class History:
    """What became known, per source, in the order in which sources take what is known at one
    moment: tables first, as a row may look up what is known at its own time.
    """

    arrivals: tuple[Arrivals, ...]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(len(one.known) for one in self.arrivals)

    @property
    def timed(self) -> tuple[Arrivals, ...]:
        """The sources and tables whose rows have a time, and that have rows."""
        return tuple(one for one in self.arrivals if one.source.time and len(one.known))


def read_history(
    program: Program,
    place: Place,
    sources: Sequence[str],
    as_of: int,
    folder: Path,
    steps: Steps,
) -> History:
    """Read the rows of ``sources`` that are known at ``as_of``, sorted, into files in ``folder``.
    Contracts are judged; raises :class:`AstrafsError`.
    """
    declared = {source.name: source for source in program.plan.sources}
    order = sorted(sources, key=lambda name: (not declared[name].table, name))
    files = {name: source_files(program, place, name) for name in order}
    paths = [file.path for _, listed in files.values() for file in listed]
    found = []
    with Session(paths) as session:
        session.set_as_of(as_of)
        for number, name in enumerate(order):
            steps.next(f"reading {name}")
            reader = SourceReader(
                session,
                declared[name],
                *files[name],
                None,
                expects_written(program, name),
                program.sources.get(name),
            )
            reader.load([column.name for column in declared[name].columns])
            path = folder / f"{number}.arrow"
            _sorted_file(session, reader.relation, declared[name], path)
            session.run(f"DROP TABLE {reader.relation}", "freeing memory")
            found.append(_mapped(declared[name], path))
    return History(tuple(found))


def _sorted_file(session: Session, relation: str, source: ir.Source, path: Path) -> None:
    """Write rows by (k, e, key), and then all columns, so that the order is one."""
    columns = [column.name for column in source.columns]
    rest = [name for name in columns if name not in source.key]
    order = ['"@k"', '"@e"', *(ident(name) for name in (*source.key, *rest))]
    listed = ", ".join([*(ident(name) for name in columns), '"@e"', '"@k"'])
    query = f"SELECT {listed} FROM {relation} ORDER BY {', '.join(order)}"
    doing = f"sorting {source.name}"
    schema = session.schema(query, doing)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in session.stream(query, doing):
            writer.write_batch(batch)


def _mapped(source: ir.Source, path: Path) -> Arrivals:
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    known, events = (table.column(name).to_numpy() for name in ("@k", "@e"))
    return Arrivals(source, table.drop_columns(["@e", "@k"]), known, events)


def slices(known: Int64s, start: int, until: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield the places of the rows from ``start`` that are known by ``until``, ``most`` at once."""
    stop = int(np.searchsorted(known, until, side="right"))
    while start < stop:
        end = min(stop, start + most)
        yield start, end
        start = end
