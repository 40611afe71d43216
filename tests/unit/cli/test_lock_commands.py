"""``plan``, ``apply``, ``list``, ``history`` and ``show`` through the command line."""

from __future__ import annotations

import json
import multiprocessing
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from astrafs.cli.app import main
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
    assert cli("list", "--status", "removed").out == ""


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


APPLIES = 60


def test_concurrent_applies_lose_nothing(shop: Path) -> None:
    processes = multiprocessing.get_context("fork")  # the compiler is loaded once for all
    running = [
        processes.Process(target=declare_and_apply, args=(shop, number))
        for number in range(APPLIES)
    ]
    for process in running:
        process.start()
    for process in running:
        process.join(timeout=120)
    assert [process.exitcode for process in running] == [0] * APPLIES
    lock = read_lock((shop / "astrafs.lock").read_text("utf-8"))
    assert {locked.status for locked in lock.features.values()} == {"active"}
    assert {f"added_{number}" for number in range(APPLIES)} <= {one.name for one in lock.features}
    kept = {path.stem for path in (shop / ".astrafs" / "definitions").rglob("*.json")}
    assert {locked.kept_as for locked in lock.features.values()} <= kept


def declare_and_apply(shop: Path, number: int) -> None:
    """Add a module with a feature to the project, and record it."""
    text = f"""owner "a@b.test"
entity Thing{number} {{ id: int }}
features for Thing{number} {{
  ## Number.
  added_{number}: int = {number}
}}
"""
    half = shop / f"added_{number}.part"
    half.write_text(text, "utf-8")
    half.rename(shop / f"added_{number}.afs")
    main(["apply", "--yes"])


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
    assert "write the new one as" in " ".join(changed.out.split())
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


SERVED = (
    VERSIONED
    + """
## Served.
view served for User {
  user_id
  once
  n@2 as n
  twice
}

## To learn from.
dataset training
  view  served
  spine payments
  by    user_id
"""
)


def planned(cli: Cli) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the changes of ``astrafs plan`` that are some, by feature, and the whole."""
    data = json.loads(cli("plan", "--format", "json", "--no-data").out)
    changes = {one["feature"]: one for one in data["changes"] if one["verdict"] != "identical"}
    return changes, data


def test_what_follows_from_a_change(versioned: Path, cli: Cli) -> None:
    source = versioned / "m.afs"
    source.write_text(SERVED, "utf-8")
    first = planned(cli)[1]
    assert first["online_state"] == [
        {"rows": "m.payments", "by": "user_id", "what": "new", "columns": []}
    ]
    assert cli("apply", "--yes").code == 0
    nothing = planned(cli)
    assert nothing[0] == {}
    assert nothing[1]["online_state"] == []
    assert nothing[1]["recompute"] == {"features": [], "views": [], "datasets": []}
    assert cli("plan").out == "4 identical\n"

    source.write_text(SERVED.replace("over 8d", "over 9d"), "utf-8")
    changes, whole = planned(cli)
    assert changes["m.User.n@2"]["readers"] == [
        "feature m.User.twice", "dataset m.training", "view m.served",
    ]  # fmt: skip
    assert whole["online_state"] == [], "the same rows are kept, whatever window reads them"
    assert whole["recompute"] == {
        "features": ["m.User.n@2", "m.User.twice"],
        "views": [{"view": "m.served", "columns": ["n", "twice"], "of": 4}],
        "datasets": ["m.training"],
    }
    text = cli("plan").out
    assert "online state: same" in text
    assert "to recompute: 2 of 4 columns of view m.served: n, twice" in text
    assert "to recompute: dataset m.training" in text
    assert "- to recompute: 2 features\n" in cli("plan", "--format", "markdown").out

    source.write_text(SERVED.replace("count() over 8d", "count(where amount > 1.0) over 8d"))
    assert planned(cli)[1]["online_state"] == [
        {"rows": "m.payments", "by": "user_id", "what": "rebuild", "columns": ["amount > 1.0"]}
    ]
    assert "online state: rebuild m.payments by user_id (amount > 1.0)" in cli("plan").out

    source.write_text(SERVED.replace("  ## Twice", "  ## Once.\n  one: int = 1\n  ## Twice"))
    whole = planned(cli)[1]
    assert whole["online_state"] == []
    assert whole["recompute"] == {"features": ["m.User.one"], "views": [], "datasets": []}


def test_a_change_of_what_is_known_when(versioned: Path, cli: Cli) -> None:
    assert cli("apply", "--yes").code == 0
    source = versioned / "m.afs"
    source.write_text(VERSIONED.replace("time at {", "time at delay 5m {"), "utf-8")
    changes, whole = planned(cli)
    status = "leak status: m.payments was known at once, is delay 5m, settled after 5m"
    assert status in changes["m.User.once"]["reasons"]
    assert whole["online_state"] == [
        {"rows": "m.payments", "by": "user_id", "what": "rebuild", "columns": []}
    ]
    assert "changes as `User.n` does, which was tried" in changes["m.User.n@2"]["reasons"]
    source.write_text(VERSIONED.replace("amount: float\n", "amount: float settles 9d\n"), "utf-8")
    assert planned(cli)[0] == {}


def test_removed_features_leave_the_online_state(versioned: Path, cli: Cli) -> None:
    assert cli("apply", "--yes").code == 0
    (versioned / "m.afs").write_text(
        without(VERSIONED, "n", "n@2", "once", "twice")
        .replace("features for User {\n}\n", "")
        .replace("features for User from payments {\n}\n", ""),
        "utf-8",
    )
    whole = planned(cli)[1]
    assert [state["what"] for state in whole["online_state"]] == ["dropped"]
    assert "to recompute: nothing" in cli("plan").out


def test_a_tag_that_comes_with_an_edit_elsewhere_is_seen(versioned: Path, cli: Cli) -> None:
    source = versioned / "m.afs"
    source.write_text(TAGGED, "utf-8")
    (versioned / "served.afs").write_text(
        'use m.{User, once}\n\n## Served.\nview v for User forbid tags "money" { once }\n', "utf-8"
    )
    assert cli("check").code == 0
    source.write_text(TAGGED.replace("int = count() over 1d", "int = count(amount) over 1d"))
    again = cli("check")
    assert again.code == 1
    assert "AFS0805" in again.out
    assert cli("check", "--no-cache").out == again.out
    source.write_text(TAGGED, "utf-8")
    assert cli("check").code == 0


def reasons_of(cli: Cli, *options: str) -> dict[str, list[str]]:
    """Return the reasons that ``astrafs plan`` gives for each change."""
    data = json.loads(cli("plan", "--format", "json", *options).out)
    return {one["feature"]: one["reasons"] for one in data["changes"]}


def test_changes_are_tried_on_the_project_s_data(shop: Path, cli: Cli) -> None:
    assert cli("apply", "--yes").code == 0
    source = shop / "shop.afs"
    text = source.read_text("utf-8")
    source.write_text(
        text.replace("count() over w", "count(where amount >= 0) over w").replace(
            "last(amount) over all", "first(amount) over all"
        ),
        "utf-8",
    )
    found = reasons_of(cli)
    alike = next(one for one in found["shop.Customer.orders_7d"] if "project's data" in one)
    assert re.fullmatch(
        r"equal on [\d,]+ questions of the project's data, which is no proof", alike
    )
    other = next(one for one in found["shop.Customer.last_amount"] if "project's data" in one)
    line = r"[\d,]+ of [\d,]+ questions of the project's data differ: \S+ became \S+ for key \d+ at"
    assert re.match(line, other)
    kept = reasons_of(cli, "--no-data")
    assert not any("project's data" in one for many in kept.values() for one in many)

    data = shop / "data" / "orders.csv"
    rows = data.read_text("utf-8")
    data.write_text(rows.replace(",true,", ",maybe,"), "utf-8")
    broken = " ".join(reasons_of(cli)["shop.Customer.last_amount"])
    assert "not tried on the project's data: source `shop.orders`" in broken
    data.unlink()
    missing = " ".join(reasons_of(cli)["shop.Customer.last_amount"])
    assert "not tried on the project's data: " in missing
    source.write_text(text, "utf-8")
    assert cli("plan").code == 0


def test_leak_status_is_that_of_what_a_feature_reads(versioned: Path, cli: Cli) -> None:
    """A column that settles late says nothing of a feature that does not read it."""
    text = VERSIONED.replace(
        "  at: timestamp\n", "  disputed: bool settles 30d\n  at: timestamp\n\n  expect disputed\n"
    )
    source = versioned / "m.afs"
    source.write_text(text, "utf-8")
    assert cli("apply", "--yes").code == 0
    source.write_text(text.replace("time at {", "time at delay 5m {"), "utf-8")
    found = reasons_of(cli, "--no-data")["m.User.once"]
    assert "leak status: m.payments was known at once, is delay 5m, settled after 5m" in found


def test_what_there_is_to_compute_is_estimated(shop: Path, cli: Cli) -> None:
    source = shop / "shop.afs"
    text = source.read_text("utf-8")
    text += "dataset learning view customer_vector spine orders label returned as bad\n"
    source.write_text(text, "utf-8")
    assert cli("apply", "--yes").code == 0
    assert "to read" not in cli("plan").out
    source.write_text(text.replace("last(amount) over all", "first(amount) over all"), "utf-8")
    rows = len((shop / "data" / "orders.csv").read_text("utf-8").splitlines()) - 1
    again = json.loads(cli("plan", "--format", "json").out)["recompute"]
    (read,), (written,) = again["reads"], again["writes"]
    assert read["source"] == "shop.orders"
    assert abs(read["rows"] - rows) <= 1
    assert (written["dataset"], written["columns"], written["of"]) == ("shop.learning", 1, 7)
    shown = cli("plan").out
    assert f"to read: about {read['rows']:,} rows of shop.orders (" in shown
    assert "rows of dataset shop.learning, 1 of 7 columns" in shown
    assert "to read" not in cli("plan", "--no-data").out
