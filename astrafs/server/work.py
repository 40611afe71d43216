"""Work of the engine beside the event loop: a bounded pool of threads, and a limit on what waits.

A question that is known to be quick is answered on the loop itself: passing it to a thread and back
takes longer than the answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from astrafs.diagnostics.codes import server as codes
from astrafs.server.problems import RefusalError

QUICK_SECONDS: Final = 0.002
"""Work expected to take at most this long is done on the loop."""
_WEIGHT: Final = 0.2

T = TypeVar("T")


class Work:
    """Runs calls, at most ``most`` at a time, each of at most ``seconds`` from its acceptance.

    ``inline`` allows quick ones on the loop: not where they wait for a network.
    """

    def __init__(self, threads: int, most: int, seconds: float, *, inline: bool) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="astrafs")
        self._most = most
        self._seconds = seconds
        self._inline = inline
        self._costs: dict[str, float] = {}
        self.running = 0

    async def run(self, call: Callable[[], T], *, kind: str = "", small: bool = False) -> T:
        """Return what ``call`` returns. ``small`` calls of one ``kind`` are taken to cost about the
        same; raises :class:`RefusalError` where there is too much to do, or it takes too long.
        """
        if self.running >= self._most:
            raise RefusalError(codes.BUSY.nowhere("too many requests are under way"))
        if not small or not self._inline:
            return await self._beside(call)
        if self._costs.get(kind, 1.0) <= QUICK_SECONDS:
            return self._measured(call, kind)
        return await self._beside(lambda: self._measured(call, kind))

    async def _beside(self, call: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        future = self._pool.submit(call)
        self.running += 1
        future.add_done_callback(lambda _done: _back(loop, self._finished))
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            began = "" if future.cancelled() else "; it had begun, and goes on"
            title = f"the answer took more than {self._seconds:g} s{began}"
            raise RefusalError(codes.TOOK_LONG.nowhere(title)) from None

    def _finished(self) -> None:
        self.running -= 1

    def _measured(self, call: Callable[[], T], kind: str) -> T:
        # The thread's own time: under load the clock on the wall counts the work of others.
        started = time.thread_time()
        try:
            return call()
        finally:
            took = time.thread_time() - started
            before = self._costs.get(kind, took)
            self._costs[kind] = before + _WEIGHT * (took - before)

    async def close(self, seconds: float) -> bool:
        """Wait for what is running, at most ``seconds``; return whether all has ended."""
        ends = time.monotonic() + seconds
        while self.running and time.monotonic() < ends:
            await asyncio.sleep(0.02)
        self._pool.shutdown(wait=False, cancel_futures=True)
        return not self.running


def _back(loop: asyncio.AbstractEventLoop, call: Callable[[], Any]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(call)
