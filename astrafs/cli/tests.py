"""``astrafs test``: run the ``test`` blocks of a project on the reference and on DuckDB."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from astrafs.cli import console
from astrafs.cli.console import count
from astrafs.cli.output import deliver
from astrafs.cli.project import compile_path, usable_program
from astrafs.diagnostics.codes import internal as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.diagnostics.render.cells import reveal
from astrafs.diagnostics.render.excerpt import Style

if TYPE_CHECKING:
    from astrafs.cli.tests_report import Report
    from astrafs.plan.tests import TestCase
    from astrafs.runtime.tests import Engine, TestOutcome


class Engines(StrEnum):
    """Which engines run the tests."""

    REFERENCE = "reference"
    DUCKDB = "duckdb"
    BOTH = "both"


class OutcomeFormat(StrEnum):
    """How outcomes are printed."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"


@console.command
def run(
    path: Annotated[
        str, typer.Argument(help="A project directory, or an .afs file in one for its tests only.")
    ] = ".",
    wanted: Annotated[
        str,
        typer.Option(
            "--filter", metavar="TEXT", help="Only tests with TEXT in `module: title`, in any case."
        ),
    ] = "",
    engine: Annotated[
        Engines, typer.Option("--engine", help="What computes; with both, they must agree.")
    ] = Engines.BOTH,
    form: Annotated[
        OutcomeFormat, typer.Option("--format", "-f", help="How outcomes are printed.")
    ] = OutcomeFormat.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file.")
    ] = None,
) -> int:
    """Run the tests of a project.

    Exits with 0 if every expectation holds, with 1 if one does not.
    """
    compiled = compile_path(path)
    program = usable_program(compiled)
    if program is None:
        return console.exit_code(compiled.diagnostics)
    cases = _chosen(program.tests, wanted, compiled.workspace.only)
    from astrafs.cli.tests_report import Report, to_json, to_junit
    from astrafs.runtime.tests import run_tests, trace

    live = form is OutcomeFormat.TEXT and output is None
    done: list[TestOutcome] = []
    report = Report(program, done, lambda case, place, text: trace(program, case, place, text))
    lines: list[str] = []
    for outcome in run_tests(program, cases, _engines(engine)):
        done.append(outcome)
        if form is OutcomeFormat.TEXT:
            lines += _told(report, outcome, len(done) < len(cases))
            if live:
                console.write("\n".join(lines) + "\n")
                lines = []
    match form:
        case OutcomeFormat.JSON:
            deliver(to_json(report), output)
        case OutcomeFormat.JUNIT:
            deliver(to_junit(report), output)
        case OutcomeFormat.TEXT:
            deliver("\n".join([*lines, _summary(done, engine)]) + "\n", output)
    return console.OK if all(test.passed for test in done) else console.PROBLEMS


def _chosen(cases: Sequence[TestCase], wanted: str, only: str | None) -> list[TestCase]:
    folded = wanted.casefold()
    found = [
        case
        for case in cases
        if folded in f"{case.module}: {case.title}".casefold()
        and (not only or case.name.path == only)
    ]
    if wanted and not found:
        known = f"the project has {count(len(cases), 'test')}"
        raise AstrafsError(
            codes.BAD_VALUE.nowhere(f"--filter: no test has `{wanted}` in its name").note(known)
        )
    return found


def _engines(chosen: Engines) -> list[Engine]:
    from astrafs.runtime.tests import Engine

    return list(Engine) if chosen is Engines.BOTH else [Engine(chosen.value)]


def _told(report: Report, outcome: TestOutcome, more: bool) -> list[str]:
    from astrafs.cli.tests_report import failure_lines

    name = reveal(f"{outcome.case.module}: {outcome.case.title}")
    if outcome.passed:
        return [f"{console.styled('ok', Style.ADDED, sys.stdout)}      {name}"]
    failed = console.styled("FAILED", Style.ERROR, sys.stdout)
    return [f"{failed}  {name}", *failure_lines(report, outcome), *([""] if more else [])]


def _summary(done: Sequence[TestOutcome], engine: Engines) -> str:
    if not done:
        return "no tests"
    expectations = sum(len(test.outcomes) for test in done)
    failed = sum(not test.passed for test in done)
    ran = f"{count(len(done), 'test')}, {count(expectations, 'expectation')}"
    where = "reference and duckdb" if engine is Engines.BOTH else engine.value
    if failed:
        told = console.styled(
            f"{failed:,} of {count(len(done), 'test')} failed", Style.ERROR, sys.stdout
        )
        return f"\n{told} ({where})"
    return f"\n{console.styled('all hold', Style.ADDED, sys.stdout)}: {ran} ({where})"
