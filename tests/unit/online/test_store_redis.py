"""The Redis store: what it refuses, with which code, and how it goes on afterwards."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.online.redis_store import shown
from astrafs.online.stores import open_store
from tests.redis_server import RedisServer

ROOT = Path(__file__).resolve().parents[3]


def refused(code: str, work: Callable[[], object]) -> Diagnostic:
    """Return the one diagnostic of ``code`` that ``work`` ends with; it says what to do."""
    with pytest.raises(AstrafsError) as caught:
        work()
    (found,) = caught.value.diagnostics
    assert found.code.id == code, found
    assert found.helps
    return found


@pytest.fixture
def own(redis_server: RedisServer, tmp_path: Path) -> Iterator[RedisServer]:
    """A server of one test's own, to be killed or set otherwise."""
    with RedisServer(redis_server.program, tmp_path) as server:
        yield server


def test_a_missing_store_is_named(own: RedisServer) -> None:
    found = refused("AFS1001", lambda: open_store(own.place()))
    assert "astrafs online init" in found.helps[0]
    assert redis.Redis(unix_socket_path=str(own.socket)).dbsize() == 0


def test_a_newer_store_is_refused_and_left_alone(own: RedisServer) -> None:
    with redis.Redis(unix_socket_path=str(own.socket)) as client:
        for text in (b"astrafs online store 99", b"another thing"):
            client.set("{test}:format", text)
            for create in (False, True):
                with pytest.raises(AstrafsError) as caught:
                    open_store(own.place(), create=create)
                assert caught.value.diagnostics[0].code.id == "AFS1002"
            assert client.get("{test}:format") == text
        client.delete("{test}:format")
        client.rpush("{test}:format", "x")
        refused("AFS1003", lambda: open_store(own.place()))


def test_a_store_shares_its_database_with_others(own: RedisServer) -> None:
    with redis.Redis(unix_socket_path=str(own.socket)) as client:
        client.set("theirs", "1")
        one = open_store(own.place("one"), create=True)
        two = open_store(own.place("one.two"), create=True)
        one.write({b"a": b"1"})
        two.write({b"a": b"2"})
        assert list(one.scan(b"")) == [(b"a", b"1")]
        assert list(two.scan(b"")) == [(b"a", b"2")]
        assert client.get("theirs") == b"1"
        other_database = open_store(own.place("one", db="3"), create=True)
        assert list(other_database.scan(b"")) == []
        for store in (one, two, other_database):
            store.close()


def test_a_server_that_ends_is_unreachable_and_then_found_again(own: RedisServer) -> None:
    store = open_store(own.place(), create=True)
    store.write({b"a": b"1"})
    own.kill()
    for work in (
        lambda: store.get((b"a",)),
        lambda: store.write({b"a": b"2"}),
        lambda: list(store.scan(b"")),
        store.durability,
        lambda: open_store(own.place()),
    ):
        refused("AFS1032", work)
    own.start()
    assert store.get((b"a",)) == [b"1"]
    own.kill()
    own.start()
    assert store.write({b"a": b"2"}, {b"a": b"1"})
    own.kill()
    own.start()
    assert list(store.scan(b"")) == [(b"a", b"2")]
    store.close()


def test_a_server_that_hangs_is_given_up(own: RedisServer) -> None:
    store = open_store(own.place(timeout="0.2"), create=True)
    store.write({b"a": b"1"})
    own.pause()
    try:
        refused("AFS1032", lambda: store.get((b"a",)))
        refused("AFS1032", lambda: store.write({b"a": b"2"}, {b"a": b"1"}))
    finally:
        own.resume()
    # The write had reached the server: not acknowledged, but kept, whole.
    assert store.get((b"a",)) in ([b"1"], [b"2"])
    store.close()


def test_a_server_that_is_full_refuses_whole_writes(own: RedisServer) -> None:
    store = open_store(own.place(), create=True)
    store.write({b"a": b"1"})
    with redis.Redis(unix_socket_path=str(own.socket)) as client:
        client.config_set("maxmemory", 3_000_000)
        large = {b"%d" % number: b"x" * 100_000 for number in range(100)}
        written = 0
        with pytest.raises(AstrafsError) as caught:
            for number in range(100):
                store.write({b"n": b"%d" % number, b"large%d" % number: large[b"0"]})
                written = number
        (found,) = caught.value.diagnostics
        assert found.code.id == "AFS1003"
        assert "memory" in found.title
        assert store.get((b"n", b"large%d" % (written + 1), b"a")) == [b"%d" % written, None, b"1"]
        assert store.write(dict.fromkeys(b"large%d" % number for number in range(100)))
        assert store.write({b"a": b"2"})
        client.config_set("maxmemory", 0)
    store.close()


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
def test_a_server_that_evicts_is_refused(own: RedisServer, policy: str) -> None:
    with redis.Redis(unix_socket_path=str(own.socket)) as client:
        client.config_set("maxmemory-policy", policy)
        open_store(own.place(), create=True).close()  # without a limit nothing is evicted
        client.config_set("maxmemory", 100_000_000)
        for create in (False, True):
            found = refused("AFS1033", lambda create=create: open_store(own.place(), create=create))
            assert policy in found.title
        client.config_set("maxmemory-policy", "volatile-lru")
        open_store(own.place(), create=True).close()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"appendfsync": "always"}, "flushed to disk before it is acknowledged"),
        ({"appendfsync": "everysec"}, "every second"),
        ({"appendfsync": "no"}, "half minute"),
        ({"appendonly": "no"}, "since its last snapshot"),
    ],
)
def test_the_server_is_asked_how_durable_it_is(
    own: RedisServer, settings: dict[str, str], words: str
) -> None:
    store = open_store(own.place(), create=True)
    with redis.Redis(unix_socket_path=str(own.socket)) as client:
        for name, value in settings.items():
            client.config_set(name, value)
    assert words in store.durability()
    store.close()


def test_users_need_a_password_and_rights(own: RedisServer) -> None:
    with redis.Redis(unix_socket_path=str(own.socket)) as client:
        for rights in (
            "app on >pa:s/s@1 ~{app}:* +@connection +@read +@write +@scripting +info",
            "looker on >look ~* +@read +info",
            "default resetpass >main",
        ):
            client.execute_command("ACL", "SETUSER", *rights.split())
    refused("AFS1003", lambda: open_store(own.place("app")))
    refused("AFS1003", lambda: open_store(own.place("app", password="wrong")))
    given = {"username": "app", "password": "pa:s%2Fs%401"}
    store = open_store(own.place("app", **given), create=True)
    store.write({b"a": b"1"})
    assert list(store.scan(b"")) == [(b"a", b"1")]
    assert "does not tell" in store.durability()
    store.close()
    refused("AFS1003", lambda: open_store(own.place("others", **given), create=True))
    reader = open_store(own.place("app", username="looker", password="look"))
    assert reader.get((b"a",)) == [b"1"]
    refused("AFS1003", lambda: reader.write({b"a": b"2"}))
    reader.close()


def test_a_replica_is_read_and_not_written(own: RedisServer) -> None:
    store = open_store(own.place(), create=True)
    store.write({b"a": b"1"})
    with redis.Redis(unix_socket_path=str(own.socket)) as client:
        client.replicaof("127.0.0.1", "1")
        assert store.get((b"a",)) == [b"1"]
        assert "replica" in refused("AFS1003", lambda: store.write({b"a": b"2"})).helps[0]
        client.replicaof("NO", "ONE")
    assert store.write({b"a": b"2"}, {b"a": b"1"})
    store.close()


def test_many_threads_have_connections_enough(own: RedisServer) -> None:
    with redis.Redis(unix_socket_path=str(own.socket)) as client:
        client.config_set("maxclients", 8)
        open_store(own.place(), create=True).close()
        held = [redis.Redis(unix_socket_path=str(own.socket)) for _ in range(8)]
        with pytest.raises(redis.RedisError):
            for one in held:
                one.ping()
        refused("AFS1032", lambda: open_store(own.place()))
        for one in held:
            one.close()
    open_store(own.place()).close()


@pytest.mark.parametrize(
    "place",
    [
        "redis://host:port/0",
        "redis://user:s3c/r3t@host/0",
        "redis://:s3cret@host:99999/0",
        "redis://:s3cret@host:0/0",
        "redis://:s3cret@/0",
        "redis://:s3cret@host/zero",
        "redis://:s3cret@host/0?prefix=",
        "redis://:s3cret@host/0?prefix=a*b",
        "redis://:s3cret@host/0?timeout=0",
        "redis://:s3cret@host/0?timeout=nan",
        "redis://:s3cret@host/0?timeout=soon",
        "redis://:s3cret@host/0?db=x",
        "redis://:s3cret@host/0?decode_responses=True",
        "redis://:s3cret@[::1/0",
        "unix://host/path",
        "unix://",
    ],
)
def test_places_that_are_none_are_refused_without_their_passwords(place: str) -> None:
    found = refused("AFS1030", lambda: open_store(place))
    assert "s3c" not in str((found.title, found.notes, found.helps))


def test_passwords_are_not_shown() -> None:
    assert shown("redis://u:p@ss@h:1/0?prefix=x&timeout=1") == "`redis://u:***@h:1/0?prefix=x`"
    assert shown("unix:///s?password=x&prefix=y") == "`unix:///s?prefix=y`"
    assert shown("redis://h/0") == "`redis://h/0`"


def test_nothing_at_the_other_end_is_unreachable() -> None:
    found = refused("AFS1032", lambda: open_store("redis://:s3cret@127.0.0.1:1/0?timeout=1"))
    assert "s3cret" not in found.title


def test_without_the_library_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "redis.py").write_text("raise ModuleNotFoundError('no', name='redis')\n")
    script = (
        "from astrafs.online.stores import open_store\n"
        "from astrafs.diagnostics.model import AstrafsError\n"
        "try: open_store('redis://127.0.0.1:1/0')\n"
        "except AstrafsError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "AFS1034" in done.stdout
    assert 'pip install "astrafs[redis]"' in done.stdout


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the key and certificate of `localhost`, and another one's."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    directory = tmp_path_factory.mktemp("tls")
    for name, host in (("server", "localhost"), ("other", "elsewhere")):
        command = f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={host}"
        command += f" -addext subjectAltName=DNS:{host} -keyout {name}.key -out {name}.crt"
        subprocess.run([program, *command.split()], cwd=directory, check=True, capture_output=True)
    return directory


def test_a_server_is_reached_over_tls(
    redis_server: RedisServer, certificates: Path, tmp_path: Path
) -> None:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    settings = {
        "bind": "127.0.0.1",
        "tls_port": str(port),
        "tls_cert_file": str(certificates / "server.crt"),
        "tls_key_file": str(certificates / "server.key"),
        "tls_ca_cert_file": str(certificates / "server.crt"),
        "tls_auth_clients": "no",
        "requirepass": "s3cret",
    }
    address = f"rediss://:s3cret@localhost:{port}/0?ssl_ca_certs="
    with RedisServer(redis_server.program, tmp_path, **settings):
        place = address + str(certificates / "server.crt")
        store = open_store(place, create=True)
        store.write({b"a": b"1"})
        assert store.get((b"a",)) == [b"1"]
        store.close()
        for wrong in (
            address + str(certificates / "other.crt"),
            address + str(certificates / "none.crt"),
            place.replace("rediss", "redis"),
            place.replace("localhost", "127.0.0.1"),
            f"rediss://localhost:{port}/0",
        ):
            with pytest.raises(AstrafsError) as caught:
                open_store(wrong)
            (found,) = caught.value.diagnostics
            assert found.code.id in ("AFS1030", "AFS1032"), found
            assert "s3cret" not in str((found.title, found.notes, found.helps))
