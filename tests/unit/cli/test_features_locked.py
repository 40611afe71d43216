"""The example projects are locked: what they mean cannot change unseen."""

from __future__ import annotations

from pathlib import Path

import pytest

from astrafs.cli.lockfile import recall
from astrafs.registry.lock import FILE_NAME, read_lock
from tests.unit.cli.conftest import Cli

ROOT = Path(__file__).resolve().parents[3]
PROJECTS = sorted(path.parent for path in (ROOT / "features").glob("*/astrafs.toml"))


@pytest.mark.parametrize("project", PROJECTS, ids=[path.name for path in PROJECTS])
def test_the_lock_says_what_the_sources_say(project: Path, cli: Cli) -> None:
    found = cli("check", "--locked", "--no-cache", project)
    assert found.code == 0, found.out
    lock = read_lock((project / FILE_NAME).read_text("utf-8"))
    assert lock.features
    lost = [name for name, one in lock.features.items() if recall(project, one.kept_as) is None]
    assert lost == []


def test_there_are_projects() -> None:
    assert {path.name for path in PROJECTS} >= {"flights", "fraud"}
