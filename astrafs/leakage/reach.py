"""Rule 6: windows that end before rows become visible, or begin before rows are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from astrafs.diagnostics.codes import leakage as codes
from astrafs.diagnostics.model import Diagnostic, Edit
from astrafs.leakage import counterexample
from astrafs.leakage.facts import Facts, clause_label, expanded, path_note, scene, window_times
from astrafs.leakage.reads import Use, short
from astrafs.plan import ir
from astrafs.plan.text import window_text
from astrafs.temporal.interval import farthest_age, sure_age, window_interval
from astrafs.temporal.rows import RowTimes
from astrafs.typesys import duration_text


def never_sees(facts: Facts, use: Use) -> Iterator[Diagnostic]:
    """Rule 6a: a window must reach past the delay after which rows become visible."""
    expr = use.expr
    if isinstance(expr, ir.TableLookup):
        yield from _lookup_never_sees(facts, use, expr)
        return
    if not isinstance(expr, ir.Aggregate):
        return
    if isinstance(expr.window, ir.RangeWindow) and expr.window.hindsight:
        return  # a label's: it holds what is known by the cutoff
    ways = window_times(facts, use)
    found = [one for times in ways for one in _never_sees(facts, use, expr, times)]
    if len(found) == len(ways):  # of a union, one member that is seen is enough
        yield from found[:1]


def _never_sees(
    facts: Facts, use: Use, expr: ir.Aggregate, times: RowTimes
) -> Iterator[Diagnostic]:
    knowledge, far = times.source.knowledge, sure_age(expr.window)
    if isinstance(knowledge, ir.KnownColumn) or far is None or not times.exact:
        return
    delay = max(0, knowledge.delay - times.least_lag)
    closed = window_interval(expr.window).low_closed or isinstance(expr.window, ir.SessionWindow)
    if delay == 0 or far > delay or (far == delay and closed):
        return
    source = short(times.source.name)
    found = codes.NEVER_SEES_A_ROW.at(
        use.place,
        _too_short(expr.window, far),
        title=f"the window of `{use.owner}` can never see a row of `{source}`",
    )
    found = clause_label(
        facts, found, times, "delay", f"a row is visible only {duration_text(delay)} after its time"
    )
    found = found.help(f"reach back further than {duration_text(delay)}")
    story = partial(counterexample.invisible_row, scene(facts, expr, times), delay)
    yield facts.draw(expanded(found, use), story)


def _too_short(window: ir.Window, far: int) -> str:
    if isinstance(window, ir.SessionWindow):
        return f"is empty when the latest row is older than {duration_text(far)}"
    return f"reaches back {duration_text(far)}" if far > 0 else "does not reach back"


def _lookup_never_sees(facts: Facts, use: Use, expr: ir.TableLookup) -> Iterator[Diagnostic]:
    if expr.table not in facts.times:
        return
    (times,) = facts.times[expr.table]
    if isinstance(times.source.knowledge, ir.KnownColumn):
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
    found = clause_label(facts, found, times, "delay", words)
    yield expanded(found.help(f"accept values at least {duration_text(delay)} old"), use)


def beyond_retention(facts: Facts, use: Use) -> Iterator[Diagnostic]:
    """Rule 6b: no window reaches past what its source keeps, by itself or through lookups."""
    expr = use.expr
    if isinstance(expr, ir.TableLookup):
        return
    past = False
    for times in window_times(facts, use):
        assert isinstance(expr, ir.Aggregate)
        retention, far = times.source.retention, farthest_age(expr.window)
        if retention is not None and (far is None or far + times.least_lag > retention):
            past = True
            yield _past_retention(facts, use, expr, times, retention)
    if not past:
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
    found = clause_label(facts, found, times, "retention", f"rows are kept for {kept}")
    within = (
        f"`last {expr.window.rows} within {kept}`"
        if isinstance(expr.window, ir.LastWindow)
        else f"`over {kept}`"
    )
    found = found.help(f"reach back {kept} at most ({within}), or keep rows longer")
    window = expr.window
    shortest = retention - times.least_lag
    if isinstance(window, ir.RangeWindow) and window.near < shortest and not use.expansion:
        right = window_text(replace(window, far=shortest, far_closed=window.near == 0))
        edit = Edit(use.place, right)
        found = found.fix(f"reach back as far as rows are kept: `over {right}`", edit, safe=False)
    story = partial(counterexample.deleted_row, scene(facts, expr, times), retention)
    return facts.draw(expanded(found, use), story)


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
        (times,) = facts.times[source.name]
        words = f"rows are kept for {duration_text(source.retention)}"
        found = clause_label(facts, found, times, "retention", words)
        found = found.note(path_note(facts, use, reading)).help("shorten a window on the path")
        story = partial(counterexample.deleted_far_row, short(source.name), -low, source.retention)
        yield facts.draw(expanded(found, use), story)
