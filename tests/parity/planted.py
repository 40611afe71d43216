"""Planted bugs: small wrong changes of the engine, each of which the harness must notice.

``python -m tests.parity.planted [--programs N] [NAME ...]`` copies the package, applies one change
to the copy, runs the harness on it in a process of its own until it finds a difference, and prints
what was found and how soon. The reference is never changed; every other part that turns a plan into
values may be.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.parity.bug import Bug
from tests.parity.bugs import BUGS

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = 2_000
"""A bug that this many programs do not show counts as missed."""


class StaleError(Exception):
    """The text that a planted bug replaces is not there exactly once."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the harness said about one planted bug."""

    bug: Bug
    found: bool
    seconds: float
    output: str


def patched(bug: Bug, text: str) -> str:
    """Return the text of ``bug.file`` with the bug in it; raises :class:`StaleError`."""
    if text.count(bug.old) != 1:
        raise StaleError(
            f"{bug.name}: {bug.old!r} occurs {text.count(bug.old)} times in {bug.file}"
        )
    return text.replace(bug.old, bug.new)


def plant(bug: Bug, folder: Path) -> None:
    """Make a copy of the package in ``folder`` that has the bug."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "astrafs", folder / "astrafs", ignore=ignore)
    shutil.copytree(ROOT / "grammar", folder / "grammar", ignore=ignore)
    (folder / "tests").mkdir()
    shutil.copytree(ROOT / "tests" / "parity", folder / "tests" / "parity", ignore=ignore)
    target = folder / bug.file
    target.write_text(patched(bug, target.read_text("utf-8")), "utf-8")


def hunt(bug: Bug, programs: int = PROGRAMS, seed: int = 0) -> Verdict:
    """Plant ``bug`` and run the harness.

    Found means that it reported a difference, not that it crashed.
    """
    with tempfile.TemporaryDirectory(prefix="astrafs-planted-") as name:
        folder = Path(name)
        plant(bug, folder)
        environment = dict(os.environ, PYTHONPATH=str(folder), PYTHONDONTWRITEBYTECODE="1")
        before = time.perf_counter()
        child = subprocess.run(
            [
                *(sys.executable, "-m", "tests.parity.run", "--stop", "--quick"),
                *("--programs", str(programs), "--seed", str(seed), "--only", bug.needs),
            ],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - before
    found = child.returncode == 1 and "--- seed" in child.stdout
    return Verdict(bug, found, seconds, child.stdout + child.stderr)


def main() -> int:
    """Hunt every planted bug and print the score; exit with 1 if more than one in forty escaped."""
    parser = argparse.ArgumentParser(
        description="Plant bugs and see whether the harness finds them."
    )
    parser.add_argument("names", nargs="*", help="bugs to plant; all where none is given")
    parser.add_argument("--programs", type=int, default=PROGRAMS)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", action="store_true", help="print what the harness printed")
    asked = parser.parse_args()
    chosen = [bug for bug in BUGS if not asked.names or bug.name in asked.names]
    missed = 0
    with ThreadPoolExecutor(asked.jobs) as pool:
        for verdict in pool.map(lambda bug: hunt(bug, asked.programs), chosen):
            missed += not verdict.found
            word = "found " if verdict.found else "MISSED"
            what = f"{verdict.bug.name}: {verdict.bug.description}"
            sys.stdout.write(f"{word} {verdict.seconds:6.1f} s  {what}\n")
            if asked.show or (not verdict.found and "programs " not in verdict.output):
                sys.stdout.write(verdict.output[-3000:] + "\n")
            sys.stdout.flush()
    sys.stdout.write(f"planted {len(chosen)}  found {len(chosen) - missed}  missed {missed}\n")
    return 1 if missed * 40 > len(chosen) else 0


if __name__ == "__main__":
    sys.exit(main())
