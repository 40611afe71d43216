"""Graphs: what they hold, how they are laid out, and that no name can break a form."""

from __future__ import annotations

import json
import re
from itertools import combinations
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.graphs.layout import lay_out, node_size, text_pixels
from astrafs.graphs.model import (
    Direction,
    EdgeKind,
    Graph,
    GraphEdge,
    GraphNode,
    NodeKind,
    grouped,
    part,
    program_graph,
)
from astrafs.graphs.svg import to_svg
from astrafs.graphs.text_forms import to_dot, to_json, to_mermaid
from astrafs.source import SourceFile

PROGRAM = """\
owner "a@b.test"
entity User { user_id: int }
entity Shop { shop_id: int }
## Payments.
source payments from csv("p.csv") key id time at {
  id: int  user_id: User  shop_id: Shop  x: float  at: timestamp
}
## Rates.
table rates from csv("r.csv") key c time at { c: string  rate: float  at: timestamp }
## With what the shop sold before.
stream seen from payments {
  sold: int = Shop[shop_id].sold
  payer: int = User[user_id].n
}
features for Shop from payments {
  ## Sold.
  sold: int = count() over 1d
}
features for Shop from seen {
  ## By whom.
  payers: int = sum(payer) over 1d
}
features for User from payments {
  ## Payments.
  n: int = count() over 1d
}
features for User from seen {
  ## Sold to.
  m: float = sum(float(sold)) over 1d
}
features for User {
  ## Ratio.
  ratio: float? = m / float(n) * (rates["EUR"].rate ?? 1.0)
}
labels for User from payments {
  ## Tomorrow.
  next: int = count() over next 1d
}
view risk for User { n ratio }
"""


def whole() -> Graph:
    """The graph of the program."""
    sink = Sink()
    program = compile_project((SourceFile("p.afs", PROGRAM),), sink)
    assert program is not None and not sink.has_errors, list(sink)
    return program_graph(program)


def test_edges_run_from_what_is_read_to_the_reader() -> None:
    edges = {(edge.source, edge.target): edge.kind for edge in whole().edges}
    assert edges["p.payments", "p.seen"] is EdgeKind.ROWS
    assert edges["p.Shop.sold@1", "p.seen"] is EdgeKind.LOOKUP
    assert edges["p.seen", "p.User.m@1"] is EdgeKind.ROWS
    assert edges["p.rates", "p.User.ratio@1"] is EdgeKind.LOOKUP
    assert edges["p.User.n@1", "p.User.ratio@1"] is EdgeKind.FEATURE
    assert edges["p.User.ratio@1", "view p.risk"] is EdgeKind.OUTPUT
    kinds = {node.id: node.kind for node in whole().nodes}
    assert kinds["p.User.next@1"] is NodeKind.LABEL


def test_a_part_holds_what_is_above_below_or_both() -> None:
    def names(direction: Direction) -> set[str]:
        return {node.id for node in part(whole(), "p.seen", direction).nodes}

    up, down = names(Direction.UP), names(Direction.DOWN)
    assert up == {"p.seen", "p.payments", "p.Shop.sold@1", "p.User.n@1"}
    assert {"p.User.m@1", "p.User.ratio@1", "view p.risk", "p.Shop.payers@1"} <= down
    assert names(Direction.BOTH) == up | down
    assert up & down == {"p.seen"}


def test_groups_may_read_one_another_in_a_circle() -> None:
    small = grouped(whole())
    assert {node.detail for node in small.nodes if node.kind is NodeKind.FEATURES} == {
        "2 features",
        "3 features",
        "1 label",
    }
    layout = lay_out(small)
    assert set(layout.boxes) == {node.id for node in small.nodes}
    assert "3 features" in to_svg(small)


texts = st.text(min_size=1, max_size=12)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Graphs without circles, with names of any characters."""
    count = draw(st.integers(1, 14))
    nodes = tuple(
        GraphNode(
            f"n{place:02}",
            draw(st.sampled_from(NodeKind)),
            draw(texts),
            draw(st.sampled_from(["a", 'b"]</x>', "c"])),
            draw(st.sampled_from(["", "int", 'enum("a")'])),
        )
        for place in range(count)
    )
    edges = {
        GraphEdge(nodes[left].id, nodes[right].id, draw(st.sampled_from(EdgeKind)))
        for left, right in draw(st.sets(st.tuples(*[st.integers(0, count - 1)] * 2), max_size=30))
        if left < right
    }
    ordered = sorted(edges, key=lambda edge: (edge.source, edge.target))
    single = {(edge.source, edge.target): edge for edge in ordered}
    return Graph(
        tuple(sorted(nodes, key=lambda node: (node.cluster, node.id))), tuple(single.values())
    )


@given(graphs())
def test_boxes_do_not_touch_and_edges_run_to_the_right(graph: Graph) -> None:
    layout = lay_out(graph)
    assert layout == lay_out(graph)
    for one, two in combinations(layout.boxes.values(), 2):
        apart = (
            one.x + one.width < two.x
            or two.x + two.width < one.x
            or one.y + one.height < two.y
            or two.y + two.height < one.y
        )
        assert apart
    for node in graph.nodes:
        box = layout.boxes[node.id]
        width, height = node_size(node)
        assert width >= text_pixels(node.label)
        assert (box.width >= width, box.height) == (True, height)
        assert box.x >= 0 and box.x + box.width <= layout.width
        assert box.y >= 0 and box.y + box.height <= layout.height
    for points in layout.routes.values():
        across = [x for x, _ in points]
        assert across == sorted(across)


@given(graphs())
def test_no_name_breaks_a_form(graph: Graph) -> None:
    root = ElementTree.fromstring(to_svg(graph))
    assert len(root.findall(".//{http://www.w3.org/2000/svg}g")) == len(graph.nodes) + 1
    assert len(json.loads(to_json(graph))["nodes"]) == len(graph.nodes)
    dot = re.sub(r'"(?:[^"\\]|\\.)*"', "S", to_dot(graph), flags=re.DOTALL)
    assert '"' not in dot
    assert dot.count("{") == dot.count("}")
    for line in to_mermaid(graph).split("\n"):
        assert line.count('"') in (0, 2)
