"""``astrafs backfill --resume``: a killed run leaves finished parts, and the next one goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli

ROOT = Path(__file__).resolve().parents[3]

# The key of a column names the compiler's own files, which may be edited while tests run.
CHILD = """
import sys
from astrafs.runtime import reuse
reuse.compiler = lambda: "test"
from astrafs.cli.app import main
main(sys.argv[1:])
"""


def start(project: Path, output: str, *options: str) -> subprocess.Popen[bytes]:
    """Start a backfill over the long spine in a process of its own; it prints into ``log``."""
    arguments = ("customer_vector", "--as-of", "2026-03-01", "--spine", "long.csv", "-o", output)
    with (project / "log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-c", CHILD, "backfill", *arguments, *options],
            cwd=project,
            env=dict(os.environ, PYTHONPATH=str(ROOT), NO_COLOR="1"),
            stdout=log,
            stderr=log,
        )


def finished(project: Path) -> int:
    """Return how many columns of parts are kept."""
    return len(list((project / ".astrafs" / "results").glob("*/*/*.arrow")))


@pytest.fixture
def long(shop: Path) -> Path:
    """Return the project with a spine of 600 different rows."""
    rows = [
        f"{number % 15},2026-02-{number % 28 + 1:02}T{number % 24:02}:{number % 60:02}:00Z"
        for number in range(600)
    ]
    (shop / "long.csv").write_text("customer_id,t\n" + "\n".join(rows) + "\n", "utf-8")
    return shop


def test_a_killed_run_is_resumed(long: Path) -> None:
    rng = random.Random(5)
    whole = start(long, "whole.parquet", "--no-cache")
    assert whole.wait(60) == 0
    assert finished(long) == 0
    most = 0
    for _ in range(3):
        child = start(long, "parts.parquet", "--resume", "--partition-rows", "50")
        deadline = time.monotonic() + 60
        while finished(long) <= most and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(rng.random() * 0.2)
        child.send_signal(signal.SIGKILL)
        child.wait(60)
        assert finished(long) > most
        most = finished(long)
    assert 0 < most <= 12 * 6
    last = start(long, "parts.parquet", "--resume", "--partition-rows", "50")
    assert last.wait(60) == 0, (long / "log").read_text()
    out = (long / "log").read_text()
    assert "  reused    " in out
    assert "of 600 rows whole" in out or "6 of 6 columns" in out
    assert finished(long) == 12 * 6
    assert (long / "parts.parquet").read_bytes() == (long / "whole.parquet").read_bytes()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--resume", "--no-cache"), "exclude each other"),
        (("--resume", "--quarantine", "aside"), "exclude each other"),
        (("--partition-rows", "10", "--quarantine", "aside"), "cannot be computed in parts"),
        (("--partition-rows", "0"), "--partition-rows"),
    ],
)
def test_options_that_contradict(
    long: Path, cli: Cli, options: tuple[str, ...], words: str
) -> None:
    assert long.is_dir()
    base = ("customer_vector", "--as-of", "2026-03-01", "--spine", "long.csv", "-o", "x.csv")
    found = cli("backfill", *base, *options)
    assert found.code == 2
    assert words in found.err


@pytest.mark.usefixtures("long")
def test_parts_need_a_spine(cli: Cli) -> None:
    base = ("backfill", "customer_vector", "--as-of", "2026-03-01", "-o", "x.csv")
    found = cli(*base, "--partition-rows", "10")
    assert "without a spine" in found.err
    assert found.code == 2
