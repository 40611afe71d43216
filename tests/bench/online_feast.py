"""The same lookups in Feast's SDK and here: ``python -m tests.bench.online_feast --feast PYTHON``.

``PYTHON`` is an interpreter with ``feast[redis]`` installed, in an environment of its own. Both
serve 40 features of users from SQLite and from one Redis server over TCP on this machine, in the
same run. Feast looks up values that were computed before (by a backfill of ours, materialized into
its store); here they are computed from the rows at the moment of the question, at any time asked.
Both must give the same values. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

USERS, EVENTS = 2_000, 100
BATCHES = (1, 100)
ASKED = {1: 1_000, 100: 100}
WARM = 20
END = 40 * 86_400_000_000
"""The time of the questions to Feast's values, in microseconds: all rows are before."""


# --- measuring, in both interpreters


def measured(ask: Callable[[list[int]], object], count: int, seed: int) -> dict[str, float]:
    """Return p50 and p99 in microseconds of ``ask`` for ``count`` random users at once."""
    draw = Random(seed)
    taken = []
    for turn in range(ASKED[count] + WARM):
        users = [draw.randrange(USERS) for _ in range(count)]
        started = time.perf_counter_ns()
        ask(users)
        if turn >= WARM:
            taken.append((time.perf_counter_ns() - started) / 1000)
    taken.sort()
    return {"p50": taken[len(taken) // 2], "p99": taken[len(taken) * 99 // 100]}


# --- Feast, run by its own interpreter


def peer(folder: Path, redis: str, names: list[str]) -> dict[str, Any]:
    """Materialize ``values.parquet`` into Feast's stores and measure its lookups."""
    import warnings
    from datetime import UTC, datetime, timedelta

    warnings.filterwarnings("ignore")
    import feast
    from feast.types import Float64, Int64

    kinds = json.loads((folder / "kinds.json").read_text("utf-8"))
    stores = {
        "SQLite": {"type": "sqlite", "path": str(folder / "feast.sqlite")},
        "Redis": {"type": "redis", "connection_string": f"{redis},db=1"},
    }
    found: dict[str, Any] = {"version": feast.__version__}
    for title, online in stores.items():
        repo = folder / f"feast-{title.lower()}"
        repo.mkdir()
        config = feast.RepoConfig(
            project="bench",
            registry=str(repo / "registry.db"),
            provider="local",
            online_store=online,
            offline_store={"type": "file"},
            entity_key_serialization_version=3,
        )
        store = feast.FeatureStore(repo_path=str(repo), config=config)
        user = feast.Entity(name="user", join_keys=["user_id"], value_type=feast.ValueType.INT64)
        source = feast.FileSource(path=str(folder / "values.parquet"), timestamp_field="at")
        fields = [feast.Field(name=n, dtype=Int64 if kinds[n] == "int" else Float64) for n in names]
        view = feast.FeatureView(
            name="users", entities=[user], schema=fields, source=source, ttl=timedelta(days=36500)
        )
        store.apply([user, view])
        started = time.perf_counter()
        store.materialize(datetime(1969, 1, 1, tzinfo=UTC), datetime(1971, 1, 1, tzinfo=UTC))
        seconds = time.perf_counter() - started
        wanted = [f"users:{name}" for name in names]

        def ask(
            users: list[int],
            store: Any = store,
            wanted: list[str] = wanted,
        ) -> dict[str, list[Any]]:
            rows = [{"user_id": one} for one in users]
            answer: dict[str, list[Any]] = store.get_online_features(
                features=wanted, entity_rows=rows
            ).to_dict()
            return answer

        found[title] = {
            "materialize": seconds,
            **{str(count): measured(ask, count, count) for count in BATCHES},
        }
        first = ask(list(range(100)))
        found[f"{title} values"] = {name: first[name] for name in names}
    return found


# --- ours


def rows() -> Iterator[dict[str, Any]]:
    """Yield the rows of all users, each user's by time."""
    from tests.bench.online_local import orders

    for user in range(USERS):
        yield from orders(user, EVENTS, user)


def project(folder: Path) -> Any:
    """Write a project with the rows in a Parquet file, and return it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    import astrafs
    from tests.bench.online_local import program

    table = pa.Table.from_pylist(list(rows()))
    at = table.column("at").cast(pa.timestamp("us", "UTC"))
    pq.write_table(table.set_column(table.column_names.index("at"), "at", at), folder / "o.parquet")
    text = program(unbounded=False).replace('csv("o.csv")', 'parquet("o.parquet")')
    text = text.replace("to_float(", "float(")
    (folder / "astrafs.toml").write_text('[project]\nname = "bench"\n', "utf-8")
    (folder / "m.afs").write_text(text, "utf-8")
    found = astrafs.load(folder)
    problems = [str(one.title) for one in found.check() if one.is_error]
    assert not problems, problems
    return found


def precomputed(found: Any, folder: Path) -> list[str]:
    """Write every user's values at ``END`` for Feast; return the features' names."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = found.backfill("v", pa.table({"user_id": list(range(USERS))}).append_column(
        "t", pa.array([END] * USERS, pa.timestamp("us", "UTC"))
    ), as_of=END)  # fmt: skip
    names = [name for name in table.column_names if name not in ("user_id", "t")]
    kinds = {
        name: "int" if table.schema.field(name).type == pa.int64() else "float" for name in names
    }
    (folder / "kinds.json").write_text(json.dumps(kinds), "utf-8")
    pq.write_table(table.rename_columns(["user_id", "at", *names]), folder / "values.parquet")
    return names


def ours(found: Any, place: str) -> tuple[dict[str, Any], Mapping[str, list[Any]]]:
    """Load a store and measure; also return the values of the first 100 users at ``END``."""
    import pyarrow as pa

    with found.open_online(place, create=True) as online:
        started = time.perf_counter()
        online.load(END)
        seconds = time.perf_counter() - started

        def one(users: list[int]) -> object:
            return online.get("v", users[0], at=END)

        def dicts(users: list[int]) -> object:
            return online.answer("v", [{"user_id": user} for user in users], at=END)

        def arrow(users: list[int]) -> object:
            return online.get_many("v", pa.table({"user_id": users}), at=END)

        result: dict[str, Any] = {"load": seconds}
        cold = [0.0] * USERS
        for user in range(USERS):
            started_ns = time.perf_counter_ns()
            one([user])
            cold[user] = (time.perf_counter_ns() - started_ns) / 1000
        cold.sort()
        result["first"] = {"p50": cold[USERS // 2], "p99": cold[USERS * 99 // 100]}
        result["1"] = measured(one, 1, 1)
        result["100"] = measured(dicts, 100, 100)
        result["arrow"] = measured(arrow, 100, 100)
        answers = online.get_many("v", pa.table({"user_id": list(range(100))}), at=END)
        return result, answers.drop_columns(["user_id"]).to_pydict()


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A Redis server on a free port of this machine, without persistence for either."""
    import socket

    from tests.redis_server import RedisServer, find_redis_server

    program = find_redis_server()
    if program is None:
        raise SystemExit("redis-server is not installed (apt-get install redis-server)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "redis").mkdir()
    settings = {"port": str(port), "bind": "127.0.0.1", "appendonly": "no"}
    with RedisServer(program, folder / "redis", **settings):
        yield f"127.0.0.1:{port}"


def compare(feast: str, folder: Path) -> str:
    """Measure both and return the table."""
    found = project(folder)
    names = precomputed(found, folder)
    with redis_server(folder) as address:
        mine = {
            "SQLite": ours(found, str(folder / "store")),
            "Redis": ours(found, f"redis://{address}/0?prefix=bench"),
        }
        command = [feast, str(Path(__file__).resolve()), "--peer", str(folder), address, *names]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        theirs = json.loads(done.stdout.splitlines()[-1])
    lines = [
        f"{len(names)} features of {USERS:,} users with {EVENTS} events each; "
        f"Feast {theirs['version']} looks up precomputed values.",
        "",
        "| store | users | call | p50 ms | p99 ms | Feast p50 / this |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for store, (result, values) in mine.items():
        same = theirs[f"{store} values"] == values
        for count, title, key in (
            (1, "get, first of a user", "first"),
            (1, "get", "1"),
            (100, "answer, dicts", "100"),
            (100, "get_many, Arrow", "arrow"),
        ):
            other = theirs[store][str(count)]
            lines.append(
                f"| {store} | {count} | {title} | {_ms(result[key]['p50'])} | "
                f"{_ms(result[key]['p99'])} | {other['p50'] / result[key]['p50']:.1f} |"
            )
        for count in BATCHES:
            other = theirs[store][str(count)]
            lines.append(
                f"| {store} | {count} | Feast get_online_features().to_dict() | "
                f"{_ms(other['p50'])} | {_ms(other['p99'])} | 1 |"
            )
        lines.append(
            f"| {store} | {USERS:,} | filling: load {result['load']:.1f} s, Feast materialize "
            f"{theirs[store]['materialize']:.1f} s | | | values {'equal' if same else 'DIFFER'} |"
        )
    return "\n".join(lines) + "\n"


def _ms(micros: float) -> str:
    return f"{micros / 1000:.3f}"


def main() -> int:
    """Print the table; as a child, the measurements of Feast as JSON."""
    if sys.argv[1:2] == ["--peer"]:
        _, _, folder, redis, *names = sys.argv
        sys.stdout.write(json.dumps(peer(Path(folder), redis, names)) + "\n")
        return 0
    parser = argparse.ArgumentParser(prog="python -m tests.bench.online_feast")
    parser.add_argument("--feast", required=True, help="Python with feast[redis] installed.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="astrafs-feast-") as name:
        sys.stdout.write(compare(options.feast, Path(name)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
