"""The example project: it checks, its tests hold, and its dataset is what the definitions say."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import astrafs
from astrafs.diagnostics.model import AstrafsError
from astrafs.reference.datasets import evaluate_dataset
from astrafs.typesys import Kind
from tests.golden.test_questions import micros

SOURCE = Path(__file__).resolve().parents[2] / "features" / "fraud"
DATASET = "fraud.cards.checkout_training"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with its data, made where nothing else writes."""
    root = tmp_path_factory.mktemp("projects") / "fraud"
    shutil.copytree(SOURCE, root, ignore=shutil.ignore_patterns("data"))
    found = importlib.util.spec_from_file_location("prepare", root / "prepare.py")
    assert found is not None
    assert found.loader is not None
    prepare = importlib.util.module_from_spec(found)
    found.loader.exec_module(prepare)
    prepare.main()
    return root


def plain(value: Any, kind: Kind) -> Any:
    """A value as the reference takes it."""
    if kind is Kind.TIMESTAMP and value is not None:
        return micros(value.isoformat())
    return value


def data_of(loaded: astrafs.Project, root: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows of every source."""
    found = {}
    assert loaded.program is not None
    for source in loaded.program.plan.sources:
        (pattern,) = loaded.program.bindings[source.name].patterns
        files = sorted(root.glob(pattern))
        read = pyarrow.csv.read_csv if pattern.endswith(".csv") else pq.read_table
        rows = pa.concat_tables(read(file) for file in files).to_pylist()
        found[source.name] = [
            {one.name: plain(row[one.name], one.type.kind) for one in source.columns}
            for row in rows
        ]
    return found


def test_it_is_clean(project: Path) -> None:
    assert astrafs.load(project).check() == []


def test_the_dataset_is_what_the_reference_says(project: Path) -> None:
    as_of = "2025-10-01T00:00:00Z"
    loaded = astrafs.load(project)
    assert loaded.program is not None
    plan = loaded.program.plan
    tables = loaded.dataset("checkout_training", as_of)
    examples = evaluate_dataset(plan, DATASET, data_of(loaded, project), micros(as_of))
    assert list(tables) == ["train", "test"]
    assert tables["test"].num_rows == 0
    train = tables["train"]
    assert train.num_rows == len(examples) > 1_500
    wanted = [(*one.columns, *one.outputs, *one.labels) for one in examples]
    times = [place for place, name in enumerate(train.column_names) if name == "at"]
    found = [
        tuple(
            micros(cell.isoformat()) if place in times else cell for place, cell in enumerate(row)
        )
        for row in zip(*(column.to_pylist() for column in train.columns), strict=True)
    ]
    assert found == wanted
    decided = [label for one in examples for label in one.labels if label is not None]
    assert 0 < len(decided) < 2 * len(examples)


def test_no_column_tells_the_outcome(project: Path) -> None:
    names = astrafs.load(project).dataset(DATASET, "2025-10-01")["train"].column_names
    assert names == [
        *("txn_id", "user_id", "merchant_id", "amount", "status", "note", "at"),
        *("txn_count_1h", "user_spend_ratio", "max_merchant_risk_30d", "dispute_rate_90d"),
        *("amount_vs_mean", "disputed", "churned_30d"),
    ]


def test_files_and_manifest(project: Path, tmp_path: Path) -> None:
    report = astrafs.load(project).dataset_to(tmp_path / "out", DATASET, "2026-07-01")
    assert [path.name for path in report.outputs] == ["train.parquet", "test.parquet"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "manifest.json",
        "test.parquet",
        "train.parquet",
    ]
    train, test = (pq.read_table(path) for path in report.outputs)
    assert str(max(train["at"].to_pylist())) < "2026-03-01"
    assert str(min(test["at"].to_pylist())) >= "2026-05-01"
    assert train["disputed"].null_count == 0
    manifest = json.loads(report.manifest.read_text("utf-8"))
    assert manifest["split"]["rows_in_the_gap"] == report.gap > 0
    assert [one["rows"] for one in manifest["results"]] == [train.num_rows, test.num_rows]
    immature = manifest["results"][1]["immature_labels"]
    assert immature == {name: test[name].null_count for name in ("disputed", "churned_30d")}
    again = astrafs.load(project).dataset_to(tmp_path / "again", DATASET, "2026-07-01")
    assert again.digests == report.digests
    assert [path.read_bytes() for path in again.outputs] == [
        path.read_bytes() for path in report.outputs
    ]


def test_nothing_is_written_before_a_label_is_decided(project: Path, tmp_path: Path) -> None:
    with pytest.raises(AstrafsError) as caught:
        astrafs.load(project).dataset_to(tmp_path / "out", DATASET, "2025-07-02")
    assert caught.value.diagnostics[0].code.id == "AFS0970"
    assert list(tmp_path.iterdir()) == []
