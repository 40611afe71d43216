"""Random windows that the leakage pass must accept, and aggregates over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from astrafs.typesys import Kind
from tests.parity.expressions import Ex, grow, literals, pick
from tests.parity.generator import aggregates
from tests.parity.generator.builder import Builder, Rows
from tests.parity.values import DAY, duration_text


def window(b: Builder, rows: Rows, near: int) -> str:
    """Return a window over ``rows`` whose nearest edge is at least ``near`` old."""
    rng = b.rng
    far = b.span() + max(rows.delay, 0)
    b.ages.append(far)
    if rows.ahead and not near and b.chance(0.4):
        return _forward(b, far)
    if not near and rows.bounded is None and b.chance(0.3):
        return b.rng.choice((_calendar, _since_last, _session))(b, rows)
    offset = near
    if near or b.chance(0.25):
        offset = near + (b.span() if b.chance(0.5) or not near else 0)
        b.ages += [offset, far + offset]
    roll = rng.random()
    every = ""
    if b.chance(0.15):
        every = f" every {duration_text(rng.choice((1, 2, 3)) * b.grain)}"
    if roll < 0.4:
        if every:
            b.tag("window.every")
        b.tag("window.offset" if offset else "window.past")
        tail = f" offset {duration_text(offset)}" if offset else ""
        return f"{duration_text(far)}{tail}{every}"
    if roll < 0.68:
        if every:
            b.tag("window.edges_every")
        left, right = rng.choice("[("), rng.choice("])")
        if not offset and right == "]":
            every = ""
        b.tag(f"window.edges{left}{right}")
        return f"{left}{duration_text(far + offset)}, {duration_text(offset)}{right}{every}"
    if roll < 0.76 and rows.bounded is None:
        b.tag("window.all_offset" if offset else "window.all")
        return "all" + (f" offset {duration_text(offset)}" if offset else "")
    if roll < 0.9 and not near:
        count = rng.choice((1, 1, 2, 3, 5, 40))
        if b.chance(0.5) or rows.bounded is not None:
            b.tag("window.last_within")
            return f"last {count} within {duration_text(far)}"
        b.tag("window.last")
        return f"last {count}"
    if not near:
        b.tag("window.now")
        if b.chance(0.2) and rows.bounded is None:
            b.tag("window.all_now")
            return "all including now"
        return f"{duration_text(far)} including now"
    return f"{duration_text(far)} offset {duration_text(offset)}"


_ZONES = ("UTC", "Europe/Paris", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia")
_UNITS = {"hour": DAY // 24, "day": DAY, "week": 7 * DAY, "month": 28 * DAY}


def _calendar(b: Builder, rows: Rows) -> str:
    units = [unit for unit, length in _UNITS.items() if length > rows.delay]
    b.tag("window.calendar")
    return f'since {b.rng.choice(units)}("{b.rng.choice(_ZONES)}")'


def _since_last(b: Builder, rows: Rows) -> str:
    pool = [replace(one, uses=frozenset({rows.name})) for one in rows.columns]
    grown = grow(b.rng, [*pool, *literals(b.rng)], 12, b.tag)
    condition = pick(b.rng, grown, lambda kind: kind.kind is Kind.BOOL)
    b.tag("window.since_last")
    return f"since last ({'true' if condition is None else condition.text})"


def _session(b: Builder, rows: Rows) -> str:
    b.tag("window.session")
    gap = b.rng.choice((1, 2, 3, 5, 8)) * b.grain
    b.ages += [gap, gap + 1]
    return f"session gap {duration_text(gap + rows.delay * b.rng.choice((1, 1, 2)))}"


def _forward(b: Builder, far: int) -> str:
    if b.chance(0.5):
        b.tag("window.next")
        return f"next {duration_text(far)}"
    b.tag("window.around")
    left, right = b.rng.choice("[("), b.rng.choice("])")
    back = b.rng.choice((far, b.span()))
    return f"{left}{duration_text(back)}, -{duration_text(far)}{right}"


def aggregate(b: Builder, rows: Rows, window: str, settled: Sequence[Ex]) -> Ex | None:
    """Return ``agg(x where cond) over window`` on the columns of ``rows``."""
    rng = b.rng
    pool = [replace(one, uses=frozenset({rows.name})) for one in (*rows.columns, *settled)]
    plain = [one for one in pool if one.type.kind is not Kind.KEY or len(one.type.parts) == 1]
    grown = [*pool, *plain]
    if b.chance(0.5):
        grown = grow(rng, [*plain, *literals(rng, b.wild)], 12, b.tag)
    where = ""
    uses = frozenset({rows.name})
    if b.chance(0.3):
        leaves = [*plain, *literals(rng)]
        condition = pick(rng, grow(rng, leaves, 12, b.tag), lambda kind: kind.kind is Kind.BOOL)
        if condition is not None:
            where = f" where {condition.text}"
            uses |= condition.uses
            b.tag("aggregate.where")
    called = aggregates.call(b, plain, grown, where)
    if called is None:
        return None
    return replace(called, text=f"{called.text} over {window}", uses=uses | called.uses)


def family(b: Builder, rows: Rows) -> list[Ex]:
    """Return aggregates that differ in their function alone."""
    plain = [
        one for one in rows.columns if one.type.kind is not Kind.KEY or len(one.type.parts) == 1
    ]
    text = window(b, rows, 0)
    uses = frozenset({rows.name})
    return [
        replace(one, text=f"{one.text} over {text}", uses=uses)
        for one in aggregates.family(b, plain)
    ]
