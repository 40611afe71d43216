"""From rows as given to rows in the store: read, judged, written a batch at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.codes import run as run_codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.online.reading import Batch, Reader, Refused
from astrafs.online.writer import Ingested, Writer
from astrafs.plan import ir
from astrafs.plan.contracts import expects_written
from astrafs.plan.program import Program
from astrafs.record import dataclass

if TYPE_CHECKING:
    from astrafs.online.typed import Typed

BATCH_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one batch, on disk when it is reported: rows taken, rows that were there
    already, rows too old for any question, and rows refused.
    """

    taken: int
    repeated: int
    expired: int
    refused: Sequence[Refused]

    @property
    def rows(self) -> int:
        """How many rows were read."""
        return self.taken + self.repeated + self.expired + len(self.refused)


class Intake:
    """Puts rows of one source of a program into a store. Safe to share between threads."""

    def __init__(self, program: Program, source: ir.Source, writer: Writer) -> None:
        self.name = source.name
        self._source = source
        self._expects = expects_written(program, source.name)
        self._origin = program.sources.get(source.name)
        self._reader = Reader(source, self._expects)
        self._writer = writer

    def rows(self, rows: pa.Table | Sequence[Mapping[str, Any]]) -> Ingested:
        """Take rows as a table of Arrow or as JSON has them; refused ones by their place from 0.

        Raises :class:`AstrafsError` for data that is not valid Arrow or lacks a column; what was
        taken before is kept.
        """
        if isinstance(rows, pa.Table):
            steps = [self._written(one) for one in self._typed().table(rows, BATCH_ROWS)]
        else:
            steps = [self._written(self._reader.objects(rows))]
        return Ingested(
            sum(step.taken for step in steps),
            sum(step.repeated for step in steps),
            sum(step.expired for step in steps),
            tuple((one.number - 1, one.reason) for step in steps for one in step.refused),
        )

    def file(
        self, place: Path | IO[bytes], format_: str, batch_rows: int = BATCH_ROWS
    ) -> Iterator[Step]:
        """Take the rows of a file, or of a stream that can be read once; yield what became of each
        batch when it is on disk.

        Raises :class:`AstrafsError` where it cannot be read (any further), or does not hold the
        columns that are declared; what was taken before is kept.
        """
        name = place.name if isinstance(place, Path) else "standard input"
        try:
            with contextlib.ExitStack() as stack:
                for batch in self._batches(place, name, format_, batch_rows, stack):
                    yield self._written(batch)
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, pa.ArrowException) or error.errno is None:
                found = codes.BAD_ARROW.nowhere(f"{name} is no valid Arrow data")
                raise AstrafsError(found.note(str(error)[:200])) from None
            reason = (error.strerror or str(error)).lower()
            raise AstrafsError(
                run_codes.UNREADABLE_FILE.nowhere(f"`{name}` cannot be read: {reason}")
            ) from None

    def _batches(
        self,
        place: Path | IO[bytes],
        name: str,
        format_: str,
        batch_rows: int,
        stack: contextlib.ExitStack,
    ) -> Iterator[Batch]:
        if format_ in ("parquet", "csv"):
            return self._typed().file(place, name, format_, batch_rows)
        stream = stack.enter_context(place.open("rb")) if isinstance(place, Path) else place
        if format_ == "arrow":
            return self._typed().arrow(stream, name, batch_rows)
        return self._reader.lines(stream, batch_rows)

    def _typed(self) -> Typed:
        from astrafs.online.typed import Typed  # the offline engine: JSON rows do without it

        return Typed(self._source, self._expects, self._origin)

    def _written(self, batch: Batch) -> Step:
        if not batch.rows:
            return Step(0, 0, 0, batch.refused)
        found = self._writer.ingest(self.name, batch.rows)
        late = [
            Refused(
                batch.numbers[place],
                reason.note(f"row {batch.numbers[place]:,}"),
                self._reader.text(batch.rows[place]),
            )
            for place, reason in found.refused
        ]
        refused = sorted((*batch.refused, *late), key=lambda one: one.number)
        return Step(found.taken, found.repeated, found.expired, refused)
