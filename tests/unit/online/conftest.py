"""Stores of every kind, and a Redis server of this test session's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from astrafs.online.store import MemoryStore, Store
from astrafs.online.stores import open_store
from tests.redis_server import RedisServer, find_redis_server


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server on a socket in a directory of its own, flushing every write."""
    program = find_redis_server()
    if program is None:
        pytest.skip("redis-server is not installed (apt-get install redis-server)")
    with RedisServer(program, tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["sqlite", "redis"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store that outlives its process can be made; nothing is there yet."""
    if request.param == "sqlite":
        return str(tmp_path / "store")
    server: RedisServer = request.getfixturevalue("redis_server")
    return server.place(prefix=uuid4().hex)


@pytest.fixture(params=["memory", "sqlite", "redis"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Makes empty stores of one kind; they are closed at the end."""
    made: list[Store] = []

    def make() -> Store:
        match request.param:
            case "memory":
                made.append(MemoryStore())
            case "sqlite":
                made.append(open_store(tmp_path / f"store-{len(made)}", create=True))
            case _:
                server: RedisServer = request.getfixturevalue("redis_server")
                made.append(open_store(server.place(prefix=uuid4().hex), create=True))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def store(make_store: Callable[[], Store]) -> Store:
    """An empty store."""
    return make_store()
