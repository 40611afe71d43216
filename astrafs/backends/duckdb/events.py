"""Events that bear on a set of questions, and the runs of questions that each event is seen by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from astrafs.backends.duckdb.builder import Builder
from astrafs.backends.duckdb.layers import Layers
from astrafs.backends.duckdb.lookups import attach, lookups_in
from astrafs.backends.duckdb.names import ident
from astrafs.backends.duckdb.rows import row_label, row_relation
from astrafs.backends.duckdb.windows import (
    VISIBLE,
    Arrival,
    active_interval,
    kept_per_question,
    session_stretches,
)
from astrafs.builtins.aggregates import AGGREGATES, SUM_LIMIT
from astrafs.builtins.spec import Class
from astrafs.plan import ir
from astrafs.plan.text import window_text
from astrafs.plan.tree import conditions, walk
from astrafs.record import dataclass
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
class Input:
    """An aggregate with the columns of the event relation that feed it.

    The ``values`` are null on rows where the condition ``present`` (a column of booleans, None:
    every row) is not true; a row takes part iff they are not null. ``cut`` is the column that is
    true on the rows that its ``since last`` window looks for.
    """

    aggregate: ir.Aggregate
    values: tuple[str, ...]
    present: str | None
    cut: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the aggregate reads of a run."""
        if self.present is None or (self.values and not self._counts_nulls):
            return self.values
        return (*self.values, self.present)

    @property
    def _counts_nulls(self) -> bool:
        return AGGREGATES[self.aggregate.function].keep_nulls

    def condition(self) -> str:
        """SQL that is true on the rows that take part, '' where all do."""
        if self.values and not self._counts_nulls:
            return " AND ".join(f"{ident(value)} IS NOT NULL" for value in self.values)
        return "" if self.present is None else ident(self.present)


@dataclass(frozen=True, slots=True)
class Runs:
    """Per row in some question's window: ``"@kid"``, ``"@from"``, ``"@to"`` (null: to the last
    question) and the inputs, as a relation, or as SQL for the one step that reads them.
    """

    relation: str
    sql: str = ""

    @property
    def clause(self) -> str:
        """The start of the WITH clause that makes the relation known, '' where it is a step's."""
        return f"runs AS (\n{self.sql}),\n" if self.sql else ""


def events_of(
    build: Builder, questions: Questions, group: list[ir.Aggregate], subject: str
) -> tuple[str, list[Input]]:
    """Make the event relation: rows of asked-for keys with ``"@kid"``, ``"@e"``, ``"@k"``,
    ``"@ord"`` and inputs.
    """
    head = group[0]
    relation = row_relation(build, head.rows)
    exprs = [*head.keys, *((head.block_where,) if head.block_where is not None else ())]
    for node in group:
        exprs += [*node.args, *conditions(node)]
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
        Input(
            node,
            tuple(column(arg, node.where) for arg in node.args),
            None if node.where is None else column(node.where),
            column(node.window.condition) if isinstance(node.window, ir.SinceWindow) else "",
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
        keys = ", ".join(f"r.{ident(name)}" for name in build.order(head.rows))
        order = f', row_number() OVER (ORDER BY r."@e"{", " + keys if keys else ""}) AS "@ord"'
    listed = "".join(f", {item}" for item in items)
    until = ', r."@until"' if "@until" in build.hidden(head.rows) else ""
    sql = (
        f'SELECT r."@kid", r."@e", r."@k"{until}{order}{listed}\n'
        f'FROM {layers.rows(f"({asked})")} r'
    )
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
    return f'SELECT r.*{rest}, k."@kid"\nFROM {layers.rows(relation)} r\n{join}{where}'


def _needs_order(group: list[ir.Aggregate]) -> bool:
    return any(
        AGGREGATES[node.function].kind is Class.ORDERED
        or isinstance(node.window, ir.LastWindow | ir.SinceWindow | ir.SessionWindow)
        for node in group
    )


def _within_limit(build: Builder, rows: str, value: str) -> str:
    label = row_label(build, rows)
    message = f"'{MARK}|{SUM_RANGE}|' || {value} || ' in {rows}, row with ' || {label}"
    return (
        f"CASE WHEN {value} IS NULL OR abs({value}) < {SUM_LIMIT!r}::DOUBLE THEN {value} "
        f"ELSE error({message}) END"
    )


def runs_of(
    build: Builder,
    questions: Questions,
    events: str,
    window: ir.Window,
    inputs: Sequence[Input],
    subject: str,
    *,
    shared: bool,
) -> Runs:
    """Find the runs of questions that have a row in ``window``. ``shared``: several steps
    read them.
    """
    arrival = _arrival(build, inputs[0].aggregate.rows)
    cut = ident(inputs[0].cut)
    interval = active_interval(window, arrival, cut)
    carried = {'"@kid"', '"@from"'}
    for entry in inputs:
        carried |= {ident(column) for column in entry.columns}
    if any(AGGREGATES[entry.aggregate.function].kind is Class.ORDERED for entry in inputs):
        carried.add('"@ord"')
    listed = ", ".join(sorted(carried))
    begun = _begun(build, questions, events, interval.start if interval else VISIBLE, subject)
    if interval is None and isinstance(window, ir.SessionWindow) and arrival.ordered:
        sql = _stretches(questions, session_stretches(window, begun), carried - {'"@from"'})
    elif interval is None:
        sql = _per_question(questions, begun, window, cut, carried - {'"@from"'}, arrival)
    elif interval.stop is None:
        sql = f'SELECT {listed}, NULL::BIGINT AS "@to"\nFROM {begun}'
    else:
        outer = ", ".join(f"x.{name}" for name in sorted(carried))
        sql = (
            f'SELECT {outer}, b."@q" AS "@to"\n'
            f'FROM (SELECT {listed}, {interval.stop} AS "@stop" FROM {begun}) x\n'
            f"ASOF LEFT JOIN {questions.relation} b "
            f'ON x."@kid" = b."@kid" AND x."@stop" < b."@t"\n'
            f'WHERE b."@q" IS NULL OR x."@from" < b."@q"'
        )
    if not shared:
        return Runs("runs", sql)
    comment = f"{subject}: which questions have a row in {window_text(window)}"
    return Runs(build.step("runs", sql, comment))


def _arrival(build: Builder, rows: str) -> Arrival:
    """Say how the rows of a source, stream or union come to be seen."""
    bases = build.bases(rows)
    delays = {
        base.knowledge.delay if isinstance(base.knowledge, ir.Delay) else None for base in bases
    }
    moved = False
    while rows in build.streams:
        moved = moved or build.streams[rows].time is not None
        rows = build.streams[rows].base
    # Rows that are moved are known at their new time, unless their delay is longer than the move.
    ordered = delays == {0} or (len(bases) == 1 and delays != {None} and not moved)
    revised = any(base.revisions for base in bases)
    return Arrival(ordered and not revised, revised)


def _stretches(questions: Questions, stretches: str, carried: set[str]) -> str:
    """Return SQL for the runs of rows that have a ``"@begin"`` and ``"@stop"``."""
    listed = ", ".join(f"x.{name}" for name in sorted(carried))
    return (
        f'SELECT {listed}, a."@q" AS "@from", b."@q" AS "@to"\nFROM ({stretches}) x\n'
        f'ASOF JOIN {questions.relation} a ON x."@kid" = a."@kid" AND x."@begin" <= a."@t"\n'
        f'ASOF LEFT JOIN {questions.relation} b ON x."@kid" = b."@kid" AND x."@stop" < b."@t"\n'
        f'WHERE b."@q" IS NULL OR a."@q" < b."@q"'
    )


def _per_question(
    questions: Questions,
    begun: str,
    window: ir.Window,
    cut: str,
    carried: set[str],
    arrival: Arrival,
) -> str:
    """Return SQL for runs of one question each, of the rows that are in ``window`` there.

    Pairs every question with the rows that it sees: for windows in which rows come and go.
    """
    listed = ", ".join(sorted(carried))
    until = '\n  AND (x."@until" IS NULL OR q."@t" <= x."@until")' if arrival.revised else ""
    after = 'lead("@e", 1, "@t") OVER (PARTITION BY "@at" ORDER BY "@ord") AS "@next"'
    return (
        f"WITH seen AS (\n"
        f'  SELECT x.*, q."@q" AS "@at", q."@t", k."@end"\n  FROM {begun} x\n'
        f'  JOIN {questions.relation} q ON q."@kid" = x."@kid" AND q."@q" >= x."@from"{until}\n'
        f'  JOIN {questions.keys} k ON k."@kid" = x."@kid"),\n'
        f"neighbours AS (\n  SELECT *, {after}\n  FROM seen)\n"
        f'SELECT {listed}, "@at" AS "@from",\n'
        f'  CASE WHEN "@at" + 1 < "@end" THEN "@at" + 1 END AS "@to"\n'
        f"FROM neighbours\nQUALIFY {kept_per_question(window, cut)}"
    )


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
