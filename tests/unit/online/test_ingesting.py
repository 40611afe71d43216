"""Rows of every format are taken alike; what is broken is refused with a code and never kept."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from astrafs.diagnostics.codes.run import MISSING_COLUMN, PHYSICAL_TYPE, ZONELESS_TIME
from astrafs.diagnostics.model import AstrafsError, Sink
from astrafs.driver import compile_project
from astrafs.online.engine import Engine
from astrafs.online.ingesting import Intake, Step
from astrafs.online.layout import Layout
from astrafs.online.reading import MOST_LINE_BYTES
from astrafs.online.store import MemoryStore
from astrafs.online.writer import Writer
from astrafs.plan.program import Program
from astrafs.source import SourceFile

PROGRAM = """
owner "a@b.test"
entity User { user_id: int }

source orders from parquet("o.parquet") key id time at {
  id:      int
  user_id: User from "user"
  amount:  decimal(10, 2)
  kind:    enum("a", "b")
  word:    string?
  share:   float?
  at:      timestamp
  expect amount > 0
}

features for User from orders {
  ## Number.
  n: int = count() over 7d
  ## Sum.
  total: decimal(38, 2) = sum(amount) over 7d
}
view v for User { n total }
"""
START = datetime(2026, 1, 1, tzinfo=UTC)


def compiled() -> Program:
    sink = Sink()
    program = compile_project((SourceFile("m.afs", PROGRAM),), sink)
    assert program is not None
    assert [found.title for found in sink if found.is_error] == []
    return program


def table(rows: int = 40) -> pa.Table:
    """Rows of which those with a number that 7 divides break a contract."""
    numbers = range(1, rows + 1)
    amounts = [Decimal(-1 if number % 7 == 0 else number) for number in numbers]
    return pa.table(
        {
            "id": pa.array(numbers, pa.int64()),
            "user": pa.array([number % 3 for number in numbers], pa.int32()),
            "amount": pa.array(amounts, pa.decimal128(10, 2)),
            "kind": pa.array(["a", "b"] * (rows // 2)).dictionary_encode(),
            "word": pa.array(["x", None] * (rows // 2)),
            "share": pa.array([0.5, float("nan")] * (rows // 2)),
            "at": pa.array([START] * rows, pa.timestamp("us", "UTC")),
            "extra": pa.array([[1]] * rows),
        }
    )


def parquet(rows: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(rows, sink)
    return sink.getvalue()


def stream(rows: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows, max_chunksize=9)
    return sink.getvalue()


def file(rows: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows, max_chunksize=9)
    return sink.getvalue()


def lines(rows: pa.Table) -> bytes:
    found = []
    for row in rows.to_pylist():
        row["at"] = row["at"].isoformat()
        row["amount"] = str(row["amount"])
        row["share"] = None if row["share"] != row["share"] else row["share"]
        found.append(json.dumps(row))
    return "\n".join(found).encode()


def csv(rows: pa.Table) -> bytes:
    at = pa.array([row.isoformat() for row in rows.column("at").to_pylist()])
    sink = io.BytesIO()
    plain = rows.drop_columns(["extra"])
    place = plain.schema.get_field_index("kind")
    plain = plain.set_column(place, "kind", plain.column("kind").cast(pa.string()))
    pc.write_csv(plain.set_column(plain.schema.get_field_index("at"), "at", at), sink)
    return sink.getvalue()


FORMS: dict[str, tuple[str, Callable[[pa.Table], bytes]]] = {
    "parquet": ("parquet", parquet),
    "arrow stream": ("arrow", stream),
    "arrow file": ("arrow", file),
    "jsonl": ("jsonl", lines),
    "csv": ("csv", csv),
}


class Shop:
    """An intake over an empty store."""

    def __init__(self) -> None:
        program = compiled()
        self.store = MemoryStore()
        layout = Layout(Engine(program.plan))
        self.intake = Intake(program, program.plan.sources[0], Writer(layout, self.store))

    def take(self, data: bytes, format_: str, batch: int = 10) -> list[Step]:
        return list(self.intake.file(io.BytesIO(data), format_, batch))

    def entries(self) -> dict[bytes, bytes]:
        """What is kept, but for the stamps of heads, which no two writes share."""
        return {key: value for key, value in self.store.scan(b"") if key[:1] in b"brtvks"}


def counts(steps: list[Step]) -> tuple[int, int, int, list[int]]:
    refused = [one.number for step in steps for one in step.refused]
    return (
        sum(step.taken for step in steps),
        sum(step.repeated for step in steps),
        sum(step.rows for step in steps),
        refused,
    )


@pytest.mark.parametrize("name", FORMS)
def test_every_format_gives_the_same_rows_and_refusals(tmp_path: Path, name: str) -> None:
    format_, written = FORMS[name]
    shop, known = Shop(), Shop()
    expected = known.intake.rows(table())
    assert (expected.taken, expected.repeated) == (35, 0)
    steps = shop.take(written(table()), format_)
    assert counts(steps) == (35, 0, 40, [7, 14, 21, 28, 35])
    assert shop.entries() == known.entries()
    for step in steps:
        for one in step.refused:
            assert one.reason.code.id == "AFS0906"
            assert "rule: expect amount > 0" in one.reason.notes
            assert Decimal(json.loads(one.given)["amount"]) == -1
    path = tmp_path / "rows"
    path.write_bytes(written(table()))
    again = list(shop.intake.file(path, format_, 10))
    assert counts(again) == (0, 35, 40, [7, 14, 21, 28, 35])
    assert shop.entries() == known.entries()


def test_json_rows_are_taken_and_refused_by_their_place() -> None:
    shop = Shop()
    rows: list[Any] = [json.loads(line) for line in lines(table()).splitlines()]
    rows[3] = ["not", "an", "object"]
    rows[4] = {**rows[4], "at": "2026-01-01T00:00:00"}
    found = shop.intake.rows(rows)
    assert found.taken == 33
    assert [place for place, _ in found.refused] == [3, 4, 6, 13, 20, 27, 34]
    assert {one.code.id for _, one in found.refused} == {"AFS0906"}
    assert "a time without offset" in "".join(found.refused[1][1].notes)


def test_another_row_under_a_key_is_refused_with_the_row_as_it_was_given() -> None:
    shop = Shop()
    shop.take(lines(table(2)), "jsonl")
    (line,) = lines(table(2)).splitlines()[:1]
    other = {**json.loads(line), "word": "other"}
    ((one,),) = (step.refused for step in shop.take(json.dumps(other).encode(), "jsonl"))
    assert (one.number, one.reason.code.id) == (1, "AFS1004")
    del other["extra"]
    other["at"], other["amount"] = "2026-01-01T00:00:00Z", "1.00"
    assert json.loads(one.given) == other


def test_lines_that_are_no_json_are_refused_one_by_one() -> None:
    shop = Shop()
    good = lines(table(4)).splitlines()
    long = b'{"id": "' + b"x" * MOST_LINE_BYTES * 2 + b'"}'
    begin = b"\xef\xbb\xbf" + good[0]
    first = (begin, b"", b'{"id": 1,', good[1], long, b"\xff\xfe", b"[1]", good[2])
    then = (b'{"id": 9, "id": 10}', b"[" * 5_000, b'{"id": NaN}', good[3])
    data = b"\n".join((*first, *then))
    steps = shop.take(data, "jsonl", 3)
    assert counts(steps) == (4, 0, 11, [3, 5, 6, 7, 9, 10, 11])
    codes = [one.reason.code.id for step in steps for one in step.refused]
    assert codes == ["AFS1050", "AFS1050", "AFS1050", "AFS0906", *["AFS1050"] * 3]


def test_a_missing_column_and_a_wrong_type_stop_the_whole_file() -> None:
    shop = Shop()
    for changed, code in (
        (table().drop_columns(["amount"]), MISSING_COLUMN),
        (table().rename_columns(["id", "user", "amt", *table().column_names[3:]]), MISSING_COLUMN),
        (table().set_column(0, "id", pa.array(["x"] * 40)), PHYSICAL_TYPE),
        (table().set_column(6, "at", pa.array([datetime(2026, 1, 1)] * 40)), ZONELESS_TIME),  # noqa: DTZ001
    ):
        for data, format_ in ((parquet(changed), "parquet"), (stream(changed), "arrow")):
            with pytest.raises(AstrafsError) as found:
                shop.take(data, format_)
            assert [one.code for one in found.value.diagnostics] == [code]
    assert shop.entries() == {}


def test_rows_before_the_break_of_a_stream_stay_and_the_rest_is_refused() -> None:
    shop = Shop()
    data = stream(table(4000))
    with pytest.raises(AstrafsError) as found:
        for step in shop.intake.file(io.BytesIO(data[: len(data) - 200]), "arrow", 10):
            assert step.rows
    assert [one.code.id for one in found.value.diagnostics] == ["AFS1053"]


@pytest.mark.parametrize("name", FORMS)
def test_mutated_bytes_are_refused_with_a_code_or_read(name: str) -> None:
    format_, written = FORMS[name]
    chance = random.Random(name)
    whole = written(table(20))
    good = {row["id"]: row for row in table(20).to_pylist()}
    refusals = 0
    for _ in range(200 if format_ == "jsonl" else 25):  # a session each
        data = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 8))):
            match chance.randrange(4):
                case 0:
                    del data[chance.randrange(len(data)) + 1 :]
                case 1:
                    data[chance.randrange(len(data))] = chance.randrange(256)
                case 2:
                    at = chance.randrange(len(data))
                    data[at:at] = data[at : at + chance.randrange(64)]
                case _:
                    at = chance.randrange(len(data))
                    data[at : at + 8] = chance.randbytes(8)
        shop = Shop()
        try:
            steps = shop.take(bytes(data), format_)
        except AstrafsError as error:
            refusals += 1
            assert all(one.code.id != "AFS0001" for one in error.diagnostics)
        else:
            refusals += sum(len(step.refused) for step in steps)
            assert counts(steps)[0] <= len(good) + 8 * 20
    assert refusals


@pytest.mark.parametrize("format_", ["parquet", "arrow", "jsonl", "csv"])
def test_any_bytes_are_refused_with_a_code(format_: str) -> None:
    chance = random.Random(format_)
    for size in (0, 1, 6, 40, 3000):
        shop = Shop()
        try:
            steps = shop.take(chance.randbytes(size), format_)
        except AstrafsError as error:
            assert all(one.code.id != "AFS0001" for one in error.diagnostics)
        else:
            assert counts(steps)[0] == 0
        assert shop.entries() == {}
