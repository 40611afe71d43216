"""Running ``test`` blocks: every expectation on the reference interpreter and on DuckDB, which must
agree to the last bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, assert_never

import pyarrow as pa

from astrafs.backends.duckdb.compile import compile_view
from astrafs.backends.duckdb.names import ident
from astrafs.backends.duckdb.script import Script
from astrafs.deep import deeper
from astrafs.diagnostics.codes import ALL
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.leakage.evaluate import UnknownValueError, value_of
from astrafs.plan import ir
from astrafs.plan.probe import PROBE, probe_feature, with_probe
from astrafs.plan.program import Program
from astrafs.plan.prune import prune
from astrafs.plan.tests import VALUE, Expectation, TestCase
from astrafs.record import dataclass
from astrafs.reference.interpreter import Interpreter
from astrafs.reference.trace import Step, Tracer
from astrafs.runtime.inline import load_rows
from astrafs.runtime.scripts import ScriptRunner, all_rows
from astrafs.runtime.session import Session
from astrafs.values.bits import bits
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
    with Session((), threads=1) as session:
        machine = _Machine(session, program)
        for case in cases:
            found: dict[Engine, list[Got]] = {}
            for engine in engines:
                match engine:
                    case Engine.REFERENCE:
                        found[engine] = _by_reference(program, case)
                    case Engine.DUCKDB:
                        found[engine] = _by_duckdb(machine, case)
                    case _:
                        assert_never(engine)
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
    return bits(got.value)


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
            with deeper():
                found.append(Got(machine.feature(probe_feature(place), (), expectation.at)))
        except ValueFailure as failure:
            found.append(Got(problem=ALL[failure.code].nowhere(failure.message)))
    return found


def trace(program: Program, case: TestCase, place: int, text: str) -> Step:
    """Return how the reference came to the value of expectation number ``place``, written
    ``text``.
    """
    expectation = case.expects[place]
    plan = with_probe(program.plan, [(expectation.expression, expectation.type)])
    machine = Interpreter(plan, rows_of(case), expectation.as_of)
    tracer = Tracer(plan, machine, expectation.as_of)
    with deeper():
        return tracer.expression(probe_feature(0), text, expectation.at)


# --- DuckDB ---------------------------------------------------------------------------------------


class _Machine:
    """A session, and the scripts compiled so far."""

    def __init__(self, session: Session, program: Program) -> None:
        self._session = session
        self._program = program
        self._runner = ScriptRunner(session, program)
        self._sources = {source.name: source for source in program.plan.sources}
        self._scripts: dict[tuple[ir.Expr, ...], Script] = {}

    def answer(self, case: TestCase, asked: Sequence[Expectation], cutoff: int) -> list[Got]:
        """Answer expectations under one cutoff; a failure is told for each by itself."""
        try:
            return self._together(case, asked, cutoff)
        except AstrafsError as error:
            if len(asked) == 1:
                return [Got(problem=error.diagnostics[0])]
        return [got for one in asked for got in self.answer(case, [one], one.as_of)]

    def _together(self, case: TestCase, asked: Sequence[Expectation], cutoff: int) -> list[Got]:
        """Evaluate every expression at every time, in one script."""
        distinct = {one.expression: one for one in asked}
        places = {expression: place for place, expression in enumerate(distinct)}
        times = list(dict.fromkeys(one.at for one in asked))
        script = self._script(list(distinct.values()))
        session = self._session
        session.set_as_of(cutoff)
        numbers = pa.array(list(range(len(times))), pa.int64())
        session.register("spine", pa.table({"@row": numbers, "@t": pa.array(times, pa.int64())}))
        self._runner.session.prepare(script.kernels)  # a transaction would forget them again
        # One transaction, never committed: cheaper than dropping every relation.
        session.run("BEGIN", "beginning")
        try:
            data = rows_of(case)
            for name in script.inputs:
                load_rows(session, self._sources[name], data.get(name, ()))
            self._runner.run(script)
            listed = ", ".join(ident(f"v{place}") for place in range(len(distinct)))
            rows = all_rows(session, f'SELECT {listed} FROM {ident(script.result)} ORDER BY "@row"')
        finally:
            session.run("ROLLBACK", "forgetting everything")
            session.unregister("spine")
        return [Got(rows[times.index(one.at)][places[one.expression]]) for one in asked]

    def cutoffs(self, case: TestCase) -> dict[int, list[int]]:
        """Group the expectations of a test (by their places) under cutoffs.

        What was unknown at t is unseen at t whatever the cutoff, so that all cutoffs from t on are
        one; but a label looks beyond t.
        """
        asked = [(one.expression, one.type) for one in case.expects]
        probed = with_probe(self._program.plan, asked)
        forward = any(one.label for one in prune(probed, views=[PROBE]).features)
        latest = max((max(one.at, one.as_of) for one in case.expects), default=0)
        groups: dict[int, list[int]] = {}
        for place, one in enumerate(case.expects):
            free = one.as_of >= one.at and not forward
            groups.setdefault(latest if free else one.as_of, []).append(place)
        return groups

    def _script(self, expectations: Sequence[Expectation]) -> Script:
        key = tuple(one.expression for one in expectations)
        if key not in self._scripts:
            asked = [(one.expression, one.type) for one in expectations]
            self._scripts[key] = compile_view(with_probe(self._program.plan, asked), PROBE)
        return self._scripts[key]


def _by_duckdb(machine: _Machine, case: TestCase) -> list[Got]:
    answers: dict[int, Got] = {}
    for cutoff, places in machine.cutoffs(case).items():
        asked = [case.expects[place] for place in places]
        answers.update(zip(places, machine.answer(case, asked, cutoff), strict=True))
    return [answers[place] for place in range(len(case.expects))]
