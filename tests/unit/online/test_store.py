"""What holds of every store: a map of bytes with atomic, conditional writes, whoever else writes.

The other processes are real ones, started anew; see ``tests/unit/online/other.py``.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest

from astrafs.online.store import MemoryStore, Store
from astrafs.online.stores import open_store
from tests.unit.online import other

LARGE = 10_000_000
ALL_BYTES = bytes(range(256))


def test_values_are_put_changed_and_removed(store: Store) -> None:
    assert store.write({b"a": b"1", b"ab": b"2", b"b": b""})
    assert store.get((b"b", b"zz", b"a", b"a")) == [b"", None, b"1", b"1"]
    assert store.get(()) == []
    assert store.write({b"a": None, b"b": b"4", b"never": None})
    assert store.get((b"a", b"b")) == [None, b"4"]
    assert store.write({})


def test_many_keys_are_read_and_written_at_once(store: Store) -> None:
    many = {f"k{number:05}".encode(): str(number).encode() for number in range(12_000)}
    assert store.write(many)
    keys = list(many)
    random.Random(1).shuffle(keys)
    assert store.get(keys) == [many[key] for key in keys]
    assert store.write(dict.fromkeys(keys[:9_000]), many)
    assert list(store.scan(b"k")) == sorted((key, many[key]) for key in keys[9_000:])


@pytest.mark.parametrize(
    ("expected", "holds"),
    [
        ({b"a": b"1"}, True),
        ({b"a": b"2"}, False),
        ({b"a": None}, False),
        ({b"none": None}, True),
        ({b"none": b""}, False),
        ({b"empty": b""}, True),
        ({b"empty": None}, False),
        ({b"a": b"1", b"empty": b"", b"none": None}, True),
        ({b"a": b"1", b"empty": b"", b"none": b"1"}, False),
        ({b"a": b"1\x00"}, False),
    ],
)
def test_a_write_happens_only_over_what_it_expects(
    store: Store, expected: dict[bytes, bytes | None], holds: bool
) -> None:
    before = {b"a": b"1", b"empty": b"", b"gone": b"x"}
    store.write(before)
    assert store.write({b"a": b"new", b"gone": None, b"more": b"m"}, expected) is holds
    after = {b"a": b"new", b"empty": b"", b"more": b"m"}
    assert dict(store.scan(b"")) == (after if holds else before)


def test_a_condition_may_be_on_other_keys_than_are_written(store: Store) -> None:
    assert store.write({b"x": b"1"}, {b"head": None})
    assert store.write({}, {b"x": b"1"})
    assert not store.write({}, {b"x": b"2"})


def test_entries_are_scanned_in_the_order_of_their_bytes(store: Store) -> None:
    keys = [b"a", b"a\x00", b"a\xff", b"a\xff\xff", b"b", b"\xff", b"\xff\xff\x00", b"a*", b"a[b]"]
    keys += [b"a?", b"a\\", b"\x00", b"{a}", "ä".encode()]
    store.write({key: key[::-1] for key in keys})
    for prefix in (b"", b"a", b"a\xff", b"\xff", b"a*", b"a[", b"a?", b"a\\", b"b", b"c", b"{a}"):
        found = sorted((key, key[::-1]) for key in keys if key.startswith(prefix))
        assert list(store.scan(prefix)) == found


def test_any_bytes_are_keys_and_values(store: Store) -> None:
    keys = [bytes([one]) for one in ALL_BYTES] + [ALL_BYTES, ALL_BYTES * 16, b"x" * 5_000]
    store.write({key: key + ALL_BYTES for key in keys})
    assert store.get(keys) == [key + ALL_BYTES for key in keys]
    assert store.write(dict.fromkeys(keys), {key: key + ALL_BYTES for key in keys})
    assert list(store.scan(b"")) == []


def test_large_values_come_back(store: Store) -> None:
    values = {b"%d" % number: random.Random(number).randbytes(LARGE) for number in range(2)}
    assert store.write(values)
    assert store.get(list(values)) == list(values.values())
    assert dict(store.scan(b"")) == values
    assert not store.write({b"0": b""}, {b"0": values[b"1"]})
    assert store.write({b"0": b""}, {b"0": values[b"0"]})


def test_a_scan_goes_on_while_its_reader_writes(store: Store) -> None:
    many = {f"k{number:04}".encode(): b"x" * 30_000 for number in range(300)}
    store.write(many)
    seen = []
    for key, value in store.scan(b"k"):
        seen.append(key)
        assert store.write({key: None, b"z" + key: value}, {key: value})
    assert seen == sorted(many)
    assert len(list(store.scan(b"z"))) == len(many)
    assert list(store.scan(b"k")) == []


def test_stores_say_when_an_entry_is_safe(place: str) -> None:
    store = open_store(place, create=True)
    assert store.durability() == "every write is flushed to disk before it is acknowledged"
    store.close()
    assert "in memory" in MemoryStore().durability()


def test_a_store_is_found_again(place: str) -> None:
    first = open_store(place, create=True)
    first.write({b"a": b"1"})
    first.close()
    again = open_store(place, create=True)
    assert again.get((b"a",)) == [b"1"]
    again.close()
    third = open_store(place)
    assert list(third.scan(b"")) == [(b"a", b"1")]
    third.close()


def test_stores_beside_each_other_do_not_see_each_other(make_store: Callable[[], Store]) -> None:
    one, two = make_store(), make_store()
    one.write({b"a": b"1"})
    assert two.get((b"a",)) == [None]
    assert list(two.scan(b"")) == []


def test_threads_share_a_store_and_lose_nothing(store: Store) -> None:
    failed: list[BaseException] = []

    def work() -> None:
        try:
            other.count_up(store, 25)
        except BaseException as error:  # noqa: BLE001  # shown by the test
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert store.get((b"count",)) == [b"150"]


def test_processes_count_together_and_lose_nothing(place: str) -> None:
    store = open_store(place, create=True)
    with other.Processes() as started:
        for _ in range(4):
            started.start("count", place, "50")
        assert started.wait() == [0] * 4
    assert store.get((b"count",)) == [b"200"]
    store.close()


def test_what_is_read_together_was_written_together(place: str) -> None:
    store = open_store(place, create=True)
    keys = tuple(b"part%d" % number for number in range(700))
    store.write(dict.fromkeys(keys, b"0"))
    with other.Processes() as started:
        for _ in range(2):
            started.start("rewrite", place, "25", str(len(keys)))
        seen = set()
        while started.running():
            found = store.get(keys)
            assert len(set(found)) == 1
            seen.add(found[0])
        assert started.wait() == [0, 0]
    assert len(seen) > 1
    store.close()


def test_a_forked_child_has_connections_of_its_own(place: str) -> None:
    store = open_store(place, create=True)
    store.write({b"a": b"1"})
    assert other.in_a_fork(lambda: other.count_up(store, 20))
    other.count_up(store, 20)
    assert other.in_a_fork(lambda: store.close())
    other.count_up(store, 1)
    assert store.get((b"a", b"count")) == [b"1", b"41"]
    store.close()
