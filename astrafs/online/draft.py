"""Changes to a store that are worked out before any is written."""

from __future__ import annotations

from collections.abc import Sequence

from astrafs.online.store import Store


class Draft:
    """Entries as a batch finds them and leaves them. ``changes`` may be written where the entries
    of ``expected`` are still as they were.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._fetched: dict[bytes, bytes | None] = {}
        self.changes: dict[bytes, bytes | None] = {}
        self.expected: dict[bytes, bytes | None] = {}

    def fetch(self, keys: Sequence[bytes]) -> None:
        """Read entries that will be asked for, at once."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._fetched]
        self._fetched.update(zip(missing, self._store.get(missing), strict=True))

    @property
    def found(self) -> Found:
        """The entries as the batch found them, to read from: each has one value throughout."""
        return Found(self)

    def as_found(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return entries as they were when they were first read."""
        self.fetch(keys)
        return [self._fetched[key] for key in keys]

    def stands(self) -> bool:
        """Whether everything that was read is still as it was."""
        keys = list(self._fetched)
        return self._store.get(keys) == [self._fetched[key] for key in keys]

    def get(self, key: bytes) -> bytes | None:
        """Return an entry as this batch leaves it."""
        if key in self.changes:
            return self.changes[key]
        if key not in self._fetched:
            self.fetch((key,))
        return self._fetched[key]

    def put(self, key: bytes, value: bytes | None) -> None:
        """Change an entry: nobody else may have changed it meanwhile."""
        if key not in self.changes:
            self.expected[key] = self.get(key)
        self.changes[key] = value


class Found:
    """The entries of a draft, unchanged."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of ``keys``, in their order."""
        return self._draft.as_found(keys)
