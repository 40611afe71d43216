"""Columns of earlier runs on disk: one file per column and block of rows, in ``.astrafs/results``.

A file begins with the digest of the rest, so what is damaged is as good as absent. It is put in
place in one step, so runs may go on side by side. When the files outgrow a limit, those that were
used least recently go.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc

FOLDER = ".astrafs"
MOST_BYTES = 4 << 30
_STALE_SECONDS = 600
_DIGEST = 32


class ColumnStore:
    """The kept columns of the project at ``root``. What cannot be written is not kept."""

    def __init__(self, root: Path, most_bytes: int = MOST_BYTES) -> None:
        self._top = root / FOLDER
        self._folder = self._top / "results"
        self._most = most_bytes
        self._added = False

    def has(self, column: str, block: str) -> bool:
        """Whether there is an array for (``column``, ``block``); it may yet be damaged."""
        return not self._leads_away() and self._path(column, block).is_file()

    def read(self, column: str, block: str, kind: pa.DataType, rows: int) -> pa.Array | None:
        """Return the array of (``column``, ``block``); None, and the file removed, where it is not
        one of ``rows`` values of type ``kind``.
        """
        path = self._path(column, block)
        try:
            data = path.read_bytes()
            if hashlib.sha256(memoryview(data)[_DIGEST:]).digest() == data[:_DIGEST]:
                with pa.ipc.open_stream(pa.BufferReader(memoryview(data)[_DIGEST:])) as reader:
                    array = reader.read_next_batch().column(0)
                if array.type == kind and len(array) == rows:
                    os.utime(path)
                    return array
        except (OSError, pa.ArrowException, StopIteration):
            pass
        with contextlib.suppress(OSError):
            path.unlink()
        return None

    def write(self, column: str, block: str, array: pa.Array) -> None:
        """Keep ``array``, if the disk lets us."""
        if self._leads_away():
            return
        sink = pa.BufferOutputStream()
        schema = pa.schema([("values", array.type)])
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_stream(sink, schema, options=options) as writer:
            writer.write_batch(pa.RecordBatch.from_arrays([array], schema=schema))
        data = sink.getvalue()
        path = self._path(column, block)
        beside = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
        try:
            self._make_folder()
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("xb") as stream:
                stream.write(hashlib.sha256(data).digest())
                stream.write(data)
            beside.replace(path)
            self._added = True
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()

    def sweep(self) -> None:
        """Remove what was used least recently until the rest fits, and what killed runs left."""
        if not self._added or self._leads_away():
            return
        before = time.time() - _STALE_SECONDS
        found = []
        for path, state in self._files():
            if path.suffix == ".tmp":
                if state.st_mtime < before:
                    _remove(path)
            else:
                found.append((state.st_mtime_ns, str(path), state.st_size))
        size = sum(one for _, _, one in found)
        for _, name, one in sorted(found):
            if size <= self._most:
                return
            _remove(Path(name))
            size -= one

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self._folder.glob("*/*/*"):
            with contextlib.suppress(OSError):
                yield path, path.stat()

    def _path(self, column: str, block: str) -> Path:
        return self._folder / column[:2] / column / f"{block}.arrow"

    def _make_folder(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        ignore = self._folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("# written by astrafs: nothing here belongs to the project\n*\n")

    def _leads_away(self) -> bool:
        """Whether a link would have us read or write elsewhere than in the project."""
        return self._top.is_symlink() or self._folder.is_symlink()


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
        path.parent.rmdir()
