"""``astrafs fmt``: write source files in the one style."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from astrafs.cli import console
from astrafs.cli.output import replace_file, unified_diff
from astrafs.cli.project import read_path
from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError, Sink
from astrafs.source import SourceFile


@console.command
def run(
    path: Annotated[
        str, typer.Argument(help="A project directory, an .afs file, or - for standard input.")
    ] = ".",
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if a file would change.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Write nothing; show what would change.")
    ] = False,
) -> int:
    """Format source files in place.

    Comments stay. A file with syntax errors is left as it is.
    """
    from astrafs.syntax.format import format_module

    if check and diff:
        raise AstrafsError(codes.USAGE.nowhere("--check and --diff exclude each other"))
    sink = Sink()
    workspace = read_path(path, "", sink)
    changed: list[tuple[SourceFile, str]] = []
    for file in workspace.files:
        if workspace.only and file.path != workspace.only:
            continue
        text = file.text if _is_broken(file, sink) else format_module(file)
        if path == "-" and not (check or diff):
            console.write(text)
        elif text != file.text:
            changed.append((file, text))
    if sink.has_errors:
        found = tuple(sink)
        console.report(found, {file.path: file for file in workspace.files})
        console.tell(
            f"\n{console.closing(found, sys.stderr)}; files with errors were left as they are"
        )
    for file, text in changed:
        _settle(workspace.root, file, text, check=check, diff=diff)
    if path != "-":
        total = 1 if workspace.only else len(workspace.files)
        console.tell(_summary(len(changed), total, check or diff))
    return console.PROBLEMS if sink.has_errors or (changed and (check or diff)) else console.OK


def _is_broken(file: SourceFile, sink: Sink) -> bool:
    """Report the syntax errors of ``file`` and return whether there are any."""
    from astrafs.driver import module_name
    from astrafs.syntax.parse import parse_module

    own = Sink()
    parse_module(file, module_name(file.path), own)
    sink.extend(own)
    return own.has_errors


def _settle(root: Path, file: SourceFile, text: str, *, check: bool, diff: bool) -> None:
    if check:
        console.write(f"{file.path}\n")
    elif diff:
        console.write(unified_diff(file, text))
    else:
        replace_file(root / file.path, text)


def _summary(changed: int, total: int, dry: bool) -> str:
    files = f"{changed} of {total} file{'' if total == 1 else 's'}"
    if not changed:
        return "nothing to change"
    return f"{files} would change" if dry else f"{files} formatted"
