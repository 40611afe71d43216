"""Did-you-mean, and parsing from several threads at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from astrafs.diagnostics.model import Sink
from astrafs.diagnostics.suggest import closest, edit_distance
from astrafs.source import SourceFile
from astrafs.syntax.parse import parse_module

EVERYTHING = (Path(__file__).parent / "everything.afs").read_text("utf-8")


@pytest.mark.parametrize(
    ("left", "right", "distance"),
    [
        ("", "", 0),
        ("a", "", 1),
        ("kitten", "sitting", 3),
        ("amuont", "amount", 1),
        ("ab", "xyz", 3),
    ],
)
def test_edit_distance(left: str, right: str, distance: int) -> None:
    assert edit_distance(left, right, 3) == distance
    assert edit_distance(right, left, 3) == distance


def test_edit_distance_stops_at_the_limit() -> None:
    assert edit_distance("a" * 40, "b" * 40, 2) == 3


@pytest.mark.parametrize(
    ("name", "candidates", "wanted"),
    [
        ("amuont", ["amount", "count"], "amount"),
        ("Amount", ["amount"], "amount"),
        ("txn_count_1", ["txn_count_1d", "txn_count_1h", "txn_count_7d"], "txn_count_1d"),
        ("xyz", ["amount"], None),
        ("a", ["b"], None),
        ("amount", ["amount"], None),
        ("aprovd", ["approved", "declined"], "approved"),
        ("anything", [], None),
    ],
)
def test_closest(name: str, candidates: list[str], wanted: str | None) -> None:
    assert closest(name, candidates) == wanted
    assert closest(name, reversed(candidates)) == wanted


def test_threads_do_not_mix() -> None:
    def parse(number: int) -> tuple[str, int]:
        text = EVERYTHING + f"const only_{number} = 1 +\n"
        sink = Sink()
        module = parse_module(SourceFile(f"f{number}.afs", text), f"f{number}", sink)
        (problem,) = sink
        assert problem.primary is not None
        return problem.primary.span.path, len(module.declarations)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(parse, range(24)))
    assert [path for path, _ in results] == [f"f{number}.afs" for number in range(24)]
    assert len({count for _, count in results}) == 1
