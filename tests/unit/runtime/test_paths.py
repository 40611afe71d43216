"""Patterns of sources: what they match, in which order, and what lies out of reach."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from astrafs.diagnostics.model import AstrafsError
from astrafs.runtime import paths


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name in (
        "data/b.csv",
        "data/a.csv",
        "data/deep/er/c.csv",
        "data/x.parquet",
        "data/[odd] name.csv",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "secret.csv").write_text("secret")
    (tmp_path / "project-other").mkdir()
    (tmp_path / "project-other" / "a.csv").write_text("other")
    return root


def shown(root: Path, *patterns: str, roots: tuple[Path, ...] = ()) -> list[str]:
    return [file.shown for file in paths.resolve("m.s", patterns, root, roots or (root,))]


def refused(root: Path, *patterns: str) -> str:
    with pytest.raises(AstrafsError) as caught:
        paths.resolve("m.s", patterns, root, (root,))
    (found,) = caught.value.diagnostics
    assert "`m.s`" in found.title
    return found.code.id


def test_globs_are_sorted(root: Path) -> None:
    assert shown(root, "data/?.csv") == ["data/a.csv", "data/b.csv"]
    assert shown(root, "data/**/*.csv") == [
        "data/[odd] name.csv",
        "data/a.csv",
        "data/b.csv",
        "data/deep/er/c.csv",
    ]
    assert shown(root, "data/[ab].csv") == ["data/a.csv", "data/b.csv"]


def test_a_file_is_read_once_however_often_it_matches(root: Path) -> None:
    (root / "data" / "link.csv").symlink_to(root / "data" / "a.csv")
    assert shown(root, "data/b.csv", "data/*.csv", "./data/a.csv") == [
        "data/[odd] name.csv",
        "data/a.csv",
        "data/b.csv",
    ]


def test_a_name_with_signs_is_itself(root: Path) -> None:
    assert shown(root, "data/[odd] name.csv") == ["data/[odd] name.csv"]


def test_directories_do_not_match(root: Path) -> None:
    assert shown(root, "data/*e*") == ["data/[odd] name.csv", "data/x.parquet"]
    assert refused(root, "data/deep") == "AFS0901"


@pytest.mark.parametrize(
    "pattern", ["data/*.json", "nowhere/*.csv", "data/none.csv", "", "data/a.csv\0"]
)
def test_nothing_matches(root: Path, pattern: str) -> None:
    assert refused(root, pattern) == "AFS0901"


@pytest.mark.parametrize(
    "pattern",
    [
        "../secret.csv",
        "../*.csv",
        "data/../../secret.csv",
        "../project-other/*.csv",
        "/etc/hostname",
        "/etc/*",
        "/*/hostname",
        "~/x.csv",
    ],
)
def test_out_of_reach(root: Path, pattern: str) -> None:
    assert refused(root, pattern) in (("AFS0901",) if pattern.startswith("~") else ("AFS0902",))


def test_links_that_lead_out(root: Path, tmp_path: Path) -> None:
    (root / "data" / "z.csv").symlink_to(tmp_path / "secret.csv")
    assert refused(root, "data/*.csv") == "AFS0902"
    (root / "data" / "z.csv").unlink()
    (root / "out").symlink_to(tmp_path)
    assert refused(root, "out/secret.csv") == "AFS0902"
    assert refused(root, "out/*.csv") == "AFS0902"
    assert refused(root, "*/secret.csv") == "AFS0902"


def test_other_roots_may_be_allowed(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "project-other"
    assert shown(root, "../project-other/*.csv", roots=(root, other)) == [str(other / "a.csv")]
    assert shown(root, str(other / "a.csv"), roots=(other,)) == [str(other / "a.csv")]
    with pytest.raises(AstrafsError):
        shown(root, "data/a.csv", roots=(other,))


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_only_regular_files(root: Path) -> None:
    os.mkfifo(root / "data" / "pipe.csv")
    with pytest.raises(AstrafsError) as caught:
        paths.resolve("m.s", ["data/*.csv"], root, (root,))
    assert caught.value.diagnostics[0].code.id == "AFS0907"


def test_a_dangling_link(root: Path) -> None:
    (root / "data" / "gone.csv").symlink_to(root / "data" / "nothing.csv")
    with pytest.raises(AstrafsError) as caught:
        paths.resolve("m.s", ["data/*.csv"], root, (root,))
    assert caught.value.diagnostics[0].code.id == "AFS0907"


def test_hashes_and_changes(root: Path) -> None:
    (file,) = paths.resolve("m.s", ["data/a.csv"], root, (root,))
    assert file.size == len("data/a.csv")
    assert paths.sha256(file) == hashlib.sha256(b"data/a.csv").hexdigest()
    paths.check_unchanged([file], root)
    file.path.write_text("data/b.csv")
    os.utime(file.path, ns=(file.changed_ns + 1, file.changed_ns + 1))
    with pytest.raises(AstrafsError) as caught:
        paths.check_unchanged([file], root)
    assert caught.value.diagnostics[0].code.id == "AFS0908"
    file.path.unlink()
    with pytest.raises(AstrafsError):
        paths.check_unchanged([file], root)
