"""Running ``test`` blocks: disagreeing engines are seen, and reports are well formed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import duckdb
import pytest

from astrafs.diagnostics.model import Sink
from astrafs.driver import compile_project
from astrafs.plan.identity import feature_identities
from astrafs.plan.program import Program
from astrafs.runtime import tests as runner
from astrafs.runtime.tests import Engine, run_tests
from astrafs.source import SourceFile
from tests.unit.cli.conftest import Cli, cli

__all__ = ["cli"]

PROGRAM = """\
owner "a@b.test"
entity User { user_id: int }
## Payments.
source payments from csv("p.csv") key id time at {
  id: int  user_id: User  x: float  at: timestamp
}
features for User from payments {
  ## Sum.
  total: float = sum(x) over 1d
}
"""
TEST = """\
test "a <\\"title\\"> & more" {
  payments { { id: 1, user_id: 1, x: 0.1, at: 2026-01-01T00:00:00Z } }
  expect User[1].total at 2026-01-01T01:00:00Z == %s
}
"""


def compiled(text: str) -> Program:
    """Compile a program that has no errors."""
    sink = Sink()
    program = compile_project((SourceFile("p.afs", text),), sink)
    assert program is not None and not sink.has_errors, list(sink)
    return program


def test_both_engines_give_the_same_bits() -> None:
    program = compiled(PROGRAM + TEST % "0.1")
    (outcome,) = run_tests(program, program.tests, list(Engine))
    assert outcome.passed
    (one,) = outcome.outcomes
    assert {engine: got.value for engine, got in one.got.items()} == {
        Engine.REFERENCE: 0.1,
        Engine.DUCKDB: 0.1,
    }


def test_a_last_bit_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    program = compiled(PROGRAM + TEST % "0.1")
    true_load = runner.load_rows

    def off(session: Any, source: Any, rows: list[Mapping[str, Any]]) -> None:
        true_load(session, source, [{**row, "x": 0.1 + 2**-56} for row in rows])

    monkeypatch.setattr(runner, "load_rows", off)
    (outcome,) = run_tests(program, program.tests, list(Engine))
    (one,) = outcome.outcomes
    assert not one.agree and not outcome.passed


def test_tests_change_no_identity() -> None:
    with_test, without = compiled(PROGRAM + TEST % "0.1"), compiled(PROGRAM)
    assert with_test.plan == without.plan
    assert feature_identities(with_test.plan) == feature_identities(without.plan)


def test_an_expectation_that_fails_hides_no_other() -> None:
    text = PROGRAM.replace("sum(x)", "sum(x * 1e308)") + (TEST % "0.1").replace(
        "  expect", "  expect User[2].total at 2026-01-01T01:00:00Z == 0.0\n  expect"
    ).replace("x: 0.1", "x: 1e10")
    program = compiled(text)
    (outcome,) = run_tests(program, program.tests, [Engine.DUCKDB])
    first, second = outcome.outcomes
    problem = second.got[Engine.DUCKDB].problem
    assert problem is not None and problem.code.id == "AFS0931"
    assert first.holds and not second.holds


@pytest.mark.parametrize("value", ["0.1", "0.2"])
def test_reports_are_well_formed(
    value: str, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p.afs").write_text(PROGRAM + TEST % value, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    ended = cli("test", "--format", "junit", "-o", "out.xml")
    assert ended.code == (0 if value == "0.1" else 1)
    root = ElementTree.parse(tmp_path / "out.xml").getroot()
    (case,) = root.iter("testcase")
    assert case.get("name") == 'a <"title"> & more'
    assert len(list(case)) == ended.code
    found = json.loads(cli("test", "--format", "json").out)
    assert (found["passed"], found["failed"]) == (1 - ended.code, ended.code)


def test_a_session_is_enough_for_many_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    program = compiled(PROGRAM + TEST % "0.1")
    opened = []
    connect = duckdb.connect

    def counting(*args: Any, **kwargs: Any) -> Any:
        opened.append(args)
        return connect(*args, **kwargs)

    monkeypatch.setattr(duckdb, "connect", counting)
    cases = [replace(program.tests[0], title=f"{n}") for n in range(20)]
    assert all(outcome.passed for outcome in run_tests(program, cases, list(Engine)))
    assert len(opened) == 1
