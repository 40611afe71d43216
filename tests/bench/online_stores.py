"""What the online stores cost over the databases below them, and how fast they are back after a
kill.

Run ``python -m tests.bench.online_stores [--rows N]``. The named alternative in the same run is the
plain client: one `SELECT` of Python's sqlite3, one `MGET` or `MULTI` of redis-py, of the same blobs
in the same kind of table, with the same flushing. Rows of Markdown go to standard output.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import redis

from astrafs.online.store import Store
from astrafs.online.stores import open_store
from tests.bench.measure import ROOT
from tests.crash.feed import Batch, Served, batch
from tests.redis_server import RedisServer, find_redis_server

ENTRIES = 5_000
BLOB = 4_096
ROUNDS = 7
"""Times that each pair is measured, ours and the plain one in turn."""
CALLS = 300

Blobs = dict[bytes, bytes]


class PlainSqlite:
    """A table of blobs, as one would write it."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA page_size = 8192")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE t (k BLOB PRIMARY KEY, v BLOB NOT NULL)")

    def get(self, keys: Sequence[bytes]) -> list[Any]:
        """Select the values of ``keys``."""
        holes = ",".join("?" * len(keys))
        sql = f"SELECT v FROM t WHERE k IN ({holes})"
        return self._connection.execute(sql, keys).fetchall()

    def write(self, changes: Blobs) -> None:
        """Replace entries in one transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany("REPLACE INTO t VALUES (?, ?)", changes.items())
        self._connection.execute("COMMIT")


class PlainRedis:
    """Keys of Redis, as one would use them."""

    def __init__(self, path: Path) -> None:
        self._client = redis.Redis(unix_socket_path=str(path))

    def get(self, keys: Sequence[bytes]) -> Any:
        """Get the values of ``keys``."""
        return self._client.mget(keys)

    def write(self, changes: Blobs) -> None:
        """Set entries in one transaction."""
        with self._client.pipeline(transaction=True) as pipe:
            pipe.mset(changes)
            pipe.execute()


def per_second(work: Callable[[], object], calls: int) -> float:
    """Return how often a second ``work`` runs."""
    started = time.perf_counter()
    for _ in range(calls):
        work()
    return calls / (time.perf_counter() - started)


def compare(ours: Store, plain: PlainSqlite | PlainRedis) -> Iterator[str]:
    """Yield a row of the table for each kind of call: ours, plain, and the middle ratio."""
    rng = Random(0)
    blobs = {rng.randbytes(24): rng.randbytes(BLOB) for _ in range(ENTRIES)}
    keys = list(blobs)
    for start in range(0, ENTRIES, 500):
        part = {key: blobs[key] for key in keys[start : start + 500]}
        ours.write(part)
        plain.write(part)

    def fresh(number: int) -> Blobs:
        # An entry that is given the value which it has is not written at all.
        return {key: rng.randbytes(BLOB) for key in rng.sample(keys, number)}

    def swap(count: int) -> None:
        changes = fresh(count)
        first = next(iter(changes))
        assert ours.write(changes, {first: blobs[first]})
        blobs.update(changes)

    kinds: dict[str, tuple[Callable[[], object], Callable[[], object], int]] = {}
    for count in (1, 10, 100):
        kinds[f"get {count}"] = (
            lambda count=count: ours.get(rng.sample(keys, count)),
            lambda count=count: plain.get(rng.sample(keys, count)),
            CALLS,
        )
    for count in (1, 20):
        kinds[f"write {count}, one expected"] = (
            lambda count=count: swap(count),
            lambda count=count: plain.write(fresh(count)),
            CALLS // 3,
        )
    for name, (mine, other, calls) in kinds.items():
        pairs = [(per_second(mine, calls), per_second(other, calls)) for _ in range(ROUNDS)]
        ours_rate = statistics.median(one for one, _ in pairs)
        plain_rate = statistics.median(one for _, one in pairs)
        ratio = statistics.median(one / two for one, two in pairs)
        yield f"{name} | {ours_rate:,.0f} | {plain_rate:,.0f} | {ratio:.2f}"


def many_rows(rows: int) -> Iterator[Batch]:
    """Yield batches with so many rows in all, thousands in each."""
    given, number = 0, 0
    while given < rows:
        found: dict[str, list[dict[str, Any]]] = {}
        for _ in range(200):
            one = batch(5, number)
            found.setdefault(one.source, []).extend(one.rows)
            number += 1
        for source, part in found.items():
            yield Batch(source, part)
            given += len(part)


def opened(place: str) -> float:
    """Return the milliseconds from nothing to the first answers over ``place``, in this process."""
    started = time.perf_counter()
    store = open_store(place)
    served = Served(store)
    served.answers()
    seconds = time.perf_counter() - started
    store.close()
    return seconds * 1000


def killed_writer(place: str) -> None:
    """Let a process ingest for a while, and kill it."""
    command = [sys.executable, "-m", "tests.crash.child", place, "9", "0"]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for _ in range(20):
        assert child.stdout.readline().strip().isdecimal()
    child.kill()
    child.communicate()


def recovery(place: str, rows: int) -> tuple[float, float, float]:
    """Return rows per second of filling, and milliseconds to the first answers: after an orderly
    end, and after a kill.
    """
    store = open_store(place, create=True)
    served = Served(store)
    batches = list(many_rows(rows))
    started = time.perf_counter()
    taken = sum(served.ingest(one).taken for one in batches)
    rate = taken / (time.perf_counter() - started)
    store.close()
    orderly = min(opened(place) for _ in range(3))
    killed_writer(place)
    return rate, orderly, opened(place)


@contextmanager
def servers(program: str) -> Iterator[tuple[Path, RedisServer]]:
    """A directory and a Redis server in it, both gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "redis").mkdir()
        with RedisServer(program, directory / "redis") as server:
            yield directory, server


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.online_stores")
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    program = find_redis_server()
    if program is None:
        raise SystemExit("redis-server is not installed (apt-get install redis-server)")
    out = sys.stdout.write
    with servers(program) as (directory, server):
        out(f"| store | call ({BLOB} byte values) | ours/s | plain/s | ours/plain |\n")
        out("|---|---|---:|---:|---:|\n")
        sqlite_store = open_store(directory / "store", create=True)
        for row in compare(sqlite_store, PlainSqlite(directory / "plain.sqlite")):
            out(f"| SQLite, FULL | {row} |\n")
        redis_store = open_store(server.place(), create=True)
        for row in compare(redis_store, PlainRedis(server.socket)):
            out(f"| Redis, appendfsync always | {row} |\n")
        out("\n| store | rows | ingested/s | first answers, ms |")
        out(" after a kill, ms | of it the server, ms |\n")
        out("|---|---:|---:|---:|---:|---:|\n")
        rate, orderly, killed = recovery(str(directory / "rows"), options.rows)
        out(f"| SQLite | {options.rows:,} | {rate:,.0f} | {orderly:,.0f} | {killed:,.0f} | |\n")
        rate, orderly, _ = recovery(server.place("rows"), options.rows)
        server.kill()
        started = time.perf_counter()
        server.start()
        loading = (time.perf_counter() - started) * 1000
        killed = loading + opened(server.place("rows"))
        out(f"| Redis | {options.rows:,} | {rate:,.0f} | {orderly:,.0f} | {killed:,.0f} |")
        out(f" {loading:,.0f} |\n")
        sqlite_store.close()
        redis_store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
