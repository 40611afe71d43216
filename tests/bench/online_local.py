"""Serving in one process: ``python -m tests.bench.online_local``. Prints rows of a Markdown table.

40 windowed features of one entity (counts, sums, means, deviations, extremes, filtered sums,
different values, last values over 1 h, 1 d, 7 d and 30 d) from a SQLite store; beside them 28
separate calls of ``pyarrow.compute`` over columns that are already in memory, in the same run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.online.cache import SegmentCache
from astrafs.online.engine import Engine
from astrafs.online.kept import StoredRows
from astrafs.online.layout import Layout
from astrafs.online.sqlite_store import SqliteStore
from astrafs.online.store import Store
from astrafs.online.writer import Writer
from astrafs.source import SourceFile

HOUR = 3_600_000_000
DAY = 24 * HOUR
SPAN = 40 * DAY
_EVER = 2**63 - 1

_WINDOWS = ("1h", "1d", "7d", "30d")
_PER_WINDOW = """
  ## Number.
  n_{w}: int = count() over {w}
  ## Sum.
  total_{w}: float = sum(amount) over {w}
  ## Mean.
  mean_{w}: float? = mean(amount) over {w}
  ## Deviation.
  dev_{w}: float? = stddev(amount) over {w}
  ## Least.
  least_{w}: float? = min(amount) over {w}
  ## Most.
  most_{w}: float? = max(amount) over {w}
  ## Sum of one kind.
  total0_{w}: float = sum(amount where kind == 0) over {w}
  ## Number of another kind.
  n1_{w}: int = count(where kind == 1) over {w}
"""
_OTHERS = """
  ## Different merchants.
  shops_7d: int = count_distinct(merchant) over 7d
  ## Different merchants.
  shops_30d: int = count_distinct(merchant) over 30d
  ## Latest.
  last1: float? = last(amount) over all
  ## The one before.
  last2: float? = nth_last(amount, 2) over all
  ## And before.
  last3: float? = nth_last(amount, 3) over all
  ## All.
  n_all: int = count() over all
  ## A share.
  share: float? = to_float(n_1d) / to_float(n_30d)
  ## Mean so far.
  mean_all: float? = mean(amount) over all
"""
_BOUNDED = _OTHERS.replace("over all", "over 30d")


def program(*, unbounded: bool, distinct: bool = True) -> str:
    """Return the text of 40 features, 38 without numbers of ``distinct`` values."""
    features = "".join(_PER_WINDOW.replace("{w}", window) for window in _WINDOWS)
    features += _OTHERS if unbounded else _BOUNDED
    if not distinct:
        before, _, rest = features.partition("  ## Different merchants.")
        features = before + rest[rest.index("  ## Latest.") :]
    names = [line.split(":")[0].strip() for line in features.splitlines() if " = " in line]
    return f"""
owner "a@b.test"
entity User {{ user_id: int }}
## Orders.
source orders from csv("o.csv") key id time at {{
  id: int
  user_id: User
  amount: float
  kind: int
  merchant: int
  at: timestamp
}}
features for User from orders {{{features}}}
view v for User {{ {" ".join(names)} }}
"""


def layout_of(text: str) -> Layout:
    """Return what a store keeps for a program."""
    sink = Sink()
    compiled = compile_project((SourceFile("m.afs", text),), sink)
    assert compiled is not None, [found.title for found in sink]
    return Layout(Engine(compiled.plan))


def orders(user: int, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield rows of one user, by time."""
    rng = Random(seed)
    times = sorted(rng.randrange(SPAN) for _ in range(count))
    for place, at in enumerate(times):
        yield {
            "id": user * 10_000_000 + place,
            "user_id": user,
            "amount": round(rng.lognormvariate(3.2, 1.3), 2),
            "kind": rng.randrange(20),
            "merchant": rng.randrange(1, 5000),
            "at": at,
        }


def fill(layout: Layout, store: Store, users: int, events: int) -> None:
    """Put ``events`` rows for each of ``users`` into a store."""
    writer = Writer(layout, store)
    waiting: list[dict[str, Any]] = []
    for user in range(users):
        waiting += orders(user, events, user)
        if len(waiting) >= 50_000 or user == users - 1:
            writer.ingest("m.orders", waiting)
            waiting = []


def quantiles(ask: Callable[[int], object], times: int, warm: int) -> tuple[float, float]:
    """Return the middle and the 99th of 100 of the microseconds of a call."""
    for turn in range(warm):
        ask(turn)
    found = np.empty(times)
    for turn in range(times):
        began = time.perf_counter_ns()
        ask(turn)
        found[turn] = time.perf_counter_ns() - began
    return float(np.percentile(found, 50)) / 1e3, float(np.percentile(found, 99)) / 1e3


def separate(count: int) -> Callable[[int], object]:
    """Return 28 aggregates as separate calls of ``pyarrow.compute`` over columns in memory."""
    rows = list(orders(0, count, 0))
    at = np.array([row["at"] for row in rows])
    amount = pa.array([row["amount"] for row in rows])
    kind = pa.array([row["kind"] for row in rows])

    def ask(_turn: int) -> object:
        found: list[object] = []
        for back in (HOUR, DAY, 7 * DAY, 30 * DAY):
            low = int(at.searchsorted(SPAN - back))
            part, kinds = amount.slice(low), kind.slice(low)
            found += [pc.count(part).as_py(), pc.sum(part).as_py(), pc.mean(part).as_py()]
            found.append(pc.stddev(part, ddof=1).as_py())
            ends = pc.min_max(part)
            found += [ends["min"].as_py(), ends["max"].as_py()]
            found.append(pc.sum(part.filter(pc.equal(kinds, 0))).as_py())
        return found

    return ask


def one_entity(directory: Path, events: int) -> None:
    """Measure one entity, warm, and without anything remembered."""
    layout = layout_of(program(unbounded=True))
    store = SqliteStore(directory / f"one{events}", create=True)
    fill(layout, store, 1, events)
    cache = SegmentCache()

    def warm(turn: int) -> object:
        return StoredRows(layout, store, _EVER, cache).session.view("m.v", (0,), SPAN + turn)

    def cold(turn: int) -> object:
        kept = StoredRows(layout, store, _EVER, SegmentCache())
        return kept.session.view("m.v", (0,), SPAN + turn)

    base, _ = quantiles(separate(events), 500, 50)
    for name, ask in (("warm", warm), ("cold cache", cold)):
        middle, late = quantiles(ask, 2000 if name == "warm" else 300, 50)
        row(
            f"one entity, 40 features, {events:,} events, {name}",
            f"p50 {middle:,.0f} us, p99 {late:,.0f} us",
            f"{base / middle:.1f}x faster than 28 separate pyarrow.compute calls ({base:,.0f} us)",
        )
    store.close()


def many_entities(directory: Path) -> None:
    """Measure 1,000 entities in one call."""
    layout = layout_of(program(unbounded=True))
    store = SqliteStore(directory / "many", create=True)
    fill(layout, store, 1000, 1000)
    cache = SegmentCache(2 << 30)
    keys = [(user,) for user in range(1000)]
    features = len(layout.engine.plan.views[0].outputs)

    def ask(used: SegmentCache, turn: int) -> object:
        asked = StoredRows(layout, store, _EVER, used).session
        return asked.columns("m.v", keys, [SPAN + turn] * len(keys))

    cold, _ = quantiles(lambda turn: ask(SegmentCache(2 << 30), turn), 3, 0)
    middle, _ = quantiles(lambda turn: ask(cache, turn), 20, 3)
    for name, taken in (("warm", middle), ("cold cache", cold)):
        row(
            f"1,000 entities of 1,000 events in one call, {name}",
            f"{taken / 1e3:,.0f} ms",
            f"{features * 1000 / taken:.2f} M feature values/s",
        )
    store.close()


def very_many(directory: Path, events: int) -> None:
    """Measure one entity with very many events: from tiles, and from all rows that windows hold."""
    layout = layout_of(program(unbounded=True, distinct=False))
    store = SqliteStore(directory / "very", create=True)
    writer = Writer(layout, store)
    given = orders(0, events, 0)
    while part := list(islice(given, 50_000)):
        writer.ingest("m.orders", part)
    (shape,) = layout.shapes
    place = layout.head_key(shape, (0,))

    def tiled(cache: SegmentCache, turn: int) -> object:
        kept = StoredRows(layout, store, _EVER, cache)
        return kept.session.view("m.v", (0,), SPAN + turn)

    def raw(cache: SegmentCache, turn: int) -> object:
        kept = StoredRows(layout, store, _EVER, cache)
        (head,) = store.get((place,))
        assert head is not None
        sweep = layout.engine.root("m.v").asked[0].sweep
        return sweep.one(kept.whole(shape, place, head, None).at(SPAN + turn, _EVER), SPAN + turn)

    cache = SegmentCache()
    slow, _ = quantiles(lambda turn: raw(SegmentCache(8 << 30), turn), 2, 0)
    cold, _ = quantiles(lambda turn: tiled(SegmentCache(), turn), 10, 1)
    warm, late = quantiles(lambda turn: tiled(cache, turn), 300, 5)
    what = f"one entity of {events:,} events, 38 features"
    row(f"{what}, all rows, cold cache", f"{slow / 1e3:,.0f} ms", "")
    row(f"{what}, tiles, cold cache", f"{cold / 1e3:,.1f} ms", f"{slow / cold:,.0f}x faster")
    row(f"{what}, tiles, warm", f"p50 {warm:,.0f} us, p99 {late:,.0f} us", "")
    store.close()


def ingest(directory: Path) -> None:
    """Measure rows per second, one by one and in batches: by time, but for one in 50 a day late."""
    layout = layout_of(program(unbounded=False))
    given = [one for user in range(1000) for one in orders(user, 60, user)]
    late = Random(5)
    given.sort(key=lambda one: one["at"] + (DAY if late.random() < 0.02 else 0))
    for size, count in ((1, 1500), (100, 10_000), (10_000, 40_000)):
        store = SqliteStore(directory / f"ingest{size}", create=True)
        writer = Writer(layout, store)
        began = time.perf_counter()
        for low in range(0, count, size):
            writer.ingest("m.orders", given[low : low + size])
        seconds = time.perf_counter() - began
        row(
            f"ingest, {size:,} rows per call, 1,000 keys, SQLite synchronous=FULL",
            f"{count / seconds:,.0f} rows/s",
            f"{seconds / (count / size) * 1e3:.2f} ms per call",
        )
        store.close()


def row(what: str, *cells: str) -> None:
    """Print a row of the table."""
    sys.stdout.write(f"| {what} | {' | '.join(cells)} |\n")
    sys.stdout.flush()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="one, many, tiles, ingest")
    parser.add_argument("--events", type=int, default=1_000_000, help="events of the great entity")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        if asked.only in ("", "one"):
            one_entity(directory, 1000)
            one_entity(directory, 10_000)
        if asked.only in ("", "many"):
            many_entities(directory)
        if asked.only in ("", "tiles"):
            very_many(directory, asked.events)
        if asked.only in ("", "ingest"):
            ingest(directory)


if __name__ == "__main__":
    main()
