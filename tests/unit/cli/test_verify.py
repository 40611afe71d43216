"""Pinned feature versions, and ``astrafs verify``: an old training set to the byte."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli

OPTIONS = ("--as-of", "2026-03-01", "--spine", "data/spine.csv")


def edit(project: Path, old: str, new: str) -> None:
    """Replace ``old`` in the program."""
    path = project / "shop.afs"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def manifest(path: str) -> dict[str, object]:
    """Read the manifest beside a result, without the name of the file."""
    found: dict[str, object] = json.loads(Path(f"{path}.manifest.json").read_text("utf-8"))
    found["result"]["file"].pop("name")  # type: ignore[index]
    return found


@pytest.fixture
def old(shop: Path, cli: Cli) -> Path:
    """Return the project after a locked version was made anew: ``old.parquet`` is of before."""
    assert cli("apply", "--yes").code == 0
    assert cli("backfill", "customer_vector", *OPTIONS, "-o", "old.parquet").code == 0
    shutil.copy("astrafs.lock", "old.lock")
    edit(
        shop,
        "last_amount: decimal(10, 2)? = last(amount) over all",
        "last_amount@2: decimal(10, 2)? = first(amount) over all",
    )
    assert cli("apply", "--yes").code == 0
    assert cli("backfill", "customer_vector", *OPTIONS, "-o", "new.parquet").code == 0
    assert Path("old.parquet").read_bytes() != Path("new.parquet").read_bytes()
    return shop


@pytest.mark.parametrize("cache", [(), ("--no-cache",)])
@pytest.mark.parametrize(
    "pins",
    [
        ("--feature", "Customer.last_amount@1"),
        ("--feature", "customer.last_amount@1"),
        ("--lock", "old.lock"),
    ],
)
def test_pinned_versions_give_the_old_bytes(
    old: Path, cli: Cli, pins: tuple[str, ...], cache: tuple[str, ...]
) -> None:
    assert "last_amount: " not in (old / "shop.afs").read_text("utf-8")
    found = cli("backfill", "customer_vector", *OPTIONS, *pins, *cache, "-o", "again.parquet")
    assert found.code == 0, found.err
    assert Path("again.parquet").read_bytes() == Path("old.parquet").read_bytes()
    assert manifest("again.parquet") == manifest("old.parquet")


@pytest.mark.usefixtures("old")
def test_versions_without_a_view(cli: Cli) -> None:
    both = ("--feature", "Customer.last_amount@1", "--feature", "Customer.last_amount@2")
    assert cli("backfill", *both, *OPTIONS, "-o", "both.csv").code == 0
    head = Path("both.csv").read_text("utf-8").splitlines()[0]
    assert head == '"customer_id","t","last_amount_v1","last_amount_v2"'
    assert cli("backfill", *both[:2], "--as-of", "2026-03-01", "-o", "keys.csv").code == 0
    for name in ("both.csv", "keys.csv"):
        found = cli("verify", f"{name}.manifest.json")
        assert (found.code, found.err) == (0, "")
        assert f"equal {name}: " in found.out


@pytest.mark.usefixtures("old")
def test_a_definition_knows_what_it_reads(cli: Cli, old: Path) -> None:
    """A feature over features and over a source that are both gone from the text."""
    edit(old, "spent_{w}: decimal(38, 2) = sum(amount)", "spent_{w}@2: int = count()")
    edit(old, "recent_share: float? = spent_7d / spent_30d", "recent_share@2: int = spent_7d")
    edit(old, "  expect amount >= 0\n", "")
    edit(old, "source orders", "source sales")
    edit(old, "from orders", "from sales")
    assert cli("apply", "--yes").code == 0
    found = cli("backfill", "customer_vector", *OPTIONS, "--lock", "old.lock", "-o", "x.parquet")
    assert found.code == 0, found.err
    assert Path("x.parquet").read_bytes() == Path("old.parquet").read_bytes()
    assert cli("verify", "old.parquet.manifest.json").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("customer_vector", "--feature", "Customer.last_amount@7"), 2, "it has @1, @2"),
        (("customer_vector", "--feature", "Customer.last_amout@1"), 2, "did you mean"),
        (("customer_vector", "--feature", "Customer.spent_7d@1"), 2, "has no output of"),
        (("customer_vector", "--lock", "data/spine.csv"), 1, "AFS0801"),
        (("customer_vector", "--lock", "none.lock"), 1, "no such file"),
    ],
)
def test_pins_that_do_not_fit(
    old: Path, cli: Cli, arguments: tuple[str, ...], code: int, words: str
) -> None:
    assert old.is_dir()
    found = cli("backfill", *arguments, *OPTIONS, "-o", "x.csv")
    assert (found.code, words in found.err) == (code, True), found.err


def test_a_lost_definition_is_said(old: Path, cli: Cli) -> None:
    shutil.rmtree(old / ".astrafs" / "definitions")
    found = cli("verify", "old.parquet.manifest.json")
    assert found.code == 1
    assert "AFS0811" in found.err


def test_an_entity_with_other_keys_is_refused(old: Path, cli: Cli) -> None:
    edit(old, "entity Customer { customer_id: int }", "entity Customer { id: int }")
    found = cli("backfill", "--feature", "Customer.last_amount@1", *OPTIONS, "-o", "x.csv")
    assert found.code == 1
    assert "AFS0810" in found.err


def test_verify_says_what_has_changed(old: Path, cli: Cli) -> None:
    for name in ("old.parquet", "new.parquet"):
        found = cli("verify", f"{name}.manifest.json")
        assert (found.code, found.out) == (0, f"equal {name}: 36 rows\n")
    path = old / "data" / "orders.csv"
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([lines[0], *lines[10:]]) + "\n", "utf-8")
    found = cli("verify", "old.parquet.manifest.json")
    assert found.code == 1
    assert "input: data/orders.csv has changed (source shop.orders)" in found.out
    assert "differs old.parquet" in found.out
    edited = old / "data" / "spine.csv"
    edited.write_text(edited.read_text("utf-8").replace("2026-02-01", "2026-02-02"), "utf-8")
    assert "spine.csv has changed (spine)" in cli("verify", "old.parquet.manifest.json").out


def test_verify_tells_of_other_versions(old: Path, cli: Cli) -> None:
    path = old / "old.parquet.manifest.json"
    path.write_text(path.read_text("utf-8").replace('"duckdb": "', '"duckdb": "0.'), "utf-8")
    found = cli("verify", path)
    assert found.code == 0
    assert found.out.startswith("note: duckdb was 0.")


@pytest.mark.parametrize(
    ("old_text", "new_text", "words"),
    [
        ('"manifest_version": 3', '"manifest_version": 2', "this version reads 3"),
        ('"rows_from"', '"rows"', "it has no `rows_from`"),
        ("{", "", "it is not JSON"),
        ('"outputs"', '"columns"', "outputs"),
        ('"file": "data/spine.csv"', '"file": "gone.csv"', "--spine FILE"),
    ],
)
def test_bad_manifests(old: Path, cli: Cli, old_text: str, new_text: str, words: str) -> None:
    path = old / "old.parquet.manifest.json"
    path.write_text(path.read_text("utf-8").replace(old_text, new_text), "utf-8")
    found = cli("verify", path)
    assert found.code == 1
    assert "AFS0812" in found.err
    assert words in found.err
