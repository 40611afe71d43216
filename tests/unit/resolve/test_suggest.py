"""Did-you-mean picks the name that a slip most likely stands for, and stays silent otherwise."""

from __future__ import annotations

import pytest

from astrafs.resolve.suggest import closest, distance


@pytest.mark.parametrize(
    ("name", "candidates", "expected"),
    [
        ("c33", ["c3", "c4", "id"], "c3"),
        ("amonut", ["amount", "count"], "amount"),
        ("w2", ["w1"], "w1"),
        ("Usr", ["usd", "User"], "User"),
        ("visits_8d", ["visits_1d", "visits_7d"], "visits_1d"),
        ("conv_rate", ["avg_daily_trips"], None),
        ("x", [], None),
        ("same", ["same"], None),
    ],
)
def test_closest(name: str, candidates: list[str], expected: str | None) -> None:
    assert closest(name, candidates) == expected


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [("", "", 0), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "ab", 1), ("abc", "abd", 1)],
)
def test_distance(left: str, right: str, expected: int) -> None:
    assert distance(left, right, 5) == expected
    assert distance(right, left, 5) == expected


def test_distance_stops_early() -> None:
    assert distance("aaaaaaaa", "bbbbbbbb", 2) == 3


def test_order_of_candidates_does_not_matter() -> None:
    names = ["rate_b", "rate_a", "rate_c"]
    assert closest("rate_x", names) == closest("rate_x", reversed(names)) == "rate_a"
