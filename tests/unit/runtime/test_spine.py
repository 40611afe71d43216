"""Spines: what is accepted as one, how its columns are found and read, and what comes back."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.plan import ir
from astrafs.runtime.backfill import to_table
from astrafs.runtime.request import Request
from astrafs.typesys import BOOL, DATE, FLOAT, INT, decimal
from tests.unit.runtime import shop

AS_OF = "2026-03-01"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shop.write(tmp_path, shop.orders())
    return tmp_path


def run(root: Path, spine: object, **options: Any) -> pa.Table:
    table, _ = to_table(
        shop.program(), shop.place(root), Request("user_vector", AS_OF, spine, **options)
    )
    return table


def refused(root: Path, spine: object, **options: Any) -> tuple[Diagnostic, ...]:
    with pytest.raises(AstrafsError) as caught:
        run(root, spine, **options)
    return caught.value.diagnostics


GIVEN = shop.spine((1, 5), (2, 5), (1, 5), (3, 5), (None, 5), x=["a", "b", "c", "d", None])
COUNTS = [3, 1, 3, 0, 0]


def test_rows_come_back_one_for_one_with_their_own_columns(root: Path) -> None:
    table = run(root, GIVEN)
    assert table.select(GIVEN.column_names) == GIVEN
    assert table.column_names == ["user_id", "t", "x", "mean_all", "orders_7d", "total_7d"]
    assert table["orders_7d"].to_pylist() == COUNTS


def test_odd_columns_of_a_spine_are_untouched(root: Path) -> None:
    more: dict[str, Any] = {
        "list": [[1], None, [], [2, 3], [4]],
        "struct": [{"a": 1}, None, {"a": None}, {"a": 2}, {"a": 3}],
        "kind": pa.array(["p", "q", None, "p", "q"]).dictionary_encode(),
        "local": pa.array([1, 2, 3, None, 5], pa.timestamp("ns")),
        "paris": pa.array([1, 2, 3, None, 5], pa.timestamp("s", "Europe/Paris")),
        "price": pa.array([Decimal("1.10")] * 5, pa.decimal128(5, 2)),
        "nan": [float("nan"), -0.0, None, 1.0, 2.0],
        "nothing": pa.nulls(5),
        "small": pa.array([1, 2, 3, None, 5], pa.uint8()),
    }
    given = shop.spine((1, 5), (2, 5), (1, 5), (3, 5), (None, 5), **more)
    table = run(root, given)
    own = table.select(given.column_names)
    assert own.schema == given.schema
    assert own.drop_columns(["nan"]) == given.drop_columns(["nan"])
    assert str(own["nan"].to_pylist()) == str(given["nan"].to_pylist())


def test_an_empty_spine(root: Path) -> None:
    table = run(root, GIVEN.slice(0, 0))
    assert table.num_rows == 0
    assert table.schema == run(root, GIVEN).schema


def test_a_spine_in_many_batches(root: Path) -> None:
    whole = pa.concat_tables([GIVEN.slice(0, 2), GIVEN.slice(2)])
    assert run(root, whole) == run(root, GIVEN)


@pytest.mark.parametrize("make", ["table", "batch", "reader", "polars", "pandas"])
def test_frames_go_in_by_the_arrow_stream(root: Path, make: str) -> None:
    one = GIVEN.combine_chunks()
    spines: dict[str, object] = {
        "table": one,
        "batch": one.to_batches()[0],
        "reader": one.to_reader(),
        "polars": pl.from_arrow(one),
        "pandas": pd.DataFrame(
            {
                "user_id": pd.array([1, 2, 1, 3, None], "Int64"),
                "t": [datetime(2026, 1, 6, tzinfo=UTC)] * 5,
            }
        ),
    }
    table = run(root, spines[make])
    assert table["orders_7d"].to_pylist() == COUNTS
    assert table.schema.metadata is None


@pytest.mark.parametrize(
    "ending", ["parquet", "csv", "jsonl", "arrow", "feather", "ndjson", "arrows"]
)
def test_spine_files(root: Path, ending: str) -> None:
    path = root / f"spine.{ending}"
    match ending:
        case "parquet":
            pq.write_table(GIVEN, path)
        case "csv":
            pyarrow.csv.write_csv(GIVEN, path)
        case "jsonl" | "ndjson":
            rows = [
                f'{{"x": "{chr(97 + place)}", "user_id": {"null" if user is None else user},'
                f' "t": "2026-01-06T00:00:00Z", "n": {place}}}\n'
                for place, user in enumerate([1, 2, 1, 3, None])
            ]
            path.write_text("".join(rows))
        case "arrows":
            with pa.ipc.new_stream(path, GIVEN.schema) as writer:
                writer.write_table(GIVEN)
        case _:
            with pa.ipc.new_file(path, GIVEN.schema) as writer:
                writer.write_table(GIVEN)
    table = run(root, path)
    assert table["orders_7d"].to_pylist() == COUNTS
    assert table["user_id"].to_pylist() == [1, 2, 1, 3, None]
    assert table.schema.field("t").type == pa.timestamp("us", "UTC")
    assert table.schema.field("user_id").type == pa.int64()
    assert table["x"].to_pylist()[:4] == ["a", "b", "c", "d"]
    if ending in ("jsonl", "ndjson"):
        assert table["n"].to_pylist() == [0, 1, 2, 3, 4]


def test_other_columns_of_a_csv_spine_stay_text(root: Path) -> None:
    path = root / "spine.csv"
    path.write_text(
        'code,user_id,t,note\n007,1,2026-01-06T00:00:00Z,\n1e3,2,2026-01-06T00:00:00Z,""\n'
    )
    table = run(root, path)
    assert table["code"].to_pylist() == ["007", "1e3"]
    assert table["note"].to_pylist() == [None, ""]


def test_a_csv_spine_with_odd_names(root: Path) -> None:
    path = root / "spine.csv"
    path.write_text(',user_id,USER_ID,t,"a ""b""",@row\n0,1,x,2026-01-06T00:00:00Z,y,z\n')
    table = run(root, path)
    assert table.column_names[:6] == ["", "user_id", "USER_ID", "t", 'a "b"', "@row"]
    assert [table.column(place)[0].as_py() for place in (0, 1, 2, 4, 5)] == ["0", 1, "x", "y", "z"]


def test_a_long_csv_spine_keeps_its_order(root: Path) -> None:
    path = root / "spine.csv"
    rows = "".join(f"{n % 7},2026-01-06T00:00:00Z,{n}\n" for n in range(300_000))
    path.write_text("user_id,t,n\n" + rows)
    table = run(root, path)
    assert table["n"].to_pylist() == [str(n) for n in range(300_000)]


def test_named_columns(root: Path) -> None:
    given = GIVEN.rename_columns(["customer", "asked", "x"]).append_column(
        "t", pa.array([None] * 5, pa.string())
    )
    table = run(root, given, time="asked", keys={"user_id": "customer"})
    assert table["orders_7d"].to_pylist() == COUNTS


@pytest.mark.parametrize("name", ["t", "time", "whenever"])
def test_the_time_column_is_found(root: Path, name: str) -> None:
    table = run(root, GIVEN.rename_columns(["user_id", name, "x"]))
    assert table["orders_7d"].to_pylist() == COUNTS


def test_several_times_are_not_guessed(root: Path) -> None:
    given = GIVEN.rename_columns(["user_id", "a", "x"]).append_column("b", GIVEN["t"])
    (found,) = refused(root, given)
    assert found.code.id == "AFS0911"
    assert "`a`, `b`" in found.notes[0]


def test_no_time(root: Path) -> None:
    (found,) = refused(root, GIVEN.select(["user_id", "x"]))
    assert found.code.id == "AFS0911"


def test_missing_columns(root: Path) -> None:
    (found,) = refused(root, GIVEN.rename_columns(["userid", "t", "x"]))
    assert (found.code.id, found.helps) == ("AFS0910", ("map it: `keys={'user_id': 'userid'}`",))
    (found,) = refused(root, GIVEN, time="tt")
    assert (found.code.id, found.helps) == ("AFS0910", ("did you mean `t`?",))
    (found,) = refused(root, GIVEN, keys={"userid": "user_id"})
    assert (found.code.id, found.helps) == ("AFS0910", ("did you mean `user_id`?",))


def test_a_clash_of_names(root: Path) -> None:
    (found,) = refused(root, GIVEN.rename_columns(["user_id", "t", "orders_7d"]))
    assert found.code.id == "AFS0915"
    assert "`orders_7d`" in found.title
    assert (
        run(
            root, GIVEN.rename_columns(["user_id", "t", "orders_7d"]), features=["total_7d"]
        ).num_columns
        == 4
    )


def test_two_columns_of_one_name(root: Path) -> None:
    (found,) = refused(root, GIVEN.rename_columns(["user_id", "t", "t"]))
    assert found.code.id == "AFS0910"


@pytest.mark.parametrize("kind", [pa.int8(), pa.int16(), pa.uint64(), pa.int64()])
def test_any_integer_is_an_int_key(root: Path, kind: pa.DataType) -> None:
    given = GIVEN.set_column(0, "user_id", GIVEN["user_id"].cast(kind))
    assert run(root, given)["orders_7d"].to_pylist() == COUNTS


@pytest.mark.parametrize("kind", [pa.string(), pa.float64()])
def test_a_key_of_another_type(root: Path, kind: pa.DataType) -> None:
    (found,) = refused(root, GIVEN.set_column(0, "user_id", GIVEN["user_id"].cast(kind)))
    assert found.code.id == "AFS0912"
    assert "`User`" in found.title or "`int`" in found.title


def test_times_without_a_zone(root: Path) -> None:
    local = GIVEN.set_column(
        1, "t", GIVEN["t"].cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
    )
    (found,) = refused(root, local)
    assert found.code.id == "AFS0912"
    assert found.title == "the spine's times in `t` have no time zone, so they are no instants"
    assert 'pass `time_zone="UTC"`' in found.helps[0]
    table = run(root, local, time_zone="UTC")
    assert table["orders_7d"].to_pylist() == COUNTS
    assert table.schema.field("t").type == pa.timestamp("us")
    # Midnight in New York is five hours after midnight in UTC, where the orders lie.
    edge = shop.spine((1, 3))
    local = edge.set_column(1, "t", edge["t"].cast(pa.timestamp("us")))
    assert run(root, local, time_zone="UTC")["orders_7d"].to_pylist() == [2]
    assert run(root, local, time_zone="America/New_York")["orders_7d"].to_pylist() == [3]


def test_csv_times_without_an_offset(root: Path) -> None:
    path = root / "spine.csv"
    path.write_text("user_id,t\n1,2026-01-06T00:00:00\n")
    (found,) = refused(root, path)
    assert found.code.id == "AFS0913"
    assert "row 1: t = 2026-01-06T00:00:00" in found.notes
    assert run(root, path, time_zone="UTC")["orders_7d"].to_pylist() == [3]


def test_counted_times(root: Path) -> None:
    seconds = pa.array([int(day.timestamp()) for day in shop.days(5, 5, 5, 5, 5)])
    given = GIVEN.set_column(1, "t", seconds)
    assert refused(root, given)[0].code.id == "AFS0912"
    assert run(root, given, time_zone="unix:s")["orders_7d"].to_pylist() == COUNTS


def test_null_times_are_named(root: Path) -> None:
    given = GIVEN.set_column(
        1, "t", pa.array([*shop.days(5), None, *shop.days(5, 5), None], shop.INSTANT)
    )
    (found,) = refused(root, given)
    assert found.code.id == "AFS0913"
    assert found.title.startswith("2 rows of the spine")
    assert found.notes[1:] == ("row 2: t = null", "row 5: t = null")


def test_times_out_of_range_and_between_microseconds(root: Path) -> None:
    early = GIVEN.slice(0, 1).set_column(1, "t", pa.array([-(2**62)], shop.INSTANT))
    assert "1678" in refused(root, early)[0].notes[0]
    fine = GIVEN.slice(0, 1).set_column(1, "t", pa.array([1500], pa.timestamp("ns", "UTC")))
    assert "whole microseconds" in refused(root, fine)[0].notes[0]


@pytest.mark.parametrize("spine", [42, [1, 2], {"user_id": [1]}, object()])
def test_things_that_are_no_spine(root: Path, spine: object) -> None:
    (found,) = refused(root, spine)
    assert found.code.id == "AFS0914"


def test_files_that_are_no_spine(root: Path) -> None:
    assert refused(root, root / "none.parquet")[0].code.id == "AFS0011"
    (root / "spine.txt").write_text("user_id,t\n")
    assert refused(root, root / "spine.txt")[0].code.id == "AFS0914"
    (root / "spine.parquet").write_text("user_id,t\n")
    assert refused(root, root / "spine.parquet")[0].code.id == "AFS0907"
    (root / "spine.arrow").write_bytes(b"ARROW1")
    assert refused(root, root / "spine.arrow")[0].code.id == "AFS0907"
    (root / "spine.csv").write_bytes(b"user_id,t\n1\n")
    assert refused(root, root / "spine.csv")[0].code.id == "AFS0907"
    (root / "spine.jsonl").write_bytes(b"{\n")
    assert refused(root, root / "spine.jsonl")[0].code.id == "AFS0907"


def request_plan() -> ir.Plan:
    """Return a plan with a request whose fields all come back as features."""
    fields = (
        ir.Field("user_id", shop.USER),
        ir.Field("amount", decimal(12, 2)),
        ir.Field("score", FLOAT.optional()),
        ir.Field("day", DATE),
        ir.Field("is_new", BOOL),
        ir.Field("status", shop.STATUS.optional()),
    )
    outputs = []
    features = [*shop.FEATURES]
    for field in fields[1:]:
        feature = ir.Feature(
            ir.FeatureId("shop.Checkout", f"out_{field.name}"),
            field.type,
            ir.KeyPart(field.name, field.type),
            "d",
            "o",
        )
        features.append(feature)
        outputs.append(
            ir.Output(feature.id.name, ir.FeatureRef(feature.id, feature.type), feature.type)
        )
    total = shop.FEATURES[2]
    lookup = ir.EntityLookup("shop.User", (ir.KeyPart("user_id", INT),), total.id, 0, FLOAT)
    outputs.append(ir.Output("total_7d", lookup, FLOAT))
    view = ir.View("shop.checkout", "shop.Checkout", tuple(outputs))
    entities = (ir.Entity("shop.Checkout", fields, request=True), *shop.PLAN.entities)
    return ir.Plan(
        entities, shop.PLAN.sources, (), tuple(sorted(features, key=lambda f: f.id)), (view,)
    )


REQUESTS = pa.table(
    {
        "user_id": [1, 2],
        "t": pa.array(shop.days(5, 5), shop.INSTANT),
        "amount": pa.array([Decimal("1.5"), Decimal("2.0")], pa.decimal128(5, 1)),
        "score": [float("nan"), -0.0],
        "day": pa.array([0, 1], pa.date32()),
        "is_new": [True, False],
        "status": ["paid", None],
    }
)


def run_request(root: Path, spine: pa.Table) -> pa.Table:
    table, _ = to_table(
        shop.program(request_plan()), shop.place(root), Request("checkout", AS_OF, spine)
    )
    return table


def test_request_fields_come_from_the_spine(root: Path) -> None:
    rows = run_request(root, REQUESTS).drop_columns(["user_id", "t"]).to_pylist()
    assert rows[0]["out_amount"] == Decimal("1.50")
    assert (rows[0]["out_score"], str(rows[1]["out_score"])) == (None, "0.0")
    assert [row["out_status"] for row in rows] == ["paid", None]
    assert [row["total_7d"] for row in rows] == [8.0, 0.0]
    assert [row["out_day"].isoformat() for row in rows] == ["1970-01-01", "1970-01-02"]


@pytest.mark.parametrize(
    ("name", "values", "rule"),
    [
        ("amount", pa.array([None, Decimal("1")], pa.decimal128(5, 1)), "`amount` is never null"),
        ("user_id", pa.array([None, 1]), "`user_id` is never null"),
        ("status", pa.array(["gone", None]), "`status` is one of paid, open"),
        ("is_new", pa.array([None, True]), "`is_new` is never null"),
    ],
)
def test_request_fields_that_do_not_fit(root: Path, name: str, values: pa.Array, rule: str) -> None:
    place = REQUESTS.column_names.index(name)
    with pytest.raises(AstrafsError) as caught:
        run_request(root, REQUESTS.set_column(place, name, values))
    (found,) = caught.value.diagnostics
    assert found.code.id == "AFS0913"
    assert found.notes[0] == f"rule: {rule}"
    assert found.notes[1].startswith("row 1: ")


def test_a_request_needs_a_spine(root: Path) -> None:
    with pytest.raises(AstrafsError) as caught:
        to_table(shop.program(request_plan()), shop.place(root), Request("checkout", AS_OF))
    assert caught.value.diagnostics[0].code.id == "AFS0916"


def test_an_entity_without_keys(root: Path) -> None:
    world = ir.Entity("shop.World", ())
    total = ir.Aggregate("count", (), None, None, "shop.orders", (), shop.window(7), INT)
    feature = ir.Feature(ir.FeatureId("shop.World", "n"), INT, total, "d", "o")
    view = ir.View(
        "shop.world", "shop.World", (ir.Output("n", ir.FeatureRef(feature.id, INT), INT),)
    )
    plan = ir.Plan((world,), shop.PLAN.sources, (), (feature,), (view,))
    spine = shop.spine((1, 5), (2, 2)).select(["t"])
    table, _ = to_table(shop.program(plan), shop.place(root), Request("world", AS_OF, spine))
    assert table["n"].to_pylist() == [4, 2]


PANDAS = GIVEN.to_pandas().head(3).assign(user_id=[1, 2, 1])
ADVICE = {
    "naive pandas": (
        PANDAS.assign(t=PANDAS["t"].dt.tz_localize(None)),
        'frame["t"] = frame["t"].dt.tz_localize("UTC")',
    ),
    "naive polars": (
        pl.DataFrame({"user_id": [1], "t": [datetime(2026, 1, 6)]}),  # noqa: DTZ001
        'pl.col("t").dt.replace_time_zone("UTC")',
    ),
    "naive pyarrow": (
        pa.table({"user_id": [1], "t": pa.array([0], pa.timestamp("us"))}),
        'pc.assume_timezone(table["t"], "UTC")',
    ),
    "dates": (
        PANDAS.assign(t=PANDAS["t"].dt.date),
        'frame["t"] = pandas.to_datetime(frame["t"], utc=True)',
    ),
    "Polars dates": (
        pl.DataFrame({"user_id": [1], "t": [datetime(2026, 1, 6, tzinfo=UTC).date()]}),
        'pl.col("t").cast(pl.Datetime("us", "UTC"))',
    ),
    "seconds": (PANDAS.assign(t=1_767_398_400), 'time_zone="unix:s"'),
    "nanoseconds": (
        PANDAS.assign(t=PANDAS["t"].dt.as_unit("ns") + pd.Timedelta(5, "ns")),
        'frame["t"] = frame["t"].dt.floor("us")',
    ),
    "floats": (
        PANDAS.assign(user_id=[1.0, None, 2.0]),
        'frame["user_id"] = frame["user_id"].astype("Int64")',
    ),
    "text": (
        pl.DataFrame({"user_id": ["1"], "t": [datetime(2026, 1, 6, tzinfo=UTC)]}),
        'pl.col("user_id").cast(pl.Int64)',
    ),
    "in the index": (
        PANDAS.set_index(pd.RangeIndex(1, 4, name="user_id"))[["t", "x"]],
        "frame.reset_index()",
    ),
    "lazy": (pl.LazyFrame({"user_id": [1]}), "spine=frame.collect()"),
    "a dict": ({"user_id": [1]}, "spine=pyarrow.table(...)"),
    "a list": ([{"user_id": 1}], "spine=pyarrow.Table.from_pylist(...)"),
}


@pytest.mark.parametrize("name", sorted(ADVICE))
def test_the_message_says_what_to_write(root: Path, name: str) -> None:
    given, wanted = ADVICE[name]
    (found,) = refused(root, given)
    assert any(wanted in one for one in found.helps), found.helps


def test_what_the_messages_advise_works(root: Path) -> None:
    naive = PANDAS.assign(t=PANDAS["t"].dt.tz_localize(None))
    for frame, options in (
        (naive, {"time_zone": "UTC"}),
        (naive.assign(t=naive["t"].dt.tz_localize("UTC")), {}),
        (naive.assign(t=naive["t"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")), {}),
        (PANDAS.assign(user_id=PANDAS["user_id"].astype("float").astype("Int64")), {}),
    ):
        assert run(root, frame, **options)["orders_7d"].to_pylist() == COUNTS[:3]


def test_times_as_text_come_back_as_text(root: Path) -> None:
    given = pa.table({"user_id": [1], "t": ["2026-01-06T01:00:00+01:00"]})
    table = run(root, given)
    assert table["t"].to_pylist() == ["2026-01-06T01:00:00+01:00"]
    assert table["orders_7d"].to_pylist() == [3]


def test_a_missing_spine_suggests_its_neighbour(root: Path) -> None:
    (root / "spine.csv").write_text("user_id,t\n")
    (found,) = refused(root, root / "spin.csv")
    assert found.code.id == "AFS0011"
    assert found.helps == (f"did you mean `{root / 'spine.csv'}`?",)
