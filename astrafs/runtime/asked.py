"""Questions to a view in a file: one row each, keys or request fields by name, ``t`` if it has
one.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pyarrow as pa

from astrafs.backends.duckdb.names import ident
from astrafs.diagnostics.codes import internal as usage
from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.plan import ir
from astrafs.runtime import spine
from astrafs.runtime.result import arrow_type, from_engine, one
from astrafs.runtime.session import Session
from astrafs.runtime.spine_input import Spine, own_columns, read_spine
from astrafs.typesys import TIMESTAMP
from astrafs.workspace import missing

MOST_BYTES = 1 << 30
_TIME = "t"
_STARTS = ((b"PAR1", ".parquet"), (b"ARROW1", ".arrow"), (b"\xff\xff\xff\xff", ".arrow"))


def read_questions(path: Path, entity: ir.Entity) -> pa.Table:
    """Return the rows of a Parquet, CSV, JSON-lines or Arrow file (``-``: of standard input), with
    the keys of ``entity`` and a column ``t``, where there is one, in the types that serving takes.

    Raises :class:`AstrafsError`.
    """
    if str(path) == "-":
        with tempfile.TemporaryDirectory(prefix="astrafs-") as folder:
            return _typed(read_spine(_standard_input(Path(folder))), entity)
    if not path.is_file():
        if path.is_dir():
            title = f"--keys: `{path}` is a directory"
            raise AstrafsError(usage.MISSING_FILE.nowhere(title).help("name a file"))
        raise AstrafsError(missing(path, f"--keys: there is no file `{path}`"))
    return _typed(read_spine(path), entity)


def _standard_input(folder: Path) -> Path:
    """Put standard input into a file whose name tells its format."""
    data = sys.stdin.buffer.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        title = f"standard input has more than {MOST_BYTES:,} bytes"
        raise AstrafsError(codes.SPINE_FORMAT.nowhere(title).help("ask in parts, or from a file"))
    ending = next((ending for start, ending in _STARTS if data.startswith(start)), "")
    if not ending:
        ending = ".jsonl" if data.lstrip().startswith(b"{") else ".csv"
    path = folder / f"keys{ending}"
    path.write_bytes(data)
    return path


def _typed(given: Spine, entity: ir.Entity) -> pa.Table:
    names = given.table.column_names
    keys = [part for part in entity.keys if part.name in names]
    bound = [spine.SpineColumn(part.name, part.name, part.type) for part in keys]
    if _TIME in names and all(part.name != _TIME for part in entity.keys):
        bound.append(spine.SpineColumn("@t", _TIME, TIMESTAMP))
    if not bound:
        return given.table
    with Session([], threads=1) as session:
        spine.load(session, given, bound, entity)
        listed = ", ".join(ident(column.name) for column in bound)
        query = f'SELECT {listed} FROM "spine" ORDER BY "@row"'
        schema = session.schema(query, "reading the questions")
        read = pa.Table.from_batches(session.stream(query, "reading the questions"), schema)
    typed = {
        column.own: pa.chunked_array(
            [from_engine(one(read.column(place)), column.type)], arrow_type(column.type)
        )
        for place, column in enumerate(bound)
    }
    table = own_columns(given, typed)
    for name, values in typed.items():
        table = table.set_column(table.column_names.index(name), name, values)
    return table
