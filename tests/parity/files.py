"""The same case as a user has it.

A project on disk, its rows in several shuffled Parquet files, the public API.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import astrafs
from astrafs.diagnostics.model import AstrafsError
from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.reference.interpreter import Question
from astrafs.values.errors import ValueFailure
from tests.parity.compare import Failure, Outcome
from tests.parity.engines import Reference, Seen, shuffled
from tests.parity.model import Case

PARTS = 3
"""Files per source, where it has that many rows."""

GRID_TIMES = 4

EXTRA = "own"
"""A column of the spine that is no question: it must come back as it went in."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One backfill through the public API, with what the reference says."""

    label: str
    view: ir.View
    expected: Outcome
    found: Outcome


def backfills(case: Case, program: Program, reference: Reference, threads: int) -> Iterator[Asked]:
    """Write the case to a new directory; run every view over its spine, known keys and a grid."""
    with tempfile.TemporaryDirectory(prefix="astrafs-parity-") as name:
        folder = Path(name)
        write_project(case, folder)
        project = astrafs.load(folder)
        requests = {entity.name for entity in program.plan.entities if entity.request}
        for view in program.plan.views:
            found = _with_spine(project, case, view, threads)
            yield Asked("spine", view, reference.answer(view), found)
            seen = None
            with suppress(ValueFailure):
                seen = None if view.entity in requests else reference.seen(view)
            if seen is not None:
                yield _known_keys(project, case, view, reference, seen)
                yield _grid(project, case, view, reference, seen)


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


def _with_spine(project: astrafs.Project, case: Case, view: ir.View, threads: int) -> Outcome:
    spine = case.spines[view.name.rsplit(".", 1)[-1]].table()
    own = pa.array([f"row {number}" for number in range(spine.num_rows)], pa.string())
    spine = spine.append_column(EXTRA, own)
    found = _run(project, view, spine=spine, as_of=case.as_of, threads=threads)
    if isinstance(found, Failure):
        return found
    for column in spine.schema.names:
        # By text, because a NaN of the spine's own is not equal to itself.
        if repr(found.column(column).to_pylist()) != repr(spine.column(column).to_pylist()):
            return Failure("spine", f"the spine's column {column} came back changed")
    return found.select([output.name for output in view.outputs])


def _known_keys(
    project: astrafs.Project, case: Case, view: ir.View, reference: Reference, seen: Seen
) -> Asked:
    questions = [Question(key, case.as_of) for key in _known(seen, case.as_of)]
    found = _run(project, view, as_of=case.as_of)
    return Asked("known keys", view, reference.ask(view, questions), _outputs(found, view))


def _grid(
    project: astrafs.Project, case: Case, view: ir.View, reference: Reference, seen: Seen
) -> Asked:
    first = min((start for spans in seen.values() for start, _ in spans), default=case.as_of)
    last = max(case.as_of, first + 4)
    every = (last - first) // GRID_TIMES + 1
    times = range(first, last, every)
    known = {t: _known(seen, t) for t in times}
    questions = [Question(key, t) for key in sorted(seen) for t in times if key in known[t]]
    found = _run(project, view, as_of=case.as_of, start=first, end=last, every=every)
    return Asked("grid", view, reference.ask(view, questions), _outputs(found, view))


def _known(seen: Seen, t: int) -> list[tuple[Any, ...]]:
    """Return the keys of the rows that count at ``t``, in order."""
    return sorted(
        key for key, spans in seen.items() if any(first <= t < last for first, last in spans)
    )


def _outputs(found: Outcome, view: ir.View) -> Outcome:
    if isinstance(found, Failure):
        return found
    return found.select([output.name for output in view.outputs])


def _run(project: astrafs.Project, view: ir.View, **asked: Any) -> Outcome:
    try:
        return project.backfill(view.name, **asked)
    except AstrafsError as error:
        first = error.diagnostics[0]
        return Failure(first.code.id, " ".join((first.title, *first.notes)))
