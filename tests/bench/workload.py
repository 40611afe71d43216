"""Workload W: payments of skewed customers, a spine of questions, 36 features over five windows.

One seed gives the same files everywhere. ``Size`` says how many rows and customers there are, how
unevenly they are spread, and what the amounts are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

DAY = 86_400_000_000
BASE = 1_767_225_600_000_000
SPAN = 180 * DAY
AS_OF = "2026-12-31"
WINDOWS = {"1h": DAY // 24, "1d": DAY, "7d": 7 * DAY, "30d": 30 * DAY}
AGGREGATES = {
    "n": ("int", "count()"),
    "total": ("{sum}", "sum(amount)"),
    "average": ("float?", "mean(amount)"),
    "spread": ("float?", "stddev(amount)"),
    "low": ("{value}?", "min(amount)"),
    "high": ("{value}?", "max(amount)"),
    "food": ("{sum}", 'sum(amount where category == "c00")'),
}
EXTRA = {
    "shops_7d": ("int", "count_distinct(shop) over 7d"),
    "shops_30d": ("int", "count_distinct(shop) over 30d"),
    "latest": ("{value}?", "last(amount) over all"),
    "latest_shop": ("int?", "last(shop) over all"),
    "latest_3": ("list[{value}]", "collect(amount, 3) over all"),
    "n_all": ("int", "count() over all"),
    "total_all": ("{sum}", "sum(amount) over all"),
    "ratio": ("float?", "average_1d / average_30d"),
}

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Size:
    """Rows of events and of the spine, customers, ``skew`` (the exponent of their activity; 0 is
    even), and ``amount``: ``float``, ``int`` or ``decimal``.
    """

    events: int = 10_000_000
    spine: int = 1_000_000
    users: int = 100_000
    skew: float = 0.9
    amount: str = "float"


def write(folder: Path, size: Size, only: tuple[str, ...] = ()) -> None:
    """Write the project, its events and the spine; ``only`` names features, default: all 36."""
    (folder / "events").mkdir(parents=True, exist_ok=True)
    (folder / "main.afs").write_text(project_text(size, only), encoding="utf-8")
    (folder / "astrafs.toml").write_text("", encoding="utf-8")
    rng = np.random.default_rng(20_260_101)
    weight = 1 / (np.arange(size.users) + 50.0) ** size.skew
    shares = np.cumsum(weight / weight.sum())
    names = rng.permutation(size.users) + 1
    stamp = pa.timestamp("us", tz="UTC")

    def users(rows: int) -> Ints:
        place = np.minimum(np.searchsorted(shares, rng.random(rows)), size.users - 1)
        found: Ints = names[place].astype(np.int64)
        return found

    user, at = users(size.events), BASE + rng.integers(0, SPAN, size.events)
    # Some rows of one customer share a time.
    copies, of = (rng.integers(0, size.events, size.events // 50) for _ in range(2))
    user[copies], at[copies] = user[of], at[of]
    order = np.argsort(at, kind="stable")
    cents = np.round(np.exp(rng.normal(3.2, 1.3, size.events)) * 100).astype(np.int64)
    cents[rng.random(size.events) < 0.03] *= -1
    chance = 1 / (np.arange(20) + 1.0)
    category = rng.choice(20, size.events, p=chance / chance.sum()).astype(np.int32)
    labels = pa.array([f"c{place:02d}" for place in range(20)])
    table = pa.table(
        {
            "id": pa.array(np.arange(size.events)),
            "user_id": pa.array(user[order]),
            "at": pa.array(at[order]).cast(stamp),
            "amount": _amounts(cents, rng.random(size.events) < 0.02, size.amount),
            "shop": pa.array(
                np.minimum((rng.pareto(1.1, size.events) * 40).astype(np.int64), 4_999)
            ),
            "category": pa.DictionaryArray.from_arrays(category, labels).cast(pa.string()),
        }
    )
    pq.write_table(table, folder / "events" / "all.parquet", row_group_size=245_760)
    asked, times = users(size.spine), BASE + SPAN // 2 + rng.integers(0, SPAN // 2, size.spine)
    if size.events:
        # Some questions fall exactly on an event's time, which is not before it.
        places, of = (rng.integers(0, rows, size.spine // 20) for rows in (size.spine, size.events))
        asked[places], times[places] = user[of], np.maximum(at[of], BASE + SPAN // 2)
    spine = pa.table({"user_id": pa.array(asked), "t": pa.array(times).cast(stamp)})
    pq.write_table(spine, folder / "spine.parquet", row_group_size=122_880)


def _amounts(cents: Ints, missing: npt.NDArray[np.bool_], kind: str) -> pa.Array:
    match kind:
        case "float":
            return pa.array(cents / 100.0, mask=missing)
        case "int":
            return pa.array(cents, mask=missing)
        case _:
            whole = pa.array(cents, mask=missing).cast(pa.decimal128(20, 0))
            # The same digits with the point two places further left.
            return pa.Array.from_buffers(pa.decimal128(20, 2), len(whole), whole.buffers()).cast(
                pa.decimal128(14, 2)
            )


def project_text(size: Size, only: tuple[str, ...] = ()) -> str:
    """Return the program: one source, one block of features, one view."""
    value = {"float": "float", "int": "int", "decimal": "decimal(14, 2)"}[size.amount]
    total = {"float": "float", "int": "int", "decimal": "decimal(18, 2)"}[size.amount]
    made = {
        f"{name}_{window}": (kind, f"{text} over {window}")
        for window in WINDOWS
        for name, (kind, text) in AGGREGATES.items()
    } | EXTRA
    chosen = {name: made[name] for name in only or made}
    body = "\n".join(
        f"  ## {name}, measured.\n  {name}: {kind.format(value=value, sum=total)} = {text}"
        for name, (kind, text) in chosen.items()
    )
    outputs = "\n".join(f"  {name}" for name in chosen)
    return f"""owner "bench@acme.test"

## A customer.
entity User {{ user_id: int }}

## Payments.
source events from parquet("events/*.parquet") key id time at {{
  id:       int
  user_id:  User
  amount:   {value}?
  shop:     int
  category: string
  at:       timestamp
}}

features for User from events {{
{body}
}}

## All of it.
view everything for User {{
{outputs}
}}
"""
