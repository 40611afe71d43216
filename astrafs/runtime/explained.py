"""What a run did with its windows, beside what was expected of it."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from astrafs.backends.duckdb.physical import Group
from astrafs.runtime.answer import Answer
from astrafs.runtime.sweeps import Swept


def explained(answer: Answer) -> Iterator[str]:
    """Yield lines on every group of windows: how it was evaluated, what was expected, what came."""
    if answer.script is None:
        return
    asked = 0 if answer.given is None else answer.given.table.num_rows
    for group in answer.script.groups:
        yield group.text()
        rows = _rows(answer, group)
        if rows is not None and asked:
            yield f"  expected  {_expected(group, rows, asked)}"
        for found in answer.swept:
            if group.step and found.step == group.step:
                yield f"  found     {_found(found)}"


def _expected(group: Group, rows: int, asked: int) -> str:
    swept, sql = group.swept_seconds(rows, asked), group.sql_seconds(rows, asked)
    costs = f"{swept:.1f} s swept, {sql:.1f} s in SQL" if group.step else f"{sql:.1f} s"
    size = f"{rows:,} rows, {_size(group.size(rows))}"
    return f"at most {size} and {asked:,} questions; of processor time {costs}"


def _found(swept: Swept) -> str:
    files = f", {_size(swept.spilled)} of it in files" if swept.spilled else ""
    rows = f"{swept.rows:,} rows, {_size(swept.bytes)}{files}"
    return f"{rows} and {swept.questions:,} questions; {swept.seconds:.1f} s"


def _rows(answer: Answer, group: Group) -> int | None:
    """Return how many rows the files of a group hold, where they tell."""
    total = 0
    for name in group.source:
        for file in answer.inputs.get(name, ()):
            try:
                total += pq.read_metadata(file.path).num_rows
            except (OSError, pa.ArrowException):  # of another format
                return None
    return total


def _size(number: int) -> str:
    return f"{number / 1e6:,.1f} MB"
