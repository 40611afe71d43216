"""Every example of an aggregate gives its value in DuckDB, as it does on the reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import astrafs
from astrafs.builtins.aggregates import AGGREGATES
from astrafs.builtins.spec import Example
from astrafs.typesys import BOOL, DURATION, FLOAT, INT, SECOND, Type, duration_text
from tests.unit.builtins.test_examples import plain

BASE = 1_767_225_600_000_000
EXAMPLES = [(row.name, example) for row in AGGREGATES.values() for example in row.examples]
HEAD = """\
owner "tests@example.org"
entity User { user_id: int }
## Rows of the examples.
source rows from parquet("rows.parquet") key id time at {
  id: int  user_id: User  x: int?  y: int?  f: float?  b: bool?  at: timestamp
}
features for User from rows {
"""


def _call(name: str, example: Example) -> tuple[str, Type]:
    """Return the call of an example as text, and its type."""
    sample = next((value for value in example.given if value is not None), 0)
    column, kind = {bool: ("b", BOOL), float: ("f", FLOAT)}.get(type(sample), ("x", INT))
    if name in ("any", "all"):
        column, kind = "b", BOOL
    inputs = [column] if AGGREGATES[name].inputs == 1 else ["x", "y"]
    times = [value == SECOND for value in example.constants]
    texts = [
        duration_text(value) if time else str(value)
        for value, time in zip(example.constants, times, strict=True)
    ]
    types = [kind.optional()] * len(inputs) + [DURATION if time else INT for time in times]
    values = (*(None for _ in inputs), *example.constants)
    if example.constants and isinstance(example.constants[0], float):
        types[-1] = FLOAT
    result = AGGREGATES[name].rule(tuple(types), values).result
    return f"{name}({', '.join([*inputs, *texts])})", result


@pytest.fixture(scope="module")
def answers(tmp_path_factory: Any) -> list[Any]:
    """Run all examples at once: one user and one feature for each."""
    folder: Path = tmp_path_factory.mktemp("examples")
    rows: list[dict[str, Any]] = []
    text, outputs, asked = HEAD, [], []
    for user, (name, example) in enumerate(EXAMPLES):
        call, kind = _call(name, example)
        text += f"  ## An example.\n  e{user}: {kind} = {call} over all\n"
        outputs.append(f"e{user}")
        for place, given in enumerate(example.given):
            x, y = given if isinstance(given, tuple) else (given, None)
            row = {"id": len(rows), "user_id": user, "at": BASE + place * SECOND}
            cells = {type(x): x} if not isinstance(given, tuple) else {int: x}
            row |= {"x": cells.get(int), "f": cells.get(float), "b": cells.get(bool), "y": y}
            rows.append(row)
        asked.append((user, BASE + len(example.given) * SECOND))
    text += "}\n## All of them.\nview all_of_them for User { " + "  ".join(outputs) + " }\n"
    (folder / "astrafs.toml").write_text("", encoding="utf-8")
    (folder / "m.afs").write_text(text, encoding="utf-8")
    types = {"x": pa.int64(), "y": pa.int64(), "f": pa.float64(), "b": pa.bool_()}
    columns = {name: pa.array([row[name] for row in rows], made) for name, made in types.items()}
    columns |= {name: pa.array([row[name] for row in rows]) for name in ("id", "user_id")}
    columns["at"] = pa.array([row["at"] for row in rows], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table(columns), folder / "rows.parquet")
    users, times = zip(*asked, strict=True)
    spine = pa.table({"user_id": users, "t": pa.array(times, pa.timestamp("us", "UTC"))})
    found = astrafs.load(folder).backfill("m.all_of_them", spine=spine, as_of="2027-01-01")
    return [found.column(f"e{user}")[user].as_py() for user in range(len(EXAMPLES))]


@pytest.mark.parametrize("place", range(len(EXAMPLES)), ids=lambda n: f"{EXAMPLES[n][0]}-{n}")
def test_examples(answers: list[Any], place: int) -> None:
    _, example = EXAMPLES[place]
    assert plain(answers[place]) == example.value


def test_every_aggregate_has_an_example_with_rows_and_one_without() -> None:
    for row in AGGREGATES.values():
        assert {bool(example.given) for example in row.examples} >= {True}
        empties = [example.value for example in row.examples if not example.given]
        assert all(value == row.empty for value in empties)
