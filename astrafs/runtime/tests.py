"""Running ``test`` blocks: every expectation on the reference interpreter and on DuckDB, which must
agree to the last bit.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

import pyarrow as pa

from astrafs.backends.duckdb.compile import compile_view
from astrafs.backends.duckdb.names import ident
from astrafs.backends.duckdb.script import Script
from astrafs.deep import deeply
from astrafs.diagnostics.codes import ALL
from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic, Label
from astrafs.kernels.registry import KERNELS
from astrafs.leakage.evaluate import UnknownValueError, value_of
from astrafs.plan import ir
from astrafs.plan.probe import PROBE, probe_feature, with_probe
from astrafs.plan.program import Program
from astrafs.plan.tests import VALUE, Expectation, TestCase
from astrafs.reference.interpreter import Interpreter
from astrafs.reference.trace import Step, Tracer
from astrafs.runtime.blame import blame
from astrafs.runtime.inline import load_rows
from astrafs.runtime.session import Session
from astrafs.source import Span
from astrafs.values.errors import ValueFailure


class Engine(StrEnum):
    """What evaluates an expectation."""

    REFERENCE = "reference"
    DUCKDB = "duckdb"


@dataclass(frozen=True, slots=True)
class Got:
    """What one engine gave: a value, or the problem that stopped it."""

    value: Any = None
    problem: Diagnostic | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One expectation with what every engine gave."""

    expectation: Expectation
    got: Mapping[Engine, Got]

    @property
    def agree(self) -> bool:
        """Whether all engines gave the same bits, or the same problem."""
        return len({canonical(one) for one in self.got.values()}) <= 1

    @property
    def holds(self) -> bool:
        """Whether every engine gave a value for which the expectation holds."""
        return self.agree and all(
            one.problem is None and _is_true(self.expectation, one.value)
            for one in self.got.values()
        )


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """One test with the outcome of each of its expectations."""

    __test__ = False

    case: TestCase
    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> bool:
        """Whether every expectation holds."""
        return all(outcome.holds for outcome in self.outcomes)


def run_tests(
    program: Program, cases: Sequence[TestCase], engines: Sequence[Engine]
) -> Iterator[TestOutcome]:
    """Yield the outcome of each test, in order; one session serves them all."""
    runs = {Engine.REFERENCE: _by_reference, Engine.DUCKDB: _by_duckdb}
    with Session((), threads=1) as session:
        machine = _Machine(session, program)
        for case in cases:
            found = {
                engine: runs[engine](machine if engine is Engine.DUCKDB else program, case)
                for engine in engines
            }
            yield TestOutcome(
                case,
                tuple(
                    Outcome(expectation, {engine: found[engine][place] for engine in engines})
                    for place, expectation in enumerate(case.expects)
                ),
            )


def canonical(got: Got) -> object:
    """Return something hashable that is equal exactly where two answers have the same bits."""
    if got.problem is not None:
        return ("problem", got.problem.code.id)
    return _bits(got.value)


def _bits(value: Any) -> object:
    match value:
        case float():
            return struct.pack("<d", value)
        case dict():
            return ("map", *((_bits(key), _bits(one)) for key, one in value.items()))
        case list() | tuple():
            return ("list", *map(_bits, value))
        case _:
            return (type(value).__name__, value)


def _is_true(expectation: Expectation, value: Any) -> bool:
    try:
        return value_of(expectation.test, {VALUE: value}) is True
    except UnknownValueError:
        return False


# --- the reference --------------------------------------------------------------------------------


def rows_of(case: TestCase) -> dict[str, list[Mapping[str, Any]]]:
    """Return the rows of a test by source, as the interpreter reads them."""
    return {name: [row.values for row in rows] for name, rows in case.rows.items()}


def _by_reference(program: Program, case: TestCase) -> list[Got]:
    asked = [(one.expression, one.type) for one in case.expects]
    plan = with_probe(program.plan, asked)
    data = rows_of(case)
    found = []
    for place, expectation in enumerate(case.expects):
        machine = Interpreter(plan, data, expectation.as_of)
        try:
            found.append(
                Got(deeply(lambda m=machine, p=place, e=expectation: _ask(m, p, e.at)))  # type: ignore[misc]
            )
        except ValueFailure as failure:
            code = ALL[failure.code]
            found.append(Got(problem=code.nowhere(f"{code.title}: {failure.message}")))
    return found


def trace(program: Program, case: TestCase, place: int, text: str) -> Step:
    """Return how the reference came to the value of expectation number ``place``, written
    ``text``.
    """
    expectation = case.expects[place]
    plan = with_probe(program.plan, [(expectation.expression, expectation.type)])
    machine = Interpreter(plan, rows_of(case), expectation.as_of)
    tracer = Tracer(plan, machine, expectation.as_of)
    return deeply(lambda: tracer.expression(probe_feature(0), text, expectation.at))


def _ask(machine: Interpreter, place: int, at: int) -> Any:
    return machine.feature(probe_feature(place), (), at)


# --- DuckDB ---------------------------------------------------------------------------------------


class _Machine:
    """A session, the kernels it has, and the scripts compiled so far."""

    def __init__(self, session: Session, program: Program) -> None:
        self.session = session
        self.program = program
        self.sources = {source.name: source for source in program.plan.sources}
        self.spans: dict[str, Span] = {
            str(feature): origin.name for feature, origin in program.features.items()
        }
        self._kernels: set[str] = set()
        self._scripts: dict[tuple[ir.Expr, ...], Script] = {}

    def script(self, expectations: Sequence[Expectation]) -> Script:
        """Return the script that computes the expressions; kernels are ready afterwards."""
        key = tuple(one.expression for one in expectations)
        if key not in self._scripts:
            plan = with_probe(self.program.plan, [(one.expression, one.type) for one in expectations])
            self._scripts[key] = compile_view(plan, PROBE)
        script = self._scripts[key]
        for name in script.kernels:
            if name not in self._kernels:
                kernel = KERNELS[name]
                self.session.add_function(name, kernel.run, kernel.params, kernel.result)
                self._kernels.add(name)
        return script

    def answer(self, case: TestCase, expectations: Sequence[Expectation]) -> list[Got]:
        """Answer expectations of one time and cutoff; a failure is told for each by itself."""
        script = self.script(expectations)
        self.session.set_as_of(expectations[0].as_of)
        spine = pa.table({"@row": pa.array([0], pa.int64()), "@t": [expectations[0].at]})
        self.session.register("spine", spine)
        # One transaction, never committed: cheaper than dropping every relation.
        self.session.run("BEGIN", "beginning")
        try:
            data = rows_of(case)
            for name in script.inputs:
                load_rows(self.session, self.sources[name], data.get(name, ()))
            return [Got(value) for value in self._run(script, len(expectations))]
        except AstrafsError as error:
            if len(expectations) == 1:
                return [Got(problem=error.diagnostics[0])]
        finally:
            self.session.run("ROLLBACK", "forgetting everything")
            self.session.unregister("spine")
        return [got for one in expectations for got in self.answer(case, [one])]

    def _run(self, script: Script, count: int) -> tuple[Any, ...]:
        for step in script.steps:
            try:
                self.session.run(step.sql, f"computing {step.comment.splitlines()[0]}")
            except AstrafsError as error:
                raise blame(self.session, step, error, self.spans) from None
            for check in script.checks:
                if check.after == step.name and self.session.rows(check.sql, "checking the rows"):
                    raise self._broken(check.source, check.rule)
        listed = ", ".join(ident(f"v{place}") for place in range(count))
        query = f"SELECT {listed} FROM {ident(script.result)}"
        (batch,) = self.session.stream(query, "reading the result")
        return tuple(_plain(column.to_pylist()[0], column.type) for column in batch.columns)

    def _broken(self, source: str, rule: str) -> AstrafsError:
        found = codes.CONTRACT_BROKEN.nowhere(f"source `{source}`: a row breaks a contract")
        origin = self.program.sources.get(source)
        if origin is not None:
            found = Diagnostic(found.code, found.title, Label(origin.name, "declared here"))
        return AstrafsError(found.note(f"rule: {rule}"))


def _plain(value: Any, type_: pa.DataType) -> Any:
    """Return an engine value as the reference has it: a map as a dict in its order."""
    return dict(value) if pa.types.is_map(type_) and value is not None else value


def _by_duckdb(machine: _Machine, case: TestCase) -> list[Got]:
    answers: dict[int, Got] = {}
    places = sorted(
        range(len(case.expects)), key=lambda n: (case.expects[n].as_of, case.expects[n].at, n)
    )
    for _, group in groupby(places, lambda n: (case.expects[n].as_of, case.expects[n].at)):
        asked = list(group)
        answers.update(
            zip(asked, machine.answer(case, [case.expects[n] for n in asked]), strict=True)
        )
    return [answers[place] for place in range(len(case.expects))]
