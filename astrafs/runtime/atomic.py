"""Files that are either whole or not there: a temporary file beside the target, flushed, then
renamed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from astrafs import refusals
from astrafs.diagnostics.codes import run as codes


class AtomicFile:
    """A file being written under a temporary name. ``publish`` puts several in place; ``discard``
    removes it.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
        with refused(target):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            os.close(os.open(self.temporary, flags, 0o666))

    def sync(self) -> None:
        """Bring the written bytes to the disk."""
        with refused(self.target), self.temporary.open("rb+") as stream:
            os.fsync(stream.fileno())

    def discard(self) -> None:
        """Remove the temporary file, if it is still there."""
        self.temporary.unlink(missing_ok=True)


def refused(target: Path) -> contextlib.AbstractContextManager[None]:
    """Turn refusals of the operating system into a diagnostic about the result ``target``."""
    return refusals.refused(target, codes.CANNOT_WRITE)


def publish(files: Iterable[AtomicFile]) -> None:
    """Put all ``files`` in place, in order. Ctrl-C waits until it is done, so either all are there
    or none.
    """
    made = tuple(files)
    for file in made:
        file.sync()
    with _uninterrupted():
        for file in made:
            with refused(file.target):
                os.replace(file.temporary, file.target)
        for directory in {file.target.parent for file in made}:
            _sync_directory(directory)


def write_parquet(target: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write ``batches`` to ``target`` at once or not at all; no file without rows. Return the rows
    written.
    """
    with refused(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    file = AtomicFile(target)
    rows = 0
    try:
        with (
            refused(target),
            pq.ParquetWriter(file.temporary, schema, compression="zstd") as writer,
        ):
            for batch in batches:
                if batch.num_rows:
                    writer.write_batch(batch)
                    rows += batch.num_rows
        if rows:
            publish([file])
    finally:
        file.discard()
    return rows


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM for a moment (only the main thread receives them)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    held = [number for number, handler in before.items() if handler not in (None, signal.SIG_IGN)]
    for number in held:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number in held:
            signal.signal(number, before[number])
    if came:
        signal.raise_signal(came[0])


def _sync_directory(directory: Path) -> None:
    if os.name != "posix":
        return
    with refused(directory):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
