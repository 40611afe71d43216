"""A parity run: replay what became known into an online store, ask on the way and at the end, and
compare with a backfill of the same questions.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.online.questions import TIME as OWN_TIME
from astrafs.online.served import restricted
from astrafs.online.service import Online
from astrafs.online.store import Store
from astrafs.parity.compare import Difference, differences
from astrafs.parity.history import Arrivals, History, Int64s, read_history, slices
from astrafs.parity.sampling import TIME, Sampler
from astrafs.plan import ir
from astrafs.plan.program import Program
from astrafs.plan.prune import prune
from astrafs.record import dataclass
from astrafs.runtime.answer import Place
from astrafs.runtime.backfill import to_table
from astrafs.runtime.progress import Progress, Steps
from astrafs.runtime.request import Request

BATCH_ROWS = 2_000
LATE_QUESTIONS = 2_000
_SHOWN_STEPS = 50


@dataclass(frozen=True, slots=True)
class ViewParity:
    """One view: its questions, each asked twice, and what differed."""

    view: ir.View
    entity: ir.Entity
    questions: pa.Table
    differences: tuple[Difference, ...]

    @property
    def values(self) -> int:
        """How many values were compared."""
        return 2 * int(self.questions.num_rows) * len(self.view.outputs)


@dataclass(frozen=True, slots=True)
class Parity:
    """What a run found. ``rows`` were replayed in ``batches``."""

    as_of: int
    rows: int
    batches: int
    views: tuple[ViewParity, ...]

    @property
    def differing(self) -> int:
        """How many values differed."""
        return sum(len(one.differences) for one in self.views)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How many questions there are in all (at least one a view), and the seed that chooses them."""

    count: int
    seed: int = 0


def run_parity(
    program: Program,
    place: Place,
    views: Sequence[ir.View],
    as_of: int,
    sampling: Sampling,
    opened: Callable[[Path], Store],
    progress: Progress | None = None,
) -> Parity:
    """Replay the history known at ``as_of`` and compare ``views``; ``opened`` gives an empty store,
    for which it may use the directory that it is given.

    Raises :class:`AstrafsError` for data that cannot be read, or where a row is refused.
    """
    served = restricted(program, [view.name for view in views])
    plan = prune(program.plan, views=[view.name for view in views])
    entities = {entity.name: entity for entity in program.plan.entities}
    asked = {view.name: entities[view.entity] for view in views}
    steps = Steps(progress, len(plan.sources) + 2 * len(views) + _SHOWN_STEPS + 1)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="astrafs-parity-")))
        sources = [source.name for source in plan.sources]
        history = read_history(program, place, sources, as_of, folder, steps)
        questions = _questions(program, place, plan, views, asked, history, as_of, sampling, steps)
        store = opened(folder / "store")
        stack.callback(store.close)
        if next(iter(store.scan(b"")), None) is not None:
            found = codes.REPLAY_REFUSED.nowhere("the store is not empty")
            raise AstrafsError(found.help("name a place where there is no store yet"))
        online = Online(served, store, lambda: as_of)
        replay = _Replay(online, history, steps)
        early = replay.run(questions)
        replay.finish(as_of)
        late = {name: _asked_late(online, name, table, as_of) for name, table in questions.items()}
        results = []
        for view in views:
            steps.next(f"backfilling {view.name}")
            filled = _backfilled(served, place, view, questions[view.name], as_of)
            outputs = [(output.name, output.type) for output in view.outputs]
            results.append(
                ViewParity(
                    view,
                    asked[view.name],
                    questions[view.name],
                    (
                        *differences(early[view.name], filled, outputs, late=False),
                        *differences(late[view.name], filled, outputs, late=True),
                    ),
                )
            )
        return Parity(as_of, history.rows, replay.batches, tuple(results))


def _questions(
    program: Program,
    place: Place,
    plan: ir.Plan,
    views: Sequence[ir.View],
    asked: Mapping[str, ir.Entity],
    history: History,
    as_of: int,
    sampling: Sampling,
    steps: Steps,
) -> dict[str, pa.Table]:
    found = {}
    for number, view in enumerate(views):
        steps.next(f"choosing questions to {view.name}")
        entity = asked[view.name]
        pool = None
        if entity.keys and not entity.request:
            pool, _ = to_table(program, place, Request(view.name, as_of))
        count = max(sampling.count, len(views))
        share = (number + 1) * count // len(views) - number * count // len(views)
        seed = f"{sampling.seed} {view.name}"
        sampler = Sampler(history, plan, entity, pool, as_of, seed)
        found[view.name] = sampler.questions(share)
    return found


class _Replay:
    """Feeds what became known, and asks on the way."""

    def __init__(self, online: Online, history: History, steps: Steps) -> None:
        self._online = online
        self._history = history
        self._steps = steps
        self._fed = [0] * len(history.arrivals)
        self._told = 0
        self.batches = 0

    def run(self, questions: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
        """Ask each question when exactly the rows known by its time are in."""
        times = {name: _times(table) for name, table in questions.items()}
        answers: dict[str, list[pa.Table]] = {name: [] for name in questions}
        for moment in np.unique(np.concatenate(list(times.values()))):
            t = int(moment)
            self._feed(t)
            for name, table in questions.items():
                low, high = np.searchsorted(times[name], [t, t + 1])
                if low < high:
                    part = table.slice(low, high - low).drop_columns([TIME])
                    answers[name].append(_asked(self._online, name, part, t))
        return {name: pa.concat_tables(parts) for name, parts in answers.items()}

    def finish(self, as_of: int) -> None:
        """Feed all that is left."""
        self._feed(as_of)

    def _feed(self, until: int) -> None:
        for place, arrivals in enumerate(self._history.arrivals):
            # What has no time is there from the start.
            known = until if arrivals.source.time else 2**63 - 1
            for start, stop in slices(arrivals.known, self._fed[place], known, BATCH_ROWS):
                self._ingest(arrivals, start, stop)
                self._fed[place] = stop
        self._tell()

    def _ingest(self, arrivals: Arrivals, start: int, stop: int) -> None:
        done = self._online.writer.ingest(arrivals.source.name, arrivals.rows(start, stop))
        self.batches += 1
        if done.refused:
            row, reason = done.refused[0]
            title = f"{len(done.refused):,} rows of `{arrivals.source.name}` were refused"
            found = codes.REPLAY_REFUSED.nowhere(title)
            note = f"row {start + row + 1:,} in knowledge order: {reason.code.id} {reason.title}"
            raise AstrafsError(found.note(note))

    def _tell(self) -> None:
        share = _SHOWN_STEPS * sum(self._fed) // max(1, self._history.rows)
        while self._told < share:
            self._told += 1
            self._steps.next("replaying and asking")


def _times(questions: pa.Table) -> Int64s:
    found: Int64s = questions.column(TIME).cast(pa.int64()).to_numpy()
    return found


def _asked(online: Online, view: str, questions: pa.Table, at: int) -> pa.Table:
    outputs = [output.name for output in online.view_schema(view).outputs]
    return online.get_many(view, questions, at=at).select(outputs)


def _asked_late(online: Online, view: str, questions: pa.Table, as_of: int) -> pa.Table:
    """Ask all questions again, in parts of many times, now that everything is in."""
    keys = [field.name for field in online.view_schema(view).keys]
    if OWN_TIME in keys:  # then questions cannot carry their time
        parts = []
        for t in np.unique(_times(questions)):
            low, high = np.searchsorted(_times(questions), [t, t + 1])
            part = questions.slice(low, high - low).select(keys)
            parts.append(_asked(online, view, part, int(t)))
        return pa.concat_tables(parts)
    renamed = questions.rename_columns([*keys, OWN_TIME])
    parts = [
        _asked(online, view, renamed.slice(start, LATE_QUESTIONS), as_of)
        for start in range(0, renamed.num_rows, LATE_QUESTIONS)
    ]
    return pa.concat_tables(parts)


def _backfilled(
    program: Program, place: Place, view: ir.View, questions: pa.Table, as_of: int
) -> pa.Table:
    request = Request(view.name, as_of, spine=questions, time=TIME)
    return to_table(program, place, request)[0]
