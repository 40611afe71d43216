"""Requests: times, durations, names, grids, and what is refused before anything is read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from astrafs.diagnostics.model import AstrafsError
from astrafs.plan import ir
from astrafs.plan.find import find_view
from astrafs.runtime.backfill import to_table
from astrafs.runtime.request import Request, check
from astrafs.values.times import duration, instant, iso
from tests.unit.runtime import shop


def code(call: Any, *args: Any, **named: Any) -> str:
    with pytest.raises(AstrafsError) as caught:
        call(*args, **named)
    (found,) = caught.value.diagnostics
    assert found.helps or found.notes or "below zero" in found.title or "at once" in found.title
    return found.code.id


@pytest.mark.parametrize(
    ("given", "micros"),
    [
        ("1970-01-01", 0),
        ("1970-01-01T00:00Z", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01 02:00:00+02:00", 0),
        ("1970-01-01T00:00:00+0130", -5_400_000_000),
        (datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), 0),
        (date(1970, 1, 2), shop.DAY),
        (-7, -7),
        ("1678-01-01", -9_214_560_000_000_000),
        ("2261-12-31T23:59:59.999999Z", 9_214_646_399_999_999),
    ],
)
def test_instants(given: Any, micros: int) -> None:
    assert instant(given, "as-of") == micros


@pytest.mark.parametrize(
    "given",
    [
        "",
        "now",
        "2026-01-01T00:00:00",
        "2026-02-30",
        "2026-01-01T25:00Z",
        "2026-01-01T00:00:00.1234567Z",
        "٢٠٢٦-01-01",
        "1677-12-31",
        "2262-01-01",
        datetime(2026, 1, 1),  # noqa: DTZ001 - a time without a zone is the point
        True,
        1.5,
        2**63,
    ],
)
def test_times_that_are_none(given: Any) -> None:
    assert code(instant, given, "as-of") == "AFS0014"


def test_iso() -> None:
    assert iso(0) == "1970-01-01T00:00:00Z"
    assert iso(-1) == "1969-12-31T23:59:59.999999Z"


@pytest.mark.parametrize(
    ("given", "micros"),
    [("1d", shop.DAY), ("1h30m", 5_400_000_000), (timedelta(seconds=1), 1_000_000), (5, 5)],
)
def test_durations(given: Any, micros: int) -> None:
    assert duration(given, "every") == micros


@pytest.mark.parametrize(
    "given", ["", "0d", "-1d", "1", "1 d", "1y", 0, -5, True, 1.5, "99999999999w"]
)
def test_durations_that_are_none(given: Any) -> None:
    assert code(duration, given, "every") == "AFS0015"


def ask(**changes: Any) -> Any:
    return check(shop.PLAN, replace(Request("user_vector", "2026-03-01"), **changes))


def test_a_cutoff_is_needed() -> None:
    assert code(ask, as_of=None) == "AFS0916"


@pytest.mark.parametrize("zone", ["Europe/Pariss", "unix:m", "../etc"])
def test_zones_that_do_not_exist(zone: str) -> None:
    assert code(ask, time_zone=zone) == "AFS0015"


def test_a_view_by_either_name() -> None:
    assert (
        find_view(shop.PLAN, "shop.user_vector") == find_view(shop.PLAN, "user_vector") == shop.VIEW
    )
    assert code(find_view, shop.PLAN, "user_vecto") == "AFS0012"
    twin = replace(shop.VIEW, name="other.user_vector")
    two = replace(shop.PLAN, views=(shop.VIEW, twin))
    assert code(find_view, two, "user_vector") == "AFS0012"
    assert find_view(two, "other.user_vector") == twin


def test_features_keep_the_order_of_the_view() -> None:
    job = ask(features=["total_7d", "mean_all"])
    assert [one.name for one in job.view.outputs] == ["mean_all", "total_7d"]
    assert code(ask, features=["total_8d"]) == "AFS0013"
    with pytest.raises(AstrafsError):
        ask(features=[])


@pytest.mark.parametrize(
    "changes",
    [
        {"start": "2026-01-01"},
        {"start": "2026-01-01", "end": "2026-01-02"},
        {"start": "2026-01-02", "end": "2026-01-01", "every": "1d"},
        {"start": "2026-01-01", "end": "2026-01-01", "every": "1d"},
        {"start": "2026-01-01", "end": "2027-01-01", "every": "1s"},
        {"start": "2026-01-01", "end": "2026-01-02", "every": "1d", "spine": shop.spine((1, 1))},
        {"limit": -1},
    ],
)
def test_requests_that_are_not_clear(changes: dict[str, Any]) -> None:
    assert code(ask, **changes) == "AFS0916"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shop.write(tmp_path, shop.orders())
    return tmp_path


def rows(root: Path, **changes: Any) -> list[dict[str, Any]]:
    request = replace(Request("user_vector", "2026-03-01"), **changes)
    found: list[dict[str, Any]] = to_table(shop.program(), shop.place(root), request)[0].to_pylist()
    return found


def test_every_known_key_at_the_cutoff(root: Path) -> None:
    found = rows(root, as_of="2026-01-02T12:00:00Z")
    at = datetime(2026, 1, 2, 12, tzinfo=UTC)
    assert found == [{"user_id": 1, "t": at, "mean_all": 2.0, "orders_7d": 2, "total_7d": 4.0}]
    assert [row["user_id"] for row in rows(root)] == [1, 2]
    assert [row["user_id"] for row in rows(root, limit=1)] == [1]
    assert rows(root, as_of="2025-01-01") == []


def test_a_grid_of_times(root: Path) -> None:
    found = rows(root, start="2026-01-01T12:00:00Z", end="2026-01-04T12:00:00Z", every="1d")
    # A grid holds its start and not its end, so that grids side by side share no time.
    assert [(row["user_id"], row["t"].day, row["orders_7d"]) for row in found] == [
        (1, 1, 1),
        (1, 2, 2),
        (1, 3, 2),
        (2, 3, 1),
    ]
    assert (
        rows(root, start="2026-01-01T12:00:00Z", end="2026-01-04T12:00:00Z", every="1d", limit=3)
        == found[:3]
    )
    first = rows(root, start="2026-01-01T12:00:00Z", end="2026-01-02T12:00:00Z", every="1d")
    rest = rows(root, start="2026-01-02T12:00:00Z", end="2026-01-04T12:00:00Z", every="1d")
    assert sorted(map(str, first + rest)) == sorted(map(str, found))


def test_a_limit_takes_the_first_rows_of_a_spine(root: Path) -> None:
    given = shop.spine((2, 5), (1, 5), (1, 1))
    assert [row["user_id"] for row in rows(root, spine=given, limit=2)] == [2, 1]
    assert rows(root, spine=given, limit=0) == []


def test_an_output_called_t_needs_a_spine(root: Path) -> None:
    feature = shop.FEATURES[1]
    view = ir.View(
        "shop.v",
        "shop.User",
        (ir.Output("t", ir.FeatureRef(feature.id, feature.type), feature.type),),
    )
    plan = replace(shop.PLAN, views=(view,))
    with pytest.raises(AstrafsError) as caught:
        to_table(shop.program(plan), shop.place(root), Request("v", "2026-03-01"))
    assert caught.value.diagnostics[0].code.id == "AFS0915"


def test_an_output_that_is_the_key(root: Path) -> None:
    outputs = (
        ir.Output("user_id", ir.KeyPart("user_id", shop.USER), shop.USER),
        shop.VIEW.outputs[1],
    )
    plan = replace(shop.PLAN, views=(ir.View("shop.v", "shop.User", outputs),))
    found = to_table(shop.program(plan), shop.place(root), Request("v", "2026-03-01"))[0]
    assert found.column_names == ["t", "user_id", "orders_7d"]
    assert found["user_id"].to_pylist() == [1, 2]


class Told:
    """Remembers the stages that a run told about."""

    def __init__(self) -> None:
        self.stages: list[tuple[int, int, str]] = []

    def step(self, index: int, total: int, name: str) -> None:
        """Remember one."""
        self.stages.append((index, total, name))


def test_progress_counts_to_the_end(root: Path) -> None:
    told = Told()
    rows(root, progress=told)
    total = told.stages[0][1]
    assert [stage[0] for stage in told.stages] == list(range(1, total + 1))
    assert {stage[1] for stage in told.stages} == {total}
    assert told.stages[0][2] == "reading shop.orders"
    assert told.stages[-1][2] == "writing the result"


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"features": "orders_7d, mean_all"}, 'write `features=["orders_7d", "mean_all"]`'),
        ({"limit": "3"}, "write `limit=4`"),
        ({"threads": 1.5}, "write `threads=4`"),
        ({"keys": ["user_id"]}, 'write `keys={"user_id": "customer"}`'),
        ({"memory_limit": 2_000_000}, 'write a size such as `memory_limit="2GB"`'),
        ({"quarantine": Path(__file__)}, "name a directory"),
    ],
)
def test_arguments_of_another_kind(options: dict[str, Any], advice: str) -> None:
    with pytest.raises(AstrafsError) as caught:
        check(shop.PLAN, Request("user_vector", "2026-01-01", **options))
    (found,) = caught.value.diagnostics
    assert (found.code.id, found.helps) == ("AFS0015", (advice,))
