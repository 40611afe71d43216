"""Rules 1 and 4: windows that look forward, and what has no time at all."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from astrafs.diagnostics.codes import leakage as codes
from astrafs.diagnostics.model import Diagnostic, Edit
from astrafs.leakage import counterexample
from astrafs.leakage.facts import (
    Facts,
    expanded,
    path_note,
    scene,
    source_label,
    told,
    window_times,
)
from astrafs.leakage.reads import Use, short
from astrafs.plan import ir
from astrafs.plan.text import window_text
from astrafs.temporal.interval import moment, nearest_age
from astrafs.temporal.rows import RowTimes


def future_window(facts: Facts, use: Use) -> Iterator[Diagnostic]:
    """Rule 1: no window looks forward, but over rows that are known ahead of their time."""
    expr = use.expr
    if not isinstance(expr, ir.Aggregate) or nearest_age(expr.window) >= 0:
        return
    if facts.is_label(use):
        return  # a label waits until the window has passed
    all_times = window_times(facts, use)
    if all_times and all(times.ahead for times in all_times):
        yield from _future_lookup(facts, use)
    for times in all_times:
        if not times.ahead:
            yield _future_rows(facts, use, expr, times)


def _future_rows(facts: Facts, use: Use, expr: ir.Aggregate, times: RowTimes) -> Diagnostic:
    nearest = nearest_age(expr.window)
    source = short(times.source.name)
    found = codes.READS_THE_FUTURE.at(
        use.place,
        f"reaches rows up to {moment(-nearest)}",
        title=f"`{use.owner}` reads the future of `{source}`",
    )
    if times.source.ahead:
        found = found.note(
            f"`{source}` is known ahead of its time, but `{short(expr.rows)}` is re-timed: its "
            "rows are known at their new time at the earliest"
        )
    else:
        found = source_label(
            facts, found, times, "no `ahead`: its rows are not known before their time"
        )
    found = told(found, use, [source], times)
    window = expr.window
    if isinstance(window, ir.RangeWindow) and window.far == 0 and not use.expansion:
        past = window_text(ir.RangeWindow(-window.near, 0, True, False, window.every))
        found = found.fix(f"look back instead: `over {past}`", Edit(use.place, past), safe=False)
    found = found.help("to predict it, declare it under `labels for`: only labels look forward")
    return facts.draw(found, partial(counterexample.future_row, scene(facts, expr, times)))


def _future_lookup(facts: Facts, use: Use) -> Iterator[Diagnostic]:
    """Rows known ahead look other things up at their own time, which lies after t."""
    assert isinstance(use.expr, ir.Aggregate)
    if facts.footprints is None:
        return
    readings = facts.footprints.aggregate(use.expr).values()
    leak = next((reading for reading in readings if reading.leaks), None)
    if leak is None:
        return
    found = codes.READS_THE_FUTURE.at(
        use.place,
        f"rows after t look up `{short(leak.source)}` at their own time, up to "
        f"{moment(leak.asked)}",
        title=f"`{use.owner}` reads the future of `{short(leak.source)}`",
    )
    found = found.note(path_note(facts, use, leak)).help(
        "look it up in the feature, at t, or let the window look back"
    )
    rows, source, reach = short(use.expr.rows), short(leak.source), leak.asked
    found = expanded(found, use)
    yield facts.draw(found, partial(counterexample.future_lookup, rows, source, reach))


def timeless_source(facts: Facts, source: ir.Source) -> Iterator[Diagnostic]:
    """Rule 4: events have a time, and states a time or a reason to have none."""
    written = facts.program.sources.get(source.name)
    if source.time or source.static or written is None:
        return
    if "time" in written.clauses or not source.columns:
        return  # it names a column that is not there: reported already
    name = short(source.name)
    stamps = [c.name for c in source.columns if c.type.kind.value == "timestamp"]
    if source.table:
        found = codes.TABLE_WITHOUT_TIME.at(
            written.name,
            "its rows are the same at every moment",
            title=f"table `{name}` has neither `time` nor a `static` reason",
        ).help('if it truly never changes, say why: `static "..."`')
        reason = ' static "say why it never changes"'
        if not stamps:
            edit = Edit.after(written.name, reason)
            found = found.fix("say that it never changes", edit, safe=False)
    else:
        found = codes.SOURCE_WITHOUT_TIME.at(
            written.name,
            "nothing says when its rows happened",
            title=f"source `{name}` has no `time`",
        )
    for stamp in stamps[:3]:
        found = found.label(written.columns[stamp], f"is this when a row {_happens(source)}?")
        found = found.help(f"if `{stamp}` is when a row {_happens(source)}, write `time {stamp}`")
    if len(stamps) == 1:
        clause = Edit.after(written.name, f" time {stamps[0]}")
        found = found.fix(f"write `time {stamps[0]}`", clause, safe=False)
    story = counterexample.timeless_state if source.table else counterexample.timeless_row
    yield facts.draw(found, story)


def _happens(source: ir.Source) -> str:
    return "begins to hold" if source.table else "happened"
