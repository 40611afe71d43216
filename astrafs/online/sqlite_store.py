"""The embedded store: one SQLite file in a directory, its write-ahead log flushed before a write
returns. Any number of processes on one machine may read and write it.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.online.store import FORMAT, NOTHING

FILE_NAME: Final = "state.sqlite"
BUSY_SECONDS: Final = 30.0
"""How long a write waits for the writes of other processes; each takes milliseconds."""

_APPLICATION: Final = 0x41465331
"""In the header of the file: says that it is ours."""
_PAGE_BYTES: Final = 8192
_PARAMETERS: Final = 500
_SCAN_BYTES: Final = 4 << 20


class SqliteStore:
    """Entries in the file ``state.sqlite`` of a directory; safe for threads and for processes.

    With ``create``, the directory and the file are made where they are missing. Raises
    :class:`AstrafsError` where there is no store, or the file is none that this version reads.
    """

    def __init__(
        self, directory: Path, *, create: bool = False, busy_seconds: float = BUSY_SECONDS
    ) -> None:
        self._path = directory / FILE_NAME
        self._busy_seconds = busy_seconds
        # One connection per thread. A forked process gets a set of its own and leaves those that
        # it inherited alone: SQLite's locks belong to the process that took them.
        self._connections: dict[int, _Connections] = {}
        self._prepare_directory(directory, create)
        with self._errors():
            self._prepare_file(create)

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of ``keys``, in their order, as of one moment."""
        if not keys:
            return []
        with self._errors():
            connection = self._connection()
            if len(keys) == 1:
                row = connection.execute("SELECT v FROM entries WHERE k = ?", (keys[0],)).fetchone()
                return [None if row is None else row[0]]
            if len(keys) <= _PARAMETERS:  # a statement by itself sees one moment
                found = _values(connection, keys)
            else:
                connection.execute("BEGIN")
                try:
                    found = _values(connection, keys)
                finally:
                    _end(connection, "COMMIT")
        return [found.get(key) for key in keys]

    def write(
        self,
        changes: Mapping[bytes, bytes | None],
        expected: Mapping[bytes, bytes | None] = NOTHING,
    ) -> bool:
        """Put or (None) remove values in one transaction, unless one of ``expected`` is another."""
        puts = [(key, value) for key, value in changes.items() if value is not None]
        gone = [(key,) for key, value in changes.items() if value is None]
        with self._errors():
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                if expected:
                    found = _values(connection, list(expected))
                    if any(found.get(key) != value for key, value in expected.items()):
                        connection.execute("ROLLBACK")
                        return False
                connection.executemany(
                    "INSERT INTO entries VALUES (?, ?)"
                    " ON CONFLICT (k) DO UPDATE SET v = excluded.v",
                    puts,
                )
                connection.executemany("DELETE FROM entries WHERE k = ?", gone)
                connection.execute("COMMIT")
            except BaseException:
                _end(connection, "ROLLBACK")
                raise
        return True

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield every entry whose key begins with ``prefix``, in the order of the keys."""
        # In pages, each read at once: a statement left open would keep the log from being folded
        # into the file, and see or not see what the caller writes meanwhile.
        last, end = None, _after(prefix)
        while True:
            page, size = [], 0
            with self._errors():
                sql = "SELECT k, v FROM entries WHERE k >= ?" + (" AND k > ?" if last else "")
                bounds = [prefix] + ([last] if last else [])
                if end is not None:
                    sql, bounds = f"{sql} AND k < ?", [*bounds, end]
                with closing(self._connection().execute(f"{sql} ORDER BY k", bounds)) as cursor:
                    for key, value in cursor:
                        page.append((key, value))
                        size += len(key) + len(value)
                        if size >= _SCAN_BYTES:
                            break
            yield from page
            if size < _SCAN_BYTES:
                return
            last = page[-1][0]

    def durability(self) -> str:
        """Say in one sentence when a written entry is safe from a crash."""
        return "every write is flushed to disk before it is acknowledged"

    def close(self) -> None:
        """Close the connections of all threads of this process."""
        found = self._connections.pop(os.getpid(), None)
        if found is not None:
            found.close()

    def _prepare_directory(self, directory: Path, create: bool) -> None:
        try:
            if create:
                directory.mkdir(parents=True, exist_ok=True)
            # Asked of the system, so that a directory that may not be read is not called missing.
            elif not self._path.stat().st_size:
                raise FileNotFoundError
        except FileNotFoundError:
            raise AstrafsError(
                codes.NO_STORE.nowhere(f"there is no online store in `{directory}`").help(
                    "`astrafs online init` makes one"
                )
            ) from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise AstrafsError(
                codes.BAD_STORE_PLACE.nowhere(
                    f"`{directory}` cannot be the directory of a store: {reason}"
                ).help("name a directory that can be read and written, or one to be made")
            ) from None

    def _prepare_file(self, create: bool) -> None:
        connection = self._connection()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if create and not application:
            connection.execute("BEGIN IMMEDIATE")
            try:
                application, version = _make(connection)
                connection.execute("COMMIT")
            except BaseException:
                _end(connection, "ROLLBACK")
                raise
        if application != _APPLICATION:
            self.close()
            raise AstrafsError(
                codes.STORE_FAILED.nowhere(f"`{self._path}` is a database of something else").help(
                    "name another directory for the online store"
                )
            )
        if version != FORMAT:
            self.close()
            raise AstrafsError(
                codes.NEWER_STORE.nowhere(
                    f"the store in `{self._path.parent}` has format {version}, and this version "
                    f"reads {FORMAT}"
                )
            )

    def _connection(self) -> sqlite3.Connection:
        mine = self._connections.get(os.getpid())
        if mine is None:
            mine = self._connections.setdefault(os.getpid(), _Connections())
        return mine.of_thread(self._path, self._busy_seconds)

    def _errors(self) -> _Refused:
        return _Refused(self._path)


class _Connections:
    """The connections of one process to one file: one per thread, closed with it."""

    def __init__(self) -> None:
        self._local = threading.local()
        self._opened: set[sqlite3.Connection] = set()
        self._guard = threading.RLock()  # collecting garbage may close one at any moment

    def of_thread(self, path: Path, busy_seconds: float) -> sqlite3.Connection:
        found: _Owned | None = getattr(self._local, "owned", None)
        if found is None:
            connection = _connect(path, busy_seconds)
            found = self._local.owned = _Owned(self, connection)
            with self._guard:
                self._opened.add(connection)
        return found.connection

    def close_one(self, connection: sqlite3.Connection) -> None:
        with self._guard:
            if connection in self._opened:
                self._opened.remove(connection)
                connection.close()

    def close(self) -> None:
        with self._guard:
            while self._opened:
                self._opened.pop().close()
        self._local = threading.local()


class _Owned:
    """A thread's hold on its connection: goes with the thread, and closes the connection."""

    def __init__(self, home: _Connections, connection: sqlite3.Connection) -> None:
        self._home = home
        self._process = os.getpid()
        self.connection = connection

    def __del__(self) -> None:
        if os.getpid() == self._process:
            self._home.close_one(self.connection)


class _Refused:
    """Turns refusals of the database into a diagnostic; what was not written is not lost."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: object, _trace: object) -> None:
        if not isinstance(error, sqlite3.Error):
            return
        shown = str(error)
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        match code:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                found = codes.STORE_BUSY.nowhere(
                    f"other processes kept the online store `{self._path}` locked for too long"
                ).help("nothing of this call was kept; send it again")
            case sqlite3.SQLITE_FULL:
                found = codes.STORE_FAILED.nowhere(
                    f"there is no room for the online store `{self._path}`"
                ).help("nothing of this write was kept; free space on its disk and send it again")
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                found = codes.STORE_FAILED.nowhere(
                    f"the online store `{self._path}` is damaged: {shown}"
                ).help("put back a copy of its directory, or make a new store and load it again")
            case _:
                found = codes.STORE_FAILED.nowhere(
                    f"the online store `{self._path}`: {shown}"
                ).help(
                    "nothing of this call was kept; see whether the directory can be written and "
                    "its disk has room, and send it again"
                )
        raise AstrafsError(found) from None


def _connect(path: Path, busy_seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=busy_seconds, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        # Where several processes make the file at once, SQLite does not wait by itself.
        patience = time.monotonic() + busy_seconds
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > patience:
                    raise
                time.sleep(0.01)
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _make(connection: sqlite3.Connection) -> tuple[int, int]:
    """Lay out a new file inside a transaction; returns what its header says by then."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not application and not tables:
        # With row numbers: values of some kilobytes lie in chains of pages that are found faster
        # than in a tree of the keys alone.
        connection.execute("CREATE TABLE entries (k BLOB PRIMARY KEY, v BLOB NOT NULL)")
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {FORMAT}")
        return _APPLICATION, FORMAT
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return application, version


def _values(connection: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for start in range(0, len(keys), _PARAMETERS):
        part = keys[start : start + _PARAMETERS]
        holes = ",".join("?" * len(part))
        found.update(connection.execute(f"SELECT k, v FROM entries WHERE k IN ({holes})", part))
    return found


def _end(connection: sqlite3.Connection, how: str) -> None:
    """Commit or roll back, unless the database has rolled back by itself."""
    if connection.in_transaction:
        connection.execute(how)


def _after(prefix: bytes) -> bytes | None:
    """Return the least key after all that begin with ``prefix``; None where all keys do."""
    cut = prefix.rstrip(b"\xff")
    return cut[:-1] + bytes([cut[-1] + 1]) if cut else None
