"""Functions of maps, and those that lists, maps, vectors and strings share: ``length``,
``contains``, ``get`` and ``concat``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from astrafs.builtins.rules import dimensionless, guarded, need, strict, unify
from astrafs.builtins.scalars.lists import at, element, position_sql
from astrafs.builtins.scalars.logic import MANY
from astrafs.builtins.spec import Example, Function, Mismatch, Nulls, Signature
from astrafs.typesys import BOOL, FLOAT, INT, PLAIN, STRING, Kind, Type, joined, list_of, map_of

Types = tuple[Type, ...]
Values = tuple[Any, ...]
"""What the keys of a map may be (an entity's key only if it has one part)."""
_TEXT = (Kind.STRING, Kind.ENUM)


def _like(types: Types, constants: Values, index: int, wanted: Type, whose: str) -> Type:
    """Return the type to which argument ``index`` is widened to be compared with ``wanted``."""
    try:
        target = unify((wanted.required(), types[index]), (None, constants[index]), whose=whose)
    except Mismatch as found:
        raise Mismatch(index, found.expected) from None
    if target.required() != wanted.required():
        raise Mismatch(index, f"{wanted.required()}, like {whose}")
    return target.with_null(types[index].nullable)


# --- length, contains, get, concat ----------------------------------------------------------------


def _length_rule(types: Types, _constants: Values) -> Signature:
    kinds = (*_TEXT, Kind.LIST, Kind.MAP, Kind.VECTOR)
    need(types, 0, kinds, "a string, list, map or vector; `string(x)` turns a value into text")
    return strict(types, INT)


def _length_sql(args: tuple[str, ...], types: Types, _result: Type) -> str:
    match types[0].kind:
        case Kind.MAP:
            return f"cardinality({args[0]})::BIGINT"
        case Kind.LIST | Kind.VECTOR:
            return f"len({args[0]})"
        case _:
            return f"length({args[0]})"


def _contains_rule(types: Types, constants: Values) -> Signature:
    if types[0].kind is Kind.LIST:
        wanted = _like(types, constants, 1, element(types), "the elements of the list")
        return strict((types[0], wanted), BOOL)
    need(types, 0, _TEXT, "a string or a list; `has(m, k)` looks for a key of a map")
    need(types, 1, _TEXT, "a string; `string(x)` turns a value into text")
    return strict(types, BOOL)


def _contains(values: Values, _types: Types, _result: Type) -> bool:
    return values[1] in values[0]


def _contains_sql(args: tuple[str, ...], types: Types, _result: Type) -> str:
    name = "list_contains" if types[0].kind is Kind.LIST else "contains"
    return f"{name}({args[0]}, {args[1]})"


def _get_rule(types: Types, constants: Values) -> Signature:
    source = need(types, 0, (Kind.LIST, Kind.MAP, Kind.VECTOR), "a list, a map or a vector")
    if source.kind is Kind.MAP:
        key, value = source.parts
        wanted = _like(types, constants, 1, key, "the keys of the map")
        return strict((source, wanted), value, maybe=True)
    need(types, 1, (Kind.INT,), "an int: a position")
    dimensionless(types, 1)
    part = FLOAT if source.kind is Kind.VECTOR else source.parts[0]
    return strict(types, part, maybe=True)


def _get(values: Values, types: Types, _result: Type) -> Any:
    if types[0].kind is Kind.MAP:
        return dict(values[0]).get(values[1])
    return at(values[0], values[1])


def _get_sql(args: tuple[str, ...], types: Types, _result: Type) -> str:
    match types[0].kind:
        case Kind.MAP:
            return f"list_extract(map_extract({args[0]}, {args[1]}), 1)"
        case Kind.VECTOR:
            return f"list_extract({args[0]}::DOUBLE[], {position_sql(args[1])})"
        case _:
            return f"list_extract({args[0]}, {position_sql(args[1])})"


def _concat_rule(types: Types, _constants: Values) -> Signature:
    if types[0].kind is not Kind.LIST:
        for index in range(len(types)):
            need(types, index, _TEXT, "a string; `string(x)` turns a value into text")
        return strict(types, STRING)
    target: Type | None = types[0].required()
    for index, type_ in enumerate(types):
        target = None if target is None else joined(target, type_.required())
        if target is None:
            raise Mismatch(index, f"{types[0].required()}, like the first list")
    assert target is not None
    return strict([target.with_null(type_.nullable) for type_ in types], target)


def _concat(values: Values, _types: Types, result: Type) -> Any:
    if result.kind is Kind.STRING:
        return "".join(values)
    return tuple(item for items in values for item in items)


def _concat_sql(args: tuple[str, ...], _types: Types, result: Type) -> str:
    if result.kind is Kind.STRING:
        return f"({' || '.join(args)})"
    present = " AND ".join(f"{arg} IS NOT NULL" for arg in args)
    # One call per pair: the engine's function takes two or more, its planner is tested with two.
    joined_ = args[0]
    for arg in args[1:]:
        joined_ = f"list_concat({joined_}, {arg})"
    return f"CASE WHEN {present} THEN {joined_} END"


# --- maps -----------------------------------------------------------------------------------------


def _map(types: Types) -> tuple[Type, Type]:
    key, value = need(types, 0, (Kind.MAP,), "a map").parts
    return key, value


def _has_rule(types: Types, constants: Values) -> Signature:
    key, _ = _map(types)
    return strict((types[0], _like(types, constants, 1, key, "the keys of the map")), BOOL)


def _part_rule(place: int) -> Callable[[Types, Values], Signature]:
    def rule(types: Types, _constants: Values) -> Signature:
        return strict(types, list_of(_map(types)[place]))

    return rule


def _part(place: int) -> Callable[[Values, Types, Type], tuple[Any, ...]]:
    def evaluate(values: Values, _types: Types, _result: Type) -> tuple[Any, ...]:
        return tuple(pair[place] for pair in values[0])

    return evaluate


def _make_rule(types: Types, _constants: Values) -> Signature:
    key = element(types, 0, "a list of keys")
    value = element(types, 1, "a list of values")
    if key.kind not in PLAIN or (key.kind is Kind.KEY and len(key.parts) != 1):
        raise Mismatch(0, "a list of plain values: no lists, maps or vectors")
    return strict(types, map_of(key.required(), value), maybe=True)


def _make(values: Values, _types: Types, _result: Type) -> tuple[tuple[Any, Any], ...] | None:
    keys, items = values
    if len(keys) != len(items) or None in keys or len(set(keys)) != len(keys):
        return None
    return tuple(sorted(zip(keys, items, strict=True), key=lambda pair: pair[0]))


_MAKE_SQL = (
    "CASE WHEN len({0}) = len({1}) AND list_unique({0}) = len({0})"
    " THEN map_from_entries(list_sort(list_zip({0}, {1}))) END"
)
"""Null keys are not counted by ``list_unique``, so a list with one is too short."""


def _row(
    name: str,
    params: str,
    rule: Callable[[Types, Values], Signature],
    counts: tuple[int, int],
    evaluate: Callable[..., Any],
    sql: str | Callable[[tuple[str, ...], Types, Type], str],
    doc: str,
    *examples: Example,
    group: str = "maps",
) -> Function:
    return Function(
        name=name,
        params=params,
        rule=guarded(rule, *counts),
        evaluate=evaluate,
        sql=sql,
        nulls=Nulls.STRICT,
        doc=doc,
        group=group,
        examples=examples,
    )


_MAP = 'map(["b", "a"], [1, 2])'

ROWS = (
    _row(
        "length",
        "x",
        _length_rule,
        (1, 1),
        lambda values, _types, _result: len(values[0]),
        _length_sql,
        "The number of code points of a string, of elements of a list (null ones too), of entries"
        " of a map, of numbers of a vector.",
        Example('length("abc")', 3),
        Example('length("")', 0),
        Example("length([1, null])", 2),
        Example(f"length({_MAP})", 2),
        group="lists",
    ),
    _row(
        "contains",
        "x, part",
        _contains_rule,
        (2, 2),
        _contains,
        _contains_sql,
        "Whether a string has the part somewhere in it, or a list the element.",
        Example('contains("abc", "bc")', True),
        Example('contains("abc", "")', True),
        Example("contains([1, 2, null], 3)", False),
        group="lists",
    ),
    _row(
        "get",
        "x, key",
        _get_rule,
        (2, 2),
        _get,
        _get_sql,
        "The element of a list or vector at a position (from 0; from the end where negative), or"
        " the value of a map for a key; null where there is none.",
        Example("get([10, 20, 30], 0)", 10),
        Example("get([10, 20, 30], -1)", 30),
        Example("get([10, 20, 30], 3)", None),
        Example(f'get({_MAP}, "a")', 2),
        group="lists",
    ),
    _row(
        "concat",
        "a, b, ...",
        _concat_rule,
        (2, MANY),
        _concat,
        _concat_sql,
        "Strings, or lists, one after the other.",
        Example('concat("a", "-", "b")', "a-b"),
        Example("concat([1], [2, null])", (1, 2, None)),
        group="lists",
    ),
    _row(
        "map",
        "keys, values",
        _make_rule,
        (2, 2),
        _make,
        _MAKE_SQL,
        "The map of two lists, entry by entry; null where their lengths differ, a key is null or"
        " stands there twice. Entries are in the order of their keys.",
        Example(f"{_MAP}", (("a", 2), ("b", 1))),
        Example('map(["a", "a"], [1, 2])', None),
    ),
    _row(
        "has",
        "m, key",
        _has_rule,
        (2, 2),
        lambda values, _types, _result: any(key == values[1] for key, _ in values[0]),
        "map_contains({0}, {1})",
        "Whether the map has the key, whatever its value.",
        Example(f'has({_MAP}, "c")', False),
    ),
    _row(
        "keys",
        "m",
        _part_rule(0),
        (1, 1),
        _part(0),
        "map_keys({0})",
        "The keys of a map, in their order.",
        Example(f"keys({_MAP})", ("a", "b")),
    ),
    _row(
        "values",
        "m",
        _part_rule(1),
        (1, 1),
        _part(1),
        "map_values({0})",
        "The values of a map, in the order of their keys.",
        Example(f"values({_MAP})", (2, 1)),
    ),
)
