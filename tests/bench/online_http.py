"""How fast the server answers, measured from outside with ``wrk``, and next to a bare route.

    python -m tests.bench.online_http [--seconds N] [--workers N] [--users N] [--events N]

One user and a hundred per request, from SQLite and from Redis, while another process sends rows all
the time. In the same run the same load goes to a bare starlette route under the same uvicorn, which
reads the body and returns a constant of the same size: what the libraries alone take. With
``--seconds 300`` it is the five-minute soak; memory is sampled throughout. Exits with 1 if any
request failed. Needs ``wrk`` (apt-get install wrk), and ``redis-server`` for the second store.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from astrafs.online.service import Online
from tests.redis_server import RedisServer, find_redis_server
from tests.server_process import SHOP, ServerProcess, open_store, write_project

CONNECTIONS = 16
EVENTS_FROM = 1_767_225_600  # 2026-01-01
NAMES = [
    f"{function}_{window}"
    for window in ("1h", "1d", "7d", "30d", "90d")
    for function in ("count", "sum", "mean", "most")
]
FEATURES = "".join(
    f"  ## Of the past {window}.\n  {function}_{window}: {kind} = {call} over {window}\n"
    for window in ("1h", "1d", "7d", "30d", "90d")
    for function, kind, call in (
        ("count", "int", "count()"),
        ("sum", "float", "sum(amount)"),
        ("mean", "float?", "mean(amount)"),
        ("most", "float?", "max(amount)"),
    )
)

SCRIPT = """
local size, users = tonumber(os.getenv("SIZE")), tonumber(os.getenv("USERS"))
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
local seeded = false
request = function()
  if not seeded then
    math.randomseed(os.time() + tonumber(tostring({}):sub(8), 16) % 100000)
    seeded = true
  end
  local parts = {}
  for place = 1, size do parts[place] = '{"user_id":' .. math.random(0, users - 1) .. '}' end
  local asked = '{"questions":[' .. table.concat(parts, ",") .. '],"at":"2026-06-01T00:00:00Z"}'
  return wrk.format(nil, nil, nil, asked)
end
"""

BARE = """
import asyncio, socket, sys
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

BODY = b"x" * int(sys.argv[1])

async def answer(request):
    await request.body()
    return Response(BODY, media_type="application/json")

listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
print(listener.getsockname()[1], flush=True)
app = Starlette(routes=[Route("/views/user", answer, methods=["POST"])])
config = uvicorn.Config(
    app, http="httptools", loop="asyncio", ws="none", lifespan="off",
    log_config=None, access_log=False,
)
uvicorn.Server(config).run(sockets=[listener])
"""


@dataclass(frozen=True)
class Measured:
    """What ``wrk`` says of a run: requests per second, milliseconds, and how many failed."""

    rate: float
    p50: float
    p99: float
    failed: int


def wrk(url: str, size: int, users: int, seconds: float, script: Path) -> Measured:
    """Load ``url`` with questions about ``size`` of ``users`` at once."""
    command = [
        "wrk",
        "--latency",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{seconds:.0f}s",
        "--timeout",
        "30s",
    ]
    done = subprocess.run(
        [*command, "-s", str(script), f"{url}/views/user"],
        capture_output=True,
        text=True,
        check=True,
        env={"SIZE": str(size), "USERS": str(users), "PATH": "/usr/bin:/bin"},
    )
    text = done.stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert rate is not None, text + done.stderr
    failed = sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", text)))
    failed += sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", text)))
    return Measured(float(rate[1]), _percentile(text, 50), _percentile(text, 99), failed)


def _percentile(text: str, percent: int) -> float:
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.MULTILINE)
    assert found is not None, text
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1_000, "m": 60_000}[found[2]]


@dataclass
class Sender:
    """Sends rows until it is stopped; counts what was acknowledged."""

    port: int
    users: int
    rows: int = 0
    failed: int = 0
    stopped: bool = False

    def run(self) -> None:
        """Send batches of ten rows, some twenty a second."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        number = 0
        while not self.stopped:
            number += 1
            rows = [
                {
                    "payment_id": f"sent-{self.port}-{number}-{place}",
                    "user_id": (number * 10 + place) % self.users,
                    "amount": 2.5,
                    "note": "sent",
                    "at": f"2026-05-{number % 28 + 1:02}T{place:02}:00:00Z",
                }
                for place in range(10)
            ]
            connection.request(
                "POST", "/ingest/payments", json.dumps(rows), {"content-type": "application/json"}
            )
            answer = connection.getresponse()
            told = json.loads(answer.read())
            if answer.status != 200 or told["taken"] != len(rows):
                self.failed += 1
            self.rows += len(rows)
            time.sleep(0.05)
        connection.close()


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8, help="of each run")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--events", type=int, default=100, help="of each user")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.stderr.write("wrk is not installed: apt-get install wrk\n")
        return 2
    failed = 0
    with tempfile.TemporaryDirectory(prefix="astrafs-bench-") as folder:
        script = Path(folder) / "ask.lua"
        script.write_text(SCRIPT)
        project = _project(Path(folder) / "shop")
        for name, place in _places(Path(folder)):
            started = time.perf_counter()
            with contextlib.closing(open_store(project, place)) as online:
                _fill(online, options.users, options.events)
            took = time.perf_counter() - started
            rows = options.users * options.events
            say(f"{name}: {rows:,} rows sent in {took:.1f} s, {rows / took:,.0f} rows/s")
            failed += _measure(name, project, place, options, script)
    say("no request failed" if not failed else f"{failed} requests failed")
    return 1 if failed else 0


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _places(folder: Path) -> Iterator[tuple[str, str]]:
    yield "SQLite", str(folder / "store")
    program = find_redis_server()
    if program is None:
        say("Redis: redis-server is not installed")
        return
    directory = folder / "redis"
    directory.mkdir()
    with RedisServer(program, directory, appendfsync="everysec") as server:
        yield "Redis", server.place()


def _project(directory: Path) -> Path:
    project = write_project(directory)
    features = SHOP.replace("  ## Payments ever.", FEATURES + "  ## Payments ever.")
    listed = "".join(f"  {name}\n" for name in NAMES)
    features = features.replace("  paid\n", f"{listed}  paid\n")
    (project / "shop.afs").write_text(features)
    return project


def _fill(online: Online, users: int, events: int) -> None:
    batch = 5_000
    rows = []
    for number in range(users * events):
        user, event = number % users, number // users
        seconds = EVENTS_FROM + event * (150 * 86_400 // events) + user
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
        rows.append(
            {
                "payment_id": f"{user}-{event}",
                "user_id": user,
                "amount": event % 90 + 0.25,
                "note": None,
                "at": moment,
            }
        )
        if len(rows) == batch or number == users * events - 1:
            online.ingest("payments", rows)
            rows = []


def _measure(
    name: str, project: Path, place: str, options: argparse.Namespace, script: Path
) -> int:
    failed = 0
    arguments = ("--store", place, "--access-log", "off", "--workers", str(options.workers))
    for size in (1, 100):
        with ServerProcess(project, *arguments) as server:
            users = options.users
            length = len(json.dumps(_one_answer(server, size)))
            wrk(server.url, size, users, 2, script)  # warm
            sender = Sender(server.port, users)
            thread = threading.Thread(target=sender.run)
            thread.start()
            samples: list[int] = []
            done = threading.Event()
            watcher = threading.Thread(target=_watch, args=(server.memory, samples, done))
            watcher.start()
            found = wrk(server.url, size, users, options.seconds, script)
            sender.stopped = True
            done.set()
            thread.join()
            watcher.join()
            values = found.rate * size * (len(NAMES) + 3)
            say(
                f"{name}, {size} per request, rows sent meanwhile: {found.rate:,.0f} requests/s, "
                f"{values:,.0f} values/s, p50 {found.p50:.2f} ms, p99 {found.p99:.2f} ms, "
                f"{found.failed + sender.failed} failed; {sender.rows:,} rows; {_flat(samples)}",
            )
            failed += found.failed + sender.failed
            alone = wrk(server.url, size, users, min(options.seconds, 10), script)
            failed += alone.failed
        with _bare(length) as url:
            bare = wrk(url, size, users, min(options.seconds, 10), script)
        say(
            f"{name}, {size} per request, nothing sent: {alone.rate:,.0f} requests/s, p50 "
            f"{alone.p50:.2f} ms, p99 {alone.p99:.2f} ms; a bare route with a constant of "
            f"{length:,} bytes {bare.rate:,.0f} requests/s, p50 {bare.p50:.2f} ms: ratio "
            f"{alone.rate / bare.rate:.2f}",
        )
    return failed


def _one_answer(server: ServerProcess, size: int) -> object:
    status, answer = server.ask("/views/user", {"questions": [{"user_id": 1}] * size})
    assert status == 200, answer
    return answer


def _watch(memory: Callable[[], int], samples: list[int], done: threading.Event) -> None:
    while not done.wait(0.5):
        samples.append(memory())


def _flat(samples: list[int]) -> str:
    """Say how memory went: its means over the second and the last quarter of the run."""
    quarter = max(1, len(samples) // 4)
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    means = [sum(part) / max(1, len(part)) / (1 << 20) for part in (early, late)]
    return f"memory {means[0]:.0f} MiB in the second quarter, {means[1]:.0f} MiB in the last"


@contextlib.contextmanager
def _bare(length: int) -> Iterator[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", BARE, str(length)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(child.stdout.readline())}"
    finally:
        child.terminate()
        child.wait()
        child.stdout.close()


if __name__ == "__main__":
    sys.exit(main())
