"""What a change means for others: who reads it, what the online state must keep, what must be
computed anew, and what is known when.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from astrafs.plan import ir
from astrafs.plan.graph import closure, dependencies, dependents, references
from astrafs.plan.prune import prune
from astrafs.record import dataclass
from astrafs.temporal.footprint import Footprints, Reading, Readings
from astrafs.typesys import duration_text


class Readers:
    """Who reads a feature, however indirectly: features, views and datasets, by name."""

    def __init__(self, plan: ir.Plan) -> None:
        self._direct = dependents(dependencies(plan))
        self._others: dict[ir.FeatureId, list[str]] = {}
        datasets: dict[str, list[str]] = {}
        for dataset in plan.datasets:
            datasets.setdefault(dataset.view, []).append(f"dataset {dataset.name}")
            labels = (label.expression for label in dataset.labels)
            self._read_by(f"dataset {dataset.name}", (*dataset.keys, *labels))
        for view in plan.views:
            outputs = tuple(output.expression for output in view.outputs)
            for name in (f"view {view.name}", *datasets.get(view.name, ())):
                self._read_by(name, outputs)

    def _read_by(self, name: str, roots: Iterable[ir.Expr]) -> None:
        for node in references(*roots):
            if isinstance(node, ir.FeatureId):
                self._others.setdefault(node, []).append(name)

    def of(self, feature: ir.FeatureId) -> tuple[str, ...]:
        """Return ``feature NAME``, ``dataset NAME`` and ``view NAME`` for everything downstream."""
        nodes = closure(self._direct, [feature])
        features = sorted(n for n in nodes if isinstance(n, ir.FeatureId))
        others = {name for node in features for name in self._others.get(node, ())}
        shown = (f"feature {node}" for node in features if node != feature)
        return (*shown, *sorted(others))


# --- what must be computed anew -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recompute:
    """What is no longer what was computed: features, columns of views (name, those that changed, of
    how many), datasets with any such column or label.
    """

    features: tuple[ir.FeatureId, ...] = ()
    views: tuple[tuple[str, tuple[str, ...], int], ...] = ()
    datasets: tuple[str, ...] = ()


def recompute(plan: ir.Plan, changed: Iterable[ir.FeatureId]) -> Recompute:
    """Return what must be computed anew where the features ``changed`` have other values."""
    found = frozenset(changed)
    views = []
    for view in plan.views:
        columns = tuple(
            output.name
            for output in view.outputs
            if not found.isdisjoint(references(output.expression))
        )
        if columns:
            views.append((view.name, columns, len(view.outputs)))
    names = {name for name, _, _ in views}
    datasets = tuple(
        dataset.name
        for dataset in plan.datasets
        if dataset.view in names
        or not found.isdisjoint(references(*(label.expression for label in dataset.labels)))
    )
    return Recompute(tuple(sorted(found)), tuple(views), datasets)


# --- what the online state keeps ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StateChange:
    """What becomes of a group of rows that are kept online, found ``by`` their keys: ``rebuild``
    (other rows or more columns of a group that was there), ``new`` or ``dropped``. ``columns`` are
    those that were not kept before.
    """

    rows: str
    by: str
    what: str
    columns: tuple[str, ...] = ()


# --- what is known when ---------------------------------------------------------------------------


def readings(plan: ir.Plan, feature: ir.FeatureId) -> Readings:
    """Return what a feature reads of each source, and when all that it reads of it is known.

    Columns that it does not read, and those that only contracts mention, do not count.
    """
    bare = replace(plan, sources=tuple(replace(source, expects=()) for source in plan.sources))
    return Footprints(prune(bare, features=(feature,))).features[feature]


def leak_changes(before: Readings, after: Readings) -> Iterator[str]:
    """Yield a sentence for every source of which another moment is known, or values that settle at
    another time.
    """
    old, new = _by_source(before), _by_source(after)
    for source in sorted(old.keys() & new.keys()):
        was, now = old[source], new[source]
        if was != now:
            yield f"leak status: {source} was {' and '.join(was)}, is {' and '.join(now)}"
    for source in sorted(new.keys() - old.keys()):
        yield f"leak status: now reads {source}, {' and '.join(new[source])}"


def _by_source(found: Readings) -> dict[str, tuple[str, ...]]:
    words: dict[str, set[str]] = {}
    for reading in found.values():
        words.setdefault(reading.source, set()).add(_status(reading))
    return {source: tuple(sorted(texts)) for source, texts in words.items()}


def _status(reading: Reading) -> str:
    if reading.static:
        return "static"
    parts = [reading.known or "known at once"]
    if reading.ahead:
        parts.append("ahead of its time")
    if reading.lag:
        parts.append(f"settled after {duration_text(reading.lag)}")
    if reading.interval.reads_future:
        parts.append("read past the prediction time")
    return ", ".join(parts)
