"""Makes the smallest set of events that shows why a window leaks, or never sees anything."""

from __future__ import annotations

from astrafs.builtins.aggregates import AGGREGATES
from astrafs.leakage.scenario import scenario
from astrafs.leakage.timeline import Mark, Story
from astrafs.leakage.values import Found, Scene, search, stand_ins
from astrafs.plan import ir
from astrafs.plan.values import value_text
from astrafs.temporal.interval import (
    Interval,
    farthest_age,
    moment,
    nearest_age,
    sure_age,
    window_interval,
)
from astrafs.typesys import DURATION_UNITS


def settling_column(scene: Scene, column: ir.SourceColumn) -> Story:
    """Two rows, of which the younger one's value changes between t and the time it settles."""
    settles, lag = column.settles or 0, scene.times.least_lag
    far = sure_age(scene.expr.window)
    nearest = nearest_age(scene.expr.window)
    young = nice(nearest, settles - lag if far is None else min(far, settles - lag))
    old = nice(max(settles - lag, young), far)
    if far is not None and far <= settles - lag:
        old = nice(young, far)
    change = nice(max(0, -young), settles - lag - young)
    found = search(scene, column, (-old, -young), kind="changes")
    first, at_t, later = found.cells if found else stand_ins(column)
    return Story(
        (
            Mark(-old, "*", "row 1"),
            Mark(-young, "*", "row 2"),
            Mark(0, "|", "asked at t"),
            Mark(change, "o", "row 2 changes"),
        ),
        window_interval(scene.expr.window),
        ("row", "at", f"{column.name} at t", f"{column.name} in the files"),
        (("1", moment(-old), first, first), ("2", moment(-young), at_t, later)),
        _outcome(scene, found, "when served at t", "in the training set"),
        scenario(scene, (-old, -young), found, column),
    )


def unknown_column(scene: Scene, column: ir.SourceColumn) -> Story:
    """Two rows, of which the younger one's value only becomes known after t."""
    window = scene.expr.window
    far = sure_age(window)
    nearest = nearest_age(window)
    young = nice(nearest, far)
    old = nice(young, far)
    after = nice(0, max(young, 2 * DURATION_UNITS["h"]))
    found = search(scene, column, (-old, -young), kind="appears")
    first, _, later = found.cells if found else stand_ins(column)
    known = nice(0, old)
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    if column.known_at == column.name:
        head = ("row", "at", f"{column.name} at t", f"{column.name} in the files")
        rows = (
            ("1", moment(-old), moment(-known), moment(-known)),
            ("2", moment(-young), "null", moment(after)),
        )
    else:
        head = (
            "row",
            "at",
            column.known_at,
            f"{column.name} at t",
            f"{column.name} in the files",
        )
        rows = (
            ("1", moment(-old), moment(-known), first, first),
            ("2", moment(-young), moment(after), "not known", later),
        )
    return Story(
        (
            Mark(-old, "*", "row 1"),
            Mark(-young, "*", "row 2"),
            Mark(0, "|", "asked at t"),
            Mark(after, "o", "row 2 known"),
        ),
        window_interval(window),
        head,
        rows,
        _outcome(scene, found, "when served at t", "in the training set"),
        scenario(scene, (-old, -young), found, column, (-known, after)),
    )


def future_row(scene: Scene) -> Story:
    """A row of the past and one that has not happened by t, though the files hold it."""
    interval = window_interval(scene.expr.window)
    high = interval.high or 0
    low = max(interval.low, 0) if interval.low is not None else 0
    soon = nice(low, high) if high > low else high
    past = -soon
    inside = (past,) if interval.low is None or interval.low < past else ()
    found = search(scene, None, (*inside, soon), kind="row")
    return Story(
        (
            Mark(past, "*", "row 1"),
            Mark(0, "|", "asked at t"),
            Mark(soon, "*", "row 2"),
        ),
        interval,
        ("row", "at", "when served at t", "in the files"),
        (("1", moment(past), "there", "there"), ("2", moment(soon), "not yet", "there")),
        _outcome(scene, found, "when served at t", "in the training set"),
        scenario(scene, (past, soon), found),
    )


def own_row(scene: Scene) -> Story:
    """A row of the past, and the one at t that is itself the example of a dataset."""
    interval = window_interval(scene.expr.window)
    past = -nice(0, None if interval.low is None else -interval.low)
    found = search(scene, None, (past, 0), kind="row")
    return Story(
        (Mark(past, "*", "row 1"), Mark(0, "*", "row 2, asked at its own t")),
        interval,
        ("row", "at", "when served at t", "in the files"),
        (("1", moment(past), "there", "there"), ("2", "t", "not yet", "there")),
        _outcome(scene, found, "when served at t", "in the training set"),
    )


def label_in_test(label: str, gap: int, horizon: int) -> Story:
    """A training row just before the end of training, whose label waits into the test period."""
    waits = f"waits until {moment(horizon)}"
    return Story(
        (
            Mark(0, "*", "row 1, train"),
            Mark(gap, "|", "test begins" if gap else ""),
            Mark(nice(gap, horizon), "*", "row 2, test"),
            Mark(horizon, "o", "label of row 1"),
        ),
        None,
        ("row", "at", "split", label),
        (
            ("1", "t", "train", waits),
            ("2", moment(nice(gap, horizon)), "test", "may decide that of row 1"),
        ),
        ("the model is trained on what happened in the test period",),
    )


def invisible_row(scene: Scene, delay: int) -> Story:
    """A row that is too young to be visible, and one that is visible but too old for the window."""
    far = sure_age(scene.expr.window) or 0
    young = nice(0, far) if far else 1
    old = nice(delay, None)
    empty = () if scene.expr.by is not None else AGGREGATES[scene.expr.function].empty
    return Story(
        (
            Mark(-old, "*", "row 1"),
            Mark(-young, "*", "row 2"),
            Mark(0, "|", "asked at t"),
            Mark(delay - young, "o", "row 2 visible"),
        ),
        window_interval(scene.expr.window),
        ("row", "at", "visible from", "at t"),
        (
            ("1", moment(-old), moment(delay - old), "visible, but before the window"),
            ("2", moment(-young), moment(delay - young), "in the window, but not visible yet"),
        ),
        (f"{scene.text} is always {value_text(empty, scene.expr.type)}",),
        scenario(scene, (-old, -young), None),
    )


def deleted_row(scene: Scene, retention: int) -> Story:
    """A row within what is kept, and one that the window covers but the source has deleted."""
    far = farthest_age(scene.expr.window)
    nearest = nearest_age(scene.expr.window)
    old = nice(max(retention, nearest), far)
    young = nice(nearest, retention) if nearest < retention else old // 2
    found = search(scene, None, (-young, -old), kind="row")
    return Story(
        (
            Mark(-old, "*", "row 1"),
            Mark(-retention, "o", "kept from here"),
            Mark(-young, "*", "row 2"),
            Mark(0, "|", "asked at t"),
        ),
        window_interval(scene.expr.window),
        ("row", "at", "before clean-up", "after it"),
        (("1", moment(-old), "there", "deleted"), ("2", moment(-young), "there", "there")),
        _outcome(scene, found, "after clean-up", "while row 1 is still there"),
        scenario(scene, (-old, -young), found),
    )


def table_value(lookup: ir.TableLookup, column: ir.SourceColumn) -> Story:
    """A table's row whose value changes, or becomes known, only after it was looked up."""
    settles = column.settles or 2 * DURATION_UNITS["h"]
    young = lookup.offset + nice(0, settles - lookup.offset)
    change = nice(0, max(settles - young, DURATION_UNITS["h"]))
    _, at_t, later = stand_ins(column)
    known = f"{column.name} {'changes' if column.settles is not None else 'known'}"
    name = lookup.table.rsplit(".", 1)[-1]
    at_t = at_t if column.settles is not None else "not known"
    return Story(
        (
            Mark(-young, "*", "row"),
            Mark(0, "|", "asked at t"),
            Mark(change, "o", known),
        ),
        None,
        ("row", "at", f"{column.name} at t", f"{column.name} in the files"),
        (("1", moment(-young), at_t, later),),
        (f"{name}[...].{column.name}: {at_t} when served at t, {later} in the training set",),
    )


def future_lookup(rows: str, source: str, reach: int) -> Story:
    """A row after t looks something up at its own time, and finds what has not happened by t."""
    own = nice(0, reach)
    between = nice(0, own)
    return Story(
        (
            Mark(0, "|", "asked at t"),
            Mark(between, "*", "row 1"),
            Mark(own, "*", "row 2"),
        ),
        Interval(0, reach),
        ("row", "of", "at", "when served at t", "in the files"),
        (
            ("1", source, moment(between), "not yet", "there"),
            ("2", rows, moment(own), "known ahead", "there"),
        ),
        (f"row 2 looks up `{source}` at {moment(own)}: it finds row 1 only in the training set",),
    )


def deleted_far_row(source: str, reach: int, retention: int) -> Story:
    """A row that a chain of windows reaches, but that the source no longer keeps."""
    old = nice(retention, reach)
    return Story(
        (
            Mark(-old, "*", "row 1"),
            Mark(-retention, "o", "kept from here"),
            Mark(0, "|", "asked at t"),
        ),
        Interval(-reach, 0, True),
        ("row", "of", "at", "before clean-up", "after it"),
        (("1", source, moment(-old), "there", "deleted"),),
        (f"what row 1 adds is gone once `{source}` has been cleaned up",),
    )


def timeless_row() -> Story:
    """An event that has no time counts even where it has not happened yet."""
    day = DURATION_UNITS["d"]
    return Story(
        (
            Mark(-day, "*", "row 1 happens"),
            Mark(0, "|", "asked at t"),
            Mark(day, "*", "row 2 happens"),
        ),
        None,
        ("row", "at", "when served at t", "in the files"),
        (("1", "not said", "there", "there"), ("2", "not said", "not yet", "there")),
        ("a count of rows at t: 1 served at t, 2 in the training set",),
    )


def timeless_state() -> Story:
    """A state that has no time is today's, whenever it is asked for."""
    day = DURATION_UNITS["d"]
    return Story(
        (
            Mark(-day, "*", "becomes a"),
            Mark(0, "|", "asked at t"),
            Mark(day, "*", "becomes b"),
        ),
        None,
        ("row", "from", "value at t", "value in the files"),
        (("1", "not said", "a", "b"),),
        ("a lookup at t: a served at t, b in the training set",),
    )


def nice(low: int, high: int | None) -> int:
    """Return a duration strictly between two others, near the middle, in the largest unit."""
    if high is None or high <= low:
        high = low + max(low, 2 * DURATION_UNITS["h"])
    middle = (low + high) // 2
    for unit in ("d", "h", "m", "s", "ms"):
        size = DURATION_UNITS[unit]
        for rounded in (middle // size * size, (middle // size + 1) * size):
            if low < rounded < high:
                return rounded
    return middle


def _outcome(scene: Scene, found: Found | None, when: str, otherwise: str) -> tuple[str, ...]:
    if found is None:
        return (f"{scene.text} depends on it: one value {when}, another {otherwise}",)
    return (f"{scene.text}: {found.before} {when}, {found.after} {otherwise}",)
