"""One run's DuckDB: in memory, spilling to a directory of its own, and locked before it sees any
program.

A session may read the files it was opened for and nothing else: no other path, no network, no
extension, no environment variable, no Python variable, and no setting can be changed. It belongs to
the thread that made it.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import pyarrow as pa

from astrafs.backends.duckdb.names import text
from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.kernels.registry import KERNELS
from astrafs.runtime import errors

_SIZE = re.compile(r"\d+(\.\d+)?\s*([KMGT]i?B|%)", re.IGNORECASE)

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
    "python_scan_all_frames": "false",
}

# Every setting that could change what a statement means is pinned, whatever the engine's default
# is. The two
# optimizers are off because they gave wrong results in past versions and bring nothing that is
# needed here.
_PINNED = (
    "SET TimeZone = 'UTC'",
    "SET Calendar = 'gregorian'",
    "SET default_null_order = 'NULLS_LAST'",
    "SET default_order = 'ASCENDING'",
    "SET default_collation = ''",
    "SET ieee_floating_point_ops = true",
    "SET integer_division = false",
    "SET error_on_division_by_zero = true",
    "SET scalar_subquery_error_on_multiple_rows = true",
    "SET preserve_identifier_case = true",
    "SET disabled_optimizers = 'window_self_join,top_n_window_elimination'",
    "SET enable_progress_bar = false",
    "SET arrow_large_buffer_size = false",
    "SET arrow_lossless_conversion = false",
    "SET arrow_output_list_view = false",
    "SET arrow_output_version = '1.0'",
    "SET enable_external_file_cache = false",
)


class Session:
    """A locked connection; use it in a ``with`` block. Engine failures come out as
    :class:`AstrafsError`.
    """

    def __init__(
        self,
        files: Sequence[Path],
        *,
        memory_limit: str | None = None,
        threads: int | None = None,
        keep_order: bool = False,
    ) -> None:
        """Open a session that may read ``files``; ``keep_order`` makes scans give rows in the
        files' order.
        """
        _check_limits(memory_limit, threads)
        self._thread = threading.get_ident()
        self._functions: list[str] = []
        self.folder = spill = Path(tempfile.mkdtemp(prefix="astrafs-run-"))
        try:
            config = {**_CONFIG, "temp_directory": str(spill / "spill")}
            config["extension_directory"] = str(spill / "no-extensions")
            config["secret_directory"] = str(spill / "no-secrets")
            if memory_limit is not None:
                config["memory_limit"] = memory_limit.replace(" ", "")
            if threads is not None:
                config["threads"] = str(threads)
            self._connection = duckdb.connect(":memory:", config=config)
        except BaseException:
            shutil.rmtree(spill, ignore_errors=True)
            raise
        # Also runs when the interpreter ends, should nobody have closed the session.
        self._release = weakref.finalize(self, _release, self._connection, self._functions, spill)
        try:
            for statement in _PINNED:
                self._connection.execute(statement)
            order = str(keep_order).lower()
            self._connection.execute(f"SET preserve_insertion_order = {order}")
            paths = "[" + ", ".join(text(str(path)) for path in files) + "]"
            self._connection.execute(f"SET allowed_paths = {paths}")
            self._connection.execute("SET enable_external_access = false")
            self._connection.execute("SET lock_configuration = true")
        except BaseException as error:  # noqa: BLE001 - sorted out and raised again at once
            self.close()
            raise self._failure(error, "starting the engine") from None

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and remove everything it spilled; may be called twice."""
        self._release()

    @property
    def threads(self) -> int:
        """How many threads the engine uses."""
        return int(self.rows("SELECT current_setting('threads')", "starting the engine")[0][0])

    @property
    def budget(self) -> int:
        """The bytes that may be held beside the engine: a quarter of what the engine may use."""
        limit = self.rows("SELECT current_setting('memory_limit')", "starting the engine")[0][0]
        return _bytes(limit) // 4

    def set_as_of(self, micros: int) -> None:
        """Set the knowledge cutoff K (microseconds), which statements read as
        ``getvariable('as_of')``.
        """
        self.run(f"SET VARIABLE as_of = CAST({int(micros)} AS BIGINT)", "setting the cutoff")

    def register(self, name: str, data: pa.Table | pa.RecordBatchReader) -> None:
        """Make ``data`` readable as the relation ``name``."""
        with self._translated("reading a table"):
            self._connection.register(name, data)

    def unregister(self, name: str) -> None:
        """Forget the relation ``name``."""
        with self._translated("reading a table"):
            self._connection.unregister(name)

    def add_function(
        self, name: str, function: Any, parameters: Sequence[str], result: str
    ) -> None:
        """Make ``function`` (Arrow arrays in, one out; it sees nulls) callable from statements as
        ``name``.
        """
        # The binding's stubs know only its own enumerations here; at run time it takes their names.
        create: Any = self._connection.create_function
        with self._translated("preparing the run"):
            create(
                name,
                function,
                list(parameters),
                result,
                type="arrow",
                null_handling="special",
                side_effects=False,
            )
        self._functions.append(name)

    def prepare(self, names: Iterable[str]) -> None:
        """Make the kernels among ``names`` callable, each once; a text of a program may look like
        one.
        """
        for name in sorted(KERNELS.keys() & set(names).difference(self._functions)):
            kernel = KERNELS[name]
            self.add_function(name, kernel.run, kernel.params, kernel.result)

    def run(self, sql: str, doing: str) -> None:
        """Execute one statement for its effect."""
        with self._translated(doing):
            self._connection.execute(sql)

    def rows(self, sql: str, doing: str) -> list[tuple[Any, ...]]:
        """Return all rows of a query, as Python values. For few rows."""
        with self._translated(doing):
            return self._connection.sql(sql).fetchall()

    def columns(self, sql: str, doing: str) -> list[tuple[str, str]]:
        """Return (name, engine type) of each column of a query, without running it."""
        return [(row[0], row[1]) for row in self.rows(f"DESCRIBE {sql}", doing)]

    def stream(self, sql: str, doing: str, batch_rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a query in Arrow batches. Nothing else may run until it is exhausted or
        closed.
        """
        reader: pa.RecordBatchReader | None = None
        with self._translated(doing):
            try:
                reader = self._connection.sql(sql).to_arrow_reader(batch_rows)
                yield from reader
            finally:
                if reader is not None:
                    reader.close()

    def schema(self, sql: str, doing: str) -> pa.Schema:
        """Return the Arrow schema that ``stream`` would give."""
        with self._translated(doing):
            reader = self._connection.sql(f"SELECT * FROM ({sql}) LIMIT 0").to_arrow_reader(1)
            found = reader.schema
            reader.close()
            return found

    @contextlib.contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        """Turn what the engine raises while it is ``doing`` something into diagnostics, and its
        ways to say that it was interrupted into one.
        """
        if threading.get_ident() != self._thread:
            raise RuntimeError("a session belongs to the thread that opened it")
        try:
            yield
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - sorted out and raised again at once
            raise self._failure(error, doing) from None

    def _failure(self, error: BaseException, doing: str) -> BaseException:
        if errors.is_interrupt(error):
            return KeyboardInterrupt()
        if isinstance(error, AstrafsError) or not isinstance(error, Exception):
            return error
        return errors.translate(error, doing)


def _release(connection: duckdb.DuckDBPyConnection, functions: list[str], spill: Path) -> None:
    try:
        # Functions left behind make the binding complain on stderr when the interpreter ends.
        for name in functions:
            connection.remove_function(name)
    except (duckdb.Error, RuntimeError):
        pass  # a statement was interrupted just now; there is nothing left to save
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)


def _bytes(shown: str) -> int:
    """Return a size as the engine shows it, such as ``18.6 GiB``, in bytes."""
    number, unit = shown.split()
    powers = {"bytes": 0, "KiB": 1, "MiB": 2, "GiB": 3, "TiB": 4}
    return int(float(number) * 1024 ** powers[unit])


def _check_limits(memory_limit: str | None, threads: int | None) -> None:
    if memory_limit is not None and not _SIZE.fullmatch(memory_limit.strip()):
        raise AstrafsError(
            codes.BAD_REQUEST.nowhere(f"`{memory_limit}` is no memory limit").help(
                "write a size such as `2GB` or `512MiB`"
            )
        )
    if threads is not None and not 1 <= threads <= 1024:
        raise AstrafsError(
            codes.BAD_REQUEST.nowhere(f"{threads} is no number of threads").help(
                "1 to 1024 threads can be used"
            )
        )
