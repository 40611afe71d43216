"""Putting rows into a store: what came twice is known, what comes late lands in its place.

Every batch is one atomic write, on the condition that nothing it was worked out from has changed
meanwhile; else it is worked out again. So several processes may write.
"""

from __future__ import annotations

import json
import random
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from astrafs.diagnostics.codes import ALL
from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.online.blocks import BlockForm, Placed, damaged, key_bytes
from astrafs.online.expressions import Key
from astrafs.online.groups import Shape
from astrafs.online.heads import Block, Head
from astrafs.online.kept import Reads, SegmentCache, StoredRows
from astrafs.online.layout import Layout, block_key
from astrafs.online.manifest import PLACE, Manifest
from astrafs.online.rows import Way, through
from astrafs.online.segments import Row
from astrafs.online.store import Store
from astrafs.plan import ir
from astrafs.record import dataclass
from astrafs.values.errors import ValueFailure

BLOCK_ROWS = 512
_TRIES = 200
_DIGEST = 16
_EVENT = 8
_ALWAYS = 2**63 - 1
_NEVER = -(2**63)

Cells = Mapping[str, Any]


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
        for attempt in range(_TRIES):
            batch = _Batch(self._layout, self._store, self._cache, only)
            done = batch.add(source, rows)
            changes = {**batch.changes, **marks}
            if not changes:
                return done
            for name, schema in self._schemas.items():
                changes[name] = schema
            if self._store.write(changes, batch.expected):
                self._schemas = {}
                return done
            time.sleep(random.random() * 0.002 * min(attempt, 10))
        raise AstrafsError(
            codes.STORE_BUSY.nowhere(f"others wrote what {source} needs, {_TRIES} times over")
        )


class _Batch:
    """Works out what a batch of rows changes, and from which entries."""

    def __init__(
        self, layout: Layout, store: Store, cache: SegmentCache, only: frozenset[int] | None
    ) -> None:
        self._layout = layout
        self._store = store
        self._only = only
        self._oldest: Mapping[Shape, int] = {}
        self._fetched: dict[bytes, bytes | None] = {}
        self.changes: dict[bytes, bytes | None] = {}
        self.expected: Reads = {}
        # What lookups find now decides where a row goes.
        self._seen = StoredRows(layout, store, _ALWAYS, cache)

    def _fetch(self, keys: Sequence[bytes]) -> None:
        missing = [key for key in dict.fromkeys(keys) if key not in self._fetched]
        self._fetched.update(zip(missing, self._store.get(missing), strict=True))

    def _get(self, key: bytes) -> bytes | None:
        """Return an entry as this batch leaves it."""
        if key in self.changes:
            return self.changes[key]
        if key not in self._fetched:
            self._fetch((key,))
        return self._fetched[key]

    def _put(self, key: bytes, value: bytes | None) -> None:
        """Change an entry that was fetched: nobody else may have changed it meanwhile."""
        if key not in self.changes:
            self.expected[key] = self._get(key)
        self.changes[key] = value

    # --- a batch

    def add(self, name: str, rows: Sequence[Cells]) -> Ingested:
        source = self._layout.engine.source(name)
        notes = [self._layout.row_key(name, tuple(row[part] for part in source.key)) for row in rows]
        self._fetch([*notes, PLACE])
        floor = Manifest.read(self._fetched[PLACE]).floor
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
        made: list[_Place] = []
        reads = self._seen.noting()
        for place, (row, note) in enumerate(zip(rows, notes, strict=True)):
            if source.time and row[source.time] < oldest:
                expired += 1
                continue
            known = self._get(note) or b""
            content = _digest_of(cells_of(row))
            there = any(
                known[at : at + _DIGEST] == content for at in range(_EVENT, len(known), _DIGEST)
            )
            if there and self._only is None:
                again.append(row)
                continue
            if known and not there and not (source.table or source.revisions):
                shown = ", ".join(f"{part} = {row[part]}" for part in source.key)
                refused.append(
                    (place, codes.ROW_CONFLICT.nowhere().note(f"{source.name}: {shown}"))
                )
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
                self._put(note, start + content)
            fresh.append(row)
        self._seen.noted_all()
        self.expected.update(reads)
        if source.table:
            self._add_to_table(source, fresh)
        self._merge(made)
        taken = len(rows) - len(again) - len(refused) - expired
        return Ingested(taken, len(again), expired, tuple(refused))

    def _add_to_table(self, source: ir.Source, rows: Sequence[Cells]) -> None:
        codec = self._layout.codecs[source.name]
        cells_of = _cells_of(source)
        added: dict[bytes, list[Cells]] = {}
        for row in rows:
            place = self._layout.table_key(source.name, tuple(row[name] for name in source.key))
            added.setdefault(place, []).append(row)
        self._fetch(list(added))
        for place, new in added.items():
            old = self._get(place)
            before = [] if old is None else codec.decode(old)
            there = {_digest_of(cells_of(row)) for row in before}
            fresh = [row for row in new if _digest_of(cells_of(row)) not in there]
            self._put(place, codec.encode([*before, *fresh]))

    # --- where rows go

    def _places(self, source: ir.Source, cells: Cells) -> list[_Place]:
        """Return where a row goes; raises ``ValueFailure`` where an expression of the way has no
        value.
        """
        found: list[_Place] = []
        given = self._layout.engine.rows.source_row(source, cells)
        ended: dict[tuple[str, int], Row | None] = {}
        earlier: list[Cells] | None = None
        for shape, place, way in self._layout.ways.get(source.name, ()):
            if self._only is not None and id(shape) not in self._only:
                continue
            passed = (shape.group.rows, place)
            if passed not in ended:
                ended[passed] = through(way, given, self._seen.session.row_scope)
            row = ended[passed]
            key = None if row is None else shape.key_of(row, self._seen.session.row_scope)
            if source.revisions:
                if earlier is None:
                    earlier = self._earlier(source, cells)
                found += self._revised(source, shape, place, way, cells, key, row, earlier)
            elif row is not None and key is not None and row.event >= self._oldest.get(shape, _NEVER):
                head = self._layout.head_key(shape, key)
                values: tuple[Any, ...] = ()
                if shape.local:
                    values = shape.cells(row, self._seen.session.row_scope)
                    shape.judge(values)
                order = self._layout.engine.rows.order(shape.group.rows, place, row)
                found.append(
                    _Place(
                        head, shape, cells, Placed(row.event, row.known, order[1], place, values)
                    )
                )
        return found

    def _earlier(self, source: ir.Source, cells: Cells) -> list[Cells]:
        """Return the revisions of the same event that came before, and note this one."""
        codec = self._layout.codecs[source.name]
        place = b"v" + self._layout.row_key(source.name, tuple(cells[part] for part in source.key))[1:]
        data = self._get(place)
        found: list[Cells] = [] if data is None else list(codec.decode(data))
        if cells not in found:
            self._put(place, codec.encode([*found, cells]))
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
    ) -> list[_Place]:
        """Return where a revision goes: to the key of every revision of its event, as it may
        supersede them there; a key that is new to the event gets the ``earlier`` ones too, as they
        may supersede it.
        """
        name = self._layout.names[shape]
        way_name = ".".join((source.name, *(step.name for step in way.steps)))
        noted = b"k" + name + key_bytes((way_name, *(cells[part] for part in source.key)))
        before = [bytes.fromhex(one) for one in json.loads(self._get(noted) or b"[]")]
        homes: list[tuple[bytes, Sequence[Cells]]] = [(home, (cells,)) for home in before]
        own = None if key is None else self._layout.head_key(shape, key)
        if own is not None and own not in before:
            homes.append((own, (*earlier, cells)))
            self._put(noted, json.dumps([one.hex() for one in (*before, own)]).encode())
        found = []
        for home, rows in homes:
            for one in rows:
                event = one[source.time] if row is None else row.event
                found.append(_Place(home, shape, one, Placed(event, 0, (), place, ())))
        return found

    # --- blocks

    def _merge(self, made: Sequence[_Place]) -> None:
        local: dict[Shape, list[_Place]] = {}
        others: dict[bytes, list[_Place]] = {}
        for one in made:
            if one.shape.local:
                local.setdefault(one.shape, []).append(one)
            else:
                others.setdefault(one.head, []).append(one)
        self._fetch([one.head for one in made])
        for shape, places in local.items():
            self._merge_columns(self._layout.forms[shape], places)
        for head, places in others.items():
            self._append_rows(head, Head.read(self._get(head)), places[0].shape, places)

    def _merge_columns(self, form: BlockForm, places: Sequence[_Place]) -> None:
        """Put rows of a local group in: all of them as one batch of columns, cut by key."""
        ordered = {(one.head, *form.order(one.row)): one.row for one in places}
        order = sorted(ordered)
        batch = form.batch([ordered[one] for one in order])
        events = batch.column("@e").to_pylist()
        keys: dict[bytes, list[int]] = {}
        for place, one in enumerate(order):
            keys.setdefault(one[0], []).append(place)
        plans = []
        for head_key, mine in keys.items():
            head = Head.read(self._get(head_key))
            plans.append((head_key, head, _assigned(head, events, mine[0], mine[-1] + 1)))
        self._fetch(
            [block_key(head, number) for head, _, cuts in plans for number in cuts if number >= 0]
        )
        for head_key, head, cuts in plans:
            self._merge_key(form, head_key, head, batch, cuts)

    def _merge_key(
        self,
        form: BlockForm,
        place: bytes,
        head: Head,
        batch: pa.RecordBatch,
        cuts: Mapping[int, tuple[int, int]],
    ) -> None:
        """Put rows of one key in: ``cuts`` gives, by the number of a block (-1: after the last),
        which rows of ``batch`` go there.
        """
        stamp, free = head.stamp + 1, head.free
        blocks: list[Block] = []
        for old in (*head.blocks, None):
            cut = cuts.get(-1 if old is None else old.number)
            if cut is None:
                blocks += [] if old is None else [old]
                continue
            rows, most = batch.slice(cut[0], cut[1] - cut[0]), BLOCK_ROWS
            if old is not None:
                data = self._get(block_key(place, old.number))
                if data is None:
                    raise damaged("a block is missing")
                rows = _joined(form, form.decode(data, self._seen.schema_of), rows)
                if rows.num_rows == old.rows:
                    blocks.append(old)
                    continue
                most = BLOCK_ROWS if old is head.blocks[-1] else 2 * BLOCK_ROWS
            number = None if old is None else old.number
            for part in _parts(rows, most):
                if number is None:
                    number, free = free, free + 1
                events = part.column("@e")
                first, last = events[0].as_py(), events[-1].as_py()
                known = form.known(part, last)
                blocks.append(Block(0, number, part.num_rows, stamp, first, last, known))
                self._put(block_key(place, number), form.encode(part))
                number = None
        if tuple(blocks) != head.blocks:
            self._put(place, head.replaced(blocks).data())

    def _append_rows(self, place: bytes, head: Head, shape: Shape, rows: Sequence[_Place]) -> None:
        """Put rows of sources into blocks of their way, by the time that they had when they came."""
        stamp = head.stamp + 1
        blocks = list(head.blocks)
        free = head.free
        added: dict[tuple[int, int], list[_Place]] = {}
        for one in sorted(rows, key=lambda one: one.row.event):
            way, event = one.row.place, one.row.event
            mine = [at for at, block in enumerate(blocks) if block.way == way]
            at = max(0, bisect_right([blocks[each].first for each in mine], event) - 1)
            if not mine or (at == len(mine) - 1 and blocks[mine[at]].rows >= BLOCK_ROWS):
                blocks.append(Block(way, free, 0, stamp, event, event, _ALWAYS))
                target, free = len(blocks) - 1, free + 1
            else:
                target = mine[at]
            block = blocks[target]
            blocks[target] = Block(
                way,
                block.number,
                block.rows + 1,
                stamp,
                min(block.first, event),
                max(block.last, event),
                _ALWAYS,
            )
            added.setdefault((way, block.number), []).append(one)
        for (way, number), new in added.items():
            name = block_key(place, number)
            codec = self._layout.codecs[shape.ways[way].source]
            old = self._get(name)
            before = [] if old is None else codec.decode(old)
            self._put(name, codec.encode([*before, *(one.cells for one in new)]))
        blocks.sort(key=lambda block: (block.way, block.first, block.number))
        self._put(place, head.replaced(blocks).data())


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a row goes: the head of a key, with its group; the source's cells, and what becomes of
    them on the way.
    """

    head: bytes
    shape: Shape
    cells: Cells
    row: Placed


def _assigned(
    head: Head, events: Sequence[int], start: int, stop: int
) -> dict[int, tuple[int, int]]:
    """Return which of the rows ``start`` to ``stop``, at ``events``, go to which block, by its
    number; -1 for a new one after the last.

    Rows of one time never lie in two blocks, so the order of blocks is that of their times.
    """
    if not head.blocks:
        return {-1: (start, stop)}
    found: dict[int, tuple[int, int]] = {}
    last = head.blocks[-1]
    for at, block in enumerate(head.blocks):
        if start == stop:
            break
        end = stop
        if block is not last:
            end = bisect_left(events, head.blocks[at + 1].first, start, stop)
        elif block.rows >= BLOCK_ROWS:
            end = bisect_right(events, block.last, start, stop)
        if end > start:
            found[block.number] = (start, end)
            start = end
    if start < stop:
        found[-1] = (start, stop)
    return found


def _joined(form: BlockForm, old: pa.RecordBatch, new: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows of both, in order; of rows that are in both, the old ones."""
    old = form.aligned(old)
    if old.column("@e")[-1].as_py() < new.column("@e")[0].as_py():
        return pa.concat_batches([old, new])
    there = form.orders(old)
    known = set(there)
    both = [(order, place) for place, order in enumerate(there)]
    both += [
        (order, len(there) + place)
        for place, order in enumerate(form.orders(new))
        if order not in known
    ]
    if len(both) == len(there):
        return old
    both.sort()
    return pa.concat_batches([old, new]).take(pa.array([place for _, place in both]))


def _parts(batch: pa.RecordBatch, least: int) -> list[pa.RecordBatch]:
    """Return a batch cut into blocks, unless it has no more than ``least`` rows; rows of one time
    stay together.
    """
    if batch.num_rows <= least:
        return [batch]
    events = batch.column("@e").to_numpy()
    found, start = [], 0
    while start < batch.num_rows:
        end = start + BLOCK_ROWS
        if end < batch.num_rows:
            end = int(np.searchsorted(events, events[end - 1], side="right"))
        found.append(batch.slice(start, end - start))
        start = end
    return found


def _plain(value: Any) -> str:
    match value:
        case Decimal():
            return f"{value:f}"
        case bytes():
            return value.hex()
        case _:
            raise TypeError(f"{value!r} is no value of a row")


def _cells_of(source: ir.Source) -> Callable[[Cells], Sequence[Any]]:
    """Return what takes a row's values out, in the order of the columns."""
    names = [column.name for column in source.columns]
    return itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)


_text_of = json.JSONEncoder(separators=(",", ":"), default=_plain).encode


def _digest_of(cells: Sequence[Any]) -> bytes:
    """Return a digest of a row's values: canonical, as all of a column are of one type."""
    return blake2b(_text_of(cells).encode(), digest_size=_DIGEST).digest()
