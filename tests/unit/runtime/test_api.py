"""The public Python interface, from a project directory to a table."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

import astrafs
from astrafs.diagnostics.codes import run
from astrafs.diagnostics.model import Code
from tests.unit.runtime import shop

PROGRAM = """
owner "shop@acme.test"

## A customer.
entity User { user_id: int }

## Orders.
source orders from parquet("data/*.parquet") key order_id time at known seen {
  order_id: string
  user_id: User
  amount: float
  status: enum("paid", "open")
  at: timestamp
  seen: timestamp
}

features for User from orders {
  ## Orders of the past week.
  orders_7d: int = count() over 7d
  ## What they came to.
  total_7d: float = sum(amount) over 7d
}

## A customer's orders.
view customer for User {
  orders_7d
  total_7d
}
"""
AS_OF = "2026-03-01T00:00:00Z"
GIVEN = shop.spine((2, 5), (1, 5), (1, 1))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "shop.afs").write_text(PROGRAM)
    shop.write(tmp_path, shop.orders())
    return tmp_path


def test_from_a_directory_to_a_table(root: Path) -> None:
    project = astrafs.load(root)
    assert project.check() == []
    assert project.views == ("shop.customer",)
    table = project.backfill("customer", spine=GIVEN, as_of=AS_OF)
    assert table["orders_7d"].to_pylist() == [1, 3, 1]
    assert table["total_7d"].to_pylist() == [0.0, 8.0, 1.5]
    assert project.backfill("customer", GIVEN, AS_OF, features=["total_7d"]).column_names == [
        "user_id",
        "t",
        "total_7d",
    ]


def test_frames_and_datetimes(root: Path) -> None:
    project = astrafs.load(str(root))
    frame = pl.from_arrow(GIVEN)
    for as_of in (datetime(2026, 3, 1, tzinfo=UTC), 1_772_323_200_000_000, "2026-03-01"):
        table = project.backfill("customer", spine=frame, as_of=as_of)
        assert table["orders_7d"].to_pylist() == [1, 3, 1]


def test_a_single_file_is_a_project(root: Path) -> None:
    table = astrafs.load(root / "shop.afs").backfill("shop.customer", GIVEN, AS_OF)
    assert table.num_rows == 3


def test_writing(root: Path) -> None:
    project = astrafs.load(root)
    report = project.backfill_to(root / "o.parquet", "customer", GIVEN, AS_OF)
    assert (report.rows, report.features) == (3, ("orders_7d", "total_7d"))
    assert pq.read_table(report.output) == project.backfill("customer", GIVEN, AS_OF)
    assert json.loads(report.manifest.read_text())["result"]["digest"] == report.digest
    report = project.backfill_to(root / "o.data", "customer", GIVEN, AS_OF, format="csv")
    assert report.output.read_text().startswith('"user_id"')


def test_an_environment_reads_other_files(root: Path) -> None:
    (root / "other").mkdir()
    pq.write_table(shop.orders().slice(0, 1), root / "other" / "o.parquet")
    (root / "astrafs.toml").write_text(
        '[project]\nname = "shop"\n\n'
        '[env.small.sources."shop.orders"]\npaths = ["other/*.parquet"]\n'
    )
    assert astrafs.load(root).backfill("customer", GIVEN, AS_OF)["orders_7d"].to_pylist() == [
        1,
        3,
        1,
    ]
    small = astrafs.load(root, env="small")
    assert small.backfill("customer", GIVEN, AS_OF)["orders_7d"].to_pylist() == [0, 1, 1]


def test_roots_allow_directories(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    lake = tmp_path_factory.mktemp("lake")
    shop.write(lake, shop.orders())
    (root / "shop.afs").write_text(PROGRAM.replace("data/*.parquet", f"{lake}/data/*.parquet"))
    with pytest.raises(astrafs.AstrafsError) as caught:
        astrafs.load(root).backfill("customer", GIVEN, AS_OF)
    assert caught.value.diagnostics[0].code.id == "AFS0902"
    (root / "astrafs.toml").write_text(f'[project]\nname = "shop"\nroots = ["{lake}"]\n')
    assert astrafs.load(root).backfill("customer", GIVEN, AS_OF).num_rows == 3


def test_a_program_with_errors_is_checked_and_not_run(root: Path) -> None:
    (root / "shop.afs").write_text(PROGRAM.replace("sum(amount)", "sum(amuont)"))
    project = astrafs.load(root)
    assert any(found.is_error for found in project.check())
    with pytest.raises(astrafs.AstrafsError) as caught:
        project.backfill("customer", GIVEN, AS_OF)
    assert caught.value.diagnostics == tuple(found for found in project.check() if found.is_error)


def test_an_empty_directory(tmp_path: Path) -> None:
    with pytest.raises(astrafs.AstrafsError):
        astrafs.load(tmp_path).backfill("customer", GIVEN, AS_OF)
    with pytest.raises(astrafs.AstrafsError):
        astrafs.load(tmp_path / "none")


def test_names(root: Path) -> None:
    assert set(astrafs.__all__) == {"AstrafsError", "Diagnostic", "Project", "__version__", "load"}
    for name in astrafs.__all__:
        assert getattr(astrafs, name) is not None
    with pytest.raises(AttributeError):
        _ = astrafs.no_such_name  # type: ignore[attr-defined]
    assert isinstance(astrafs.load(root), astrafs.Project)


_CHECK = """
import sys, astrafs
astrafs.load(sys.argv[1]).check()
print(sorted({"duckdb", "pyarrow", "numpy", "typer", "rich"} & set(sys.modules)))
"""


def test_checking_loads_no_engine(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CHECK, str(root)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_every_code_of_a_run_is_seen_in_a_test() -> None:
    here = Path(__file__).parents[2]
    tests = [path for path in here.glob("unit/runtime/test_*.py") if path != Path(__file__)]
    places = (*tests, *here.glob("golden/run/*.md"), *here.glob("golden/datasets/*.md"))
    seen = "".join(path.read_text(encoding="utf-8") for path in places)
    ids = {code.id for code in vars(run).values() if isinstance(code, Code)}
    assert {one for one in ids if one not in seen} == UNSEEN


# Raised by builtins and kernels, and tested with them.
UNSEEN = {"AFS0933", "AFS0934"}


def test_errors_read_as_the_command_line_prints_them(tmp_path: Path) -> None:
    shop.write(tmp_path, shop.orders(status=["paid", "lost", "paid", "open", "open"]))
    (tmp_path / "shop.afs").write_text(PROGRAM)
    with pytest.raises(astrafs.AstrafsError) as caught:
        astrafs.load(tmp_path).backfill("customer", GIVEN, AS_OF)
    text = str(caught.value)
    assert text.startswith("error[AFS0906]: source `shop.orders`: 1 row breaks a contract\n")
    assert '12 |   status: enum("paid", "open")\n' in text
    assert "help: mend the data or the declaration" in text


def test_errors_of_a_program_show_the_line(tmp_path: Path) -> None:
    (tmp_path / "shop.afs").write_text(PROGRAM.replace("sum(amount)", "sum(amout)"))
    with pytest.raises(astrafs.AstrafsError) as caught:
        astrafs.load(tmp_path).backfill("customer", GIVEN, AS_OF)
    assert "sum(amout) over 7d\n" in str(caught.value)
    assert "did you mean `amount`?" in str(caught.value)
