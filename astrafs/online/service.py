"""Serving as one object: answers to questions, ingestion, loading, over one store.

Everything that serves (the command line, the server, :meth:`astrafs.Project.open_online`) goes
through it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import pyarrow as pa

from astrafs.diagnostics.codes import ALL
from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.codes import run as run_codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.diagnostics.suggest import closest
from astrafs.online.cache import SegmentCache
from astrafs.online.engine import Engine, Session
from astrafs.online.expiry import Expired, expire
from astrafs.online.given import cells, engine_column
from astrafs.online.history import History
from astrafs.online.ingesting import Intake
from astrafs.online.kept import StoredRows
from astrafs.online.layout import Layout
from astrafs.online.manifest import PLACE, Manifest, change_manifest
from astrafs.online.questions import Asked, Form, time_of
from astrafs.online.readiness import Readiness
from astrafs.online.schemas import SourceSchema, ViewSchema, source_schema, view_schema
from astrafs.online.served import chosen_views, restricted
from astrafs.online.snapshots import Snapshot, at_one_moment
from astrafs.online.store import Store
from astrafs.online.values import plain_type, to_python, writer
from astrafs.online.writer import Ingested, Writer
from astrafs.plan import ir
from astrafs.plan.find import find_view
from astrafs.plan.program import Program
from astrafs.record import dataclass
from astrafs.typesys import Kind, Type
from astrafs.values.errors import ValueFailure
from astrafs.values.times import Time, instant

if TYPE_CHECKING:
    from astrafs.online.loading import Loaded
    from astrafs.runtime.answer import Place
    from astrafs.runtime.progress import Progress

ALL_TIMES = 2**63 - 1
"""The knowledge cutoff over that of each question, which is its own time."""

T = TypeVar("T")


Make = Callable[[Any], Any]
_AS_IT_IS = frozenset({Kind.INT, Kind.FLOAT, Kind.DECIMAL, Kind.BOOL, Kind.STRING, Kind.ENUM})


@dataclass(frozen=True, slots=True)
class _Served:
    """A view ready to be asked: how questions are read, and what makes Python values (None: they
    are) and JSON of its outputs.
    """

    name: str
    form: Form
    names: tuple[str, ...]
    types: tuple[Type, ...]
    python: tuple[Make | None, ...]
    json: tuple[Make, ...]


class Online:
    """A program served from a store. Safe to share between threads: an answer is of one state of
    the store, with every ingested batch in it whole or not at all.

    A question is asked at a time ``t``, now unless given; it sees the rows with an event before
    ``t`` that were known by ``t``, as a backfill with the same ``t`` does, and gets the same bits.
    """

    def __init__(
        self,
        program: Program,
        store: Store,
        clock: Callable[[], int],
        place: Place | None = None,
        history: int | None = None,
    ) -> None:
        """Serve the views of ``program`` that ``store`` was made for; all that can be served, where
        it does not say.

        Raises :class:`AstrafsError` for views that cannot be served.

        ``clock`` gives the microseconds since 1970 in UTC. ``place`` is where the sources' files
        are, for :meth:`load`. What no question of the last ``history`` microseconds sees is dropped
        as rows come in.
        """
        self.program = program
        self._store = store
        self._clock = clock
        self._place = place
        (said,) = store.get((PLACE,))
        manifest = Manifest.read(said)
        self.views = chosen_views(program, ()) if said is None else manifest.views
        """The qualified names of the views that are served, sorted."""
        self._program = restricted(program, self.views)
        self._engine = Engine(self._program.plan)
        self._layout = Layout(self._engine, manifest.groups)
        if refused := self._layout.refusals():
            raise AstrafsError(*refused)
        self._readiness = Readiness(self._layout)
        self._cache = SegmentCache()
        self.writer = Writer(self._layout, store)
        self._history = None if history is None else History(store, self._layout, history)
        self._served: dict[str, _Served] = {}
        self._intakes: dict[str, Intake] = {}

    def now(self) -> int:
        """Return the time of a question without one, in microseconds since 1970 in UTC."""
        return self._clock()

    def get(
        self,
        view: str,
        key: object = None,
        at: Time | None = None,
        request: Mapping[str, object] | None = None,
    ) -> dict[str, object]:
        """Return the outputs of ``view`` by name, for one key or one request at ``at``.

        ``key`` is a value, or for a key of several columns a tuple in their order or a mapping by
        name. Times come as aware datetimes, lists as lists, maps as dicts. Raises
        :class:`AstrafsError`.
        """
        served = self._view(view)
        question = served.form.one(key if request is None else request)
        t = time_of(at, self.now())
        row = self._asked(served, t, lambda session: session.view(served.name, question, t))
        return {
            name: value if make is None else make(value)
            for name, make, value in zip(served.names, served.python, row, strict=True)
        }

    def get_many(self, view: str, questions: pa.Table, at: Time | None = None) -> pa.Table:
        """Return ``questions`` with the outputs of ``view`` beside them, row by row in their order.

        Their columns have the names of the key columns (or the request's fields); a column ``t`` of
        timestamps with a zone asks each row at its own time. Other columns are handed through.
        Types and values are those of a backfill. Raises :class:`AstrafsError`.
        """
        served = self._view(view)
        asked = served.form.table(questions, time_of(at, self.now()))
        columns = self._columns(served, asked)
        for output, column in zip(served.form.schema.outputs, columns, strict=True):
            questions = questions.append_column(output.name, column)
        return questions

    def answer(
        self, view: str, questions: Sequence[Mapping[str, object]], at: Time | None = None
    ) -> list[dict[str, object]]:
        """Return one JSON-ready mapping of outputs for each question: a mapping of key columns or
        request fields by name, and its own time as ``t`` if it has one.
        """
        served = self._view(view)
        asked = served.form.many(questions, time_of(at, self.now()))
        if len(asked.times) == 1:
            (key,), (t,) = asked.keys(), asked.times
            row = self._asked(served, t, lambda session: session.view(served.name, key, t))
            rows: Iterable[Iterable[Any]] = [
                [write(value) for write, value in zip(served.json, row, strict=True)]
            ]
        else:
            columns = [
                map(write, cells(engine_column(pa.chunked_array([column]), type_), type_))
                for write, type_, column in zip(
                    served.json, served.types, self._columns(served, asked), strict=True
                )
            ]
            rows = zip(*columns, strict=True)
        return [dict(zip(served.names, row, strict=True)) for row in rows]

    def ingest(self, source: str, rows: pa.Table | Sequence[Mapping[str, object]]) -> Ingested:
        """Add rows of ``source``, as a table of Arrow or as JSON has them; those that are taken are
        on disk when this returns.

        Rows that break a contract are refused, each with its place and why. Raises
        :class:`AstrafsError` where the rows cannot be read at all.
        """
        found = self.intake(source).rows(rows)
        if self._history is not None:
            self._history.start(self.now())
        return found

    def tidy(self) -> Expired | None:
        """Drop what no question of the project's `history` sees any more; None where nothing is
        due. Ingestion starts this by itself, in a thread beside; here it is waited for.
        """
        return None if self._history is None else self._history.follow(self.now())

    def intake(self, source: str) -> Intake:
        """Return what takes rows of ``source``, also from files; raises :class:`AstrafsError`."""
        found = self._source(source)
        made = self._intakes.get(found.name)
        if made is None:
            made = self._intakes[found.name] = Intake(self.program, found, self.writer)
        return made

    def load(self, as_of: Time, progress: Progress | None = None) -> Loaded:
        """Read what the views need and the store lacks from the project's sources, as known at
        ``as_of``; rows that came in meanwhile stay. Goes on where an earlier load was interrupted.

        Raises :class:`AstrafsError`.
        """
        if self._place is None:
            raise ValueError("without a place there are no sources to load from")
        from astrafs.online.loading import load_missing  # reading sources takes the offline engine
        from astrafs.runtime.backfill import placed

        moment = instant(as_of, "as_of")
        change_manifest(
            self._store, lambda now: now if now.views else now.of(self._layout, self.views)
        )
        with placed(self._program):
            return load_missing(self._program, self._place, self._store, moment, progress)

    def expire(self, before: Time) -> Expired:
        """Drop the rows that no question at ``before`` or later sees; questions of earlier times
        are refused from then on.
        """
        return expire(self._store, self._layout, instant(before, "before"))

    def view_schema(self, view: str) -> ViewSchema:
        """Return what ``view`` takes and gives."""
        return self._view(view).form.schema

    def source_schema(self, source: str) -> SourceSchema:
        """Return what a row of ``source`` holds."""
        return source_schema(self._source(source))

    @property
    def cached(self) -> tuple[int, int]:
        """How often state was in memory when it was asked for, and how often it was not."""
        return self._cache.hits, self._cache.misses

    def close(self) -> None:
        """Let go of the store."""
        if self._history is not None:
            self._history.close()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _view(self, name: str) -> _Served:
        found = self._served.get(name)
        if found is None:
            view = find_view(self.program.plan, name)
            if view.name not in self.views:
                raise AstrafsError(self._not_served(view))
            form = Form(view_schema(self.program.plan, view), self._engine.entity(view.entity))
            found = self._served[name] = _Served(
                view.name,
                form,
                tuple(one.name for one in view.outputs),
                tuple(one.type.optional() for one in view.outputs),
                tuple(_python_maker(one.type) for one in view.outputs),
                tuple(writer(one.type) for one in view.outputs),
            )
        return found

    def _not_served(self, view: ir.View) -> Diagnostic:
        found = codes.NOT_SERVED.nowhere(f"the store was not made for the view `{view.name}`")
        return found.help("`astrafs online init` says which views it is for")

    def _source(self, name: str) -> ir.Source:
        sources = self.program.plan.sources
        found = [one for one in sources if name in (one.name, one.name.rsplit(".", 1)[-1])]
        exact = [one for one in found if one.name == name] or found
        if len(exact) == 1:
            return exact[0]
        problem = codes.UNKNOWN_SOURCE.nowhere(f"the project has no source `{name}`")
        if exact:
            problem = codes.UNKNOWN_SOURCE.nowhere(f"several sources are called `{name}`")
            raise AstrafsError(problem.help(f"name one: {', '.join(one.name for one in exact)}"))
        short = [part for one in sources for part in (one.name, one.name.rsplit(".", 1)[-1])]
        near = closest(name, short)
        listed = ", ".join(f"`{one.name}`" for one in sources[:12])
        raise AstrafsError(
            problem.help(f"did you mean `{near}`?") if near else problem.note(f"it has {listed}")
        )

    def _columns(self, served: _Served, asked: Asked) -> list[pa.Array]:
        """Return a column per output, of the types in which values leave."""
        keys = asked.keys()
        since = min(asked.times, default=ALL_TIMES)
        return self._asked(
            served, since, lambda session: session.columns(served.name, keys, asked.times)
        )

    def _asked(self, served: _Served, since: int, ask: Callable[[Session], T]) -> T:
        """Return what ``ask`` finds in one state of the store, at ``since`` or later."""

        def one(snapshot: Snapshot) -> T:
            found = ask(StoredRows(self._layout, snapshot, ALL_TIMES, self._cache).session)
            (manifest,) = snapshot.get((PLACE,))
            self._readiness.judge(manifest, served.name, since)
            return found

        try:
            return at_one_moment(self._store, PLACE, one)
        except ValueFailure as failure:
            raise AstrafsError(_diagnosed(failure).note(f"in the view `{served.name}`")) from None


def _python_maker(type_: Type) -> Make | None:
    if plain_type(type_).kind in _AS_IT_IS:
        return None
    return lambda value: to_python(value, type_)


def _diagnosed(failure: ValueFailure) -> Diagnostic:
    code = ALL[failure.code]
    title = failure.message
    return code.nowhere(f"{code.title}: {title}" if code == run_codes.SUM_RANGE else title)
