"""Windows in which rows come and go, question by question, against their definition."""

from __future__ import annotations

import random

import duckdb
import pytest

from astrafs.backends.duckdb.events import Questions
from astrafs.backends.duckdb.runs import per_question
from astrafs.backends.duckdb.windows import Arrival, candidates
from astrafs.plan import ir
from astrafs.typesys import BOOL

WINDOWS: tuple[ir.Window, ...] = (
    ir.LastWindow(1),
    ir.LastWindow(3, 9),
    ir.SinceWindow(ir.Column("c", BOOL)),
    ir.SessionWindow(3),
    ir.SessionWindow(6),
)
Row = tuple[int, int, int, int | None, bool | None]
"""Place in the order, event time, knowledge time, last moment that it counts, condition."""


def rows_of(rng: random.Random, revised: bool) -> list[Row]:
    found: list[Row] = []
    for order in range(1, 19):
        event = found[-1][1] if found else 0
        event += rng.choice((0, 1, 1, 2, 4)) if found else 0
        known = event + rng.choice((0, 0, 1, 4, 9))
        until = known + rng.choice((0, 3, 8)) if revised and rng.random() < 0.4 else None
        found.append((order, event, known, until, rng.choice((True, False, False, False, None))))
    return found


def held(window: ir.Window, rows: list[Row], t: int) -> set[int]:
    """The rows in ``window`` at ``t``, by the definition."""
    visible = [
        row for row in rows if row[1] < t and row[2] <= t and (row[3] is None or t <= row[3])
    ]
    match window:
        case ir.LastWindow(rows=count, within=within):
            near = [row for row in visible if within is None or t - row[1] <= within]
            return {row[0] for row in near[-count:]}
        case ir.SinceWindow():
            cuts = [row[0] for row in visible if row[4] is True]
            return {row[0] for row in visible if row[0] > max(cuts, default=0)}
        case ir.SessionWindow(gap=gap):
            found, later = set(), t
            for order, event, *_ in reversed(visible):
                if later - event > gap:
                    break
                found.add(order)
                later = event
            return found
        case _:
            raise AssertionError(window)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("revised", [True, False])
def test_each_question_holds_its_rows(window: ir.Window, revised: bool) -> None:
    with duckdb.connect() as connection:
        for seed in range(15):
            rows = rows_of(random.Random(seed), revised)
            times = sorted(random.Random(-seed).sample(range(60), 30))
            values = ", ".join(
                f"(1, {o}, {e}, {k}, {'NULL' if u is None else u}, {'NULL' if c is None else c})"
                for o, e, k, u, c in rows
            )
            connection.execute(
                "CREATE OR REPLACE TABLE q AS SELECT unnest(range("
                f'{len(times)})) AS "@q", 1 AS "@kid", unnest({times}) AS "@t"'
            )
            connection.execute(
                f'CREATE OR REPLACE TABLE k AS SELECT 1 AS "@kid", {len(times)} AS "@end"'
            )
            connection.execute(
                'CREATE OR REPLACE TABLE begun AS SELECT x.*, a."@q" AS "@from" FROM (SELECT *, '
                f'greatest("@k", "@e" + 1) AS "@start" FROM (VALUES {values}) '
                'r("@kid", "@ord", "@e", "@k", "@until", c)) x '
                'ASOF JOIN q a ON x."@kid" = a."@kid" AND x."@start" <= a."@t"'
            )
            chosen = candidates(window, Arrival(ordered=False, revised=revised), "begun", "c")
            questions = Questions("q", "k", 1, "q", ("@k0",))
            sql = per_question(questions, chosen, window, "c", {'"@ord"'})
            runs = connection.execute(sql).fetchall()
            for place, t in enumerate(times):
                found = sorted(order for order, first, _ in runs if first == place)
                assert found == sorted(held(window, rows, t)), (seed, t)
                ends = {end for _, first, end in runs if first == place}
                assert ends <= {place + 1 if place + 1 < len(times) else None}
