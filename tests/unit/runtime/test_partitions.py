"""Rows put in the order of their keys, in memory and through files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from astrafs.runtime import partitions
from astrafs.runtime.partitions import Partitions, in_order

KEYS = 700


def _rows(count: int) -> pa.Table:
    rng = np.random.default_rng(3)
    keys = np.minimum(rng.integers(1, KEYS + 1, count), rng.integers(1, KEYS + 1, count))
    return pa.table(
        {
            "@kid": pa.array(keys),
            "@e": pa.array(rng.integers(-50, 50, count)),
            "id": pa.array([None if n % 97 == 0 else f"row {n % 89}" for n in range(count)]),
            "n": pa.array(np.arange(count)),
        }
    )


@pytest.mark.parametrize("budget", [0, 60_000, 1 << 40])
def test_every_row_comes_once_in_order(
    budget: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "_BLOCK", 1_000)
    table = _rows(5_300)
    asked = np.arange(KEYS + 2) * 2
    found = Partitions(table.schema, KEYS, budget, tmp_path)
    for batch in table.to_batches(300):
        found.add(batch)
    parts, lasts = [], []
    for one in found.ranges(400, asked):
        parts.append(in_order(one.pieces, table.schema, ("id", "n")))
        lasts.append(one.last)
        assert len(parts[-1]) == one.count
    assert lasts == sorted(set(lasts))
    assert lasts[-1] == KEYS
    assert len(lasts) > 5
    order = [(name, "ascending") for name in table.column_names]
    assert pa.concat_tables(parts).equals(table.sort_by(order))
    assert found.rows == len(table)
    assert (found.spilled > 0) == (budget < 1 << 40)
    found.close()
    assert list(tmp_path.iterdir()) == []


def test_times_that_are_far_apart(tmp_path: Path) -> None:
    times = [2**62, -(2**62), 0, -(2**62), 5]
    table = pa.table({"k": [2, 2, 1, 1, 2], "e": times, "n": [0, 1, 2, 3, 4]})
    found = Partitions(table.schema, 2, 1 << 30, tmp_path)
    for batch in table.to_batches():
        found.add(batch)
    parts = [in_order(one.pieces, table.schema, ()) for one in found.ranges(1, np.zeros(4, int))]
    assert pa.concat_tables(parts).column("n").to_pylist() == [3, 2, 1, 4, 0]


def test_nothing(tmp_path: Path) -> None:
    schema = pa.schema([("k", pa.int64()), ("e", pa.int64())])
    found = Partitions(schema, 0, 1 << 30, tmp_path)
    (one,) = found.ranges(10, np.zeros(2, int))
    assert one.count == 0
    assert len(in_order(one.pieces, schema, ())) == 0
