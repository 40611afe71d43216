"""The time of a stream's rows: whose rows they are, how re-timed, and what is known by then."""

from __future__ import annotations

from dataclasses import dataclass

from astrafs.plan import ir
from astrafs.plan.graph import subexpressions
from astrafs.plan.text import expression_text
from astrafs.typesys import Kind

_LONGEST_CLOCK = 40


@dataclass(frozen=True, slots=True)
class RowTimes:
    """Facts about the time of a row of ``rows`` against the row of the source that it comes from.

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


def row_times(plan: ir.Plan) -> dict[str, RowTimes]:
    """Return the facts for every source, table and stream whose bases are sound."""
    found: dict[str, RowTimes] = {}
    for source in plan.sources:
        start = frozenset({source.time} if source.time else ())
        found[source.name] = RowTimes(
            source.name, source, (source.name,), not_before=start, ahead=source.ahead
        )
    streams = {stream.name: stream for stream in plan.streams}
    for name in streams:
        path = []
        at = name
        while at in streams and at not in found and at not in path:
            path.append(at)
            at = streams[at].base
        if at in found:
            for step in reversed(path):
                found[step] = _through(found[streams[step].base], streams[step])
    return found


def _through(base: RowTimes, stream: ir.Stream) -> RowTimes:
    chain = (stream.name, *base.chain)
    if stream.time is None:
        return RowTimes(
            stream.name,
            base.source,
            chain,
            base.clock,
            base.least_lag,
            base.exact,
            base.not_before,
            base.ahead,
        )
    bounds = lower_bounds(stream.time)
    known = frozenset[str]().union(*(_earlier(base.source, column) for column in bounds))
    least = max(base.least_lag, bounds.get(base.source.time, 0))
    exact = base.source.time in bounds and not _has_choice(stream.time)
    clock = expression_text(stream.time)
    if len(clock) > _LONGEST_CLOCK:
        clock = "its own time"
    # k is lifted to the new e, so rows known ahead are so no longer.
    return RowTimes(
        stream.name, base.source, chain, clock, least, exact, base.not_before | known, False
    )


def lower_bounds(time: ir.Expr) -> dict[str, int]:
    """Return columns that ``time`` is never before, with the microseconds between at the least.

    Sees through ``column + duration`` and ``greatest`` (null where an operand is, as no time is).
    """
    found: dict[str, int] = {}
    stack = [(time, 0)]
    while stack:
        expr, plus = stack.pop()
        if isinstance(expr, ir.Column):
            found[expr.name] = max(found.get(expr.name, 0), plus)
        elif isinstance(expr, ir.Call) and expr.function == "greatest":
            stack.extend((arg, plus) for arg in expr.args)
        elif isinstance(expr, ir.Call) and expr.function == "add":
            left, right = expr.args
            if isinstance(left, ir.Literal):
                left, right = right, left
            if isinstance(right, ir.Literal) and right.type.kind is Kind.DURATION:
                later = right.value
                if isinstance(later, int) and later >= 0:
                    stack.append((left, plus + later))
    return found


def _has_choice(time: ir.Expr) -> bool:
    return any(
        isinstance(expr, ir.Call) and expr.function != "add" for expr in subexpressions(time)
    )


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
