"""The leakage rules, one function each: every one yields the diagnostics of what breaks it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from astrafs.diagnostics.codes import leakage as codes
from astrafs.diagnostics.model import Diagnostic, Edit
from astrafs.leakage import counterexample
from astrafs.leakage.reads import RestrictedColumns, Use, short
from astrafs.leakage.timeline import draw
from astrafs.leakage.values import Scene
from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.plan.text import window_text
from astrafs.source import Span
from astrafs.temporal.footprint import Footprints, Reading
from astrafs.temporal.interval import farthest_age, moment, nearest_age, window_interval
from astrafs.temporal.rows import RowTimes
from astrafs.typesys import duration_text


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules know of a program. ``footprints`` is None where features form a cycle."""

    program: Program
    times: dict[str, RowTimes]
    restricted: RestrictedColumns
    footprints: Footprints | None


def future_window(facts: Facts, use: Use) -> Iterator[Diagnostic]:
    """Rule 1: no window looks forward, but over rows that are known ahead of their time."""
    expr = use.expr
    if not isinstance(expr, ir.Aggregate) or expr.rows not in facts.times:
        return
    times = facts.times[expr.rows]
    nearest = nearest_age(expr.window)
    if nearest >= 0:
        return
    if times.ahead:
        yield from _future_lookup(facts, use)
        return
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
        found = _declared(
            facts, found, times, "no `ahead`: its rows are not known before their time"
        )
    found = _told(found, use, [source], times)
    window = expr.window
    if isinstance(window, ir.RangeWindow) and window.far == 0 and not use.expansion:
        past = window_text(ir.RangeWindow(-window.near, 0, True, False, window.every))
        found = found.fix(f"look back instead: `over {past}`", Edit(use.place, past), safe=False)
    found = found.help("to predict it, declare it under `labels for`: only labels look forward")
    yield found.draw(draw(counterexample.future_row(_scene(facts, expr, times))))


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
        f"{moment(leak.interval.high or 0)}",
        title=f"`{use.owner}` reads the future of `{short(leak.source)}`",
    )
    found = found.note(_path(facts, use, leak)).help(
        "look it up in the feature, at t, or let the window look back"
    )
    story = counterexample.future_lookup(
        short(use.expr.rows), short(leak.source), leak.interval.high or 0
    )
    yield _expanded(found, use).draw(draw(story))


def unsettled_column(facts: Facts, use: Use) -> Iterator[Diagnostic]:
    """Rule 2a: a column that ``settles`` is read only by windows that are old enough."""
    expr = use.expr
    if not isinstance(expr, ir.Aggregate) or expr.rows not in facts.times:
        return
    times = facts.times[expr.rows]
    age = nearest_age(expr.window) + times.least_lag
    for read in facts.restricted.of_window(use):
        settles = read.column.settles
        if settles is None or age >= settles or nearest_age(expr.window) < 0:
            continue
        name = read.column.name
        reach = moment(-nearest_age(expr.window)) if nearest_age(expr.window) else "t"
        found = codes.UNSETTLED.at(
            use.place,
            f"reaches rows right up to {reach}",
            title=f"`{use.owner}` reads `{name}` before it has settled",
        )
        if read.span.path:
            found = found.label(read.span, f"`{name}` is read here")
        found = _column_label(
            facts, found, times, name, f"settles {duration_text(settles)} after the row's time"
        )
        found = _told(found, use, [*read.via, f"{short(times.source.name)}.{name}"], times)
        found = _offset_help(found, use, settles - times.least_lag)
        yield found.draw(
            draw(counterexample.settling_column(_scene(facts, expr, times), read.column))
        )


def _offset_help(found: Diagnostic, use: Use, settles: int) -> Diagnostic:
    window = use.expr.window if isinstance(use.expr, ir.Aggregate) else None
    if not isinstance(window, ir.RangeWindow) or window.near_closed or window.every is not None:
        if isinstance(window, ir.LastWindow):
            return found.help(
                f"use a window of time that ends {duration_text(settles)} ago: "
                f"`over 30d offset {duration_text(settles)}`"
            )
        return found.help(f"let the window end at least {duration_text(settles)} before t")
    if window.near == 0 and (window.far is None or window.far_closed):
        shift = f" offset {duration_text(settles)}"
        end = Span(use.place.path, use.place.end, use.place.end)
        return found.fix(
            f"let the window end when the column has settled: `{window_text(window)}{shift}`",
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
    expr = use.expr
    if not isinstance(expr, ir.Aggregate) or expr.rows not in facts.times:
        return
    times = facts.times[expr.rows]
    for read in facts.restricted.of_window(use):
        if not read.column.known_at or _is_known(read.column, times, nearest_age(expr.window)):
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
                f"`{name}` of a row is not known before its `{known_at}`",
                title=f"`{name}` is read before it is known",
            )
        if read.span.path and read.span != use.place:
            clock = f"re-timed by {times.clock}" if times.clock else f"by `{times.source.time}`"
            found = found.label(use.place, f"read by this window over rows timed {clock}")
        words = (
            "other columns become known at it" if read.implied else f"known only at `{known_at}`"
        )
        found = _column_label(facts, found, times, name, words)
        found = _told(found, use, [*read.via, f"{source}.{name}"], times)
        found = found.help(_stream_help(times, known_at))
        yield found.draw(
            draw(counterexample.unknown_column(_scene(facts, expr, times), read.column))
        )


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
    times = facts.times[expr.table]
    column = next((c for c in times.source.columns if c.name == expr.column), None)
    if column is None:
        return
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
    found = _column_label(facts, found, times, column.name, words)
    found = _told(found, use, [f"{short(expr.table)}.{column.name}"], times).help(advice)
    yield found.draw(draw(counterexample.table_value(expr, column)))


def spine_at_t(facts: Facts, use: Use) -> Iterator[Diagnostic]:  # noqa: ARG001
    """Rule 3: ``including now`` over the spine of a dataset; there are no datasets yet."""
    return iter(())


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
    else:
        found = codes.SOURCE_WITHOUT_TIME.at(
            written.name,
            "nothing says when its rows happened",
            title=f"source `{name}` has no `time`",
        )
    for stamp in stamps[:3]:
        found = found.help(f"if `{stamp}` is when a row {_happens(source)}, write `time {stamp}`")
    story = counterexample.timeless_state() if source.table else counterexample.timeless_row()
    yield found.draw(draw(story))


def _happens(source: ir.Source) -> str:
    return "begins to hold" if source.table else "happened"


def never_sees(facts: Facts, use: Use) -> Iterator[Diagnostic]:
    """Rule 6a: a window must reach past the delay after which rows become visible."""
    expr = use.expr
    if isinstance(expr, ir.TableLookup):
        yield from _lookup_never_sees(facts, use, expr)
        return
    if not isinstance(expr, ir.Aggregate) or expr.rows not in facts.times:
        return
    times = facts.times[expr.rows]
    knowledge, far = times.source.knowledge, farthest_age(expr.window)
    if isinstance(knowledge, ir.KnownColumn) or far is None or not times.exact:
        return
    delay = max(0, knowledge.delay - times.least_lag)
    closed = window_interval(expr.window).low_closed
    if delay == 0 or far > delay or (far == delay and closed):
        return
    source = short(times.source.name)
    found = codes.NEVER_SEES_A_ROW.at(
        use.place,
        f"reaches back {duration_text(far)}" if far > 0 else "does not reach back",
        title=f"the window of `{use.owner}` can never see a row of `{source}`",
    )
    found = _clause_label(
        facts, found, times, "delay", f"a row is visible only {duration_text(delay)} after its time"
    )
    found = found.help(f"reach back further than {duration_text(delay)}")
    found = found.draw(draw(counterexample.invisible_row(_scene(facts, expr, times), delay)))
    yield _expanded(found, use)


def _lookup_never_sees(facts: Facts, use: Use, expr: ir.TableLookup) -> Iterator[Diagnostic]:
    times = facts.times.get(expr.table)
    if times is None or isinstance(times.source.knowledge, ir.KnownColumn):
        return
    delay = times.source.knowledge.delay
    if expr.max_age is None or expr.max_age >= delay:
        return
    found = codes.NEVER_SEES_A_ROW.at(
        use.place,
        f"values older than {duration_text(expr.max_age)} are null",
        title=f"this lookup can never see a value of `{short(expr.table)}`",
    )
    words = f"a value is visible only {duration_text(delay)} after its time"
    found = _clause_label(facts, found, times, "delay", words)
    yield _expanded(found.help(f"accept values at least {duration_text(delay)} old"), use)


def beyond_retention(facts: Facts, use: Use) -> Iterator[Diagnostic]:
    """Rule 6b: no window reaches past what its source keeps, by itself or through lookups."""
    expr = use.expr
    if isinstance(expr, ir.TableLookup):
        return
    if isinstance(expr, ir.Aggregate) and expr.rows in facts.times:
        times = facts.times[expr.rows]
        retention, far = times.source.retention, farthest_age(expr.window)
        if retention is not None and (far is None or far + times.least_lag > retention):
            yield _past_retention(facts, use, expr, times, retention)
            return
    yield from _retention_of_chain(facts, use)


def _past_retention(
    facts: Facts, use: Use, expr: ir.Aggregate, times: RowTimes, retention: int
) -> Diagnostic:
    far = farthest_age(expr.window)
    reach = "back without end" if far is None else f"back {duration_text(far)}"
    kept = duration_text(retention)
    found = codes.BEYOND_RETENTION.at(
        use.place,
        f"reaches {reach}",
        title=f"`{use.owner}` reaches past what `{short(times.source.name)}` keeps",
    )
    found = _clause_label(facts, found, times, "retention", f"rows are kept for {kept}")
    within = (
        f"`last {expr.window.rows} within {kept}`"
        if isinstance(expr.window, ir.LastWindow)
        else f"`over {kept}`"
    )
    found = found.help(f"reach back {kept} at most ({within}), or keep rows longer")
    return _expanded(
        found.draw(draw(counterexample.deleted_row(_scene(facts, expr, times), retention))), use
    )


def _retention_of_chain(facts: Facts, use: Use) -> Iterator[Diagnostic]:
    """What is read inside the retention by each step may reach past it all in all."""
    if facts.footprints is None:
        return
    expr = use.expr
    if isinstance(expr, ir.Aggregate):
        if expr.rows not in facts.times:
            return
        whole = facts.footprints.aggregate_columns(expr)
        reach = window_interval(expr.window).low
    elif isinstance(expr, ir.EntityLookup):
        whole, reach = facts.footprints.lookup(expr), -expr.offset
    else:
        return
    for reading in whole.values():
        source = facts.footprints.sources[reading.source]
        low = reading.interval.low
        if source.retention is None or low is None or reach in (None, 0):
            continue
        inner = low - (reach or 0)
        if -low <= source.retention or -inner > source.retention:
            continue  # it fits, or was reported where it is written
        found = codes.BEYOND_RETENTION.at(
            use.place,
            f"looks up what reaches back {duration_text(-inner)} from there: "
            f"{duration_text(-low)} in all",
            title=f"`{use.owner}` reaches past what `{short(source.name)}` keeps",
        )
        times = facts.times[source.name]
        words = f"rows are kept for {duration_text(source.retention)}"
        found = _clause_label(facts, found, times, "retention", words)
        found = found.note(_path(facts, use, reading)).help("shorten a window on the path")
        story = counterexample.deleted_far_row(short(source.name), -low, source.retention)
        yield _expanded(found, use).draw(draw(story))


# --- what diagnostics have in common --------------------------------------------------------------


def _scene(facts: Facts, expr: ir.Aggregate, times: RowTimes) -> Scene:
    return Scene(facts.program.plan, expr, times)


def _told(found: Diagnostic, use: Use, via: list[str], times: RowTimes) -> Diagnostic:
    """Add the path of the leak from the feature to the source, and the expansion of a template."""
    middle = [] if len(via) > 1 else [short(name) for name in times.chain[:-1]]
    path = " <- ".join(f"`{name}`" for name in (use.owner, *middle, *via))
    return _expanded(found.note(f"path of the leak: {path}"), use)


def _path(facts: Facts, use: Use, reading: Reading) -> str:
    names = [
        short(name) if name in facts.times else ".".join(name.split(".")[-2:])
        for name in reading.via
    ]
    if len(names) > 8:
        names = [*names[:4], "...", *names[-3:]]
    return "path: " + " <- ".join(f"`{n}`" for n in (use.owner, *names, short(reading.source)))


def _expanded(found: Diagnostic, use: Use) -> Diagnostic:
    return found.note(f"in the expansion {use.expansion}") if use.expansion else found


def _column_label(
    facts: Facts, found: Diagnostic, times: RowTimes, column: str, text: str
) -> Diagnostic:
    written = facts.program.sources.get(times.source.name)
    span = written.columns.get(column) if written is not None else None
    return found.label(span, text) if span is not None else found


def _clause_label(
    facts: Facts, found: Diagnostic, times: RowTimes, clause: str, text: str
) -> Diagnostic:
    written = facts.program.sources.get(times.source.name)
    span = written.clauses.get(clause) if written is not None else None
    return found.label(span, text) if span is not None else found


def _declared(facts: Facts, found: Diagnostic, times: RowTimes, text: str) -> Diagnostic:
    written = facts.program.sources.get(times.source.name)
    return found.label(written.name, text) if written is not None else found
