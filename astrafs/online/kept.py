"""Rows kept in a store: what ingestion writes and the engine reads.

Per group of aggregates and entity key, the rows of the source that may belong to it, in blocks of
event time. Reading applies the streams, conditions and keys again, so a block may hold more rows
than belong; what it must not do is hold fewer.

Entries: ``r`` rows by source and key (to know what came twice), ``h`` the head of a key's blocks,
``b`` a block, ``t`` a changelog's rows by key.
"""

from __future__ import annotations

import json
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.online.blocks import Codec, key_bytes
from astrafs.online.engine import Engine, Group, Session
from astrafs.online.expressions import Key, Scope
from astrafs.online.rows import Way, rank, revised, through
from astrafs.online.segments import Row, Segment
from astrafs.online.store import Store
from astrafs.plan import ir
from astrafs.plan.identity import row_identities
from astrafs.plan.tree import walk
from astrafs.record import dataclass

BLOCK_ROWS = 512
_CACHED = 4096

Cells = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of a batch: rows taken, rows that were there already, rows refused with why."""

    taken: int
    repeated: int
    refused: tuple[tuple[int, Diagnostic], ...]


class Layout:
    """What a store must keep for a plan: its groups, and which of them each source feeds."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.codecs = {source.name: Codec(source) for source in engine.plan.sources}
        identities = row_identities(engine.plan)
        nodes = [
            node
            for feature in engine.plan.features
            if not feature.label
            for node in walk(feature.expression)
            if isinstance(node, ir.Aggregate)
        ]
        self.groups = tuple(dict.fromkeys(Group(n.rows, n.keys, n.block_where) for n in nodes))
        self.parts = {
            group: tuple(engine.compiled(part) for part in group.keys) for group in self.groups
        }
        self.wheres = {
            group: None if group.where is None else engine.compiled(group.where)
            for group in self.groups
        }
        self.names = {
            group: _digest(group.rows, identities[group.rows], repr(group.keys), repr(group.where))
            for group in self.groups
        }
        self.ways: dict[str, list[tuple[Group, int, Way]]] = {}
        for group in self.groups:
            for place, way in enumerate(engine.rows.ways(group.rows)):
                self.ways.setdefault(way.source, []).append((group, place, way))


def _digest(*parts: str) -> bytes:
    return blake2b("\0".join(parts).encode(), digest_size=12).digest()


class StoredRows:
    """The engine's view of a store, at one knowledge cutoff. Decoded segments are remembered by the
    version of their head.
    """

    def __init__(self, layout: Layout, store: Store, as_of: int, cache: SegmentCache) -> None:
        self._layout = layout
        self._store = store
        self._as_of = as_of
        self._cache = cache
        self.session: Session = layout.engine.ask(self, as_of)

    def segment(self, group: Group, key: Key) -> Segment | None:
        """Return the rows of ``group`` that belong to ``key``."""
        head_key = _head_key(self._layout.names[group], key)
        (head,) = self._store.get((head_key,))
        if head is None:
            return None
        known = self._cache.get(head_key, head, self._as_of)
        if known is None:
            known = self._read(group, key, head_key, head)
            self._cache.put(head_key, head, self._as_of, known)
        return known

    def _read(self, group: Group, key: Key, head_key: bytes, head: bytes) -> Segment:
        names = [_block_key(head_key, block[2]) for block in _Head.read(head).blocks]
        parts: dict[int, list[Row]] = {}
        ways = self._layout.engine.rows.ways(group.rows)
        for data in self._store.get(names):
            place, cells = _unpack(data, self._layout, ways)
            source = self._layout.engine.source(ways[place].source)
            parts.setdefault(place, []).extend(
                self._layout.engine.rows.source_row(source, row) for row in cells
            )
        found = []
        for place, given in parts.items():
            way = ways[place]
            source = self._layout.engine.source(way.source)
            rows = [row for row in given if row.known <= self._as_of]
            for row in revised(source, rows) if source.revisions else rows:
                ended = self._belonging(group, way, row, key)
                if ended is not None:
                    found.append((self._layout.engine.rows.order(group.rows, way, ended), ended))
        return Segment([row for _, row in sorted(found, key=lambda pair: pair[0])])

    def _belonging(self, group: Group, way: Way, given: Row, key: Key) -> Row | None:
        row = through(way, given, self.scope)
        if row is None:
            return None
        scope = self.scope(row.cells, row.event)
        if tuple(part(scope) for part in self._layout.parts[group]) != key:
            return None
        where = self._layout.wheres[group]
        return row if where is None or where(scope) is True else None

    def versions(self, table: str, key: Key) -> Sequence[Row]:
        """Return the rows of a changelog for ``key``, in the order in which they take over."""
        source = self._layout.engine.source(table)
        (data,) = self._store.get((_table_key(table, key),))
        if data is None:
            return ()
        names = [column.name for column in source.columns]
        rows = [
            self._layout.engine.rows.source_row(source, cells)
            for cells in self._layout.codecs[table].decode(data)
        ]
        rows.sort(key=lambda row: (row.event, row.known, *(rank(row.cells[n]) for n in names)))
        return rows

    def scope(self, cells: Cells, t: int) -> Scope:
        """Return the scope of expressions over a row."""
        return Scope(self.session, t, cells, {})


class SegmentCache:
    """Decoded segments, the least recently used dropped first; shared by a process's threads."""

    def __init__(self, size: int = _CACHED) -> None:
        self._size = size
        self._entries: OrderedDict[bytes, tuple[bytes, int, Segment]] = OrderedDict()
        self._guard = threading.Lock()

    def get(self, key: bytes, head: bytes, as_of: int) -> Segment | None:
        """Return the segment decoded from ``head``, if all its rows are known by ``as_of``."""
        with self._guard:
            entry = self._entries.get(key)
            if entry is None or entry[0] != head or entry[1] != as_of:
                return None
            self._entries.move_to_end(key)
            return entry[2]

    def put(self, key: bytes, head: bytes, as_of: int, segment: Segment) -> None:
        """Remember a segment."""
        with self._guard:
            self._entries[key] = (head, as_of, segment)
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)


def _head_key(group: bytes, key: Key) -> bytes:
    return b"h" + group + key_bytes(key)


def _block_key(head_key: bytes, number: int) -> bytes:
    return b"b" + head_key[1:] + b"#" + number.to_bytes(4)


def _table_key(table: str, key: Key) -> bytes:
    return b"t" + _digest(table) + key_bytes(key)


def _row_key(source: str, key: Key) -> bytes:
    return b"r" + _digest(source) + key_bytes(key)


def _pack(place: int, data: bytes) -> bytes:
    return place.to_bytes(2) + data


def _unpack(
    data: bytes | None, layout: Layout, ways: Sequence[Way]
) -> tuple[int, list[dict[str, Any]]]:
    if data is None:
        raise AstrafsError(codes.STORE_FAILED.nowhere("a block of state is missing"))
    place = int.from_bytes(data[:2])
    return place, layout.codecs[ways[place].source].decode(data[2:])


class Writer:
    """Puts rows of sources into a store. One at a time; readers see whole batches."""

    def __init__(self, layout: Layout, store: Store) -> None:
        self._layout = layout
        self._store = store
        self._guard = threading.Lock()

    def ingest(self, source: str, rows: Sequence[Cells]) -> Ingested:
        """Add ``rows`` (engine values, contracts already judged); on disk when this returns."""
        with self._guard:
            return _Batch(self._layout, self._store).ingest(source, rows)


class _Batch:
    def __init__(self, layout: Layout, store: Store) -> None:
        self._layout = layout
        self._store = store
        self._changes: dict[bytes, bytes | None] = {}
        # Streams with lookups see what is there now; reading applies them again.
        self._seen = StoredRows(layout, store, 2**63, SegmentCache(64))

    def _get(self, key: bytes) -> bytes | None:
        if key in self._changes:
            return self._changes[key]
        (found,) = self._store.get((key,))
        return found

    def ingest(self, name: str, rows: Sequence[Cells]) -> Ingested:
        source = self._layout.engine.source(name)
        codec = self._layout.codecs[name]
        refused: list[tuple[int, Diagnostic]] = []
        fresh: list[Cells] = []
        repeated = 0
        for place, row in enumerate(rows):
            state = self._judge(source, codec, row)
            if state is None:
                fresh.append(row)
            elif state == "":
                repeated += 1
            else:
                refused.append((place, codes.ROW_CONFLICT.nowhere().note(state)))
        if source.table:
            self._add_to_table(source, codec, fresh)
        self._add_to_groups(source, fresh)
        self._store.write(self._changes)
        return Ingested(len(fresh), repeated, tuple(refused))

    def _judge(self, source: ir.Source, codec: Codec, row: Cells) -> str | None:
        """Return None for a new row, '' for one that is there already, else what is in its way."""
        key = tuple(row[name] for name in source.key)
        content = codec.encode((row,))
        digest = blake2b(content, digest_size=16).digest()
        place = _row_key(source.name, key)
        known = self._get(place)
        known = known or b""
        digests = [known[at : at + 16] for at in range(0, len(known), 16)]
        if digest in digests:
            return ""
        if digests and not (source.table or source.revisions):
            shown = ", ".join(f"{name} = {row[name]}" for name in source.key)
            return f"{source.name}: {shown}"
        self._changes[place] = known + digest
        return None

    def _add_to_table(self, source: ir.Source, codec: Codec, rows: Sequence[Cells]) -> None:
        added: dict[bytes, list[Cells]] = {}
        for row in rows:
            place = _table_key(source.name, tuple(row[name] for name in source.key))
            added.setdefault(place, []).append(row)
        for place, new in added.items():
            old = self._get(place)
            before = [] if old is None else codec.decode(old)
            self._changes[place] = codec.encode([*before, *new])

    def _add_to_groups(self, source: ir.Source, rows: Sequence[Cells]) -> None:
        ways = self._layout.ways.get(source.name, ())
        added: list[dict[bytes, list[tuple[int, Cells]]]] = [{} for _ in ways]
        for cells in rows:
            earlier = self._earlier(source, cells) if source.revisions and ways else ()
            for (group, _, way), homes in zip(ways, added, strict=True):
                for head_key, new in self._homes(source, group, way, cells, earlier):
                    homes.setdefault(head_key, []).extend(
                        (self._event(source, way, one), one) for one in new
                    )
        for (_, place, way), homes in zip(ways, added, strict=True):
            for head_key, pairs in homes.items():
                self._append(head_key, place, way, pairs)

    def _earlier(self, source: ir.Source, cells: Cells) -> list[Cells]:
        """Return the revisions of the same event that came before, and note this one."""
        codec = self._layout.codecs[source.name]
        place = b"v" + _row_key(source.name, tuple(cells[part] for part in source.key))[1:]
        data = self._get(place)
        found: list[Cells] = [] if data is None else list(codec.decode(data))
        self._changes[place] = codec.encode([*found, cells])
        return found

    def _event(self, source: ir.Source, way: Way, cells: Cells) -> int:
        row = self._layout.engine.rows.source_row(source, cells)
        ended = through(way, row, self._seen.scope)
        return row.event if ended is None else ended.event

    def _homes(
        self,
        source: ir.Source,
        group: Group,
        way: Way,
        cells: Cells,
        earlier: Sequence[Cells],
    ) -> list[tuple[bytes, Sequence[Cells]]]:
        """Return the heads that a row goes to, and what is to be added there.

        A revision goes to the key of every revision of its event, as it may supersede them there;
        a key that is new to the event gets the ``earlier`` ones too, as they may supersede it.
        """
        row = self._layout.engine.rows.source_row(source, cells)
        ended = through(way, row, self._seen.scope)
        name = self._layout.names[group]
        own = b""
        if ended is not None:
            scope = self._seen.scope(ended.cells, ended.event)
            key = tuple(part(scope) for part in self._layout.parts[group])
            own = b"" if None in key else _head_key(name, key)
        if not source.revisions:
            return [(own, (cells,))] if own else []
        way_name = ".".join((source.name, *(step.name for step in way.steps)))
        place = b"k" + name + key_bytes((way_name, *(cells[part] for part in source.key)))
        before = [bytes.fromhex(one) for one in json.loads(self._get(place) or b"[]")]
        found: list[tuple[bytes, Sequence[Cells]]] = [(home, (cells,)) for home in before]
        if own and own not in before:
            found.append((own, (*earlier, cells)))
            self._changes[place] = json.dumps([one.hex() for one in (*before, own)]).encode()
        return found

    def _append(self, head_key: bytes, place: int, way: Way, rows: list[tuple[int, Cells]]) -> None:
        state = _Head.read(self._get(head_key))
        codec = self._layout.codecs[way.source]
        added: dict[int, list[Cells]] = {}
        for event, cells in sorted(rows, key=lambda pair: pair[0]):
            added.setdefault(state.block_for(place, event), []).append(cells)
        for number, new in added.items():
            name = _block_key(head_key, number)
            old = self._get(name)
            before = [] if old is None else codec.decode(old[2:])
            self._changes[name] = _pack(place, codec.encode([*before, *new]))
        state.version += 1
        self._changes[head_key] = state.text()


@dataclass(slots=True)
class _Head:
    """The blocks of one key: (way, first event, number, rows) each; and how often it changed."""

    version: int
    blocks: list[list[int]]

    @classmethod
    def read(cls, data: bytes | None) -> _Head:
        if data is None:
            return cls(0, [])
        found = json.loads(data)
        return cls(found["v"], found["b"])

    def text(self) -> bytes:
        return json.dumps({"v": self.version, "b": self.blocks}, separators=(",", ":")).encode()

    def block_for(self, way: int, event: int) -> int:
        """Return the number of the block that takes one more row at ``event``."""
        mine = [block for block in self.blocks if block[0] == way]
        at = max(0, bisect_right([block[1] for block in mine], event) - 1)
        block = mine[at] if mine else None
        if block is None or (block[3] >= BLOCK_ROWS and at == len(mine) - 1):
            block = [way, event, len(self.blocks), 0]
            self.blocks.append(block)
            self.blocks.sort()
        block[1] = min(block[1], event)
        block[3] += 1
        return block[2]
