"""``astrafs graph``: what reads what, as DOT, Mermaid, SVG or JSON."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from astrafs.cli import console
from astrafs.cli.output import deliver
from astrafs.cli.project import compile_path, usable_program
from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError

if TYPE_CHECKING:
    from astrafs.graphs.model import Graph
    from astrafs.plan.program import Program

MOST_NODES = 150
"""A larger graph is drawn with one node for all features of an entity."""


class GraphFormat(StrEnum):
    """How a graph is written."""

    DOT = "dot"
    MERMAID = "mermaid"
    SVG = "svg"
    JSON = "json"


_ENDINGS = {
    ".dot": GraphFormat.DOT,
    ".gv": GraphFormat.DOT,
    ".mmd": GraphFormat.MERMAID,
    ".svg": GraphFormat.SVG,
    ".json": GraphFormat.JSON,
}


class Towards(StrEnum):
    """Which neighbours of the feature or view are drawn."""

    UP = "up"
    DOWN = "down"
    BOTH = "both"


@console.command
def run(
    path: Annotated[str, typer.Argument(help="A project directory, or an .afs file in one.")] = ".",
    form: Annotated[
        GraphFormat | None,
        typer.Option("--format", "-f", help="How it is written; else told by FILE, or dot."),
    ] = None,
    feature: Annotated[
        str, typer.Option("--feature", metavar="NAME", help="Only the part around a feature.")
    ] = "",
    view: Annotated[
        str, typer.Option("--view", metavar="NAME", help="Only the part around a view.")
    ] = "",
    direction: Annotated[
        Towards, typer.Option("--direction", help="What it reads (up), what reads it, or both.")
    ] = Towards.UP,
    full: Annotated[
        bool, typer.Option("--full", help="Every feature, also where there are very many.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file.")
    ] = None,
) -> int:
    """Draw what reads what: sources, tables, streams, features, views."""
    if feature and view:
        raise AstrafsError(codes.USAGE.nowhere("--feature and --view exclude each other"))
    chosen = _format(form, output)
    compiled = compile_path(path)
    program = usable_program(compiled)
    if program is None:
        return console.exit_code(compiled.diagnostics)
    graph = _graph(program, feature, view, direction)
    if len(graph.nodes) > MOST_NODES and not full and chosen is not GraphFormat.JSON:
        from astrafs.graphs.model import grouped

        if not graph.focus:
            console.tell(
                f"{len(graph.nodes):,} nodes: features are drawn by entity; --full draws each"
            )
            graph = grouped(graph)
    deliver(_written(graph, chosen), output)
    return console.OK


def _format(form: GraphFormat | None, output: Path | None) -> GraphFormat:
    if form is not None:
        return form
    if output is None or not output.suffix:
        return GraphFormat.DOT
    found = _ENDINGS.get(output.suffix.lower())
    if found is None:
        raise AstrafsError(
            codes.BAD_VALUE.nowhere(f"`{output}` ends in nothing that tells a format").help(
                f"end it in {', '.join(_ENDINGS)}, or name the format: `--format dot`"
            )
        )
    return found


def _graph(program: Program, feature: str, view: str, direction: Towards) -> Graph:
    from astrafs.graphs.model import Direction, feature_node_id, part, program_graph
    from astrafs.plan.find import find_feature

    graph = program_graph(program)
    if feature:
        name = feature_node_id(find_feature(program, feature))
        return part(graph, name, Direction(direction.value))
    if view:
        from astrafs.plan.find import find_view

        found = find_view(program.plan, view)
        return part(graph, f"view {found.name}", Direction(direction.value))
    return graph


def _written(graph: Graph, form: GraphFormat) -> str:
    match form:
        case GraphFormat.DOT:
            from astrafs.graphs.text_forms import to_dot

            return to_dot(graph)
        case GraphFormat.MERMAID:
            from astrafs.graphs.text_forms import to_mermaid

            return to_mermaid(graph)
        case GraphFormat.JSON:
            from astrafs.graphs.text_forms import to_json

            return to_json(graph)
        case GraphFormat.SVG:
            from astrafs.graphs.svg import to_svg

            return to_svg(graph)
