"""The flights project on real data, against the same definitions once more in pandas."""

from __future__ import annotations

import importlib.util
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import astrafs
from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.source import SourceFile

PROJECT = Path(__file__).resolve().parents[2] / "features" / "flights"
DATA = PROJECT / "data"
AS_OF = "2014-01-02T00:00:00Z"
HOUR = pd.Timedelta(hours=1)
DAY = pd.Timedelta(days=1)


@pytest.fixture(scope="module", autouse=True)
def _prepared() -> None:
    if not (DATA / "airports.csv").exists():
        found = importlib.util.spec_from_file_location("prepare", PROJECT / "prepare.py")
        assert found is not None
        assert found.loader is not None
        prepare = importlib.util.module_from_spec(found)
        found.loader.exec_module(prepare)
        prepare.main()


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    """Every flight, with the instant of its scheduled departure."""
    frame = pq.read_table(DATA / "flights.parquet").to_pandas()
    local = frame["scheduled_local"].dt.tz_localize("America/New_York")
    return frame.assign(scheduled_at=local.dt.tz_convert("UTC"))


@pytest.fixture(scope="module")
def asked() -> pa.Table:
    """A few questions, spread over the year."""
    spine = pq.read_table(DATA / "spine.parquet")
    return spine.take(list(range(1_001, spine.num_rows, 21_011)))


@pytest.fixture(scope="module")
def answers(asked: pa.Table) -> list[dict[str, Any]]:
    """What AstraFS answers."""
    result = astrafs.load(PROJECT).backfill("departure_delay", spine=asked, as_of=AS_OF)
    assert result.select(asked.column_names).equals(asked)
    rows: list[dict[str, Any]] = result.to_pylist()
    return rows


Rows = pd.DataFrame
Wanted = Callable[[Rows, dict[str, Any]], float | int | None]


def past(rows: Rows, column: str, t: Any, length: pd.Timedelta) -> Rows:
    """The rows of ``over length`` by the time in ``column``."""
    return rows[(rows[column] >= t - length) & (rows[column] < t)]


def mean(values: pd.Series) -> float | None:
    """The mean, or None without values."""
    return None if values.empty else float(values.mean())


def latest(rows: Rows, time: str, column: str) -> int | None:
    """The value of the latest row, by time and then flight."""
    ordered = rows.sort_values([time, "flight_id"])
    return None if ordered.empty else int(ordered[column].iloc[-1])


def late_share(rows: Rows) -> float | None:
    """The share of the ten latest departures that left over 15 minutes late."""
    ten = rows.sort_values(["departed_at", "flight_id"]).tail(10)
    return mean((ten["dep_delay"] > 15).astype(float))


def around(rows: Rows, row: dict[str, Any]) -> int:
    """The flights scheduled within half an hour of the question: far edge in, near edge in."""
    half = pd.Timedelta(minutes=30)
    near = rows["scheduled_at"].between(row["t"] - half, row["t"] + half)
    return int(
        (near & (rows["published_at"] <= row["t"]) & (rows["origin"] == row["origin"])).sum()
    )


WANTED: dict[str, Wanted] = {
    "plane_last_dep_delay": lambda f, r: latest(
        f[(f.tailnum == r["tailnum"]) & (f.departed_at < r["t"])], "departed_at", "dep_delay"
    ),
    "plane_departures_1d": lambda f, r: len(
        past(f[f.tailnum == r["tailnum"]], "departed_at", r["t"], DAY)
    ),
    "plane_late_share": lambda f, r: late_share(
        past(f[f.tailnum == r["tailnum"]], "departed_at", r["t"], 30 * DAY)
    ),
    "carrier_delay_3h": lambda f, r: mean(
        past(f[f.carrier == r["carrier"]], "departed_at", r["t"], 3 * HOUR).dep_delay
    ),
    "carrier_delay_30d": lambda f, r: mean(
        past(f[f.carrier == r["carrier"]], "departed_at", r["t"], 30 * DAY).dep_delay
    ),
    "origin_delay_1h": lambda f, r: mean(
        past(f[f.origin == r["origin"]], "departed_at", r["t"], HOUR).dep_delay
    ),
    "origin_departures_1h": lambda f, r: len(
        past(f[f.origin == r["origin"]], "departed_at", r["t"], HOUR)
    ),
    "origin_cancelled_1d": lambda f, r: len(
        past(f[f.origin == r["origin"]], "cancelled_at", r["t"], DAY)
    ),
    "origin_scheduled_around": around,
    "dest_delay_1d": lambda f, r: mean(
        past(f[f.dest == r["dest"]], "landed_at", r["t"], DAY).arr_delay
    ),
    "route_delay_7d": lambda f, r: mean(
        past(
            f[(f.origin == r["origin"]) & (f.dest == r["dest"])], "landed_at", r["t"], 7 * DAY
        ).arr_delay
    ),
}


@pytest.mark.parametrize("name", WANTED)
def test_answers_are_those_of_the_definition(
    name: str, flights: pd.DataFrame, answers: list[dict[str, Any]]
) -> None:
    values = []
    for row in answers:
        wanted, got = WANTED[name](flights, row), row[name]
        values.append(got)
        if wanted is None or got is None:
            assert wanted is got, row["flight_id"]
        else:
            assert math.isclose(wanted, got, rel_tol=1e-12, abs_tol=1e-12), row["flight_id"]
    assert any(value is not None for value in values)


def test_the_future_may_change_and_the_answer_does_not(
    flights: pd.DataFrame, asked: pa.Table, tmp_path: Path
) -> None:
    one = asked.slice(asked.num_rows // 2, 1)
    t = one["t"][0].as_py()
    near = flights[flights["published_at"].between(t - 40 * DAY, t + DAY)]
    near = near.drop(columns="scheduled_at")
    changed = near.copy()
    for moment, columns in (
        ("departed_at", ["dep_delay"]),
        ("landed_at", ["arr_delay", "air_time"]),
    ):
        later = changed[moment] >= t
        assert later.any()
        changed.loc[later, columns] = 999
        changed.loc[later, moment] += HOUR
    changed.loc[changed["cancelled_at"] >= t, "cancelled_at"] += HOUR
    found = [
        other_project(tmp_path / name, rows).backfill("departure_delay", spine=one, as_of=AS_OF)
        for name, rows in (("as_it_was", near), ("otherwise", changed))
    ]
    assert found[0].equals(found[1])
    assert found[0]["origin_departures_1h"][0].as_py() > 0


def other_project(folder: Path, flights: pd.DataFrame) -> astrafs.Project:
    """Make the project again in ``folder``, with other flights."""
    (folder / "data").mkdir(parents=True)
    for path in [*PROJECT.glob("*.afs"), *DATA.glob("*.csv"), DATA / "weather.parquet"]:
        shutil.copyfile(path, folder / path.relative_to(PROJECT))
    shutil.copyfile(DATA / "planes.parquet", folder / "data" / "planes.parquet")
    schema = pq.read_schema(DATA / "flights.parquet").remove_metadata()
    rows = pa.Table.from_pandas(flights, schema=schema, preserve_index=False)
    pq.write_table(rows, folder / "data" / "flights.parquet")
    return astrafs.load(folder)


def test_no_flight_has_left_when_its_delay_is_predicted(flights: pd.DataFrame) -> None:
    spine = pq.read_table(DATA / "spine.parquet").to_pandas()
    assert spine["flight_id"].equals(flights["flight_id"])
    assert not (flights["departed_at"] <= spine["t"]).any()


def test_the_project_is_clean_and_as_large_as_promised() -> None:
    sink = Sink()
    files = [SourceFile(path.name, path.read_text("utf-8")) for path in PROJECT.glob("*.afs")]
    program = compile_project(files, sink)
    assert list(sink) == []
    assert program is not None
    assert len(program.plan.features) >= 80
    assert len(program.plan.views) == 6
    assert all(feature.doc and feature.owner for feature in program.plan.features)


def test_the_dataset_is_the_view_asked_with_its_spine(
    tmp_path: Path, flights: pd.DataFrame
) -> None:
    """A month around the split: the features of the spine, and labels as pandas has them."""
    root = tmp_path / "flights"
    shutil.copytree(PROJECT, root, ignore=shutil.ignore_patterns("out", "flights.parquet"))
    days = flights["scheduled_at"].between("2013-10-20", "2013-11-20")
    table = pq.read_table(DATA / "flights.parquet").filter(pa.array(days))
    pq.write_table(table, root / "data" / "flights.parquet")
    project = astrafs.load(root)
    splits = project.dataset("departure_training", AS_OF)
    both = pa.concat_tables(splits.values())
    spine = both.select(
        ["flight_id", "tailnum", "carrier", "origin", "dest", "distance", "scheduled_at"]
    ).append_column("t", both["asked_at"])
    asked = project.backfill("departure_delay", spine=spine, as_of=AS_OF)
    names = [name for name in asked.column_names if name not in spine.column_names]
    assert both.num_rows > 20_000
    assert both.select(names).equals(asked.select(names))

    known = flights.set_index("flight_id")
    cancelled = flights[days & flights["cancelled_at"].notna()]
    test = pd.Timestamp("2013-11-08", tz="UTC")
    for row in both.take(list(range(0, both.num_rows, 997))).to_pylist():
        flight = known.loc[row["flight_id"]]
        cutoff = test if row["asked_at"] < test else pd.Timestamp(AS_OF)
        landed = pd.notna(flight.landed_at) and flight.landed_at <= cutoff
        assert row["arrived_late"] == (flight.arr_delay > 15 if landed else None)
        left = pd.notna(flight.departed_at) and flight.departed_at <= cutoff
        assert row["dep_delay"] == (flight.dep_delay if left else None)
        same = cancelled[cancelled["origin"] == row["origin"]]["cancelled_at"]
        soon = (same > row["asked_at"]) & (same <= row["asked_at"] + 6 * HOUR)
        assert row["cancelled_next_6h"] == int(soon.sum())


def test_serving_gives_what_a_backfill_gives(capfd: pytest.CaptureFixture[str]) -> None:
    """A small part of ``make flights-parity``: the first week, all views."""
    from astrafs.cli.app import main

    options = ("--sample", "120", "--as-of", "2013-01-07", "--json", "--project", str(PROJECT))
    with pytest.raises(SystemExit) as ended:
        main(["parity", *options])
    report = json.loads(capfd.readouterr().out)
    assert ended.value.code == 0, report
    assert [one["questions"] for one in report["views"]] == [20] * 6
    assert report["rows_replayed"] > 10_000
