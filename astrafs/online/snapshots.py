"""One state of a store for all that one answer reads, however many times it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.online.store import Readable

_TRIES = 100

T = TypeVar("T")


class MovedError(Exception):
    """The store has changed between two reads: what was read is of no one moment."""


class Snapshot:
    """Entries of a store as of one moment. What is read first is remembered, so that it is the
    same when it is read again; for one thread. ``always`` is an entry that is read with the first.
    """

    def __init__(self, store: Readable, always: bytes) -> None:
        self._store = store
        self._always = always
        self._seen: dict[bytes, bytes | None] = {}
        self._reads = 0

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of ``keys``, in their order. Keys that are asked for together are read
        together, those seen before too: a block belongs to the head that comes with it.
        """
        seen = self._seen
        if all(key in seen for key in keys):
            return [seen[key] for key in keys]
        if not seen:
            *found, seen[self._always] = self._store.get([*keys, self._always])
        else:
            found = self._store.get(keys)
        for key, value in zip(keys, found, strict=True):
            if seen.setdefault(key, value) != value:
                raise MovedError
        self._reads += 1
        return found

    def settled(self) -> bool:
        """Whether all that was read is of one moment."""
        if self._reads <= 1:
            return True
        return self._store.get(list(self._seen)) == list(self._seen.values())

    def renew(self) -> None:
        """Read all that was read so far once more, at one moment."""
        self._seen = dict(zip(self._seen, self._store.get(list(self._seen)), strict=True))
        self._reads = 1


def at_one_moment(store: Readable, always: bytes, ask: Callable[[Snapshot], T]) -> T:
    """Return what ``ask`` makes of one state of ``store``; it may be called several times, and
    its exceptions count only where it saw one state. ``always`` is an entry that it reads anyway.
    """
    snapshot = Snapshot(store, always)
    for _ in range(_TRIES):
        try:
            found = ask(snapshot)
        except MovedError:
            pass
        except Exception:
            if snapshot.settled():
                raise
        else:
            if snapshot.settled():
                return found
        snapshot.renew()
    raise AstrafsError(
        codes.STORE_BUSY.nowhere(f"what the answer needs changed {_TRIES} times while it was read")
    )
