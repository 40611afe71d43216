"""Rows of typed files, streams and tables (Parquet, Arrow, CSV), read and judged by the statement
that reads files in offline runs.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.ipc

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.online.given import cells
from astrafs.online.judging import broken_row
from astrafs.online.reading import Batch, Refused
from astrafs.online.values import json_text, shown
from astrafs.plan import ir
from astrafs.plan.program import SourceOrigin
from astrafs.runtime import paths
from astrafs.runtime.contracts import Rule
from astrafs.runtime.paths import InputFile
from astrafs.runtime.physical import GIVEN
from astrafs.runtime.session import Session
from astrafs.runtime.sources import SourceReader

_ALWAYS = 2**63 - 1
_FILE_MAGIC = b"ARROW1"


class Typed:
    """Reads rows of ``source``, declared at ``origin``; ``expects`` are its conditions as
    written.
    """

    def __init__(
        self, source: ir.Source, expects: Sequence[str], origin: SourceOrigin | None
    ) -> None:
        self.source = source
        self._expects = expects
        self._origin = origin
        self._names = [column.name for column in source.columns]

    def table(self, table: pa.Table, batch_rows: int) -> Iterator[Batch]:
        """Yield the rows of a table of Arrow."""
        reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches())
        yield from self._arrow(reader, "the rows", batch_rows)

    def arrow(self, stream: IO[bytes], name: str, batch_rows: int) -> Iterator[Batch]:
        """Yield the rows of Arrow data, in the form of a file or of a stream; ``name`` is for
        errors.
        """
        with contextlib.ExitStack() as stack:
            yield from self._arrow(_arrow_reader(stream, stack), name, batch_rows)

    def file(
        self, place: Path | IO[bytes], name: str, format_: str, batch_rows: int
    ) -> Iterator[Batch]:
        """Yield the rows of a Parquet or CSV file; ``name`` is for errors."""
        with contextlib.ExitStack() as stack:
            path = place if isinstance(place, Path) else _spooled(place, format_, stack)
            real = path.resolve()
            found = paths.inspect(real, real.parent)
            file = InputFile(real, name, found.size, found.changed_ns, found.inode)
            session = stack.enter_context(Session([real], keep_order=True))
            reader = self._opened(session, format_, file)
            reader.open()
            yield from self._batches(reader, batch_rows)

    def _arrow(self, given: pa.RecordBatchReader, name: str, rows: int) -> Iterator[Batch]:
        schema = self._schema(given.schema)
        broken: list[AstrafsError] = []
        with Session([], threads=1, keep_order=True) as session:
            reader = self._opened(session, "arrow", InputFile(Path(name), name, 0, 0, 0))
            session.register(GIVEN, schema.empty_table())
            reader.open()
            session.unregister(GIVEN)
            checked = _checked(given, schema, name, broken)
            session.register(GIVEN, pa.RecordBatchReader.from_batches(schema, checked))
            try:
                yield from self._batches(reader, rows)
            except AstrafsError as error:
                raise (broken[0] if broken else error) from None

    def _schema(self, given: pa.Schema) -> pa.Schema:
        """Return the columns that the engine is shown: others than the declared ones by name only,
        so that a missing one can be told with its neighbours.
        """
        wanted = {column.physical or column.name for column in self.source.columns}
        fields, names = [], set()
        for field in sorted(given, key=lambda field: field.name not in wanted):
            twice = given.names.count(field.name) > 1
            if not twice and field.name.casefold() not in names:  # the engine takes them for one
                kind = _plain(field.type) if field.name in wanted else pa.null()
                fields.append(pa.field(field.name, kind))
                names.add(field.name.casefold())
        return pa.schema(fields or [pa.field("", pa.null())])

    def _opened(self, session: Session, format_: str, file: InputFile) -> SourceReader:
        session.set_as_of(_ALWAYS)
        return SourceReader(
            session, self.source, format_, [file], None, self._expects, self._origin
        )

    def _batches(self, reader: SourceReader, rows: int) -> Iterator[Batch]:
        number = 0
        for batch in reader.judged(rows):
            yield self._batch(batch, number, reader.rules)
            number += batch.num_rows

    def _batch(self, batch: pa.RecordBatch, before: int, rules: Sequence[Rule]) -> Batch:
        columns = [
            cells(batch.column(place), column.type)
            for place, column in enumerate(self.source.columns)
        ]
        names = self._names
        rows = [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]
        bad = batch.column("@bad")
        if bad.null_count == batch.num_rows:
            return Batch(range(before + 1, before + 1 + len(rows)), rows, ())
        numbers, kept, refused = [], [], []
        broken = zip(rows, bad.to_pylist(), batch.column("@raw").to_pylist(), strict=True)
        for number, (row, place, texts) in enumerate(broken, before + 1):
            if place is None:
                numbers.append(number)
                kept.append(row)
            else:
                given = dict(zip(names, texts, strict=True))
                reason = self._refusal(rules[place], number, given)
                refused.append(Refused(number, reason, self._text(texts)))
        return Batch(numbers, kept, refused)

    def _text(self, texts: Sequence[str | None]) -> str:
        given = (column.physical or column.name for column in self.source.columns)
        return json_text(dict(zip(given, texts, strict=True)))

    def _refusal(self, rule: Rule, number: int, given: Mapping[str, str | None]) -> Diagnostic:
        names = dict.fromkeys((*self.source.key, *rule.columns))
        values = {name: "null" if given[name] is None else shown(given[name]) for name in names}
        found = broken_row(self.source.name, f"row {number:,}", rule.text, values)
        return found.help(rule.advice) if rule.advice else found


def _spooled(stream: IO[bytes], format_: str, stack: contextlib.ExitStack) -> Path:
    """Return a temporary file with the content of a stream, for formats that are read out of
    order.
    """
    file: IO[bytes] = tempfile.NamedTemporaryFile(suffix=f".{format_}")  # noqa: SIM115
    stack.enter_context(file)
    shutil.copyfileobj(stream, file, 1 << 20)
    file.flush()
    return Path(file.name)


def _arrow_reader(stream: IO[bytes], stack: contextlib.ExitStack) -> pa.RecordBatchReader:
    """Open Arrow data of either form, told by its first bytes."""
    buffered: Any = stream
    if not hasattr(stream, "peek"):
        buffered = io.BufferedReader(cast("io.RawIOBase", stream))
    if buffered.peek(len(_FILE_MAGIC)).startswith(_FILE_MAGIC):
        path = _spooled(buffered, "arrow", stack)
        file = pa.ipc.open_file(stack.enter_context(pa.OSFile(str(path))))
        batches = (file.get_batch(place) for place in range(file.num_record_batches))
        return pa.RecordBatchReader.from_batches(file.schema, batches)
    return pa.ipc.open_stream(buffered)


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type in which the engine reads columns of type ``kind``."""
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if pa.types.is_duration(kind):
        return pa.duration("us")
    if pa.types.is_float16(kind):
        return pa.float32()
    return pa.date32() if pa.types.is_date64(kind) else kind


def _checked(
    given: pa.RecordBatchReader, schema: pa.Schema, name: str, broken: list[AstrafsError]
) -> Iterator[pa.RecordBatch]:
    """Yield the columns of ``schema``, each batch checked in full first. What is wrong is put in
    ``broken`` too: the engine would lose it.
    """
    try:
        for batch in given:
            batch.validate(full=True)
            columns = [
                pa.nulls(batch.num_rows)
                if pa.types.is_null(field.type)
                else batch.column(field.name).cast(field.type)
                for field in schema
            ]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)
    except (pa.ArrowException, OSError, OverflowError) as error:
        found = codes.BAD_ARROW.nowhere(f"{name} is no valid Arrow data").note(str(error)[:200])
        broken.append(AstrafsError(found))
        raise
