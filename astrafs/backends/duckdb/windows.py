"""Windows as active intervals: per row, the prediction times at which the row is in the window.

A window holds a row during one interval ``[start, stop]`` of prediction times: it becomes visible,
stays, and leaves for good. That one fact carries the whole backend. Where rows arrive late or are
revised, ``last``, ``since last`` and ``session`` windows may let a row come and go: then the rows
are compared question by question (:func:`kept_per_question`).
"""

from __future__ import annotations

from typing import assert_never

from astrafs.backends.duckdb.names import text
from astrafs.plan import ir
from astrafs.record import dataclass

_AGES = 4 * 10**16
"""Microseconds; more than any two timestamps of the language lie apart."""

_ORDER = 'PARTITION BY "@kid" ORDER BY "@ord"'

VISIBLE = 'greatest("@k", "@e" + 1)'
"""SQL for the first prediction time that sees a row of the past."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How rows come to be seen.

    ``ordered``: they become visible in (e, key) order, so the n-th later row is the n-th to arrive.
    ``revised``: a row stops being the one that counts after ``"@until"``, if that is not null.
    """

    ordered: bool
    revised: bool


@dataclass(frozen=True, slots=True)
class Interval:
    """SQL over a row's ``"@e"``, ``"@k"``, ``"@ord"``, ``"@kid"`` and, with revisions,
    ``"@until"``. ``stop`` None: for ever.
    """

    start: str
    stop: str | None


def _shift(column: str, micros: int) -> str:
    if micros == 0:
        return column
    return f"{column} + {micros}" if micros > 0 else f"{column} - {-micros}"


def _floor(value: str, step: int) -> str:
    """``value`` rounded down to a multiple of ``step``, also below zero."""
    return f"({value}) - ((({value}) % {step}) + {step}) % {step}"


def active_interval(window: ir.Window, arrival: Arrival, cut: str = "") -> Interval | None:
    """Return when a row is in ``window``, or None where that need not be one interval.

    ``cut`` is the column that is true on the rows that a ``since last`` window looks for.
    """
    match window:
        case ir.RangeWindow():
            found = _range(window)
            return _in_hindsight(found, arrival) if window.hindsight else _until(found, arrival)
        case ir.CalendarWindow():
            following = f'af_next_unit("@e", {text(window.unit)}, {text(window.zone)})'
            return _until(Interval(VISIBLE, f"{following} - 1"), arrival)
        case ir.LastWindow():
            return None if arrival.revised else _last(window, arrival)
        case ir.SinceWindow():
            return None if arrival.revised else _since(cut, arrival)
        case ir.SessionWindow():
            return None
        case _:
            assert_never(window)


def _until(interval: Interval, arrival: Arrival) -> Interval:
    if not arrival.revised:
        return interval
    # `least` passes over nulls.
    stop = '"@until"' if interval.stop is None else f'least({interval.stop}, "@until")'
    return Interval(interval.start, stop)


def _in_hindsight(interval: Interval, arrival: Arrival) -> Interval:
    """Rows known by K count whatever t, and all rows here are; of revisions the last one."""
    if not arrival.revised:
        return interval
    stop = interval.stop or str(2**62)
    return Interval(interval.start, f'CASE WHEN "@until" IS NULL THEN {stop} ELSE -{2**62} END')


def _range(window: ir.RangeWindow) -> Interval:
    near = max(-_AGES, min(window.near, _AGES)) + (0 if window.near_closed else 1)
    opens = _shift('"@e"', near)
    closes = None
    if window.far is not None and window.far < _AGES:
        closes = _shift('"@e"', max(window.far, -_AGES) - (0 if window.far_closed else 1))
    if window.every is not None:
        step = window.every
        # floor(t) >= x  <=>  t >= the first multiple of step from x on; floor(t) <= y  <=>  t <
        # the next one.
        opens = f"{_floor(f'{opens} + {step - 1}', step)}"
        closes = None if closes is None else f"{_floor(closes, step)} + {step - 1}"
    return Interval(opens if window.hindsight else f'greatest("@k", {opens})', closes)


def _last(window: ir.LastWindow, arrival: Arrival) -> Interval:
    """A row leaves when as many later ones are visible; of revised rows, ones that stay so."""
    if arrival.ordered:
        pushed = f"lead({VISIBLE}, {window.rows}) OVER ({_ORDER})"
    else:
        start = f'CASE WHEN "@until" IS NULL THEN {VISIBLE} END' if arrival.revised else VISIBLE
        later = f"{_ORDER} ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING"
        if window.rows == 1:
            pushed = f"min({start}) OVER ({later})"
        else:
            pushed = f"list_extract(min({start}, {window.rows}) OVER ({later}), {window.rows})"
    stop = f"{pushed} - 1"
    if window.within is not None and window.within < _AGES:
        stop = f"""least({stop}, {_shift('"@e"', window.within)})"""
    return Interval(VISIBLE, stop)


def _since(cut: str, arrival: Arrival) -> Interval:
    """A row leaves when the first row from itself on for which ``cut`` is true becomes visible; of
    revised rows, one that stays so.
    """
    later = f"{_ORDER} ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING"
    stays = f'{cut} AND "@until" IS NULL' if arrival.revised else cut
    return Interval(VISIBLE, f"min(CASE WHEN {stays} THEN {VISIBLE} END) OVER ({later}) - 1")


def session_stretches(window: ir.SessionWindow, begun: str) -> str:
    """Return SQL for the rows of ``begun`` (which arrive in order) with each ``"@begin"`` and
    ``"@stop"`` of their time in the session window.

    A session is a chain of rows of which none is more than the gap after the one before. Its rows
    are in the window while t is within the gap of the latest that is visible: where a row arrives
    later than that, the window is empty in between, and the session has several stretches.
    """
    gap = min(window.gap, _AGES)
    before = f'lag("@e") OVER ({_ORDER})'
    running = f"OVER ({_ORDER} ROWS UNBOUNDED PRECEDING)"
    return (
        f"WITH steps AS (\n"
        f'  SELECT *, "@e" - {before} <= {gap} AS "@near",\n'
        f'    "@start" <= {before} + {gap + 1} AS "@joins"\n  FROM {begun}),\n'
        f"chains AS (\n"
        f'  SELECT *, count(*) FILTER (WHERE "@near" IS NOT TRUE) {running} AS "@session",\n'
        f'    count(*) FILTER (WHERE "@near" IS NOT TRUE OR "@joins" IS NOT TRUE) {running}'
        f' AS "@stretch"\n  FROM steps),\n'
        f"stretches AS (\n"
        f'  SELECT "@kid", "@session", "@stretch", min("@start") AS "@opens",\n'
        f'    max("@e") + {gap} AS "@stop"\n'
        f'  FROM chains GROUP BY "@kid", "@session", "@stretch")\n'
        f'SELECT c.* EXCLUDE ("@from"), greatest(c."@start", s."@opens") AS "@begin", s."@stop"\n'
        f"FROM chains c JOIN stretches s\n"
        f'ON c."@kid" = s."@kid" AND c."@session" = s."@session" AND c."@stretch" <= s."@stretch"'
    )


def candidates(window: ir.Window, arrival: Arrival, begun: str, cut: str) -> str:
    """Return SQL for the rows of ``begun`` with ``"@stop"``, after which a row is in ``window`` no
    more, whatever comes and goes (null: it may always be).
    """
    match window:
        case ir.LastWindow():
            found = _until(_last(window, arrival), arrival)
        case ir.SinceWindow():
            found = _until(_since(cut, arrival), arrival)
        case ir.SessionWindow():
            gap = min(window.gap, _AGES)
            # If every row were visible: what is visible at any time has at least those gaps.
            far = f'"@e" - lag("@e") OVER ({_ORDER}) <= {gap} IS NOT TRUE'
            chain = f'count(*) FILTER (WHERE "@far") OVER ({_ORDER} ROWS UNBOUNDED PRECEDING)'
            last = f'max("@e") OVER (PARTITION BY "@kid", "@chain") + {gap}'
            found = _until(Interval(VISIBLE, last), arrival)
            begun = (
                f'(SELECT *, {chain} AS "@chain" FROM (SELECT *, ({far}) AS "@far" FROM {begun}))'
            )
        case ir.RangeWindow() | ir.CalendarWindow():
            raise ValueError("these windows hold a row during one interval")
        case _:
            assert_never(window)
    return f'SELECT *, {found.stop} AS "@stop" FROM {begun}'


def kept_per_question(window: ir.Window, cut: str) -> str:
    """Return the QUALIFY condition that keeps the rows in ``window``, over all rows that each
    question ``"@at"`` sees at its time ``"@t"``.
    """
    here = 'PARTITION BY "@at" ORDER BY "@ord"'
    match window:
        case ir.LastWindow():
            latest = f'row_number() OVER (PARTITION BY "@at" ORDER BY "@ord" DESC) <= {window.rows}'
            if window.within is None or window.within >= _AGES:
                return latest
            return f'{latest} AND "@e" >= "@t" - {window.within}'
        case ir.SinceWindow():
            later = f"({here} ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)"
            return f"count(*) FILTER (WHERE {cut}) OVER {later} = 0"
        case ir.SessionWindow():
            # The latest row of all that has a gap after it ends what came before, itself included.
            later = f"({here} ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)"
            return f'max("@next" - "@e") OVER {later} <= {min(window.gap, _AGES)}'
        case ir.RangeWindow() | ir.CalendarWindow():
            raise ValueError("these windows hold a row during one interval")
        case _:
            assert_never(window)
