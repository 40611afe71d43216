"""Changes of data, spine or cutoff that must not change an answer, on generated programs.

No oracle is needed here: each property compares DuckDB with itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings

from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.plan.tree import walk
from astrafs.typesys import Kind
from tests.parity import direct
from tests.parity.compare import Failure, Outcome, differences
from tests.parity.coverage import expressions
from tests.parity.engines import compile_case, known_at
from tests.parity.harness import describe
from tests.parity.model import Case, Data, Value
from tests.parity.strategies import cases

Row = tuple[Value, ...]

quick = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def answers(program: Program, case: Case, *, threads: int = 1, seed: int = 1) -> dict[str, Outcome]:
    """Return DuckDB's outcome of every view of the case."""
    views = tuple(program.plan.views)
    return direct.session(threads).answers(program, case, views, seed)


def assert_same(left: dict[str, Outcome], right: dict[str, Outcome], case: Case) -> None:
    """Fail with the program where two sets of outcomes differ in any bit."""
    for view, outcome in left.items():
        wrong = differences(outcome, right[view])
        assert not wrong, f"{view}: {wrong[0]}\n{describe(case)}"


def answered(program: Program, case: Case) -> dict[str, Outcome]:
    """Return the outcomes, skipping cases that stop: a change of data may take the cause away."""
    found = answers(program, case)
    assume(not any(isinstance(outcome, Failure) for outcome in found.values()))
    return found


def with_rows(case: Case, change: Callable[[ir.Source, Data], list[Row]], program: Program) -> Case:
    """Return the case with the rows of every source and table replaced by ``change``."""
    relations = dict(case.relations)
    for source in program.plan.sources:
        name = source.name.rsplit(".", 1)[-1]
        relations[name] = relations[name].with_rows(change(source, relations[name]))
    return replace(case, relations=relations)


def known_by(limit: int) -> Callable[[ir.Source, Data], list[Row]]:
    """Return a change that keeps the rows known at ``limit``."""

    def keep(source: ir.Source, data: Data) -> list[Row]:
        return [row for row in data.rows if known_at(source, data, row) <= limit]

    return keep


def spine_until(case: Case, limit: int) -> Case:
    """Return the case with the questions at or before ``limit``."""
    spines = {
        view: data.with_rows(
            row for row in data.rows if isinstance(row[-1], int) and row[-1] <= limit
        )
        for view, data in case.spines.items()
    }
    return replace(case, spines=spines)


@quick
@given(cases())
def test_rows_known_after_the_question_do_not_matter(case: Case) -> None:
    program = compile_case(case)
    times = sorted(row[-1] for data in case.spines.values() for row in data.rows)
    assume(times)
    limit = times[len(times) // 2]
    assert isinstance(limit, int)
    asked = spine_until(case, limit)
    assert_same(
        answered(program, asked),
        answers(program, with_rows(asked, known_by(limit), program)),
        asked,
    )


@quick
@given(cases())
def test_rows_known_after_the_cutoff_do_not_matter(case: Case) -> None:
    program = compile_case(case)
    fewer = with_rows(case, known_by(case.as_of), program)
    assert_same(answered(program, case), answers(program, fewer), case)


@quick
@given(cases())
def test_questions_do_not_influence_one_another(case: Case) -> None:
    program = compile_case(case)
    whole = answered(program, case)
    for parity in (0, 1):
        spines = {view: data.with_rows(data.rows[parity::2]) for view, data in case.spines.items()}
        part = answers(program, replace(case, spines=spines))
        for view, outcome in whole.items():
            assert isinstance(outcome, pa.Table)
            rows = pa.array(range(parity, outcome.num_rows, 2), pa.int64())
            assert_same({view: outcome.take(rows)}, part, case)


@quick
@given(cases())
def test_duplicate_and_reversed_questions_get_the_same_answers(case: Case) -> None:
    program = compile_case(case)
    whole = answered(program, case)
    spines = {
        view: data.with_rows((*data.rows[::-1], *data.rows)) for view, data in case.spines.items()
    }
    doubled = answers(program, replace(case, spines=spines))
    for view, outcome in whole.items():
        assert isinstance(outcome, pa.Table)
        count = outcome.num_rows
        order = pa.array([*range(count - 1, -1, -1), *range(count)], pa.int64())
        assert_same({view: outcome.take(order)}, doubled, case)


@quick
@given(cases())
def test_row_order_and_threads_do_not_matter(case: Case) -> None:
    program = compile_case(case)
    first = answers(program, case, threads=1, seed=1)
    for threads, seed in ((1, 2), (2, 3), (4, 4)):
        assert_same(first, answers(program, case, threads=threads, seed=seed), case)


@quick
@given(cases())
def test_other_entities_do_not_matter(case: Case) -> None:
    assume(not case.tags & {"entity.global", "key.made", "stream.key_column"})
    program = compile_case(case)

    def with_strangers(source: ir.Source, data: Data) -> list[Row]:
        if source.table:
            return list(data.rows)
        strangers = [_stranger(source, data, row) for row in data.rows]
        return [*data.rows, *strangers]

    more = with_rows(case, with_strangers, program)
    before, after = answered(program, case), answers(program, more)
    assume(not any(isinstance(outcome, Failure) for outcome in after.values()))
    assert_same(before, after, case)


def _stranger(source: ir.Source, data: Data, row: Row) -> Row:
    """Return a copy of ``row`` with an identity and entity keys that nothing else has."""
    cells = []
    for field, cell in zip(data.fields, row, strict=True):
        kind = field.type.parts[0] if field.type.kind is Kind.KEY else field.type
        is_key = field.type.kind is Kind.KEY or field.name[0] in "ke" or field.name in source.key
        if is_key and cell is not None:
            match kind.kind:
                case Kind.STRING:
                    cell = f"stranger {cell}"
                case Kind.INT | Kind.DATE:
                    assert isinstance(cell, int)
                    cell = cell + 100_000
                case _:
                    pass
        cells.append(cell)
    return tuple(cells)


@quick
@given(cases())
def test_shifting_all_times_shifts_nothing_else(case: Case) -> None:
    program = compile_case(case)
    assume(not _reads_the_clock(program.plan))
    shift = 1_234_567_890_123

    def moved(source: ir.Source, data: Data) -> list[Row]:
        times = {source.time, "landed", "seen"}
        return [
            tuple(
                cell + shift if field.name in times and isinstance(cell, int) else cell
                for field, cell in zip(data.fields, row, strict=True)
            )
            for row in data.rows
        ]

    spines = {
        view: data.with_rows((*row[:-1], _later(row[-1], shift)) for row in data.rows)
        for view, data in case.spines.items()
    }
    later = replace(with_rows(case, moved, program), spines=spines, as_of=case.as_of + shift)
    before, after = answered(program, case), answers(program, later)
    for view in program.plan.views:
        left, right = before[view.name], after[view.name]
        assert isinstance(left, pa.Table)
        assert isinstance(right, pa.Table)
        kept = [out.name for out in view.outputs if out.type.kind is not Kind.TIMESTAMP]
        assert_same({view.name: left.select(kept)}, {view.name: right.select(kept)}, case)


def _later(cell: Value, shift: int) -> int:
    assert isinstance(cell, int)
    return cell + shift


def _reads_the_clock(plan: ir.Plan) -> bool:
    """Whether an answer may depend on absolute time.

    Rounded windows, or computing with timestamps.
    """
    for expr in expressions(plan):
        for node in walk(expr):
            if isinstance(node, ir.EvaluationTime):
                return True
            if isinstance(node, ir.Aggregate) and (
                getattr(node.window, "every", None) is not None
                or (node.function == "count_distinct" and node.args[0].type.kind is Kind.TIMESTAMP)
            ):
                return True
            if isinstance(node, ir.Call | ir.TableLookup | ir.EntityLookup):
                parts = node.args if isinstance(node, ir.Call) else node.keys
                if any(part.type.kind is Kind.TIMESTAMP for part in parts):
                    return True
    return False


@pytest.mark.parametrize("threads", (1, 2))
def test_a_session_serves_many_programs(threads: int) -> None:
    """The sessions above are reused; what one program leaves behind must not reach the next."""
    from tests.parity.generator import generate

    case = generate(3)
    program = compile_case(case)
    first = answers(program, case, threads=threads)
    other = generate(4)
    answers(compile_case(other), other, threads=threads)
    assert_same(first, answers(program, case, threads=threads), case)
