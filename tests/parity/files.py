"""The same case as a user has it.

A project on disk, its rows in several shuffled Parquet files, the public API.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import astrafs
from astrafs.diagnostics.model import AstrafsError
from astrafs.plan import ir
from tests.parity.compare import Failure, Outcome
from tests.parity.engines import shuffled
from tests.parity.model import Case

PARTS = 3
"""Files per source, where it has that many rows."""

EXTRA = "own"
"""A column of the spine that is no question: it must come back as it went in."""


def answers(case: Case, views: tuple[ir.View, ...], threads: int) -> dict[str, Outcome]:
    """Write the case to a new directory and return the outcome of every view."""
    with tempfile.TemporaryDirectory(prefix="astrafs-parity-") as name:
        folder = Path(name)
        write_project(case, folder)
        project = astrafs.load(folder)
        return {view.name: _answer(project, case, view, threads) for view in views}


def write_project(case: Case, folder: Path) -> None:
    """Write program and data; every file holds some of a source's rows, in no order."""
    (folder / "astrafs.toml").write_text("", encoding="utf-8")
    for file in case.files():
        (folder / file.path).write_text(file.text, encoding="utf-8")
    for name, data in case.relations.items():
        (folder / name).mkdir()
        table = shuffled(data.table(), case.seed)
        parts = PARTS if table.num_rows >= PARTS else 1
        size = max(1, -(-table.num_rows // parts))
        for part in range(parts):
            rows = table.slice(part * size, size)
            pq.write_table(rows, folder / name / f"part-{part}.parquet", row_group_size=7)


def _answer(project: astrafs.Project, case: Case, view: ir.View, threads: int) -> Outcome:
    spine = case.spines[view.name.rsplit(".", 1)[-1]].table()
    own = pa.array([f"row {number}" for number in range(spine.num_rows)], pa.string())
    spine = spine.append_column(EXTRA, own)
    try:
        found = project.backfill(view.name, spine=spine, as_of=case.as_of, threads=threads)
    except AstrafsError as error:
        first = error.diagnostics[0]
        return Failure(first.code.id, " ".join((first.title, *first.notes)))
    for column in spine.schema.names:
        if not found.column(column).equals(spine.column(column)):
            return Failure("spine", f"the spine's column {column} came back changed")
    return found.select([output.name for output in view.outputs])
