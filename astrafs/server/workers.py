"""Several serving processes on one socket and one store, and the one that looks after them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

from astrafs.diagnostics.codes import server as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.record import dataclass

_YOUNG_SECONDS: Final = 5.0
_MOST_YOUNG_DEATHS: Final = 3
_LOOK_SECONDS: Final = 0.2
_GRACE_SECONDS: Final = 3.0

Body = Callable[[Callable[[], None], int], int]
"""What a worker does: it calls the first argument when it serves, ends when the pipe of the second
closes, and returns its exit code."""


@dataclass(slots=True)
class _Worker:
    """A process: ``pipe`` says when it serves, until then ``serves`` is False."""

    pid: int
    pipe: int
    born: float
    serves: bool = False


class Workers:
    """Keeps ``count`` processes running ``body`` until a signal ends them all.

    They are forked: nothing that has threads may have been started before.
    """

    def __init__(self, count: int, body: Body, drain_seconds: float) -> None:
        self._count = count
        self._body = body
        self._drain_seconds = drain_seconds
        self._workers: dict[int, _Worker] = {}
        self._stopping = False
        self._lifeline = os.pipe()

    def run(self, ready: Callable[[], None], gone: Callable[[int], None]) -> int:
        """Run them; return the exit code. ``ready`` is called when the first one serves, ``gone``
        with each process that has ended.

        The first process starts alone: what keeps it from serving is said once.
        """
        with self._signals():
            self._start()
            code = self._first()
            if code is not None:
                return code
            ready()
            while len(self._workers) < self._count and not self._stopping:
                self._start()
            return self._look_after(gone)

    def _first(self) -> int | None:
        """Wait until the first process serves; return its exit code if it ends instead."""
        (worker,) = self._workers.values()
        while not self._stopping:
            if self._heard(worker):
                return None
            found, status = os.waitpid(worker.pid, os.WNOHANG)
            if found:
                self._forget(worker)
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        return None

    def _look_after(self, gone: Callable[[int], None]) -> int:
        young_deaths = 0
        while not self._stopping:
            time.sleep(_LOOK_SECONDS)
            for worker in tuple(self._workers.values()):
                self._heard(worker)
            for worker, _ in self._ended():
                gone(worker.pid)
                if self._stopping:
                    break
                young = time.monotonic() - worker.born < _YOUNG_SECONDS
                young_deaths = young_deaths + 1 if young else 0
                if young_deaths > _MOST_YOUNG_DEATHS:
                    self._end_all(gone)
                    raise AstrafsError(codes.WORKER_DIED.nowhere())
                self._start()
        return self._end_all(gone)

    def _ended(self) -> list[tuple[_Worker, int]]:
        """Return the processes that have ended since, with their exit codes."""
        found = []
        for worker in tuple(self._workers.values()):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._forget(worker)
                found.append((worker, os.waitstatus_to_exitcode(status)))
        return found

    def _end_all(self, gone: Callable[[int], None]) -> int:
        for worker in self._workers.values():
            self._heard(worker)
        self._tell(signal.SIGTERM)
        worst = 0
        ends = time.monotonic() + self._drain_seconds + _GRACE_SECONDS
        while self._workers and time.monotonic() < ends:
            for worker, code in self._ended():
                gone(worker.pid)
                if worker.serves or code != -signal.SIGTERM:  # it ended before it had begun
                    worst = max(worst, abs(code))
            time.sleep(0.02)
        if self._workers:
            self._tell(signal.SIGKILL)
            for worker in tuple(self._workers.values()):
                os.waitpid(worker.pid, 0)
                self._forget(worker)
                gone(worker.pid)
            worst = 1
        return worst

    def _start(self) -> None:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid:
            os.close(writing)
            os.set_blocking(reading, False)
            self._workers[pid] = _Worker(pid, reading, time.monotonic())
            return
        code = 70
        try:
            os.close(reading)
            os.close(self._lifeline[1])
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            code = self._body(lambda: _say(writing), self._lifeline[0])
        finally:
            os._exit(code)

    def _heard(self, worker: _Worker) -> bool:
        if not worker.serves:
            with contextlib.suppress(BlockingIOError):
                worker.serves = bool(os.read(worker.pipe, 1))
        return worker.serves

    def _forget(self, worker: _Worker) -> None:
        os.close(worker.pipe)
        del self._workers[worker.pid]

    def _tell(self, number: signal.Signals) -> None:
        for pid in self._workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def stop(_number: int, _frame: FrameType | None) -> None:
            self._stopping = True

        def pass_on(_number: int, _frame: FrameType | None) -> None:
            self._tell(signal.SIGHUP)

        handlers = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: pass_on}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _say(pipe: int) -> None:
    os.write(pipe, b"+")
    os.close(pipe)
