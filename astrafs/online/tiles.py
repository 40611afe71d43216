"""What whole blocks add up to, so that windows over very many rows need not read them.

One entry per key with many blocks: a row per block, with the stamp that it had, and a column per
state of the group's aggregates. A block without a row, or with another stamp, is read itself: tiles
save work and decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from astrafs.kernels.windows import Delay, Frame, LastWindow, SessionWindow, SinceWindow, Sweep
from astrafs.kernels.windows.gaps import Gaps, Part
from astrafs.online.blocks import BlockForm, read_stream, write_stream
from astrafs.online.heads import Block

FEW_BLOCKS = 64
"""Keys with no more blocks than this have no tiles."""

_REMEMBERED = 4

Ints = npt.NDArray[np.int64]
Load = Callable[[Sequence[Block]], Sequence[pa.RecordBatch] | None]


def tile_key(head_key: bytes) -> bytes:
    """Return the place of the tiles of a key."""
    return b"c" + head_key[1:]


def part_name(form: BlockForm, part: Part) -> str:
    """Return a name of a state that says what it is, whatever else a program reads."""
    name, read, at = part
    inputs = ",".join(form.columns[place] for place in read.args)
    where = "" if read.where is None else form.columns[read.where]
    return f"{name} {inputs} {where} {int(read.keep_nulls)} {at}"


def tiles_of(
    form: BlockForm,
    frame_of: Callable[[pa.RecordBatch], Frame],
    old: bytes | None,
    blocks: Sequence[Block],
    batch_of: Callable[[Block], pa.RecordBatch],
) -> bytes:
    """Return the tiles of ``blocks``: those of ``old`` that still hold, the others worked out."""
    sweep = form.shape.everything
    names = [part_name(form, part) for part in sweep.parts()]
    known = _read(old, names)
    rows: list[list[int]] = []
    for block in blocks:
        values = known.get((block.number, block.stamp))
        if values is None:
            values = sweep.totals(frame_of(batch_of(block)))
        if values is not None:
            rows.append([block.number, block.stamp, *values])
    columns = list(zip(*rows, strict=True)) if rows else [()] * (2 + len(names))
    arrays = [pa.array(column, pa.int64()) for column in columns]
    return write_stream(pa.RecordBatch.from_arrays(arrays, names=["number", "stamp", *names]))


def _read(data: bytes | None, names: Sequence[str]) -> dict[tuple[int, int], list[int]]:
    """Return the values of ``names`` by block and stamp; nothing where one is not there."""
    if data is None:
        return {}
    batch = read_stream(data)
    places = [batch.schema.get_field_index(name) for name in names]
    if -1 in places:
        return {}
    columns = [batch.column(place).to_pylist() for place in (0, 1, *places)]
    return {(number, stamp): rest for number, stamp, *rest in zip(*columns, strict=True)}


class Tiled:
    """The many rows of one key: which blocks there are, and what is known of them unread."""

    def __init__(self, form: BlockForm, blocks: Sequence[Block], data: bytes | None) -> None:
        self._form = form
        self.blocks = tuple(blocks)
        self._firsts = np.array([block.first for block in blocks], dtype=np.int64)
        self._lasts = np.array([block.last for block in blocks], dtype=np.int64)
        self._data = data
        self._batch = None if data is None else read_stream(data)
        self._made: dict[tuple[int, tuple[int, ...]], tuple[Frame, Gaps]] = {}
        self._tiles: dict[int, tuple[Mapping[Part, Ints], npt.NDArray[np.bool_]]] = {}

    @property
    def nbytes(self) -> int:
        """About the bytes of what is remembered."""
        made = sum(frame.nbytes for frame, _ in list(self._made.values()))
        return made + 8 * len(self._data or b"") + 200 * len(self.blocks)

    def one(
        self,
        sweep: Sweep,
        t: int,
        load: Load,
        frame_of: Callable[[Sequence[pa.RecordBatch]], Frame],
    ) -> list[object] | None:
        """Return the values of a sweep at ``t`` from tiles and the blocks at the edges; None where
        that cannot be: ``load`` has them no more, or all of them are needed.
        """
        wanted = self._needed(sweep, t)
        if wanted is None:
            return None
        place = (id(sweep), wanted)
        made = self._made.get(place)
        if made is None:
            batches = load([self.blocks[at] for at in wanted])
            if batches is None:
                return None
            frame = frame_of(batches)
            if not isinstance(frame.known, Delay):
                # All of them were found to be known.
                frame = Frame(frame.times, frame.columns)
            made = (frame, self._gaps(sweep, wanted))
            while len(self._made) >= _REMEMBERED:
                self._made.pop(next(iter(self._made)))
            self._made[place] = made
        return sweep.across(made[0], t, made[1])

    def _parts(self, sweep: Sweep) -> tuple[Mapping[Part, Ints], npt.NDArray[np.bool_]]:
        """Return the values of the parts of a sweep, by block, and of which blocks they are."""
        found = self._tiles.get(id(sweep))
        if found is None:
            parts = sweep.parts()
            there = np.zeros(len(self.blocks), dtype=np.bool_)
            values = {part: np.zeros(len(self.blocks), dtype=np.int64) for part in parts}
            batch = self._batch
            names = [part_name(self._form, part) for part in parts]
            if batch is not None and all(name in batch.schema.names for name in names):
                rows = {
                    (number, stamp): row
                    for row, (number, stamp) in enumerate(
                        zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)
                    )
                }
                pairs = [
                    (at, rows[block.number, block.stamp])
                    for at, block in enumerate(self.blocks)
                    if (block.number, block.stamp) in rows
                ]
                places = np.array([at for at, _ in pairs], dtype=np.int64)
                chosen = np.array([row for _, row in pairs], dtype=np.int64)
                there[places] = True
                for part, name in zip(parts, names, strict=True):
                    values[part][places] = batch.column(name).to_numpy()[chosen]
            found = self._tiles[id(sweep)] = (values, there)
        return found

    def _gaps(self, sweep: Sweep, wanted: tuple[int, ...]) -> Gaps:
        left = np.ones(len(self.blocks), dtype=np.bool_)
        left[list(wanted)] = False
        values, _ = self._parts(sweep)
        return Gaps(self._lasts[left].tolist(), {part: one[left] for part, one in values.items()})

    def _needed(self, sweep: Sweep, t: int) -> tuple[int, ...] | None:
        """Return the places of the blocks that must be read; None where it is all of them."""
        values, there = self._parts(sweep)
        delay = self._form.shape.delay
        newest = t + 1 if delay is None else t - delay.delay + 1
        wanted: set[int] = set()
        for at, (window, (low, high)) in enumerate(
            zip(sweep.edges.windows, sweep.edges.spans(t), strict=True)
        ):
            if isinstance(window, SinceWindow | SessionWindow):
                return None
            end = high if delay is None else min(high, newest)
            first = 0 if low is None else int(np.searchsorted(self._lasts, low))
            last = int(np.searchsorted(self._firsts, end))
            if first >= last:
                continue
            if delay is None and any(one.known > t for one in self.blocks[first:last]):
                return None
            inside = last - 1 if self._lasts[last - 1] >= end else last
            if isinstance(window, LastWindow):
                rows = 0
                for place in range(last - 1, first - 1, -1):
                    wanted.add(place)
                    rows += self.blocks[place].rows if place < inside else 0
                    if rows >= window.rows:
                        break
                continue
            if sweep.whole(at):
                wanted.update(range(first, last))
                continue
            wanted.update(place + first for place in np.flatnonzero(~there[first:last]).tolist())
            if inside < last:
                wanted.add(last - 1)
            begun = low is not None and self._firsts[first] < low
            if begun:
                wanted.add(first)
            for read, back in sweep.ends(at):
                counts = values["count", read, 0]
                places = range(last - 1, first - 1, -1) if back else range(first, last)
                rows = 0
                for place in places:
                    wanted.add(place)
                    cut = (place >= inside) or (begun and place == first)
                    rows += 0 if cut or not there[place] else int(counts[place])
                    if rows >= max(back, 1):
                        break
        return tuple(sorted(wanted))
