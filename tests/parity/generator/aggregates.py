"""Random calls of aggregates: one or two inputs, constants, ``each`` and ``by``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from astrafs.builtins.aggregates import AGGREGATES
from astrafs.builtins.aggregates.rules import is_plain, typed
from astrafs.builtins.spec import AggregateFunction, Mismatch
from astrafs.typesys import DURATION, FLOAT, INT, Kind, Type
from tests.parity.expressions import Ex, pick
from tests.parity.generator.builder import Builder

_COUNTS = (1, 2, 2, 3, 5, 40)
_SHARES = (0, 1, 0.0, 0.1, 0.25, 0.333, 0.5, 0.75, 0.95, 0.999)
_SPANS = ("1us", "1s", "90m", "1d", "100d")
_DURATIONS = {"1us": 1, "1s": 10**6, "90m": 5400 * 10**6, "1d": 86400 * 10**6}


def call(b: Builder, pool: Sequence[Ex], grown: Sequence[Ex], where: str) -> Ex | None:
    """Return ``agg(x where cond) by key`` without its window, None where nothing fits.

    ``pool`` are columns, ``grown`` expressions over them.
    """
    rng = b.rng
    function = rng.choice(tuple(AGGREGATES.values()))
    by = _key(b, pool, grown) if b.chance(0.25) else None
    if function.name == "count" and b.chance(0.4):
        return _made(b, function, (), (), where, by, each=False)
    constants = _constants(b, function)
    each = b.chance(0.25)
    lists = [one for one in pool if one.column and one.type.kind is Kind.LIST]
    inputs: list[Ex] = []
    for _ in range(function.inputs):
        choices = lists if each else grown
        found = pick(rng, choices, lambda kind: _accepts(function, inputs, kind, constants, each))
        if found is None:
            return None
        inputs.append(found)
    return _made(b, function, tuple(inputs), constants, where, by, each=each)


def family(b: Builder, pool: Sequence[Ex]) -> list[Ex]:
    """Return calls that share column, condition and key, and differ in what they compute of it:
    where an engine shares work, it must not share too much.
    """
    rng = b.rng
    by = _key(b, pool, pool) if b.chance(0.6) else None
    column = rng.choice(pool)
    each = column.type.kind is Kind.LIST and b.chance(0.7)
    asked = pick(rng, pool, lambda kind: kind.kind is Kind.BOOL) if b.chance(0.3) else None
    where = f" where {asked.text}" if asked is not None else ""
    functions = rng.sample(tuple(AGGREGATES.values()), 8)
    made: list[Ex] = []
    for function in (AGGREGATES["count"], *functions):
        inputs = (column,) * function.inputs
        constants = _constants(b, function)
        called = _made(b, function, inputs, constants, where, by, each=each)
        if called is not None:
            made.append(called)
    rng.shuffle(made)
    b.tag("aggregate.family")
    return made


def _key(b: Builder, pool: Sequence[Ex], grown: Sequence[Ex]) -> Ex | None:
    """Return what an aggregate is grouped by."""
    source = pool if b.chance(0.7) else grown
    return pick(b.rng, source, lambda kind: is_plain(kind) and not _composite(kind))


def _composite(kind: Type) -> bool:
    return kind.kind is Kind.KEY and len(kind.parts) != 1


def _constants(b: Builder, function: AggregateFunction) -> tuple[tuple[str, Type, Any], ...]:
    """Return the constant arguments: text, type and value."""
    rng = b.rng
    match function.params.split(", ")[-1]:
        case "n":
            count = rng.choice(_COUNTS)
            return ((str(count), INT, count),)
        case "share":
            share = rng.choice(_SHARES)
            return ((str(share), INT if isinstance(share, int) else FLOAT, share),)
        case "half_life":
            text = rng.choice(_SPANS)
        case _ if function.name == "slope" and b.chance(0.8):
            text = rng.choice(_SPANS)
        case _:
            return ()
    return ((text, DURATION, _DURATIONS.get(text, 100 * 86400 * 10**6)),)


def _signature(
    function: AggregateFunction,
    types: tuple[Type, ...],
    constants: Sequence[tuple[str, Type, Any]],
    by: Type | None,
    each: bool,
) -> Type | None:
    given = (*types, *(kind for _, kind, _ in constants))
    values = (*(None for _ in types), *(value for _, _, value in constants))
    try:
        return typed(function, given, values, by=by, each=each).result
    except Mismatch:
        return None


def _accepts(
    function: AggregateFunction,
    before: Sequence[Ex],
    kind: Type,
    constants: Sequence[tuple[str, Type, Any]],
    each: bool,
) -> bool:
    """Whether ``kind`` fits as the next input (the missing ones being like it)."""
    if _composite(kind):
        return False
    types = [one.type for one in before] + [kind] * (function.inputs - len(before))
    return _signature(function, tuple(types), constants, None, each) is not None


def _made(
    b: Builder,
    function: AggregateFunction,
    inputs: tuple[Ex, ...],
    constants: Sequence[tuple[str, Type, Any]],
    where: str,
    by: Ex | None,
    *,
    each: bool,
) -> Ex | None:
    types = tuple(one.type for one in inputs)
    kind = _signature(function, types, constants, by.type if by is not None else None, each)
    if kind is None:
        return None
    if not inputs:
        b.tag("agg.count_rows")
    b.tag(f"agg.{function.name}")
    for one in inputs:
        b.tag(f"agg.{function.name}.{one.type.kind}")
    if each:
        b.tag("aggregate.each")
    if by is not None:
        b.tag("aggregate.by")
    texts = [f"each {one.text}" if each else one.text for one in inputs]
    listed = ", ".join([*texts, *(text for text, _, _ in constants)])
    key = ""
    if by is not None:
        key = f" by {by.text if by.column else f'({by.text})'}"
    uses = frozenset[str]().union(*(one.uses for one in (*inputs, *([by] if by else ()))))
    text = f"{function.name}({listed}{where if listed else where.strip()}){key}"
    return Ex(text, kind, uses, False, depth=1)
