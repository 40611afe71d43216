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

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from astrafs.backends.duckdb.builder import Builder
from astrafs.backends.duckdb.layers import Layers
from astrafs.backends.duckdb.lookups import attach, lookups_in
from astrafs.backends.duckdb.names import ident
from astrafs.backends.duckdb.rows import row_label, row_relation
from astrafs.backends.duckdb.windows import Interval, active_interval
from astrafs.builtins.aggregates import AGGREGATES, SUM_LIMIT
from astrafs.builtins.spec import Class
from astrafs.plan import ir
from astrafs.plan.text import expression_text, window_text
from astrafs.plan.tree import walk
from astrafs.typesys import Kind
from astrafs.values.errors import MARK, SUM_RANGE


@dataclass(frozen=True, slots=True)
class Questions:
    """Numbered questions: ``relation`` has ``"@q"`` (from 0, in key and time order), ``"@kid"``,
    ``"@t"``.

    ``keys`` has ``"@kid"``, the key parts ``"@k0"``, ... and ``"@end"``, the number after the
    key's last question.
    """

    relation: str
    keys: str
    parts: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The relation (``"@q"`` and one column per aggregate, every question once) and the columns'
    names.
    """

    relation: str
    columns: dict[ir.Aggregate, str]


@dataclass(frozen=True, slots=True)
class _Input:
    """An aggregate with the columns of the event relation that feed it.

    The ``values`` are null on rows where the condition ``present`` (a column of booleans, None:
    every row) is not true; a row takes part iff they are not null.
    """

    aggregate: ir.Aggregate
    values: tuple[str, ...]
    present: str | None

    def condition(self) -> str:
        """SQL that is true on the rows that take part, '' where all do."""
        if self.values and not AGGREGATES[self.aggregate.function].keep_nulls:
            return " AND ".join(f"{ident(value)} IS NOT NULL" for value in self.values)
        return "" if self.present is None else ident(self.present)


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
        events, inputs = _events(build, questions, group, subject)
        windows: dict[ir.Window, list[_Input]] = {}
        for entry in inputs:
            windows.setdefault(entry.aggregate.window, []).append(entry)
        for window, members in windows.items():
            answers += _window(build, questions, events, window, members, subject)
    return answers


def _events(
    build: Builder, questions: Questions, group: list[ir.Aggregate], subject: str
) -> tuple[str, list[_Input]]:
    """Make the event relation: rows of asked-for keys with ``"@kid"``, ``"@e"``, ``"@k"``,
    ``"@ord"`` and inputs.
    """
    head = group[0]
    relation = row_relation(build, head.rows)
    source = build.base(head.rows)
    exprs = [*head.keys, *((head.block_where,) if head.block_where is not None else ())]
    for node in group:
        exprs += [*node.args, *((node.where,) if node.where is not None else ())]
    leaves: dict[ir.Expr, str] = {
        part: part.name for expr in exprs for part in walk(expr) if isinstance(part, ir.Column)
    }
    comment = f"{subject}: rows of {head.rows}"
    lookups = lookups_in(exprs)
    if lookups:
        relation, found = attach(build, relation, lookups, leaves, "@e", comment)
        leaves |= found

    asked = _asked_rows(head, leaves, relation, questions)
    layers = Layers(leaves, time="@e")
    named: dict[tuple[ir.Expr, ir.Expr | None], str] = {}

    def column(expr: ir.Expr, where: ir.Expr | None = None) -> str:
        """Return the column of ``expr``, computed only on the rows where ``where`` is true."""
        if (expr, where) not in named:
            guard = "" if where is None else column(where)
            named[expr, where] = f"@x{len(named)}"
            layers.add(named[expr, where], expr, where=guard)
        return named[expr, where]

    inputs = [
        _Input(
            node,
            tuple(column(arg, node.where) for arg in node.args),
            None if node.where is None else column(node.where),
        )
        for node in group
    ]
    limited = {
        entry.values[0]
        for entry in inputs
        if entry.aggregate.args
        and entry.aggregate.args[0].type.kind is Kind.FLOAT
        and AGGREGATES[entry.aggregate.function].states is not None
        and entry.aggregate.function != "count"
    }
    items = []
    for name in named.values():
        value = f"r.{ident(name)}"
        if name in limited:
            value = _within_limit(build, head.rows, value)
        items.append(f"{value} AS {ident(name)}")
    order = ""
    if _needs_order(group):
        keys = ", ".join(f"r.{ident(name)}" for name in source.key)
        order = f', row_number() OVER (ORDER BY r."@e"{", " + keys if keys else ""}) AS "@ord"'
    listed = "".join(f", {item}" for item in items)
    sql = f'SELECT r."@kid", r."@e", r."@k"{order}{listed}\nFROM ({layers.select(f"({asked})")}) r'
    return build.step(f"events {head.rows}", sql, comment), inputs


def _asked_rows(
    head: ir.Aggregate, leaves: Mapping[ir.Expr, str], relation: str, questions: Questions
) -> str:
    """Return SQL for the rows of asked-for keys that the block's condition lets in, and ``"@kid"``.

    What else is computed is computed on these rows only.
    """
    layers = Layers(leaves, time="@e")
    for place, key in enumerate(head.keys):
        layers.add(f"@key{place}", key)
    where = ""
    if head.block_where is not None:
        layers.add("@keep", head.block_where, "the block's condition")
        where = '\nWHERE r."@keep"'
    on = " AND ".join(f'r."@key{place}" = k."@k{place}"' for place in range(questions.parts))
    join = f"JOIN {questions.keys} k ON {on}" if on else f"CROSS JOIN {questions.keys} k"
    gone = [f"@key{place}" for place in range(questions.parts)] + list(layers.scratch)
    gone += ["@keep"] if where else []
    rest = f" EXCLUDE ({', '.join(map(ident, gone))})" if gone else ""
    return f'SELECT r.*{rest}, k."@kid"\nFROM ({layers.select(relation)}) r\n{join}{where}'


def _needs_order(group: list[ir.Aggregate]) -> bool:
    return any(
        AGGREGATES[node.function].kind is Class.ORDERED or isinstance(node.window, ir.LastWindow)
        for node in group
    )


def _within_limit(build: Builder, rows: str, value: str) -> str:
    label = row_label(build, rows)
    message = f"'{MARK}|{SUM_RANGE}|' || {value} || ' in {rows}, row with ' || {label}"
    return (
        f"CASE WHEN {value} IS NULL OR abs({value}) < {SUM_LIMIT!r}::DOUBLE THEN {value} "
        f"ELSE error({message}) END"
    )


def _window(
    build: Builder,
    questions: Questions,
    events: str,
    window: ir.Window,
    inputs: list[_Input],
    subject: str,
) -> list[Answer]:
    base = build.base(inputs[0].aggregate.rows)
    ordered = isinstance(base.knowledge, ir.Delay) and inputs[0].aggregate.rows == base.name
    interval = active_interval(window, ordered_arrival=ordered)
    runs = _runs(build, questions, events, interval, inputs, subject)
    names = {entry.aggregate: build.fresh(f"@{entry.aggregate.function}") for entry in inputs}
    by_class: dict[Class, list[_Input]] = {}
    for entry in inputs:
        by_class.setdefault(AGGREGATES[entry.aggregate.function].kind, []).append(entry)
    answers: list[Answer] = []
    totals = by_class.get(Class.INVERTIBLE, [])
    distinct = by_class.get(Class.DISTINCT, [])
    if totals:
        answers.append(_totals(build, questions, runs, totals, names, subject))
    answers += [_distinct(build, questions, runs, entry, names, subject) for entry in distinct]
    blocks = by_class.get(Class.SEMIGROUP, []) + by_class.get(Class.ORDERED, [])
    if blocks:
        answers.append(_blocks(build, questions, events, runs, blocks, names, subject))
    return answers


def _runs(
    build: Builder,
    questions: Questions,
    events: str,
    interval: Interval,
    inputs: list[_Input],
    subject: str,
) -> str:
    """Make the relation of runs: per row in some question's window, ``"@from"`` and ``"@to"``
    (null: to the end).
    """
    carried = {'"@kid"', '"@from"'}
    for entry in inputs:
        carried |= {ident(value) for value in entry.values}
        if entry.present is not None:
            carried.add(ident(entry.present))
    if any(AGGREGATES[entry.aggregate.function].kind is Class.ORDERED for entry in inputs):
        carried.add('"@ord"')
    listed = ", ".join(sorted(carried))
    begun = _begun(build, questions, events, interval.start, subject)
    comment = f"{subject}: which questions have a row in {window_text(inputs[0].aggregate.window)}"
    if interval.stop is None:
        return build.step("runs", f'SELECT {listed}, NULL::BIGINT AS "@to"\nFROM {begun}', comment)
    outer = ", ".join(f"x.{name}" for name in sorted(carried))
    sql = (
        f'SELECT {outer}, b."@q" AS "@to"\n'
        f'FROM (SELECT {listed}, {interval.stop} AS "@stop" FROM {begun}) x\n'
        f"ASOF LEFT JOIN {questions.relation} b "
        f'ON x."@kid" = b."@kid" AND x."@stop" < b."@t"\n'
        f'WHERE b."@q" IS NULL OR x."@from" < b."@q"'
    )
    return build.step("runs", sql, comment)


def _begun(build: Builder, questions: Questions, events: str, start: str, subject: str) -> str:
    """Make the relation of events with ``"@from"``, the first question at or after ``start``;
    shared by windows.
    """
    made = f"{events} from {start}"
    if made not in build.made:
        build.made[made] = build.step(
            "begun",
            f'SELECT x.*, a."@q" AS "@from"\nFROM (SELECT *, {start} AS "@start" FROM {events}) x\n'
            f'ASOF JOIN {questions.relation} a ON x."@kid" = a."@kid" AND x."@start" <= a."@t"',
            f"{subject}: the first question that sees each row",
        )
    return build.made[made]


def _totals(
    build: Builder,
    questions: Questions,
    runs: str,
    inputs: list[_Input],
    names: dict[ir.Aggregate, str],
    subject: str,
) -> Answer:
    states: dict[tuple[str, str], tuple[str, str]] = {}
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
            value = state.row
            for place, hole in enumerate(holes):
                value = value.replace(f"{{{place}}}", hole)
            found = states.setdefault((condition, value), (f"@s{len(states)}", state.sql_type))
            totals.append(f"coalesce({ident(found[0])}, 0)")
        finishes.append((entry.aggregate, row.finish(tuple(totals), types, entry.aggregate.type)))

    names_of = [ident(name) for name, _ in states.values()]
    rows = "".join(
        f",\n    {_guarded(condition, value)} AS {ident(name)}"
        for (condition, value), (name, _) in states.items()
    )
    gained = ", ".join(f"sum({name}) AS {name}" for name in names_of)
    lost = ", ".join(f"-sum({name})" for name in names_of)
    running = ", ".join(f"sum(d.{name}) OVER w AS {name}" for name in names_of)
    finished = ",\n".join(
        f"  -- {_shown(build, node)}\n  {sql} AS {ident(names[node])}" for node, sql in finishes
    )
    sql = (
        f'WITH states AS (\n  SELECT "@from", "@to"{rows}\n  FROM {runs}),\n'
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
    runs: str,
    entry: _Input,
    names: dict[ir.Aggregate, str],
    subject: str,
) -> Answer:
    value = ident(entry.values[0])
    condition = entry.condition()
    name = ident(names[entry.aggregate])
    sql = (
        f"WITH runs AS (\n"
        f'  SELECT "@kid", "@from", "@to", {value} AS "@value",\n'
        f'    max(coalesce("@to", {2**62})) OVER (PARTITION BY "@kid", {value}\n'
        f'      ORDER BY "@from", coalesce("@to", {2**62})\n'
        f'      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS "@covered"\n'
        f"  FROM {runs} WHERE {condition}),\n"
        f'fresh AS (\n  SELECT greatest("@from", coalesce("@covered", "@from")) AS "@from", "@to"\n'
        f"  FROM runs\n"
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
    runs: str,
    inputs: list[_Input],
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
        f"WITH spans AS (\n"
        f'  SELECT r.*, r."@from" AS a, coalesce(r."@to", k."@end") AS b\n'
        f'  FROM {runs} r JOIN {questions.keys} k USING ("@kid")),\n'
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
