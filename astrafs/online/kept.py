"""Rows kept in a store, as the engine reads them.

Per group of aggregates and entity key there is a head and blocks. Of *local* groups the blocks hold
the columns that aggregates read, computed once, in order. Of the others (their streams or inputs
look something up, or their rows are revised) they hold rows of the source that may belong to the
key, and reading applies streams, conditions and keys again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import AstrafsError
from astrafs.kernels.windows import Frame, Sweep
from astrafs.online.blocks import damaged, read_schema
from astrafs.online.cache import SegmentCache
from astrafs.online.engine import Session
from astrafs.online.expressions import Key
from astrafs.online.groups import Shape
from astrafs.online.heads import Block, Head, head_size
from astrafs.online.layout import Layout, block_key
from astrafs.online.rows import rank, revised
from astrafs.online.segments import Row, Segment
from astrafs.online.store import Readable
from astrafs.online.tiles import FEW_BLOCKS, Tiled, tile_key
from astrafs.record import dataclass

_TRIES = 50
_FEW_BYTES = head_size(FEW_BLOCKS)

Reads = dict[bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class _Cached:
    """A segment with what it was made of: the entries that were read for it, its blocks by number
    and stamp, and the cutoff at which lookups were made (None: there were none).
    """

    reads: Mapping[bytes, bytes | None]
    segment: Segment
    blocks: Mapping[tuple[int, int], pa.RecordBatch]
    as_of: int | None

    @property
    def nbytes(self) -> int:
        """About the bytes that it takes."""
        entries = sum(len(key) + len(value or b"") for key, value in self.reads.items())
        blocks: int = sum(one.nbytes for one in self.blocks.values())
        return entries + self.segment.nbytes + blocks


@dataclass(frozen=True, slots=True)
class _Versions:
    """The rows of a changelog for a key, and the entry that they were read from."""

    data: bytes
    rows: tuple[Row, ...]

    @property
    def nbytes(self) -> int:
        return len(self.data) * 8 + 400 * len(self.rows)


class StoredRows:
    """The engine's view of a store, at one knowledge cutoff."""

    def __init__(self, layout: Layout, store: Readable, as_of: int, cache: SegmentCache) -> None:
        self._layout = layout
        self._store = store
        self._as_of = as_of
        self._cache = cache
        self._noting: list[Reads] = []
        self.session: Session = layout.engine.ask(self, as_of)

    # --- reading entries

    def _get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        found = self._store.get(keys)
        for reads in self._noting:
            reads.update(zip(keys, found, strict=True))
        return found

    def _note(self, reads: Mapping[bytes, bytes | None]) -> None:
        for noted in self._noting:
            noted.update(reads)

    def noting(self) -> Reads:
        """Return a mapping that from now on gets every entry that is read, until
        :meth:`noted_all`.
        """
        reads: Reads = {}
        self._noting.append(reads)
        return reads

    def noted_all(self) -> None:
        """End the latest :meth:`noting`."""
        self._noting.pop()

    # --- segments

    def segments(self, shape: Shape, keys: Sequence[Key], since: int) -> list[Held | None]:
        """Return the rows of a group that belong to each of ``keys``: at least those that windows
        at ``since`` or later may hold.
        """
        places = [self._layout.head_key(shape, key) for key in keys]
        heads = self._get(places)
        found: dict[bytes, Held | None] = {}
        missing: list[tuple[Key, bytes, bytes]] = []
        floor = None if shape.reach is None else since - shape.reach
        for key, place, head in zip(keys, places, heads, strict=True):
            if head is None:
                found[place] = None
                continue
            if shape.local and len(head) > _FEW_BYTES:
                found[place] = Large(self, shape, place, head, floor)
                continue
            known = self._cached(place, head, floor)
            if known is None:
                missing.append((key, place, head))
            else:
                found[place] = known
        if missing and shape.local:
            asked: dict[bytes, bytes | None] = {place: head for _, place, head in missing}
            found.update(self._read_columns(shape, asked, floor))
        else:
            for key, place, head in missing:
                found[place] = self._read_rows(shape, key, place, head)
        return [found[place] for place in places]

    def _cached(self, place: bytes, head: bytes, floor: int | None) -> Segment | None:
        entry: _Cached | None = self._cache.get(place)
        if entry is None or entry.reads[place] != head:
            return None
        if entry.as_of is not None:
            others = [key for key in entry.reads if key != place]
            read = dict(zip(others, self._store.get(others), strict=True)) if others else {}
            same = all(entry.reads[key] == value for key, value in read.items())
            if entry.as_of != self._as_of or not same:
                return None
            self._note(entry.reads)
        kept = entry.segment.floor
        covered = kept is None or (floor is not None and kept <= floor)
        return entry.segment if covered else None

    def _blocks(
        self, places: Mapping[bytes, tuple[bytes, Sequence[Block]]]
    ) -> tuple[dict[bytes, list[bytes]], list[tuple[bytes, bytes | None]]]:
        """Return the blocks of heads, and the heads that have changed meanwhile, as they are now.

        Blocks and heads are read as of one moment.
        """
        names = list(places)
        wanted = [
            block_key(place, block.number)
            for place, (_, blocks) in places.items()
            for block in blocks
        ]
        read = self._store.get([*names, *wanted])
        now, rest = read[: len(names)], iter(read[len(names) :])
        found: dict[bytes, list[bytes]] = {}
        changed: list[tuple[bytes, bytes | None]] = []
        for place, head in zip(names, now, strict=True):
            before, blocks = places[place]
            data = [next(rest) for _ in blocks]
            if head != before:
                changed.append((place, head))
                continue
            whole = [one for one in data if one is not None]
            if len(whole) != len(data):
                raise damaged("a block is missing")
            found[place] = whole
        return found, changed

    def _read_columns(
        self,
        shape: Shape,
        waiting: dict[bytes, bytes | None],
        floor: int | None,
    ) -> dict[bytes, Segment | None]:
        """Read segments of a local group, all of them at once."""
        found: dict[bytes, Segment | None] = {}
        for _ in range(_TRIES):
            plans: dict[bytes, tuple[bytes, list[Block]]] = {}
            heads: dict[bytes, list[Block]] = {}
            held: dict[bytes, Mapping[tuple[int, int], pa.RecordBatch]] = {}
            for place, data in list(waiting.items()):
                if data is None:
                    found[place] = None
                    continue
                blocks = _from(Head.read(data).blocks, floor)
                entry: _Cached | None = self._cache.get(place)
                held[place] = {} if entry is None else entry.blocks
                heads[place] = blocks
                needed = [one for one in blocks if (one.number, one.stamp) not in held[place]]
                plans[place] = (data, needed)
            read, changed = self._blocks(plans)
            for place, parts in read.items():
                head, needed = plans[place]
                form = self._layout.forms[shape]
                new = {
                    (block.number, block.stamp): form.decode(one, self.schema_of)
                    for block, one in zip(needed, parts, strict=True)
                }
                batches = {
                    (block.number, block.stamp): new.get((block.number, block.stamp))
                    or held[place][block.number, block.stamp]
                    for block in heads[place]
                }
                whole = len(batches) == len(Head.read(head).blocks)
                segment = Segment(
                    self.frame(shape, list(batches.values())), floor=None if whole else floor
                )
                self._cache.put(place, _Cached({place: head}, segment, batches, None))
                found[place] = segment
            if not changed:
                return found
            waiting = dict(changed)
        raise _busy()

    def frame(self, shape: Shape, batches: Sequence[pa.RecordBatch]) -> Frame:
        """Return the rows of blocks, in their order."""
        form = self._layout.forms[shape]

        def column(name: str) -> pa.Array:
            parts = [form.column(batch, name) for batch in batches]
            return parts[0] if len(parts) == 1 else pa.concat_arrays(parts)

        if not batches:
            return shape.empty
        known = shape.delay
        return Frame(
            column("@e").to_numpy(),
            [column(name) for name in form.columns],
            known=column("@k").to_numpy() if known is None else known,
        )

    def schema_of(self, name: bytes) -> pa.Schema:
        """Return the columns that a digest in a block stands for."""
        found = self._cache.schemas.get(name)
        if found is None:
            (data,) = self._store.get((b"s" + name,))
            found = self._cache.schemas[name] = read_schema(data)
        return found

    # --- keys with very many rows

    def tiled(self, shape: Shape, place: bytes, head: bytes) -> Tiled:
        """Return what is known of the blocks of a head, unread."""
        known: _CachedTiled | None = self._cache.get(tile_key(place))
        if known is None or known.head != head:
            (data,) = self._store.get((tile_key(place),))
            tiled = Tiled(self._layout.forms[shape], Head.read(head).blocks, data)
            known = _CachedTiled(head, tiled)
            self._cache.put(tile_key(place), known)
        return known.tiled

    def load(
        self, shape: Shape, place: bytes, head: bytes, blocks: Sequence[Block]
    ) -> list[pa.RecordBatch] | None:
        """Return blocks of a head; None where the head has changed meanwhile."""
        names = [b"%b@%d" % (block_key(place, one.number), one.stamp) for one in blocks]
        held = [self._cache.get(name) for name in names]
        needed = [block for block, one in zip(blocks, held, strict=True) if one is None]
        if needed:
            read, changed = self._blocks({place: (head, needed)})
            if changed:
                return None
            new = iter(read[place])
            for at, name in enumerate(names):
                if held[at] is None:
                    held[at] = self._layout.forms[shape].decode(next(new), self.schema_of)
                    self._cache.put(name, held[at])
        return held

    def whole(self, shape: Shape, place: bytes, head: bytes, floor: int | None) -> Segment:
        """Return all rows of a key that windows can reach."""
        known = self._cached(place, head, floor)
        if known is None:
            known = self._read_columns(shape, {place: head}, floor)[place]
        return Segment(shape.empty) if known is None else known

    # --- groups that are not local

    def _read_rows(self, shape: Shape, key: Key, place: bytes, head: bytes) -> Segment | None:
        """Read a segment of a group that is not local: rows of sources, taken their way again."""
        data: bytes | None = head
        for _ in range(_TRIES):
            if data is None:
                return None
            blocks = Head.read(data).blocks
            read, changed = self._blocks({place: (data, blocks)})
            if not changed:
                return self._made(shape, key, place, data, blocks, read[place])
            ((_, data),) = changed
        raise _busy()

    def _made(
        self,
        shape: Shape,
        key: Key,
        place: bytes,
        head: bytes,
        blocks: Sequence[Block],
        data: Sequence[bytes],
    ) -> Segment:
        rows_of = self._layout.engine.rows
        parts: dict[int, list[Row]] = {}
        for block, one in zip(blocks, data, strict=True):
            source = self._layout.engine.source(shape.ways[block.way].source)
            cells = self._layout.codecs[source.name].decode(one)
            parts.setdefault(block.way, []).extend(rows_of.source_row(source, row) for row in cells)
        reads = self.noting()
        try:
            found: dict[Any, Row] = {}
            for at, given in parts.items():
                way = shape.ways[at]
                source = self._layout.engine.source(way.source)
                rows = [row for row in given if row.known <= self._as_of]
                for row in revised(source, rows) if source.revisions else rows:
                    home = shape.home(way, row, self.session.row_scope)
                    if home is not None and home[0] == key:
                        # Of revisions of one event several may stand, one after the other.
                        order = rows_of.order(shape.group.rows, at, home[1])
                        found[(*order, row.known)] = home[1]
            ordered = [found[order] for order in sorted(found)]
            segment = shape.segment(ordered, self.session.row_scope)
        finally:
            self.noted_all()
        entry = _Cached({**reads, place: head}, segment, {}, self._as_of)
        self._cache.put(place, entry)
        return segment

    # --- tables

    def versions(self, table: str, key: Key) -> Sequence[Row]:
        """Return the rows of a changelog for ``key``, in the order in which they take over."""
        place = self._layout.table_key(table, key)
        (data,) = self._get((place,))
        if data is None:
            return ()
        known: _Versions | None = self._cache.get(place)
        if known is None or known.data != data:
            known = _Versions(data, self._decoded(table, data))
            self._cache.put(place, known)
        return known.rows

    def _decoded(self, table: str, data: bytes) -> tuple[Row, ...]:
        source = self._layout.engine.source(table)
        names = [column.name for column in source.columns]
        rows = [
            self._layout.engine.rows.source_row(source, cells)
            for cells in self._layout.codecs[table].decode(data)
        ]
        rows.sort(key=lambda row: (row.event, row.known, *(rank(row.cells[n]) for n in names)))
        return tuple(rows)


@dataclass(frozen=True, slots=True)
class _CachedTiled:
    """What is known of the blocks of a head."""

    head: bytes
    tiled: Tiled

    @property
    def nbytes(self) -> int:
        return self.tiled.nbytes


@dataclass(frozen=True, slots=True)
class Large:
    """The rows of a key that has very many: answered from tiles where that can be."""

    rows: StoredRows
    shape: Shape
    place: bytes
    head: bytes
    floor: int | None

    @property
    def large(self) -> bool:
        """Whether not all rows are at hand."""
        return True

    def one(self, sweep: Sweep, t: int, as_of: int) -> list[Any]:
        """Return the values of a sweep at ``t``."""
        if t <= as_of:
            tiled = self.rows.tiled(self.shape, self.place, self.head)
            found = tiled.one(
                sweep,
                t,
                lambda blocks: self.rows.load(self.shape, self.place, self.head, blocks),
                lambda batches: self.rows.frame(self.shape, batches),
            )
            if found is not None:
                return found
        return sweep.one(self.at(t, as_of), t)

    def at(self, t: int, as_of: int) -> Frame:
        """Return all rows as a frame (see ``Segment.at``)."""
        return self.rows.whole(self.shape, self.place, self.head, self.floor).at(t, as_of)


Held = Segment | Large


def _from(blocks: Sequence[Block], floor: int | None) -> list[Block]:
    """Return the blocks that hold rows of events at ``floor`` or later, and those between."""
    if floor is None:
        return list(blocks)
    skipped = 0
    while skipped < len(blocks) and blocks[skipped].last < floor:
        skipped += 1
    return list(blocks[skipped:])


def _busy() -> AstrafsError:
    return AstrafsError(codes.STORE_BUSY.nowhere("an entity changed whenever it was read"))
