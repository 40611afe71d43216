"""Which views of a program a store serves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.plan import ir
from astrafs.plan.find import find_view
from astrafs.plan.program import Program
from astrafs.plan.prune import prune
from astrafs.plan.tree import walk


def chosen_views(program: Program, names: Sequence[str]) -> tuple[str, ...]:
    """Return the qualified names of the views called ``names``; without any, of all.

    Raises :class:`AstrafsError` for a view that is not there, and where there is none.
    """
    plan = program.plan
    found = [find_view(plan, name).name for name in names] or [view.name for view in plan.views]
    if not found:
        raise AstrafsError(
            codes.NO_VIEWS.nowhere().help("a `view` names the features that are asked for together")
        )
    return tuple(dict.fromkeys(found))


def restricted(program: Program, views: Sequence[str]) -> Program:
    """Return a program with ``views`` alone, and what they need; sources and streams keep all that
    they declare, as rows are judged and known by it.

    Views that the program does not have any more are passed over.
    """
    plan = program.plan
    kept = tuple(view for view in plan.views if view.name in views)
    names = [view.name for view in kept]
    needed = prune(plan, views=names)
    while True:
        read = {stream.name for stream in needed.streams}
        streams = tuple(stream for stream in plan.streams if stream.name in read)
        more = {feature for stream in streams for feature in _features_of(stream)}
        if more <= {feature.id for feature in needed.features}:
            break
        needed = prune(
            plan, views=names, features=[*(f.id for f in needed.features), *sorted(more)]
        )
    rows = {union.name for union in needed.unions}
    unions = tuple(union for union in plan.unions if union.name in rows)
    return replace(
        program,
        plan=replace(
            plan,
            views=kept,
            features=needed.features,
            streams=streams,
            unions=unions,
            datasets=(),
        ),
    )


def _features_of(stream: ir.Stream) -> Iterator[ir.FeatureId]:
    """Yield the features that a stream looks up."""
    exprs = [column.expression for column in stream.columns]
    exprs += [one for one in (stream.where, stream.time) if one is not None]
    for expr in exprs:
        for node in walk(expr):
            if isinstance(node, ir.EntityLookup):
                yield node.feature
