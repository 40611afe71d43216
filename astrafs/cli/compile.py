"""``astrafs compile``: show what a project becomes: tree, plan, footprints, SQL."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from astrafs.cli import console
from astrafs.cli.names import pick_features
from astrafs.cli.options import EnvOption
from astrafs.cli.output import deliver
from astrafs.cli.project import Compiled, compile_path, usable_program
from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError, Sink

if TYPE_CHECKING:
    from astrafs.plan import ir
    from astrafs.plan.program import Program


class Emit(StrEnum):
    """What ``compile`` shows."""

    AST = "ast"
    PLAN = "plan"
    JSON = "json"
    SQL = "sql"
    FOOTPRINT = "footprint"
    PHYSICAL = "physical"


@console.command
def run(
    path: Annotated[str, typer.Argument(help="A project directory, or an .afs file in one.")] = ".",
    emit: Annotated[Emit, typer.Option("--emit", "-e", help="What to show.")] = Emit.PLAN,
    view: Annotated[
        str,
        typer.Option(
            "--view",
            metavar="VIEW",
            help="Show only this view or dataset (plan, json, sql, footprint).",
        ),
    ] = "",
    features: Annotated[
        str,
        typer.Option("--features", metavar="A,B", help="With --view and sql: only these columns."),
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="The plan or the tree as JSON; like --emit json.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file.")
    ] = None,
    env: EnvOption = None,
) -> int:
    """Show what a project becomes: tree, plan, JSON, SQL, time footprints."""
    if as_json and emit in (Emit.SQL, Emit.FOOTPRINT, Emit.PHYSICAL):
        raise AstrafsError(
            codes.USAGE.nowhere(f"--json goes with `--emit plan` and `ast`, not `--emit {emit}`")
        )
    if features and (not view or emit is not Emit.SQL):
        raise AstrafsError(codes.USAGE.nowhere("--features goes with `--emit sql --view VIEW`"))
    compiled = compile_path(path, env)
    if emit is Emit.AST:
        return _show_tree(compiled, as_json, output)
    program = usable_program(compiled)
    if program is None:
        return console.exit_code(compiled.diagnostics)
    deliver(_emit(program, Emit.JSON if as_json else emit, view, features), output)
    return console.OK


def _show_tree(compiled: Compiled, as_json: bool, output: Path | None) -> int:
    """Print the surface tree: it exists for programs with errors too, which are printed as well."""
    from astrafs.driver import module_name
    from astrafs.syntax.parse import parse_module
    from astrafs.syntax.show import show, to_json

    only = compiled.workspace.only
    trees = [
        parse_module(file, module_name(file.path), Sink())
        for file in compiled.workspace.files
        if not only or file.path == only
    ]
    if as_json:
        text = json.dumps([to_json(tree) for tree in trees], indent=2) + "\n"
    else:
        text = "\n".join(f"{show(tree).rstrip()}\n" for tree in trees)
    deliver(text, output)
    usable_program(compiled)
    return console.exit_code(compiled.diagnostics)


def _emit(program: Program, emit: Emit, view: str, features: str) -> str:
    plan = program.plan
    if emit is Emit.SQL:
        return _sql(plan, view, features)
    if emit is Emit.PHYSICAL:
        return _physical(plan, view)
    if view:
        from astrafs.plan.find import find_view
        from astrafs.plan.prune import reachable, reachable_by_dataset
        from astrafs.runtime.request import find_dataset

        dataset = find_dataset(plan, view)
        if dataset is not None and not any(one.name == view for one in plan.views):
            plan = reachable_by_dataset(plan, dataset.name)
        else:
            plan = reachable(plan, find_view(plan, view).name)
    if emit is Emit.FOOTPRINT:
        from astrafs.temporal.footprint import footprints
        from astrafs.temporal.report import footprint_text

        return footprint_text(footprints(plan))
    if emit is Emit.JSON:
        from astrafs.plan.json import dumps

        return dumps(plan)
    from astrafs.plan.text import plan_text

    return plan_text(plan)


def _sql(plan: ir.Plan, view: str, features: str) -> str:
    from astrafs.backends.duckdb.compile import compile_view
    from astrafs.backends.duckdb.script import render
    from astrafs.plan.find import find_view
    from astrafs.runtime.request import find_dataset

    dataset = find_dataset(plan, view) if view and not features else None
    if dataset is not None and not any(one.name == view for one in plan.views):
        from astrafs.backends.duckdb.datasets import compile_dataset

        return render(compile_dataset(plan, dataset.name).script)
    views = [find_view(plan, view)] if view else list(plan.views)
    if not views:
        raise AstrafsError(
            codes.UNKNOWN_VIEW.nowhere("the project has no view, and SQL is made for views").help(
                "declare one: `view NAME for ENTITY { ... }`"
            )
        )
    texts = []
    for one in views:
        script = compile_view(plan, one.name, outputs=pick_features(one, features), mode="spine")
        texts.append(render(script))
    return "\n".join(texts)


def _physical(plan: ir.Plan, view: str) -> str:
    """Return, per view, who evaluates each group of windows in a backfill, and why."""
    from astrafs.backends.duckdb.compile import compile_view
    from astrafs.plan.find import find_view

    lines = []
    for one in [find_view(plan, view)] if view else plan.views:
        lines.append(f"view {one.name}")
        groups = compile_view(plan, one.name, engine="auto").groups
        lines += [f"  {group.text()}" for group in groups] or ["  no windows"]
    return "\n".join(lines) + "\n"
