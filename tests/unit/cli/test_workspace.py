"""Finding and reading project files."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from astrafs import workspace
from astrafs.diagnostics.model import AstrafsError, Sink
from astrafs.workspace import find_root, open_workspace, read_files, read_stdin


def make(root: Path, *names: str) -> None:
    """Write empty files."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def found(root: Path) -> tuple[list[str], list[str]]:
    """Return the paths that were read and the codes that were reported."""
    sink = Sink()
    files = read_files(root.resolve(), sink)
    return [file.path for file in files], [one.code.id for one in sink]


def test_files_are_sorted_and_others_skipped(tmp_path: Path) -> None:
    make(tmp_path, "b.afs", "a/z.afs", "a/b/c.afs", "a.afs", "notes.txt")
    make(tmp_path, ".git/x.afs", ".hidden.afs", "__pycache__/y.afs", "node_modules/z.afs")
    make(tmp_path, "other/astrafs.toml", "other/inner.afs", "astrafs.toml")
    assert found(tmp_path) == (["a.afs", "a/b/c.afs", "a/z.afs", "b.afs"], [])


def test_the_root_is_the_nearest_project_file(tmp_path: Path) -> None:
    make(tmp_path, "astrafs.toml", "a/b/c.afs", "a/inner/astrafs.toml")
    root = tmp_path.resolve()
    assert find_root(tmp_path / "a/b/c.afs") == root
    assert find_root(tmp_path / "a/b") == root
    assert find_root(tmp_path / "a/inner") == root / "a/inner"
    (tmp_path / "astrafs.toml").unlink()
    assert find_root(tmp_path / "a/b/c.afs") == root / "a/b"


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links(tmp_path: Path) -> None:
    make(tmp_path / "project", "a.afs")
    make(tmp_path, "outside.afs", "data/b.afs")
    (tmp_path / "project/inside.afs").symlink_to(tmp_path / "project/a.afs")
    (tmp_path / "project/escape.afs").symlink_to(tmp_path / "outside.afs")
    (tmp_path / "project/broken.afs").symlink_to(tmp_path / "gone.afs")
    (tmp_path / "project/loop.afs").symlink_to(tmp_path / "project/loop.afs")
    (tmp_path / "project/data").symlink_to(tmp_path / "data")
    (tmp_path / "project/up").symlink_to(tmp_path / "project")
    paths, codes = found(tmp_path / "project")
    assert paths == ["a.afs", "inside.afs"]
    assert sorted(codes) == ["AFS0960", "AFS0960", "AFS0961"]


def test_what_is_no_regular_file_cannot_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.afs")
    assert found(tmp_path) == ([], ["AFS0960"])


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "FILE_LIMIT", 3)
    make(tmp_path, "a.afs", "b.afs", "c.afs")
    assert found(tmp_path)[1] == []
    make(tmp_path, "d.afs")
    assert found(tmp_path) == ([], ["AFS0962"])


def test_a_file_that_is_not_text_or_too_large_is_left_out(tmp_path: Path) -> None:
    make(tmp_path, "good.afs")
    (tmp_path / "bytes.afs").write_bytes(b"owner \xff\xfe")
    (tmp_path / "large.afs").write_bytes(b"#" * ((1 << 20) + 1))
    paths, codes = found(tmp_path)
    assert paths == ["good.afs"]
    assert len(codes) == 2
    assert all(code.startswith("AFS01") for code in codes)


def test_a_missing_path_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(AstrafsError) as error:
        open_workspace(tmp_path / "gone", Sink())
    assert [one.code.id for one in error.value.diagnostics] == ["AFS0011"]


def test_standard_input_stands_in_for_a_file(tmp_path: Path) -> None:
    make(tmp_path, "a.afs", "b.afs")
    read = read_stdin(io.BytesIO(b"# new"), tmp_path.resolve(), "a.afs", Sink())
    assert [(file.path, file.text) for file in read.files] == [("a.afs", "# new"), ("b.afs", "")]
    assert read.only == "a.afs"
    alone = read_stdin(io.BytesIO(b""), tmp_path.resolve(), "", Sink())
    assert [file.path for file in alone.files] == ["stdin.afs"]
