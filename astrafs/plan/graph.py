"""What depends on what: adjacency of a plan, orders, cycles, and dependents."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from heapq import heapify, heappop, heappush
from typing import Any, TypeVar

from astrafs.plan import ir
from astrafs.plan.errors import PlanError
from astrafs.plan.tree import children

Node = ir.FeatureId | str
"""A feature version, or the qualified name of a source, table, union or stream."""

N = TypeVar("N", bound=Hashable)


def subexpressions(*roots: ir.Expr | None) -> Iterator[ir.Expr]:
    """Yield every node of ``roots`` once, parents first; a node shared in memory comes once."""
    stack = [root for root in reversed(roots) if root is not None]
    seen: set[int] = set()
    while stack:
        expr = stack.pop()
        if id(expr) in seen:
            continue
        seen.add(id(expr))
        yield expr
        stack.extend(reversed(children(expr)))


def references(*roots: ir.Expr | None) -> set[Node]:
    """Return the features, tables and row sets that the expressions read directly."""
    found: set[Node] = set()
    for expr in subexpressions(*roots):
        match expr:
            case ir.FeatureRef() | ir.EntityLookup():
                found.add(expr.feature)
            case ir.TableLookup():
                found.add(expr.table)
            case ir.Aggregate():
                found.add(expr.rows)
            case _:
                pass
    return found


def stream_expressions(stream: ir.Stream) -> tuple[ir.Expr, ...]:
    """Return every expression of a stream: condition, time, computed columns."""
    head = tuple(part for part in (stream.where, stream.time) if part is not None)
    return (*head, *(column.expression for column in stream.columns))


def node_key(node: Node) -> tuple[int, str, str, int]:
    """Order nodes: sources, tables and streams by name, then features by their ids."""
    match node:
        case ir.FeatureId():
            return 1, node.entity, node.name, node.version
        case _:
            return 0, node, "", 0


def dependencies(plan: ir.Plan) -> dict[Node, tuple[Node, ...]]:
    """Map every source, table, union, stream and feature to what it reads directly, sorted.

    A stream is one node: whatever any of its columns looks up, the whole stream depends on.
    """
    graph: dict[Node, tuple[Node, ...]] = {source.name: () for source in plan.sources}
    for union in plan.unions:
        graph[union.name] = tuple(sorted(set(union.members)))
    for stream in plan.streams:
        read = references(*stream_expressions(stream)) | {stream.base}
        graph[stream.name] = tuple(sorted(read, key=node_key))
    for feature in plan.features:
        graph[feature.id] = tuple(sorted(references(feature.expression), key=node_key))
    return graph


def dependents(graph: Mapping[N, Iterable[N]]) -> dict[N, tuple[N, ...]]:
    """Turn the edges of ``graph`` round: map each node to the nodes that read it directly."""
    found: dict[N, list[N]] = {node: [] for node in graph}
    for node, targets in graph.items():
        for target in targets:
            found.setdefault(target, []).append(node)
    return {node: tuple(readers) for node, readers in found.items()}


def closure(graph: Mapping[N, Iterable[N]], roots: Iterable[N]) -> set[N]:
    """Return ``roots`` and everything that they reach."""
    found = set(roots)
    stack = list(found)
    while stack:
        for target in graph.get(stack.pop(), ()):
            if target not in found:
                found.add(target)
                stack.append(target)
    return found


def affected(plan: ir.Plan, changed: Iterable[Node]) -> set[Node]:
    """Return ``changed`` and every stream and feature whose meaning a change of them may change."""
    return closure(dependents(dependencies(plan)), changed)


def topological_order(
    graph: Mapping[N, Iterable[N]], key: Callable[[N], Any] = str
) -> tuple[N, ...]:
    """Return all nodes, each after all that it reads; the least by ``key`` first among the ready.

    Raises :class:`PlanError` naming a shortest cycle if there is one.
    """
    inner = {node: {*targets} & graph.keys() for node, targets in graph.items()}
    waiting = {node: len(targets) for node, targets in inner.items()}
    readers = dependents(inner)
    rank = {node: (key(node), index) for index, node in enumerate(graph)}
    ready = [(rank[node], node) for node in graph if not waiting[node]]
    heapify(ready)
    order: list[N] = []
    while ready:
        node = heappop(ready)[1]
        order.append(node)
        for reader in readers[node]:
            waiting[reader] -= 1
            if not waiting[reader]:
                heappush(ready, (rank[reader], reader))
    if len(order) < len(graph):
        cycle = find_cycle(graph, key) or ()
        raise PlanError("cycle: " + " -> ".join(str(node) for node in (*cycle, *cycle[:1])))
    return tuple(order)


def plan_order(plan: ir.Plan) -> tuple[Node, ...]:
    """Return every source, union, stream and feature of ``plan``, each after what it reads."""
    return topological_order(dependencies(plan), node_key)


def find_cycle(
    graph: Mapping[N, Iterable[N]], key: Callable[[N], Any] = str
) -> tuple[N, ...] | None:
    """Return a shortest cycle (the least by ``key`` among equals), or None if there is none."""
    found = cycles(graph, key)
    return min(found, key=lambda cycle: (len(cycle), [key(n) for n in cycle]), default=None)


def cycles(
    graph: Mapping[N, Iterable[N]], key: Callable[[N], Any] = str
) -> tuple[tuple[N, ...], ...]:
    """Return one shortest cycle for every knot of nodes that read one another, in ``key`` order.

    A cycle lists its nodes in reading order, the least first; a node that reads itself is a
    cycle of one.
    """
    found = [
        _shortest_cycle(graph, knot, key)
        for knot in _components(graph)
        if len(knot) > 1 or knot[0] in graph[knot[0]]
    ]
    return tuple(sorted(found, key=lambda cycle: [key(node) for node in cycle]))


def _shortest_cycle(
    graph: Mapping[N, Iterable[N]], knot: list[N], key: Callable[[N], Any]
) -> tuple[N, ...]:
    """Find a shortest cycle inside a strongly connected ``knot``.

    After the shortest cycle through a node is known the node is taken out, with every node that
    then lies on no cycle, so a long ring costs one search.
    """
    inside = set(knot)
    ahead = {n: sorted({m for m in graph[n] if m in inside}, key=key) for n in knot}
    behind = dependents(ahead)
    best: tuple[N, ...] = ()
    for start in sorted(knot, key=key):
        if start not in inside:
            continue
        cycle = _cycle_through(ahead, inside, start, len(best))
        if cycle and (not best or len(cycle) < len(best)):
            best = cycle
        _take_out(start, inside, ahead, behind)
    least = min(range(len(best)), key=lambda index: key(best[index]))
    return best[least:] + best[:least]


def _cycle_through(
    ahead: Mapping[N, Iterable[N]], inside: set[N], start: N, limit: int
) -> tuple[N, ...]:
    """Search breadth first for a cycle through ``start`` shorter than ``limit`` (0: any length)."""
    came: dict[N, N] = {}
    depth = {start: 0}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        if limit and depth[node] + 1 >= limit:
            return ()
        for target in ahead[node]:
            if target == start:
                path = [node]
                while path[-1] != start:
                    path.append(came[path[-1]])
                return tuple(reversed(path))
            if target in inside and target not in depth:
                depth[target] = depth[node] + 1
                came[target] = node
                queue.append(target)
    return ()


def _take_out(
    start: N,
    inside: set[N],
    ahead: Mapping[N, Iterable[N]],
    behind: Mapping[N, Iterable[N]],
) -> None:
    """Remove ``start`` and then every node left without a way in or a way out."""
    stack = [start]
    while stack:
        node = stack.pop()
        if node not in inside:
            continue
        inside.discard(node)
        stack.extend(
            other
            for other in (*ahead[node], *behind[node])
            if not any(n in inside for n in ahead[other])
            or not any(n in inside for n in behind[other])
        )


def _components(graph: Mapping[N, Iterable[N]]) -> Iterator[list[N]]:
    """Yield the strongly connected components (Tarjan's algorithm, with an explicit stack)."""
    index: dict[N, int] = {}
    low: dict[N, int] = {}
    pending: list[N] = []
    on_stack: set[N] = set()
    for root in graph:
        if root in index:
            continue
        work: list[tuple[N, Iterator[N]]] = [(root, iter(graph[root]))]
        index[root] = low[root] = len(index)
        pending.append(root)
        on_stack.add(root)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in graph:
                    continue
                if target not in index:
                    index[target] = low[target] = len(index)
                    pending.append(target)
                    on_stack.add(target)
                    work.append((target, iter(graph[target])))
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    knot: list[N] = []
                    while not knot or knot[-1] != node:
                        knot.append(pending.pop())
                        on_stack.discard(knot[-1])
                    yield knot
