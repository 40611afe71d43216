"""Rows into an online store: ingested one by one and in batches, and loaded from files.

Run ``python -m tests.bench.online_ingest [--rows N] [--load N] [--flights]``. The named alternative
in the same run is a plain SQLite table with a primary key that takes the same rows in the same
batches, with the same flushing: what it costs only to have them on disk. Processor seconds stand
beside wall seconds, for machines that do other things too.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import astrafs
from astrafs.values.text import instant_text
from tests.bench.measure import (
    ASTRAFS,
    ROOT,
    emit,
    own_peak,
    parse,
    report,
    run,
    script,
)
from tests.redis_server import RedisServer, find_redis_server

PROGRAM = """
owner "bench@acme.test"
entity User { user_id: int }

source orders from parquet("orders.parquet") key id time at {
  id:      int
  user_id: User
  amount:  float
  kind:    enum("web", "till")
  at:      timestamp
  expect amount >= 0
}

features for User from orders {
  for w in [1h, 1d, 7d, 30d] {
    ## Orders.
    n_{w}: int = count() over w
    ## Amount.
    sum_{w}: float = sum(amount) over w
  }
}
view user for User { for w in [1h, 1d, 7d, 30d] { n_{w} sum_{w} } }
"""
AS_OF = "2027-01-01T00:00:00Z"
START = 1_767_225_600_000_000
SINGLE = 300

Row = dict[str, object]


def table(rows: int, users: int) -> pa.Table:
    """Orders of a year, in the order of their times."""
    chance = random.Random(7)
    step = 360 * 86_400_000_000 // rows
    return pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            "user_id": pa.array([chance.randrange(users) for _ in range(rows)], pa.int64()),
            "amount": pa.array([chance.random() * 100 for _ in range(rows)]),
            "kind": pa.array([chance.choice(("web", "till")) for _ in range(rows)]),
            "at": pa.array([START + at * step for at in range(rows)], pa.timestamp("us", "UTC")),
        }
    )


def project(directory: Path, rows: int, users: int) -> None:
    """Write the program and its file."""
    directory.mkdir(exist_ok=True)
    (directory / "m.afs").write_text(PROGRAM)
    pq.write_table(table(rows, users), directory / "orders.parquet", row_group_size=100_000)


def objects(rows: pa.Table) -> list[Row]:
    """Return rows as JSON has them."""
    found = rows.set_column(4, "at", rows.column("at").cast(pa.int64())).to_pylist()
    for row in found:
        row["at"] = instant_text(row["at"])
    return found


class Plain:
    """A table of one's own in SQLite, flushed at every commit."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        columns = "id INTEGER PRIMARY KEY, user_id INT, amount REAL, kind TEXT, at TEXT"
        self._connection.execute(f"CREATE TABLE orders ({columns})")

    def take(self, rows: Sequence[Row]) -> None:
        """Insert rows in one transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(
            "INSERT OR IGNORE INTO orders VALUES (:id, :user_id, :amount, :kind, :at)", rows
        )
        self._connection.execute("COMMIT")


def pace(
    rows: Sequence[Row], batch: int, take: Callable[[Sequence[Row]], object]
) -> tuple[float, float]:
    """Return rows per second, and per second that this process worked."""
    before, worked = time.perf_counter(), time.process_time()
    for start in range(0, len(rows), batch):
        take(rows[start : start + batch])
    return (
        len(rows) / (time.perf_counter() - before),
        len(rows) / (time.process_time() - worked),
    )


def ingested(place: str, rows: int) -> None:
    """Measure ingestion in this process: JSON rows singly, by 100 and 10,000, and Arrow."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        project(home, 10, 10)
        given = table(rows, max(rows // 50, 1))
        cases = [
            ("1", objects(given.slice(0, SINGLE)), 1),
            ("100", objects(given.slice(SINGLE, 10_000)), 100),
            ("10,000", objects(given.slice(10_000 + SINGLE)), 10_000),
        ]
        plain = Plain(home / "plain.sqlite")
        found: dict[str, object] = {}
        with astrafs.load(home).open_online(place or None, create=True) as online:
            for title, part, batch in cases:
                ours = pace(part, batch, lambda some: online.ingest("orders", some))
                theirs = pace(part, batch, plain.take)
                found[title] = (ours, theirs)
            shifted = given.set_column(0, "id", pa.array(range(rows, 2 * rows), pa.int64()))
            before, worked = time.perf_counter(), time.process_time()
            online.ingest("orders", shifted)
            wall, work = time.perf_counter() - before, time.process_time() - worked
            found["Arrow"] = ((rows / wall, rows / work), None)
        emit(paces=json.dumps(found), megabytes=own_peak())


def ingestion(kind: str, rows: int) -> None:
    """Print ingestion into stores of one kind."""
    if kind == "redis":
        program = find_redis_server()
        if program is None:
            report("into Redis", [("no server", "redis-server is not installed")])
            return
        with (
            tempfile.TemporaryDirectory() as name,
            RedisServer(program, Path(name)) as server,
        ):
            done = run(script(__spec__.name, "--child", server.place(), "--rows", str(rows)))
    else:
        done = run(script(__spec__.name, "--child", "", "--rows", str(rows)))
    found = parse(done)
    lines = []
    for title, (ours, theirs) in json.loads(str(found["paces"])).items():
        ratio = ""
        if theirs:
            ratio = f"; a plain table {theirs[0]:,.0f} ({theirs[0] / ours[0]:.1f} times)"
        text = f"{ours[0]:,.0f} rows/s, {ours[1]:,.0f} per processor second{ratio}"
        lines.append((f"batches of {title}", text))
    lines.append(("peak memory", f"{found['megabytes']:,.0f} MB"))
    report(f"ingest into {kind}, rows written and flushed", lines)


def loading(title: str, home: Path, rows: int, place: Path) -> None:
    """Print a load of a project through the command line."""
    options = ("--project", str(home), "--store", str(place))
    run((*ASTRAFS, "online", "init", *options))
    done = run((*ASTRAFS, "online", "load", "--as-of", AS_OF, *options))
    size = sum(one.stat().st_size for one in place.rglob("*") if one.is_file())
    report(
        f"load {title}",
        [
            ("wall", f"{done.seconds:,.1f} s, {rows / done.seconds:,.0f} rows/s"),
            ("processor", f"{done.processor:,.1f} s, {rows / done.processor:,.0f} rows/s"),
            ("peak memory", f"{done.megabytes:,.0f} MB"),
            ("on disk", f"{size / 1e6:,.0f} MB"),
        ],
    )


def main(arguments: Sequence[str]) -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--load", type=int, default=1_000_000)
    parser.add_argument("--flights", action="store_true")
    parser.add_argument("--child", default=None, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child is not None:
        ingested(given.child, given.rows)
        return
    for kind in ("SQLite", "redis"):
        ingestion(kind, given.rows)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "project"
        project(home, given.load, max(given.load // 50, 1))
        loading(f"{given.load:,} rows, 8 features", home, given.load, Path(name) / "store")
        if given.flights:
            flights = ROOT / "features" / "flights"
            loading("336,776 flights, all views", flights, 336_776, Path(name) / "flights")


if __name__ == "__main__":
    main(sys.argv[1:])
