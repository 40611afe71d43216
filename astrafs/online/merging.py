"""Putting rows into the blocks of their keys."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from astrafs.online.blocks import BlockForm, Placed, damaged
from astrafs.online.draft import Draft
from astrafs.online.groups import Shape
from astrafs.online.heads import Block, Head
from astrafs.online.kept import StoredRows
from astrafs.online.layout import Layout, block_key
from astrafs.online.tiles import FEW_BLOCKS, tile_key, tiles_of
from astrafs.record import dataclass

BLOCK_ROWS = 512
_ALWAYS = 2**63 - 1

Cells = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Placing:
    """Where a row goes: the head of a key, with its group; the source's cells, and what becomes of
    them on the way.
    """

    head: bytes
    shape: Shape
    cells: Cells
    row: Placed


class Merging:
    """Puts rows into blocks, in a draft; ``seen`` reads what is there."""

    def __init__(self, layout: Layout, draft: Draft, seen: StoredRows) -> None:
        self._layout = layout
        self._draft = draft
        self._seen = seen

    def merge(self, made: Sequence[Placing]) -> None:
        """Put rows where they go."""
        local: dict[Shape, list[Placing]] = {}
        others: dict[bytes, list[Placing]] = {}
        for one in made:
            if one.shape.local:
                local.setdefault(one.shape, []).append(one)
            else:
                others.setdefault(one.head, []).append(one)
        self._draft.fetch([one.head for one in made])
        for shape, places in local.items():
            self._merge_columns(self._layout.forms[shape], places)
        for head, places in others.items():
            self._append_rows(head, Head.read(self._draft.get(head)), places[0].shape, places)

    def _merge_columns(self, form: BlockForm, places: Sequence[Placing]) -> None:
        """Put rows of a local group in: all of them as one batch of columns, cut by key."""
        ordered = {(one.head, *form.order(one.row)): one.row for one in places}
        order = sorted(ordered)
        batch = form.batch([ordered[one] for one in order])
        keys: dict[bytes, list[int]] = {}
        for place, one in enumerate(order):
            keys.setdefault(one[0], []).append(place)
        runs = [(head, mine[0], mine[-1] + 1) for head, mine in keys.items()]
        self.merge_batch(form, batch, runs)

    def merge_batch(
        self, form: BlockForm, batch: pa.RecordBatch, runs: Sequence[tuple[bytes, int, int]]
    ) -> None:
        """Put the rows of a batch in: per key its head, and from where to where its rows are, in
        their order.
        """
        self._draft.fetch([head for head, _, _ in runs])
        events = batch.column("@e").to_pylist()
        plans = []
        for head_key, start, stop in runs:
            head = Head.read(self._draft.get(head_key))
            plans.append((head_key, head, _assigned(head, events, start, stop)))
        self._draft.fetch(
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
                data = self._draft.get(block_key(place, old.number))
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
                self._draft.put(block_key(place, number), form.encode(part))
                number = None
        if tuple(blocks) != head.blocks:
            self._draft.put(place, head.replaced(blocks).data())
            if len(blocks) > FEW_BLOCKS and [one.stamp for one in blocks[:-1]] != [
                one.stamp for one in head.blocks[:-1]
            ]:
                self._tile(form, place, blocks[:-1])

    def _tile(self, form: BlockForm, place: bytes, blocks: Sequence[Block]) -> None:
        """Keep what whole blocks add up to; the last one, which still grows, is always read."""

        def batch_of(block: Block) -> pa.RecordBatch:
            data = self._draft.get(block_key(place, block.number))
            if data is None:
                raise damaged("a block is missing")
            return form.decode(data, self._seen.schema_of)

        old = self._draft.get(tile_key(place))
        self._draft.put(
            tile_key(place),
            tiles_of(form, lambda one: self._seen.frame(form.shape, [one]), old, blocks, batch_of),
        )

    def _append_rows(self, place: bytes, head: Head, shape: Shape, rows: Sequence[Placing]) -> None:
        """Put rows of sources into blocks of their way, by the time that they have now."""
        stamp = head.stamp + 1
        blocks = list(head.blocks)
        free = head.free
        added: dict[tuple[int, int], list[Placing]] = {}
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
            old = self._draft.get(name)
            before = [] if old is None else codec.decode(old)
            self._draft.put(name, codec.encode([*before, *(one.cells for one in new)]))
        blocks.sort(key=lambda block: (block.way, block.first, block.number))
        self._draft.put(place, head.replaced(blocks).data())


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
