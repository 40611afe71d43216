"""Kill processes that ingest and load, at random moments, and look at what is left.

Run ``python -m tests.crash.run [--kills N] [--seed N]``. Each round starts one or two writers on a
store that lives through all rounds, kills them (or the Redis server under them), and compares the
answers with those of a store in memory that was given the acknowledged batches only. A batch that
was under way may be there whole or not at all.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random

from astrafs.online.store import MemoryStore
from astrafs.online.stores import open_store
from tests.crash import loading
from tests.crash.child import REFUSED
from tests.crash.feed import Served, batch
from tests.redis_server import RedisServer, find_redis_server

ROOT = Path(__file__).resolve().parents[2]
FAILED = "AFS1003"
UNREACHABLE = "AFS1032"


class Found(Counter[str]):
    """What was counted over all rounds."""

    def problems(self) -> int:
        """Return how often something was lost, wrong or torn."""
        return self["acknowledged rows lost"] + self["wrong answers"] + self["torn batches"]


class Rounds:
    """Rounds of killing over one store, and what must be in it."""

    def __init__(self, place: str, rng: Random) -> None:
        self._place = place
        self._rng = rng
        self._next = [0, 0]
        self._truth = Served(MemoryStore())
        self.found = Found()
        open_store(place, create=True).close()

    def kill_writers(self, writers: int) -> None:
        """Start ``writers`` processes, kill them at a random moment, and compare."""
        children = [self._start(series) for series in range(writers)]
        acknowledged = [_first(child) for child in children]
        time.sleep(self._rng.uniform(0, 0.2))
        for child in children:
            child.kill()
        self._compare(children, acknowledged)
        self.found["kills of writers"] += writers

    def fill_disk(self, bytes_more: int) -> None:
        """Start a writer that can write ``bytes_more`` more to any file, wait until the store
        refuses, and compare.
        """
        files = [path for path in Path(self._place).iterdir() if path.is_file()]
        limit = max(path.stat().st_size for path in files) + bytes_more
        child = self._start(0, limit)
        acknowledged = [_first(child)]
        assert child.wait(timeout=60) == REFUSED
        self._compare([child], acknowledged, FAILED)
        self.found["refusals on a full disk"] += 1

    def kill_server(self, server: RedisServer) -> None:
        """Start a writer, kill the server under it, start that again, and compare."""
        child = self._start(0)
        acknowledged = [_first(child)]
        time.sleep(self._rng.uniform(0, 0.2))
        server.kill()
        code = child.wait(timeout=60)
        server.start()
        self._compare([child], acknowledged, UNREACHABLE)
        assert code == REFUSED, code
        self.found["kills of the server"] += 1

    def compare(self) -> None:
        """Compare without killing anything."""
        self._compare([], [])

    def _start(self, series: int, *limit: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.crash.child", self._place]
        command += [str(number) for number in (series, self._next[series], *limit)]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    def _compare(
        self, children: list[subprocess.Popen[str]], first: list[str], *refusal: str
    ) -> None:
        under_way = []
        for series, (child, line) in enumerate(zip(children, first, strict=True)):
            rest, _ = child.communicate()
            lines = [line, *rest.splitlines()]
            numbers = [int(one) for one in lines if one.isdecimal()]
            codes = [one for one in lines if one and not one.isdecimal()]
            assert codes == list(refusal), codes
            for number in numbers:
                self._truth.ingest(batch(series, number))
            self.found["batches acknowledged"] += len(numbers)
            self._next[series] = self._next[series] + len(numbers)
            assert numbers[-1] == self._next[series] - 1
            under_way.append(batch(series, self._next[series]))
            self._next[series] += 1
        started = time.perf_counter()
        store = open_store(self._place)
        served = Served(store)
        before = served.answers()
        self.found["milliseconds to open and answer, all"] += round(
            (time.perf_counter() - started) * 1000
        )
        # What a client does that was not told: send it again. It also tells what was there.
        missing = []
        for given in under_way:
            done = served.ingest(given)
            if done.taken == 0:
                self.found["batches kept but not acknowledged"] += 1
                self._truth.ingest(given)
            else:
                missing.append(given)
                self.found["torn batches"] += done.repeated > 0
        self._count(before, self._truth.answers())
        for given in missing:
            self._truth.ingest(given)
        self._count(served.answers(), self._truth.answers())
        for series in range(len(self._next)):
            # All that was ever acknowledged is known to the store as it was sent.
            for number in self._rng.sample(range(self._next[series]), min(self._next[series], 5)):
                self.found["acknowledged rows lost"] += served.ingest(batch(series, number)).taken
        store.close()

    def _count(self, got: object, wanted: object) -> None:
        assert isinstance(got, tuple)
        assert isinstance(wanted, tuple)
        wrong = sum(one != other for one, other in zip(got, wanted, strict=True))
        self.found["wrong answers"] += wrong
        self.found["answers compared"] += len(wanted)


def _first(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    line = child.stdout.readline().strip()
    assert line.isdecimal(), f"the writer did not come to write: {line!r}"
    return line


@contextmanager
def redis_server() -> Iterator[RedisServer]:
    """A private server that flushes every write, in a directory that is gone afterwards."""
    program = find_redis_server()
    if program is None:
        raise SystemExit("redis-server is not installed (apt-get install redis-server)")
    with tempfile.TemporaryDirectory() as directory, RedisServer(program, Path(directory)) as found:
        yield found


def sqlite_rounds(directory: Path, rng: Random, kills: int) -> Found:
    """Kill writers of a SQLite store until ``kills`` are dead."""
    rounds = Rounds(str(directory / "store"), rng)
    while rounds.found["kills of writers"] < kills:
        rounds.kill_writers(rng.choice((1, 1, 2)))
        if rng.random() < 0.1:
            rounds.fill_disk(rng.randrange(20_000, 400_000))
    return rounds.found


def redis_rounds(server: RedisServer, rng: Random, kills: int, server_kills: int) -> Found:
    """Kill writers of a Redis store until ``kills`` are dead, then the server some times."""
    rounds = Rounds(server.place(), rng)
    while rounds.found["kills of writers"] < kills:
        rounds.kill_writers(rng.choice((1, 1, 2)))
    for _ in range(server_kills):
        rounds.kill_server(server)
    return rounds.found


def load_rounds(directory: Path, place: Callable[[str], str], rng: Random, kills: int) -> Found:
    """Kill loads from files until ``kills`` were killed at work, three on each store."""
    found, project = Found(), directory / "project"
    loading.write_project(project, 600)
    started = time.perf_counter()
    loading.load_killed(project, place("whole"), rng, 0, 0)
    seconds = (time.perf_counter() - started) / 2
    wanted = loading.answers(project, place("whole"))
    while found["kills of loads"] < kills:
        store = place(f"killed{found['kills of loads']}")
        found["kills of loads"] += loading.load_killed(project, store, rng, 3, seconds)
        got = loading.answers(project, store)
        found["wrong answers"] += sum(a != b for a, b in zip(got, wanted, strict=True))
        found["answers compared"] += len(wanted)
    return found


def main(arguments: list[str]) -> int:
    """Run as many kills as asked for: half of them on each kind of store, a tenth while loading."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.run")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    half, tenth = options.kills // 2, options.kills // 10
    bad = 0
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(redis_server())
        runs: dict[str, Callable[[], Found]] = {
            "SQLite": lambda: sqlite_rounds(directory, Random(options.seed), half - tenth // 2),
            "SQLite, loading": lambda: load_rounds(
                directory, lambda name: str(directory / name), Random(options.seed), tenth // 2
            ),
            "Redis, appendfsync always": lambda: redis_rounds(
                server, Random(options.seed + 1), half - tenth, tenth - tenth // 2
            ),
            "Redis, loading": lambda: load_rounds(
                directory, server.place, Random(options.seed + 1), tenth // 2
            ),
        }
        for name, run in runs.items():
            started = time.perf_counter()
            found = run()
            bad += found.problems()
            sys.stdout.write(f"{name}, {time.perf_counter() - started:.0f} s\n")
            for what in ("acknowledged rows lost", "wrong answers", "torn batches"):
                found[what] += 0
            for what, number in sorted(found.items()):
                sys.stdout.write(f"  {what:<36} {number:>9,}\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
