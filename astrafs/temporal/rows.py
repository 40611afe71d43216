"""The time of a stream's rows: whose rows they are, how re-timed, and what is known by then."""

from __future__ import annotations

from dataclasses import dataclass

from astrafs.plan import ir
from astrafs.typesys import Kind


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
    column, plus = column_plus(stream.time)
    if column is None:
        clock, known, lag, exact = "its own time", frozenset[str](), base.least_lag, False
    else:
        clock = column if plus == 0 else f"{column} + a fixed time"
        same = column == base.source.time
        known = frozenset({column}) | _earlier(base.source, column)
        lag, exact = (max(base.least_lag, plus), True) if same else (base.least_lag, False)
    # k is lifted to the new e, so rows known ahead are so no longer.
    return RowTimes(
        stream.name, base.source, chain, clock, lag, exact, base.not_before | known, False
    )


def column_plus(time: ir.Expr) -> tuple[str | None, int]:
    """Take ``column + duration`` apart (never minus); the column is None for anything else."""
    plus = 0
    while isinstance(time, ir.Call) and time.function == "add" and len(time.args) == 2:
        left, right = time.args
        if isinstance(left, ir.Literal):
            left, right = right, left
        if not (isinstance(right, ir.Literal) and right.type.kind is Kind.DURATION):
            return None, 0
        if not isinstance(right.value, int) or right.value < 0:
            return None, 0
        plus += right.value
        time = left
    return (time.name, plus) if isinstance(time, ir.Column) else (None, 0)


def _earlier(source: ir.Source, column: str) -> frozenset[str]:
    """Return the non-null columns that the source's contracts put no later than ``column``."""
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
