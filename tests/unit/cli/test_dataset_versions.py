"""Datasets with kept columns, in parts and of pinned versions; old ones computed again."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from astrafs.registry.lock import read_lock
from tests.unit.cli.conftest import Cli

PROGRAM = """owner "a@b.test"

entity User { user_id: int }
entity Shop { shop_id: int }

## Payments.
source pay from csv("pay.csv") key id time at {
  id:       int
  user_id:  User
  shop_id:  Shop
  amount:   float
  disputed: bool settles 2d
  at:       timestamp
}

features for User from pay {
  ## So far.
  n: int = count() over all
  ## Recent.
  recent: list[float] = collect(amount, 3) over 5d
}

features for Shop from pay {
  ## Largest.
  largest: float? = max(amount) over 4d
}

labels for User from pay {
  ## Payments to come.
  next_n: int = count() over next 3d
}

request Checkout {
  user_id: User
  shop_id: Shop
  amount:  float
}

features for Checkout {
  ## Against the largest.
  against: float? = amount / Shop[shop_id].largest
}

view vector for Checkout {
  User[user_id].n
  User[user_id].recent
  Shop[shop_id].largest
  against
}

dataset training view vector spine pay label disputed label User[user_id].next_n
  split train before 2026-01-20, test from 2026-02-01
"""

AS_OF = ("--as-of", "2026-03-01")


@pytest.fixture
def bank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a dataset of 300 rows over a request; the current directory."""
    rng = random.Random(4)
    rows = ["id,user_id,shop_id,amount,disputed,at"]
    for number in range(300):
        day, hour = rng.randrange(59), rng.randrange(24)
        at = f"2026-{1 + day // 31:02}-{1 + day % 31 % 28:02}T{hour:02}:00:00Z"
        rows.append(
            f"{number},{rng.randrange(8)},{rng.randrange(4)},{rng.randrange(1, 90)}.5,"
            f"{'true' if rng.random() < 0.3 else 'false'},{at}"
        )
    (tmp_path / "pay.csv").write_text("\n".join(rows) + "\n", "utf-8")
    (tmp_path / "astrafs.toml").write_text("", "utf-8")
    (tmp_path / "bank.afs").write_text(PROGRAM, "utf-8")
    # The key of a column names the compiler's own files, which may be edited while tests run.
    monkeypatch.setattr("astrafs.runtime.reuse.compiler", lambda: "test")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def edit(bank: Path, *edits: tuple[str, str]) -> None:
    """Replace texts in the program."""
    path = bank / "bank.afs"
    text = path.read_text("utf-8")
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, "utf-8")


def written(folder: str) -> dict[str, bytes]:
    """Return all files of a dataset."""
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def test_kept_columns_give_the_bytes_of_a_full_run(bank: Path, cli: Cli) -> None:
    base = ("backfill", "training", *AS_OF)
    assert cli(*base, "-o", "whole", "--no-cache").code == 0
    assert not (bank / ".astrafs" / "results").exists()
    first = cli(*base, "-o", "first")
    assert "reused" not in first.out
    again = cli(*base, "-o", "again")
    assert "reused    5 of 5 columns from earlier runs" in again.out
    parts = cli(*base, "-o", "parts", "--partition-rows", "70", "--no-cache")
    assert parts.code == 0, parts.err
    for folder in ("first", "again", "parts"):
        assert written(folder) == written("whole")
    for path in list((bank / ".astrafs" / "results").glob("*/*/*.arrow"))[:2]:
        path.write_bytes(b"damaged")
    resumed = cli(*base, "-o", "resumed", "--resume", "--partition-rows", "70")
    assert resumed.code == 0, resumed.err
    assert written("resumed") == written("whole")


@pytest.mark.parametrize(
    ("change", "columns"),
    [
        (("n: int = count() over all", "n: int = count() over 9d"), 4),
        (("count() over next 3d", "count() over next 4d"), 4),
        (("max(amount) over 4d", "max(amount) over [4d, 1h)"), 3),
        (("amount / Shop[shop_id].largest", "amount - (Shop[shop_id].largest ?? 0.0)"), 4),
        (("train before 2026-01-20", "train before 2026-01-10"), 0),
        (("label disputed label", "label"), 5),
    ],
)
def test_only_what_changed_is_computed_again(
    bank: Path, cli: Cli, change: tuple[str, str], columns: int
) -> None:
    base = ("backfill", "training", *AS_OF)
    assert cli(*base, "-o", "before").code == 0
    edit(bank, change)
    found = cli(*base, "-o", "after")
    assert found.code == 0, found.err
    if columns:
        assert f"reused    {columns} of 5 columns" in found.out
    else:  # other rows are left out between training and testing
        assert "reused" not in found.out
    assert cli(*base, "-o", "whole", "--no-cache").code == 0
    assert written("after") == written("whole")


def test_a_dataset_without_rows_or_with_rows_set_aside(bank: Path, cli: Cli) -> None:
    early = cli("backfill", "training", "--as-of", "2025-01-01", "-o", "early")
    assert early.code == 0, early.err
    assert "0 rows" in early.out
    options = ("--partition-rows", "50", "--quarantine", "aside")
    refused = cli("backfill", "training", *AS_OF, "-o", "x", *options)
    assert refused.code == 2
    assert "cannot be computed in parts" in refused.err
    path = bank / "pay.csv"
    path.write_text(path.read_text("utf-8") + "1,1,1,1.0,true,2026-01-01T00:00:00Z\n", "utf-8")
    aside = cli("backfill", "training", *AS_OF, "-o", "x", "--quarantine", "aside")
    assert aside.code == 0, aside.err
    assert "set aside 2 rows" in aside.out


@pytest.fixture
def old(bank: Path, cli: Cli) -> Path:
    """Return the project after a feature and a label were made anew: ``old`` is of before."""
    assert cli("apply", "--yes").code == 0
    assert cli("backfill", "training", *AS_OF, "-o", "old").code == 0
    shutil.copy("astrafs.lock", "old.lock")
    edit(
        bank,
        ("largest: float? = max(amount)", "largest@2: float? = min(amount)"),
        ("next_n: int = count() over next 3d", "next_n@2: int = count() over next 1d"),
        ("against: float?", "against@2: float?"),
    )
    assert cli("apply", "--yes").code == 0
    assert cli("backfill", "training", *AS_OF, "-o", "new").code == 0
    assert written("new")["train.parquet"] != written("old")["train.parquet"]
    return bank


@pytest.mark.parametrize("cache", [(), ("--no-cache",), ("--resume", "--partition-rows", "64")])
def test_a_locked_dataset_comes_back_to_the_byte(old: Path, cli: Cli, cache: tuple[str]) -> None:
    found = cli("backfill", "training", *AS_OF, "--lock", "old.lock", "-o", "again", *cache)
    assert found.code == 0, found.err
    assert written("again") == written("old")
    verified = cli("verify", "old")
    assert (verified.code, verified.err) == (0, "")
    assert old.is_dir()


def test_versions_one_by_one(old: Path, cli: Cli) -> None:
    base = ("backfill", "training", *AS_OF, "-o", "again")
    both = ("--feature", "User.next_n@1", "--feature", "Shop.largest@1")
    assert cli(*base, *both).code == 0
    assert written("again")["test.parquet"] != written("old")["test.parquet"]
    assert cli(*base, *both, "--feature", "Checkout.against@1").code == 0
    assert written("again") == written("old")
    unknown = cli(*base, "--feature", "Shop.largest@9")
    assert unknown.code == 2
    elsewhere = cli(*base, "--feature", "User.n@1", "--feature", "User.next_n@2")
    assert elsewhere.code == 0, elsewhere.err
    assert old.is_dir()


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (("  Shop[shop_id].largest\n", ""), ""),
        (("view vector", "view other"), "no longer has the view bank.vector"),
        (("label disputed label", "label"), ""),
        (
            (
                "train before 2026-01-20, test from 2026-02-01",
                "train before 2026-01-10, test from 2026-02-03",
            ),
            "",
        ),
        (("spine pay label", "spine paid label"), "mean something else now"),
    ],
)
def test_an_old_dataset_is_verified_after_any_change(
    old: Path, cli: Cli, change: tuple[str, str], note: str
) -> None:
    edit(old, change)
    if "paid" in change[1]:
        edit(old, ("entity Shop", "stream paid from pay where amount > 20.0\nentity Shop"))
    found = cli("verify", "old")
    assert found.err == ""
    if "paid" in change[1]:
        assert (found.code, note in found.out) == (1, True)
    else:
        assert "equal train.parquet" in found.out
        assert "equal test.parquet" in found.out
        assert (found.code, note in found.out) == (0, True)


def test_a_dataset_that_is_gone_cannot_be_verified(old: Path, cli: Cli) -> None:
    edit(old, ("dataset training", "dataset learning"))
    found = cli("verify", "old")
    assert found.code == 1
    assert "AFS0812" in found.err
    assert "no longer has the dataset `bank.training`" in found.err


TWINS = """owner "a@b.test"

entity User { user_id: int }

## One.
source first from csv("first.csv") key id time at {
  id:      int
  user_id: User
  at:      timestamp
}

## Another of the same form.
source second from csv("second.csv") key id time at {
  id:      int
  user_id: User
  at:      timestamp
}

features for User from first {
  ## Of the one.
  a: int = count() over all
}
features for User from second {
  ## Of the other.
  b: int = count() over all
}
features for User {
  ## Over the one.
  over_a: int = a + 1
  ## Over the other.
  over_b: int = b + 1
}
"""


def test_definitions_of_twin_sources_are_told_apart(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their identities are equal, and what they are computed from is not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "astrafs.toml").write_text("", "utf-8")
    head = "id,user_id,at\n"
    rows = [f"{number},1,2026-01-0{number}T00:00:00Z\n" for number in (1, 2, 3)]
    (tmp_path / "first.csv").write_text(head + rows[0], "utf-8")
    (tmp_path / "second.csv").write_text(head + "".join(rows), "utf-8")
    program = tmp_path / "m.afs"
    program.write_text(TWINS, "utf-8")
    assert cli("apply", "--yes").code == 0
    lock = read_lock((tmp_path / "astrafs.lock").read_text("utf-8"))
    found = {name.name: locked for name, locked in lock.features.items()}
    for one, other in (("a", "b"), ("over_a", "over_b")):
        assert found[one].identity == found[other].identity
        assert found[one].definition != found[other].definition
    cut = TWINS.index("features for User from first")
    program.write_text(TWINS[:cut], "utf-8")
    assert cli("apply", "--yes").code == 0
    for feature, value in (("a", 1), ("b", 3), ("over_a", 2), ("over_b", 4)):
        run = cli(
            "backfill", "--feature", f"User.{feature}", "--as-of", "2026-02-01", "-o", "x.csv"
        )
        assert run.code == 0, run.err
        last = Path("x.csv").read_text("utf-8").splitlines()[-1]
        assert last.endswith(f",{value}"), feature
        assert cli("verify", "x.csv.manifest.json").code == 0


def test_a_store_of_one_file_per_identity_is_read(bank: Path, cli: Cli) -> None:
    assert cli("apply", "--yes").code == 0
    for path in (bank / ".astrafs" / "definitions").rglob("*.json"):
        path.rename(path.with_name(f"{path.stem.partition('-')[0]}.json"))
    assert "its definition is not kept" not in cli("show", "Shop.largest").out
    text = (bank / "astrafs.lock").read_text("utf-8")
    lines = [line for line in text.splitlines(True) if not line.startswith("definition")]
    (bank / "astrafs.lock").write_text("".join(lines), "utf-8")
    assert "its definition is not kept" not in cli("show", "Shop.largest").out
    assert cli("check", "--locked").code == 0
    assert cli("plan", "--exit-code").code == 0
    assert cli("apply", "--yes").code == 0
    assert (bank / "astrafs.lock").read_text("utf-8") == text
