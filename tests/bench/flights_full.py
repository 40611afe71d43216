"""All views of ``features/flights`` over every flight: time, peak memory, ratio to a plain scan.

Run ``python -m tests.bench.flights_full [--threads N]``. Each view is one ``astrafs backfill``
process; the named
alternative, in the same run, is a process that scans the same files with plain DuckDB.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

import astrafs
from tests.bench.measure import ASTRAFS, ROOT, emit, parse, report, run, script

PROJECT = ROOT / "features" / "flights"


def child_scan(folder: Path, threads: int) -> None:
    """Read every value of every data file of the project."""
    before = time.perf_counter()
    con = duckdb.connect(config={"threads": threads})
    for path in sorted((folder / "data").glob("*.parquet")):
        columns = [row[0] for row in con.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()]
        listed = ", ".join(f'max("{name}")::VARCHAR, count("{name}")' for name in columns)
        con.execute(f"SELECT {listed} FROM '{path}'").fetchall()
    emit(seconds=time.perf_counter() - before)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--project", type=Path, default=PROJECT)
    parser.add_argument("--spine", type=Path, help="the flights, default: the project's own spine")
    parser.add_argument("--as-of", default="2014-01-02")
    parser.add_argument("--child", choices=("scan",))
    asked = parser.parse_args()
    if asked.child:
        child_scan(asked.project, asked.threads)
        return
    project = astrafs.load(asked.project)
    spine = asked.spine or next(iter(sorted((asked.project / "data").glob("*spine*.parquet"))))
    scan = run(
        script(
            "tests.bench.flights_full", "--child", "scan", "--project", str(asked.project),
            "--threads", str(asked.threads),
        )
    )  # fmt: skip
    scanned = parse(scan)["seconds"]
    rows = [("plain DuckDB scan of the files", f"{scanned:.2f} s, {scan.megabytes:.0f} MB peak")]
    total = 0.0
    with tempfile.TemporaryDirectory() as folder:
        # The state views have outputs named as columns of the spine: they get its keys and times.
        keys = Path(folder) / "keys.parquet"
        columns = ["tailnum", "carrier", "origin", "dest", "t"]
        pq.write_table(pq.read_table(spine, columns=columns), keys)
        for view in project.views:
            asks = spine if view == "departures.departure_delay" else keys
            found = run(
                (
                    *ASTRAFS, "backfill", view, "--spine", str(asks), "--as-of", asked.as_of,
                    "--threads", str(asked.threads), "-o", str(Path(folder) / f"{view}.parquet"),
                    *(("--key", "faa=origin") if ".airport_" in view else ()),
                ),
                cwd=asked.project,
            )  # fmt: skip
            total += found.seconds
            rows.append((view, f"{found.seconds:.2f} s, {found.megabytes:.0f} MB peak"))
    rows.append(("all views", f"{total:.2f} s, {total / scanned:.1f} x the scan"))
    report(f"features/flights over {spine.name}, {asked.threads} threads", rows)


if __name__ == "__main__":
    main()
