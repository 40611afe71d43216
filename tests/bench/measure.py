"""Measuring child processes: seconds, peak memory, and the middle of several runs."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

ASTRAFS = (sys.executable, "-m", "astrafs")
"""The command line as a child process, whatever is installed."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One finished child process: wall seconds, peak resident megabytes, what it printed, and
    the seconds that processors worked for it.
    """

    seconds: float
    megabytes: float
    output: str
    processor: float


def run(command: Sequence[str], *, cwd: Path = ROOT, accept: Sequence[int] = (0,)) -> Measured:
    """Run ``command`` to its end; raises ``RuntimeError`` with its output where it ends with
    another exit code than those of ``accept``.
    """
    environment = dict(os.environ, PYTHONPATH=str(ROOT), NO_COLOR="1", TERM="dumb")
    if environment.pop("PYTHONDONTWRITEBYTECODE", ""):
        # An installed program has its bytecode; to compile it anew would be measured with it.
        environment["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir()) / "astrafs-bench")
    before = time.perf_counter()
    child = subprocess.Popen(
        list(command),
        cwd=cwd,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert child.stdout is not None
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - before
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in accept:
        raise RuntimeError(f"exit code {child.returncode}: {' '.join(command)}\n{output}")
    return Measured(seconds, usage.ru_maxrss / 1024, output, usage.ru_utime + usage.ru_stime)


def middle(command: Sequence[str], *, runs: int, cwd: Path = ROOT) -> Measured:
    """Run ``command`` ``runs`` times and return the one with the middle time."""
    run(command, cwd=cwd)  # the first also writes bytecode
    found = sorted((run(command, cwd=cwd) for _ in range(runs)), key=lambda one: one.seconds)
    return found[len(found) // 2]


def script(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command that runs ``module`` of this package as a child with ``arguments``."""
    return (sys.executable, "-m", module, *arguments)


def report(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Print a small table."""
    width = max(len(name) for name, _ in rows)
    sys.stdout.write(f"{title}\n")
    for name, value in rows:
        sys.stdout.write(f"  {name:<{width}}  {value}\n")


def own_peak() -> float:
    """Return this process's peak resident megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def emit(**values: object) -> None:
    """Print ``values`` as one JSON line for the parent process."""
    sys.stdout.write(json.dumps(values) + "\n")


def parse(measured: Measured) -> dict[str, float]:
    """Read the last JSON line that a child printed."""
    found: dict[str, float] = json.loads(measured.output.strip().splitlines()[-1])
    return found
