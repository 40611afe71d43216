"""``astrafs check --watch``: check again whenever a file of the project changes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from astrafs.cli import checking, console, signals
from astrafs.cli.checking import Request
from astrafs.cli.console import Format
from astrafs.config import FILE_NAME
from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError, Sink
from astrafs.workspace import find_paths, find_root

POLL_SECONDS = 0.2
SETTLE_SECONDS = 0.05
"""An editor that writes several files, or one in two steps, is given so long to finish."""

State = dict[str, tuple[int, int, int]]
"""The files that matter, each with what changes when it is written: inode, size, time."""


def watch(request: Request, unfit: Sequence[str]) -> int:
    """Check now and after every change, until a signal stops it; the code of that is the answer.

    ``unfit`` are the options that were given and are about a single check.
    """
    unfit = [f"`{name}`" for name in unfit]
    if request.path == "-":
        unfit.append("standard input")
    if request.form not in (Format.TEXT, Format.CONCISE):
        unfit.append(f"`--format {request.form}`")
    if unfit:
        raise AstrafsError(
            codes.BAD_VALUE.nowhere(f"`--watch` does not go with {unfit[0]}").help(
                "check once, without `--watch`"
            )
        )
    if not Path(request.path).exists():
        return checking.check(request)
    try:
        return _loop(request, find_root(Path(request.path)))
    except KeyboardInterrupt:
        console.settings.stopped = True  # nothing was being written, and nothing need be said
        return signals.stopped()


def _loop(request: Request, root: Path) -> int:
    before: State | None = None
    while True:
        now = _settled(root)
        if now == before:
            time.sleep(POLL_SECONDS)
            continue
        if before is not None:
            _separate(_changed(before, now))
        before = now
        start = time.perf_counter()
        # Whatever is wrong with the project is shown, and is not the end.
        code = console.guarded(lambda: checking.check(request))
        if console.settings.stopped or code == console.PIPE_CLOSED:
            return code
        seconds = time.perf_counter() - start
        console.write(f"checked in {seconds:.2f} s; waiting for changes, Ctrl-C ends\n")


def _separate(changed: Sequence[str]) -> None:
    """Begin anew: clear a terminal, draw a line elsewhere, and say what has changed."""
    if sys.stdout.isatty():
        console.write("\x1b[2J\x1b[3J\x1b[H")
    else:
        console.write("-" * console.PIPED_WIDTH + "\n")
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    names = (name.encode("unicode_escape").decode("ascii") for name in changed[:3])
    console.write(f"{time.strftime('%H:%M:%S')} {', '.join(names)}{more}\n")


def _settled(root: Path) -> State:
    """Return the state of the files once it stays the same for a moment."""
    state = _state(root)
    while True:
        time.sleep(SETTLE_SECONDS)
        again = _state(root)
        if again == state:
            return state
        state = again


def _state(root: Path) -> State:
    state: State = {}
    for path in (FILE_NAME, *find_paths(root, Sink())):
        try:
            found = os.stat(root / path)
        except OSError:
            continue  # it has just been removed, and is not there: that is its state
        state[path] = (found.st_ino, found.st_size, found.st_mtime_ns)
    return state


def _changed(before: State, now: State) -> list[str]:
    """Return the paths that differ."""
    return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))
