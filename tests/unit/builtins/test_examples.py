"""Every example in a builtin's row compiles, and gives its value on the reference and in DuckDB."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from astrafs.backends.duckdb.expressions import row_expression
from astrafs.builtins.registry import CALLABLE, FUNCTIONS, INTERNAL
from astrafs.builtins.spec import Example
from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.plan import ir
from astrafs.reference import Question, evaluate_feature
from astrafs.source import SourceFile

PROGRAM = """
owner "tests@example.org"
entity User {{ id: int }}
features for User {{
  ## An example.
  x: {type} = {expression}
}}
"""
TYPES = {
    bool: ("bool?",),
    float: ("float?",),
    str: ("string?",),
    Decimal: ("decimal(5, 0)?", "decimal(5, 2)?"),
    int: ("int?", "date?", "timestamp?", "duration?"),
    type(None): (
        "int?",
        "float?",
        "bool?",
        "string?",
        "map[string, int]?",
        "vector[2]?",
        "date?",
        "timestamp?",
    ),
}


def types_of(value: Any) -> list[str]:
    """The types that an example's value may have, as a program writes them."""
    if not isinstance(value, tuple):
        return list(TYPES[type(value)])
    if value and isinstance(value[0], tuple):
        sides = [types_of(side) for side in value[0]]
        return [f"map[{key.rstrip('?')}, {item}]?" for key in sides[0] for item in sides[1]]
    element = next((item for item in value if item is not None), 0)
    return [*(f"list[{part}]?" for part in types_of(element)), f"vector[{max(len(value), 1)}]?"]


def plain(value: Any) -> Any:
    """A value of the engine as the reference has it."""
    match value:
        case dict():
            return tuple(value.items())
        case list() | tuple():
            return tuple(value)
        case _:
            return value


EXAMPLES = [(row.name, example) for row in FUNCTIONS.values() for example in row.examples]


def compiled(example: Example) -> ir.Plan:
    """The plan of a program with one feature, ``x``, of the first type that the example's value may
    have.
    """
    shown = []
    for type_ in types_of(example.value):
        text = PROGRAM.format(type=type_, expression=example.given)
        sink = Sink()
        program = compile_project([SourceFile("m.afs", text)], sink)
        if program is not None and not sink.has_errors:
            return program.plan
        shown.append([f"{found.code.id} {found.title}: {found.primary}" for found in sink])
    raise AssertionError((example.given, shown))


@pytest.mark.parametrize(
    ("name", "example"), EXAMPLES, ids=[f"{name}: {example.given}" for name, example in EXAMPLES]
)
def test_examples(engine: Any, name: str, example: Example) -> None:
    plan = compiled(example)
    feature = plan.features[0]
    (found,) = evaluate_feature(plan, feature.id, {}, [Question((1,), 0)], 0)
    assert found == example.value
    assert type(found) is type(example.value)
    assert plain(engine.value(row_expression(feature.expression))) == example.value
    del name


def test_every_function_has_an_example() -> None:
    assert {name for name in FUNCTIONS if name not in INTERNAL} == {name for name, _ in EXAMPLES}


def test_what_a_program_may_call() -> None:
    assert "coalesce" in CALLABLE
    assert not {"add", "eq", "to_float", "if", "in", "not"} & set(CALLABLE)
