"""The reference page of all builtins, rendered from their rows: ``python -m
astrafs.builtins.document``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from astrafs.builtins.aggregates import AGGREGATES
from astrafs.builtins.registry import FUNCTIONS, UNARY
from astrafs.builtins.spec import AggregateFunction, Class, Example, Function, Nulls
from astrafs.typesys import duration_text

_GROUPS = {
    "operators": "Operators",
    "nulls": "Nulls",
    "casts": "Casts",
    "math": "Mathematics",
    "text": "Text",
    "lists": "Lists, and what strings, lists and maps share",
    "maps": "Maps",
    "vectors": "Vectors",
    "time": "Time",
}

_HEAD = """\
# Builtin functions

This page is generated from the rows in `astrafs/builtins` by `python -m
astrafs.builtins.document`; a test keeps it current. Every example here is run by the tests, on the
reference interpreter and in DuckDB.

Unless it says otherwise, a null operand gives null. Results have the same bits on every machine:
elementary functions are correctly rounded, and floats are always finite and never -0.0. Times are
shown below as microseconds since 1970-01-01T00:00:00Z, dates as days since 1970-01-01.
"""

_AGGREGATE_HEAD = """\
## Aggregates

`function(x where condition) over window`. Rows on which the condition is not true do not take part,
and null inputs are skipped unless it says otherwise. `function(...) by key` is a map with an entry
per key of the rows that take part and are not skipped, in the order of keys; `function(each xs)`
takes every element of a list column as an input. The rows of the examples lie a second apart, and
the question a second after the last.
"""


_SUPPORT_HEAD = """\
## Support

The reference interpreter computes every builtin by its definition, DuckDB in SQL or in a kernel of
ours where SQL has not the same bits on every machine. Both give the same values, to the last bit.
Every aggregate works over every window, with `where`, `by` and `each`. With `by`, its rows are
gathered whatever its class.
"""

_PLANS = {
    Class.INVERTIBLE: "running totals",
    Class.SEMIGROUP: "blocks of questions",
    Class.ORDERED: "blocks of questions",
    Class.DISTINCT: "running totals of different values",
    Class.PAIRED: "gathered rows",
}


def render() -> str:
    """Return the page as Markdown."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _HEAD
    for group, title in _GROUPS.items():
        yield f"## {title}\n"
        for row in FUNCTIONS.values():
            if row.group == group:
                yield from _function(row)
    yield _AGGREGATE_HEAD
    for aggregate in AGGREGATES.values():
        yield from _aggregate(aggregate)
    yield from _support()


def _support() -> Iterator[str]:
    """The table of builtins and backends."""
    yield _SUPPORT_HEAD
    yield "| builtin | reference | DuckDB |"
    yield "|---|---|---|"
    for row in FUNCTIONS.values():
        if row.group in _GROUPS:
            kernel = f"kernel `{row.kernel}`" if row.kernel else "SQL"
            yield f"| `{usage(row).replace('|', chr(92) + '|')}` | exact | {kernel} |"
    for aggregate in AGGREGATES.values():
        call = f"{aggregate.name}({aggregate.params})"
        yield f"| `{call}` over a window | exact | {_PLANS[aggregate.kind]} |"
    yield ""


def _function(row: Function) -> Iterator[str]:
    yield f"### `{usage(row)}`\n"
    nulls = "" if row.nulls is Nulls.STRICT else f" {row.nulls.value}"
    yield f"{row.doc}{nulls}\n"
    if row.examples:
        yield "```text"
        width = max(len(example.given) for example in row.examples)
        for example in row.examples:
            yield f"{example.given:<{width}}  -> {value_text(example.value)}"
        yield "```\n"


def usage(row: Function) -> str:
    """How a program writes ``row``: ``a + b``, ``x is null``, ``round(x[, digits])``."""
    names = [name.strip() for name in row.params.split(",")]
    match row.name:
        case "if":
            return "if condition then a else b"
        case "in":
            return "x in [a, b, ...]"
        case "is_null" | "is_not_null":
            return f"x {row.symbol}"
        case "coalesce":
            return f"{names[0]} {row.symbol} {names[1]}"
        case _ if row in UNARY.values():
            space = " " if row.symbol.isalpha() else ""
            return f"{row.symbol}{space}{names[0]}"
        case _ if row.symbol:
            return f"{names[0]} {row.symbol} {names[1]}"
        case _:
            return f"{row.name}({row.params})"


def _aggregate(row: AggregateFunction) -> Iterator[str]:
    yield f"### `{row.name}({row.params})`\n"
    yield f"{row.doc} Over an empty window: {value_text(row.empty)}.\n"
    if row.examples:
        yield "```text"
        texts = [_given(row, example) for example in row.examples]
        width = max(map(len, texts))
        for text, example in zip(texts, row.examples, strict=True):
            yield f"{text:<{width}}  -> {value_text(example.value)}"
        yield "```\n"


def _given(row: AggregateFunction, example: Example) -> str:
    """The inputs of an example, one bracket per row where there are several, and its constants."""
    rows = (
        f"({', '.join(map(value_text, one))})" if isinstance(one, tuple) else value_text(one)
        for one in example.given
    )
    kinds = row.params.split(", ")[row.inputs :]
    constants = [
        duration_text(value) if name == "half_life" else value_text(value)
        for name, value in zip(kinds, example.constants, strict=False)
    ]
    return ", ".join([f"[{', '.join(rows)}]", *constants])


def value_text(value: Any) -> str:
    """A value as a program writes it."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        case Decimal():
            return format(value, "f")
        case tuple() if value and all(isinstance(one, tuple) and len(one) == 2 for one in value):
            return "{" + ", ".join(f"{value_text(k)}: {value_text(v)}" for k, v in value) + "}"
        case tuple():
            return "[" + ", ".join(map(value_text, value)) + "]"
        case _:
            return repr(value)


if __name__ == "__main__":
    sys.stdout.write(render())
