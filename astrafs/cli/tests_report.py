"""What ``astrafs test`` prints: text for people, JSON, JUnit XML."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

from astrafs.diagnostics.render import text as text_form
from astrafs.diagnostics.render.cells import reveal
from astrafs.plan.values import value_text
from astrafs.record import dataclass
from astrafs.reference.trace_text import trace_json, trace_lines

if TYPE_CHECKING:
    from astrafs.plan.program import Program
    from astrafs.plan.tests import TestCase
    from astrafs.reference.trace import Step
    from astrafs.runtime.tests import Got, Outcome, TestOutcome
    from astrafs.source import Span

Trace = Callable[["TestCase", int, str], "Step"]
"""Tells how the value of an expectation (by its place, as written) came about."""

_ILLEGAL_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Report:
    """The outcomes of a run of tests, and what is needed to show them."""

    program: Program
    outcomes: Sequence[TestOutcome]
    trace: Trace

    def written(self, span: Span) -> str:
        """Return the text of ``span`` on one line."""
        return " ".join(self.program.files[span.path].text[span.start : span.end].split())

    def line(self, span: Span) -> int:
        """Return the line where ``span`` starts, from 1."""
        return self.program.files[span.path].position(span.start)[0]

    def place(self, span: Span) -> str:
        """Return ``path:line``."""
        return f"{span.path}:{self.line(span)}"

    def step(self, outcome: TestOutcome, place: int) -> Step:
        """Trace one expectation of a test."""
        written = self.written(outcome.case.expects[place].origin.span)
        return self.trace(outcome.case, place, written)


def got_text(got: Got, outcome: Outcome) -> str:
    """Return what an engine gave as one line."""
    if got.problem is not None:
        return f"{got.problem.code.id}: {got.problem.title}"
    return value_text(got.value, outcome.expectation.type)


def failure_lines(report: Report, test: TestOutcome) -> list[str]:
    """Return everything about the failed expectations of a test."""
    lines: list[str] = []
    for place, outcome in enumerate(test.outcomes):
        if outcome.holds:
            continue
        expectation = outcome.expectation
        lines += ["", f"  {report.written(expectation.span)}"]
        expected = value_text(expectation.expected, expectation.expected_type)
        rows = [("expected", f"{expectation.op} {expected}")]
        rows += [(str(engine), got_text(got, outcome)) for engine, got in outcome.got.items()]
        lines += [f"    {name:<9}  {text}" for name, text in rows]
        lines.append(f"    at {report.place(expectation.span)}")
        if not outcome.agree:
            lines.append("    the engines disagree: this is a mistake in AstraFS, please report it")
        problems = [got.problem for got in outcome.got.values() if got.problem is not None]
        told = next((one for one in problems if one.primary or one.notes or one.helps), None)
        if told is not None:  # there is more to it than its title
            lines += ["", *_diagnostic(report, told)]
        lines += ["", *(f"    {line}".rstrip() for line in trace_lines(report.step(test, place)))]
    return [reveal(line) for line in lines]


def _diagnostic(report: Report, problem: Any) -> list[str]:
    drawn = text_form.render([problem], report.program.files)
    return [f"    {line}".rstrip() for line in drawn.rstrip().split("\n")]


def to_json(report: Report) -> str:
    """Return the outcomes as one JSON object."""
    failed = sum(not test.passed for test in report.outcomes)
    found = {
        "schema": "astrafs.tests/1",
        "passed": len(report.outcomes) - failed,
        "failed": failed,
        "tests": [
            {
                "module": test.case.module,
                "title": test.case.title,
                "path": test.case.name.path,
                "line": report.line(test.case.name),
                "passed": test.passed,
                "expectations": [
                    _expectation(report, test, place) for place in range(len(test.outcomes))
                ],
            }
            for test in report.outcomes
        ],
    }
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _expectation(report: Report, test: TestOutcome, place: int) -> dict[str, Any]:
    outcome = test.outcomes[place]
    expectation = outcome.expectation
    found: dict[str, Any] = {
        "text": report.written(expectation.span),
        "line": report.line(expectation.span),
        "holds": outcome.holds,
        "engines_agree": outcome.agree,
        "expected": value_text(expectation.expected, expectation.expected_type),
        "got": {
            str(engine): (
                {"value": value_text(got.value, expectation.type)}
                if got.problem is None
                else {"code": got.problem.code.id, "problem": got.problem.title}
            )
            for engine, got in outcome.got.items()
        },
    }
    if not outcome.holds:
        found["trace"] = trace_json(report.step(test, place))
    return found


def to_junit(report: Report) -> str:
    """Return the outcomes as JUnit XML: a suite per module, a case per test."""
    failed = sum(not test.passed for test in report.outcomes)
    head = f'tests="{len(report.outcomes)}" failures="{failed}" errors="0"'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<testsuites name="astrafs" {head}>']
    for module, group in groupby(report.outcomes, key=lambda test: test.case.module):
        tests = list(group)
        failed = sum(not test.passed for test in tests)
        head = f'tests="{len(tests)}" failures="{failed}" errors="0" skipped="0"'
        lines.append(f"  <testsuite name={quoteattr(module)} {head}>")
        for test in tests:
            lines += _case(report, test)
        lines.append("  </testsuite>")
    return _ILLEGAL_XML.sub("\ufffd", "\n".join([*lines, "</testsuites>"]) + "\n")


def _case(report: Report, test: TestOutcome) -> list[str]:
    case = test.case
    head = (
        f"    <testcase classname={quoteattr(case.module)} name={quoteattr(case.title)} "
        f'file={quoteattr(case.name.path)} line="{report.line(case.name)}"'
    )
    if test.passed:
        return [f"{head}/>"]
    broken = next(outcome for outcome in test.outcomes if not outcome.holds)
    got = ", ".join(f"{engine}: {got_text(one, broken)}" for engine, one in broken.got.items())
    message = f"{report.written(broken.expectation.span)}: {got}"
    body = escape("\n".join(failure_lines(report, test)).strip("\n"))
    return [
        f"{head}>",
        f"      <failure message={quoteattr(message)}>{body}</failure>",
        "    </testcase>",
    ]
