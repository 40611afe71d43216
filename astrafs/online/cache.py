"""What a process remembers of a store."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import pyarrow as pa

CACHE_BYTES = 256 << 20


class SegmentCache:
    """What was read of a store, the least recently used dropped first; bounded by bytes, shared by
    the threads of a process.
    """

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit = limit
        self._entries: OrderedDict[bytes, list[Any]] = OrderedDict()
        self._bytes = 0
        self._guard = threading.Lock()
        self.hits = 0
        self.misses = 0
        self.schemas: dict[bytes, pa.Schema] = {}

    def get(self, key: bytes) -> Any:
        """Return what is remembered under ``key``."""
        with self._guard:
            entry = self._entries.get(key)
            if entry is None:
                self.misses += 1
                return None
            self.hits += 1
            self._entries.move_to_end(key)
            entry[2] += 1
            # Segments grow as questions come: they are weighed again after the first, then rarely.
            again = entry[2] & (entry[2] - 1) == 0
            found = entry[0]
        if again:
            self._weigh(key, found)
        return found

    def put(self, key: bytes, found: Any) -> None:
        """Remember ``found``, which has ``nbytes``."""
        self._weigh(key, found)

    def _weigh(self, key: bytes, found: Any) -> None:
        size = int(found.nbytes)
        with self._guard:
            entry = self._entries.pop(key, None)
            hits = 0 if entry is None or entry[0] is not found else entry[2]
            self._bytes += size - (0 if entry is None else entry[1])
            self._entries[key] = [found, size, hits]
            while self._bytes > self._limit and len(self._entries) > 1:
                _, (_, dropped, _) = self._entries.popitem(last=False)
                self._bytes -= dropped
