"""What ``astrafs check`` does with its plain options. It must start fast: no command-line library,
and no part of the compiler before something has changed.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from astrafs.cache.incremental import Checked, check_files
from astrafs.cache.records import Counts
from astrafs.cache.store import NoStore, Store
from astrafs.cli import console
from astrafs.cli.console import Format
from astrafs.cli.project import explained, no_collection, read_path
from astrafs.config import FILE_NAME, Levels, check_overrides, load_config
from astrafs.diagnostics.model import Diagnostic, Sink
from astrafs.diagnostics.render.excerpt import Style
from astrafs.record import dataclass
from astrafs.source import SourceFile
from astrafs.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be checked, and how. Without ``cache`` nothing is read from or kept in it."""

    path: str = "."
    form: Format = Format.TEXT
    levels: Levels = Levels()
    env: str | None = None
    stdin_name: str = ""
    cache: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """A checked project; ``counts`` is None where there was nothing to check."""

    workspace: Workspace
    counts: Counts | None
    diagnostics: tuple[Diagnostic, ...]
    files: Mapping[str, SourceFile]

    @property
    def has_errors(self) -> bool:
        """Whether the project must not be run."""
        return any(found.is_error for found in self.diagnostics)

    @property
    def shown(self) -> list[Diagnostic]:
        """The problems of the one file that was asked for, or all."""
        only = self.workspace.only
        return [
            one
            for one in self.diagnostics
            if not only or one.primary is None or one.primary.span.path == only
        ]


def check(request: Request) -> int:
    """Check and print; return the exit code."""
    return show(examine(request), request.form)


def examine(request: Request) -> Outcome:
    """Read and check the project of ``request``."""
    sink = Sink()
    workspace = read_path(request.path, request.stdin_name, sink)
    config = load_config(workspace.root, request.env, sink)
    checked: Checked | None = None
    if workspace.files:
        before = tuple(sink)
        with no_collection():
            checked = check_files(workspace.files, sink, _store(request, workspace))
            sink = explained(workspace, before, sink, "")
    if checked is not None:
        check_overrides(config, checked.bindings, sink)
    files = {file.path: file for file in workspace.files}
    if config.file is not None:
        files[config.file.path] = config.file
    found = tuple(request.levels.over(config.levels).apply(sink))
    return Outcome(workspace, None if checked is None else checked.counts, found, files)


def lonely_name() -> Diagnostic:
    """Say that ``--stdin-name`` was given without standard input."""
    from astrafs.diagnostics.codes.internal import USAGE

    return USAGE.nowhere("--stdin-name goes with `-`, standard input").help(
        "write `astrafs check - --stdin-name PATH`, or leave it out"
    )


def _store(request: Request, workspace: Workspace) -> Store:
    """Return where to remember. A file by itself and standard input leave nothing behind."""
    alone = bool(workspace.only) and not (workspace.root / FILE_NAME).is_file()
    if not request.cache or alone:
        return NoStore(workspace.root)
    return Store(workspace.root, keep=request.path != "-")


def show(outcome: Outcome, form: Format) -> int:
    """Print what was found, and the line below it; return the exit code."""
    shown = outcome.shown
    console.report(shown, outcome.files, form, sys.stdout)
    if form is Format.TEXT:
        hidden = len(outcome.diagnostics) - len(shown)
        for line in ending(outcome, shown, hidden):
            console.write(f"{line}\n")
    return console.exit_code(shown)


def ending(outcome: Outcome, shown: Sequence[Diagnostic], hidden: int) -> list[str]:
    """Return the lines below the problems: how many, or that all is well."""
    lines = []
    counts = outcome.counts
    if shown:
        lines += ["", console.closing(shown, sys.stdout)]
    elif counts is not None and outcome.has_errors and not hidden:
        lines.append("nothing but known problems")
    elif counts is not None:
        done = console.styled("ok", Style.ADDED, sys.stdout)
        text = ", ".join(
            console.count(number, word)
            for number, word in (
                (len(outcome.workspace.files), "file"),
                (counts.sources, "source"),
                (counts.features, "feature"),
                (counts.views, "view"),
            )
        )
        lines.append(f"{done}: {text}")
    if hidden:
        lines.append(
            f"{console.count(hidden, 'problem')} in other files of the project; "
            "check the directory to see them"
        )
    return lines
