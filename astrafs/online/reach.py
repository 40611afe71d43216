"""How far back questions reach: which rows of a group can still matter at a time."""

from __future__ import annotations

from collections.abc import Iterator

from astrafs.online.engine import Engine
from astrafs.online.groups import Shape, window_reach
from astrafs.plan import ir
from astrafs.plan.tree import children, walk

NEVER = 1 << 62
"""A reach without bound."""


def reaches(engine: Engine) -> dict[Shape, int]:
    """Return, per group, how long before the time of a question to a view an event may lie that
    some window still holds (microseconds; ``NEVER``: any time).

    What is looked up of another entity is asked at the row's own time, so it reaches further back
    by the reach of the rows that look it up.
    """
    found = dict.fromkeys(engine.shapes, 0)
    seen: dict[ir.FeatureId, int] = {}
    features = {feature.id: feature.expression for feature in engine.plan.features}
    outputs = [output.expression for view in engine.plan.views for output in view.outputs]
    waiting = [(expr, 0) for expr in outputs]
    while waiting:
        expr, lag = waiting.pop()
        for node in walk(expr):
            match node:
                case ir.FeatureRef(feature=named):
                    asked = lag
                case ir.EntityLookup(feature=named, offset=offset):
                    asked = _sum(lag, offset)
                case ir.Aggregate():
                    shape = engine.aggregate(node).shape
                    reach = window_reach(node.window)
                    back = _sum(lag, NEVER if reach is None else reach)
                    found[shape] = max(found[shape], back)
                    if not shape.local:
                        waiting += [(one, back) for one in row_lookups(engine, node)]
                    continue
                case _:
                    continue
            if seen.get(named, -1) < asked:
                seen[named] = asked
                waiting.append((features[named], asked))
    return found


def row_lookups(engine: Engine, node: ir.Aggregate) -> Iterator[ir.EntityLookup]:
    """Yield the features of other entities that are looked up per row of an aggregate."""
    for expr in (*children(node), *engine.rows.expressions(node.rows)):
        for part in walk(expr):
            if isinstance(part, ir.EntityLookup):
                yield part


def _sum(lag: int, more: int) -> int:
    return min(NEVER, lag + more)
