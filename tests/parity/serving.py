"""Answering a case's spines with the online engine: rows in memory, or in a store row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Protocol

import pyarrow as pa

from astrafs.online.cache import SegmentCache
from astrafs.online.engine import Engine, Session
from astrafs.online.kept import StoredRows
from astrafs.online.layout import Layout
from astrafs.online.memory import Memory
from astrafs.online.store import MemoryStore
from astrafs.online.writer import Writer
from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.plan.prune import reachable
from astrafs.reference.rows import normalise
from astrafs.values.errors import ValueFailure
from tests.parity.compare import Failure, Outcome
from tests.parity.engines import Reference, output_table
from tests.parity.model import Case

_ALWAYS = -(2**62)

Rows = Mapping[str, Sequence[dict[str, Any]]]


class _Asked(Protocol):
    """Rows that a session answers over."""

    session: Session


def answers(
    program: Program, case: Case, reference: Reference, views: tuple[ir.View, ...], *, stored: bool
) -> dict[str, Outcome]:
    """Return the outputs of every view for its spine, asked one by one or, in every second case,
    all at once; ``stored``: over a store that was fed in the order in which the rows became known,
    in batches of random sizes.
    """
    given = reference.given(case.as_of)
    rows = {source.name: normalise(source, given[source.name]) for source in program.plan.sources}
    engine = Engine(program.plan)
    together = (case.seed + case.seed // 8) % 2 == 0
    refused: set[str] = set()
    try:
        asked: _Asked = (
            _fed(engine, rows, case, refused) if stored else Memory(engine, rows, case.as_of)
        )
    except ValueFailure as failure:
        return {view.name: Failure(failure.code, failure.message) for view in views}
    found: dict[str, Outcome] = {}
    for view in views:
        stops = refused & reference.stops(reachable(program.plan, view.name)) if refused else ()
        found[view.name] = (
            Failure(min(stops), "a row was refused")
            if stops
            else _answer(asked, case, view, together=together)
        )
    return found


def _answer(asked: _Asked, case: Case, view: ir.View, *, together: bool) -> Outcome:
    spine = case.spines[view.name.rsplit(".", 1)[-1]]
    questions = [(tuple(keys), int(str(t))) for *keys, t in spine.rows]
    try:
        if together:
            keys, times = [key for key, _ in questions], [t for _, t in questions]
            columns = asked.session.columns(view.name, keys, times)
            return pa.table(columns, names=[output.name for output in view.outputs])
        found = [asked.session.view(view.name, key, t) for key, t in questions]
    except ValueFailure as failure:
        return Failure(failure.code, failure.message)
    return output_table(view, found)


def _fed(engine: Engine, rows: Rows, case: Case, refused: set[str]) -> StoredRows:
    """Return a store with the rows; ``refused`` gets the codes of those that it does not take."""
    layout, store = Layout(engine), MemoryStore()
    writer = Writer(layout, store)
    rng = Random(case.seed)
    arrivals = []
    for source in engine.plan.sources:
        for row in rows[source.name]:
            known = engine.rows.source_row(source, row).known if source.time else _ALWAYS
            arrivals.append((known, source.name, row))
    rng.shuffle(arrivals)
    # Of what becomes known at one moment, tables come first: they say where rows belong.
    tables = {source.name for source in engine.plan.sources if source.table}
    arrivals.sort(key=lambda arrival: (arrival[0], arrival[1] not in tables))
    at = 0
    while at < len(arrivals):
        name, end = arrivals[at][1], at + 1
        while end < len(arrivals) and arrivals[end][1] == name and rng.random() < 0.7:
            end += 1
        done = writer.ingest(name, [row for _, _, row in arrivals[at:end]])
        refused.update(problem.code.id for _, problem in done.refused)
        at = end
    return StoredRows(layout, store, case.as_of, SegmentCache())
