"""Kept columns on disk: read back as written, bounded, and never more than absent."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pyarrow as pa
import pytest

from astrafs.runtime.column_store import ColumnStore

ARRAY = pa.array([[1, None], None, []], pa.list_(pa.int64()))


def files(root: Path) -> list[str]:
    """Return the names of the kept files."""
    return sorted(path.name for path in (root / ".astrafs" / "results").glob("*/*/*"))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    store = ColumnStore(tmp_path)
    assert not store.has("c" * 64, "b")
    store.write("c" * 64, "b", ARRAY)
    assert store.has("c" * 64, "b")
    assert store.read("c" * 64, "b", ARRAY.type, 3).equals(ARRAY)
    ignored = (tmp_path / ".astrafs" / "results" / ".gitignore").read_text()
    assert ignored.endswith("\n*\n")


@pytest.mark.parametrize(("kind", "rows"), [(pa.list_(pa.int32()), 3), (ARRAY.type, 4)])
def test_another_column_is_none(tmp_path: Path, kind: pa.DataType, rows: int) -> None:
    store = ColumnStore(tmp_path)
    store.write("c", "b", ARRAY)
    assert store.read("c", "b", kind, rows) is None
    assert not store.has("c", "b")


def test_any_damage_is_seen(tmp_path: Path) -> None:
    store = ColumnStore(tmp_path)
    store.write("c", "b", ARRAY)
    (path,) = (tmp_path / ".astrafs" / "results").glob("*/*/*")
    whole = path.read_bytes()
    for at in range(len(whole)):
        for data in (whole[:at], whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :]):
            path.write_bytes(data)
            assert store.read("c", "b", ARRAY.type, 3) is None
            assert not path.exists()


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    store = ColumnStore(tmp_path)
    for number in range(4):
        store.write("c", f"b{number}", ARRAY)
    size = next((tmp_path / ".astrafs" / "results").glob("*/*/*")).stat().st_size
    for number in range(4):
        path = tmp_path / ".astrafs" / "results" / "c" / "c" / f"b{number}.arrow"
        os.utime(path, (number, number))
    assert store.read("c", "b0", ARRAY.type, 3) is not None
    bounded = ColumnStore(tmp_path, most_bytes=2 * size)
    bounded.sweep()
    assert len(files(tmp_path)) == 4, "a run that added nothing removes nothing"
    stale = tmp_path / ".astrafs" / "results" / "c" / "c" / "x.arrow.0.tmp"
    stale.write_bytes(b"")
    os.utime(stale, (time.time() - 3600,) * 2)
    bounded.write("d", "b4", ARRAY)
    bounded.sweep()
    assert files(tmp_path) == ["b0.arrow", "b4.arrow"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / ".astrafs").mkdir()
    (tmp_path / ".astrafs" / "results").symlink_to(elsewhere)
    store = ColumnStore(tmp_path)
    store.write("c", "b", ARRAY)
    assert not store.has("c", "b")
    assert list(elsewhere.iterdir()) == []
