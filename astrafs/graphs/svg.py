"""A graph as an SVG picture that stands alone: no script, no font and no style from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from astrafs.graphs.layout import FONT_SIZE, Box, Layout, lay_out, text_pixels
from astrafs.graphs.model import EdgeKind, Graph, GraphEdge, GraphNode, NodeKind

_FILLS: Mapping[NodeKind, tuple[str, str]] = {
    NodeKind.SOURCE: ("#e3f1e6", "#2f7d43"),
    NodeKind.TABLE: ("#e3eff1", "#2b7684"),
    NodeKind.STREAM: ("#eef1e0", "#6c7a24"),
    NodeKind.FEATURE: ("#e6ecfa", "#3555a5"),
    NodeKind.LABEL: ("#fae6ee", "#a5355f"),
    NodeKind.FEATURES: ("#e6ecfa", "#3555a5"),
    NodeKind.VIEW: ("#f9efdc", "#96661b"),
    NodeKind.DATASET: ("#f2e4f7", "#7b3d94"),
}
_DASHES: Mapping[EdgeKind, str] = {
    EdgeKind.ROWS: "",
    EdgeKind.LOOKUP: ' stroke-dasharray="5 4"',
    EdgeKind.FEATURE: "",
    EdgeKind.OUTPUT: ' stroke-dasharray="1 3"',
}
_ILLEGAL = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LEGEND = 30
_FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def to_svg(graph: Graph) -> str:
    """Return the picture as SVG 1.1 text."""
    layout = lay_out(graph)
    kinds = [kind for kind in NodeKind if any(node.kind is kind for node in graph.nodes)]
    legend = _legend(kinds, layout.height)
    width = max(layout.width, 24 + sum(text_pixels(kind.value) + 36 for kind in kinds))
    height = layout.height + _LEGEND
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="{_FONT}" font-size="{FONT_SIZE}">',
        "<title>what reads what</title>",
        '<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#8a8f98"/>'
        "</marker></defs>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        '<g fill="none" stroke="#8a8f98" stroke-width="1.2">',
        *(_edge(edge, layout) for edge in graph.edges),
        "</g>",
        *(_node(node, layout.boxes[node.id], node.id == graph.focus) for node in graph.nodes),
        *legend,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _edge(edge: GraphEdge, layout: Layout) -> str:
    points = layout.routes[edge.source, edge.target]
    (x, y), *rest = points
    path = f"M{x} {y}"
    for to_x, to_y in rest:
        middle = (x + to_x) // 2
        path += f" C{middle} {y} {middle} {to_y} {to_x} {to_y}"
        x, y = to_x, to_y
    return f'<path d="{path}"{_DASHES[edge.kind]} marker-end="url(#end)"/>'


def _node(node: GraphNode, box: Box, focus: bool) -> str:
    fill, stroke = _FILLS[node.kind]
    weight = "2.5" if focus else "1"
    middle = box.x + box.width // 2
    corner = 3 if node.kind in (NodeKind.FEATURE, NodeKind.LABEL) else 10
    name = f"{node.kind} {node.label} ({node.cluster})"
    label = box.y + (17 if node.detail else 18)
    parts = [
        f"<g><title>{_text(name)}</title>",
        f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="{corner}" '
        f'fill="{fill}" stroke="{stroke}" stroke-width="{weight}"/>',
        f'<text x="{middle}" y="{label}" text-anchor="middle" fill="#1c1f24">'
        f"{_text(node.label)}</text>",
    ]
    if node.detail:
        parts.append(
            f'<text x="{middle}" y="{box.y + 33}" text-anchor="middle" fill="{stroke}" '
            f'font-size="{FONT_SIZE - 2}">{_text(node.detail)}</text>'
        )
    return "".join([*parts, "</g>"])


def _legend(kinds: Sequence[NodeKind], top: int) -> list[str]:
    lines, x = [], 24
    for kind in kinds:
        fill, stroke = _FILLS[kind]
        lines.append(
            f'<rect x="{x}" y="{top}" width="12" height="12" rx="2" fill="{fill}" '
            f'stroke="{stroke}"/><text x="{x + 18}" y="{top + 10}" fill="#1c1f24">{kind}</text>'
        )
        x += text_pixels(kind.value) + 36
    return lines


def _text(text: str) -> str:
    return escape(_ILLEGAL.sub("\ufffd", text))
