"""What the files of a source hold: columns and types per group of like files, and the SQL that
scans a group.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from astrafs.backends.duckdb.names import ident, text
from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.record import dataclass
from astrafs.runtime.conversions import JSON, TEXT
from astrafs.runtime.nested import map_types
from astrafs.runtime.session import Session

FORMATS = ("parquet", "csv", "jsonl")
FILE = "@file"
"""The scanned column that holds the path of each row's file."""
GIVEN = "rows:given"
"""The relation of a session that holds the rows of the format ``arrow``."""
_LINE_LIMIT = 1 << 20
_CSV_OPTIONS = (
    "auto_detect = false",
    "header = true",
    "delim = ','",
    "quote = '\"'",
    "escape = '\"'",
    "nullstr = ''",
    "allow_quoted_nulls = false",
    "strict_mode = true",
    "null_padding = false",
)
_JSON_OPTIONS = ("auto_detect = false", "format = 'newline_delimited'", "records = true")


@dataclass(frozen=True, slots=True)
class Group:
    """Files of one format with the same columns: (name, physical type), in their order."""

    format: str
    files: tuple[Path, ...]
    columns: tuple[tuple[str, str], ...]

    def physical(self, name: str) -> str | None:
        """Return the physical type of the column called exactly ``name``, None where there is none.

        A JSON object may lack any field: an absent one is null.
        """
        if self.format == "jsonl":
            return JSON
        return dict(self.columns).get(name)

    def scan(self, wanted: Sequence[str]) -> str:
        """Return a table expression with the columns ``wanted`` under their own names, and
        ``"@file"``.
        """
        listed = [ident(name) for name in wanted]
        options: tuple[str, ...] = ()
        if self.format == "arrow":
            file = f"CAST(NULL AS VARCHAR) AS {ident(FILE)}"
            return f"(SELECT {', '.join((*listed, file))} FROM {ident(GIVEN)})"
        match self.format:
            case "parquet":
                reader = "read_parquet"
            case "csv":
                # Columns are named by position: to the engine, two names that differ only in case
                # would be one.
                names = [name for name, _ in self.columns]
                struct = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(names)))
                reader, options = "read_csv", (f"columns = {{{struct}}}", *_CSV_OPTIONS)
                listed = [f"c{names.index(name)} AS {ident(name)}" for name in wanted]
            case _:
                struct = ", ".join(f"{text(name)}: 'JSON'" for name in wanted)
                reader, options = "read_json", (f"columns = {{{struct}}}", *_JSON_OPTIONS)
        files = "[" + ", ".join(text(str(path)) for path in self.files) + "]"
        common = ("hive_partitioning = false", f"filename = {text(FILE)}")
        arguments = ", ".join((files, *options, *common))
        return f"(SELECT {', '.join((*listed, ident(FILE)))} FROM {reader}({arguments}))"


def describe(
    session: Session,
    format_: str,
    files: Sequence[Path],
    wanted: Sequence[str],
    durations: Sequence[str],
) -> tuple[Group, ...]:
    """Return ``files`` in groups that agree on their columns. ``durations`` names the columns
    declared so. Rows of the format ``arrow`` are what the session holds as ``GIVEN``, and ``files``
    names where they come from.
    """
    if format_ == "arrow":
        given = session.columns(f"SELECT * FROM {ident(GIVEN)}", "reading Arrow data")
        return (Group(format_, tuple(files), tuple(given)),)
    if format_ == "jsonl":
        columns = tuple((name, JSON) for name in dict.fromkeys(wanted))
        return (Group(format_, tuple(files), columns),)
    groups: dict[tuple[tuple[str, str], ...], list[Path]] = {}
    for path in files:
        if format_ == "csv":
            found = tuple((name, TEXT) for name in header(path))
        else:
            found = _parquet_columns(session, path, durations)
            found = tuple(column for column in found if column[0] in set(wanted)) or found[:1]
        groups.setdefault(found, []).append(path)
    return tuple(Group(format_, tuple(paths), columns) for columns, paths in groups.items())


def all_columns(session: Session, group: Group) -> tuple[str, ...]:
    """Return every column name that the group's files share, declared or not."""
    if group.format == "parquet":
        names = [name for name, _ in _parquet_columns(session, group.files[0], ())]
        others = [dict(_parquet_columns(session, path, ())) for path in group.files[1:]]
        return tuple(name for name in names if all(name in other for other in others))
    return tuple(name for name, _ in group.columns)


def _parquet_columns(
    session: Session, path: Path, durations: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    found = session.columns(
        f"SELECT * FROM read_parquet({text(str(path))}, hive_partitioning = false)",
        f"opening {path.name}",
    )
    if durations:
        stored = {field.name: field.type for field in _stored_schema(path)}
        found = [(name, _stored(stored.get(name, pa.null()), kind)) for name, kind in found]
    return tuple(found)


def _stored_schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        raise AstrafsError(
            codes.UNREADABLE_FILE.nowhere(f"`{path.name}` is no Parquet file").note(str(error))
        ) from None


def _stored(kind: pa.DataType, engine: str) -> str:
    """Return the physical type of a column of Arrow type ``kind``, which the engine sees as
    ``engine``: ``DURATION:unit`` where Arrow wrote durations, plain integers to the engine.
    """
    if pa.types.is_duration(kind):
        return f"DURATION:{kind.unit}"
    if (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and engine.endswith("]"):
        return _stored(kind.value_type, engine[: engine.rindex("[")]) + "[]"
    if pa.types.is_map(kind) and engine.startswith("MAP("):
        key, value = map_types(engine)
        return f"MAP({_stored(kind.key_type, key)}, {_stored(kind.item_type, value)})"
    return engine


def header(path: Path) -> tuple[str, ...]:
    """Return the column names in the first line of a CSV file."""
    try:
        with path.open("rb") as stream:
            start = stream.read(_LINE_LIMIT)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise AstrafsError(_not_utf8(path, "it is UTF-16"))
        text_ = start.decode("utf-8-sig", errors="surrogateescape")
        names = next(csv.reader(io.StringIO(text_, newline=""), strict=True), None)
    except (OSError, csv.Error) as error:
        raise AstrafsError(
            codes.UNREADABLE_FILE.nowhere(f"`{path.name}` cannot be read: {error}")
        ) from None
    if names and not all(name.isascii() or _is_text(name) for name in names):
        raise AstrafsError(_not_utf8(path, "its header is not UTF-8"))
    if not names:
        raise AstrafsError(
            codes.UNREADABLE_FILE.nowhere(f"`{path.name}` has no header line").help(
                "the first line of a CSV file names its columns"
            )
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise AstrafsError(
            codes.UNREADABLE_FILE.nowhere(f"`{path.name}` names the column `{twice[0]}` twice")
        )
    return tuple(names)


def other_separator(names: Sequence[str]) -> str:
    """Return what seems to part the columns of a CSV file instead of commas; empty where they are
    parted. ``names`` is its header.
    """
    if len(names) != 1:
        return ""
    return next((sign for sign in (";", "\t", "|") if sign in names[0]), "")


def _is_text(name: str) -> bool:
    """Whether no byte of ``name`` had to be carried over undecoded."""
    return not any("\udc80" <= sign <= "\udcff" for sign in name)


def _not_utf8(path: Path, reason: str) -> Diagnostic:
    return codes.UNREADABLE_FILE.nowhere(f"`{path.name}` cannot be read: {reason}").help(
        'save it as UTF-8, in a spreadsheet as "CSV UTF-8"'
    )
