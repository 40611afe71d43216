"""Windowed aggregates for a set of questions, without ever pairing questions with events.

The questions of an entity are numbered in (key, time) order. A row is in a window for a contiguous
run of them, from the first question at or after it becomes active to the first after it has left.
So

* totals (count, sum, mean, ...) add at the run's start, subtract at its end and run once along the
  numbers;
* extremes and ordered picks put each run's value into the few dyadic blocks of numbers that tile
  it, and each question reads the blocks that hold it;
* distinct values first cut each run to what earlier runs of the same value do not cover, and then
  are totals;
* the other aggregates gather the rows of each window (``pairs``).
"""

from __future__ import annotations

from collections.abc import Iterable

from astrafs.backends.duckdb.builder import Builder
from astrafs.backends.duckdb.events import Input, Questions, events_of
from astrafs.backends.duckdb.names import ident
from astrafs.backends.duckdb.pairs import (
    by_shape,
    element_of,
    element_runs,
    filled,
    gather,
    shown,
)
from astrafs.backends.duckdb.runs import Runs, runs_of
from astrafs.backends.duckdb.sweeps import note, obstacle, swept
from astrafs.backends.duckdb.vectors import as_lists, from_list
from astrafs.builtins.spec import Class
from astrafs.plan import ir
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
    groups: dict[tuple[str, tuple[ir.Expr, ...], ir.Expr | None, bool], list[ir.Aggregate]] = {}
    for node in aggregates:
        shared = (node.rows, node.keys, node.block_where, node.request)
        groups.setdefault(shared, []).append(node)
    answers: list[Answer] = []
    for nodes in groups.values():
        obstacles = {node: obstacle(build, node) for node in nodes}
        taken = [node for node in nodes if not obstacles[node]]
        if taken:
            answers.append(Answer(*swept(build, questions, taken, subject)))
        group = [node for node in nodes if obstacles[node]]
        if not group:
            continue
        note(build, group, "", obstacles[group[0]])
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
    paired = [entry for entry in inputs if entry.is_paired]
    elements = [entry for entry in inputs if entry.aggregate.each and not entry.is_paired]
    plain = [entry for entry in inputs if entry not in paired and entry not in elements]
    totals = [entry for entry in plain if entry.row.kind is Class.INVERTIBLE]
    distinct = [entry for entry in plain if entry.row.kind is Class.DISTINCT]
    blocks = [entry for entry in plain if entry.row.kind in (Class.SEMIGROUP, Class.ORDERED)]
    shapes = by_shape(paired)
    readers = bool(totals) + len(distinct) + bool(blocks) + len(elements) + len(shapes)
    runs = runs_of(build, questions, events, window, inputs, subject, shared=readers > 1)
    answers: list[Answer] = []
    if totals:
        answers.append(_totals(build, questions, runs, totals, names, subject))
    answers += [_distinct(build, questions, runs, entry, names, subject) for entry in distinct]
    if blocks:
        answers.append(_blocks(build, questions, events, runs, blocks, names, subject))
    for entry in elements:
        own = Runs("runs", element_runs(runs, entry))
        match entry.row.kind:
            case Class.INVERTIBLE:
                answers.append(_totals(build, questions, own, [entry], names, subject))
            case Class.DISTINCT:
                answers.append(_distinct(build, questions, own, entry, names, subject))
            case _:
                answers.append(_blocks(build, questions, events, own, [entry], names, subject))
    for shape in shapes:
        relation = gather(build, questions, runs, shape, names, subject)
        columns = {entry.aggregate: names[entry.aggregate] for entry in shape}
        answers.append(Answer(relation, columns))
    return answers


def _totals(
    build: Builder,
    questions: Questions,
    runs: Runs,
    inputs: list[Input],
    names: dict[ir.Aggregate, str],
    subject: str,
) -> Answer:
    prepared: dict[str, str] = {}
    states: dict[tuple[str, str], str] = {}
    finishes: list[tuple[ir.Aggregate, str]] = []
    for entry in inputs:
        row = entry.row
        assert row.states is not None
        assert row.finish is not None
        condition = entry.condition()
        ready = ""
        if entry.prepare:
            text = _guarded(condition, filled(entry.prepare, entry))
            ready = prepared.setdefault(text, ident(f"@p{len(prepared)}"))
        totals = []
        for state in row.states(entry.types):
            value = filled(state, entry, ready)
            name = states.setdefault((condition, value), ident(f"@s{len(states)}"))
            totals.append(f"coalesce({name}, 0)")
        finish = row.finish(tuple(totals), entry.types, entry.aggregate.type, entry.constants)
        finishes.append((entry.aggregate, finish))

    names_of = list(states.values())
    rows = "".join(
        f",\n    {_guarded(condition, value)} AS {name}"
        for (condition, value), name in states.items()
    )
    gained = ", ".join(f"sum({name}) AS {name}" for name in names_of)
    lost = ", ".join(f"-sum({name})" for name in names_of)
    running = ", ".join(f"sum(d.{name}) OVER w AS {name}" for name in names_of)
    finished = ",\n".join(
        f"  -- {shown(build, node)}\n  {sql} AS {ident(names[node])}" for node, sql in finishes
    )
    ready = "".join(f", {text} AS {name}" for text, name in prepared.items())
    relation = f"(SELECT *{ready} FROM {runs.relation})" if ready else runs.relation
    sql = (
        f"WITH {runs.clause}states AS MATERIALIZED (\n"
        f'  SELECT "@from", "@to"{rows}\n  FROM {relation}),\n'
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
    row = entry.row
    assert row.states is not None
    assert row.finish is not None
    value = filled(f"unnest({row.cells(entry.types)})" if row.cells else "{0}", entry)
    name = ident(names[entry.aggregate])
    texts = [state.replace("{0}", '"@value"') for state in row.states(entry.types)]
    columns = [f"s{place}" for place in range(len(texts))]
    gained = ", ".join(f"sum({t}) AS {c}" for t, c in zip(texts, columns, strict=True))
    lost = ", ".join(f"-sum({text})" for text in texts)
    again = ", ".join(f"sum({column}) AS {column}" for column in columns)
    running = ", ".join(f"coalesce(sum(d.{column}) OVER w, 0) AS {column}" for column in columns)
    finish = row.finish(tuple(columns), entry.types, entry.aggregate.type, entry.constants)
    sql = (
        f"WITH {runs.clause}entered AS (\n"
        f'  SELECT "@kid", "@from", "@to", {value} AS "@value"\n'
        f"  FROM {runs.relation} WHERE {entry.condition()}),\n"
        f"covered AS (\n"
        f'  SELECT *, max(coalesce("@to", {2**62})) OVER (PARTITION BY "@kid", "@value"\n'
        f'      ORDER BY "@from", coalesce("@to", {2**62})\n'
        f'      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS "@covered"\n'
        f"  FROM entered),\n"
        f'fresh AS (\n  SELECT greatest("@from", coalesce("@covered", "@from")) AS "@from", "@to",'
        f' "@value"\n'
        f"  FROM covered\n"
        f'  WHERE "@covered" IS NULL OR "@covered" < coalesce("@to", {2**62})),\n'
        f"totals AS (\n"
        f'  SELECT q."@q", {running}\n'
        f"  FROM {questions.relation} q LEFT JOIN (\n"
        f'    SELECT "@q", {again} FROM (\n'
        f'      SELECT "@from" AS "@q", {gained} FROM fresh GROUP BY "@from"\n'
        f"      UNION ALL\n"
        f'      SELECT "@to", {lost} FROM fresh WHERE "@to" IS NOT NULL GROUP BY "@to"\n'
        f'    ) GROUP BY "@q") d USING ("@q")\n'
        f'  WINDOW w AS (PARTITION BY q."@kid" ORDER BY q."@q" ROWS UNBOUNDED PRECEDING))\n'
        f'SELECT "@q",\n  -- {shown(build, entry.aggregate)}\n  {finish} AS {name}\nFROM totals'
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
        row = entry.row
        ordered = row.kind is Class.ORDERED
        rank = ident(entry.rank or "@ord")
        value = rank if ordered else ident(entry.values[0])
        condition = entry.condition()
        made.append(f'{row.merge}({_guarded(condition, value)}) AS "@m{place}"')
        merged.append(f'{row.merge}(b."@m{place}") AS "@m{place}"')
        comment = f"  -- {shown(build, entry.aggregate)}\n"
        name = ident(names[entry.aggregate])
        if ordered:
            alias = f"e{place}"
            picks, found = f'm."@m{place}"', f"{alias}.{ident(entry.values[0])}"
            if entry.aggregate.each:
                picks, found = element_of(picks, found)
            types = {entry.values[0]: entry.aggregate.args[0].type}
            found = from_list(found, entry.aggregate.type)
            rows = as_lists(events, types)
            joins[alias] = f"LEFT JOIN {rows} {alias} ON {alias}.{rank} = {picks}"
            picked.append(f"{comment}  {found} AS {name}")
        else:
            picked.append(f'{comment}  m."@m{place}" AS {name}')
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
