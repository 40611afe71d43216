"""A project with its sources in files, loaded into a store by the command line, and killed while it
is at it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import astrafs
from astrafs.values.times import iso
from tests.crash.feed import DAY, DAYS, PROGRAM, USERS, batch

ROOT = Path(__file__).resolve().parents[2]
EPOCH = "1970-03-15T00:00:00Z"
"""After the last row of all."""
SOURCES = ("orders", "quotes", "tiers")


def write_project(directory: Path, batches: int) -> None:
    """Write the program and so many batches of rows as JSON lines."""
    directory.mkdir(parents=True, exist_ok=True)
    program = PROGRAM
    lines: dict[str, list[str]] = {name: [] for name in SOURCES}
    for name in SOURCES:
        program = program.replace(f'csv("{name}.csv")', f'jsonl("{name}.jsonl")')
    for number in range(batches):
        given = batch(7, number)
        lines[given.source.removeprefix("m.")] += map(_line, given.rows)
    (directory / "astrafs.toml").write_text('[project]\nname = "crash"\n', "utf-8")
    (directory / "m.afs").write_text(program, "utf-8")
    for name, rows in lines.items():
        (directory / f"{name}.jsonl").write_text("".join(f"{row}\n" for row in rows), "utf-8")


def _line(row: dict[str, Any]) -> str:
    shown = {name: iso(value) if name.endswith("at") else value for name, value in row.items()}
    return json.dumps(shown, default=str)


def start(directory: Path, place: str, action: str, *more: str) -> subprocess.Popen[str]:
    """Start ``astrafs online`` in the project."""
    command = [sys.executable, "-m", "astrafs", "online", action, "--store", place, *more]
    return subprocess.Popen(
        command,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(child: subprocess.Popen[str]) -> str:
    """Return what a command printed; it must have ended well."""
    printed, _ = child.communicate()
    assert child.returncode == 0, printed
    return printed


def load_killed(directory: Path, place: str, rng: Random, kills: int, seconds: float) -> int:
    """Load the project, killed ``kills`` times before it may come to an end; ``seconds`` is what
    a load takes. Returns how often it was still at work when it was killed.
    """
    finish(start(directory, place, "init"))
    killed = 0
    for _ in range(kills):
        child = start(directory, place, "load", "--as-of", EPOCH)
        try:
            child.communicate(timeout=rng.uniform(0.2, 1) * seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            killed += 1
    finish(start(directory, place, "load", "--as-of", EPOCH))
    return killed


def answers(directory: Path, place: str) -> Sequence[dict[str, object]]:
    """Return the outputs for all users at times early, late and between."""
    with astrafs.load(directory).open_online(place) as online:
        times = [day * DAY for day in (5, 30, DAYS + 4)]
        return [online.get("m.v", user, at=t) for user in range(USERS) for t in times]
