"""The time of a stream's rows: whose rows they are, how re-timed, and what is known by then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

from astrafs.plan import ir
from astrafs.plan.text import expression_text
from astrafs.record import dataclass

_LONGEST_CLOCK = 40


@dataclass(frozen=True, slots=True)
class RowTimes:
    """Facts about the time of a row of ``rows`` against the row of the source that it comes from.

    ``chain`` names the streams that the row passes through and then the source (not the unions).
    ``clock`` says what re-timed the row last, ``""`` if nothing did. The row's time is at least
    ``least_lag`` microseconds after the source's event time, exactly that where ``exact``. It is
    not before the value of any column in ``not_before``. ``ahead``: known before their time.
    """

    rows: str
    source: ir.Source
    chain: tuple[str, ...]
    clock: str = ""
    least_lag: int = 0
    exact: bool = True
    not_before: frozenset[str] = frozenset()
    ahead: bool = False
    computed: Mapping[str, Bounds] = field(default_factory=dict, compare=False)
    """What bounds the columns that the streams add."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A value is ``least[c]`` microseconds or more after source column ``c``.

    Where ``exact`` it is that much after the only one, whatever the row.
    """

    least: Mapping[str, int]
    exact: bool


def row_times(plan: ir.Plan) -> dict[str, tuple[RowTimes, ...]]:
    """Return the facts for every source, table, stream and union whose bases are sound.

    There is one entry per way down to a source: rows of a union come from each of its members.
    """
    found: dict[str, tuple[RowTimes, ...]] = {}
    for source in plan.sources:
        start = frozenset({source.time} if source.time else ())
        found[source.name] = (
            RowTimes(source.name, source, (source.name,), not_before=start, ahead=source.ahead),
        )
    waiting: list[ir.Stream | ir.Union] = [*plan.streams, *plan.unions]
    while waiting:
        later = []
        for rows in waiting:
            bases = rows.members if isinstance(rows, ir.Union) else (rows.base,)
            if any(base not in found for base in bases):
                later.append(rows)
                continue
            below = (times for base in bases for times in found[base])
            if isinstance(rows, ir.Union):
                found[rows.name] = tuple(replace(times, rows=rows.name) for times in below)
            else:
                found[rows.name] = tuple(_through(times, rows) for times in below)
        if len(later) == len(waiting):
            break  # a base is missing or circular: reported already
        waiting = later
    return found


def _through(base: RowTimes, stream: ir.Stream) -> RowTimes:
    chain = (stream.name, *base.chain)
    columns = {c.name: bounds_of(c.expression, base.computed) for c in stream.columns}
    computed = {**base.computed, **columns}
    if stream.time is None:
        return replace(base, rows=stream.name, chain=chain, computed=computed)
    bounds = bounds_of(stream.time, base.computed)
    known = frozenset[str]().union(*(_earlier(base.source, column) for column in bounds.least))
    least = max(base.least_lag, bounds.least.get(base.source.time, 0))
    exact = base.source.time in bounds.least and bounds.exact
    clock = expression_text(stream.time)
    if len(clock) > _LONGEST_CLOCK:
        clock = "its own time"
    # k is lifted to the new e, so rows known ahead are so no longer.
    not_before = base.not_before | known
    return RowTimes(
        stream.name, base.source, chain, clock, least, exact, not_before, computed=computed
    )


def bounds_of(time: ir.Expr, computed: Mapping[str, Bounds]) -> Bounds:
    """Return what ``time`` is never before.

    Sees through ``column + duration``, ``greatest`` (null where an operand is, as no time is) and
    the ``computed`` columns of the streams below.
    """
    least: dict[str, int] = {}
    exact = True
    stack = [(time, 0)]
    while stack:
        expr, plus = stack.pop()
        if isinstance(expr, ir.Column):
            inner = computed.get(expr.name, Bounds({expr.name: 0}, True))
            exact = exact and inner.exact
            for name, lag in inner.least.items():
                least[name] = max(least.get(name, lag + plus), lag + plus)
        elif isinstance(expr, ir.Call) and expr.function == "greatest":
            stack.extend((arg, plus) for arg in expr.args)
            exact = False
        elif isinstance(expr, ir.Call) and expr.function == "add":
            left, right = expr.args
            if isinstance(left, ir.Literal):
                left, right = right, left
            later = right.value if isinstance(right, ir.Literal) else None
            if isinstance(later, int) and later >= 0:
                stack.append((left, plus + later))
            else:
                exact = False
        else:
            exact = False
    return Bounds(least, exact)


def _earlier(source: ir.Source, column: str) -> frozenset[str]:
    """Return ``column`` and the non-null ones that contracts of the source put no later."""
    required = {item.name for item in source.columns if not item.type.nullable}
    found = {column}
    pairs = [pair for condition in source.expects for pair in _not_after(condition)]
    grown = True
    while grown:
        new = {early for early, late in pairs if late in found and early in required} - found
        found |= new
        grown = bool(new)
    return frozenset(found)


def _not_after(condition: ir.Expr) -> list[tuple[str, str]]:
    """Return the (earlier, later) column pairs that a contract states."""
    found: list[tuple[str, str]] = []
    stack = [condition]
    while stack:
        expr = stack.pop()
        if not isinstance(expr, ir.Call):
            continue
        if expr.function == "and":
            stack.extend(expr.args)
            continue
        match expr.args:
            case (ir.Column() as left, ir.Column() as right):
                if expr.function in ("le", "lt", "eq"):
                    found.append((left.name, right.name))
                if expr.function in ("ge", "gt", "eq"):
                    found.append((right.name, left.name))
            case _:
                pass
    return found
