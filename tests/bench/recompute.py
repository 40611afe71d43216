"""What a backfill costs after a change: the view of ``features/flights`` over all of its flights.

Run ``python -m tests.bench.recompute [--threads N]``. Each row is one ``astrafs backfill`` process
in a copy of the project. What was computed with kept columns is compared with a full run, to the
byte.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.bench.measure import ASTRAFS, ROOT, Measured, report, run

PROJECT = ROOT / "features" / "flights"
OLD, NEW = "Airport[origin].rain_6h > 0.1", "Airport[origin].rain_6h > 0.2"


def backfill(project: Path, threads: int, output: str, *options: str) -> Measured:
    """Compute the view into ``output``."""
    return run(
        (
            *ASTRAFS, "backfill", "departure_delay", "--spine", "data/spine.parquet", "--as-of",
            "2014-02-01", "--threads", str(threads), "-o", output, *options,
        ),
        cwd=project,
    )  # fmt: skip


def same(project: Path, left: str, right: str) -> None:
    """Stop unless two results are the same to the byte."""
    if (project / left).read_bytes() != (project / right).read_bytes():
        raise SystemExit(f"{left} and {right} differ")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    threads = parser.parse_args().threads
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "flights"
        shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("out", ".astrafs"))
        rows: list[tuple[str, Measured]] = []

        def measure(what: str, output: str, *options: str) -> None:
            rows.append((what, backfill(project, threads, output, *options)))

        measure("full run, nothing kept", "full.parquet", "--no-cache")
        measure("first run, columns kept", "first.parquet")
        measure("again, nothing changed", "again.parquet")
        for name in ("first", "again"):
            same(project, "full.parquet", f"{name}.parquet")
        text = (project / "departures.afs").read_text("utf-8")
        if OLD not in text:
            raise SystemExit(f"departures.afs no longer says {OLD}")
        (project / "departures.afs").write_text(text.replace(OLD, NEW), "utf-8")
        measure("one feature changed", "changed.parquet")
        spine = project / "data" / "spine.parquet"
        table = pq.read_table(spine)
        pq.write_table(pa.concat_tables([table, table.slice(0, 1000)]), spine)
        measure("1,000 rows appended", "appended.parquet")
        backfill(project, threads, "whole.parquet", "--no-cache")
        same(project, "whole.parquet", "appended.parquet")
        full = rows[0][1].seconds
        report(
            f"features/flights, departure_delay over {table.num_rows:,} rows, {threads} threads",
            [
                (what, f"{one.seconds:6.2f} s  {one.seconds / full:5.2f}  {one.megabytes:.0f} MB")
                for what, one in rows
            ],
        )


if __name__ == "__main__":
    main()
