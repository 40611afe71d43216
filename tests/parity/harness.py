"""One program through both engines.

Compile, answer on the reference, on DuckDB in several ways and on the online engine, compare.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.plan.prune import reachable, reachable_by_dataset
from tests.parity import datasets, direct, files, serving
from tests.parity.compare import Failure, Outcome, bits_differing, differences
from tests.parity.coverage import plan_tags
from tests.parity.engines import Reference, RejectedError, compile_case
from tests.parity.generator import generate
from tests.parity.model import Case
from tests.parity.shrink import shrink

THREADS = (1, 2, 4)
KERNELS_EVERY = 8
"""Every so many seeds, the engine that leaves windows to kernels also answers."""

STORED_EVERY = 8
"""Every so many seeds, the online engine also answers over a store that was fed row by row."""

FILES_EVERY = 25
"""Every so many seeds, a program also runs through the public API on real, split files."""


@dataclass(slots=True)
class Report:
    """What came out for one program. ``differences`` names the run beside each difference."""

    seed: int
    case: Case
    views: int = 0
    questions: int = 0
    values: int = 0
    runs: int = 0
    stopped: bool = False
    early: int = 0
    late: int = 0
    bits: int = 0
    differences: list[str] = field(default_factory=list)
    tags: frozenset[str] = frozenset()

    def text(self) -> str:
        """Return the differences, the program and its data."""
        return "\n".join((*self.differences, describe(self.case)))


def check(seed: int, *, quick: bool = False, sampled: bool = False) -> Report:
    """Run the program of ``seed``."""
    return check_case(generate(seed), quick=quick, sampled=sampled)


def check_case(case: Case, *, quick: bool = False, sampled: bool = False) -> Report:
    """Compare the engines on ``case``; a refused or crashing program is a difference too.

    Each view runs on DuckDB with several numbers of threads, or where it is to be ``quick`` with
    one; where it is to be ``sampled``, one of the views does, and all on the other engines.
    """
    report = Report(case.seed, case)
    try:
        program = compile_case(case)
    except RejectedError as refused:
        report.differences.append(f"refused: {refused}")
        return report
    # What the generator merely tried is no coverage: these count as the plan has them.
    written = {tag for tag in case.tags if not tag.startswith(("fn.", "lookup."))}
    report.tags = frozenset(written | plan_tags(program.plan))
    views = tuple(program.plan.views)
    report.views = len(views)
    reference = Reference(program, case)
    expected = {view.name: reference.answer(view) for view in views}
    report.stopped = any(isinstance(one, Failure) for one in expected.values())
    # Views of one program differ in kind, so which one it is goes by what the seed is.
    ours = views[case.seed % len(views) :][:1] if sampled and views else views
    for label, found in _runs(program, case, views, ours, reference, quick):
        report.runs += 1
        for view in (one for one in views if one.name in found):
            _compare(report, label, view, expected[view.name], found[view.name], reference)
        if report.differences:
            break
    if case.seed % FILES_EVERY == 0 and not report.differences:
        for asked in files.backfills(case, program, reference, THREADS[case.seed % 2]):
            report.runs += 1
            _compare(report, asked.label, asked.view, asked.expected, asked.found, reference)
    if not report.differences:
        for dataset in program.plan.datasets:
            _compare_dataset(report, program, dataset, reference)
    for outcome in expected.values():
        if isinstance(outcome, pa.Table):
            report.questions += outcome.num_rows
            report.values += outcome.num_rows * outcome.num_columns
    return report


def _runs(
    program: Program,
    case: Case,
    views: tuple[ir.View, ...],
    ours: tuple[ir.View, ...],
    reference: Reference,
    quick: bool,
) -> Iterator[tuple[str, dict[str, Outcome]]]:
    turn = case.seed % len(THREADS)
    order = THREADS[turn:] + THREADS[:turn]
    for place, threads in enumerate(order if not quick else order[:1]):
        found = direct.session(threads).answers(program, case, ours, case.seed * 7 + place)
        yield f"{threads} threads, shuffled", found
    if case.seed % KERNELS_EVERY == 0:
        threads = order[-1]
        found = direct.session(threads).answers(program, case, ours, case.seed * 5, "auto")
        yield f"kernels, {threads} threads", found
    yield "online", serving.answers(program, case, reference, views, stored=False)
    if case.seed % STORED_EVERY == 0:
        yield "online, stored", serving.answers(program, case, reference, views, stored=True)


def _compare(
    report: Report,
    label: str,
    view: ir.View,
    expected: Outcome,
    found: Outcome,
    reference: Reference,
) -> None:
    if isinstance(found, Failure) and found.code in reference.stops(
        reachable(reference.plan, view.name)
    ):
        report.early += not isinstance(expected, Failure)
        return
    if isinstance(expected, Failure) and label.startswith("online"):
        report.late += 1  # it computes nothing for rows that no question sees
        return
    wrong = differences(expected, found)
    if wrong and isinstance(expected, Failure) and label not in ("known keys", "grid"):
        report.late += 1
        wrong = differences(reference.lenient(view), found)
    if wrong:
        report.bits += bits_differing(expected, found)
        report.differences += [f"{view.name} ({label}): {one}" for one in wrong]


def _compare_dataset(
    report: Report, program: Program, dataset: ir.Dataset, reference: Reference
) -> None:
    case = report.case
    expected = datasets.expected(program, case, dataset, reference)
    threads = THREADS[case.seed % len(THREADS)]
    found = datasets.found(direct.session(threads), program, case, dataset, case.seed * 11)
    report.runs += 1
    if isinstance(found, Failure):
        if found.code in reference.stops(reachable_by_dataset(program.plan, dataset.name)):
            report.early += not isinstance(expected, Failure)
            return
    elif isinstance(expected, Failure):
        report.late += 1  # an engine need not compute a value for a row that nobody asks for
        return
    wrong = differences(expected, found)
    if wrong:
        report.bits += bits_differing(expected, found)
        report.differences += [f"{dataset.name}: {one}" for one in wrong]
    elif isinstance(expected, pa.Table):
        report.questions += expected.num_rows
        report.values += expected.num_rows * expected.num_columns


def explain(report: Report, *, seconds: float = 30.0) -> str:
    """Return the report of the smallest case that still differs in the same way."""
    kind = _kind(report)

    def fails(case: Case) -> bool:
        try:
            return _kind(check_case(case)) == kind
        except Exception:  # noqa: BLE001 - what crashes is another bug than the one at hand
            return False

    return check_case(shrink(report.case, fails, seconds=seconds)).text()


def _kind(report: Report) -> str:
    if not report.differences:
        return ""
    first = report.differences[0]
    return first.split(" ")[0] if first.startswith("refused") else "differs"


def describe(case: Case) -> str:
    """Return the program with every row that it reads and every question."""
    lines = [case.text(), f"as of {case.as_of}"]
    for name, data in (*case.relations.items(), *case.spines.items()):
        lines.append(f"{name} ({', '.join(one.name for one in data.fields)})")
        lines += [f"  {row!r}" for row in data.rows]
    return "\n".join(lines)
