"""Contracts of sources: what stops a run, with what words, and what a quarantine sets aside."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.plan import ir
from astrafs.runtime.backfill import to_file, to_table
from astrafs.runtime.request import Request
from astrafs.typesys import FLOAT, INT, STRING, TIMESTAMP
from tests.unit.runtime import shop

AS_OF = "2026-03-01"
SPINE = shop.spine((1, 50), (2, 50))


def refused(
    root: Path, plan: ir.Plan = shop.PLAN, as_of: str = AS_OF, **options: Any
) -> tuple[Diagnostic, ...]:
    """Run the shop's view, which must fail; return its diagnostics."""
    request = Request("user_vector", as_of, shop.spine((1, 5), (2, 5)), **options)
    with pytest.raises(AstrafsError) as caught:
        to_table(shop.program(plan), shop.place(root), request)
    return caught.value.diagnostics


BROKEN = {
    "null": ({"order_id": ["a", "b", None, "d", "e"]}, "`order_id` is never null", 1),
    "enum": (
        {"status": ["paid", "lost", "paid", "PAID", "open"]},
        "`status` is one of paid, open",
        2,
    ),
    "nan": ({"amount": [1.0, float("nan"), 2.0, 3.0, 4.0]}, "`amount` is never null", 1),
    "expect": ({"amount": [1.0, -1.0, 2.0, 3.0, -4.0]}, "expect line 1", 2),
    "known": (
        {"seen": pa.array(shop.days(0, 1, 1.9, 3, 40), shop.INSTANT)},
        "`seen` (known) is not before `at` (time)",
        1,
    ),
    "key": ({"order_id": ["a", "b", "b", "d", "b"]}, "the key (`order_id`) is unique", 3),
    "time": (
        {"at": pa.array([None, *shop.days(1, 2, 3, 40)], shop.INSTANT)},
        "`at` is never null",
        1,
    ),
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_violation_stops_the_run(tmp_path: Path, name: str) -> None:
    changes, rule, count = BROKEN[name]
    shop.write(tmp_path, shop.orders(**changes))
    (found,) = refused(tmp_path)
    assert found.code.id == "AFS0906"
    assert (
        found.title
        == f"source `shop.orders`: {count} row{' breaks' if count == 1 else 's break'} a contract"
    )
    assert found.notes[0].startswith(f"rule: {rule}")
    assert sum(note.startswith("row: order_id = ") for note in found.notes) == count
    assert "--quarantine" in found.helps[0]


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_quarantine_takes_exactly_the_offending_rows(tmp_path: Path, name: str) -> None:
    changes, rule, count = BROKEN[name]
    table = shop.orders(**changes, extra=list("12345"))
    shop.write(tmp_path, table)
    request = Request("user_vector", AS_OF, SPINE, quarantine=tmp_path / "bad")
    result, (aside,) = to_table(shop.program(), shop.place(tmp_path), request)
    assert (aside.source, aside.count) == ("shop.orders", count)
    assert aside.rule.startswith(rule)
    (path,) = aside.paths
    written = pq.read_table(path)
    assert written.num_rows == count
    assert written.column_names == [*table.column_names, "astrafs_reason", "astrafs_file"]
    assert written.schema.field("user_id").type == pa.int32()

    rejected = set(written["extra"].to_pylist())
    kept = table.filter(pa.array([value not in rejected for value in table["extra"].to_pylist()]))
    clean = tmp_path / "clean"
    clean.mkdir()
    shop.write(clean, kept)
    alone, nothing = to_table(
        shop.program(), shop.place(clean), Request("user_vector", AS_OF, SPINE)
    )
    assert result == alone
    assert nothing == ()


def test_every_broken_rule_is_reported_once(tmp_path: Path) -> None:
    shop.write(
        tmp_path,
        shop.orders(status=["x", "x", "paid", "paid", "paid"], amount=[-1.0, 1.0, -2.0, 1.0, 1.0]),
    )
    found = refused(tmp_path)
    assert [one.notes[0].split(" ")[1] for one in found] == ["`status`", "expect"]
    # A row counts for the first rule that it breaks.
    assert [one.title for one in found] == [
        "source `shop.orders`: 2 rows break a contract",
        "source `shop.orders`: 1 row breaks a contract",
    ]


def test_at_most_five_examples_in_a_fixed_order(tmp_path: Path) -> None:
    rows = 1000
    at = [shop.JANUARY + timedelta(minutes=place) for place in range(rows)]
    shop.write(
        tmp_path,
        shop.orders(
            order_id=[f"{place:04d}" for place in range(rows)],
            user_id=pa.array([1] * rows, pa.int32()),
            amount=[-1.0] * rows,
            status=["paid"] * rows,
            note=["x"] * rows,
            at=pa.array(at, shop.INSTANT),
            seen=pa.array(at, shop.INSTANT),
        ),
    )
    (found,) = refused(tmp_path)
    assert found.title.startswith("source `shop.orders`: 1,000 rows")
    rows_shown = [note for note in found.notes if note.startswith("row: ")]
    assert [note.split(",")[0] for note in rows_shown] == [
        f"row: order_id = 000{n}" for n in range(5)
    ]
    assert found.notes[-1] == "and 995 more"


def test_rows_that_are_not_known_yet_are_not_judged(tmp_path: Path) -> None:
    bad_later = {"amount": [1.0, 2.0, 3.0, 4.0, -5.0], "order_id": ["a", "b", "c", "d", "a"]}
    shop.write(tmp_path, shop.orders(**bad_later))
    request = Request("user_vector", "2026-02-01", shop.spine((1, 5)))
    table, _ = to_table(shop.program(), shop.place(tmp_path), request)
    assert table.num_rows == 1
    assert [one.code.id for one in refused(tmp_path, as_of="2026-02-11")] == ["AFS0906"]


def test_rows_without_a_time_are_judged_whenever(tmp_path: Path) -> None:
    shop.write(tmp_path, shop.orders(seen=pa.array([*shop.days(1, 2, 3, 4), None], shop.INSTANT)))
    assert "`seen` is never null" in refused(tmp_path, as_of="2000-01-01")[0].notes[0]


def test_unused_columns_are_judged_too(tmp_path: Path) -> None:
    shop.write(tmp_path, shop.orders(status=["lost", "paid", "paid", "paid", "open"]))
    assert "status" in refused(tmp_path, features=["orders_7d"])[0].notes[0]


def test_expect_is_kept_by_null(tmp_path: Path) -> None:
    columns = tuple(
        replace(column, type=column.type.optional()) if column.name == "amount" else column
        for column in shop.ORDERS.columns
    )
    optional = ir.Column("amount", FLOAT.optional())
    expects = (ir.Call("ge", (optional, ir.Literal(0.0, FLOAT)), shop.BOOL.optional()),)
    source = replace(shop.ORDERS, columns=columns, expects=expects)
    shop.write(tmp_path, shop.orders(amount=[1.0, None, 2.0, 3.0, 4.0]))
    request = Request("user_vector", AS_OF, SPINE)
    to_table(shop.program(shop.with_source(source)), shop.place(tmp_path), request)


def test_missing_columns_with_advice(tmp_path: Path) -> None:
    table = shop.orders().rename_columns(
        ["order_id", "user_id", "Amount", "stat", "note", "at", "seen"]
    )
    shop.write(tmp_path, table)
    first, second = sorted(refused(tmp_path), key=lambda one: one.title)
    assert {first.code.id, second.code.id} == {"AFS0903"}
    assert first.helps == ('did you mean `amount: float from "Amount"`?',)
    assert "has no column `status`" in second.title


def test_physical_names(tmp_path: Path) -> None:
    columns = tuple(
        replace(column, physical="Amount (EUR)") if column.name == "amount" else column
        for column in shop.ORDERS.columns
    )
    source = replace(shop.ORDERS, columns=columns)
    names = ["order_id", "user_id", "Amount (EUR)", "status", "note", "at", "seen"]
    shop.write(tmp_path, shop.orders().rename_columns(names))
    table, _ = to_table(
        shop.program(shop.with_source(source)),
        shop.place(tmp_path),
        Request("user_vector", AS_OF, SPINE),
    )
    assert table["mean_all"].to_pylist() == [8.0 / 3, 4.0]


def test_files_of_different_types_are_read_together(tmp_path: Path) -> None:
    table = shop.orders()
    whole = tmp_path / "whole"
    whole.mkdir()
    shop.write(whole, table)
    parts = tmp_path / "parts"
    parts.mkdir()
    wide = table.set_column(1, "user_id", table["user_id"].cast(pa.int64()))
    shop.write(parts, wide.slice(0, 2).select(list(reversed(wide.column_names))), "b.parquet")
    shop.write(parts, table.slice(2, 1).append_column("extra", pa.array([1])), "a.parquet")
    shop.write(parts, table.slice(3), "c.parquet")
    request = Request("user_vector", AS_OF, SPINE)
    one, _ = to_table(shop.program(), shop.place(whole), request)
    many, _ = to_table(shop.program(), shop.place(parts), request)
    assert one == many


def test_a_key_repeated_across_files(tmp_path: Path) -> None:
    shop.write(tmp_path, shop.orders(), "a.parquet")
    shop.write(tmp_path, shop.orders().slice(0, 1), "b.parquet")
    (found,) = refused(tmp_path)
    assert "unique" in found.notes[0]


def test_a_table_may_repeat_its_key(tmp_path: Path) -> None:
    rates = ir.Source(
        "shop.rates",
        True,
        (
            ir.SourceColumn("code", STRING),
            ir.SourceColumn("rate", INT),
            ir.SourceColumn("at", TIMESTAMP),
        ),
        ("code",),
        "at",
        ir.Delay(0),
    )
    lookup = ir.TableLookup(
        "shop.rates", (ir.Literal("x", STRING),), "rate", 0, None, INT.optional()
    )
    feature = shop.feature("rate", lookup)
    view = ir.View(
        "shop.v",
        "shop.User",
        (ir.Output("rate", ir.FeatureRef(feature.id, feature.type), feature.type),),
    )
    plan = ir.Plan(shop.PLAN.entities, (rates,), (), (feature,), (view,))
    at = pa.array(shop.days(1, 2, 3), shop.INSTANT)
    shop.write(tmp_path, pa.table({"code": ["x", "x", "y"], "rate": [1, 2, 3], "at": at}))
    table, _ = to_table(
        shop.program(plan),
        shop.place(tmp_path),
        Request("v", AS_OF, shop.spine((1, 1), (1, 1.5), (1, 9), (1, 0))),
    )
    assert table["rate"].to_pylist() == [1, 1, 2, None]


def test_sources_without_rows(tmp_path: Path) -> None:
    shop.write(tmp_path, shop.orders().slice(0, 0))
    table, _ = to_table(shop.program(), shop.place(tmp_path), Request("user_vector", AS_OF, SPINE))
    assert table["orders_7d"].to_pylist() == [0, 0]
    (tmp_path / "data" / "orders.parquet").unlink()
    (tmp_path / "data" / "o.csv").write_text("order_id,user_id,amount,status,note,at,seen\n")
    program = shop.program(shop.PLAN, "csv")
    same, _ = to_table(program, shop.place(tmp_path), Request("user_vector", AS_OF, SPINE))
    assert same == table


def test_what_has_no_time_is_known_at_any_cutoff(tmp_path: Path) -> None:
    names = ir.Source(
        "shop.names",
        True,
        (ir.SourceColumn("code", STRING), ir.SourceColumn("value", INT)),
        ("code",),
        "",
        ir.Delay(0),
        static="names do not change",
    )
    lookup = ir.TableLookup(
        "shop.names", (ir.Literal("x", STRING),), "value", 0, None, INT.optional()
    )
    feature = shop.feature("value", lookup)
    output = ir.Output("value", ir.FeatureRef(feature.id, feature.type), feature.type)
    view = ir.View("shop.v", "shop.User", (output,))
    plan = ir.Plan(shop.PLAN.entities, (names,), (), (feature,), (view,))
    shop.write(tmp_path, pa.table({"code": ["x"], "value": [7]}))
    given = shop.spine((1, 1))
    early = given.set_column(1, "t", pa.array([-(10**15)], shop.INSTANT))
    for as_of, spine in (("2026-03-01", given), ("1900-01-01", given), ("1900-01-01", early)):
        table, _ = to_table(shop.program(plan), shop.place(tmp_path), Request("v", as_of, spine))
        assert table["value"].to_pylist() == [7]


def retimed() -> ir.Plan:
    """Return a plan whose features read the orders at the time they were seen."""
    stream = ir.Stream("shop.seen_orders", "shop.orders", None, ir.Column("seen", TIMESTAMP), ())
    feature = shop.feature(
        "seen_7d", replace(shop.aggregate("count", (), 7, INT), rows="shop.seen_orders")
    )
    view = ir.View(
        "shop.v", "shop.User", (ir.Output("seen_7d", ir.FeatureRef(feature.id, INT), INT),)
    )
    source = replace(shop.ORDERS, knowledge=ir.Delay(0), expects=())
    return ir.Plan(shop.PLAN.entities, (source,), (stream,), (feature,), (view,))


def test_a_stream_that_moves_rows_back_in_time(tmp_path: Path) -> None:
    shop.write(tmp_path, shop.orders(seen=pa.array(shop.days(0.5, 0.5, 3, 4, 41), shop.INSTANT)))
    request = Request("v", AS_OF, shop.spine((1, 5), (2, 5)))
    with pytest.raises(AstrafsError) as caught:
        to_table(shop.program(retimed()), shop.place(tmp_path), request)
    (found,) = caught.value.diagnostics
    assert found.code.id == "AFS0906"
    assert "shop.seen_orders" in found.notes[0]
    assert "order_id = b" in found.notes[1]

    aside = replace(request, quarantine=tmp_path / "bad")
    table, (one,) = to_table(shop.program(retimed()), shop.place(tmp_path), aside)
    assert one.count == 1
    assert table["seen_7d"].to_pylist() == [2, 1]
    assert pq.read_table(one.paths[0])["order_id"].to_pylist() == ["b"]


def test_nothing_is_written_by_a_refused_run(tmp_path: Path) -> None:
    shop.write(tmp_path, shop.orders(status=["lost", "paid", "paid", "paid", "open"]))
    before = sorted(tmp_path.rglob("*"))
    request = Request("user_vector", AS_OF, SPINE)
    with pytest.raises(AstrafsError):
        to_file(shop.program(), shop.place(tmp_path), request, tmp_path / "out.parquet")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_csv_source_quarantines_text(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "o.csv").write_text(
        "order_id,user_id,amount,status,note,at,seen\n"
        "a,1,2.5,paid,,2026-01-02T00:00:00Z,2026-01-02T00:00:00Z\n"
        "b,one,2.5,paid,,2026-01-02T00:00:00Z,2026-01-02T00:00:00Z\n"
    )
    request = Request("user_vector", AS_OF, shop.spine((1, 5)), quarantine=tmp_path / "bad")
    table, (aside,) = to_table(shop.program(shop.PLAN, "csv"), shop.place(tmp_path), request)
    assert table["orders_7d"].to_pylist() == [1]
    assert aside.rule == "`user_id` is a 64-bit integer"
    (row,) = pq.read_table(aside.paths[0]).to_pylist()
    assert (row["user_id"], row["amount"], row["note"]) == ("one", "2.5", None)
    assert row["astrafs_file"].endswith("o.csv")


DAMAGED = {
    "parquet": ("o.parquet", b"not parquet at all"),
    "cut parquet": ("o.parquet", None),
    "csv columns": ("o.csv", b"order_id,user_id,amount,status,note,at,seen\na,1\n"),
    "csv quote": ("o.csv", b'order_id,user_id,amount,status,note,at,seen\n"a,1,2,paid,,x,y\n'),
    "csv bytes": ("o.csv", b"order_id,user_id,amount,status,note,at,seen\n\xff,1,2,paid,,x,y\n"),
    "csv header": ("o.csv", b"order_id,order_id\n1,2\n"),
    "csv empty": ("o.csv", b""),
    "json": ("o.jsonl", b'{"order_id": "a"\n'),
    "json twice": ("o.jsonl", b'{"order_id": "a", "order_id": "b"}\n'),
}


@pytest.mark.parametrize("name", sorted(DAMAGED))
def test_damaged_files(tmp_path: Path, name: str) -> None:
    file, data = DAMAGED[name]
    if data is None:
        data = shop.write(tmp_path, shop.orders()).read_bytes()[:-200]
        (tmp_path / "data" / "orders.parquet").unlink()
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / file).write_bytes(data)
    kind = file.rsplit(".", 1)[1]
    with pytest.raises(AstrafsError) as caught:
        to_table(
            shop.program(shop.PLAN, kind),
            shop.place(tmp_path),
            Request("user_vector", AS_OF, SPINE),
        )
    assert {found.code.id for found in caught.value.diagnostics} == {"AFS0907"}
    shown = "\n".join((*caught.value.diagnostics[0].notes, caught.value.diagnostics[0].title))
    assert file in shown


def damaged(root: Path, place: int) -> None:
    """Write three files of orders and overwrite the middle of one: its footer stays whole."""
    for number in range(3):
        pq.write_table(shop.orders(), root / f"data/part-{number}.parquet", compression="none")
    broken = root / f"data/part-{place}.parquet"
    content = bytearray(broken.read_bytes())
    content[8:80] = b"\xff" * 72
    broken.write_bytes(bytes(content))


def test_a_damaged_file_among_many_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    damaged(tmp_path, 1)
    (found,) = refused(tmp_path)
    assert found.code.id == "AFS0907"
    assert found.title == "`data/part-1.parquet` cannot be read"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"order_id,user_id\nx\xe9,1\n", "`data/a.csv` has no column `amount`"),
        (b"order_id,us\xe9r\n", "`data/a.csv` cannot be read: its header is not UTF-8"),
        ("order_id,user_id\n".encode("utf-16"), "`data/a.csv` cannot be read: it is UTF-16"),
        (b"", "`data/a.csv` has no header line"),
    ],
)
def test_encodings_of_csv_files(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.csv").write_bytes(content)
    program = shop.program(shop.PLAN, "csv", "data/a.csv")
    with pytest.raises(AstrafsError) as caught:
        to_table(program, shop.place(tmp_path), Request("user_vector", AS_OF, SPINE))
    assert any(words in found.title for found in caught.value.diagnostics)


def test_text_that_is_not_utf8_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    header = b"order_id,user_id,amount,status,note,at,seen\n"
    row = b"\xe9,1,1,paid,t,2026-01-01T00:00:00Z,2026-01-01T00:00:00Z\n"
    (tmp_path / "data/a.csv").write_bytes(header + row)
    program = shop.program(shop.PLAN, "csv", "data/a.csv")
    with pytest.raises(AstrafsError) as caught:
        to_table(program, shop.place(tmp_path), Request("user_vector", AS_OF, SPINE))
    (found,) = caught.value.diagnostics
    assert found.code.id == "AFS0907"
    assert "Line: 2" in " ".join(found.notes)
    assert found.helps == ("save it as UTF-8",)
