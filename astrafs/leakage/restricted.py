"""Rule 2: columns that settle, or become known, some time after their row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from astrafs.diagnostics.codes import leakage as codes
from astrafs.diagnostics.model import Diagnostic, Edit
from astrafs.leakage import counterexample
from astrafs.leakage.facts import Facts, column_label, scene, told, window_times
from astrafs.leakage.reads import Use, short
from astrafs.plan import ir
from astrafs.plan.text import window_text
from astrafs.source import Span
from astrafs.temporal.interval import moment, nearest_age
from astrafs.temporal.rows import RowTimes
from astrafs.typesys import duration_text


def unsettled_column(facts: Facts, use: Use) -> Iterator[Diagnostic]:
    """Rule 2a: a column that ``settles`` is read only by windows that are old enough."""
    if facts.is_label(use):
        return  # a label waits until the column has settled
    for times in window_times(facts, use):
        yield from _unsettled(facts, use, times)


def _unsettled(facts: Facts, use: Use, times: RowTimes) -> Iterator[Diagnostic]:
    expr = use.expr
    assert isinstance(expr, ir.Aggregate)
    age = nearest_age(expr.window) + times.least_lag
    for read in facts.restricted.of_window(use, times.chain):
        settles = read.column.settles
        if settles is None or age >= settles:
            continue
        if nearest_age(expr.window) < 0 and not times.ahead:
            continue  # that it looks forward is told already
        name = read.column.name
        reach = moment(-nearest_age(expr.window)) if nearest_age(expr.window) else "t"
        found = codes.UNSETTLED.at(
            use.place,
            f"reaches rows right up to {reach}",
            title=f"`{use.owner}` reads `{name}` before it has settled",
        )
        if read.span.path:
            found = found.label(read.span, f"`{name}` is read here")
        found = column_label(
            facts, found, times, name, f"settles {duration_text(settles)} after the row's time"
        )
        found = told(found, use, [*read.via, f"{short(times.source.name)}.{name}"], times)
        found = _offset_help(found, use, settles - times.least_lag)
        story = partial(counterexample.settling_column, scene(facts, expr, times), read.column)
        yield facts.draw(found, story)


def _offset_help(found: Diagnostic, use: Use, settles: int) -> Diagnostic:
    window = use.expr.window if isinstance(use.expr, ir.Aggregate) else None
    if not isinstance(window, ir.RangeWindow) or window.near_closed or window.every is not None:
        if window is not None and not isinstance(window, ir.RangeWindow):
            return found.help(
                f"use a window of time that ends {duration_text(settles)} ago: "
                f"`over 30d offset {duration_text(settles)}`"
            )
        return found.help(f"let the window end at least {duration_text(settles)} before t")
    if window.near == 0 and (window.far is None or window.far_closed):
        shift = f" offset {duration_text(settles)}"
        end = Span(use.place.path, use.place.end, use.place.end)
        return found.fix(
            f"let the window end when the column has settled: `over {window_text(window)}{shift}`",
            Edit(end, shift),
            safe=False,
        )
    far = None if window.far is None else window.far + settles - window.near
    moved = window_text(replace(window, far=far, near=settles))
    if use.expansion:
        return found.help(f"let the window end when the column has settled: `over {moved}`")
    return found.fix(
        f"let the window end when the column has settled: `over {moved}`",
        Edit(use.place, moved),
        safe=False,
    )


def unknown_column(facts: Facts, use: Use) -> Iterator[Diagnostic]:
    """Rule 2b: a column ``known`` later is read only by the time at which it is known."""
    for times in window_times(facts, use):
        yield from _unknown(facts, use, times)


def _unknown(facts: Facts, use: Use, times: RowTimes) -> Iterator[Diagnostic]:
    expr = use.expr
    assert isinstance(expr, ir.Aggregate)
    for read in facts.restricted.of_window(use, times.chain):
        # A label waits until its window has passed, so rows of the future are none to it.
        nearest = 0 if facts.is_label(use) else nearest_age(expr.window)
        if not read.column.known_at or _is_known(read.column, times, nearest):
            continue
        name, known_at = read.column.name, read.column.known_at
        source = short(times.source.name)
        place = read.span if read.span.path else use.place
        if read.implied:
            found = codes.MOMENT_READ_EARLY.at(
                place,
                "whether it is null, and what it is, may only be known later",
                title=f"`{name}` is read by rows that are timed earlier",
            )
        else:
            found = codes.KNOWN_LATER.at(
                place,
                f"`{name}` of a row is not known before {_that(name, known_at)}",
                title=f"`{name}` is read before it is known",
            )
        if read.span.path and read.span != use.place:
            clock = times.clock or times.source.time
            found = found.label(use.place, f"read by this window over rows timed by `{clock}`")
        words = (
            "other columns become known at it" if read.implied else f"known only at `{known_at}`"
        )
        found = column_label(facts, found, times, name, words)
        found = told(found, use, [*read.via, f"{source}.{name}"], times)
        found = found.help(_stream_help(times, known_at))
        story = partial(counterexample.unknown_column, scene(facts, expr, times), read.column)
        yield facts.draw(found, story)


def _that(name: str, known_at: str) -> str:
    return "that moment itself" if name == known_at else f"its `{known_at}`"


def _is_known(column: ir.SourceColumn, times: RowTimes, nearest: int) -> bool:
    knowledge = times.source.knowledge
    if isinstance(knowledge, ir.KnownColumn) and knowledge.column == column.known_at:
        return True  # no row is visible before
    return column.known_at in times.not_before and nearest >= 0


def _stream_help(times: RowTimes, known_at: str) -> str:
    source = short(times.source.name)
    column = next((c for c in times.source.columns if c.name == known_at), None)
    where = ""
    if column is not None and column.type.nullable:
        where = f" where {known_at} is not null"
    return (
        f"read it through a stream of the moment when it is known: "
        f"`stream {source}_known from {source} time {known_at}{where}`"
    )


def restricted_table_column(facts: Facts, use: Use) -> Iterator[Diagnostic]:
    """Rule 2 for tables: a lookup must be as old as its column needs."""
    expr = use.expr
    if not isinstance(expr, ir.TableLookup) or expr.table not in facts.times:
        return
    (times,) = facts.times[expr.table]
    for read in facts.restricted.of_table(expr):
        yield from _restricted_value(facts, use, expr, times, read.column)


def _restricted_value(
    facts: Facts, use: Use, expr: ir.TableLookup, times: RowTimes, column: ir.SourceColumn
) -> Iterator[Diagnostic]:
    if column.settles is not None and expr.offset < column.settles:
        found = codes.UNSETTLED.at(
            use.origin.span,
            f"the value as of {moment(-expr.offset)}",
            title=f"`{use.owner}` reads `{column.name}` before it has settled",
        )
        words = f"settles {duration_text(column.settles)} after the row's time"
        advice = f"look up the value as it has settled: `offset {duration_text(column.settles)}`"
    elif column.known_at and not _is_known(column, times, 0):
        found = codes.KNOWN_LATER.at(
            use.origin.span,
            f"`{column.name}` of a row is not known before its `{column.known_at}`",
            title=f"`{column.name}` is read before it is known",
        )
        words = f"known only at `{column.known_at}`"
        advice = f"time the table by it: `time {column.known_at}`"
    else:
        return
    found = column_label(facts, found, times, column.name, words)
    found = told(found, use, [f"{short(expr.table)}.{column.name}"], times).help(advice)
    if found.code is codes.UNSETTLED and not expr.offset and expr.max_age is None:
        later = Edit.after(use.origin.span, f" offset {duration_text(column.settles or 0)}")
        found = found.fix("look up the value as it has settled", later, safe=False)
    if column.name == expr.column:
        found = facts.draw(found, partial(counterexample.table_value, expr, column))
    else:
        found = found.note(f"which row holds hangs on `{column.name}`")
    yield found
