"""Whether two definitions of a feature give equal values: proved by their form, or tried out."""

from __future__ import annotations

from typing import Any

from astrafs.plan import ir
from astrafs.plan.identity import value_identity
from astrafs.plan.text import timestamp_text
from astrafs.plan.values import value_text
from astrafs.record import dataclass
from astrafs.reference.interpreter import Interpreter
from astrafs.registry.timelines import World, Worlds
from astrafs.typesys import Type
from astrafs.values.bits import bits
from astrafs.values.errors import ValueFailure

_STOPS = object()

CASES = 3_000
"""Questions that two definitions must answer alike before they count as equal so far."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A question that the two answer differently, as text, with the rows that it is about."""

    key: str
    t: str
    as_of: str
    before: str
    after: str
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """``proved`` equal by form; else ``cases`` answered alike until ``difference``, if any.

    ``obstacle`` says why they could not be tried.
    """

    proved: bool = False
    cases: int = 0
    difference: Difference | None = None
    obstacle: str = ""

    def __str__(self) -> str:
        if self.proved:
            return "equal in value: both have one canonical form"
        if self.obstacle:
            return f"not compared: {self.obstacle}"
        if self.difference is None:
            return f"equal on {self.cases} generated cases, which is no proof"
        found = self.difference
        return f"differs: {found.before} became {found.after} for key {found.key} at {found.t}"


def compare_values(
    before: ir.Plan, was: ir.FeatureId, after: ir.Plan, now: ir.FeatureId, *, seed: int = 0
) -> Evidence:
    """Compare feature ``was`` of one plan with ``now`` of another, sources being told by name."""
    if value_identity(before, was) == value_identity(after, now):
        return Evidence(proved=True)
    old, new = _entity(before, was), _entity(after, now)
    if [key.type.plain() for key in old.keys] != [key.type.plain() for key in new.keys]:
        return Evidence(obstacle="the entity has other keys")
    clash = _clashing_column(before, after)
    if clash:
        return Evidence(obstacle=f"column {clash} has another type")
    worlds = Worlds((before, after), new)
    result = next(feature.type for feature in after.features if feature.id == now)
    cases, at = 0, seed
    while cases < CASES and at < seed + CASES:
        world = worlds.make(at)
        at += 1
        one = Interpreter(before, world.data, world.as_of)
        two = Interpreter(after, world.data, world.as_of)
        for key in world.keys:
            for t in world.times:
                cases += 1
                left, right = _answer(one, was, key, t), _answer(two, now, key, t)
                if bits(left) != bits(right):
                    return Evidence(
                        cases=cases, difference=_difference(world, key, t, left, right, result)
                    )
    return Evidence(cases=cases)


def _answer(machine: Interpreter, feature: ir.FeatureId, key: tuple[Any, ...], t: int) -> Any:
    try:
        value = machine.feature(feature, key, t)
    except ValueFailure as failure:
        return (_STOPS, failure.args)
    return value


def _entity(plan: ir.Plan, feature: ir.FeatureId) -> ir.Entity:
    return next(entity for entity in plan.entities if entity.name == feature.entity)


def _clashing_column(before: ir.Plan, after: ir.Plan) -> str:
    old = {
        (source.name, column.name): column.type.plain()
        for source in before.sources
        for column in source.columns
    }
    for source in after.sources:
        for column in source.columns:
            if old.get((source.name, column.name), column.type.plain()) != column.type.plain():
                return f"{source.name}.{column.name}"
    return ""


def _difference(
    world: World, key: tuple[Any, ...], t: int, before: Any, after: Any, result: Type
) -> Difference:
    rows = [
        f"{name}: " + ", ".join(f"{column} = {_cell(value)}" for column, value in row.items())
        for name, found in world.data.items()
        for row in found
    ]
    return Difference(
        ", ".join(map(str, key)) or "none",
        timestamp_text(t),
        timestamp_text(world.as_of),
        _shown(before, result),
        _shown(after, result),
        tuple(rows),
    )


def _shown(value: Any, made: Type) -> str:
    if isinstance(value, tuple) and value[:1] == (_STOPS,):
        return "a stopped run"
    return value_text(value, made)


def _cell(value: Any) -> str:
    is_time = isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**14
    return timestamp_text(value) if is_time else str(value)
