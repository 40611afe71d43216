"""Running a script for one answer: its kernels, its steps, its checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from astrafs.backends.duckdb.script import Check, Script
from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic, Label
from astrafs.plan.program import Program
from astrafs.runtime.blame import blame
from astrafs.runtime.session import Session
from astrafs.source import Span


class ScriptRunner:
    """A session that runs scripts of one program."""

    def __init__(self, session: Session, program: Program) -> None:
        self.session = session
        self._program = program
        self._spans: Mapping[str, Span] = {
            str(feature): origin.name for feature, origin in program.features.items()
        }

    def run(self, script: Script) -> None:
        """Execute the steps; raises :class:`AstrafsError` where one fails or a check finds rows."""
        self.session.prepare(script.kernels)
        for step in script.steps:
            try:
                self.session.run(step.sql, f"computing {step.comment.splitlines()[0]}")
            except AstrafsError as error:
                raise blame(self.session, step, error, self._spans) from None
            for check in script.checks:
                if check.after == step.name and self.session.rows(check.sql, "checking the rows"):
                    raise self._broken(check)

    def _broken(self, check: Check) -> AstrafsError:
        found = codes.CONTRACT_BROKEN.nowhere(f"source `{check.source}`: a row breaks a contract")
        origin = self._program.sources.get(check.source)
        if origin is not None:
            found = Diagnostic(found.code, found.title, Label(origin.name, "declared here"))
        return AstrafsError(found.note(f"rule: {check.rule}"))


def together(*scripts: Script) -> Script:
    """Return a script of no steps that needs what all of ``scripts`` need."""
    inputs: dict[str, set[str]] = {}
    for script in scripts:
        for name, columns in script.inputs.items():
            inputs.setdefault(name, set()).update(columns)
    kernels = sorted({name for script in scripts for name in script.kernels})
    listed = {name: tuple(sorted(columns)) for name, columns in sorted(inputs.items())}
    return Script((), listed, tuple(kernels), "")


def all_rows(session: Session, query: str) -> list[tuple[Any, ...]]:
    """Return the few rows of a query, their values as the reference has them: times and dates as
    numbers, lists as tuples, a map as pairs in its order.
    """
    return [
        tuple(map(_frozen, row.values()))
        for batch in session.stream(query, "reading the result")
        for row in batch.to_pylist()
    ]


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value
