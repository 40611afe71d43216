"""The SQLite store: what it refuses, and with which code."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.online.sqlite_store import FILE_NAME, SqliteStore
from astrafs.online.stores import open_store, place_of
from tests.unit.online import other


def refused(code: str, work: Callable[[], object]) -> Diagnostic:
    """Return the one diagnostic of ``code`` that ``work`` ends with; it says what to do."""
    with pytest.raises(AstrafsError) as caught:
        work()
    (found,) = caught.value.diagnostics
    assert found.code.id == code, found
    assert found.helps
    return found


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another connection is in the middle of a write."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def test_a_missing_store_is_named(tmp_path: Path) -> None:
    found = refused("AFS1001", lambda: open_store(tmp_path / "none"))
    assert "astrafs online init" in found.helps[0]
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "empty").mkdir()
    refused("AFS1001", lambda: open_store(tmp_path / "empty"))
    (tmp_path / "empty" / FILE_NAME).touch()
    refused("AFS1001", lambda: open_store(tmp_path / "empty"))


@pytest.mark.parametrize("create", [False, True])
def test_a_file_is_no_directory(tmp_path: Path, create: bool) -> None:
    (tmp_path / "file").write_text("text")
    refused("AFS1030", lambda: open_store(tmp_path / "file", create=create))
    refused("AFS1030", lambda: open_store(tmp_path / "file" / "below", create=create))
    refused("AFS1030", lambda: open_store(tmp_path / ("x" * 300), create=create))
    assert (tmp_path / "file").read_text() == "text"


def test_a_directory_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    refused("AFS1003", lambda: open_store(tmp_path))
    refused("AFS1003", lambda: open_store(tmp_path, create=True))


def test_a_newer_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    open_store(tmp_path, create=True).close()
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for create in (False, True):
        with pytest.raises(AstrafsError) as caught:
            open_store(tmp_path, create=create)
        (found,) = caught.value.diagnostics
        assert found.code.id == "AFS1002"
        assert "format 99" in found.title


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    refused("AFS1003", lambda: open_store(tmp_path, create=True))
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    connection.close()


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database at all" * 100)
    found = refused("AFS1003", lambda: open_store(tmp_path))
    assert "damaged" in found.title


def test_damage_inside_the_file_is_found_when_read(tmp_path: Path) -> None:
    store = open_store(tmp_path, create=True)
    store.write({b"%d" % number: os.urandom(3_000) for number in range(500)})
    store.close()
    path = tmp_path / FILE_NAME
    data = bytearray(path.read_bytes())
    # Page 2 is the root of the entries.
    data[8192:16384] = os.urandom(8192)
    path.write_bytes(data)
    store = open_store(tmp_path)
    assert "damaged" in refused("AFS1003", lambda: list(store.scan(b""))).title
    assert "damaged" in refused("AFS1003", lambda: store.write({b"a": b"b"})).title
    store.close()


def test_a_locked_store_is_busy_after_a_while(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path, create=True, busy_seconds=0.1)
    store.write({b"a": b"1"})
    with locked(tmp_path / FILE_NAME):
        refused("AFS1031", lambda: store.write({b"a": b"2"}))
        assert store.get((b"a",)) == [b"1"]  # readers do not wait for writers
        with SqliteStoreInThread(tmp_path) as others:
            assert others == [b"1"]
    assert store.write({b"a": b"2"}, {b"a": b"1"})
    store.close()


class SqliteStoreInThread:
    """Reads ``a`` in another thread, by a store that is opened there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __enter__(self) -> list[bytes | None]:
        found: list[bytes | None] = []

        def work() -> None:
            store = SqliteStore(self._directory)
            found.extend(store.get((b"a",)))
            store.close()

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return found

    def __exit__(self, *_: object) -> None:
        return None


def test_a_store_may_be_made_by_several_processes_at_once(tmp_path: Path) -> None:
    place = tmp_path / "store"
    with other.Processes() as started:
        for _ in range(4):
            started.start("make", str(place), "10")
        assert started.wait() == [0] * 4
    store = open_store(place)
    assert store.get((b"count",)) == [b"40"]
    store.close()


def test_connections_of_threads_that_end_are_closed(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path, create=True)

    def files() -> int:
        return sum(
            os.path.realpath(f"/proc/self/fd/{one}").startswith(str(tmp_path))
            for one in os.listdir("/proc/self/fd")
        )

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("open files cannot be counted on this system")
    before = files()
    for _ in range(20):
        thread = threading.Thread(target=lambda: store.get((b"a",)))
        thread.start()
        thread.join()
    assert files() <= before + 3
    store.close()
    assert files() == 0


def unprivileged(work: Callable[[], object]) -> bool:
    """Run ``work`` in a child whom permissions bind (they do not bind the superuser)."""

    def bound() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65_534)
            os.setuid(65_534)
        work()

    return other.in_a_fork(bound)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """A directory that any user may enter."""
    for directory in (tmp_path, *tmp_path.parents[:3]):
        if directory.owner() != "root" or directory != Path("/tmp"):
            directory.chmod(directory.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
    yield tmp_path


def test_a_directory_without_permissions_is_refused(shared: Path) -> None:
    (shared / "closed").mkdir(mode=0o700)
    (shared / "readable").mkdir(mode=0o755)
    os.chmod(shared / "closed", 0)
    os.chmod(shared / "readable", 0o555)

    def work() -> None:
        for create in (False, True):
            refused(
                "AFS1030", lambda create=create: open_store(shared / "closed" / "x", create=create)
            )
        refused("AFS1003", lambda: open_store(shared / "readable", create=True))
        refused("AFS1030", lambda: open_store(shared / "readable" / "x", create=True))

    assert unprivileged(work)
    os.chmod(shared / "closed", 0o700)


def test_a_store_that_may_only_be_read_refuses_writes(shared: Path) -> None:
    place = shared / "store"
    store = open_store(place, create=True)
    store.write({b"a": b"1"})
    for path in (place, *place.iterdir()):
        path.chmod(0o555 if path.is_dir() else 0o444)

    def work() -> None:
        try:
            found = open_store(place)
        except AstrafsError as error:
            (one,) = error.diagnostics
            assert one.code.id == "AFS1003", one
            return
        refused("AFS1003", lambda: found.write({b"a": b"2"}))

    assert unprivileged(work)
    assert store.get((b"a",)) == [b"1"]
    store.close()
    place.chmod(0o755)


def test_the_place_of_a_project(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "link").symlink_to(outside)
    assert place_of(root, None, None) == root / ".astrafs/online"
    assert place_of(root, None, "state") == root / "state"
    assert place_of(root, "here", "state") == Path("here")
    assert place_of(root, None, "redis://h/1") == "redis://h/1"
    assert place_of(root, "redis://h/2", "redis://h/1") == "redis://h/2"
    assert place_of(root, None, str(outside)) == outside
    assert place_of(root, "../outside", None) == Path("../outside")
    for escape in ("../outside", "link", "link/store", "state/../../outside"):
        found = refused("AFS1030", lambda escape=escape: place_of(root, None, escape))
        assert escape in found.title
    (root / ".astrafs").symlink_to(outside)
    refused("AFS1030", lambda: place_of(root, None, None))


@pytest.mark.parametrize("place", ["ftp://host/x", "sqlite:///x", "http://127.0.0.1:1"])
def test_other_schemes_are_refused(place: str) -> None:
    assert "redis://" in refused("AFS1030", lambda: open_store(place, create=True)).helps[0]
