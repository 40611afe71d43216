"""Doing one thing after another on a thread of its own, a few steps behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

_BEHIND = 4


class Aside(Generic[T]):
    """Calls ``do`` with everything that is ``put``, in order. What it raises is raised by a later
    ``put``, or at the end of the ``with`` block, which waits for it.
    """

    def __init__(self, do: Callable[[T], None]) -> None:
        self._do = do
        self._pool = ThreadPoolExecutor(1, "astrafs-aside")
        self._waiting: deque[Future[None]] = deque()

    def put(self, value: T) -> None:
        """Have ``value`` done; waits where too much is."""
        self._waiting.append(self._pool.submit(self._do, value))
        while len(self._waiting) > _BEHIND:
            self._waiting.popleft().result()

    def __enter__(self) -> Aside[T]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=error is not None)
        if error is None:
            for waiting in self._waiting:
                waiting.result()
