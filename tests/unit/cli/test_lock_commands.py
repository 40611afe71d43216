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


VERSIONED = """owner "shop@acme.test"

entity User { user_id: int }

## Payments.
source payments from parquet("p/*.parquet") key id time at {
  id: string
  user_id: User
  amount: float
  at: timestamp
}

features for User from payments {
  ## Payments.
  @deprecated("use n@2", remove_after="2027-01-31")
  n: int = count() over 7d
  ## Payments.
  n@2: int = count() over 8d
  ## Once.
  once: int = count() over 1d
}

features for User {
  ## Twice.
  twice: int = n@2 * 2
}
"""


@pytest.fixture
def versioned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "astrafs.toml").write_text("", "utf-8")
    (tmp_path / "m.afs").write_text(VERSIONED, "utf-8")
    return tmp_path


def without(text: str, *features: str) -> str:
    """Take features out of a program: their descriptions and marks too."""
    lines = text.splitlines(keepends=True)
    for feature in features:
        at = next(i for i, line in enumerate(lines) if line.startswith(f"  {feature}: "))
        start = at
        while lines[start - 1].startswith(("  ##", "  @")):
            start -= 1
        del lines[start : at + 1]
    return "".join(lines)


def test_references_to_removed_versions_are_explained(versioned: Path, cli: Cli) -> None:
    assert cli("apply", "--yes").code == 0
    gone = without(VERSIONED, "n", "once")
    (versioned / "m.afs").write_text(gone, "utf-8")
    assert cli("apply", "--yes").code == 0
    (versioned / "m.afs").write_text(gone.replace("n@2 * 2", "n@1 * 2"), "utf-8")
    lock = read_lock((versioned / "astrafs.lock").read_text("utf-8"))
    day = next(one.ended for one in lock.features.values() if one.ended)
    for found in (cli("check"), cli("check", "--no-cache"), cli("check", "--deny", "warnings")):
        assert found.code == 1
        assert "error[AFS0209]: version `n@1` was removed" in found.out
        assert f"removed on {day}" in found.out
        assert "`astrafs show User.n@1`" in found.out
        assert "`n` now means `n@2`" in found.out
    assert "version `n@1` was removed" in cli("plan").err
    (versioned / "m.afs").write_text(gone.replace("n@2 * 2", "once * 2"), "utf-8")
    assert "version `once@1` was removed" in cli("check").out
    (versioned / "m.afs").write_text(
        gone.replace("n@2 * 2", "User[User(user_id)].once * 2"), "utf-8"
    )
    assert "no version of it is left" in cli("check").out
    (versioned / "m.afs").write_text(gone.replace("n@2 * 2", "n@7 * 2"), "utf-8")
    never = cli("check").out
    assert "unknown version `n@7`" in never
    assert "removed" not in never
    (versioned / "astrafs.lock").write_text("nonsense", "utf-8")
    (versioned / "m.afs").write_text(gone.replace("n@2 * 2", "n@1 * 2"), "utf-8")
    assert "unknown version `n@1`" in cli("check").out


def test_deprecation_with_a_date(versioned: Path, cli: Cli) -> None:
    used = VERSIONED.replace("n@2 * 2", "n@1 * 2")
    (versioned / "m.afs").write_text(used, "utf-8")
    assert cli("check").code == 0
    assert "AFS0215" in cli("check").out
    in_time = cli("check", "--on", "2027-01-31")
    assert in_time.code == 0
    assert "AFS0806" not in in_time.out
    late = cli("check", "--on", "2027-02-01", "--format", "concise")
    assert late.code == 1
    assert late.out.count("AFS0806") == 2, "the definition and its use"
    assert "AFS0215" not in late.out
    (versioned / "m.afs").write_text(VERSIONED, "utf-8")
    assert cli("check", "--on", "2027-02-01", "--format", "concise").out.count("AFS0806") == 1
    (versioned / "m.afs").write_text(without(VERSIONED, "n"), "utf-8")
    assert cli("check", "--on", "2027-02-01").code == 0
    for wrong in ("tomorrow", "2027-02-30", "20270201", "2027-W05-1"):
        refused = cli("check", "--on", wrong)
        assert refused.code == 2
        assert "is no date" in refused.err


def test_the_lock_records_the_date_of_a_deprecation(versioned: Path, cli: Cli) -> None:
    assert cli("apply", "--yes").code == 0
    assert 'remove_after = "2027-01-31"' in (versioned / "astrafs.lock").read_text("utf-8")
    assert "last day  2027-01-31" in cli("show", "User.n@1").out
    later = VERSIONED.replace("2027-01-31", "2028-01-31")
    (versioned / "m.afs").write_text(later, "utf-8")
    assert "it may be used until 2028-01-31" in cli("plan").out
    assert cli("check", "--locked").code == 1
    assert cli("apply", "--yes").code == 0
    assert cli("check", "--locked").code == 0


@pytest.mark.parametrize(
    "mark",
    [
        '@deprecated("x", remove_after="soon")',
        '@deprecated("x", remove_after="2027-02-30")',
        '@deprecated("x", remove_after="2027-1-3")',
        '@deprecated("x", before="2027-02-03")',
        '@owner("x", remove_after="2027-02-03")',
        '@deprecated(remove_after="2027-02-03")',
    ],
)
def test_named_arguments_that_mean_nothing(mark: str, versioned: Path, cli: Cli) -> None:
    text = VERSIONED.replace('@deprecated("use n@2", remove_after="2027-01-31")', mark)
    (versioned / "m.afs").write_text(text, "utf-8")
    found = cli("check", "--format", "concise")
    assert found.code == 1
    assert found.out.count("AFS0214") == 1


TAGGED = (
    VERSIONED.replace("  amount: float\n", '  amount: float tags "money"\n')
    .replace("  ## Once.", "  ## Spent.\n  spent: float? = mean(amount) over 7d\n  ## Once.")
    .replace("n@2 * 2", "n@2 * 2\n  ## Rounded.\n  coarse: float? = spent / 2.0")
)


def test_tags_are_those_of_what_is_read(versioned: Path, cli: Cli) -> None:
    (versioned / "m.afs").write_text(TAGGED, "utf-8")
    assert cli("apply", "--yes").code == 0
    listed = cli("list", "--tag", "money").out
    assert [line.split()[0] for line in listed.splitlines()[1:]] == [
        "m.User.coarse@1", "m.User.spent@1",
    ]  # fmt: skip
    assert "money" in cli("explain", "User.coarse").out
    assert json.loads(cli("explain", "User.coarse", "--format", "json").out)["tags"] == ["money"]
    assert json.loads(cli("explain", "User.n@2", "--format", "json").out)["tags"] == []
    forbidding = TAGGED + '\n## Served.\nview v for User forbid tags "money" { twice, }\n'
    forbidding = forbidding.replace("{ twice, }", "{\n  twice\n  coarse\n}")
    (versioned / "m.afs").write_text(forbidding, "utf-8")
    found = cli("check")
    assert found.code == 1
    assert "`User.coarse` reads `User.spent` reads `payments.amount`" in found.out
    none = forbidding.replace("  ## Rounded.\n", "  ## Rounded.\n  @tags()\n")
    (versioned / "m.afs").write_text(none, "utf-8")
    assert cli("check").code == 0
    assert "its tags was `money` and is `none`" in cli("plan").out
