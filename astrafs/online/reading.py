"""Rows of a source as they come, read and judged a batch at a time.

JSON is read row by row, so that a line that is no JSON is one refused row; typed rows (Parquet,
Arrow, CSV) go through :mod:`astrafs.online.typed`. Memory is bounded by a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.online.judging import Cells, Judge
from astrafs.online.values import json_text, parse_json, writer
from astrafs.plan import ir
from astrafs.record import dataclass

FORMATS = ("parquet", "arrow", "jsonl", "csv")
ENDINGS = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
}
MOST_LINE_BYTES = 1 << 20

_SHOWN_BYTES = 1_000


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that is not kept: its number in its file from 1, why, and what was given as JSON (an
    object by the names of the file; a string for a line that is none; empty where the caller has
    the rows).
    """

    number: int
    reason: Diagnostic
    given: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows read: their numbers in the file from 1, the rows as engine values, and those refused."""

    numbers: Sequence[int]
    rows: Sequence[Cells]
    refused: Sequence[Refused]

    @property
    def count(self) -> int:
        """How many rows were read."""
        return len(self.rows) + len(self.refused)


class Reader:
    """Reads JSON rows of ``source``; ``expects`` are its conditions as written."""

    def __init__(self, source: ir.Source, expects: Sequence[str]) -> None:
        self._judge = Judge(source, expects)
        self._columns = [
            (column.name, column.physical or column.name, writer(column.type))
            for column in source.columns
        ]

    def objects(self, rows: Sequence[Mapping[str, Any]]) -> Batch:
        """Return rows as JSON has them, in one batch."""
        numbers, kept, refused = [], [], []
        for number, row in enumerate(rows, 1):
            found = self._judge.judge(row, f"row {number:,}" if len(rows) > 1 else "the row")
            if isinstance(found, Diagnostic):
                refused.append(Refused(number, found))
            else:
                numbers.append(number)
                kept.append(found)
        return Batch(numbers, kept, refused)

    def text(self, row: Mapping[str, Any]) -> str:
        """Return a row of engine values as JSON by the names of the file."""
        return json_text({given: write(row[name]) for name, given, write in self._columns})

    def lines(self, stream: IO[bytes], batch_rows: int) -> Iterator[Batch]:
        """Yield the rows of JSON lines."""
        numbers: list[int] = []
        kept: list[Cells] = []
        refused: list[Refused] = []
        for number, line in _numbered_lines(stream):
            place = f"line {number:,}"
            try:
                row = parse_json(line, most_bytes=MOST_LINE_BYTES, what=place)
            except AstrafsError as error:
                (reason,) = error.diagnostics
                given = json_text(line[:_SHOWN_BYTES].decode("utf-8", "replace"))
                refused.append(Refused(number, reason, given))
            else:
                found = self._judge.judge(row, place)
                if isinstance(found, Diagnostic):
                    refused.append(Refused(number, found, line.decode()))
                else:
                    numbers.append(number)
                    kept.append(found)
            if len(kept) + len(refused) >= batch_rows:
                yield Batch(numbers, kept, refused)
                numbers, kept, refused = [], [], []
        if kept or refused:
            yield Batch(numbers, kept, refused)


def _numbered_lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that hold something, numbered from 1; of one that is too long the
    begin, which is too long as well.
    """
    number = 0
    while line := stream.readline(MOST_LINE_BYTES + 1):
        number += 1
        if len(line) > MOST_LINE_BYTES and not line.endswith(b"\n"):
            while (rest := stream.readline(MOST_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield number, line
            continue
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if stripped := line.strip():
            yield number, stripped
