"""Nodes and edges of a program: sources, tables, streams, features, labels, views and datasets.

Edges run the way data flows: from what is read to what reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum

from astrafs.plan import ir
from astrafs.plan.graph import Node as PlanNode
from astrafs.plan.graph import closure, dependencies, dependents, references, subexpressions
from astrafs.plan.program import Program
from astrafs.record import dataclass

_LONGEST_DETAIL = 32


class NodeKind(StrEnum):
    """What a node stands for."""

    SOURCE = "source"
    TABLE = "table"
    STREAM = "stream"
    FEATURE = "feature"
    LABEL = "label"
    FEATURES = "features"
    VIEW = "view"
    DATASET = "dataset"


class EdgeKind(StrEnum):
    """How the reader reads: rows, a lookup by key, a feature of its own entity, or an output."""

    ROWS = "rows"
    LOOKUP = "lookup"
    FEATURE = "feature"
    OUTPUT = "output"


class Direction(StrEnum):
    """Which neighbours of a node belong to its part of a graph."""

    UP = "up"
    DOWN = "down"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One node. ``id`` is unique, ``label`` is short, ``cluster`` is the module or the entity it
    belongs to; ``detail`` is its type, or how many features it stands for.
    """

    id: str
    kind: NodeKind
    label: str
    cluster: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """``target`` reads ``source``; both are ids of nodes."""

    source: str
    target: str
    kind: EdgeKind


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes sorted by cluster and id, edges by their ends. ``focus`` is the node asked for."""

    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]
    focus: str = ""


def program_graph(program: Program) -> Graph:
    """Return the graph of a whole program."""
    plan = program.plan
    nodes = [*map(_source_node, plan.sources), *map(_stream_node, plan.streams)]
    nodes += [_union_node(union) for union in plan.unions]
    nodes += [_feature_node(feature) for feature in plan.features]
    edges: set[GraphEdge] = set()
    graph = dependencies(plan)
    kinds = _edge_kinds(plan)
    for node, targets in graph.items():
        for target in targets:
            kind = kinds.get((_id(node), _id(target)), EdgeKind.ROWS)
            edges.add(GraphEdge(_id(target), _id(node), kind))
    for view in plan.views:
        name = f"view {view.name}"
        outputs = len(view.outputs)
        detail = f"{outputs} output{'' if outputs == 1 else 's'}"
        nodes.append(GraphNode(name, NodeKind.VIEW, _last(view.name), _module(view.name), detail))
        for target in references(*(output.expression for output in view.outputs)):
            edges.add(GraphEdge(_id(target), name, EdgeKind.OUTPUT))
    for dataset in plan.datasets:
        name = f"dataset {dataset.name}"
        nodes.append(GraphNode(name, NodeKind.DATASET, _last(dataset.name), _module(dataset.name)))
        edges.add(GraphEdge(f"view {dataset.view}", name, EdgeKind.OUTPUT))
        edges.add(GraphEdge(dataset.spine, name, EdgeKind.ROWS))
        for target in references(*(label.expression for label in dataset.labels)):
            edges.add(GraphEdge(_id(target), name, EdgeKind.OUTPUT))
    return _sorted(nodes, edges)


def part(graph: Graph, focus: str, direction: Direction) -> Graph:
    """Return the node ``focus`` with all that it reads (up), all that reads it (down), or both."""
    above: dict[str, list[str]] = {node.id: [] for node in graph.nodes}
    for edge in graph.edges:
        above[edge.target].append(edge.source)
    kept = {focus}
    if direction is not Direction.DOWN:
        kept |= closure(above, [focus])
    if direction is not Direction.UP:
        kept |= closure(dependents(above), [focus])
    nodes = tuple(node for node in graph.nodes if node.id in kept)
    edges = tuple(edge for edge in graph.edges if edge.source in kept and edge.target in kept)
    return Graph(nodes, edges, focus)


def grouped(graph: Graph) -> Graph:
    """Return the graph with one node for all features of an entity, and one for all its labels."""
    kinds = (NodeKind.FEATURE, NodeKind.LABEL)
    members: dict[tuple[str, NodeKind], list[GraphNode]] = {}
    for node in graph.nodes:
        if node.kind in kinds:
            members.setdefault((node.cluster, node.kind), []).append(node)
    names: dict[str, str] = {}
    nodes = [node for node in graph.nodes if node.kind not in kinds]
    for (cluster, kind), inside in members.items():
        name = f"{kind}s {cluster}"
        names.update(dict.fromkeys((node.id for node in inside), name))
        word = f"{len(inside):,} {kind}{'' if len(inside) == 1 else 's'}"
        nodes.append(GraphNode(name, NodeKind.FEATURES, _last(cluster), cluster, word))
    edges = {
        replace(
            edge,
            source=names.get(edge.source, edge.source),
            target=names.get(edge.target, edge.target),
        )
        for edge in graph.edges
    }
    return _sorted(nodes, {edge for edge in edges if edge.source != edge.target})


def _sorted(nodes: Iterable[GraphNode], edges: Iterable[GraphEdge]) -> Graph:
    ordered = tuple(sorted(nodes, key=lambda node: (node.cluster, node.kind, node.id)))
    known = {node.id for node in ordered}
    kept = (edge for edge in edges if edge.source in known and edge.target in known)
    return Graph(
        ordered, tuple(sorted(kept, key=lambda edge: (edge.source, edge.target, edge.kind)))
    )


def _edge_kinds(plan: ir.Plan) -> Mapping[tuple[str, str], EdgeKind]:
    """Map (reader, read) to how it is read; rows win over lookups, lookups over references."""
    found: dict[tuple[str, str], EdgeKind] = {}
    for stream in plan.streams:
        roots = [part for part in (stream.where, stream.time) if part is not None]
        roots += [column.expression for column in stream.columns]
        _note_kinds(stream.name, roots, found)
        found[stream.name, stream.base] = EdgeKind.ROWS
    for feature in plan.features:
        _note_kinds(_id(feature.id), [feature.expression], found)
    return found


def _note_kinds(
    reader: str, roots: Iterable[ir.Expr], found: dict[tuple[str, str], EdgeKind]
) -> None:
    rank = list(EdgeKind)
    for node in subexpressions(*roots):
        match node:
            case ir.Aggregate():
                read, kind = node.rows, EdgeKind.ROWS
            case ir.EntityLookup():
                read, kind = _id(node.feature), EdgeKind.LOOKUP
            case ir.TableLookup():
                read, kind = node.table, EdgeKind.LOOKUP
            case ir.FeatureRef():
                read, kind = _id(node.feature), EdgeKind.FEATURE
            case _:
                continue
        old = found.get((reader, read))
        if old is None or rank.index(kind) < rank.index(old):
            found[reader, read] = kind


def feature_node_id(feature: ir.FeatureId) -> str:
    """Return the id of the node of a feature."""
    return _id(feature)


def _id(node: PlanNode) -> str:
    return node if isinstance(node, str) else f"{node.entity}.{node.name}@{node.version}"


def _source_node(source: ir.Source) -> GraphNode:
    kind = NodeKind.TABLE if source.table else NodeKind.SOURCE
    detail = "static" if source.static else ""
    return GraphNode(source.name, kind, _last(source.name), _module(source.name), detail)


def _stream_node(stream: ir.Stream) -> GraphNode:
    return GraphNode(stream.name, NodeKind.STREAM, _last(stream.name), _module(stream.name))


def _union_node(union: ir.Union) -> GraphNode:
    return GraphNode(union.name, NodeKind.STREAM, _last(union.name), _module(union.name), "union")


def _feature_node(feature: ir.Feature) -> GraphNode:
    type_ = str(feature.type)
    detail = type_ if len(type_) <= _LONGEST_DETAIL else type_[: _LONGEST_DETAIL - 1] + "…"
    version = "" if feature.id.version == 1 else f"@{feature.id.version}"
    kind = NodeKind.LABEL if feature.label else NodeKind.FEATURE
    label = f"{feature.id.name}{version}"
    return GraphNode(_id(feature.id), kind, label, feature.id.entity, detail)


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def _module(name: str) -> str:
    return name.rpartition(".")[0]
