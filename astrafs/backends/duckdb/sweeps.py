"""Windows for kernels: which groups of windows may be swept, and what the kernels are fed.

Where rows are seen in the order of their event times, the rows of a window are neighbours in that
order. The engine reads and filters them; ``astrafs.kernels.windows`` locates the edges of
all windows and takes the aggregates from prefix totals and positions.
"""

from __future__ import annotations

from astrafs.backends.duckdb.builder import Builder
from astrafs.backends.duckdb.events import Questions, loose_events
from astrafs.backends.duckdb.physical import Group
from astrafs.backends.duckdb.runs import arrival_of
from astrafs.backends.duckdb.script import SweptCall
from astrafs.builtins.aggregates import AGGREGATES
from astrafs.builtins.spec import Class
from astrafs.plan import ir
from astrafs.plan.tree import conditions, walk
from astrafs.typesys import Kind

_POSITIONS = ("collect", "first_k", "nth_last", "nth_last_row")
"""Aggregates that gather rows in SQL, and that kernels take from positions."""


def obstacle(build: Builder, node: ir.Aggregate) -> str:
    """Return why kernels do not evaluate ``node``, '' where they do: its rows are seen in order,
    and it needs no two of their values side by side.
    """
    row = AGGREGATES[node.function]
    if build.engine == "sql":
        return "as asked for"
    if node.request or node.match:
        return "the request is a row of its windows"
    if node.each or node.by is not None:
        return "it goes over the elements of lists" if node.each else "it makes a map"
    if not arrival_of(build, node.rows).ordered or _delay(build, node.rows) is None:
        return "its rows may become known in another order than that of their times"
    vectors = any(arg.type.kind is Kind.VECTOR for arg in node.args[: row.inputs])
    if vectors and row.kind is not Class.ORDERED and node.function != "count":
        return "it goes over vectors number by number"
    if row.kind is Class.PAIRED and node.function not in _POSITIONS:
        return f"`{node.function}` needs the values of a window side by side"
    return ""


def note(build: Builder, nodes: list[ir.Aggregate], step: str, reason: str) -> None:
    """Record how ``nodes``, whose rows and keys are the same, are evaluated."""
    read = {
        part
        for node in nodes
        for expr in (*node.args, *conditions(node))
        for part in walk(expr)
        if isinstance(part, ir.Column)
    }
    sources = tuple(source.name for source in build.bases(nodes[0].rows))
    windows = len({node.window for node in nodes})
    build.groups.append(Group(step, nodes[0].rows, sources, len(nodes), windows, len(read), reason))


def swept(
    build: Builder, questions: Questions, group: list[ir.Aggregate], subject: str
) -> tuple[str, dict[ir.Aggregate, str]]:
    """Make the relation of the answers of ``group``, whose rows and keys are the same; return it
    and the columns.
    """
    events, inputs, ties = loose_events(build, questions, group, subject)
    delay = _delay(build, group[0].rows)
    assert delay is not None
    names = {entry.aggregate: build.fresh(f"@{entry.aggregate.function}") for entry in inputs}
    calls = tuple(
        SweptCall(
            names[entry.aggregate],
            entry.aggregate,
            entry.values,
            entry.present or "",
            entry.by,
            entry.cut,
        )
        for entry in inputs
    )
    relation = build.sweep(
        events, questions.relation, ties, delay, calls, f"{subject}: windows, swept"
    )
    note(build, group, build.steps[-1].name, "")
    return relation, names


def _delay(build: Builder, rows: str) -> int | None:
    """Return how long after its event every row is known, None where that differs."""
    delays = {
        base.knowledge.delay if isinstance(base.knowledge, ir.Delay) else None
        for base in build.bases(rows)
    }
    return delays.pop() if len(delays) == 1 else None
