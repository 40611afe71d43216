"""How far a run is, drawn on a terminal; nothing elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from astrafs.cli import console

if TYPE_CHECKING:
    from rich.progress import Progress


class Drawn:
    """A bar on standard error while a run lasts, if that is a terminal."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: Progress | None = None
        self._task = None if not sys.stderr.isatty() else 0

    def __enter__(self) -> Self:
        if self._task is not None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            screen = Console(stderr=True, no_color=not console.coloured(sys.stderr))
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=screen,
                transient=True,
            )
            self._bar.start()
            self._task = self._bar.add_task(self._title, total=None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, index: int, total: int, name: str) -> None:
        """Show that stage ``index`` of ``total`` (1-based) begins."""
        if self._bar is not None and self._task is not None:
            text = name if len(name) <= 48 else f"{name[:45]}..."
            self._bar.update(self._task, description=text, completed=index - 1, total=total)  # type: ignore[arg-type]
