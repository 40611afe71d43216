"""Where online state lies: a map from bytes to bytes with atomic, conditional writes, and nothing
more.

Everything about rows, keys and versions is above this interface, so a store is a page of code.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

FORMAT: Final = 1
"""The version of how entries lie in a store of any kind; what entries mean has its own version."""

NOTHING: Final[Mapping[bytes, bytes | None]] = {}


class Readable(Protocol):
    """What reads entries: a store, or one state of it."""

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of ``keys``, in their order, as of one moment."""
        ...


class Store(Protocol):
    """A map from bytes to bytes that threads and processes may read and write at once.

    Every call raises :class:`~astrafs.diagnostics.model.AstrafsError` where the store refuses or
    cannot be reached; the next call tries anew.
    """

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of ``keys``, in their order, as of one moment."""
        ...

    def write(
        self,
        changes: Mapping[bytes, bytes | None],
        expected: Mapping[bytes, bytes | None] = NOTHING,
    ) -> bool:
        """Put or (None) remove values: all or none, and on disk when this returns True.

        Returns False, with nothing written, where a key of ``expected`` has another value than it
        says (None: the key is absent): read again, and write what follows from that.
        """
        ...

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield every entry whose key begins with ``prefix``, in the order of the keys.

        Not as of one moment: an entry that others write meanwhile may come with its old value or
        its new one. The caller may write while it reads.
        """
        ...

    def durability(self) -> str:
        """Say in one sentence when a written entry is safe from a crash."""
        ...

    def close(self) -> None:
        """Let go of files and connections; no other call may follow or be under way."""
        ...


class MemoryStore:
    """A store in memory, for tests and for answers over a few rows."""

    def __init__(self) -> None:
        self._entries: dict[bytes, bytes] = {}
        self._guard = threading.Lock()

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of ``keys``, in their order, as of one moment."""
        with self._guard:
            return [self._entries.get(key) for key in keys]

    def write(
        self,
        changes: Mapping[bytes, bytes | None],
        expected: Mapping[bytes, bytes | None] = NOTHING,
    ) -> bool:
        """Put or (None) remove values, unless one of ``expected`` is another."""
        with self._guard:
            if any(self._entries.get(key) != value for key, value in expected.items()):
                return False
            for key, value in changes.items():
                if value is None:
                    self._entries.pop(key, None)
                else:
                    self._entries[key] = value
        return True

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield every entry whose key begins with ``prefix``, in the order of the keys."""
        with self._guard:
            found = sorted((k, v) for k, v in self._entries.items() if k.startswith(prefix))
        yield from found

    def durability(self) -> str:
        """Say in one sentence when a written entry is safe from a crash."""
        return "in memory: gone when the process ends"

    def close(self) -> None:
        """Nothing to let go of."""
