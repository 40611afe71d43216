"""``astrafs backfill DATASET``: what it writes, says and refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli

PROGRAM = """owner "a@b.test"

entity User { user_id: int }

## Payments.
source pay from csv("pay.csv") key id time at {
  id:       int
  user_id:  User
  disputed: bool settles 2d
  at:       timestamp
}

features for User from pay {
  ## So far.
  n: int = count() over all
}

view counts for User { n }

dataset training view counts spine pay label disputed
  split train before 2026-01-02, test from 2026-01-04
"""

ROWS = """id,user_id,disputed,at
1,1,true,2026-01-01T00:00:00Z
2,1,false,2026-01-03T00:00:00Z
3,1,false,2026-01-04T00:00:00Z
4,1,true,2026-01-05T00:00:00Z
"""

AS_OF = ("--as-of", "2026-01-06T12:00:00Z")


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one dataset; the current directory."""
    (tmp_path / "bank.afs").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "pay.csv").write_text(ROWS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_for_every_split(bank: Path, cli: Cli) -> None:
    found = cli("backfill", "training", *AS_OF, "-o", "out", "--format", "csv")
    assert found.code == 0, found.err
    assert "out/train.csv: 1 row" in found.out
    assert "out/test.csv: 2 rows" in found.out
    assert "undecided disputed: 1 row, null there" in found.out
    assert "left out 1 row between training and testing" in found.out
    with (bank / "out" / "test.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["id"], row["n"], row["disputed"]) for row in rows] == [
        ("3", "2", "false"),
        ("4", "3", ""),
    ]
    manifest = json.loads((bank / "out" / "manifest.json").read_text("utf-8"))
    assert manifest["dataset"]["name"] == "bank.training"
    (label,) = manifest["labels"]
    assert label["shown"] == {"expression": {"name": "disputed", "node": "column", "type": "bool"}}
    del label["shown"]
    assert label == {"name": "disputed", "horizon_us": 2 * 86_400_000_000, "known": []}
    assert [one["immature_labels"] for one in manifest["results"]] == [
        {"disputed": 0},
        {"disputed": 1},
    ]


def test_the_same_bytes_again_and_other_files_stay(bank: Path, cli: Cli) -> None:
    assert cli("backfill", "training", *AS_OF, "-o", "out").code == 0
    (bank / "out" / "notes.txt").write_text("mine", encoding="utf-8")
    before = {one.name: one.read_bytes() for one in (bank / "out").iterdir()}
    assert cli("backfill", "bank.training", *AS_OF, "-o", "out").code == 0
    assert {one.name: one.read_bytes() for one in (bank / "out").iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("training", "--limit", "3", "-o", "out"), "AFS0010", "--limit does not go with"),
        (("training", "--features", "n", "-o", "out"), "AFS0010", "--features does not go with"),
        (("training", "--spine", "pay.csv", "-o", "out"), "AFS0010", "--spine does not go with"),
        (("trainin", "-o", "out"), "AFS0012", "did you mean `training`?"),
        (("training", "-o", "pay.csv"), "AFS0018", "`pay.csv` is a file"),
        (("training", "-o", "none/out"), "AFS0018", "no such directory"),
    ],
)
def test_what_is_refused(
    bank: Path, cli: Cli, arguments: tuple[str, ...], code: str, words: str
) -> None:
    found = cli("backfill", *arguments, *AS_OF)
    assert found.code != 0
    assert f"error[{code}" in found.err
    assert words in found.err
    assert sorted(one.name for one in bank.iterdir()) == ["bank.afs", "pay.csv"]
    assert (bank / "pay.csv").read_text("utf-8") == ROWS


def test_a_broken_contract_leaves_nothing(bank: Path, cli: Cli) -> None:
    (bank / "pay.csv").write_text(ROWS + "4,2,true,2026-01-05T00:00:00Z\n", encoding="utf-8")
    found = cli("backfill", "training", *AS_OF, "-o", "out")
    assert found.code == 1
    assert "AFS0906" in found.err
    assert not (bank / "out").exists()
    found = cli("backfill", "training", *AS_OF, "-o", "out", "--quarantine", "aside")
    assert found.code == 0
    assert "set aside 2 rows of bank.pay" in found.out


@pytest.mark.usefixtures("bank")
def test_what_becomes_of_a_dataset(cli: Cli) -> None:
    shown = cli("compile", "--emit", "plan", "--view", "training").out
    assert "label disputed: bool? = disputed mature at t+2d" in shown
    script = cli("compile", "--emit", "sql", "--view", "training").out
    assert "dataset bank.training: one row per row of bank.pay known at the cutoff" in script


def test_verify_runs_a_dataset_again(bank: Path, cli: Cli) -> None:
    assert cli("backfill", "training", *AS_OF, "-o", "out").code == 0
    for manifest in ("out", "out/manifest.json"):
        found = cli("verify", manifest)
        assert (found.code, found.err) == (0, "")
        assert found.out == "equal train.parquet: 1 row\nequal test.parquet: 2 rows\n"
    (bank / "pay.csv").write_text(ROWS.replace("2,1,false", "2,7,false"), "utf-8")
    found = cli("verify", "out")
    assert found.code == 1
    assert "input: pay.csv has changed (source bank.pay)" in found.out
    assert "equal train.parquet" in found.out
    assert "differs test.parquet" in found.out
    (bank / "pay.csv").write_text(ROWS, "utf-8")
    later = PROGRAM.replace("test from 2026-01-04", "test from 2026-01-05")
    (bank / "bank.afs").write_text(later, "utf-8")
    found = cli("verify", "out")  # the split is that of the manifest
    assert found.out == "equal train.parquet: 1 row\nequal test.parquet: 2 rows\n"
    fewer = PROGRAM.replace("spine pay", "spine few") + "stream few from pay where id < 4\n"
    (bank / "bank.afs").write_text(fewer, "utf-8")
    found = cli("verify", "out")
    assert "the rows or columns of the dataset bank.training mean something else" in found.out
    assert "differs test.parquet" in found.out
    assert cli("verify", "out", "--spine", "pay.csv").code == 2
