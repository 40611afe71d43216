"""Reading columns of any type: lists, maps and vectors element by element, each element as a column
of its own would be read.

In SQL an element is a parameter of a lambda; a level of nesting has names of its own, which no
column has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from astrafs.backends.duckdb.names import sql_type, text
from astrafs.plan.contracts import ElementCheck, element_checks
from astrafs.runtime import conversions
from astrafs.runtime.conversions import JSON, NULL, TEXT, Conversion, Problem, Refusal
from astrafs.typesys import FLOAT, Kind, Type, list_of

_LIST = re.compile(r"(?P<element>.*)\[(?P<length>\d*)\]", re.DOTALL)


def convert(
    type_: Type, physical: str, zone: str, raw: str, prepared: str, depth: int = 0
) -> Conversion | Refusal:
    """Return how to read a column of engine type ``physical`` as ``type_``: see
    :func:`conversions.convert`.
    """
    if not type_.is_nested:
        return conversions.convert(type_, physical, zone, raw, prepared)
    if physical == NULL:
        return Conversion(raw, f"CAST(NULL AS {sql_type(type_)})")
    if physical in (TEXT, "VARCHAR"):
        return _from_text(type_, zone, raw, prepared, depth)
    match type_.kind:
        case Kind.LIST:
            return _list(type_, physical, zone, raw, prepared, depth)
        case Kind.MAP:
            return _map(type_, physical, zone, raw, prepared, depth)
        case _:
            return _vector(type_, physical, zone, raw, prepared, depth)


def element_problems(type_: Type, value: str) -> Iterator[tuple[str, str]]:
    """Yield what may be wrong with the elements of ``value`` (SQL of type ``type_``): the rule, and
    the condition under which it is broken.
    """
    for check in element_checks(type_):
        yield check.text, element_condition(check, value)


def element_condition(check: ElementCheck, value: str) -> str:
    """Return SQL that is true where an element of ``value`` breaks ``check``."""
    return _breaking(check.sides, check.values, value, 0)


def _breaking(
    sides: tuple[str, ...], values: tuple[str, ...] | None, value: str, depth: int
) -> str:
    items = value if sides[0] == "element" else f"map_{sides[0]}s({value})"
    item, _ = _names(depth)
    if len(sides) > 1:
        return _any(items, depth, _breaking(sides[1:], values, item, depth + 1))
    if values is None:
        return _any(items, depth, f"{item} IS NULL")
    return _any(items, depth, f"{item} NOT IN ({', '.join(map(text, values))})")


def _names(depth: int) -> tuple[str, str]:
    return f'"@x{depth}"', f'"@i{depth}"'


def _any(items: str, depth: int, condition: str) -> str:
    """SQL that is true where an element of ``items`` meets ``condition``."""
    item, place = _names(depth)
    return f"len(list_filter({items}, lambda {item}, {place}: {condition})) > 0"


def _from_text(type_: Type, zone: str, raw: str, prepared: str, depth: int) -> Conversion | Refusal:
    """Read JSON in a cell of a CSV file, or in a column of texts."""
    json = f"TRY_CAST({raw} AS JSON)"
    found = convert(type_, JSON, zone, json, prepared, depth)
    if isinstance(found, Refusal):
        return found
    shown = '{"a": 1}' if type_.kind is Kind.MAP else "[1, 2]"
    unread = Problem(f"is JSON text such as {shown}", f"{raw} IS NOT NULL AND {json} IS NULL")
    return Conversion(found.prepare, found.value, (unread, *found.problems))


def _list(
    type_: Type, physical: str, zone: str, raw: str, prepared: str, depth: int
) -> Conversion | Refusal:
    problems: tuple[Problem, ...] = ()
    if physical == JSON:
        items, element = f"TRY_CAST({raw} AS JSON[])", JSON
        problems = (_is_json("array", raw, items),)
    else:
        match = _LIST.fullmatch(physical)
        if match is None:
            return _refused(type_, physical)
        items, element = raw, match["element"]
        if match["length"]:
            items = f"CAST({raw} AS {element}[])"
    return _elements(type_.parts[0], element, zone, items, prepared, depth, "element", problems)


def _elements(
    part: Type,
    physical: str,
    zone: str,
    items: str,
    prepared: str,
    depth: int,
    word: str,
    problems: tuple[Problem, ...] = (),
) -> Conversion | Refusal:
    """Read every element of the list ``items`` (SQL over the raw value)."""
    item, place = _names(depth)
    first = convert(part, physical, zone, item, item, depth + 1)
    later = convert(part, physical, zone, f"({items})[{place}]", item, depth + 1)
    if isinstance(first, Refusal):
        return Refusal(f"of its {word}s: {first.advice}", first.zone)
    assert isinstance(later, Conversion)
    each = tuple(
        Problem(
            f"has {word}s of which each {problem.rule}",
            _any(prepared, depth, problem.condition),
            problem.advice,
        )
        for problem in later.problems
    )
    return Conversion(
        f"list_transform({items}, lambda {item}: {first.prepare})",
        f"list_transform({prepared}, lambda {item}, {place}: {later.value})",
        (*problems, *each),
    )


def _map(
    type_: Type, physical: str, zone: str, raw: str, prepared: str, depth: int
) -> Conversion | Refusal:
    problems: tuple[Problem, ...] = ()
    if physical == JSON:
        whole = f"TRY_CAST({raw} AS MAP(VARCHAR, JSON))"
        kinds = TEXT, JSON
        problems = (_is_json("object, each key once", raw, whole),)
    elif physical.startswith("MAP(") and physical.endswith(")"):
        whole, kinds = raw, map_types(physical)
    else:
        return _refused(type_, physical)
    sides = []
    for part, kind, word in zip(type_.parts, kinds, ("key", "value"), strict=True):
        items, side = f"map_{word}s({whole})", f"{prepared}.{word}s"
        found = _elements(part, kind, zone, items, side, depth, word)
        if isinstance(found, Refusal):
            return found
        sides.append(found)
    keys, values = sides
    # The engine's constructor fails on keys that are null or not unique; those are reported.
    once = f"list_unique({keys.value}) = len({keys.value})"
    entries = f"map_from_entries(list_sort(list_zip({keys.value}, {values.value})))"
    twice = Problem("has every key once, and none that is null", f"NOT ({once})")
    return Conversion(
        f"{{'keys': {keys.prepare}, 'values': {values.prepare}}}",
        f"CASE WHEN {once} THEN {entries} END",
        (*problems, *keys.problems, *values.problems, twice),
    )


def map_types(physical: str) -> tuple[str, str]:
    """Return the types of a map's keys and values, ``physical`` being ``MAP(K, V)``."""
    inside, depth, quote = physical[4:-1], 0, ""
    for place, sign in enumerate(inside):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign in "([":
            depth += 1
        elif sign in ")]":
            depth -= 1
        elif sign == "," and depth == 0:
            return inside[:place].strip(), inside[place + 1 :].strip()
    return inside, NULL


def _vector(
    type_: Type, physical: str, zone: str, raw: str, prepared: str, depth: int
) -> Conversion | Refusal:
    found = _list(list_of(FLOAT.optional()), physical, zone, raw, prepared, depth)
    if isinstance(found, Refusal):
        return _refused(type_, physical) if _LIST.fullmatch(physical) is None else found
    item, _ = _names(depth)
    length = type_.precision
    # Rounded to the nearest float32; the sum makes -0.0 a 0.0.
    singles = (
        f"list_transform({found.value}, lambda {item}: TRY_CAST({item} AS FLOAT) + 0.0::FLOAT)"
    )
    other = Problem(f"has {length:,} numbers", f"len({prepared}) <> {length}")
    missing = Problem(
        "has finite numbers only, in the range of float32",
        _any(singles, depth, f"{item} IS NULL"),
    )
    return Conversion(
        found.prepare,
        f"TRY_CAST(CASE WHEN len({prepared}) = {length} THEN {singles} END AS {sql_type(type_)})",
        (*found.problems, other, missing),
    )


def _is_json(what: str, raw: str, found: str) -> Problem:
    # `raw ->> '$'` is null for a JSON null, which is a null of the column.
    return Problem(f"is a JSON {what}", f"({raw} ->> '$') IS NOT NULL AND {found} IS NULL")


def _refused(type_: Type, physical: str) -> Refusal:
    if _LIST.fullmatch(physical) or physical.startswith("MAP("):
        shapes = {Kind.LIST: "a list", Kind.MAP: "a map"}
        shape = shapes.get(type_.kind, f"a list of {type_.precision:,} floats")
        return Refusal(f"declare what the file holds, or store {shape}")
    refused = conversions.convert(type_, physical, "", "", "")
    assert isinstance(refused, Refusal)
    return refused
