"""When old rows are dropped: as time goes by, where the project says how far back online questions
may be asked.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from astrafs.diagnostics.model import AstrafsError
from astrafs.online.expiry import Expired, expire
from astrafs.online.layout import Layout
from astrafs.online.manifest import read_manifest
from astrafs.online.store import NOTHING, Store

STEP: Final = 10 * 60 * 1_000_000
"""Floors are whole multiples of this many microseconds, so that processes that serve one store
agree on them, and the first that comes to one drops what is below.
"""


class History:
    """Keeps the floor of a store ``length`` microseconds behind the clock. Safe for threads."""

    def __init__(self, store: Store, layout: Layout, length: int) -> None:
        self._store = _Stoppable(store)
        self._layout = layout
        self._length = length
        self._floor: int | None = None
        self._busy = threading.Lock()
        self._thread: threading.Thread | None = None

    def follow(self, now: int) -> Expired | None:
        """Raise the floor to where it belongs at ``now`` and drop what no question sees any more;
        None where nothing is due, or another thread is at it.
        """
        floor = self._due(now)
        if floor is None or not self._busy.acquire(blocking=False):
            return None
        try:
            return self._raise(floor)
        finally:
            self._busy.release()

    def start(self, now: int) -> None:
        """Do as :meth:`follow` does in a thread beside, so that rows that come in do not wait.

        Where the store refuses, whoever reads or writes next is told; what was not dropped is
        dropped with the next step.
        """
        floor = self._due(now)
        if floor is None or not self._busy.acquire(blocking=False):
            return

        def work() -> None:
            try:
                self._raise(floor)
            except (AstrafsError, _StoppedError):
                pass
            finally:
                self._busy.release()

        self._thread = threading.Thread(target=work, name="astrafs-history", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop dropping and wait until that has ended; the next step does the rest."""
        self._store.stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _due(self, now: int) -> int | None:
        floor = (now - self._length) // STEP * STEP
        return floor if self._floor is None or floor > self._floor else None

    def _raise(self, floor: int) -> Expired | None:
        there = read_manifest(self._store).floor
        if there is not None and floor <= there:
            self._floor = there
            return None
        found = expire(self._store, self._layout, floor)
        self._floor = floor
        return found


class _StoppedError(Exception):
    """The store is about to be closed."""


class _Stoppable:
    """A store that can be told to do nothing more."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.stopped = threading.Event()

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Read, unless stopped."""
        self._go_on()
        return self._store.get(keys)

    def write(
        self,
        changes: Mapping[bytes, bytes | None],
        expected: Mapping[bytes, bytes | None] = NOTHING,
    ) -> bool:
        """Write, unless stopped."""
        self._go_on()
        return self._store.write(changes, expected)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield entries until stopped."""
        for entry in self._store.scan(prefix):
            self._go_on()
            yield entry

    def durability(self) -> str:
        """Say what the store says."""
        return self._store.durability()

    def close(self) -> None:
        """Leave that to who opened the store."""

    def _go_on(self) -> None:
        if self.stopped.is_set():
            raise _StoppedError
