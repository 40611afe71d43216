"""Rule 1 for labels: what looks into the future may be predicted, never known."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from astrafs.diagnostics.codes import leakage as codes
from astrafs.diagnostics.model import Diagnostic
from astrafs.leakage import counterexample
from astrafs.leakage.facts import Facts, path_note, scene
from astrafs.leakage.reads import Use, feature_name, short, stream_parts, walk_with_origin
from astrafs.plan import ir
from astrafs.plan.tree import Origin, walk
from astrafs.source import Span
from astrafs.temporal.footprint import Reading


def label_readers(facts: Facts) -> Iterator[Diagnostic]:
    """Report every feature, stream and view that names a label."""
    program = facts.program
    labels = facts.labels
    if not labels:
        return
    told: set[Span] = set()  # a template says the same in each of its expansions
    for feature in program.plan.features:
        written = program.features.get(feature.id)
        if written is None or feature.label:
            continue
        owner = feature_name(feature.id)
        for node, at in walk_with_origin(feature.expression, written.value):
            if not isinstance(node, ir.FeatureRef | ir.EntityLookup) or at.span in told:
                continue
            if node.feature in labels:
                told.add(at.span)
                yield _reads_label(facts, node, at, owner, "feature", written.expansion)
    for stream in program.plan.streams:
        place = program.streams.get(stream.name)
        if place is not None:
            for expr, origin in stream_parts(stream, place):
                for node, at in walk_with_origin(expr, origin):
                    if isinstance(node, ir.EntityLookup) and node.feature in labels:
                        yield _reads_label(facts, node, at, short(stream.name), "stream", "")
    for view in program.plan.views:
        shown = program.views.get(view.name)
        if shown is None:
            continue
        for output, at in zip(view.outputs, shown.outputs, strict=True):
            node = output.expression
            if isinstance(node, ir.FeatureRef | ir.EntityLookup) and node.feature in labels:
                yield _reads_label(facts, node, at, short(view.name), "view", "")


def _reads_label(
    facts: Facts,
    node: ir.FeatureRef | ir.EntityLookup,
    at: Origin,
    owner: str,
    what: str,
    expansion: str,
) -> Diagnostic:
    name = feature_name(node.feature)
    found = codes.DEPENDS_ON_A_LABEL.at(
        at.span,
        f"`{name}` is a label: it is decided after t",
        title=f"{what} `{owner}` reads the label `{name}`",
    )
    declared = facts.program.features.get(node.feature)
    if declared is not None:
        found = found.label(declared.name, "declared under `labels for`")
    reading = _forward(facts, node.feature)
    if reading is not None:
        use = Use(_nothing(node), at, f"{owner}` <- `{name}", expansion=expansion)
        found = found.note(path_note(facts, use, reading).replace("path:", "path of the leak:"))
    if expansion:
        found = found.note(f"in the expansion {expansion}")
    if what == "view":
        found = found.help(f"name it in a dataset over the view: `label ...{node.feature.name}`")
    else:
        found = found.help("declare what depends on it under `labels for` too, or leave it out")
    window = _window(facts, node.feature)
    if window is not None:
        times = facts.times.get(window.rows, ())
        if times:
            story = partial(counterexample.future_row, scene(facts, window, times[0]))
            found = facts.draw(found, story)
    return found


def _nothing(node: ir.FeatureRef | ir.EntityLookup) -> ir.EntityLookup:
    if isinstance(node, ir.EntityLookup):
        return node
    return ir.EntityLookup(node.feature.entity, (), node.feature, 0, node.type)


def _forward(facts: Facts, label: ir.FeatureId) -> Reading | None:
    """Return the reading of a label that reaches furthest past t."""
    if facts.footprints is None:
        return None
    readings = facts.footprints.features.get(label, {}).values()
    return max(readings, key=lambda one: one.interval.high or 0, default=None)


def _window(facts: Facts, label: ir.FeatureId) -> ir.Aggregate | None:
    """Return a window of the label's own that looks forward."""
    forward = (
        node
        for node in walk(facts.labels[label].expression)
        if isinstance(node, ir.Aggregate)
        and isinstance(node.window, ir.RangeWindow)
        and node.window.hindsight
    )
    return next(forward, None)
