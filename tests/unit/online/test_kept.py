"""Blocks keep rows, rows are taken once, and what is damaged or new is refused with a code."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from astrafs.diagnostics.model import AstrafsError, Sink
from astrafs.driver import compile_project
from astrafs.online.blocks import Codec, key_bytes
from astrafs.online.cache import SegmentCache
from astrafs.online.engine import Engine
from astrafs.online.kept import StoredRows
from astrafs.online.layout import Layout
from astrafs.online.store import Store
from astrafs.online.writer import Writer
from astrafs.plan import ir
from astrafs.source import SourceFile

PROGRAM = """
owner "a@b.test"
entity User { user_id: int }

## Orders.
source orders from csv("o.csv") key id time at {
  id: int
  user_id: User
  amount: decimal(10, 2)
  words: list[string?]
  counts: map[string, int]
  place: vector[2]?
  at: timestamp
}

features for User from orders {
  ## Number.
  n: int = count() over 7d
  ## Sum.
  total: decimal(38, 2) = sum(amount) over 7d
  ## Words.
  words: list[string] = collect(each words, 3) over all
}
view v for User { n total words }
"""
HOUR = 3_600_000_000


def plan() -> ir.Plan:
    sink = Sink()
    program = compile_project((SourceFile("m.afs", PROGRAM),), sink)
    assert program is not None
    assert [found.title for found in sink if found.is_error] == []
    return program.plan


def order(number: int, user: int, hours: int, **cells: Any) -> dict[str, Any]:
    return {
        "id": number,
        "user_id": user,
        "amount": Decimal("1.50"),
        "words": ("a", None),
        "counts": (("x", 1),),
        "place": (0.5, -1.0),
        "at": hours * HOUR,
        **cells,
    }


def test_rows_come_back_from_blocks() -> None:
    (source,) = plan().sources
    codec = Codec(source)
    rows = [order(1, 7, 1), order(2, 7, 2, words=(), counts=(), place=None)]
    assert codec.decode(codec.encode(rows)) == rows


@pytest.mark.parametrize("damage", [b"", b"nothing", b"\xff" * 64])
def test_damaged_blocks_are_refused(damage: bytes) -> None:
    (source,) = plan().sources
    with pytest.raises(AstrafsError) as caught:
        Codec(source).decode(damage)
    assert caught.value.diagnostics[0].code.id == "AFS1003"


def test_blocks_of_another_version_are_refused() -> None:
    (source,) = plan().sources
    codec = Codec(source)
    with pa.ipc.open_stream(pa.py_buffer(codec.encode([order(1, 7, 1)]))) as reader:
        table = reader.read_all().replace_schema_metadata({"astrafs.block": "9"})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(AstrafsError) as caught:
        codec.decode(bytes(sink.getvalue()))
    assert caught.value.diagnostics[0].code.id == "AFS1002"


def test_keys_that_print_alike_differ() -> None:
    keys = [("12", "3"), ("1", "23"), (12, 3), ("12,3",), (True,), (1,), ("",), (b"",), (1.0,)]
    assert len({key_bytes(key) for key in keys}) == len(keys)


def test_rows_are_taken_once_and_conflicts_refused(store: Store) -> None:
    layout = Layout(Engine(plan()))
    writer = Writer(layout, store)
    assert writer.ingest("m.orders", [order(1, 7, 1), order(2, 7, 2)]).taken == 2
    again = writer.ingest("m.orders", [order(1, 7, 1), order(2, 7, 3), order(3, 8, 1)])
    assert (again.taken, again.repeated) == (1, 1)
    ((place, refused),) = again.refused
    assert place == 1
    assert refused.code.id == "AFS1004"
    asked = StoredRows(layout, store, 10**15, SegmentCache()).session
    assert asked.view("m.v", (7,), 4 * HOUR) == (2, Decimal("3.00"), ("a", "a"))
    assert asked.view("m.v", (8,), HOUR) == (0, Decimal("0.00"), ())
    assert asked.view("m.v", (None,), 4 * HOUR) == (0, Decimal("0.00"), ())


def test_late_rows_land_in_their_place(store: Store) -> None:
    layout = Layout(Engine(plan()))
    writer = Writer(layout, store)
    for number in (5, 1, 4, 2, 3):
        writer.ingest("m.orders", [order(number, 7, number, words=(str(number),))])
    asked = StoredRows(layout, store, 10**15, SegmentCache()).session
    assert asked.view("m.v", (7,), 9 * HOUR)[2] == ("3", "4", "5")
    assert asked.view("m.v", (7,), 4 * HOUR)[2] == ("1", "2", "3")
