"""Views that forbid tags: no output may have one, however it came by it."""

from __future__ import annotations

from collections.abc import Mapping

from astrafs.diagnostics.codes import registry as codes
from astrafs.diagnostics.model import Sink
from astrafs.plan import ir
from astrafs.plan.program import FeatureOrigin, SourceOrigin, ViewOrigin
from astrafs.plan.tags import Trails
from astrafs.source import Span


def report_forbidden(
    plan: ir.Plan,
    trails: Mapping[ir.FeatureId, Trails],
    views: Mapping[str, ViewOrigin],
    features: Mapping[ir.FeatureId, FeatureOrigin],
    sources: Mapping[str, SourceOrigin],
    sink: Sink,
) -> None:
    """Report every output of a view that has a tag which the view forbids, with the way from it to
    what was tagged.
    """
    for view in plan.views:
        for output, origin in zip(view.outputs, views[view.name].outputs, strict=True):
            if not isinstance(output.expression, ir.FeatureRef | ir.EntityLookup):
                continue
            found = trails.get(output.expression.feature, {})
            for tag in sorted(found.keys() & set(view.forbids)):
                steps = tuple(found[tag])
                last = steps[-1]
                if isinstance(last, ir.FeatureId):
                    place = features[last].name
                else:
                    place = _column(last, sources)
                way = " reads ".join(f"`{_short(step)}`" for step in steps)
                problem = codes.FORBIDDEN_TAG.at(
                    origin.span,
                    f'tagged "{tag}"',
                    title=f'`{output.name}` has the tag "{tag}", which '
                    f"`{view.name.rpartition('.')[2]}` forbids",
                ).label(place, f'tagged "{tag}" here')
                if len(steps) > 1:
                    problem = problem.note(way)
                sink.emit(
                    problem.help(
                        "take it out of the view; if nothing of what was tagged is left in "
                        "its values, say so above the feature: `@tags()`"
                    )
                )


def _column(name: str, sources: Mapping[str, SourceOrigin]) -> Span:
    source, _, column = name.rpartition(".")
    return sources[source].columns[column]


def _short(step: ir.FeatureId | str) -> str:
    """Return ``Entity.feature`` or ``source.column`` without the module."""
    return ".".join(str(step).split(".")[-2:])
