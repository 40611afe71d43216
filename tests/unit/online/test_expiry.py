"""What no question can reach is dropped, older questions are refused; stores say what they hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from astrafs.diagnostics.model import AstrafsError, Sink
from astrafs.driver import compile_project
from astrafs.online import merging
from astrafs.online.cache import SegmentCache
from astrafs.online.engine import Engine
from astrafs.online.expiry import expire, forget
from astrafs.online.kept import StoredRows
from astrafs.online.layout import Layout
from astrafs.online.manifest import Manifest, change_manifest, read_manifest
from astrafs.online.store import MemoryStore, Store
from astrafs.online.writer import Writer
from astrafs.source import SourceFile

DAY = 86_400_000_000

HEAD = """
owner "a@b.test"
entity User { user_id: int }
entity Kind { kind: string }
## Shops.
table shops from csv("s.csv") key shop time at {
  shop: int
  kind: string
  at: timestamp
}
## Orders.
source orders from csv("o.csv") key id time at {
  id: int
  user_id: User
  shop: int
  cents: int
  at: timestamp
}
"""
BOUNDED = """
features for User from orders {
  ## Number.
  n: int = count() over 7d
  ## Sum.
  total: int = sum(cents) over 3d
}
view v for User { n total }
"""


def layout_of(text: str, held: Manifest | None = None) -> Layout:
    sink = Sink()
    program = compile_project((SourceFile("m.afs", HEAD + text),), sink)
    assert program is not None
    assert [found.title for found in sink if found.is_error] == []
    return Layout(Engine(program.plan), None if held is None else held.groups)


def order(number: int, day: int, **cells: Any) -> dict[str, Any]:
    return {"id": number, "user_id": 7, "shop": 1, "cents": number, "at": day * DAY, **cells}


def ask(layout: Layout, store: Store, t: int, view: str = "m.v", key: Any = 7) -> tuple[Any, ...]:
    read_manifest(store).judge_time(t)
    return StoredRows(layout, store, 2**62, SegmentCache()).session.view(view, (key,), t)


def code(refused: pytest.ExceptionInfo[AstrafsError]) -> str:
    return refused.value.diagnostics[0].code.id


def test_old_blocks_are_dropped_and_the_values_stay(
    make_store: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "BLOCK_ROWS", 4)
    layout, store = layout_of(BOUNDED), make_store()
    writer = Writer(layout, store)
    writer.ingest("m.orders", [order(number, number) for number in range(40)])
    before = {day: ask(layout, store, day * DAY) for day in range(30, 42)}
    entries = sum(1 for _ in store.scan(b""))
    gone = expire(store, layout, 30 * DAY)
    assert gone.blocks == 5
    assert gone.rows == 20
    assert gone.notes == 23
    assert sum(1 for _ in store.scan(b"")) == entries - 5 - 23 + 1
    assert {day: ask(layout, store, day * DAY) for day in range(30, 42)} == before
    with pytest.raises(AstrafsError) as refused:
        ask(layout, store, 30 * DAY - 1)
    assert code(refused) == "AFS1011"
    assert expire(store, layout, 10 * DAY).blocks == 0
    assert read_manifest(store).floor == 30 * DAY
    assert expire(store, layout, 90 * DAY).rows == 20
    assert list(store.scan(b"h")) == []


def test_rows_older_than_every_window_are_not_taken() -> None:
    layout, store = layout_of(BOUNDED), MemoryStore()
    writer = Writer(layout, store)
    expire(store, layout, 30 * DAY)
    done = writer.ingest("m.orders", [order(1, 22), order(2, 23), order(3, 29)])
    assert (done.taken, done.expired) == (2, 1)
    assert ask(layout, store, 30 * DAY) == (2, 3)


def test_windows_without_an_end_keep_everything() -> None:
    text = BOUNDED.replace("sum(cents) over 3d", "sum(cents) over all")
    layout, store = layout_of(text), MemoryStore()
    (shape,) = layout.shapes
    assert layout.reach(shape) is None
    assert layout.retention("m.orders") is None
    Writer(layout, store).ingest("m.orders", [order(number, number) for number in range(9)])
    assert expire(store, layout, 90 * DAY).rows == 0
    assert ask(layout, store, 90 * DAY) == (0, 36)


def test_looked_up_features_reach_further_back() -> None:
    text = """
stream spread from orders {
  before: int = User[user_id].n
}
features for User from orders {
  ## Number.
  n: int = count() over 7d
}
features for Kind from spread where shop == 1 {
  ## Sum.
  sums: int = sum(before) over 3d
}
"""
    # The key of the second block is none of its columns, so it is given by the shop's number.
    text = text.replace("features for Kind", "features for Shop").replace(
        "stream spread", "entity Shop { shop: int }\nstream spread"
    )
    layout = layout_of(text + "view v for Shop { sums }")
    reaches = {shape.group.rows: layout.reach(shape) for shape in layout.shapes}
    assert reaches == {"m.spread": 3 * DAY, "m.orders": 10 * DAY}
    assert layout.retention("m.orders") == 10 * DAY


def test_a_manifest_says_what_a_program_lacks() -> None:
    layout, store = layout_of(BOUNDED), MemoryStore()
    assert read_manifest(store) == Manifest()
    with pytest.raises(AstrafsError) as refused:
        read_manifest(store).judge(layout)
    assert code(refused) == "AFS1010"
    assert "User.n" in refused.value.diagnostics[0].title
    change_manifest(
        store, lambda now: now.loaded(layout, layout.shapes, (), 5).of(layout, ("m.v",))
    )
    read_manifest(store).judge(layout)
    assert read_manifest(store).as_of == 5
    # Other windows over the same inputs need nothing new; another input does.
    other = layout_of(BOUNDED.replace("over 3d", "over 2d"), read_manifest(store))
    read_manifest(store).judge(other)
    less = layout_of(BOUNDED.replace("sum(cents)", "count()"), read_manifest(store))
    read_manifest(store).judge(less)
    more = layout_of(BOUNDED.replace("sum(cents)", "sum(cents * 2)"), read_manifest(store))
    assert len(read_manifest(store).lacks(more).shapes) == 1
    # A store that is fed for a smaller program loses what that does not read.
    change_manifest(store, lambda now: now.of(less, ("m.v",)))
    again = layout_of(BOUNDED, read_manifest(store))
    assert len(read_manifest(store).lacks(again).shapes) == 1


def test_features_left_out_and_added_share_rows() -> None:
    layout, store = layout_of(BOUNDED), MemoryStore()
    Writer(layout, store).ingest("m.orders", [order(1, 1)])
    change_manifest(store, lambda now: now.loaded(layout, layout.shapes, (), 5))
    less = layout_of(BOUNDED.replace("sum(cents)", "count()"), read_manifest(store))
    Writer(less, store).ingest("m.orders", [order(2, 2)])
    assert ask(less, store, 3 * DAY) == (2, 2)
    with pytest.raises(AstrafsError) as refused:
        ask(layout, store, 3 * DAY)
    assert code(refused) == "AFS1010"


def test_groups_of_other_programs_are_forgotten() -> None:
    layout, store = layout_of(BOUNDED), MemoryStore()
    Writer(layout, store).ingest("m.orders", [order(1, 1)])
    assert forget(store, layout) == 0
    other = layout_of(BOUNDED.replace("from orders {", "from orders where cents > 0 {"))
    assert forget(store, other) == 2
    assert list(store.scan(b"b")) == []


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"format": 2}'])
def test_damaged_manifests_are_refused(data: bytes) -> None:
    with pytest.raises(AstrafsError) as refused:
        Manifest.read(data)
    assert code(refused) == "AFS1003"
    with pytest.raises(AstrafsError) as refused:
        Manifest.read(b'{"format": 3}')
    assert code(refused) == "AFS1002"


PLACED = """
stream kinds from orders {
  kind: string? = shops[shop].kind
}
features for Kind from kinds {
  ## Number.
  n: int = count() over all
}
view v for Kind { n }
"""


def test_a_table_that_has_decided_is_not_changed_behind_the_rows() -> None:
    layout, store = layout_of(PLACED), MemoryStore()
    writer = Writer(layout, store)
    assert layout.refusals() == ()

    def shop(kind: str, day: int) -> dict[str, Any]:
        return {"shop": 1, "kind": kind, "at": day * DAY}

    assert writer.ingest("m.shops", [shop("a", 1)]).taken == 1
    writer.ingest("m.orders", [order(1, 5)])
    late = writer.ingest("m.shops", [shop("b", 4), shop("a", 1), shop("c", 6)])
    assert (late.taken, late.repeated) == (1, 1)
    ((place, problem),) = late.refused
    assert (place, problem.code.id) == (0, "AFS1012")
    writer.ingest("m.orders", [order(2, 8)])
    assert [ask(layout, store, 9 * DAY, key=kind) for kind in "abc"] == [(1,), (0,), (1,)]


def test_keys_that_features_give_are_refused() -> None:
    text = """
entity Best { best: int }
stream best from orders {
  best: int = User[user_id].most ?? 0
}
features for User from orders {
  ## Most.
  most: int? = max(shop) over 7d
}
features for Best from best {
  ## Number.
  n: int = count() over 7d
}
view v for Best { n }
"""
    (refused,) = layout_of(text).refusals()
    assert refused.code.id == "AFS1013"
    assert "Best.n" in refused.title
