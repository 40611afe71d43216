"""``astrafs check``: compile a project and show what is wrong with it."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from astrafs.cli import console
from astrafs.cli.console import Format
from astrafs.cli.project import Compiled, EnvOption, compile_path, parse_levels
from astrafs.diagnostics.model import Diagnostic
from astrafs.diagnostics.render.excerpt import Style


class Emit(StrEnum):
    """What an accepted project can print besides its diagnostics."""

    FOOTPRINT = "footprint"


@console.command
def run(
    path: Annotated[
        str,
        typer.Argument(help="A project directory, an .afs file in one, or - for standard input."),
    ] = ".",
    form: Annotated[
        Format, typer.Option("--format", "-f", help="How problems are printed.")
    ] = Format.TEXT,
    deny: Annotated[
        list[str] | None,
        typer.Option("--deny", metavar="CODE", help="Make a warning an error; `warnings` for all."),
    ] = None,
    warn: Annotated[
        list[str] | None,
        typer.Option(
            "--warn", metavar="CODE", help="Show a warning that astrafs.toml denies or allows."
        ),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="CODE", help="Hide a warning; `warnings` for all."),
    ] = None,
    emit: Annotated[
        Emit | None,
        typer.Option(
            "--emit", help="Of an accepted project, print the proof: what each feature reads."
        ),
    ] = None,
    env: EnvOption = None,
    stdin_name: Annotated[
        str,
        typer.Option(
            "--stdin-name", metavar="PATH", help="With -, the file in the project it stands in for."
        ),
    ] = "",
) -> int:
    """Check a project: syntax, names, types, time, leakage.

    Exits with 0 if there is no error, with 1 if there is one.
    """
    levels = parse_levels(deny or (), warn or (), allow or ())
    compiled = compile_path(path, env, levels, stdin_name)
    only = compiled.workspace.only
    shown = [
        found
        for found in compiled.diagnostics
        if not only or found.primary is None or found.primary.span.path == only
    ]
    console.report(shown, compiled.files, form, sys.stdout)
    if form is Format.TEXT:
        hidden = len(compiled.diagnostics) - len(shown)
        for line in _ending(compiled, shown, hidden):
            console.write(f"{line}\n")
    if emit is Emit.FOOTPRINT and compiled.program is not None and not console.exit_code(shown):
        from astrafs.temporal.footprint import footprints  # not needed for a plain check
        from astrafs.temporal.report import footprint_text

        console.write(footprint_text(footprints(compiled.program.plan)))
    return console.exit_code(shown)


def _ending(compiled: Compiled, shown: list[Diagnostic], hidden: int) -> list[str]:
    lines = []
    if shown:
        lines += ["", console.closing(shown, sys.stdout)]
    elif compiled.program is not None:
        plan = compiled.program.plan
        done = styled_ok("ok")
        counts = ", ".join(
            console.count(len(things), word)
            for things, word in (
                (compiled.workspace.files, "file"),
                (plan.sources, "source"),
                (plan.features, "feature"),
                (plan.views, "view"),
            )
        )
        lines.append(f"{done}: {counts}")
    if hidden:
        lines.append(
            f"{console.count(hidden, 'problem')} in other files of the project; "
            "check the directory to see them"
        )
    return lines


def styled_ok(text: str) -> str:
    """Return ``text`` in the colour of success."""
    return console.styled(text, Style.ADDED, sys.stdout)
