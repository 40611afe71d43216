"""``astrafs serve`` as a process: starting, what it says, several of it, and ending."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from astrafs.server.tokens import append
from tests.curl import curl
from tests.redis_server import RedisServer, find_redis_server
from tests.server_process import ServerProcess, make_store, open_store, payments, write_project

QUESTION = {"question": {"user_id": 1}}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The shop with three users in its store."""
    found = write_project(tmp_path / "shop")
    make_store(found, 3)
    return found


def test_it_says_what_it_serves_and_the_example_works(project: Path) -> None:
    with ServerProcess(project) as server:
        server.wait_for("Ctrl-C ends it")
        assert [line.split()[0] for line in server.lines[:5]] == [
            "serving",
            "views",
            "store",
            "access",
            "try",
        ]
        assert f"shop on {server.url}" in server.lines[0]
        assert "shop.user" in server.lines[1]
        assert str(project / ".astrafs" / "online") in server.lines[2]
        assert "no tokens" in server.lines[3]
        command = server.lines[4].removeprefix("try").strip()
        assert set(json.loads(curl(command))) == {"at", "answer"}
        server.wait_for('"route": "/views/{view}"')
        assert server.stop() == 0
        assert server.lines[-1] == "stopped"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_has_begun_is_finished(project: Path, number: int) -> None:
    with ServerProcess(project) as server, server.connect() as idle, server.connect() as begun:
        rows = json.dumps(payments(80, 2)).encode()
        head = (
            "POST /ingest/payments HTTP/1.1\r\nhost: localhost\r\n"
            f"content-type: application/json\r\ncontent-length: {len(rows)}\r\n\r\n"
        )
        begun.sendall(head.encode() + rows[:20])
        assert eventually(lambda: server.numbers()["astrafs_http_in_flight"] == 2)
        server.child.send_signal(number)
        assert idle.recv(1) == b""  # a connection without a request is closed at once
        begun.sendall(rows[20:])
        answer = b""
        while part := begun.recv(65_536):
            answer += part
        assert answer.startswith(b"HTTP/1.1 200 ") and b'"taken":2' in answer
        assert server.stop() == 0
    with open_store(project) as online:
        assert online.get("user", 80, at="2026-06-01T00:00:00Z")["paid"] == 2


def test_what_takes_too_long_is_cut_off(project: Path) -> None:
    with ServerProcess(project, "--drain-seconds", "0.2") as server, server.connect() as begun:
        begun.sendall(b"POST /views/user HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{")
        assert server.stop() == 0


def eventually(holds: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether ``holds`` comes to be true."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if holds():
            return True
        time.sleep(0.02)
    return False


def test_acknowledged_rows_are_there_after_a_kill(project: Path) -> None:
    with ServerProcess(project) as server:
        acknowledged = []

        def send() -> None:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            try:
                for user in range(100, 100_000):
                    body = json.dumps(payments(user, 1))
                    headers = {"content-type": "application/json"}
                    connection.request("POST", "/ingest/payments", body, headers)
                    if json.loads(connection.getresponse().read())["taken"] == 1:
                        acknowledged.append(user)
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()

        sender = threading.Thread(target=send)
        sender.start()
        assert eventually(lambda: len(acknowledged) >= 30)
        server.child.kill()
        sender.join()
    with open_store(project) as online:
        for user in acknowledged:
            assert online.get("user", user, at="2026-06-01T00:00:00Z")["paid"] == 1


def test_several_processes_serve_one_store(project: Path) -> None:
    with ServerProcess(project, "--workers", "3") as server:
        parent = server.child.pid
        assert eventually(lambda: len(children(parent)) == 3)
        assert len(list(Path(f"/proc/{parent}/task").iterdir())) == 1  # a fork copies no threads
        status, told = server.ask("/ingest/payments", payments(90, 2))
        assert (status, told["taken"]) == (200, 2)
        for _ in range(20):
            status, found = server.ask("/views/user", {"question": {"user_id": 90}})
            assert (status, found["answer"]["paid"]) == (200, 2)
        # The numbers are those of all processes together, whoever is asked.
        assert server.numbers()['astrafs_questions_total{view="shop.user"}'] == 20
        victim = children(parent)[0]
        os.kill(victim, signal.SIGKILL)
        assert eventually(lambda: len(set(children(parent)) - {victim}) == 3)
        assert server.ask("/views/user", QUESTION)[0] == 200
        workers = children(parent)
        assert server.stop() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def test_a_redis_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    program = find_redis_server()
    assert program is not None, "redis-server is not installed (apt-get install redis-server)"
    project = write_project(tmp_path / "shop")
    data = tmp_path / "redis"
    data.mkdir()
    with RedisServer(program, data) as redis:
        place = redis.place(timeout="1")
        make_store(project, 3, place)
        with ServerProcess(project, "--store", place) as server:
            assert server.ask("/views/user", QUESTION)[0] == 200
            redis.kill()
            status, told = server.ask("/views/user", QUESTION)
            assert (status, told["code"]) == (503, "AFS1032")
            assert server.ask("/ingest/payments", payments(5))[0] == 503
            assert server.ask("/readyz")[0] == 503
            assert server.ask("/healthz")[0] == 200
            redis.start()
            assert eventually(lambda: server.ask("/readyz")[0] == 200)
            status, told = server.ask("/views/user", QUESTION)
            assert (status, told["answer"]["last_note"]) == (200, "user 1")
            assert server.ask("/ingest/payments", payments(5))[1]["taken"] == 3
            assert server.stop() == 0


def test_processes_end_with_the_one_that_looks_after_them(project: Path) -> None:
    with ServerProcess(project, "--workers", "2") as server:
        assert eventually(lambda: len(children(server.child.pid)) == 2)
        workers = children(server.child.pid)
        server.child.kill()
        assert eventually(lambda: not any(_runs(pid) for pid in workers))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    """Return the processes that ``pid`` has started and that have not ended."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [one for one in map(int, text.split()) if _runs(one)]


def test_it_listens_beyond_this_machine_with_tokens_only(project: Path, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    token = append(tokens, "reader", ["read"])
    with ServerProcess(project, "--host", "0.0.0.0", "--tokens", str(tokens)) as server:
        assert f"tokens of {tokens}" in server.wait_for("access")
        assert server.ask("/views")[0] == 401
        header = {"authorization": f"Bearer {token}"}
        assert server.ask("/views", headers={**header, "host": "features.example"})[0] == 200
        second = append(tokens, "second", ["read"])
        server.child.send_signal(signal.SIGHUP)
        server.wait_for("tokens")
        again = {"authorization": f"Bearer {second}"}
        assert eventually(lambda: server.ask("/views", headers=again)[0] == 200)
        assert server.stop() == 0


def test_a_file_of_tokens_in_the_project_is_never_passed_over(project: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "astrafs", "token", "me", "--scope", "read", "-p", str(project)],
        capture_output=True,
        text=True,
        check=True,
    )
    token = made.stdout.strip()
    assert token.startswith("afs_") and token not in made.stderr
    with ServerProcess(project) as server:
        assert server.ask("/views")[0] == 401
        assert server.ask("/views", headers={"authorization": f"Bearer {token}"})[0] == 200


def test_the_settings_of_the_project_hold(tmp_path: Path) -> None:
    project = write_project(tmp_path / "shop", 'max_batch = 2\naccess_log = "off"')
    make_store(project, 3)
    several = {"questions": [{"user_id": 1}] * 3}
    with ServerProcess(project) as server:
        assert server.ask("/views/user", several)[0] == 413
        assert server.stop() == 0
        assert not any('"event"' in line for line in server.lines)
    with ServerProcess(project, "--max-batch", "3", "--access-log", "text") as server:
        assert server.ask("/views/user", several)[0] == 200
        server.wait_for("POST /views/shop.user 200")
