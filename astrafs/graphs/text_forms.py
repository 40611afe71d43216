"""A graph as DOT, as Mermaid, and as JSON. Equal graphs give equal texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import groupby

from astrafs.graphs.model import EdgeKind, Graph, GraphNode, NodeKind

_DOT_SHAPES: Mapping[NodeKind, str] = {
    NodeKind.SOURCE: "cylinder",
    NodeKind.TABLE: "cylinder",
    NodeKind.STREAM: "cds",
    NodeKind.FEATURE: "box",
    NodeKind.LABEL: "box",
    NodeKind.FEATURES: "box3d",
    NodeKind.VIEW: "note",
    NodeKind.DATASET: "tab",
}
_DOT_EDGES: Mapping[EdgeKind, str] = {
    EdgeKind.ROWS: "",
    EdgeKind.LOOKUP: ' [style="dashed"]',
    EdgeKind.FEATURE: ' [color="gray40"]',
    EdgeKind.OUTPUT: ' [arrowhead="empty"]',
}
_MERMAID_SHAPES: Mapping[NodeKind, tuple[str, str]] = {
    NodeKind.SOURCE: ("[(", ")]"),
    NodeKind.TABLE: ("[(", ")]"),
    NodeKind.STREAM: (">", "]"),
    NodeKind.FEATURE: ("[", "]"),
    NodeKind.LABEL: ("([", "])"),
    NodeKind.FEATURES: ("[[", "]]"),
    NodeKind.VIEW: ("{{", "}}"),
    NodeKind.DATASET: ("[/", "/]"),
}
_MERMAID_EDGES: Mapping[EdgeKind, str] = {
    EdgeKind.ROWS: "-->",
    EdgeKind.LOOKUP: "-.->",
    EdgeKind.FEATURE: "-->",
    EdgeKind.OUTPUT: "==>",
}


def clusters(graph: Graph) -> list[tuple[str, list[GraphNode]]]:
    """Return the nodes by cluster, in the order of the graph."""
    return [(name, list(nodes)) for name, nodes in groupby(graph.nodes, lambda n: n.cluster)]


def to_dot(graph: Graph) -> str:
    """Return the graph in the DOT language."""
    lines = ["digraph astrafs {", "  rankdir=LR;", '  node [fontname="sans-serif"];']
    for place, (cluster, nodes) in enumerate(clusters(graph)):
        lines += [f"  subgraph cluster_{place} {{", f"    label={_dot(cluster)};"]
        for node in nodes:
            label = f"{node.label}\n{node.detail}" if node.detail else node.label
            bold = ", penwidth=2" if node.id == graph.focus else ""
            shape = _DOT_SHAPES[node.kind]
            lines.append(f"    {_dot(node.id)} [label={_dot(label)}, shape={shape}{bold}];")
        lines.append("  }")
    lines += [
        f"  {_dot(edge.source)} -> {_dot(edge.target)}{_DOT_EDGES[edge.kind]};"
        for edge in graph.edges
    ]
    return "\n".join([*lines, "}"]) + "\n"


def _dot(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def to_mermaid(graph: Graph) -> str:
    """Return the graph as a Mermaid flowchart."""
    names = {node.id: f"n{place}" for place, node in enumerate(graph.nodes)}
    lines = ["flowchart LR"]
    for place, (cluster, nodes) in enumerate(clusters(graph)):
        lines.append(f"  subgraph c{place}[{_mermaid(cluster)}]")
        for node in nodes:
            left, right = _MERMAID_SHAPES[node.kind]
            label = f"{node.label}\n{node.detail}" if node.detail else node.label
            lines.append(f"    {names[node.id]}{left}{_mermaid(label)}{right}")
        lines.append("  end")
    lines += [
        f"  {names[edge.source]} {_MERMAID_EDGES[edge.kind]} {names[edge.target]}"
        for edge in graph.edges
    ]
    if graph.focus:
        lines.append(f"  style {names[graph.focus]} stroke-width:3px")
    return "\n".join(lines) + "\n"


def _mermaid(text: str) -> str:
    """Return a quoted label; whatever could end it or be markup becomes an entity."""
    special = {'"': "#quot;", "#": "#35;", "&": "#amp;", "<": "#lt;", ">": "#gt;", "\n": "<br/>"}
    escaped = (special.get(one) or (one if one.isprintable() else f"#{ord(one)};") for one in text)
    return f'"{"".join(escaped)}"'


def to_json(graph: Graph) -> str:
    """Return the graph as one JSON object."""
    found = {
        "schema": "astrafs.graph/1",
        "focus": graph.focus or None,
        "nodes": [
            {
                "id": node.id,
                "kind": node.kind.value,
                "name": node.label,
                "cluster": node.cluster,
                "detail": node.detail,
            }
            for node in graph.nodes
        ],
        "edges": [
            {"from": edge.source, "to": edge.target, "kind": edge.kind.value}
            for edge in graph.edges
        ],
    }
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"
