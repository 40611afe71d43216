"""Random scalar expressions, grown bottom-up.

Every builtin row is tried on whatever the pool holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from astrafs.builtins.scalars.days import UNITS
from astrafs.typesys import BOOL, DURATION, FLOAT, INT, STRING, Kind, Type, list_of, vector_of
from tests.parity import builtin_table, values

ZONES = ("UTC", "Europe/Paris", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")


@dataclass(frozen=True, slots=True)
class Ex:
    """Source text with the type that the checker must find. ``constant`` is a literal's value."""

    text: str
    type: Type
    uses: frozenset[str] = frozenset()
    atom: bool = True
    constant: Any = None
    depth: int = 0
    column: bool = False

    @property
    def operand(self) -> str:
        """The text as an operand."""
        return self.text if self.atom else f"({self.text})"


def constant(value: Any, kind: Type) -> Ex:
    """Return the literal of ``value``."""
    return Ex(values.literal(value, kind), kind, constant=value)


def literals(rng: Random, wild: bool = False) -> list[Ex]:
    """Return a few literals of the common types."""
    found = [
        constant(values.draw(rng, INT, wild=wild), INT),
        constant(rng.choice((0, 1, 2, 3, 7)), INT),
        constant(rng.choice((0.0, 0.5, 1.0, 2.5, 0.1, 1e9)), FLOAT),
        constant(rng.choice(("", "a", "é", "12", "ab")), STRING),
        constant(rng.random() < 0.5, BOOL),
        constant(rng.choice((0, 1_000_000, 3_600_000_000, values.DAY)), DURATION),
        Ex("[1, 2]", list_of(INT), atom=True),
        Ex('["a", "b", "a"]', list_of(STRING), atom=True),
        Ex("vector([0.5, -1.0], 2)", vector_of(2).optional(), atom=True),
    ]
    rng.shuffle(found)
    return found[:4]


def grow(
    rng: Random,
    leaves: Sequence[Ex],
    steps: int,
    tag: Callable[[str], None],
    *,
    depth: int = 4,
) -> list[Ex]:
    """Return ``leaves`` and what ``steps`` random uses of builtins and forms make of them."""
    pool = list(leaves)
    if not pool:
        return pool
    for _ in range(steps):
        made = _special(rng, pool, tag) if rng.random() < 0.3 else _call(rng, pool, tag)
        if made is not None and made.depth <= depth and len(made.text) < 400:
            pool.append(made)
    return pool


def pick(rng: Random, pool: Iterable[Ex], test: Callable[[Type], bool]) -> Ex | None:
    """Return an expression whose type passes ``test``, the deeper ones more often."""
    fitting = [one for one in pool if test(one.type) and not _is_literal(one)]
    if not fitting:
        return None
    return rng.choices(fitting, weights=[1 + 2 * one.depth for one in fitting])[0]


def _is_literal(one: Ex) -> bool:
    return one.constant is not None


def join(text: str, kind: Type, parts: Sequence[Ex], *, atom: bool = False) -> Ex:
    """Return a new expression made of ``parts``."""
    uses = frozenset().union(*(part.uses for part in parts)) if parts else frozenset()
    return Ex(text, kind, uses, atom, None, 1 + max((p.depth for p in parts), default=0))


def _call(rng: Random, pool: Sequence[Ex], tag: Callable[[str], None]) -> Ex | None:
    row = rng.choice(builtin_table.scalars())
    for _ in range(12):
        count = rng.choice(row.arities)
        args = [rng.choice(pool) for _ in range(count)]
        if count > 1 and rng.random() < 0.5:
            kind = args[0].type.kind
            args = [rng.choice([one for one in pool if one.type.kind is kind]) for _ in args]
        if all(_is_literal(arg) for arg in args) and count:
            continue
        made = apply(row, args)
        if made is not None:
            tag(f"fn.{row.name}")
            return made
    return None


def apply(row: builtin_table.Scalar, args: Sequence[Ex]) -> Ex | None:
    """Return the call of ``row`` on ``args``, or None where the types do not fit."""
    kinds = tuple(arg.type for arg in args)
    if any(kind.kind in (Kind.NULL,) for kind in kinds):
        return None
    enums = [kind.values for kind in kinds if kind.kind is Kind.ENUM]
    if enums and any(
        isinstance(arg.constant, str) and arg.constant not in enums[0] for arg in args
    ):
        return None
    result = row.result(kinds, tuple(arg.constant for arg in args))
    if result is None:
        return None
    text = row.render([arg.operand for arg in args], [arg.text for arg in args])
    return join(text, result, args, atom=row.is_call)


def _special(rng: Random, pool: Sequence[Ex], tag: Callable[[str], None]) -> Ex | None:
    match rng.randrange(9):
        case 0:
            return _if(rng, pool, tag)
        case 1:
            return _coalesce(rng, pool, tag)
        case 2:
            operand = rng.choice(pool)
            if _is_literal(operand):
                return None
            word = rng.choice(("is null", "is not null"))
            tag(f"form.{word.replace(' ', '_')}")
            return join(f"{operand.operand} {word}", BOOL, [operand])
        case 3:
            return _in(rng, pool, tag)
        case 4:
            return _zoned(rng, pool)
        case 5:
            return _list(rng, pool, tag)
        case 6 | 7:
            return _of_nested(rng, pool, tag)
        case _:
            return _flow(rng, pool, tag)


def _if(rng: Random, pool: Sequence[Ex], tag: Callable[[str], None]) -> Ex | None:
    conditions = [one for one in pool if one.type.kind is Kind.BOOL and not _is_literal(one)]
    left = rng.choice(pool)
    rights = [one for one in pool if one.type.plain() == left.type.plain()]
    if not conditions or left.type.kind is Kind.ENUM:
        return None
    condition, right = rng.choice(conditions), rng.choice(rights)
    tag("form.if")
    kind = left.type.with_null(left.type.nullable or right.type.nullable)
    text = f"if {condition.text} then {left.operand} else {right.operand}"
    return join(text, kind, [condition, left, right])


def _coalesce(rng: Random, pool: Sequence[Ex], tag: Callable[[str], None]) -> Ex | None:
    left = rng.choice(pool)
    if not left.type.nullable or left.type.kind is Kind.ENUM:
        return None
    rights = [one for one in pool if one.type.plain() == left.type.plain()]
    right = rng.choice(rights)
    if right is left:
        return None
    tag("form.coalesce")
    kind = left.type.with_null(right.type.nullable)
    return join(f"{left.operand} ?? {right.operand}", kind, [left, right])


def _in(rng: Random, pool: Sequence[Ex], tag: Callable[[str], None]) -> Ex | None:
    operand = rng.choice(pool)
    kind = operand.type.required()
    if kind.kind not in (Kind.INT, Kind.STRING, Kind.ENUM, Kind.DATE) or _is_literal(operand):
        return None
    items = list(dict.fromkeys(values.draw(rng, kind) for _ in range(rng.randint(1, 4))))
    word = rng.choice(("in", "not in"))
    tag(f"form.{word.replace(' ', '_')}")
    listed = ", ".join(values.literal(item, kind) for item in items)
    return join(
        f"{operand.operand} {word} [{listed}]", BOOL.with_null(operand.type.nullable), [operand]
    )


def _list(rng: Random, pool: Sequence[Ex], tag: Callable[[str], None]) -> Ex | None:
    first = rng.choice(pool)
    if first.type.kind in (Kind.ENUM, Kind.NULL) or is_composite(first.type):
        return None
    same = [one for one in pool if one.type.plain() == first.type.plain()]
    items = [first, *(rng.choice(same) for _ in range(rng.randint(0, 2)))]
    if all(_is_literal(item) for item in items):
        return None
    element = first.type.with_null(any(item.type.nullable for item in items))
    tag("form.list")
    return join(f"[{', '.join(item.text for item in items)}]", list_of(element), items, atom=True)


def _of_nested(rng: Random, pool: Sequence[Ex], tag: Callable[[str], None]) -> Ex | None:
    """Return a function of a list, map or vector: those that take one are few among all."""
    nested = [one for one in pool if one.type.is_nested]
    if not nested:
        return None
    first = rng.choice(nested)
    rows = [row for row in builtin_table.scalars() if row.is_call]
    rng.shuffle(rows)
    for row in rows:
        count = rng.choice(row.arities)
        for _ in range(4):
            args = [first, *(rng.choice(pool) for _ in range(count - 1))][:count]
            made = apply(row, args)
            if made is not None and (row.name != "hash" or rng.random() < 0.1):
                tag(f"fn.{row.name}")
                return made
    return None


def is_composite(kind: Type) -> bool:
    """Whether ``kind`` is a key of several parts, or of none."""
    return kind.kind is Kind.KEY and len(kind.parts) != 1


def _zoned(rng: Random, pool: Sequence[Ex]) -> Ex | None:
    """Return a calendar function of a time: those that take the name of a zone beside it."""
    times = [
        one for one in pool if one.type.kind in (Kind.TIMESTAMP, Kind.DATE) and not _is_literal(one)
    ]
    if not times:
        return None
    zone, unit = constant(rng.choice(ZONES), STRING), constant(rng.choice(UNITS), STRING)
    args = [rng.choice(times), *rng.choice(((zone,), (unit,), (unit, zone)))]
    made = (apply(row, args) for row in builtin_table.scalars() if row.is_call)
    found = [one for one in made if one is not None]
    return rng.choice(found) if found else None


def _flow(rng: Random, pool: Sequence[Ex], tag: Callable[[str], None]) -> Ex | None:
    names = [one for one in pool if one.column and one.type.nullable and one.type.is_numeric]
    if not names:
        return None
    name = rng.choice(names)
    known = Ex(name.text, name.type.required(), name.uses)
    then = rng.choice(
        [
            made
            for row in builtin_table.scalars()
            if row.name in ("add", "mul", "sub")
            for made in [apply(row, [known, constant(2, INT)])]
            if made is not None
        ]
        or [known]
    )
    if then.type.kind is not name.type.kind or then.type != name.type.required():
        then = known
    tag("form.flow")
    if rng.random() < 0.5:
        other = constant(values.draw(rng, name.type.required(), nulls=0), name.type.required())
        text = f"if {name.text} is null then {other.operand} else {then.operand}"
    else:
        other = constant(values.draw(rng, name.type.required(), nulls=0), name.type.required())
        text = f"if {name.text} is not null then {then.operand} else {other.operand}"
    return join(text, name.type.required(), [name, then])
