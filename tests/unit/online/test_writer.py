"""Writers beside one another lose nothing, and what is refused leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.online import merging
from astrafs.online.cache import SegmentCache
from astrafs.online.engine import Engine
from astrafs.online.kept import StoredRows
from astrafs.online.layout import Layout
from astrafs.online.store import NOTHING, MemoryStore, Store
from astrafs.online.writer import Writer
from astrafs.source import SourceFile

HOUR = 3_600_000_000

PROGRAM = """
owner "a@b.test"
entity User { user_id: int }
## Orders.
source orders from csv("o.csv") key id time at {
  id: int
  user_id: User
  cents: int
  amount: float
  at: timestamp
}
features for User from orders {
  ## Number.
  n: int = count() over all
  ## Doubled.
  total: int = sum(cents * 2) over all
  ## Exact.
  whole: float = sum(amount where cents > 0) over all
  ## Latest.
  latest: list[int] = collect(cents, 100) over all
}
view v for User { n total whole latest }
"""


@pytest.fixture(scope="module")
def layout() -> Layout:
    program = compile_project((SourceFile("m.afs", PROGRAM),), Sink())
    assert program is not None
    return Layout(Engine(program.plan))


def order(number: int, **cells: Any) -> dict[str, Any]:
    given = {"id": number, "user_id": 7, "cents": number, "amount": 0.5, "at": number * HOUR}
    return {**given, **cells}


def ask(layout: Layout, store: Store, t: int = 999 * HOUR) -> tuple[Any, ...]:
    return StoredRows(layout, store, 2**62, SegmentCache()).session.view("m.v", (7,), t)


class Contested(MemoryStore):
    """A store to which somebody else writes just before a write of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[Callable[[], object]] = []

    def write(
        self,
        changes: Mapping[bytes, bytes | None],
        expected: Mapping[bytes, bytes | None] = NOTHING,
    ) -> bool:
        if self.before:
            self.before.pop()()
        return super().write(changes, expected)


def test_rows_of_others_are_not_overwritten(layout: Layout) -> None:
    store = Contested()
    ours, theirs = Writer(layout, store), Writer(layout, store)
    for number in range(1, 20, 2):
        store.before.append(lambda number=number: theirs.ingest("m.orders", [order(number + 1)]))
        assert ours.ingest("m.orders", [order(number)]).taken == 1
    assert not store.before
    assert ask(layout, store)[3] == tuple(range(1, 21))


def test_a_row_that_others_have_sent_meanwhile_counts_once(layout: Layout) -> None:
    store = Contested()
    ours, theirs = Writer(layout, store), Writer(layout, store)
    store.before.append(lambda: theirs.ingest("m.orders", [order(1)]))
    done = ours.ingest("m.orders", [order(1), order(2)])
    assert (done.taken, done.repeated) == (1, 1)
    assert ask(layout, store)[0] == 2


@pytest.mark.parametrize(
    ("cells", "code"), [({"cents": 2**62}, "AFS0930"), ({"amount": 2.0**90}, "AFS0936")]
)
def test_values_that_stop_a_run_are_refused(
    layout: Layout, cells: dict[str, Any], code: str
) -> None:
    store = MemoryStore()
    writer = Writer(layout, store)
    done = writer.ingest("m.orders", [order(1), order(2, **cells), order(3)])
    ((place, problem),) = done.refused
    assert (done.taken, place, problem.code.id) == (2, 1, code)
    assert ask(layout, store)[3] == (1, 3)
    assert writer.ingest("m.orders", [order(2)]).taken == 1
    # Only what takes part in the sum must fit it.
    assert writer.ingest("m.orders", [order(4, amount=2.0**90, cents=0)]).taken == 1


def test_rows_of_one_time_stay_in_order_whatever_the_blocks(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "BLOCK_ROWS", 3)
    store = MemoryStore()
    writer = Writer(layout, store)
    at = [9, 2, 7, 4, 1, 8, 3, 6, 5, 10, 12, 11]
    for number in at:
        writer.ingest("m.orders", [order(number, at=(number // 6) * HOUR)])
    assert ask(layout, store)[3] == tuple(sorted(at))
    assert ask(layout, store, HOUR)[3] == (1, 2, 3, 4, 5)


def test_loading_again_changes_nothing(layout: Layout) -> None:
    store = MemoryStore()
    writer = Writer(layout, store)
    rows = [order(number) for number in range(1, 9)]
    writer.ingest("m.orders", rows[:3])
    for mark in (b"1", b"2"):
        writer.load("m.orders", rows, layout.shapes, {b"lx": mark})
    assert ask(layout, store)[3] == tuple(range(1, 9))
    assert store.get((b"lx",)) == [b"2"]
    assert writer.ingest("m.orders", rows).repeated == 8
