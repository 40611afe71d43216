"""Windows over very many rows, from tiles and the blocks at their edges, equal the raw form."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.online import kept, merging, tiles
from astrafs.online.cache import SegmentCache
from astrafs.online.engine import Engine
from astrafs.online.heads import head_size
from astrafs.online.kept import StoredRows
from astrafs.online.layout import Layout
from astrafs.online.memory import Memory
from astrafs.online.store import MemoryStore
from astrafs.online.writer import Writer
from astrafs.source import SourceFile

MINUTE = 60_000_000
SPAN = 600

PROGRAM = """
owner "a@b.test"
entity User {{ user_id: int }}
## Orders.
source orders from csv("o.csv") key id time at {known} {{
  id: int
  user_id: User
  amount: float?
  cents: int
  name: string?
  known_at: timestamp
  at: timestamp
}}
features for User from orders {{{features}}}
view v for User {{ {names} }}
"""
WINDOWS = (
    "over all",
    "over 100m",
    "over 400m",
    "over [300m, 200m]",
    "over last 3",
    "over last 90",
    "over last 5 within 50m",
    'since day("UTC")',
)
CALLS = {
    "n{w}: int": "count()",
    "some{w}: int": "count(where cents > 3)",
    "total{w}: float": "sum(amount)",
    "whole{w}: int": "sum(cents)",
    "part{w}: float": "sum(amount where cents > 3)",
    "middle{w}: float?": "mean(amount)",
    "dev{w}: float?": "stddev(amount)",
    "spread{w}: float?": "var(cents)",
    "least{w}: float?": "min(amount)",
    "most{w}: int?": "max(cents where amount > 0.0)",
    "late{w}: float?": "last(amount where cents == 4)",
    "early{w}: int?": "first(cents where amount > 0.0)",
    "third{w}: int?": "nth_last(cents where cents > 2, 3)",
    "yes{w}: bool": "any(cents == 5)",
    "every{w}: bool": "all(cents < 5)",
    "words{w}: int": "count_distinct(name)",
    "half{w}: int?": "median(cents)",
    "texts{w}: list[string]": "collect(name, 3)",
}


def program(windows: tuple[str, ...], calls: dict[str, str], known: str) -> str:
    lines, names = [], []
    for place, window in enumerate(windows):
        for name, call in calls.items():
            lines.append(f"  ## Doc.\n  {name.replace('{w}', str(place))} = {call} {window}")
            names.append(name.split("{")[0] + str(place))
    return PROGRAM.format(known=known, features="\n".join(lines) + "\n", names=" ".join(names))


def rows(rng: Random, count: int) -> list[dict[str, Any]]:
    found = []
    for number in range(count):
        at = rng.randrange(SPAN) * MINUTE
        found.append(
            {
                "id": number,
                "user_id": rng.choice([1, 1, 1, 2]),
                "amount": rng.choice([None, 0.1, -2.5, 1e9, 1 / 3, rng.gauss(0, 1)]),
                "cents": rng.randrange(7),
                "name": rng.choice([None, "a", "b", "c"]),
                "known_at": at + rng.choice([0, 0, 0, 5 * MINUTE]),
                "at": at,
            }
        )
    return found


@pytest.mark.parametrize("known", ["", "known known_at", "delay 3m"])
@pytest.mark.parametrize("mergeable", [True, False])
def test_tiles_equal_raw_rows(monkeypatch: pytest.MonkeyPatch, known: str, mergeable: bool) -> None:
    monkeypatch.setattr(merging, "BLOCK_ROWS", 7)
    monkeypatch.setattr(merging, "FEW_BLOCKS", 3)
    monkeypatch.setattr(kept, "_FEW_BYTES", head_size(3))
    answered = []
    inner = tiles.Tiled.one

    def counted(self: tiles.Tiled, *given: Any) -> Any:
        found = inner(self, *given)
        answered.append(found is not None)
        return found

    monkeypatch.setattr(tiles.Tiled, "one", counted)
    for seed in range(2):
        rng = Random(seed)
        calls = dict(list(CALLS.items())[: 15 if mergeable else None])
        windows = tuple(rng.sample(WINDOWS, 3))
        sink = Sink()
        made = compile_project((SourceFile("m.afs", program(windows, calls, known)),), sink)
        assert made is not None, [found.title for found in sink]
        engine, given = Engine(made.plan), rows(rng, 140)
        layout, store = Layout(engine), MemoryStore()
        feed = Writer(layout, store)
        late = sorted(given, key=lambda row: row["at"] + rng.choice([0, 0, 0, 90 * MINUTE]))
        at = 0
        while at < len(late):
            size = rng.choice([3, 20, 40])
            assert not feed.ingest("m.orders", late[at : at + size]).refused
            at += size
        raw = Memory(engine, {"m.orders": given}, 2**62)
        asked = StoredRows(layout, store, 2**62, SegmentCache()).session
        times = [rng.randrange(-5, SPAN + 50) * MINUTE + rng.choice([0, 1]) for _ in range(12)]
        expected = [raw.session.view("m.v", (1,), t) for t in times]
        assert [asked.view("m.v", (1,), t) for t in times] == expected
        both = asked.columns("m.v", [(1,), (2,)] * 2, [times[0], times[1], times[2], times[0]])
        wanted = [expected[0], raw.session.view("m.v", (2,), times[1])]
        wanted += [expected[2], raw.session.view("m.v", (2,), times[0])]
        found = [
            tuple(tuple(one) if isinstance(one, list) else one for one in row)
            for row in zip(*(column.to_pylist() for column in both), strict=True)
        ]
        assert found == wanted
    assert answered.count(True) > 2
