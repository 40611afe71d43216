"""The runs of questions that each event of a group of windows is seen by."""

from __future__ import annotations

from collections.abc import Sequence

from astrafs.backends.duckdb.builder import Builder
from astrafs.backends.duckdb.events import Input, Questions
from astrafs.backends.duckdb.names import ident
from astrafs.backends.duckdb.windows import (
    VISIBLE,
    Arrival,
    active_interval,
    candidates,
    kept_per_question,
    session_stretches,
)
from astrafs.plan import ir
from astrafs.plan.text import window_text
from astrafs.record import dataclass


@dataclass(frozen=True, slots=True)
class Runs:
    """Per row in some question's window: ``"@kid"``, ``"@from"``, ``"@to"`` (null: to the last
    question) and the inputs, as a relation, or as SQL for the one step that reads them.
    """

    relation: str
    sql: str = ""

    @property
    def clause(self) -> str:
        """The start of the WITH clause that makes the relation known, '' where it is a step's."""
        return f"runs AS (\n{self.sql}),\n" if self.sql else ""


def runs_of(
    build: Builder,
    questions: Questions,
    events: str,
    window: ir.Window,
    inputs: Sequence[Input],
    subject: str,
    *,
    shared: bool,
) -> Runs:
    """Find the runs of questions that have a row in ``window``. ``shared``: several steps
    read them.
    """
    arrival = arrival_of(build, inputs[0].aggregate.rows)
    cut = ident(inputs[0].cut)
    interval = active_interval(window, arrival, cut)
    carried = {'"@kid"', '"@from"'}
    for entry in inputs:
        carried |= {ident(column) for column in entry.columns}
    listed = ", ".join(sorted(carried))
    start = interval.start if interval else VISIBLE
    rows = f'{events} WHERE "@own" IS NULL' if inputs[0].aggregate.request else events
    begun = _begun(build, questions, rows, start, subject)
    if interval is None and isinstance(window, ir.SessionWindow) and arrival.ordered:
        sql = _stretches(questions, session_stretches(window, begun), carried - {'"@from"'})
    elif interval is None:
        rows = candidates(window, arrival, begun, cut)
        sql = per_question(questions, rows, window, cut, carried - {'"@from"'})
    elif interval.stop is None:
        sql = f'SELECT {listed}, NULL::BIGINT AS "@to"\nFROM {begun}'
    else:
        outer = ", ".join(f"x.{name}" for name in sorted(carried))
        sql = (
            f'SELECT {outer}, b."@q" AS "@to"\n'
            f'FROM (SELECT {listed}, {interval.stop} AS "@stop" FROM {begun}) x\n'
            f"{_left(questions)}\n"
            f'WHERE b."@q" IS NULL OR x."@from" < b."@q"'
        )
    if inputs[0].aggregate.request:
        outer = ", ".join(sorted(carried - {'"@from"'}))
        sql = (
            f'{sql}\nUNION ALL BY NAME\nSELECT {outer}, "@own" AS "@from", '
            f'CASE WHEN "@own" + 1 < "@end" THEN "@own" + 1 END AS "@to"\n'
            f'FROM {events} JOIN {questions.keys} USING ("@kid")\nWHERE "@own" IS NOT NULL'
        )
    if not shared:
        return Runs("runs", sql)
    comment = f"{subject}: which questions have a row in {window_text(window)}"
    return Runs(build.step("runs", sql, comment))


def arrival_of(build: Builder, rows: str) -> Arrival:
    """Say how the rows of a source, stream or union come to be seen."""
    bases = build.bases(rows)
    delays = {
        base.knowledge.delay if isinstance(base.knowledge, ir.Delay) else None for base in bases
    }
    moved = False
    while rows in build.streams:
        moved = moved or build.streams[rows].time is not None
        rows = build.streams[rows].base
    # Rows that are moved are known at their new time, unless their delay is longer than the move.
    alone = rows in build.sources and delays != {None} and not moved
    ordered = delays == {0} or alone
    revised = any(base.revisions for base in bases)
    return Arrival(ordered and not revised, revised)


def _entered(questions: Questions, start: str) -> str:
    """Return SQL that joins to rows ``x`` the first question ``a`` from their column ``start`` on;
    rows without any go.
    """
    on = f'x."@kid" = a."@kid" AND x.{ident(start)} <= a."@t"'
    return f"ASOF JOIN {questions.moments} a ON {on}"


def _left(questions: Questions) -> str:
    """Return SQL that joins to rows ``x`` the first question ``b`` after their ``"@stop"``."""
    return f'ASOF LEFT JOIN {questions.moments} b ON x."@kid" = b."@kid" AND x."@stop" < b."@t"'


def _stretches(questions: Questions, stretches: str, carried: set[str]) -> str:
    """Return SQL for the runs of rows that have a ``"@begin"`` and ``"@stop"``."""
    listed = ", ".join(f"x.{name}" for name in sorted(carried))
    return (
        f'SELECT {listed}, a."@q" AS "@from", b."@q" AS "@to"\nFROM ({stretches}) x\n'
        f"{_entered(questions, '@begin')}\n{_left(questions)}\n"
        f'WHERE b."@q" IS NULL OR a."@q" < b."@q"'
    )


def per_question(
    questions: Questions, rows: str, window: ir.Window, cut: str, carried: set[str]
) -> str:
    """Return SQL for runs of one question each, of the ``rows`` that are in ``window`` there.

    Pairs every question with the rows that it may hold: for windows in which rows come and go.
    """
    listed = ", ".join(sorted(carried))
    after = 'lead("@e", 1, "@t") OVER (PARTITION BY "@at" ORDER BY "@ord") AS "@next"'
    return (
        f"WITH spans AS (\n"
        f'  SELECT x.*, k."@end", unnest(range(x."@from", coalesce(b."@q", k."@end"))) AS "@at"\n'
        f'  FROM ({rows}) x JOIN {questions.keys} k USING ("@kid")\n'
        f"  {_left(questions)}),\n"
        f"seen AS (\n"
        f'  SELECT s.*, q."@t" FROM spans s JOIN {questions.relation} q ON q."@q" = s."@at"),\n'
        f"neighbours AS (\n  SELECT *, {after}\n  FROM seen)\n"
        f'SELECT {listed}, "@at" AS "@from",\n'
        f'  CASE WHEN "@at" + 1 < "@end" THEN "@at" + 1 END AS "@to"\n'
        f"FROM neighbours\nQUALIFY {kept_per_question(window, cut)}"
    )


def _begun(build: Builder, questions: Questions, events: str, start: str, subject: str) -> str:
    """Make the relation of events with ``"@from"``, the first question at or after ``start``;
    shared by windows.
    """
    made = f"{events} from {start}"
    if made not in build.made:
        build.made[made] = build.step(
            "begun",
            f'SELECT x.*, a."@q" AS "@from"\nFROM (SELECT *, {start} AS "@start" FROM {events}) x\n'
            f"{_entered(questions, '@start')}",
            f"{subject}: the first question that sees each row",
        )
    return build.made[made]
