"""``plan``, ``apply``, ``list``, ``history`` and ``show`` through the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from astrafs.registry.lock import read_lock
from tests.unit.cli.conftest import Cli


def test_plan_and_apply(shop: Path, cli: Cli) -> None:
    planned = cli("plan")
    assert planned.code == 0
    assert planned.out.splitlines()[-1].endswith(" new")
    assert not (shop / "astrafs.lock").exists()
    assert cli("plan", "--exit-code").code == 1
    refused = cli("apply")
    assert refused.code == 1
    assert "give --yes" in refused.err
    assert not (shop / "astrafs.lock").exists()
    assert cli("apply", "--yes").code == 0
    lock = read_lock((shop / "astrafs.lock").read_text("utf-8"))
    assert {locked.status for locked in lock.features.values()} == {"active"}
    assert cli("plan", "--exit-code").code == 0
    assert "nothing to do" in cli("apply", "--yes").out


def test_a_changed_meaning_is_refused_and_shown(shop: Path, cli: Cli) -> None:
    assert cli("apply", "--yes").code == 0
    before = (shop / "astrafs.lock").read_bytes()
    source = next(path for path in shop.glob("*.afs") if "count()" in path.read_text("utf-8"))
    source.write_text(source.read_text("utf-8").replace("count()", "-count()"), "utf-8")
    planned = cli("plan", "--format", "json")
    changes = json.loads(planned.out)["changes"]
    verdicts = {change["verdict"] for change in changes}
    assert "value-changing" in verdicts
    applied = cli("apply", "--yes")
    assert applied.code == 1
    assert "AFS0802" in applied.err
    assert "differs: " in applied.err
    assert (shop / "astrafs.lock").read_bytes() == before
    assert "| value-changing |" in cli("plan", "--format", "markdown").out


@pytest.mark.usefixtures("shop")
def test_list_history_show(cli: Cli) -> None:
    assert cli("list").code == 2
    assert cli("apply", "--yes").code == 0
    listed = cli("list").out.splitlines()
    assert listed[0].split() == ["feature", "type", "status", "created", "owner"]
    first = listed[1].split()[0]
    entries = json.loads(cli("list", "--format", "json").out)
    assert [entry["feature"] for entry in entries] == [line.split()[0] for line in listed[1:]]
    assert first in cli("history", first.partition("@")[0]).out
    shown = cli("show", first)
    assert shown.code == 0
    assert "identity" in shown.out
    assert "feature " in shown.out
    assert cli("show", "Nothing.at_all").code == 2
    assert cli("list", "--status", "lively").code == 2
    assert len(cli("list", "--status", "removed").out.splitlines()) == 1


def test_definitions_outlive_their_source_text(shop: Path, cli: Cli) -> None:
    assert cli("apply", "--yes").code == 0
    name = cli("list").out.splitlines()[1].split()[0]
    (shop / "other").mkdir()
    for path in shop.glob("*.afs"):
        path.write_text('owner "a@b.test"\nentity Nothing { id: int }\n', "utf-8")
    assert "removed" in cli("plan").out
    assert cli("apply", "--yes").code == 0
    shown = cli("show", name).out
    assert "status    removed" in shown
    assert "\nfeature " in shown


def test_concurrent_applies_lose_nothing(shop: Path) -> None:
    command = [sys.executable, "-m", "astrafs", "apply", "--yes"]
    running = [
        subprocess.Popen(command, cwd=shop, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(6)
    ]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    lock = read_lock((shop / "astrafs.lock").read_text("utf-8"))
    kept = {path.stem for path in (shop / ".astrafs" / "definitions").rglob("*.json")}
    assert {locked.identity for locked in lock.features.values()} == kept


def test_diff_of_git_revisions(shop: Path, cli: Cli) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b.test")
        subprocess.run(["git", *identity, *arguments], cwd=shop, check=True, capture_output=True)

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "one")
    assert cli("diff", "HEAD", "--exit-code").code == 0
    source = next(path for path in shop.glob("*.afs") if "count()" in path.read_text("utf-8"))
    source.write_text(source.read_text("utf-8").replace("count()", "-count()"), "utf-8")
    on_disk = cli("diff", "HEAD", "--exit-code")
    assert on_disk.code == 1
    assert "value-changing" in on_disk.out
    git("commit", "-qam", "two")
    assert cli("diff", "HEAD~1", "HEAD").out == on_disk.out
    unknown = cli("diff", "nowhere")
    assert unknown.code == 2
    assert "no git revision `nowhere`" in unknown.err
    source.write_text("entity", "utf-8")
    assert cli("diff", "HEAD").code == 1


def test_check_against_the_lock(shop: Path, cli: Cli) -> None:
    missing = cli("check", "--locked")
    assert missing.code == 1
    assert "AFS0804" in missing.out
    assert cli("check").code == 0
    assert cli("apply", "--yes").code == 0
    assert cli("check", "--locked").code == 0
    source = next(path for path in shop.glob("*.afs") if "count()" in path.read_text("utf-8"))
    source.write_text(source.read_text("utf-8").replace("count()", "-count()"), "utf-8")
    assert cli("check").code == 0
    changed = cli("check", "--locked")
    assert changed.code == 1
    assert "AFS0802" in changed.out
    assert "make it version" in changed.out
    told = json.loads(cli("check", "--locked", "--format", "json").out)
    assert "AFS0802" in json.dumps(told)
    for form in ("concise", "sarif", "github"):
        found = cli("check", "--locked", "--format", form)
        assert found.code == 1
        assert "AFS0802" in found.out
    source.write_text("entity", "utf-8")
    broken = cli("check", "--locked")
    assert broken.code == 1
    assert "AFS08" not in broken.out
