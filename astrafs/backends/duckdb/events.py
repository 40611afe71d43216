"""Questions in numbers, and the events that bear on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from astrafs.backends.duckdb.builder import Builder
from astrafs.backends.duckdb.layers import Layers
from astrafs.backends.duckdb.lookups import attach, lookups_in
from astrafs.backends.duckdb.names import ident, sql_type
from astrafs.backends.duckdb.request_rows import request_rows
from astrafs.backends.duckdb.rows import row_label, row_relation
from astrafs.builtins.aggregates import AGGREGATES
from astrafs.builtins.spec import AggregateFunction, Class, Order
from astrafs.plan import ir
from astrafs.plan.tree import conditions, walk
from astrafs.record import dataclass
from astrafs.typesys import Kind, Type
from astrafs.values.errors import MARK, SUM_RANGE
from astrafs.values.numbers import SUM_LIMIT


@dataclass(frozen=True, slots=True)
class Questions:
    """Numbered questions: ``relation`` has ``"@q"`` (from 0, in key and time order), ``"@kid"``,
    ``"@t"``.

    ``keys`` has ``"@kid"``, the key parts ``"@k0"``, ... and ``"@end"``, the number after the
    key's last question. ``moments`` has the first question of each key and time. ``fields`` are the
    key columns or request fields of the questions, in the order of ``"@k0"``, ...
    """

    relation: str
    keys: str
    parts: int
    moments: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Input:
    """An aggregate with the columns of the event relation that feed it.

    The ``values`` and the key ``by`` are null on rows where the condition ``present`` (a column of
    booleans, None: every row) is not true; a row takes part iff they are not null. ``cut`` is the
    column that is true on the rows that its ``since last`` window looks for. ``rank`` is the
    row's place in the order by which ``argmin`` and ``argmax`` pick.
    """

    aggregate: ir.Aggregate
    values: tuple[str, ...]
    present: str | None
    cut: str = ""
    by: str = ""
    rank: str = ""

    @property
    def row(self) -> AggregateFunction:
        """What is known of the aggregate."""
        return AGGREGATES[self.aggregate.function]

    @property
    def types(self) -> tuple[Type, ...]:
        """The types of the arguments, of the elements where these are the inputs."""
        types = tuple(arg.type for arg in self.aggregate.args)
        if not self.aggregate.each:
            return types
        inputs = self.row.inputs
        return (*(type_.parts[0] for type_ in types[:inputs]), *types[inputs:])

    @property
    def constants(self) -> tuple[ir.Value, ...]:
        """The values of the arguments that are literals, None for the others."""
        args = self.aggregate.args
        return tuple(arg.value if isinstance(arg, ir.Literal) else None for arg in args)

    @property
    def prepare(self) -> str:
        """What is computed once per row, '' for nothing."""
        return self.row.prepare(self.types, self.constants) if self.row.prepare else ""

    @property
    def adds_vectors(self) -> bool:
        """Whether it goes over vectors number by number; others take them as values."""
        vectors = any(type_.kind is Kind.VECTOR for type_ in self.types)
        return vectors and self.row.kind is Class.INVERTIBLE and self.row.name != "count"

    @property
    def is_paired(self) -> bool:
        """Whether the rows of each window have to be gathered."""
        node, row = self.aggregate, self.row
        by_value = node.each and row.order is not Order.ROWS
        return row.kind is Class.PAIRED or node.by is not None or self.adds_vectors or by_value

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the aggregate reads of a run."""
        found = list(self.values)
        if self.present is not None and (not self.values or self.row.keep_nulls):
            found.append(self.present)
        found += [name for name in (self.by, self.rank) if name]
        if self.is_paired or self.row.kind is Class.ORDERED:
            found.append("@ord")
        if self.is_paired or "{e}" in self.prepare:
            found.append("@e")
        return tuple(found)

    def condition(self) -> str:
        """SQL that is true on the rows that take part, '' where all do."""
        parts = [self.by] if self.by else []
        if not self.row.keep_nulls:
            parts += self.values
        tests = [f"{ident(part)} IS NOT NULL" for part in parts]
        if self.present is not None and (not self.values or self.row.keep_nulls):
            tests.append(ident(self.present))
        return " AND ".join(tests)


def events_of(
    build: Builder, questions: Questions, group: list[ir.Aggregate], subject: str
) -> tuple[str, list[Input]]:
    """Make the event relation: rows of asked-for keys with ``"@kid"``, ``"@e"``, ``"@k"``,
    ``"@ord"`` and inputs.
    """
    rows, inputs, items, comment = _rows_of(build, questions, group, subject)
    head, order = group[0], ""
    own = ', r."@own"' if head.request else ""
    if needs_order(inputs):
        keys = "".join(f", r.{ident(name)}" for name in build.order(head.rows))
        order = f', row_number() OVER (ORDER BY r."@e"{keys}) AS "@ord"'
        inputs = [_ranked(entry, keys, items) for entry in inputs]
    listed = "".join(f", {item}" for item in items)
    until = ', r."@until"' if "@until" in build.hidden(head.rows) else ""
    sql = f'SELECT r."@kid", r."@e", r."@k"{until}{own}{order}{listed}\nFROM {rows} r'
    return build.step(f"events {head.rows}", sql, comment), inputs


def loose_events(
    build: Builder, questions: Questions, group: list[ir.Aggregate], subject: str
) -> tuple[str, list[Input], tuple[str, ...]]:
    """Return a query of the rows of asked-for keys, ``"@kid"``, ``"@e"`` and inputs, in any order,
    and the columns that order rows of one time, none where places do not matter.
    """
    rows, inputs, items, _ = _rows_of(build, questions, group, subject)
    keys = build.order(group[0].rows) if needs_order(inputs) else ()
    names = tuple(f"@by {name}" for name in keys)
    items = [
        f"r.{ident(key)} AS {ident(name)}" for key, name in zip(keys, names, strict=True)
    ] + items
    listed = "".join(f", {item}" for item in items)
    return f'SELECT r."@kid", r."@e"{listed}\nFROM {rows} r', inputs, names


def _rows_of(
    build: Builder, questions: Questions, group: list[ir.Aggregate], subject: str
) -> tuple[str, list[Input], list[str], str]:
    """Return SQL for the rows of asked-for keys, the inputs, the items that select them from the
    rows as ``r``, and a comment.
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
            tuple(column(arg, node.where) for arg in node.args[: AGGREGATES[node.function].inputs]),
            None if node.where is None else column(node.where),
            column(node.window.condition) if isinstance(node.window, ir.SinceWindow) else "",
            "" if node.by is None else column(node.by, node.where),
        )
        for node in group
    ]
    limited = {
        entry.values[place]: entry.aggregate.args[place].type
        for entry in inputs
        for place in entry.row.summed
        if _has_floats(entry.aggregate.args[place].type)
    }
    rows = layers.rows(f"({asked})")
    label = row_label(build, head.rows)
    if head.request:
        wanted = {
            name: (expr, "" if where is None else named[where, None])
            for (expr, where), name in named.items()
        }
        fields = questions.fields
        requests = request_rows(build, questions.relation, fields, head, wanted, comment)
        rows = f"(SELECT * FROM {rows}\nUNION ALL BY NAME\n{requests})"
        label = f"coalesce({label}, 'the request')"
    items = []
    for name in named.values():
        value = f"r.{ident(name)}"
        if name in limited:
            value = _within_limit(value, limited[name], f"' in {head.rows}, row with ' || {label}")
        items.append(f"{value} AS {ident(name)}")
    return rows, inputs, items, comment


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


def needs_order(inputs: Sequence[Input]) -> bool:
    """Whether the places of rows in (event time, key) order matter to any of them."""
    ordered = ir.LastWindow | ir.SinceWindow | ir.SessionWindow
    return any(
        "@ord" in entry.columns or isinstance(entry.aggregate.window, ordered) for entry in inputs
    )


def _ranked(entry: Input, keys: str, items: list[str]) -> Input:
    """Give an aggregate that picks by its second input the column of the rows' places."""
    order = entry.row.order
    if order is Order.ROWS or entry.is_paired:
        return entry
    rank = f"{entry.values[1]} {order.name.lower()}"
    falling = " DESC" if order is Order.FALLING else ""
    item = (
        f"row_number() OVER (ORDER BY r.{ident(entry.values[1])}{falling}, "
        f'r."@e"{keys}) AS {ident(rank)}'
    )
    if item not in items:
        items.append(item)
    return replace(entry, rank=rank)


def _has_floats(type_: Type) -> bool:
    """Whether floats of the type enter sums: the value, its elements, or those of a vector."""
    if type_.kind is Kind.LIST:
        return _has_floats(type_.parts[0])
    return type_.kind in (Kind.FLOAT, Kind.VECTOR)


def _within_limit(value: str, type_: Type, place: str) -> str:
    size = f"abs({value})"
    if type_.kind is not Kind.FLOAT:
        elements = f"{value}::{sql_type(type_.parts[0])}[]" if type_.parts else f"{value}::FLOAT[]"
        if type_.parts and type_.parts[0].kind is Kind.VECTOR:
            elements = f"flatten(list_transform({value}, lambda v: v::FLOAT[]))"
        size = f"coalesce(list_max(list_transform({elements}, lambda x: abs(x))), 0)"
    message = f"'{MARK}|{SUM_RANGE}|' || {value}::VARCHAR || {place}"
    return (
        f"CASE WHEN {value} IS NULL OR {size} < {SUM_LIMIT!r}::DOUBLE THEN {value} "
        f"ELSE error({message}) END"
    )
