"""Killed processes lose nothing that they acknowledged; the long form is ``make crash``."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

import pytest

from astrafs.online.stores import open_store
from tests.crash import loading, run
from tests.redis_server import find_redis_server


def _well(found: run.Found, kills: int) -> None:
    assert found.problems() == 0, dict(found)
    assert found["kills of writers"] + found["kills of the server"] >= kills
    assert found["batches acknowledged"] > 0
    assert found["answers compared"] > 0


def test_killed_writers_of_sqlite_lose_nothing(tmp_path: Path) -> None:
    _well(run.sqlite_rounds(tmp_path, Random(), 2), 2)


def test_killed_writers_and_servers_of_redis_lose_nothing() -> None:
    if find_redis_server() is None:
        pytest.skip("redis-server is not installed (apt-get install redis-server)")
    with run.redis_server() as server:
        _well(run.redis_rounds(server, Random(), 1, 1), 2)


def test_a_killed_load_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    project = tmp_path / "project"
    loading.write_project(project, 60)
    started = time.monotonic()
    loading.load_killed(project, "whole", Random(), 0, 0)
    seconds = (time.monotonic() - started) / 2
    loading.load_killed(project, "killed", Random(), 1, seconds)
    wanted = loading.answers(project, str(project / "whole"))
    assert loading.answers(project, str(project / "killed")) == wanted
    assert any(answer["orders_all"] for answer in wanted)


def test_a_full_disk_is_refused_and_loses_nothing(tmp_path: Path) -> None:
    rounds = run.Rounds(str(tmp_path / "store"), Random())
    rounds.fill_disk(100_000)
    assert rounds.found["refusals on a full disk"] == 1
    assert rounds.found.problems() == 0, dict(rounds.found)


def test_what_is_lost_is_seen(tmp_path: Path) -> None:
    rounds = run.Rounds(str(tmp_path / "store"), Random(1))
    rounds.kill_writers(1)
    store = open_store(tmp_path / "store")
    before = dict(store.scan(b""))
    rounds.kill_writers(1)
    assert rounds.found.problems() == 0
    # The disk went back in time, as one does that acknowledges writes which it has not made.
    now = dict(store.scan(b""))
    store.write({key: before.get(key) for key in {*now, *before}})
    store.close()
    rounds.compare()
    assert rounds.found["wrong answers"] > 0
    assert rounds.found["acknowledged rows lost"] > 0
