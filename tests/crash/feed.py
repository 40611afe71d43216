"""What is ingested in crash tests: an endless series of batches, each a function of its number, and
a program whose answers show every row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.online.cache import SegmentCache
from astrafs.online.engine import Engine
from astrafs.online.kept import StoredRows
from astrafs.online.layout import Layout
from astrafs.online.store import Store
from astrafs.online.writer import Ingested, Writer
from astrafs.source import SourceFile

PROGRAM = """
owner "crash@astrafs.example"

entity User { user_id: int }

## Orders.
source orders from csv("orders.csv") key order_id time at {
  order_id: int
  user_id: User
  amount: decimal(10, 2)
  word: string
  at: timestamp
}

## Prices that are corrected later.
source quotes from csv("quotes.csv") key quote_id time at known seen_at revisions {
  quote_id: int
  user_id: User
  price: float
  at: timestamp
  seen_at: timestamp
}

## The tier of a user from a time on.
table tiers from csv("tiers.csv") key user_id time at {
  user_id: User
  tier: string
  at: timestamp
}

features for User from orders {
  ## Orders of ten days.
  orders_10d: int = count() over 10d
  ## All orders.
  orders_all: int = count() over all
  ## What they cost.
  spent: decimal(38, 2) = sum(amount) over all
  ## Which they were.
  sum_of_ids: int = sum(order_id) over all
  ## The latest words.
  words: list[string] = collect(word, 3) over 30d
}

features for User from quotes {
  ## The mean price.
  mean_price: float? = mean(price) over all
  ## How many there are.
  quotes: int = count() over all
}

features for User {
  ## The tier.
  tier: string? = tiers[User(user_id)].tier
}

view v for User { orders_10d orders_all spent sum_of_ids words mean_price quotes tier }
"""

USERS = 12
DAY = 86_400_000_000
DAYS = 60

Row = dict[str, Any]
Answers = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one source."""

    source: str
    rows: Sequence[Row]


def batch(series: int, number: int) -> Batch:
    """Return the batch ``number`` of a ``series``; no two batches share a row."""
    rng = Random(f"{series} {number}")
    source = rng.choice(("m.orders", "m.orders", "m.quotes", "m.tiers"))
    first = (series * 1_000_000 + number) * 100
    make = {"m.orders": _order, "m.quotes": _quote, "m.tiers": _tier}[source]
    return Batch(source, [make(first + place, rng) for place in range(rng.randint(1, 40))])


def _order(identity: int, rng: Random) -> Row:
    return {
        "order_id": identity,
        "user_id": rng.randrange(USERS),
        "amount": Decimal(rng.randrange(1, 1_000_000)).scaleb(-2),
        "word": "w" * rng.choice((1, 3, 40)) + str(identity),
        "at": rng.randrange(DAYS * DAY),
    }


def _quote(identity: int, rng: Random) -> Row:
    at = rng.randrange(DAYS * DAY)
    # Every third is a revision of an event of its neighbours.
    return {
        "quote_id": identity - identity % 3 if rng.random() < 0.5 else identity,
        "user_id": rng.randrange(USERS),
        "price": rng.uniform(-1e6, 1e6),
        "at": at,
        "seen_at": at + rng.randrange(3 * DAY),
    }


def _tier(identity: int, rng: Random) -> Row:
    return {
        "user_id": rng.randrange(USERS),
        "tier": f"t{identity}",
        "at": rng.randrange(DAYS * DAY),
    }


@cache
def layout() -> Layout:
    """Return what a store of the program keeps."""
    sink = Sink()
    program = compile_project((SourceFile("m.afs", PROGRAM),), sink)
    assert program is not None
    assert [found.title for found in sink if found.is_error] == []
    return Layout(Engine(program.plan))


class Served:
    """The program over a store."""

    def __init__(self, store: Store) -> None:
        self._layout = layout()
        self._store = store
        self._writer = Writer(self._layout, store)

    def ingest(self, given: Batch) -> Ingested:
        """Put a batch into the store."""
        return self._writer.ingest(given.source, given.rows)

    def answers(self) -> Answers:
        """Return the view's outputs for all users at times early, late and between."""
        kept = StoredRows(self._layout, self._store, 2**62, SegmentCache())
        return tuple(
            kept.session.view("m.v", (user,), day * DAY)
            for user in range(USERS)
            for day in (5, 30, DAYS + 4)
        )
