"""Putting rows into a store: what came twice is known, what comes late lands in its place.

Every batch is one atomic write, on the condition that nothing it was worked out from has changed
meanwhile; else it is worked out again. So several processes may write.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b
from operator import itemgetter
from typing import Any, TypeVar

import pyarrow as pa

from astrafs.diagnostics.codes import ALL
from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.online.blocks import Placed, key_bytes
from astrafs.online.cache import SegmentCache
from astrafs.online.draft import Draft
from astrafs.online.expressions import Key
from astrafs.online.groups import Shape
from astrafs.online.kept import StoredRows
from astrafs.online.layout import Layout
from astrafs.online.manifest import PLACE, Manifest
from astrafs.online.merging import Cells, Merging, Placing
from astrafs.online.rows import Way, through
from astrafs.online.segments import Row
from astrafs.online.store import Store
from astrafs.plan import ir
from astrafs.record import dataclass
from astrafs.values.errors import ValueFailure

_TRIES = 200
_DIGEST = 16
_EVENT = 8
_ALWAYS = 2**63 - 1
_NEVER = -(2**63)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of a batch: rows taken, rows that were there already, late rows that no window
    can reach any more, rows refused (by their place in the batch) with why.
    """

    taken: int
    repeated: int
    expired: int
    refused: tuple[tuple[int, Diagnostic], ...]


class Writer:
    """Puts rows of sources into a store. Safe for threads, and beside other processes' writers."""

    def __init__(self, layout: Layout, store: Store) -> None:
        self._layout = layout
        self._store = store
        self._schemas = {
            b"s" + form.digest: form.schema.serialize().to_pybytes()
            for form in layout.forms.values()
        }
        self._cache = SegmentCache()

    def ingest(self, source: str, rows: Sequence[Cells]) -> Ingested:
        """Add ``rows`` (engine values, contracts already judged); on disk when this returns."""
        return self._write(source, rows, None, {})

    def load(
        self,
        source: str,
        rows: Sequence[Cells],
        shapes: Sequence[Shape],
        marks: Mapping[bytes, bytes | None],
    ) -> Ingested:
        """Add ``rows`` to the groups ``shapes`` alone, and to the table that ``source`` may be,
        whether they are there already or not: adding them again changes nothing. ``marks`` (how
        far a load has come) are written with them. Batches whose rows come by key and time make
        whole blocks at once.
        """
        return self._write(source, rows, frozenset(map(id, shapes)), marks)

    def _write(
        self,
        source: str,
        rows: Sequence[Cells],
        only: frozenset[int] | None,
        marks: Mapping[bytes, bytes | None],
    ) -> Ingested:
        def work(batch: _Batch) -> Ingested:
            return batch.add(source, rows)

        return self._written(source, only, marks, work)

    def load_columns(
        self,
        shape: Shape,
        batch: pa.RecordBatch,
        runs: Sequence[tuple[bytes, int, int]],
        marks: Mapping[bytes, bytes | None],
    ) -> None:
        """Add rows of a local group, worked out already, as columns of its blocks: per key its
        head, and from where to where in ``batch`` its rows are, in their order. Rows that are there
        already stay as they are.
        """

        def work(made: _Batch) -> None:
            made.merging.merge_batch(self._layout.forms[shape], batch, runs)

        self._written(shape.group.rows, frozenset((id(shape),)), marks, work)

    def _written(
        self,
        source: str,
        only: frozenset[int] | None,
        marks: Mapping[bytes, bytes | None],
        work: Callable[[_Batch], T],
    ) -> T:
        for attempt in range(_TRIES):
            draft = Draft(self._store)
            seen = StoredRows(self._layout, draft.found, _ALWAYS, self._cache)
            try:
                done = work(_Batch(self._layout, draft, seen, only))
            except AstrafsError:
                # What was read in several reads, while others wrote, may not fit together.
                if draft.stands():
                    raise
                continue
            changes = {**draft.changes, **marks}
            if not changes:
                return done
            changes.update(self._schemas)
            if self._store.write(changes, draft.expected):
                self._schemas = {}
                return done
            time.sleep(random.random() * 0.002 * min(attempt, 10))
        raise AstrafsError(
            codes.STORE_BUSY.nowhere(f"others wrote what {source} needs, {_TRIES} times over")
        )


class _Batch:
    """Works out what a batch of rows changes, and from which entries."""

    def __init__(
        self, layout: Layout, draft: Draft, seen: StoredRows, only: frozenset[int] | None
    ) -> None:
        self._layout = layout
        self._draft = draft
        # What lookups find now decides where a row goes.
        self._seen = seen
        self.merging = Merging(layout, draft, seen)
        self._only = only
        self._oldest: Mapping[Shape, int] = {}
        self._marks: dict[bytes, int] = {}

    # --- a batch

    def add(self, name: str, rows: Sequence[Cells]) -> Ingested:
        source = self._layout.engine.source(name)
        notes = [
            self._layout.row_key(name, tuple(row[part] for part in source.key)) for row in rows
        ]
        self._draft.fetch([*notes, PLACE])
        floor = Manifest.read(self._draft.get(PLACE)).floor
        kept = self._layout.retention(name)
        oldest = _NEVER if floor is None or kept is None else floor - kept
        self._oldest = {
            shape: floor - reach
            for shape, _, _ in self._layout.ways.get(name, ())
            if floor is not None and (reach := self._layout.reach(shape)) is not None
        }
        expired = 0
        refused: list[tuple[int, Diagnostic]] = []
        fresh: list[Cells] = []
        again: list[Cells] = []
        cells_of = _cells_of(source)
        made: list[Placing] = []
        reads = self._seen.noting()
        for place, (row, note) in enumerate(zip(rows, notes, strict=True)):
            if source.time and row[source.time] < oldest:
                expired += 1
                continue
            known = self._draft.get(note) or b""
            content = _digest_of(cells_of(row))
            there = _holds(known, content)
            if there and self._only is None:
                again.append(row)
                continue
            if known and not there and not (source.table or source.revisions):
                shown = ", ".join(f"{part} = {row[part]}" for part in source.key)
                refused.append(
                    (place, codes.ROW_CONFLICT.nowhere().note(f"{source.name}: {shown}"))
                )
                continue
            if source.table and not there and self._only is None and self._too_late(source, row):
                refused.append((place, _late(source, row)))
                continue
            try:
                made += self._places(source, row)
            except ValueFailure as failure:
                refused.append((place, ALL[failure.code].nowhere(failure.message)))
                continue
            if there:
                again.append(row)
            else:
                event = row[source.time] if source.time else 0
                start = known or event.to_bytes(_EVENT, "big", signed=True)
                self._draft.put(note, start + content)
            fresh.append(row)
        self._seen.noted_all()
        self._draft.expected.update(reads)
        if source.table:
            self._add_to_table(source, fresh)
        self._mark()
        self.merging.merge(made)
        taken = len(rows) - len(again) - len(refused) - expired
        return Ingested(taken, len(again), expired, tuple(refused))

    def _too_late(self, source: ir.Source, row: Cells) -> bool:
        """Whether rows were put where an older change of a table would have put them elsewhere."""
        place = self._layout.table_key(source.name, tuple(row[name] for name in source.key))
        mark = self._draft.get(self._layout.mark_key(place))
        if mark is None:
            return False
        given = self._layout.engine.rows.source_row(source, row)
        used = int.from_bytes(mark, "big", signed=True)
        return not source.time or (given.event <= used and given.known <= used)

    def _mark(self) -> None:
        """Note until when what tables say has decided where rows go."""
        places = {self._layout.mark_key(place): event for place, event in self._marks.items()}
        self._draft.fetch(list(places))
        for place, event in places.items():
            old = self._draft.get(place)
            if old is None or int.from_bytes(old, "big", signed=True) < event:
                self._draft.put(place, event.to_bytes(_EVENT, "big", signed=True))

    def _add_to_table(self, source: ir.Source, rows: Sequence[Cells]) -> None:
        codec = self._layout.codecs[source.name]
        cells_of = _cells_of(source)
        added: dict[bytes, list[Cells]] = {}
        for row in rows:
            place = self._layout.table_key(source.name, tuple(row[name] for name in source.key))
            added.setdefault(place, []).append(row)
        self._draft.fetch(list(added))
        for place, new in added.items():
            old = self._draft.get(place)
            before = [] if old is None else codec.decode(old)
            there = {_digest_of(cells_of(row)) for row in before}
            fresh = [row for row in new if _digest_of(cells_of(row)) not in there]
            self._draft.put(place, codec.encode([*before, *fresh]))

    # --- where rows go

    def _places(self, source: ir.Source, cells: Cells) -> list[Placing]:
        """Return where a row goes; raises ``ValueFailure`` where an expression of the way has no
        value, and then leaves nothing behind.
        """
        homes: list[tuple[Shape, int, Way, Key | None, Row | None, tuple[Any, ...]]] = []
        given = self._layout.engine.rows.source_row(source, cells)
        scope_of = self._seen.session.row_scope
        ended: dict[tuple[str, int], Row | None] = {}
        for shape, place, way in self._layout.ways.get(source.name, ()):
            if self._only is not None and id(shape) not in self._only:
                continue
            passed = (shape.group.rows, place)
            if ir.TableLookup in shape.placing:
                key, row = self._marked(shape, way, given)
            else:
                if passed not in ended:
                    ended[passed] = through(way, given, scope_of)
                row = ended[passed]
                key = None if row is None else shape.key_of(row, scope_of)
            values: tuple[Any, ...] = ()
            if row is not None and key is not None and shape.local:
                values = shape.cells(row, scope_of)
                shape.judge(values)
            homes.append((shape, place, way, key, row, values))
        found: list[Placing] = []
        earlier = self._earlier(source, cells) if source.revisions and homes else ()
        for shape, place, way, key, row, values in homes:
            if source.revisions:
                found += self._revised(source, shape, place, way, cells, key, row, earlier)
                continue
            if row is None or key is None or row.event < self._oldest.get(shape, _NEVER):
                continue
            head = self._layout.head_key(shape, key)
            _, order, _ = self._layout.engine.rows.order(shape.group.rows, place, row)
            placed = Placed(row.event, row.known, order, place, values)
            found.append(Placing(head, shape, cells, placed))
        return found

    def _marked(self, shape: Shape, way: Way, given: Row) -> tuple[Key | None, Row | None]:
        """Return the key of a row and what is made of it, and note which tables said so."""
        reads = self._seen.noting()
        try:
            row = through(way, given, self._seen.session.row_scope)
            key = None if row is None else shape.key_of(row, self._seen.session.row_scope)
        finally:
            self._seen.noted_all()
        event = given.event if row is None else row.event
        for read in reads:
            if read[:1] == b"t":
                self._marks[read] = max(event, self._marks.get(read, event))
        return key, row

    def _earlier(self, source: ir.Source, cells: Cells) -> list[Cells]:
        """Return the revisions of the same event that came before, and note this one."""
        codec = self._layout.codecs[source.name]
        place = (
            b"v" + self._layout.row_key(source.name, tuple(cells[part] for part in source.key))[1:]
        )
        data = self._draft.get(place)
        found: list[Cells] = [] if data is None else list(codec.decode(data))
        if cells not in found:
            self._draft.put(place, codec.encode([*found, cells]))
        return found

    def _revised(
        self,
        source: ir.Source,
        shape: Shape,
        place: int,
        way: Way,
        cells: Cells,
        key: Key | None,
        row: Row | None,
        earlier: Sequence[Cells],
    ) -> list[Placing]:
        """Return where a revision goes: to the key of every revision of its event, as it may
        supersede them there; a key that is new to the event gets the ``earlier`` ones too, as they
        may supersede it.
        """
        name = self._layout.names[shape]
        way_name = ".".join((source.name, *(step.name for step in way.steps)))
        noted = b"k" + name + key_bytes((way_name, *(cells[part] for part in source.key)))
        before = [bytes.fromhex(one) for one in json.loads(self._draft.get(noted) or b"[]")]
        homes: list[tuple[bytes, Sequence[Cells]]] = [(home, (cells,)) for home in before]
        own = None if key is None else self._layout.head_key(shape, key)
        if own is not None and own not in before:
            homes.append((own, (*earlier, cells)))
            self._draft.put(noted, json.dumps([one.hex() for one in (*before, own)]).encode())
        found = []
        for home, rows in homes:
            for one in rows:
                event = one[source.time] if row is None else row.event
                found.append(Placing(home, shape, one, Placed(event, 0, (), place, ())))
        return found


def _plain(value: Any) -> str:
    match value:
        case Decimal():
            return f"{value:f}"
        case bytes():
            return value.hex()
        case _:
            raise TypeError(f"{value!r} is no value of a row")


def _late(source: ir.Source, row: Cells) -> Diagnostic:
    shown = ", ".join(f"{name} = {row[name]}" for name in source.key)
    return codes.TABLE_TOO_LATE.nowhere(f"{source.name}: {shown}").help(
        "make a new store and load it from the sources"
    )


def _cells_of(source: ir.Source) -> Callable[[Cells], Sequence[Any]]:
    """Return what takes a row's values out, in the order of the columns."""
    names = [column.name for column in source.columns]
    return itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)


_text_of = json.JSONEncoder(separators=(",", ":"), default=_plain).encode


def _holds(known: bytes, content: bytes) -> bool:
    """Whether what is known of a key has the digest ``content``: a changelog has one for each of
    its rows, and they may be many.
    """
    at = known.find(content, _EVENT)
    while at >= 0 and (at - _EVENT) % _DIGEST:
        at = known.find(content, at + 1)
    return at >= 0


def _digest_of(cells: Sequence[Any]) -> bytes:
    """Return a digest of a row's values: canonical, as all of a column are of one type."""
    return blake2b(_text_of(cells).encode(), digest_size=_DIGEST).digest()
