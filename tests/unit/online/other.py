"""Processes beside a test that use its store: ``python -m tests.unit.online.other WHAT PLACE``."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from astrafs.online.store import Store
from astrafs.online.stores import open_store

ROOT = Path(__file__).resolve().parents[3]


class Processes:
    """Children that are gone when the block ends."""

    def __init__(self) -> None:
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> None:
        """Start this module as a process."""
        command = [sys.executable, "-m", "tests.unit.online.other", *arguments]
        self._children.append(subprocess.Popen(command, cwd=ROOT))

    def running(self) -> bool:
        """Whether one of them is still at work."""
        return any(child.poll() is None for child in self._children)

    def wait(self) -> list[int]:
        """Return their exit codes when all have ended."""
        return [child.wait() for child in self._children]

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in self._children:
            if child.poll() is None:
                child.kill()
            child.wait()


def in_a_fork(work: Callable[[], object]) -> bool:
    """Run ``work`` in a forked child and say whether it returned."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001  # the child must not go on with the test
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def count_up(store: Store, times: int) -> None:
    """Add one to the entry ``count``, ``times`` times, against whoever does the same."""
    for _ in range(times):
        while True:
            (found,) = store.get((b"count",))
            if store.write({b"count": b"%d" % (int(found or b"0") + 1)}, {b"count": found}):
                break


def rewrite(store: Store, times: int, parts: int) -> None:
    """Give ``parts`` entries one new value after the other, all at once."""
    for number in range(times):
        value = b"%d %d" % (os.getpid(), number)
        store.write({b"part%d" % part: value for part in range(parts)})


if __name__ == "__main__":
    what, place, *numbers = sys.argv[1:]
    opened = open_store(place, create=what == "make")
    {"count": count_up, "make": count_up, "rewrite": rewrite}[what](opened, *map(int, numbers))
    opened.close()
