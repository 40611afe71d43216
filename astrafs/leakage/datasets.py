"""Rules 3 and 5, and what else a dataset may leak: the row's own event, its label, the split."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from astrafs.diagnostics.codes import leakage as codes
from astrafs.diagnostics.model import Diagnostic, Edit
from astrafs.leakage import counterexample
from astrafs.leakage.facts import Facts, expanded, scene, source_label
from astrafs.leakage.reads import Use, feature_name, short, uses
from astrafs.plan import ir
from astrafs.plan.program import DatasetOrigin
from astrafs.plan.text import timestamp_text
from astrafs.plan.tree import walk
from astrafs.source import Span
from astrafs.temporal.late import Late, LateColumns
from astrafs.typesys import duration_text


def check_datasets(facts: Facts) -> Iterator[Diagnostic]:
    """Report how the datasets of a program would leak."""
    plan = facts.program.plan
    if not plan.datasets or facts.footprints is None:
        return
    late = LateColumns(plan)
    written = list(uses(facts.program))
    for dataset in plan.datasets:
        origin = facts.program.datasets.get(dataset.name)
        if origin is not None and dataset.spine in facts.times:
            yield from _own_row(facts, dataset, origin, written)
            yield from _late_fields(facts, dataset, origin, late)
            yield from _label_as_field(facts, dataset, origin)
            yield from _narrow_split(facts, dataset, origin)


# --- rule 3: the spine's own row in a window ------------------------------------------------------


def _own_row(
    facts: Facts, dataset: ir.Dataset, origin: DatasetOrigin, written: list[Use]
) -> Iterator[Diagnostic]:
    spine = {times.source.name for times in facts.times[dataset.spine]}
    asked = _asked_at_t(facts, dataset)
    told: set[Span] = set()  # a template says the same in each of its expansions
    for use in written:
        expr = use.expr
        if use.feature not in asked or not isinstance(expr, ir.Aggregate) or not _holds_now(expr):
            continue
        if use.place in told:
            continue
        for times in facts.times.get(expr.rows, ()):
            if times.source.name not in spine or times.least_lag > 0:
                continue
            found = codes.SEES_THE_SPINE_ROW.at(
                use.place,
                "holds the rows at t",
                title=f"`{use.owner}` sees the row of the dataset `{short(dataset.name)}` itself",
            )
            found = found.label(origin.spine, "every row of this is an example, at its own time")
            found = source_label(facts, found, times, "the rows come from here")
            path = " <- ".join(
                f"`{name}`"
                for name in (
                    short(dataset.name),
                    short(dataset.view),
                    *asked[use.feature],
                    *map(short, times.chain),
                )
            )
            found = found.note(f"path of the leak: {path}")
            found = found.help(
                "leave the rows at t out; or, to count the question itself, make the request a "
                "row: `request R as ROWS`, and `including request`"
            )
            story = partial(counterexample.own_row, scene(facts, expr, times))
            told.add(use.place)
            yield facts.draw(expanded(found, use), story)


def _holds_now(expr: ir.Aggregate) -> bool:
    window = expr.window
    if not isinstance(window, ir.RangeWindow) or window.hindsight or (window.far or 1) < 0:
        return False
    return window.near < 0 or (window.near == 0 and window.near_closed)


def _asked_at_t(facts: Facts, dataset: ir.Dataset) -> dict[ir.FeatureId, tuple[str, ...]]:
    """Return the features that the view reads at the row's own time, each with the way there."""
    plan = facts.program.plan
    view = next(one for one in plan.views if one.name == dataset.view)
    features = {feature.id: feature for feature in plan.features}
    streams = {stream.name: stream for stream in plan.streams}
    found: dict[ir.FeatureId, tuple[str, ...]] = {}
    waiting: list[tuple[ir.Expr, tuple[str, ...]]] = [
        (output.expression, ()) for output in view.outputs
    ]
    while waiting:
        root, way = waiting.pop()
        for expr in walk(root):
            at_t = isinstance(expr, ir.FeatureRef) or (
                isinstance(expr, ir.EntityLookup) and expr.offset == 0
            )
            if at_t and isinstance(expr, ir.FeatureRef | ir.EntityLookup):
                name = expr.feature
                if name in features and name not in found:
                    found[name] = (*way, feature_name(name))
                    waiting.append((features[name].expression, found[name]))
            elif isinstance(expr, ir.Aggregate) and _holds_now(expr):
                # A row at t looks its columns up at t.
                for times in facts.times.get(expr.rows, ()):
                    for stream in times.chain[:-1]:
                        columns = streams[stream].columns
                        waiting += [(column.expression, way) for column in columns]
    return found


# --- rule 2 for requests --------------------------------------------------------------------------


def _late_fields(
    facts: Facts, dataset: ir.Dataset, origin: DatasetOrigin, late: LateColumns
) -> Iterator[Diagnostic]:
    """What a caller sends is known at t, so a column that is final later cannot stand for it."""
    for key, field in zip(dataset.keys, _fields(facts, dataset), strict=True):
        found = late.of(dataset.spine, key)
        if found:
            yield _late_field(facts, dataset, origin, found, key, field)


def _late_field(
    facts: Facts,
    dataset: ir.Dataset,
    origin: DatasetOrigin,
    late: Late,
    key: ir.Expr,
    field: ir.Field,
) -> Diagnostic:
    names = [node.name for node in walk(key) if isinstance(node, ir.Column)]
    column = names[0] if names else field.name
    if late.known:
        found = codes.KNOWN_LATER.at(
            origin.spine,
            f"`{column}` of a row is known at its `{min(late.known)}`",
            title=f"the dataset `{short(dataset.name)}` gives `{column}` to the view before it is "
            "known",
        )
    else:
        found = codes.UNSETTLED.at(
            origin.spine,
            f"`{column}` settles {duration_text(late.settles)} after the row's time",
            title=f"the dataset `{short(dataset.name)}` gives `{column}` to the view before it "
            "has settled",
        )
    found = _column_place(facts, dataset, found, column)
    view = next(one for one in facts.program.plan.views if one.name == dataset.view)
    return found.note(f"it stands for the field `{field.name}` of `{short(view.entity)}`").help(
        "leave the field out of the request, or fill it with a column that is known at the row's "
        "time"
    )


def _column_place(facts: Facts, dataset: ir.Dataset, found: Diagnostic, column: str) -> Diagnostic:
    for times in facts.times[dataset.spine]:
        source = facts.program.sources.get(times.source.name)
        span = source.columns.get(column) if source is not None else None
        if span is not None:
            return found.label(span, "declared here")
    return found


def _fields(facts: Facts, dataset: ir.Dataset) -> tuple[ir.Field, ...]:
    plan = facts.program.plan
    view = next(one for one in plan.views if one.name == dataset.view)
    return next(one for one in plan.entities if one.name == view.entity).keys


def _label_as_field(
    facts: Facts, dataset: ir.Dataset, origin: DatasetOrigin
) -> Iterator[Diagnostic]:
    """A label that the view is also given is no secret to the model."""
    plan = facts.program.plan
    view = next(one for one in plan.views if one.name == dataset.view)
    if not next(one for one in plan.entities if one.name == view.entity).request:
        return
    for label, at in zip(dataset.labels, origin.labels, strict=True):
        for key, field in zip(dataset.keys, _fields(facts, dataset), strict=True):
            read = {node.name for node in walk(key) if isinstance(node, ir.Column)}
            if isinstance(label.expression, ir.Column) and label.expression.name in read:
                yield (
                    codes.LABEL_IS_AN_INPUT.at(
                        at.span,
                        f"also the field `{field.name}` of `{short(view.entity)}`",
                        title=f"the label `{label.name}` is given to the view",
                    )
                    .label(origin.spine, f"the view is asked with `{field.name}` of each row")
                    .help("predict another column, or take the field out of the request")
                )


# --- rule 5: the gap between training and testing -------------------------------------------------


def _narrow_split(facts: Facts, dataset: ir.Dataset, origin: DatasetOrigin) -> Iterator[Diagnostic]:
    before, start = dataset.train_before, dataset.test_from
    if before is None or start is None or not dataset.labels:
        return
    longest = max(range(len(dataset.labels)), key=lambda at: dataset.labels[at].horizon)
    label = dataset.labels[longest]
    gap = start - before
    if gap >= label.horizon:
        return
    needed = duration_text(label.horizon)
    shown = duration_text(gap) if gap else "nothing"
    found = codes.SPLIT_TOO_NARROW.at(
        origin.split[1],
        f"the gap is {shown}, and `{label.name}` is decided {needed} after its row",
        title=f"training labels of `{short(dataset.name)}` are decided inside the test period",
    )
    found = found.label(origin.labels[longest].span, f"mature {needed} after the row's time")
    found = found.label(origin.split[0], "training rows lie before this")
    moved = timestamp_text(before + label.horizon)
    if moved.endswith("T00:00:00Z"):
        moved = moved.removesuffix("T00:00:00Z")
    found = found.note(f"the smallest gap is {needed}").fix(
        f"start the test {needed} after the end of training",
        Edit(origin.split[1], moved),
        safe=False,
    )
    story = partial(counterexample.label_in_test, label.name, gap, label.horizon)
    yield facts.draw(found, story)
