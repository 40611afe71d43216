"""A layered layout: nodes in columns, each to the right of all that it reads, few crossings.

Everything is integers and stable sorts, so a graph is always drawn the same.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from itertools import pairwise

from astrafs.graphs.model import Graph, GraphEdge, GraphNode
from astrafs.record import dataclass

FONT_SIZE = 12
_CHARACTER = 8  # pixels of a character of 12 pixels; fixed-width fonts take 7.2 or a little more
_WIDE = 14
_PADDING = 12
_HEIGHT, _HEIGHT_WITH_DETAIL = 28, 42
_GAP_X, _GAP_Y, _CLUSTER_GAP = 72, 12, 18
_MARGIN = 24
_SWEEPS = 8


@dataclass(frozen=True, slots=True)
class Box:
    """Where a node is drawn, in pixels: its upper left corner and its size."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Boxes by node id, routes by (source, target) as points between boxes, and the whole size."""

    boxes: Mapping[str, Box]
    routes: Mapping[tuple[str, str], tuple[tuple[int, int], ...]]
    width: int
    height: int


_Bend = tuple[str, str, int]
"""A long edge (source, target) where it passes a column."""


def text_pixels(text: str) -> int:
    """Return at least the pixels that ``text`` takes in a fixed-width font of 12 pixels."""
    wide = sum(1 for one in text if unicodedata.east_asian_width(one) in ("W", "F"))
    return wide * _WIDE + (len(text) - wide) * _CHARACTER


def node_size(node: GraphNode) -> tuple[int, int]:
    """Return width and height of a node's box."""
    width = max(text_pixels(node.label), text_pixels(node.detail)) + 2 * _PADDING
    return width, _HEIGHT_WITH_DETAIL if node.detail else _HEIGHT


def lay_out(graph: Graph) -> Layout:
    """Place every node and bend every edge around the columns between its ends."""
    nodes = {node.id: node for node in graph.nodes}
    columns = _columns(graph)
    rows: list[list[str | _Bend]] = [[] for _ in range(max(columns.values(), default=-1) + 1)]
    for node in graph.nodes:
        rows[columns[node.id]].append(node.id)
    before: dict[str | _Bend, list[str | _Bend]] = {}
    after: dict[str | _Bend, list[str | _Bend]] = {}
    for edge in graph.edges:
        chain: list[str | _Bend] = [edge.source]
        for column in range(columns[edge.source] + 1, columns[edge.target]):
            bend = (edge.source, edge.target, column)
            rows[column].append(bend)
            chain.append(bend)
        chain.append(edge.target)
        for left, right in pairwise(chain):
            after.setdefault(left, []).append(right)
            before.setdefault(right, []).append(left)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        order = range(1, len(rows)) if forward else range(len(rows) - 2, -1, -1)
        for column in order:
            beside = rows[column - 1 if forward else column + 1]
            _sort_column(rows[column], beside, before if forward else after, nodes)
    return _placed(graph, nodes, rows)


def _columns(graph: Graph) -> dict[str, int]:
    """Return the column of each node: one more than the last of what it reads.

    Groups of features may read one another in a circle; the edge that closes one counts for
    nothing.
    """
    above: dict[str, list[str]] = {node.id: [] for node in graph.nodes}
    for edge in graph.edges:
        above[edge.target].append(edge.source)
    columns: dict[str, int] = {}
    for root in above:
        path = {root: iter(above[root])}
        while path:
            name, rest = next(reversed(path.items()))
            below = next((read for read in rest if read not in columns and read not in path), None)
            if below is not None:
                path[below] = iter(above[below])
                continue
            del path[name]
            known = [columns[read] + 1 for read in above[name] if read in columns]
            columns.setdefault(name, max(known, default=0))
    return columns


def _sort_column(
    row: list[str | _Bend],
    beside: Sequence[str | _Bend],
    links: Mapping[str | _Bend, Sequence[str | _Bend]],
    nodes: Mapping[str, GraphNode],
) -> None:
    """Order a column by the mean place of each node's neighbours, clusters kept together."""
    place = {one: at for at, one in enumerate(beside)}
    here = {one: at for at, one in enumerate(row)}
    scale = max(len(beside), 1)

    def mean(one: str | _Bend) -> int:
        linked = [place[other] for other in links.get(one, ()) if other in place]
        if not linked:
            return here[one] * 1_000 * scale // max(len(row), 1)
        return sum(linked) * 1_000 // len(linked)

    means = {one: mean(one) for one in row}
    members: dict[str, list[int]] = {}
    for one in row:
        if isinstance(one, str):
            members.setdefault(nodes[one].cluster, []).append(means[one])

    def key(one: str | _Bend) -> tuple[int, str, int, int]:
        if not isinstance(one, str):
            return means[one], "", means[one], here[one]
        cluster = nodes[one].cluster
        inside = members[cluster]
        return sum(inside) // len(inside), cluster, means[one], here[one]

    row.sort(key=key)


def _placed(
    graph: Graph, nodes: Mapping[str, GraphNode], rows: Sequence[Sequence[str | _Bend]]
) -> Layout:
    boxes: dict[str, Box] = {}
    bends: dict[_Bend, tuple[int, int]] = {}
    heights = [_column_height(row, nodes) for row in rows]
    tallest = max(heights, default=0)
    x = _MARGIN
    for row, height in zip(rows, heights, strict=True):
        width = max((node_size(nodes[one])[0] for one in row if isinstance(one, str)), default=0)
        y = _MARGIN + (tallest - height) // 2
        cluster: str | None = None
        for one in row:
            if not isinstance(one, str):
                bends[one] = (x + width // 2, y + 2)
                y += 4 + _GAP_Y
                continue
            if cluster is not None and nodes[one].cluster != cluster:
                y += _CLUSTER_GAP
            cluster = nodes[one].cluster
            _, tall = node_size(nodes[one])
            boxes[one] = Box(x, y, width, tall)
            y += tall + _GAP_Y
        x += width + _GAP_X
    routes = {}
    for edge in graph.edges:
        start, end = boxes[edge.source], boxes[edge.target]
        routes[edge.source, edge.target] = (
            (start.x + start.width, start.y + start.height // 2),
            *_passed(edge, bends, len(rows)),
            (end.x, end.y + end.height // 2),
        )
    return Layout(boxes, routes, max(x - _GAP_X + _MARGIN, 2 * _MARGIN), tallest + 2 * _MARGIN)


def _passed(
    edge: GraphEdge, bends: Mapping[_Bend, tuple[int, int]], columns: int
) -> tuple[tuple[int, int], ...]:
    """Return the bends of an edge from left to right."""
    found = (bends.get((edge.source, edge.target, column)) for column in range(columns))
    return tuple(point for point in found if point is not None)


def _column_height(row: Sequence[str | _Bend], nodes: Mapping[str, GraphNode]) -> int:
    height = 0
    cluster: str | None = None
    for one in row:
        if not isinstance(one, str):
            height += 4 + _GAP_Y
            continue
        if cluster is not None and nodes[one].cluster != cluster:
            height += _CLUSTER_GAP
        cluster = nodes[one].cluster
        height += node_size(nodes[one])[1] + _GAP_Y
    return height
