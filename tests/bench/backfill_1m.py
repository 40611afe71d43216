"""A backfill of 20 features over 4 windows: 1,000,000 events, 100,000 spine rows.

Run ``python -m tests.bench.backfill_1m [--events N] [--spine N]``. In the same run, as processes
of their own: a
plain DuckDB scan of the same columns, and the naive range join in SQL on a sample of the spine,
whose answers
are also compared with ours.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.bench.measure import ASTRAFS, Measured, emit, parse, report, run, script

BASE = 1_767_225_600_000_000
DAY = 86_400_000_000
SPAN = 90 * DAY
WINDOWS = {"1h": 3_600_000_000, "1d": DAY, "7d": 7 * DAY, "30d": 30 * DAY}
AGGREGATES = {
    "n": ("int", "count()"),
    "total": ("float", "sum(amount)"),
    "mean": ("float?", "mean(amount)"),
    "top": ("float?", "max(amount)"),
    "shops": ("int", "count_distinct(shop)"),
}
NAIVE = {
    "n": "count(e.user_id) {}",
    "total": "coalesce(fsum(e.amount) {}, 0)",
    "mean": "avg(e.amount) {}",
    "top": "max(e.amount) {}",
    "shops": "count(DISTINCT e.shop) {}",
}
AS_OF = "2026-12-31"


def project_text() -> str:
    """Return the program: one source, one template, one view."""
    body = "\n".join(
        f"    ## {name} of the past {{w}}.\n    {name}_{{w}}: {kind} = {value} over w"
        for name, (kind, value) in AGGREGATES.items()
    )
    outputs = "\n".join(f"  {name}_{window}" for window in WINDOWS for name in AGGREGATES)
    return f"""owner "bench@acme.test"

## A customer.
entity User {{ user_id: int }}

## Payments.
source events from parquet("events/*.parquet") key id time at {{
  id:      int
  user_id: User
  amount:  float
  shop:    int
  at:      timestamp
}}

features for User from events {{
  for w in [{", ".join(WINDOWS)}] {{
{body}
  }}
}}

## All of it.
view everything for User {{
{outputs}
}}
"""


def write_inputs(folder: Path, events: int, spine: int) -> None:
    """Write the project, its events (four files) and the spine."""
    rng = np.random.default_rng(7)
    (folder / "events").mkdir()
    (folder / "main.afs").write_text(project_text(), encoding="utf-8")
    (folder / "astrafs.toml").write_text("", encoding="utf-8")
    users = max(1, events // 50)
    stamp = pa.timestamp("us", tz="UTC")
    table = pa.table(
        {
            "id": pa.array(np.arange(events)),
            "user_id": pa.array(rng.integers(0, users, events)),
            "amount": pa.array(np.round(rng.gamma(2.0, 30.0, events), 2)),
            "shop": pa.array(rng.integers(0, 500, events)),
            "at": pa.array(BASE + rng.integers(0, SPAN, events)).cast(stamp),
        }
    )
    for number in range(4):
        part = table.slice(number * events // 4, events // 4)
        pq.write_table(part, folder / "events" / f"part-{number}.parquet")
    questions = pa.table(
        {
            "user_id": pa.array(rng.integers(0, users, spine)),
            "t": pa.array(BASE + rng.integers(0, SPAN, spine)).cast(stamp),
        }
    )
    pq.write_table(questions, folder / "spine.parquet")


def child_scan(folder: Path, threads: int) -> None:
    """Read every value of the columns that the features read."""
    before = time.perf_counter()
    con = duckdb.connect(config={"threads": threads})
    con.execute(
        "SELECT sum(user_id), sum(amount), sum(shop), max(epoch_us(e.at)), max(id) "
        f"FROM '{folder}/events/*.parquet' e"
    ).fetchall()
    emit(seconds=time.perf_counter() - before)


def _within(length: int) -> str:
    return f"FILTER (WHERE s.t - e.at <= to_microseconds({length}))"


def child_naive(folder: Path, threads: int, sample: int) -> None:
    """Answer the first ``sample`` spine rows by a join on the range of times."""
    before = time.perf_counter()
    con = duckdb.connect(config={"threads": threads})
    outputs = ", ".join(
        f"{value.format(_within(length))} AS {name}_{window}"
        for window, length in WINDOWS.items()
        for name, value in NAIVE.items()
    )
    longest = max(WINDOWS.values())
    con.execute("SET TimeZone = 'UTC'")
    con.execute(
        f"""COPY (
          WITH s AS (
            SELECT row_number() OVER () AS i, * FROM '{folder}/spine.parquet' LIMIT {sample})
          SELECT s.i, {outputs}
          FROM s LEFT JOIN '{folder}/events/*.parquet' e
            ON e.user_id = s.user_id AND e.at < s.t AND e.at >= s.t - to_microseconds({longest})
          GROUP BY s.i ORDER BY s.i
        ) TO '{folder}/naive.parquet' (FORMAT parquet)"""
    )
    emit(seconds=time.perf_counter() - before)


def agreement(folder: Path, sample: int) -> tuple[int, int]:
    """Return how many values were compared with the naive join's.

    And how many differ beyond its rounding.
    """
    ours = pq.read_table(folder / "out.parquet").slice(0, sample)
    theirs = pq.read_table(folder / "naive.parquet")
    wrong = compared = 0
    for name in theirs.schema.names[1:]:
        left = ours.column(name).to_pandas().to_numpy(dtype=float)
        right = theirs.column(name).to_pandas().to_numpy(dtype=float)
        compared += len(left)
        # The engine's own float aggregates are rounded in an order of their own.
        wrong += int((~np.isclose(left, right, rtol=1e-9, atol=0, equal_nan=True)).sum())
    return compared, wrong


def measure(folder: Path, threads: int, sample: int) -> tuple[Measured, Measured, Measured]:
    """Run the three processes."""
    command = (
        *ASTRAFS, "backfill", "everything", "--project", str(folder), "--spine",
        str(folder / "spine.parquet"), "--as-of", AS_OF, "--threads", str(threads),
        "-o", str(folder / "out.parquet"),
    )  # fmt: skip
    ours = run(command, cwd=folder)
    common = ("--folder", str(folder), "--threads", str(threads), "--sample", str(sample))
    scan = run(script("tests.bench.backfill_1m", "--child", "scan", *common))
    naive = run(script("tests.bench.backfill_1m", "--child", "naive", *common))
    return ours, scan, naive


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--spine", type=int, default=100_000)
    parser.add_argument("--sample", type=int, default=2_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--child", choices=("scan", "naive"))
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    if asked.child == "scan":
        child_scan(asked.folder, asked.threads)
        return
    if asked.child == "naive":
        child_naive(asked.folder, asked.threads, asked.sample)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder, asked.events, asked.spine)
        ours, scan, naive = measure(folder, asked.threads, asked.sample)
        compared, wrong = agreement(folder, asked.sample)
    scanned, joined = parse(scan)["seconds"], parse(naive)["seconds"]
    whole = joined * asked.spine / asked.sample
    report(
        f"backfill: {asked.events:,} events, {asked.spine:,} spine rows, 20 features, 4 windows, "
        f"{asked.threads} threads",
        [
            (
                "astrafs backfill, whole process",
                f"{ours.seconds:.2f} s, {ours.megabytes:.0f} MB peak",
            ),
            ("plain DuckDB scan of the columns", f"{scanned:.3f} s, {scan.megabytes:.0f} MB peak"),
            ("ratio to the scan", f"{ours.seconds / scanned:.1f} x"),
            (
                f"naive range join, {asked.sample:,} rows",
                f"{joined:.2f} s, {naive.megabytes:.0f} MB peak",
            ),
            (
                "naive range join, all rows (scaled)",
                f"{whole:.1f} s, {whole / ours.seconds:.1f} x ours",
            ),
            ("values compared with the naive join", f"{compared:,}, {wrong} beyond its rounding"),
        ],
    )


if __name__ == "__main__":
    main()
