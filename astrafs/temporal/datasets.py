"""When the labels of a dataset are mature, and which columns of its spine may be shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from astrafs.plan import ir
from astrafs.plan.errors import PlanError
from astrafs.plan.graph import plan_order
from astrafs.plan.tree import children, walk
from astrafs.temporal.interval import nearest_age
from astrafs.temporal.late import LateColumns


def with_horizons(plan: ir.Plan) -> ir.Plan:
    """Return ``plan`` with the horizons of all labels, and the spine columns of every dataset.

    A plan that has cycles or lacks names (which was reported) is returned as it is.
    """
    if not plan.datasets:
        return plan
    try:
        late = LateColumns(plan)
        horizons = label_horizons(plan, late)
        datasets = tuple(_completed(plan, one, late, horizons) for one in plan.datasets)
    except (PlanError, KeyError):
        return plan
    return replace(plan, datasets=datasets)


def label_horizons(plan: ir.Plan, late: LateColumns | None = None) -> Mapping[ir.FeatureId, int]:
    """Return how long after t each label is decided (microseconds): its furthest window forward,
    with the delay of the rows and what their columns take to settle.
    """
    late = late or LateColumns(plan)
    features = {feature.id: feature for feature in plan.features if feature.label}
    found: dict[ir.FeatureId, int] = {}
    for node in plan_order(plan):
        if isinstance(node, ir.FeatureId) and node in features:
            found[node] = _horizon(features[node].expression, late, found)
    return found


def _horizon(root: ir.Expr, late: LateColumns, known: Mapping[ir.FeatureId, int]) -> int:
    furthest = 0
    for expr in walk(root):
        match expr:
            case ir.FeatureRef(feature=feature):
                furthest = max(furthest, known.get(feature, 0))
            case ir.EntityLookup(feature=feature, offset=offset):
                furthest = max(furthest, known.get(feature, 0) - offset)
            case ir.Aggregate():
                furthest = max(furthest, _decided(expr, late))
            case _:
                pass
    return furthest


def _decided(expr: ir.Aggregate, late: LateColumns) -> int:
    """Return how long after t a window of a label is final."""
    reach = -nearest_age(expr.window)
    hindsight = isinstance(expr.window, ir.RangeWindow) and expr.window.hindsight
    settles = late.row(expr.rows).settles
    for part in children(expr):
        settles = max(settles, late.of(expr.rows, part).settles)
    delay = 0
    if hindsight:  # the other windows hold what is known at t
        for times in late.times[expr.rows]:
            if isinstance(times.source.knowledge, ir.Delay):
                delay = max(delay, times.source.knowledge.delay - times.least_lag)
    wait = max(delay, settles)
    return reach + wait if hindsight or settles else 0


def _completed(
    plan: ir.Plan,
    dataset: ir.Dataset,
    late: LateColumns,
    horizons: Mapping[ir.FeatureId, int],
) -> ir.Dataset:
    labels = tuple(_label(label, dataset.spine, late, horizons) for label in dataset.labels)
    view = next(one for one in plan.views if one.name == dataset.view)
    own = {one.expression.name for one in labels if isinstance(one.expression, ir.Column)}
    taken = {output.name for output in view.outputs} | {label.name for label in labels}
    columns = tuple(
        field
        for field in row_columns(plan, dataset.spine)
        if not late.of(dataset.spine, ir.Column(field.name, field.type))
        and field.name not in taken | own
    )
    return replace(dataset, labels=labels, columns=columns)


def _label(
    label: ir.Label, rows: str, late: LateColumns, horizons: Mapping[ir.FeatureId, int]
) -> ir.Label:
    if isinstance(label.expression, ir.EntityLookup):
        keys = [late.of(rows, key) for key in label.expression.keys]
        own = horizons[label.expression.feature] - label.expression.offset
        settles = max((key.settles for key in keys), default=0)
        known = frozenset[str]().union(*(key.known for key in keys))
        return replace(label, horizon=max(0, own, settles), known=tuple(sorted(known)))
    found = late.of(rows, label.expression)
    return replace(label, horizon=found.settles, known=tuple(sorted(found.known)))


def row_columns(plan: ir.Plan, rows: str) -> tuple[ir.Field, ...]:
    """Return the columns that rows of a source, stream or union have: those of the base first."""
    for source in plan.sources:
        if source.name == rows:
            return tuple(ir.Field(column.name, column.type) for column in source.columns)
    for union in plan.unions:
        if union.name == rows:
            return union.columns
    stream = next(one for one in plan.streams if one.name == rows)
    own = tuple(ir.Field(column.name, column.type) for column in stream.columns)
    return (*row_columns(plan, stream.base), *own)
