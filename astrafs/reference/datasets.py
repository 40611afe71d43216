"""Datasets by the definition: every row of the spine known by K, its view, and mature labels."""

from __future__ import annotations

from typing import Any

from astrafs.plan import ir
from astrafs.record import dataclass
from astrafs.reference.interpreter import Data, Interpreter, Question
from astrafs.reference.rows import Row


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a dataset. ``split`` is ``train``, ``test``, or ``all`` where there is no split.

    ``mature`` says of each label whether it is decided; a label that is not is None.
    """

    split: str
    columns: tuple[Any, ...]
    outputs: tuple[Any, ...]
    labels: tuple[Any, ...]
    mature: tuple[bool, ...]


def evaluate_dataset(plan: ir.Plan, name: str, data: Data, as_of: int) -> list[Example]:
    """Return the examples of a dataset in (e, key) order, without the rows in the gap of its split;
    ``data`` holds the rows of each source by its name.
    """
    dataset = next(one for one in plan.datasets if one.name == name)
    machine = Interpreter(plan, data, as_of)
    rows = [(row, _split(dataset, row)) for row in machine.known_rows(dataset.spine)]
    kept = [(row, split) for row, split in rows if split != "gap"]
    questions = [
        Question(tuple(machine.in_row(key, row) for key in dataset.keys), _time(row))
        for row, _ in kept
    ]
    answers = machine.view(dataset.view, questions)
    examples = []
    for (row, split), outputs in zip(kept, answers, strict=True):
        cutoff = as_of
        if split == "train" and dataset.test_from is not None:
            cutoff = min(as_of, dataset.test_from)
        mature = tuple(_is_mature(label, row, cutoff) for label in dataset.labels)
        labels = tuple(
            machine.in_row(label.expression, row) if ready else None
            for label, ready in zip(dataset.labels, mature, strict=True)
        )
        columns = tuple(row[column.name] for column in dataset.columns)
        examples.append(Example(split, columns, outputs, labels, mature))
    return examples


def _time(row: Row) -> int:
    assert row.event is not None
    return row.event


def _split(dataset: ir.Dataset, row: Row) -> str:
    if dataset.train_before is None or dataset.test_from is None:
        return "all"
    if _time(row) < dataset.train_before:
        return "train"
    return "test" if _time(row) >= dataset.test_from else "gap"


def _is_mature(label: ir.Label, row: Row, cutoff: int) -> bool:
    known = [row[name] for name in label.known]
    return _time(row) + label.horizon <= cutoff and all(
        moment is not None and moment <= cutoff for moment in known
    )
