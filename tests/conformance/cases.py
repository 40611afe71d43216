"""The conformance cases of this folder: what each holds, and when a result is what it expects."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = Path(__file__).resolve().parent
END_OF_TIME = "2200-01-01T00:00:00Z"
"""The knowledge cutoff of every case: all rows are in; each question has a time of its own."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case: its id, its folder and the contents of its ``case.json``."""

    id: str
    folder: Path
    meta: dict[str, Any]

    @property
    def is_refusal(self) -> bool:
        """Whether the program must not compile."""
        return bool(self.meta["status"] == "refused")

    @property
    def program(self) -> str:
        """The text of the program."""
        return (self.folder / "case.afs").read_text(encoding="utf-8")

    @property
    def spine(self) -> pa.Table:
        """The questions, in the order in which the answers must come."""
        return pq.read_table(self.folder / "spine.parquet")

    @property
    def expected(self) -> pa.Table:
        """The answers of the system that the case comes from."""
        return pq.read_table(self.folder / "expected.parquet")


def all_cases() -> list[Case]:
    """Return every case, by id."""
    return [
        Case(file.parent.name, file.parent, json.loads(file.read_text(encoding="utf-8")))
        for file in sorted(FOLDER.glob("*/case.json"))
    ]


def pending() -> dict[str, dict[str, list[str]]]:
    """Return the cases that have no program: by kind, then by id, the reason and a remark."""
    found: dict[str, dict[str, list[str]]] = json.loads(
        (FOLDER / "pending.json").read_text(encoding="utf-8")
    )
    return found


def differences(case: Case, result: pa.Table, *, head: bool = False) -> list[str]:
    """Return what differs between ``result`` and the expected rows; nothing when they are equal.

    With ``head``, the result holds only the first rows.

    Rows are compared in order and columns by name; the result may have further columns. Numbers may
    differ by the case's tolerance, relative to the larger of one and the numbers.
    """
    expected = case.expected.slice(0, result.num_rows) if head else case.expected
    if expected.num_rows != result.num_rows:
        return [f"{expected.num_rows} rows expected, {result.num_rows} found"]
    missing = [name for name in expected.column_names if name not in result.column_names]
    if missing:
        return [f"missing columns {missing}"]
    tolerance = float(case.meta["tolerance"])
    infinite_is_null = case.meta.get("compare") == "-inf is null"
    found = []
    for name in expected.column_names:
        pairs = zip(expected[name].to_pylist(), result[name].to_pylist(), strict=True)
        for row, (wanted, got) in enumerate(pairs):
            if infinite_is_null and wanted == -math.inf:
                wanted = None
            if not close(wanted, got, tolerance):
                found.append(f"{name}[{row}]: expected {wanted!r}, got {got!r}")
    return found


def close(wanted: Any, got: Any, tolerance: float) -> bool:
    """Whether two values are equal; numbers within ``tolerance``, a bool equals only a bool."""
    if isinstance(wanted, bool) or isinstance(got, bool):
        return wanted is got
    if isinstance(wanted, list | tuple) and isinstance(got, list | tuple):
        pairs = zip(wanted, got, strict=False)
        return len(wanted) == len(got) and all(close(a, b, tolerance) for a, b in pairs)
    if isinstance(wanted, int | float) and isinstance(got, int | float):
        return wanted == got or abs(wanted - got) <= tolerance * max(1.0, abs(wanted), abs(got))
    return bool(wanted == got)
