"""Where online state lies: a map from bytes to bytes with atomic writes, and nothing more.

Everything about rows, keys and versions is above this interface, so a store is a page of code.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import AstrafsError

FORMAT = b"1"
_FORMAT_KEY = b"format"
_BUSY_SECONDS = 30.0


class Store(Protocol):
    """A map from bytes to bytes, safe for threads; other processes may read, and one may write."""

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of ``keys``, in their order, as of one moment."""
        ...

    def write(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Put or (None) remove values: all or none, and on disk when this returns."""
        ...

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield every entry whose key begins with ``prefix``, in the order of the keys."""
        ...

    def close(self) -> None:
        """Let go of files and connections."""
        ...


class SqliteStore:
    """One SQLite file in a directory: write-ahead log, flushed before a write returns."""

    def __init__(self, directory: Path, *, create: bool = False) -> None:
        path = directory / "state.sqlite"
        if not create and not path.is_file():
            raise AstrafsError(
                codes.NO_STORE.nowhere(f"there is no online store in `{directory}`").help(
                    "`astrafs online init` makes one"
                )
            )
        directory.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._guard = threading.Lock()
        with self._errors():
            connection = self._connection()
            connection.execute(
                "CREATE TABLE IF NOT EXISTS entries (k BLOB PRIMARY KEY, v BLOB NOT NULL)"
                " WITHOUT ROWID"
            )
            connection.execute("INSERT OR IGNORE INTO entries VALUES (?, ?)", (_FORMAT_KEY, FORMAT))
        (found,) = self.get((_FORMAT_KEY,))
        if found != FORMAT:
            self.close()
            raise AstrafsError(
                codes.NEWER_STORE.nowhere(
                    f"the store in `{directory}` has format {(found or b'?').decode()}, and this "
                    f"version reads {FORMAT.decode()}"
                )
            )

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of ``keys``, in their order, as of one moment."""
        if not keys:
            return []
        found: dict[bytes, bytes] = {}
        with self._errors():
            connection = self._connection()
            if len(keys) == 1:
                row = connection.execute("SELECT v FROM entries WHERE k = ?", (keys[0],)).fetchone()
                return [None if row is None else row[0]]
            connection.execute("BEGIN")
            try:
                for start in range(0, len(keys), 500):
                    part = tuple(keys[start : start + 500])
                    holes = ",".join("?" * len(part))
                    found.update(
                        connection.execute(f"SELECT k, v FROM entries WHERE k IN ({holes})", part)
                    )
            finally:
                connection.execute("COMMIT")
        return [found.get(key) for key in keys]

    def write(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Put or (None) remove values in one transaction."""
        puts = [(key, value) for key, value in changes.items() if value is not None]
        gone = [(key,) for key, value in changes.items() if value is None]
        with self._errors():
            connection = self._connection()
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?)", puts)
                connection.executemany("DELETE FROM entries WHERE k = ?", gone)
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield every entry whose key begins with ``prefix``."""
        with self._errors():
            yield from self._connection().execute(
                "SELECT k, v FROM entries WHERE k >= ? AND k < ? ORDER BY k",
                (prefix, _after(prefix)),
            )

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._guard:
            for connection in self._opened:
                connection.close()
            self._opened.clear()
        self._local = threading.local()

    def _connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            # One connection per thread; the guard closes those of threads that have ended.
            found = sqlite3.connect(
                self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            found.execute("PRAGMA journal_mode = WAL")
            found.execute("PRAGMA synchronous = FULL")
            self._local.connection = found
            with self._guard:
                self._opened.append(found)
        return found

    def _errors(self) -> _Refused:
        return _Refused(self._path)


class _Refused:
    """Turns refusals of the database into a diagnostic; what was not written is not lost."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: object, _trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            raise AstrafsError(
                codes.STORE_FAILED.nowhere(f"the online store `{self._path}`: {error}").help(
                    "nothing of this write was kept; free disk space or check permissions, and "
                    "send it again"
                )
            ) from None


def _after(prefix: bytes) -> bytes:
    """Return the least key after all that begin with ``prefix``."""
    cut = prefix.rstrip(b"\xff")
    return cut[:-1] + bytes([cut[-1] + 1]) if cut else b"\xff" * 64


class MemoryStore:
    """A store in memory, for tests."""

    def __init__(self) -> None:
        self._entries: dict[bytes, bytes] = {}
        self._guard = threading.Lock()

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of ``keys``, in their order."""
        with self._guard:
            return [self._entries.get(key) for key in keys]

    def write(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Put or (None) remove values."""
        with self._guard:
            for key, value in changes.items():
                if value is None:
                    self._entries.pop(key, None)
                else:
                    self._entries[key] = value

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield every entry whose key begins with ``prefix``."""
        with self._guard:
            found = sorted((k, v) for k, v in self._entries.items() if k.startswith(prefix))
        yield from found

    def close(self) -> None:
        """Nothing to let go of."""
