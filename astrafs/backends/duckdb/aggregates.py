"""Windowed aggregates for a set of questions, without ever pairing questions with events.

The questions of an entity are numbered in (key, time) order. A row is in a window for a contiguous
run of them, from the first question at or after it becomes active to the first after it has left.
So

* totals (count, sum, mean, ...) add at the run's start, subtract at its end and run once along the
  numbers;
* extremes and ordered picks put each run's value into the few dyadic blocks of numbers that tile
  it, and each question reads the blocks that hold it;
* distinct values first cut each run to what earlier runs of the same value do not cover, and then
  are totals.
"""

from __future__ import annotations

from collections.abc import Iterable

from astrafs.backends.duckdb.builder import Builder
from astrafs.backends.duckdb.events import Input, Questions, Runs, events_of, runs_of
from astrafs.backends.duckdb.names import ident
from astrafs.builtins.aggregates import AGGREGATES
from astrafs.builtins.spec import Class
from astrafs.plan import ir
from astrafs.plan.text import expression_text
from astrafs.record import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """The relation (``"@q"`` and one column per aggregate, every question once) and the columns'
    names.
    """

    relation: str
    columns: dict[ir.Aggregate, str]


def aggregate(
    build: Builder, questions: Questions, aggregates: Iterable[ir.Aggregate], subject: str
) -> list[Answer]:
    """Compute ``aggregates`` for every question; the answers come in one relation per group of
    windows.
    """
    groups: dict[tuple[str, tuple[ir.Expr, ...], ir.Expr | None], list[ir.Aggregate]] = {}
    for node in aggregates:
        groups.setdefault((node.rows, node.keys, node.block_where), []).append(node)
    answers: list[Answer] = []
    for group in groups.values():
        events, inputs = events_of(build, questions, group, subject)
        windows: dict[ir.Window, list[Input]] = {}
        for entry in inputs:
            windows.setdefault(entry.aggregate.window, []).append(entry)
        for window, members in windows.items():
            answers += _window(build, questions, events, window, members, subject)
    return answers


def _window(
    build: Builder,
    questions: Questions,
    events: str,
    window: ir.Window,
    inputs: list[Input],
    subject: str,
) -> list[Answer]:
    names = {entry.aggregate: build.fresh(f"@{entry.aggregate.function}") for entry in inputs}
    by_class: dict[Class, list[Input]] = {}
    for entry in inputs:
        by_class.setdefault(AGGREGATES[entry.aggregate.function].kind, []).append(entry)
    totals = by_class.get(Class.INVERTIBLE, [])
    distinct = by_class.get(Class.DISTINCT, [])
    blocks = by_class.get(Class.SEMIGROUP, []) + by_class.get(Class.ORDERED, [])
    readers = bool(totals) + len(distinct) + bool(blocks)
    runs = runs_of(build, questions, events, window, inputs, subject, shared=readers > 1)
    answers: list[Answer] = []
    if totals:
        answers.append(_totals(build, questions, runs, totals, names, subject))
    answers += [_distinct(build, questions, runs, entry, names, subject) for entry in distinct]
    if blocks:
        answers.append(_blocks(build, questions, events, runs, blocks, names, subject))
    return answers


def _totals(
    build: Builder,
    questions: Questions,
    runs: Runs,
    inputs: list[Input],
    names: dict[ir.Aggregate, str],
    subject: str,
) -> Answer:
    states: dict[tuple[str, str], str] = {}
    finishes: list[tuple[ir.Aggregate, str]] = []
    for entry in inputs:
        row = AGGREGATES[entry.aggregate.function]
        assert row.states is not None
        assert row.finish is not None
        types = tuple(arg.type for arg in entry.aggregate.args)
        condition = entry.condition()
        holes = [ident(value) for value in entry.values]
        totals = []
        for state in row.states(types):
            value = state
            for place, hole in enumerate(holes):
                value = value.replace(f"{{{place}}}", hole)
            name = states.setdefault((condition, value), ident(f"@s{len(states)}"))
            totals.append(f"coalesce({name}, 0)")
        finishes.append((entry.aggregate, row.finish(tuple(totals), types, entry.aggregate.type)))

    names_of = list(states.values())
    rows = "".join(
        f",\n    {_guarded(condition, value)} AS {name}"
        for (condition, value), name in states.items()
    )
    gained = ", ".join(f"sum({name}) AS {name}" for name in names_of)
    lost = ", ".join(f"-sum({name})" for name in names_of)
    running = ", ".join(f"sum(d.{name}) OVER w AS {name}" for name in names_of)
    finished = ",\n".join(
        f"  -- {_shown(build, node)}\n  {sql} AS {ident(names[node])}" for node, sql in finishes
    )
    sql = (
        f"WITH {runs.clause}states AS MATERIALIZED (\n"
        f'  SELECT "@from", "@to"{rows}\n  FROM {runs.relation}),\n'
        f"changes AS (\n"
        f'  SELECT "@from" AS "@q", {gained}\n  FROM states GROUP BY "@from"\n'
        f"  UNION ALL\n"
        f'  SELECT "@to", {lost}\n  FROM states WHERE "@to" IS NOT NULL GROUP BY "@to"),\n'
        f"totals AS (\n"
        f'  SELECT q."@q", {running}\n'
        f"  FROM {questions.relation} q\n"
        f'  LEFT JOIN (SELECT "@q", {gained} FROM changes GROUP BY "@q") d USING ("@q")\n'
        f'  WINDOW w AS (PARTITION BY q."@kid" ORDER BY q."@q" ROWS UNBOUNDED PRECEDING))\n'
        f'SELECT "@q",\n{finished}\nFROM totals'
    )
    relation = build.step("totals", sql, f"{subject}: running totals")
    return Answer(relation, {entry.aggregate: names[entry.aggregate] for entry in inputs})


def _distinct(
    build: Builder,
    questions: Questions,
    runs: Runs,
    entry: Input,
    names: dict[ir.Aggregate, str],
    subject: str,
) -> Answer:
    value = ident(entry.values[0])
    condition = entry.condition()
    name = ident(names[entry.aggregate])
    sql = (
        f"WITH {runs.clause}covered AS (\n"
        f'  SELECT "@kid", "@from", "@to", {value} AS "@value",\n'
        f'    max(coalesce("@to", {2**62})) OVER (PARTITION BY "@kid", {value}\n'
        f'      ORDER BY "@from", coalesce("@to", {2**62})\n'
        f'      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS "@covered"\n'
        f"  FROM {runs.relation} WHERE {condition}),\n"
        f'fresh AS (\n  SELECT greatest("@from", coalesce("@covered", "@from")) AS "@from", "@to"\n'
        f"  FROM covered\n"
        f'  WHERE "@covered" IS NULL OR "@covered" < coalesce("@to", {2**62}))\n'
        f'SELECT q."@q",\n  -- {_shown(build, entry.aggregate)}\n'
        f"  coalesce(sum(d.n) OVER (\n"
        f'    PARTITION BY q."@kid" ORDER BY q."@q" ROWS UNBOUNDED PRECEDING'
        f"  ), 0)::BIGINT AS {name}\n"
        f"FROM {questions.relation} q LEFT JOIN (\n"
        f'  SELECT "@q", sum(n) AS n FROM (\n'
        f'    SELECT "@from" AS "@q", count(*) AS n FROM fresh GROUP BY "@from"\n'
        f"    UNION ALL\n"
        f'    SELECT "@to", -count(*) FROM fresh WHERE "@to" IS NOT NULL GROUP BY "@to"\n'
        f'  ) GROUP BY "@q") d USING ("@q")'
    )
    relation = build.step("distinct", sql, f"{subject}: distinct values")
    return Answer(relation, {entry.aggregate: names[entry.aggregate]})


def _blocks(
    build: Builder,
    questions: Questions,
    events: str,
    runs: Runs,
    inputs: list[Input],
    names: dict[ir.Aggregate, str],
    subject: str,
) -> Answer:
    made, merged, picked = [], [], []
    joins: dict[str, str] = {}
    for place, entry in enumerate(inputs):
        row = AGGREGATES[entry.aggregate.function]
        ordered = row.kind is Class.ORDERED
        value = '"@ord"' if ordered else ident(entry.values[0])
        condition = entry.condition()
        made.append(f'{row.merge}({_guarded(condition, value)}) AS "@m{place}"')
        merged.append(f'{row.merge}(b."@m{place}") AS "@m{place}"')
        shown = f"  -- {_shown(build, entry.aggregate)}\n"
        name = ident(names[entry.aggregate])
        if ordered:
            alias = f"e{place}"
            joins[alias] = f'LEFT JOIN {events} {alias} ON {alias}."@ord" = m."@m{place}"'
            picked.append(f"{shown}  {alias}.{ident(entry.values[0])} AS {name}")
        else:
            picked.append(f'{shown}  m."@m{place}" AS {name}')
    # A run [a, b) is tiled by blocks [n * 2^level, (n + 1) * 2^level): at each level at most one
    # at either end.
    sql = (
        f"WITH {runs.clause}spans AS (\n"
        f'  SELECT r.*, r."@from" AS a, coalesce(r."@to", k."@end") AS b\n'
        f'  FROM {runs.relation} r JOIN {questions.keys} k USING ("@kid")),\n'
        f"levels AS (\n"
        f"  SELECT *, unnest(range(0, length(bin(b - a)))) AS level FROM spans),\n"
        f"ends AS (\n"
        f"  SELECT *, (a + (1::BIGINT << level) - 1) >> level AS low, b >> level AS high\n"
        f"  FROM levels),\n"
        f"tiles AS (\n"
        f"  SELECT *, low AS block FROM ends WHERE low < high AND low % 2 = 1\n"
        f"  UNION ALL\n"
        f"  SELECT *, high - 1 AS block FROM ends WHERE low < high AND high % 2 = 1)\n"
        f"SELECT level, block, {', '.join(made)}\nFROM tiles GROUP BY level, block"
    )
    blocks = build.step("blocks", sql, f"{subject}: extremes by blocks of questions")
    lines = "\n".join(joins.values())
    listed = ",\n".join(picked)
    answer = (
        # Materialised, because the engine fails on a hash join straight over a cross product.
        f"WITH levels AS (SELECT DISTINCT level FROM {blocks}),\n"
        f"asked AS MATERIALIZED (\n"
        f'  SELECT q."@q", l.level, q."@q" >> l.level AS block\n'
        f"  FROM {questions.relation} q CROSS JOIN levels l),\n"
        f"merged AS (\n"
        f'  SELECT q."@q", {", ".join(merged)}\n'
        f"  FROM asked q JOIN {blocks} b ON b.level = q.level AND b.block = q.block\n"
        f'  GROUP BY q."@q")\n'
        f'SELECT m."@q",\n{listed}\nFROM merged m\n{lines}'
    )
    relation = build.step("extremes", answer, f"{subject}: extremes per question")
    return Answer(relation, {entry.aggregate: names[entry.aggregate] for entry in inputs})


def _guarded(condition: str, value: str) -> str:
    """Return ``value`` on the rows where ``condition`` (SQL, '' for all) is true, else null."""
    return f"CASE WHEN {condition} THEN {value} END" if condition else value


def _shown(build: Builder, node: ir.Aggregate) -> str:
    """Name the features that an aggregate is for, and say what it computes."""
    readers = ", ".join(build.readers.get(node, ()))
    return f"{readers} = {expression_text(node)}"
