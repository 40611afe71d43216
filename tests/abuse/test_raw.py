"""Raw sockets against a running server: each abuse has its answer, and the server stays."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from random import Random

import pytest

from astrafs.server.problems import STATUSES
from tests.abuse.cases import (
    BODY_LIMIT,
    CASES,
    HEADER_LIMIT,
    JSON,
    MOST_HEADERS,
    QUESTION,
    Case,
    get,
    post,
)
from tests.server_process import ServerProcess, make_store, payments, write_project

USERS = 20
SETTINGS = f"""
max_body_bytes = {BODY_LIMIT}
max_header_bytes = {HEADER_LIMIT}
max_headers = {MOST_HEADERS}
max_batch = 500
max_connections = 40
head_seconds = 1
body_seconds = 1
keep_alive_seconds = 2
request_seconds = 5
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with small limits."""
    project = write_project(tmp_path_factory.mktemp("abuse") / "shop", SETTINGS)
    make_store(project, USERS)
    with ServerProcess(project, "--access-log", "off") as running:
        yield running
        faults = [name for name in running.numbers() if re.search(r'status="5\d\d"', name)]
        assert not [name for name in faults if 'status="503"' not in name], faults
        assert "failed" not in running.output


OTHER_STATUSES = {("AFS1115", 429), ("AFS1119", 400)}
"""What codes may have besides their usual status."""


def read_all(connection: socket.socket) -> bytes:
    """Return everything until the other side closes, however it does."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except (ConnectionError, TimeoutError):
        pass
    return b"".join(parts)


def statuses(answer: bytes) -> tuple[int, ...]:
    """Return the statuses of the final answers in a stream, parted by their lengths."""
    found = []
    while answer:
        head, _, rest = answer.partition(b"\r\n\r\n")
        status = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
        assert status is not None, answer[:200]
        length = re.search(rb"(?im)^content-length: (\d+)", head)
        if int(status[1]) >= 200:
            found.append(int(status[1]))
        answer = rest[int(length[1]) if length else 0 :]
    return tuple(found)


def still_alive(server: ServerProcess) -> bool:
    """Whether the server answers a proper question properly."""
    status, answer = server.ask("/views/user", {"question": {"user_id": 7}})
    return status == 200 and answer["answer"]["last_note"] == "user 7"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_abuse_is_answered_and_survived(server: ServerProcess, case: Case) -> None:
    with server.connect() as connection:
        try:
            connection.sendall(case.data())
            connection.shutdown(socket.SHUT_WR)
        except ConnectionError:
            pass  # the server may close before it has read all of it
        answer = read_all(connection)
    assert statuses(answer) in case.expected
    for found in re.findall(rb'"status":(\d+),"code":"(AFS\d+)"', answer):
        status, code = int(found[0]), found[1].decode()
        assert STATUSES.get(code, 422) == status or (code, status) in OTHER_STATUSES
    assert still_alive(server)


def test_a_head_that_comes_slowly_is_given_up(server: ServerProcess) -> None:
    with server.connect() as connection:
        found = trickle(connection, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\na: " + b"b" * 500)
    assert statuses(found) == (408,)
    assert still_alive(server)


def test_a_body_that_comes_slowly_is_given_up(server: ServerProcess) -> None:
    head = post(b"", length="600")
    with server.connect() as connection:
        connection.sendall(head)
        found = trickle(connection, b"x" * 600)
    assert statuses(found) == (408,)
    assert still_alive(server)


def test_line_ends_do_not_keep_a_connection(server: ServerProcess) -> None:
    with server.connect() as connection:
        assert trickle(connection, b"\r\n" * 300) == b""
    with server.connect() as connection:
        connection.sendall(get())
        assert statuses(receive_one(connection)) == (200,)
        assert trickle(connection, b"\r\n" * 300) == b""
    assert still_alive(server)


def trickle(connection: socket.socket, data: bytes) -> bytes:
    """Send a byte at a time until the other side closes or all is sent; return what it said."""
    connection.settimeout(0.02)
    answer = b""
    for byte in data:
        try:
            connection.sendall(bytes([byte]))
            part = connection.recv(65_536)
        except TimeoutError:
            continue
        except ConnectionError:
            break
        answer += part
        if not part:
            break
    else:
        raise AssertionError("it took everything")
    return answer


def receive_one(connection: socket.socket) -> bytes:
    """Return one answer, by its length."""
    answer = b""
    while True:
        part = connection.recv(65_536)
        if not part:
            return answer
        answer += part
        head, end, body = answer.partition(b"\r\n\r\n")
        length = re.search(rb"(?im)^content-length: (\d+)", head)
        if end and length is not None and len(body) >= int(length[1]):
            return answer


def test_a_refused_upload_hears_why(server: ServerProcess) -> None:
    """The refusal is read although far more was sent than the server cares to read."""
    for request in (post(b"x", length=str(50_000_000)), b"nonsense\r\n\r\n"):
        with server.connect() as connection:
            connection.sendall(request)
            try:
                for _ in range(20):
                    connection.sendall(b"x" * 10_000)
            except ConnectionError:
                pass
            assert statuses(read_all(connection))[0] in (413, 400)


def test_100_continue_is_said_only_to_what_is_wanted(server: ServerProcess) -> None:
    expect = JSON + "expect: 100-continue\r\n"
    with server.connect() as connection:
        connection.sendall(post(b"", expect, length=str(len(QUESTION))))
        assert connection.recv(1_000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(QUESTION)
        assert statuses(receive_one(connection)) == (200,)
    with server.connect() as connection:
        connection.sendall(post(b"", expect, length=str(BODY_LIMIT + 1)))
        assert connection.recv(1_000).startswith(b"HTTP/1.1 413 ")


def test_a_connection_serves_requests_in_their_order(server: ServerProcess) -> None:
    bodies = [b'{"question":{"user_id":%d}}' % user for user in range(USERS)]
    with server.connect() as connection:
        connection.sendall(b"".join(map(post, bodies)))
        connection.shutdown(socket.SHUT_WR)
        found = read_all(connection)
    assert statuses(found) == (200,) * USERS
    assert re.findall(rb'"user (\d+)"', found) == [b"%d" % user for user in range(USERS)]


def test_requests_in_small_pieces_are_requests(server: ServerProcess) -> None:
    with server.connect() as connection:
        for byte in post():
            connection.sendall(bytes([byte]))
        assert statuses(receive_one(connection)) == (200,)


def test_too_many_connections_are_told_and_the_rest_served(server: ServerProcess) -> None:
    held = [server.connect() for _ in range(60)]
    try:
        told = b""
        for connection in held[45:]:
            told += read_all(connection)
        assert b"HTTP/1.1 503 " in told and b"retry-after: 1" in told
        held[0].sendall(get())
        assert statuses(receive_one(held[0])) == (200,)
    finally:
        for connection in held:
            connection.close()
    assert eventually(lambda: still_alive(server))


def test_clients_that_vanish_leave_nothing_behind(server: ServerProcess) -> None:
    for number in range(200):
        connection = server.connect()
        connection.sendall(post()[: 40 + number] if number % 2 else post())
        # To close in anger: the other side is told by a reset, in the middle of what it does.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert eventually(lambda: still_alive(server))
    assert eventually(lambda: server.numbers()["astrafs_http_in_flight"] == 1)


def test_a_client_that_does_not_read_is_cut_off(server: ServerProcess) -> None:
    many = b'{"questions":[%s]}' % b",".join([b'{"user_id":1}'] * 500)
    with server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.settimeout(0.2)
        try:
            for _ in range(10_000):
                connection.sendall(post(many))
        except (TimeoutError, ConnectionError):
            pass
        assert eventually(lambda: server.numbers()["astrafs_http_in_flight"] == 1)
    assert still_alive(server)


def eventually(holds: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether ``holds`` comes to be true."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            if holds():
                return True
        except (OSError, KeyError, AssertionError, TypeError, ValueError):
            pass
        time.sleep(0.05)
    return False


def test_memory_is_bounded_under_all_of_it(server: ServerProcess) -> None:
    def storm() -> None:
        for case in CASES:
            with server.connect() as connection:
                try:
                    connection.sendall(case.data())
                    connection.shutdown(socket.SHUT_WR)
                except ConnectionError:
                    pass
                read_all(connection)

    storm()  # what is loaded and kept from now on was there before
    before = server.memory()
    for _ in range(3):
        storm()
    assert server.memory() - before < 32 << 20
    assert still_alive(server)


def test_nobody_gets_the_answer_of_another(server: ServerProcess) -> None:
    """Many clients ask, send rows and misbehave at once; every answer is about what was asked."""
    wrong: list[object] = []

    def ask(worker: int) -> None:
        chance = Random(worker)
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        with contextlib.closing(client) as connection:
            talk(worker, chance, connection)

    def talk(worker: int, chance: Random, connection: http.client.HTTPConnection) -> None:
        for turn in range(60):
            users = [chance.randrange(USERS) for _ in range(chance.choice((1, 1, 5)))]
            body = json.dumps({"questions": [{"user_id": user} for user in users]})
            connection.request("POST", "/views/user", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            found = json.loads(answer.read())
            notes = [one["last_note"] for one in found["answers"]]
            if notes != [f"user {user}" for user in users]:
                wrong.append((users, notes))
            if turn % 10 == 0:
                rows = [
                    {**row, "payment_id": f"new-{worker}-{turn}"} for row in payments(users[0], 1)
                ]
                status, told = server.ask("/ingest/payments", rows)
                if (status, told["taken"]) != (200, 1):
                    wrong.append(told)
            if turn % 7 == 0:
                with server.connect() as bad:
                    bad.sendall(chance.choice(CASES).data()[:60_000])

    workers = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert not wrong
