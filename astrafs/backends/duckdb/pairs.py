"""Aggregates that need the values of a window side by side: the rows of each window are gathered.

A run of questions is taken apart into its questions, the rows are grouped per question (and per key
of ``by``), and an SQL aggregate makes the value. Only rows that take part are paired, and where an
aggregate looks at the latest or earliest n rows only, a row is paired with no question where n
later or earlier ones are in the window too.
"""

from __future__ import annotations

from collections.abc import Sequence

from astrafs.backends.duckdb.builder import Builder
from astrafs.backends.duckdb.events import Input, Questions
from astrafs.backends.duckdb.names import ident, sql_type
from astrafs.backends.duckdb.runs import Runs, arrival_of
from astrafs.builtins.spec import Class, Order
from astrafs.plan import ir
from astrafs.plan.text import expression_text
from astrafs.record import dataclass
from astrafs.typesys import Kind, Type

_STRIDE = 1024
"""Questions that a run is taken apart into at a time: bounds the memory of one batch."""

_PLACES = 1 << 32
"""Elements of a list that have places of their own in the order of rows."""


def by_shape(inputs: Sequence[Input]) -> list[list[Input]]:
    """Group the aggregates whose rows are gathered alike."""
    found: dict[object, list[Input]] = {}
    for entry in inputs:
        row = entry.row
        bounds = tuple(
            None if bound is None else bound(entry.constants)
            for bound in (row.latest, row.earliest)
        )
        shape = (
            *(entry.values, entry.present, entry.by, entry.aggregate.each, entry.prepare, bounds),
            *(_per_value(entry), row.newest, row.keep_nulls, _cells(entry), entry.adds_vectors),
            _is_counted(entry),
        )
        found.setdefault(shape, []).append(entry)
    return list(found.values())


def filled(text: str, entry: Input, prepared: str = "") -> str:
    """Fill the holes of a text of the aggregate's row."""
    for place, value in enumerate(entry.values):
        text = text.replace(f"{{{place}}}", ident(value))
    text = text.replace("{e}", '"@e"').replace("{t}", '"@t"').replace("{newest}", '"@newest"')
    return text.replace("{p}", prepared)


def shown(build: Builder, node: ir.Aggregate) -> str:
    """Name the features that an aggregate is for, and say what it computes."""
    readers = ", ".join(build.readers.get(node, ()))
    return f"{readers} = {expression_text(node)}"


def element_runs(runs: Runs, entry: Input) -> str:
    """Return SQL for the runs of the elements of the aggregate's lists, in the order of rows and
    then of elements.
    """
    lists = [ident(value) for value in dict.fromkeys(entry.values)]
    place = f"generate_subscripts({lists[0]}, 1)"
    rest = [
        ident(name)
        for name in entry.columns
        if name not in (*entry.values, "@ord") and name != entry.present
    ]
    columns = ['"@kid"', '"@from"', '"@to"', *rest, *(f"unnest({one}) AS {one}" for one in lists)]
    if "@ord" in entry.columns:
        columns.append(f'"@ord" * {_PLACES} + {place} AS "@ord"')
    if entry.present is not None:
        columns.append(f"TRUE AS {ident(entry.present)}")
    inner = f"(\n{runs.sql})" if runs.sql else runs.relation
    # Lists are null where the condition is not true, and then have no elements.
    return f"SELECT {', '.join(columns)}\nFROM {inner}"


def element_of(picked: str, column: str) -> tuple[str, str]:
    """Return SQL for the row and the element that the place ``picked`` means."""
    return f"{picked} // {_PLACES}", f"list_extract({column}, {picked} % {_PLACES})"


@dataclass(slots=True)
class _Layers:
    """Named subqueries, each over the one before."""

    clauses: list[str]
    last: str

    def add(self, name: str, sql: str) -> None:
        """Add a subquery; ``{}`` in its text is the one before."""
        self.clauses.append(f"{name} AS (\n  {sql.replace('{}', self.last)})")
        self.last = name


def gather(
    build: Builder,
    questions: Questions,
    runs: Runs,
    shape: Sequence[Input],
    names: dict[ir.Aggregate, str],
    subject: str,
) -> str:
    """Make the relation of ``"@q"`` and the values of aggregates of one shape."""
    sql = _gathered(build, questions, runs, shape, names)
    made = build.step("gathered", sql, f"{subject}: rows gathered per question")
    columns = ",\n".join(f"  {_filled_up(one, names)}" for one in shape)
    # A step of its own: the engine casts lists fresh from an aggregate to arrays wrongly.
    return build.step(
        "answered",
        f'SELECT q."@q",\n{columns}\nFROM {questions.relation} q LEFT JOIN {made} g USING ("@q")',
        f"{subject}: for every question",
    )


def _gathered(
    build: Builder,
    questions: Questions,
    runs: Runs,
    shape: Sequence[Input],
    names: dict[ir.Aggregate, str],
) -> str:
    """Return SQL for the values of the questions that have a row that takes part."""
    entry = shape[0]
    row = entry.row
    key = ', "@by"' if entry.by else ""
    first = f"taken AS (\n  {_taken(runs, entry)})"
    layers = _Layers([first] if not runs.sql else [f"runs AS (\n{runs.sql})", first], "taken")
    if entry.aggregate.each:
        _unnest(layers, entry)
    if entry.adds_vectors:
        # Before the questions: the engine mixes up arrays and lists that pass an `unnest`.
        value = ident(entry.values[0])
        layers.add(
            "numbers",
            f"SELECT * REPLACE (unnest({value}::FLOAT[])::DOUBLE AS {value}),\n"
            f'    generate_subscripts({value}::FLOAT[], 1) AS "@place"\n  FROM {{}}',
        )
    if row.cells is not None:
        value = ident(entry.values[0])
        cells = filled(row.cells(entry.types), entry)
        layers.add("cells", f"SELECT * REPLACE (unnest({cells}) AS {value})\n  FROM {{}}")
    _bound(layers, build, entry, key)
    layers.add(
        "strides",
        f'SELECT r.*, unnest(range("@from", coalesce("@to", k."@end"), {_STRIDE})) AS "@step",\n'
        f'    coalesce("@to", k."@end") AS "@until"\n'
        f'  FROM {{}} r JOIN {questions.keys} k USING ("@kid")',
    )
    layers.add(
        "pairs",
        f'SELECT * EXCLUDE ("@step", "@until", "@from", "@to"),\n'
        f'    unnest(range("@step", least("@step" + {_STRIDE}, "@until"))) AS "@q"\n  FROM {{}}',
    )
    if row.newest:
        layers.add(
            "dated",
            f'SELECT *, max("@e") OVER (PARTITION BY "@q"{key}) AS "@newest"\n  FROM {{}}',
        )
    elif "{t}" in entry.prepare:
        layers.add(
            "dated",
            f'SELECT p.*, q."@t"\n  FROM {{}} p JOIN {questions.relation} q USING ("@q")',
        )
    if entry.prepare:
        layers.add("prepared", f'SELECT *, {filled(entry.prepare, entry)} AS "@p"\n  FROM {{}}')
    if _per_value(entry):
        value = ident(entry.values[0])
        layers.add(
            "counted",
            f'SELECT "@q"{key}, {value}, count(*) AS "@n", max("@ord") AS "@ord"\n'
            f'  FROM {{}} GROUP BY "@q"{key}, {value}',
        )
    _group(layers, build, shape, names, key)
    *clauses, last = layers.clauses
    final = last.split(" AS (\n  ", 1)[1].removesuffix(")")
    return "WITH " + ",\n".join(clauses) + f"\n{final}"


def _is_counted(entry: Input) -> bool:
    """Whether of the values nothing matters but that they are there."""
    return entry.aggregate.function == "count" and not entry.aggregate.each


def _taken(runs: Runs, entry: Input) -> str:
    """The rows that take part, with the columns that are read of them."""
    counted = _is_counted(entry)
    values = dict.fromkeys(
        f"TRUE AS {ident(name)}" if counted else ident(name) for name in entry.values
    )
    columns = ['"@kid"', '"@from"', '"@to"', '"@ord"', '"@e"', *values]
    by = f', {ident(entry.by)} AS "@by"' if entry.by else ""
    where = entry.condition()
    return f"SELECT {', '.join(columns)}{by}\n  FROM {runs.relation}" + (
        f" WHERE {where}" if where else ""
    )


def _unnest(layers: _Layers, entry: Input) -> None:
    lists = [ident(value) for value in dict.fromkeys(entry.values)]
    unnested = ", ".join(f"unnest({one}) AS {one}" for one in lists)
    layers.add(
        "elements",
        f'SELECT * REPLACE ("@ord" * {_PLACES} + generate_subscripts({lists[0]}, 1) AS "@ord",\n'
        f"    {unnested})\n  FROM {{}}",
    )
    if not entry.row.keep_nulls:
        present = " AND ".join(f"{one} IS NOT NULL" for one in lists)
        layers.add("present", f"SELECT * FROM {{}} WHERE {present}")


def _bound(layers: _Layers, build: Builder, entry: Input, key: str) -> None:
    """Cut each run to the questions where the row may be among the latest or earliest n."""
    row, window = entry.row, entry.aggregate.window
    arrival = arrival_of(build, entry.aggregate.rows)
    if isinstance(window, ir.SessionWindow) or arrival.revised or entry.aggregate.request:
        return  # rows may come and go, so that later ones need not be there
    order = f'(PARTITION BY "@kid"{key} ORDER BY "@ord"'
    if row.latest is not None:
        count = row.latest(entry.constants)
        if arrival.ordered:
            pushed = f'lead("@from", {count}) OVER {order})'
        else:
            later = f"{order} ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)"
            pushed = f'list_extract(min("@from", {count}) OVER {later}, {count})'
        layers.add("pushed", f'SELECT *, {pushed} AS "@pushed"\n  FROM {{}}')
        layers.add(
            "latest",
            'SELECT * EXCLUDE ("@pushed") REPLACE (least("@to", "@pushed") AS "@to")\n'
            '  FROM {} WHERE "@pushed" IS NULL OR "@from" < "@pushed"',
        )
    if row.earliest is not None and arrival.ordered:
        count = row.earliest(entry.constants)
        layers.add(
            "held",
            f'SELECT *, lag(coalesce("@to", {2**62}), {count}) OVER {order}) AS "@held"\n'
            f"  FROM {{}}",
        )
        layers.add(
            "earliest",
            'SELECT * EXCLUDE ("@held") REPLACE (greatest("@from", "@held") AS "@from")\n'
            f'  FROM {{}} WHERE "@held" IS NULL OR "@held" < coalesce("@to", {2**62})',
        )


def _group(
    layers: _Layers,
    build: Builder,
    shape: Sequence[Input],
    names: dict[ir.Aggregate, str],
    key: str,
) -> None:
    """Make one row per question of the gathered rows."""
    place = ', "@place"' if shape[0].adds_vectors else ""
    values = ",\n".join(
        f"    -- {shown(build, one.aggregate)}\n    {_value(one)} AS {ident(names[one.aggregate])}"
        for one in shape
    )
    layers.add(
        "grouped", f'SELECT "@q"{key}{place},\n{values}\n  FROM {{}} GROUP BY "@q"{key}{place}'
    )
    columns = [ident(names[one.aggregate]) for one in shape]
    if place:
        listed = ", ".join(f'list({name} ORDER BY "@place") AS {name}' for name in columns)
        layers.add("vectors", f'SELECT "@q"{key}, {listed}\n  FROM {{}} GROUP BY "@q"{key}')
    if key:
        listed = ", ".join(
            f'map(list("@by" ORDER BY "@by"), list({name} ORDER BY "@by")) AS {name}'
            for name in columns
        )
        layers.add("maps", f'SELECT "@q", {listed}\n  FROM {{}} GROUP BY "@q"')


def _inner(type_: Type, mapped: bool) -> Type:
    return type_.parts[1] if mapped else type_


def _value(entry: Input) -> str:
    """The SQL aggregate over the rows of one window (and key)."""
    row, types = entry.row, entry.types
    result = _inner(entry.aggregate.type, bool(entry.by))
    inputs = tuple(ident(value) for value in entry.values)
    match row.kind:
        case Class.PAIRED:
            assert row.gather is not None
            return row.gather(inputs, types, entry.constants, result).replace("{p}", '"@p"')
        case Class.SEMIGROUP:
            return f"{row.merge}({inputs[0]})"
        case Class.ORDERED if row.order is Order.ROWS:
            if types[0].is_nested:  # the engine's function takes a list for a bool, at times
                return f"""arg_{row.merge}({{'v': {inputs[0]}}}, "@ord").v"""
            return f'arg_{row.merge}_null({inputs[0]}, "@ord")'
        case Class.ORDERED:
            falling = row.order is Order.FALLING
            function, sign = ("arg_min", "-") if falling else ("arg_max", "")
            return f'{function}({inputs[0]}, row({inputs[1]}, {sign}"@ord"))'
        case Class.INVERTIBLE if entry.adds_vectors:
            count = "count(*)" if entry.aggregate.function == "mean" else "1"
            whole = f"sum(trunc({inputs[0]})::HUGEINT)"
            rest = f"sum((({inputs[0]} - trunc({inputs[0]})) * {2**86}::DOUBLE)::HUGEINT)"
            return f"af_single({whole}, {rest}, {count}::HUGEINT)"
        case Class.INVERTIBLE | Class.DISTINCT:
            assert row.states is not None
            assert row.finish is not None
            states = (filled(text, entry, '"@p"') for text in row.states(types))
            totals = tuple(f"sum({state})" for state in states)
            return row.finish(totals, types, result, entry.constants)


def _filled_up(entry: Input, names: dict[ir.Aggregate, str]) -> str:
    """The column of an answer, with the value for no rows."""
    name, type_ = ident(names[entry.aggregate]), entry.aggregate.type
    kind = sql_type(type_)
    match type_.kind:
        case Kind.MAP:
            keys, values = map(sql_type, type_.parts)
            empty = f"map([]::{keys}[], []::{values}[])"
        case Kind.LIST:
            empty = "[]"
        case Kind.VECTOR if not type_.nullable:
            empty = f"list_resize([]::FLOAT[], {type_.precision}, 0)::{kind}"
        case _ if type_.nullable:
            return f"g.{name}::{kind} AS {name}"
        case _:
            empty = _of_nothing(entry)
    return f"coalesce(g.{name}, {empty})::{kind} AS {name}"


def _of_nothing(entry: Input) -> str:
    return str(entry.row.empty).upper()


def _per_value(entry: Input) -> bool:
    return entry.row.per_value or entry.row.kind is Class.DISTINCT


def _cells(entry: Input) -> str:
    return entry.row.cells(entry.types) if entry.row.cells else ""
