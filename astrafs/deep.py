"""Running a recursive pass on a stack that holds the deepest expression the language allows."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

R = TypeVar("R")

_STACK = 512 * 1024 * 1024  # bytes of address space; only what is touched is ever real
_FRAMES = 200_000

_lock = threading.Lock()


def deeply(function: Callable[[], R]) -> R:
    """Return ``function()``, run in a thread of its own with a deep stack; exceptions come through.

    The recursion limit and the default stack size belong to the whole process, so calls queue up.
    """
    result: list[R] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            result.append(function())
        except BaseException as error:  # noqa: BLE001 - handed on to the caller below
            failure.append(error)

    with _lock:
        limit, size = sys.getrecursionlimit(), threading.stack_size(_STACK)
        try:
            sys.setrecursionlimit(max(limit, _FRAMES))
            thread = threading.Thread(target=run, name="astrafs-deep")
            thread.start()
            thread.join()
        finally:
            threading.stack_size(size)
            sys.setrecursionlimit(limit)
    if failure:
        raise failure[0]
    return result[0]


@contextlib.contextmanager
def deeper(frames: int = 12_000) -> Iterator[None]:
    """Allow calls ``frames`` deep on this thread, for what cannot change threads. The main thread's
    8 MiB of stack hold that many frames of Python.
    """
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, frames))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
