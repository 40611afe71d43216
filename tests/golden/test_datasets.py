"""Datasets and unions with answers worked out by hand, on both engines.

A case is a Markdown file of ``datasets/``: a program with one dataset, the files of its sources,
and one block per split (``all``, or ``train`` and ``test``), of which the first says
``as_of=...``. An ``error`` block instead says what a run reports.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import astrafs
from astrafs.diagnostics.model import AstrafsError
from astrafs.plan.program import Program
from astrafs.reference.datasets import evaluate_dataset
from tests.golden.test_questions import (
    FENCE,
    Golden,
    cell_of,
    compiled,
    lines,
    micros,
    table,
    value,
)

FOLDER = Path(__file__).resolve().parent / "datasets"
SPLITS = ("all", "train", "test")
CASES = sorted(FOLDER.glob("*.md"))


def blocks_of(path: Path) -> tuple[dict[str, str], str]:
    """Return the blocks of a case by name, and its cutoff."""
    found, as_of = {}, ""
    for name, given, body in FENCE.findall(path.read_text("utf-8")):
        found[name] = body
        as_of = as_of or given
    return found, as_of


def program_of(blocks: dict[str, str]) -> Program:
    """Compile the program of a case, which has no mistakes."""
    program, sink = compiled(Golden(blocks["afs"], {}, "", None, None))
    assert program is not None
    assert not list(sink)
    return program


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_reference(path: Path) -> None:
    blocks, as_of = blocks_of(path)
    if "error" in blocks:
        return
    plan = program_of(blocks).plan
    data = {
        source.name: [
            {one.name: value(row[one.name], one.type, one.zone) for one in source.columns}
            for row in lines(blocks[source.name.rsplit(".", 1)[-1] + ".csv"])
        ]
        for source in plan.sources
    }
    (dataset,) = plan.datasets
    (view,) = (one for one in plan.views if one.name == dataset.view)
    columns = (*dataset.columns, *view.outputs, *dataset.labels)
    examples = evaluate_dataset(plan, dataset.name, data, micros(as_of))
    for split in SPLITS:
        rows = [
            tuple(
                cell_of(cell, one.type)
                for cell, one in zip(
                    (*example.columns, *example.outputs, *example.labels), columns, strict=True
                )
            )
            for example in examples
            if example.split == split
        ]
        if split in blocks:
            assert table([one.name for one in columns], rows) == blocks[split]
        else:
            assert rows == []


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_duckdb(path: Path, tmp_path: Path) -> None:
    blocks, as_of = blocks_of(path)
    (tmp_path / "q.afs").write_text(blocks["afs"], encoding="utf-8")
    for name, body in blocks.items():
        if name.endswith(".csv"):
            (tmp_path / name).write_text(body, encoding="utf-8")
    project = astrafs.load(tmp_path)
    (name,) = project.datasets
    if "error" in blocks:
        with pytest.raises(AstrafsError) as caught:
            project.dataset(name, as_of)
        (found,) = caught.value.diagnostics
        said = [f"{found.code.id}: {found.title}", *found.notes]
        assert "\n".join(said) + "\n" == blocks["error"]
        return
    tables = project.dataset(name, as_of)
    assert sorted(tables) == sorted(split for split in SPLITS if split in blocks)
    for split, result in tables.items():
        assert text_of(result) == blocks[split]


def text_of(result: pa.Table) -> str:
    """Print a result the way the answers write it."""
    rows: list[tuple[Any, ...]] = [tuple(row.values()) for row in result.to_pylist()]
    return table(result.column_names, rows)
