"""Everything there is to say about one feature, gathered from the program."""

from __future__ import annotations

from collections.abc import Mapping

from astrafs.plan import ir
from astrafs.plan.find import versions_of
from astrafs.plan.graph import Node, closure, dependencies, dependents, references
from astrafs.plan.identity import feature_identities
from astrafs.plan.program import Program
from astrafs.plan.text import expression_text
from astrafs.record import dataclass


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a feature and what became of it: ``active``, or why it is deprecated."""

    number: int
    type: str
    status: str
    latest: bool


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something that a feature reads, or that reads it: its kind and its qualified name."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Description:
    """One version of a feature: what it is, where it stands, and what hangs on what.

    ``line`` counts from 1. ``reads`` and ``read_by`` are direct; the totals count indirect ones too
    (views apart).
    """

    feature: ir.Feature
    module: str
    path: str
    line: int
    expansion: str
    identity: str
    expression: str
    versions: tuple[Version, ...]
    reads: tuple[Dependency, ...]
    read_by: tuple[Dependency, ...]
    reads_in_all: int
    read_by_in_all: int


def describe(program: Program, name: ir.FeatureId) -> Description:
    """Return the description of a feature of the program."""
    plan = program.plan
    feature = next(one for one in plan.features if one.id == name)
    origin = program.features[name]
    graph = dependencies(plan)
    readers = dependents(graph)
    kinds = _kinds(plan)
    views = [
        Dependency("view", view.name)
        for view in plan.views
        if name in references(*(output.expression for output in view.outputs))
    ]
    views += [
        Dependency("dataset", dataset.name)
        for dataset in plan.datasets
        if name in references(*(label.expression for label in dataset.labels))
    ]
    same = versions_of(program, name)
    active = [one.id.version for one in same if not one.deprecated]
    latest = max(active or [one.id.version for one in same])
    file = program.files.get(origin.name.path)
    return Description(
        feature,
        origin.module,
        origin.name.path,
        file.position(origin.name.start)[0] if file is not None else 0,
        origin.expansion,
        feature_identities(plan)[name],
        expression_text(feature.expression),
        tuple(
            Version(
                one.id.version,
                str(one.type),
                f"deprecated: {one.deprecated}" if one.deprecated else "active",
                one.id.version == latest,
            )
            for one in same
        ),
        tuple(_dependency(node, kinds) for node in graph[name]),
        (*(_dependency(node, kinds) for node in readers.get(name, ())), *views),
        len(closure(graph, [name])) - 1,
        len(closure(readers, [name])) - 1,
    )


def _kinds(plan: ir.Plan) -> Mapping[str, str]:
    found = {source.name: "table" if source.table else "source" for source in plan.sources}
    found |= {stream.name: "stream" for stream in plan.streams}
    return found | {union.name: "union" for union in plan.unions}


def _dependency(node: Node, kinds: Mapping[str, str]) -> Dependency:
    if isinstance(node, str):
        return Dependency(kinds.get(node, "stream"), node)
    return Dependency("feature", str(node))
