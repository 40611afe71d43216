"""Workload W offline: ``python -m tests.bench.offline_w [--events N] [--spine N] [--runs N]``.

Every contender is a process of its own, from files to a Parquet file; they take turns, and the
table has the middle of the runs and its ratio to the floor: what DuckDB needs to scan and sort the
columns that are needed, and to write the output.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.bench import expert
from tests.bench.measure import ASTRAFS, Measured, emit, run, script
from tests.bench.workload import AS_OF, Size, write

OURS = {"astrafs, kernels": "auto", "astrafs, SQL": "sql"}
ROUNDED = ("total", "average", "spread", "food", "ratio")
"""Features that the expert's plan rounds as it goes."""


def child_floor(folder: Path, threads: int) -> None:
    """Scan and sort, and write an output of the same shape."""
    before = time.perf_counter()
    con = duckdb.connect(config={"threads": threads})
    reader = con.sql(
        "SELECT user_id, epoch_us(e.\"at\") AS t, amount, shop, category = 'c00' AS food "
        f"FROM '{folder}/events/all.parquet' e ORDER BY user_id, t, id"
    ).to_arrow_reader(65_536)
    for _ in reader:
        pass
    con.execute(f"CREATE TEMP TABLE o AS FROM '{folder}/shape.parquet'")
    middle = time.perf_counter()
    con.execute(f"COPY o TO '{folder}/floor.parquet'")
    emit(seconds=time.perf_counter() - before, writing=time.perf_counter() - middle)


def child_expert(folder: Path, threads: int) -> None:
    """Run the expert's plan."""
    con = duckdb.connect(config={"threads": threads, "temp_directory": str(folder / "spill")})
    con.execute("SET TimeZone = 'UTC'")
    files = (f"{folder}/events/all.parquet", f"{folder}/spine.parquet", f"{folder}/expert.parquet")
    for statement in expert.statements(*files):
        con.execute(statement)


def commands(folder: Path, threads: int, more: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Return the contenders as commands."""
    common = ("--folder", str(folder), "--threads", str(threads))
    found = {
        name: (
            *ASTRAFS, "backfill", "main.everything", "--project", str(folder), "--spine",
            str(folder / "spine.parquet"), "--as-of", AS_OF, "--threads", str(threads),
            "--no-cache", "--engine", engine, "-o", str(folder / f"{engine}.parquet"), *more,
        )
        for name, engine in OURS.items()
    }  # fmt: skip
    return {
        "floor: scan, sort, write": script("tests.bench.offline_w", "--child", "floor", *common),
        "best SQL plan by hand": script("tests.bench.offline_w", "--child", "expert", *common),
        **found,
    }


def differing(folder: Path) -> tuple[int, int]:
    """Return how many cells the expert's output shares with ours, and how many of them differ
    beyond its rounding.
    """
    ours, theirs = (pq.read_table(folder / f"{name}.parquet") for name in ("auto", "expert"))
    cells = wrong = 0
    for name in theirs.schema.names[1:]:
        left, right = (table.column(name).combine_chunks() for table in (ours, theirs))
        cells += len(left)
        if pa.types.is_list(left.type):
            wrong += int(left.to_pylist() != right.to_pylist())
            continue
        one, other = (
            column.cast(pa.float64()).to_numpy(zero_copy_only=False) for column in (left, right)
        )
        slack = 1e-5 if name.startswith(ROUNDED) else 0.0
        wrong += int((~np.isclose(one, other, rtol=slack, atol=slack * 100, equal_nan=True)).sum())
    return cells, wrong


def table(title: str, found: Mapping[str, Sequence[Measured]]) -> str:
    """Return the measurements as a Markdown table."""
    lines = [
        f"### {title}",
        "",
        f"{platform.machine()}, DuckDB {duckdb.__version__}, pyarrow {pa.__version__}, "
        f"numpy {np.__version__}, Python {platform.python_version()}",
        "",
        "| | seconds | processor seconds | peak MB | to the floor |",
        "|---|---|---|---|---|",
    ]
    ratios = _ratios(found)
    for name, runs in found.items():
        middle = sorted(runs, key=lambda one: one.seconds)[len(runs) // 2]
        lines.append(
            f"| {name} | {middle.seconds:.1f} | {middle.processor:.1f} | {middle.megabytes:.0f} "
            f"| {ratios[name]:.2f} |"
        )
    return "\n".join(lines) + "\n"


def _ratios(found: Mapping[str, Sequence[Measured]]) -> dict[str, float]:
    """Return the middle ratio of each contender to the floor of the same turn."""
    floors = next(iter(found.values()))
    return {
        name: sorted(one.seconds / floor.seconds for one, floor in zip(runs, floors, strict=False))[
            len(runs) // 2
        ]
        for name, runs in found.items()
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=float, default=10_000_000)
    parser.add_argument("--spine", type=float, default=1_000_000)
    parser.add_argument("--users", type=float, default=100_000)
    parser.add_argument("--skew", type=float, default=0.9)
    parser.add_argument("--amount", choices=("float", "int", "decimal"), default="float")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--without", nargs="*", default=(), help="contenders to leave out, by text")
    parser.add_argument("--memory-limit", default="")
    parser.add_argument("--child", choices=("floor", "expert"))
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.child:
        {"floor": child_floor, "expert": child_expert}[asked.child](asked.folder, asked.threads)
        return
    size = Size(int(asked.events), int(asked.spine), int(asked.users), asked.skew, asked.amount)
    with tempfile.TemporaryDirectory() as name:
        folder = asked.folder or Path(name)
        if not (folder / "spine.parquet").exists():
            write(folder, size)
        more = ("--memory-limit", asked.memory_limit) if asked.memory_limit else ()
        chosen = {
            name: command
            for name, command in commands(folder, asked.threads, more).items()
            if not any(text in name for text in asked.without)
        }
        # The floor writes what one of the others made.
        run(chosen["astrafs, kernels"])
        (folder / "shape.parquet").write_bytes((folder / "auto.parquet").read_bytes())
        found: dict[str, list[Measured]] = {name: [] for name in chosen}
        for _ in range(asked.runs):
            for name, command in chosen.items():
                found[name].append(run(command))
        title = (
            f"{size.events:,} events, {size.spine:,} spine rows, {size.users:,} customers, "
            f"skew {size.skew:g}, {size.amount} amounts, {asked.threads} threads"
        )
        sys.stdout.write(table(title, found))
        if (folder / "expert.parquet").exists():
            cells, wrong = differing(folder)
            sys.stdout.write(f"\n{cells:,} cells compared with the plan by hand, {wrong} differ\n")


if __name__ == "__main__":
    main()
