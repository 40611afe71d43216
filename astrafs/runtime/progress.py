"""What a run tells about how far it is; the command line draws it, others may ignore it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives one call when a stage of a run begins. Calls come from the thread that runs it."""

    def step(self, index: int, total: int, name: str) -> None:
        """Stage ``index`` of ``total`` (1-based) begins; ``name`` says what it does."""


class Silent:
    """Tells nobody."""

    def step(self, index: int, total: int, name: str) -> None:
        """Do nothing."""


class Steps:
    """Counts the stages of one run and passes them on."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress: Progress = progress or Silent()
        self._total = total
        self._index = 0

    def next(self, name: str) -> None:
        """Begin the next stage."""
        self._index += 1
        self._progress.step(min(self._index, self._total), self._total, name)

    def expect(self, more: int) -> None:
        """Say that ``more`` stages follow the present one."""
        self._total = self._index + more
