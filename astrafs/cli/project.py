"""Reading and compiling the project that a command is about."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from astrafs.cli import console
from astrafs.config import Config, Levels, check_overrides, level_problem, load_config
from astrafs.diagnostics.model import AstrafsError, Diagnostic, Sink
from astrafs.diagnostics.suggest import closest
from astrafs.record import dataclass
from astrafs.source import SourceFile
from astrafs.workspace import Workspace, find_root, open_workspace, read_stdin

if TYPE_CHECKING:
    from astrafs.plan.program import Program


@dataclass(frozen=True, slots=True)
class Compiled:
    """A project after every pass; ``program`` is usable if ``diagnostics`` holds no error."""

    workspace: Workspace
    config: Config
    program: Program | None
    diagnostics: tuple[Diagnostic, ...]
    files: Mapping[str, SourceFile]

    @property
    def has_errors(self) -> bool:
        """Whether the project must not be run."""
        return any(found.is_error for found in self.diagnostics)


def compile_path(
    path: str,
    env: str | None = None,
    levels: Levels | None = None,
    stdin_name: str = "",
    day: str = "",
) -> Compiled:
    """Read and compile the project of ``path``, or the text on standard input where ``path`` is
    ``-``. ``day`` is the ISO date to judge deprecations by, empty to judge none.
    """
    from astrafs.driver import compile_project
    from astrafs.typecheck.context import Outside

    sink = Sink()
    workspace = read_path(path, stdin_name, sink)
    config = load_config(workspace.root, env, sink)
    with no_collection():
        before = tuple(sink)
        program = None
        if workspace.files:
            program = compile_project(workspace.files, sink, Outside(day))
            sink = explained(workspace, before, sink, day)
    if program is not None:
        check_overrides(config, program.bindings, sink)
    effective = config.levels if levels is None else levels.over(config.levels)
    found = tuple(effective.apply(sink))
    files = {file.path: file for file in workspace.files}
    if config.file is not None:
        files[config.file.path] = config.file
    return Compiled(workspace, config, program, found, files)


_MISSING = ("AFS0201", "AFS0207", "AFS0209")
"""Codes of references to features that are not there."""


def explained(workspace: Workspace, before: Sequence[Diagnostic], sink: Sink, day: str) -> Sink:
    """Return what a compilation found, with references to removed versions explained.

    ``before`` was found ahead of it, ``sink`` holds all. The lock file is read only where
    something is missing.
    """
    titles = [found.title for found in sink if found.code.id in _MISSING]
    if not titles:
        return sink
    from astrafs.cli.lockfile import removed_versions

    removed = removed_versions(workspace.root)
    if not any(f"`{one.name}" in title for one in removed for title in titles):
        return sink
    from astrafs.driver import compile_project
    from astrafs.typecheck.context import Outside

    again = Sink()
    again.extend(before)
    compile_project(workspace.files, again, Outside(day, removed))
    return again


def read_path(path: str, stdin_name: str, sink: Sink) -> Workspace:
    """Read the project of ``path``, or standard input where it is ``-``, in place of the file
    ``stdin_name`` if that is given.
    """
    if path == "-":
        return read_stdin(sys.stdin.buffer, find_root(Path.cwd()), stdin_name, sink)
    if not path:  # a variable of a script that is not set; the working directory is `.`
        raise AstrafsError(_usage("the path is empty", "write `.` for this directory"))
    return open_workspace(Path(path), sink)


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Hold back the collector of cyclic garbage: compiling makes many objects and next to no
    cycles, so that its passes are a quarter of the time, for nothing.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def usable_program(compiled: Compiled) -> Program | None:
    """Print what is wrong, to standard error; return the program if it can be run, None if not."""
    if compiled.diagnostics:
        console.report(compiled.diagnostics, compiled.files)
        console.tell("")
        console.tell(console.closing(compiled.diagnostics, sys.stderr))
    return None if compiled.has_errors else compiled.program


def parse_levels(deny: Sequence[str], warn: Sequence[str], allow: Sequence[str]) -> Levels:
    """Make levels of ``--deny``, ``--warn`` and ``--allow``; raises for unknown codes."""
    lists = {"deny": _codes(deny), "warn": _codes(warn), "allow": _codes(allow)}
    problems = []
    for level, names in lists.items():
        for name in names:
            problem = level_problem(level, name)
            if problem is not None:
                _, text, advice = problem
                problems.append(_usage(f"--{level}: {text}", advice))
    if problems:
        raise AstrafsError(*problems)
    return Levels(**{level: frozenset(names) for level, names in lists.items()})


def known_codes(option: str, given: Sequence[str]) -> frozenset[str]:
    """Return the codes that a repeated option lists; raises for those that do not exist."""
    from astrafs.diagnostics.codes import ALL

    names = frozenset(_codes(given))
    unknown = sorted(names - ALL.keys())
    if unknown:
        likely = closest(unknown[0], ALL)
        advice = f"did you mean `{likely}`?" if likely else "`astrafs explain` lists all codes"
        raise AstrafsError(_usage(f"{option}: there is no code `{unknown[0]}`", advice))
    return names


def _codes(given: Sequence[str]) -> tuple[str, ...]:
    return tuple(name.strip() for one in given for name in one.split(",") if name.strip())


def _usage(title: str, advice: str) -> Diagnostic:
    from astrafs.diagnostics.codes.internal import BAD_VALUE

    return BAD_VALUE.nowhere(title).help(advice)
