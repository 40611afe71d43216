"""The lock file under git and under force: branches that merge, writers that are killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from astrafs.registry.definitions import read_definition
from astrafs.registry.lock import read_lock
from tests.unit.cli.conftest import Cli

ROOT = Path(__file__).resolve().parents[3]

BLOCK = """
features for Customer from orders {{
  ## Added.
  {name}: int = count() over {days}d
}}
"""


def git(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git as nobody in particular."""
    who = ("-c", "user.name=a", "-c", "user.email=a@b.test", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", *who, *arguments], cwd=project, capture_output=True, text=True)


def module(project: Path, name: str, days: int) -> None:
    """Write a module with one feature."""
    head = 'use shop.{Customer, orders}\nowner "a@b.test"\n'
    (project / f"{name}.afs").write_text(head + BLOCK.format(name=name, days=days), "utf-8")


@pytest.fixture
def repository(shop: Path, cli: Cli) -> Path:
    """Return the locked project as a repository with one commit."""
    assert cli("apply", "--yes").code == 0
    assert git(shop, "init", "-q").returncode == 0
    git(shop, "add", "-A")
    assert git(shop, "commit", "-qm", "one").returncode == 0
    return shop


def branch(repository: Path, cli: Cli, name: str, days: int) -> None:
    """Add a feature on a branch of its own and lock it."""
    assert git(repository, "checkout", "-q", "-b", name, "main").returncode == 0
    module(repository, name, days)
    assert cli("apply", "--yes").code == 0
    git(repository, "add", "-A")
    assert git(repository, "commit", "-qm", name).returncode == 0


def test_of_our_folder_only_definitions_are_for_others(repository: Path, cli: Cli) -> None:
    assert cli("check").code == 0
    run = ("backfill", "customer_vector", "--as-of", "2026-03-01", "--spine", "data/spine.csv")
    assert cli(*run, "-o", "x.parquet").code == 0
    listed = git(repository, "ls-files", "-co", "--exclude-standard", ".astrafs").stdout.split()
    assert ".astrafs/.gitignore" in listed
    assert any(name.startswith(".astrafs/definitions/") for name in listed)
    assert {name.split("/")[1] for name in listed} == {".gitignore", "definitions"}


@pytest.mark.parametrize(("one", "other"), [("alpha", "omega"), ("omega", "alpha")])
def test_two_branches_with_a_feature_each_merge(
    repository: Path, cli: Cli, one: str, other: str
) -> None:
    branch(repository, cli, one, 3)
    branch(repository, cli, other, 4)
    merged = git(repository, "merge", "-q", "-m", "both", one)
    assert merged.returncode == 0, merged.stdout
    assert cli("check", "--locked").code == 0
    assert cli("plan", "--exit-code").code == 0
    assert "nothing to do" in cli("apply", "--yes").out
    for name in (one, other):
        assert "its definition is not kept" not in cli("show", f"Customer.{name}").out


@pytest.mark.parametrize("style", ["merge", "diff3"])
def test_features_side_by_side_are_joined_by_apply(repository: Path, cli: Cli, style: str) -> None:
    """Git cannot know which of two groups at one place comes first."""
    branch(repository, cli, "mid_a", 3)
    branch(repository, cli, "mid_b", 4)
    git(repository, "config", "merge.conflictStyle", style)
    assert git(repository, "merge", "-q", "-m", "both", "mid_a").returncode == 1
    checked = cli("check", "--locked")
    assert checked.code == 1
    assert "`astrafs apply` can resolve" in " ".join((checked.out + checked.err).split())
    assert cli("apply", "--yes").code == 0
    assert cli("check", "--locked").code == 0
    lock = read_lock((repository / "astrafs.lock").read_text("utf-8"))
    assert {"mid_a", "mid_b", "orders_7d"} <= {one.name for one in lock.features}
    assert {one.status for one in lock.features.values()} == {"active"}


def test_two_meanings_of_one_version_are_a_conflict(repository: Path, cli: Cli) -> None:
    for name, days in (("a", 3), ("b", 4)):
        git(repository, "checkout", "-q", "-b", name, "main")
        module(repository, "same", days)
        assert cli("apply", "--yes").code == 0
        git(repository, "add", "-A")
        git(repository, "commit", "-qm", name)
    assert git(repository, "merge", "-q", "a").returncode == 1
    git(repository, "checkout", "-q", "--ours", "same.afs")
    for command, words in (
        (("check", "--locked"), "unresolved merge conflict"),
        (("plan",), "unresolved merge conflict"),
        (("list",), "unresolved merge conflict"),
        (("apply", "--yes"), "the two sides of a merge mean something else by"),
    ):
        found = cli(*command)
        assert found.code == 1
        shown = " ".join((found.out + found.err).split())
        assert "AFS0801" in shown
        assert words in shown
        assert "astrafs.lock:" in shown


CHILD = "import sys; from astrafs.cli.app import main; main(sys.argv[1:])"


def test_a_killed_apply_leaves_the_lock_before_or_after(shop: Path, cli: Cli) -> None:
    rng = random.Random(7)
    assert cli("apply", "--yes").code == 0
    env = dict(os.environ, PYTHONPATH=str(ROOT))
    for number in range(6):
        module(shop, f"killed_{number}", number + 1)
        before = (shop / "astrafs.lock").read_text("utf-8")
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, "apply", "--yes"], cwd=shop, env=env,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        kept = len(list((shop / ".astrafs/definitions").rglob("*.json")))
        deadline = time.monotonic() + 30
        while child.poll() is None and time.monotonic() < deadline:
            if len(list((shop / ".astrafs/definitions").rglob("*.json*"))) > kept:
                break
            time.sleep(0.001)
        time.sleep(rng.random() * 0.01)
        child.send_signal(signal.SIGKILL)
        child.wait(30)
        text = (shop / "astrafs.lock").read_text("utf-8")
        lock = read_lock(text)
        assert text == before or f"killed_{number}" in {one.name for one in lock.features}
        for path in (shop / ".astrafs/definitions").rglob("*.json"):
            if not path.name.startswith("."):
                read_definition(path.read_text("utf-8"))
        assert cli("apply", "--yes").code == 0
        assert cli("check", "--locked").code == 0
    lock = read_lock((shop / "astrafs.lock").read_text("utf-8"))
    assert {f"killed_{number}" for number in range(6)} <= {one.name for one in lock.features}
