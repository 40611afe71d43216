"""Executing the steps of a script: statements by the engine, sweeps by the window kernels.

The rows of a sweep come from the engine in any order. They are divided by ranges of keys, and each
range is put in order and swept by itself, several at a time. So memory holds a budget of rows, a
few ranges in order, and the answers, however many rows there are.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from astrafs.backends.duckdb.names import ident
from astrafs.backends.duckdb.script import Script, Step, Sweep, SweptCall
from astrafs.builtins.aggregates import AGGREGATES
from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.kernels import windows as kernels
from astrafs.kernels.arrow_types import engine_type
from astrafs.kernels.windows.bulk import Bulk
from astrafs.plan import ir
from astrafs.record import dataclass
from astrafs.runtime import errors
from astrafs.runtime.partitions import Partitions, in_order
from astrafs.runtime.result import one
from astrafs.runtime.session import Session
from astrafs.values.errors import INT_OVERFLOW, ValueFailure

Ints = npt.NDArray[np.int64]

ENOUGH = 1 << 17
"""Rows and questions that are swept together, where one key has not more."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What came of a sweep: rows and their bytes, which of them waited in files, questions, and
    seconds.
    """

    step: str
    rows: int
    bytes: int
    spilled: int
    questions: int
    seconds: float


def execute(session: Session, step: Step | Sweep, doing: str, rows: int = ENOUGH) -> Swept | None:
    """Execute one step of a script; ``rows`` of a sweep go together. Returns what came of it."""
    if isinstance(step, Sweep):
        try:
            table, found = sweep(session, step, doing, rows)
        except ValueFailure as failure:
            if failure.code == INT_OVERFLOW:  # in the words of the engine's own
                title = "an integer does not fit 64 bits"
                raise AstrafsError(codes.INT_OVERFLOW.nowhere(title)) from None
            raise errors.translate(failure, doing) from None
        session.register(step.name, table)
        return found
    session.run(step.sql, doing)
    return None


def forget(session: Session, script: Script, name: str) -> None:
    """Drop the relation that the step ``name`` made."""
    step = next(step for step in script.steps if step.name == name)
    if isinstance(step, Sweep):
        session.unregister(name)
    else:
        kind = "VIEW" if step.view else "TABLE"
        session.run(f"DROP {kind} {ident(name)}", "freeing memory")


def sweep(session: Session, step: Sweep, doing: str, rows: int) -> tuple[pa.Table, Swept]:
    """Return ``"@q"`` and the answers of the calls of ``step`` to every question."""
    began = time.monotonic()
    asked = pa.Table.from_batches(
        session.stream(step.rows_asked, doing), session.schema(step.rows_asked, doing)
    )
    keys, times = _ints(asked, "@kid"), _ints(asked, "@t")
    schema = session.schema(step.events, doing)
    plan = _Plan.of(step, schema)
    last = int(keys[-1]) if len(keys) else 0
    partitions = Partitions(schema, last, session.budget, session.folder)
    parts: list[list[pa.Array]] = []
    running: deque[Future[list[pa.Array]]] = deque()
    try:
        for batch in session.stream(step.events, doing):
            partitions.add(batch)
        before = np.searchsorted(keys, np.arange(last + 2))
        with ThreadPoolExecutor(session.threads, "astrafs-sweep") as pool:
            begin = 0
            for found in partitions.ranges(rows, before):
                end = int(before[found.last + 1])
                questions = keys[begin:end], times[begin:end]
                running.append(pool.submit(plan.answers, found.pieces, questions))
                begin = end
                if len(running) > session.threads:
                    parts.append(running.popleft().result())
            parts += [waiting.result() for waiting in running]
    finally:
        for waiting in running:
            waiting.cancel()
        partitions.close()
    numbers = pa.array(np.arange(len(keys)))
    columns = [
        pa.chunked_array([part[place] for part in parts], engine_type(call.aggregate.type))
        for place, call in enumerate(step.calls)
    ]
    table = pa.table([numbers, *columns], names=["@q", *(call.name for call in step.calls)])
    size, seconds = partitions.bytes, time.monotonic() - began
    swept = Swept(step.name, partitions.rows, size, partitions.spilled, len(keys), seconds)
    return table, swept


def _ints(table: pa.Table, name: str) -> Ints:
    found: Ints = table.column(name).to_numpy()
    return found


@dataclass(frozen=True, slots=True)
class _Plan:
    """The kernels of a sweep: those of ordinary windows, and those of windows in hindsight, to
    which knowledge times do not matter.
    """

    schema: pa.Schema
    ties: tuple[str, ...]
    columns: tuple[str, ...]
    delay: int
    calls: tuple[kernels.Call, ...]
    ordinary: tuple[int, ...]
    hindsight: tuple[int, ...]

    @classmethod
    def of(cls, step: Sweep, schema: pa.Schema) -> _Plan:
        columns: dict[str, int] = {}
        calls = tuple(_call(call, columns) for call in step.calls)
        late = [_is_hindsight(call.aggregate.window) for call in step.calls]
        return cls(
            schema,
            step.ties,
            tuple(columns),
            step.delay,
            calls,
            tuple(place for place, flag in enumerate(late) if not flag),
            tuple(place for place, flag in enumerate(late) if flag),
        )

    def answers(self, pieces: Sequence[pa.Table], asked: tuple[Ints, Ints]) -> list[pa.Array]:
        """Return the answers to the questions about the keys of pieces, one array per call."""
        entities, times = asked
        table = in_order(pieces, self.schema, self.ties)
        owners = _ints(table, "@kid")
        begins = np.diff(entities, prepend=entities[:1] - 1) > 0
        offsets = np.append(np.searchsorted(owners, entities[begins]), len(owners))
        places = np.cumsum(begins) - 1
        arrays = [one(table.column(name)) for name in self.columns]
        events = _ints(table, "@e")
        found: dict[int, pa.Array] = {}
        for group, known in ((self.ordinary, kernels.Delay(self.delay)), (self.hindsight, None)):
            if group:
                frame = kernels.Frame(events, arrays, offsets=offsets, known=known)
                sweeping = Bulk(tuple(self.calls[place] for place in group))
                found |= dict(zip(group, sweeping.many(frame, places, times), strict=True))
        return [found[place] for place in range(len(self.calls))]


def _is_hindsight(window: ir.Window) -> bool:
    return isinstance(window, ir.RangeWindow) and window.hindsight


def _call(swept: SweptCall, columns: dict[str, int]) -> kernels.Call:
    """Return what kernels compute; ``columns`` numbers the columns that calls read."""

    def place(name: str) -> int:
        return columns.setdefault(name, len(columns))

    node = swept.aggregate
    row = AGGREGATES[node.function]
    # Values are null where the condition is not true; only where nulls count does it matter.
    where = swept.present if swept.present and (row.keep_nulls or not swept.values) else ""
    return kernels.Call(
        node.function,
        tuple(arg.value for arg in node.args[row.inputs :] if isinstance(arg, ir.Literal)),
        tuple(arg.type for arg in node.args[: row.inputs]),
        node.type,
        kernels.Input(
            tuple(place(name) for name in swept.values),
            where=place(where) if where else None,
            keep_nulls=row.keep_nulls,
        ),
        _window(node.window, place(swept.cut) if swept.cut else -1),
    )


def _window(window: ir.Window, cut: int) -> kernels.Window:
    match window:
        case ir.RangeWindow(far, near, far_closed, near_closed, every):
            return kernels.RangeWindow(far, near, far_closed, near_closed, every)
        case ir.LastWindow(rows, within):
            return kernels.LastWindow(rows, within)
        case ir.CalendarWindow(unit, zone):
            return kernels.CalendarWindow(unit, zone)
        case ir.SinceWindow():
            return kernels.SinceWindow(cut)
        case ir.SessionWindow(gap):
            return kernels.SessionWindow(gap)
