"""Dropping what no question can reach any more, and what no program needs."""

from __future__ import annotations

from collections.abc import Iterator

from astrafs.online.heads import Block, Head
from astrafs.online.layout import Layout, block_key
from astrafs.online.manifest import Manifest, change_manifest, read_manifest
from astrafs.online.store import Store
from astrafs.online.tiles import tile_key
from astrafs.record import dataclass

_TRIES = 20
_AT_ONCE = 500
_NAME = 12


@dataclass(frozen=True, slots=True)
class Expired:
    """What was dropped: blocks, the rows in them, and notes of rows that came."""

    blocks: int
    rows: int
    notes: int


def expire(store: Store, layout: Layout, floor: int) -> Expired:
    """Drop whole blocks and notes of rows that no question at ``floor`` or later can see; older
    questions are refused from now on, and late rows that old are not taken.

    Others may read and write meanwhile. What was interrupted is done by the next call.
    """

    def raised(now: Manifest) -> Manifest:
        # A store without a manifest lacks nothing, and it must not seem to from now on.
        return (now if now != Manifest() else Manifest.whole(layout)).raised(floor)

    floor = change_manifest(store, raised).floor or floor
    blocks = rows = 0
    for shape in layout.shapes:
        reach = layout.reach(shape)
        if reach is None:
            continue
        for place, _ in store.scan(b"h" + layout.names[shape]):
            gone = _drop(store, place, floor - reach)
            blocks += len(gone)
            rows += sum(block.rows for block in gone)
    notes = 0
    for source in layout.engine.plan.sources:
        kept = layout.retention(source.name)
        if kept is not None:
            old = _old_notes(store, layout.row_prefix(source.name), floor - kept)
            notes += _remove(store, old)
    return Expired(blocks, rows, notes)


def _drop(store: Store, place: bytes, oldest: int) -> list[Block]:
    """Drop the blocks of one head that end before ``oldest``."""
    for _ in range(_TRIES):
        (data,) = store.get((place,))
        if data is None:
            return []
        head = Head.read(data)
        gone = [block for block in head.blocks if block.last < oldest]
        if not gone:
            return []
        left = [block for block in head.blocks if block.last >= oldest]
        changes: dict[bytes, bytes | None] = {
            block_key(place, block.number): None for block in gone
        }
        changes[place] = head.replaced(left).data() if left else None
        if not left:
            changes[tile_key(place)] = None
        if store.write(changes, {place: data}):
            return gone
    return []


def _old_notes(store: Store, prefix: bytes, oldest: int) -> Iterator[tuple[bytes, bytes]]:
    for place, data in store.scan(prefix):
        if int.from_bytes(data[:8], "big", signed=True) < oldest:
            yield place, data


def _remove(store: Store, entries: Iterator[tuple[bytes, bytes]]) -> int:
    """Remove entries that are still as they were found, and return how many."""
    found, part = 0, dict[bytes, bytes]()
    for place, data in entries:
        part[place] = data
        if len(part) == _AT_ONCE:
            found += len(part) if store.write(dict.fromkeys(part), part) else 0
            part = {}
    if part:
        found += len(part) if store.write(dict.fromkeys(part), part) else 0
    return found


def forget(store: Store, layout: Layout) -> int:
    """Drop the groups that neither the manifest nor ``layout`` knows, and return how many entries
    they had.
    """
    known = {bytes.fromhex(name) for name in read_manifest(store).groups}
    known.update(layout.names.values())
    stale = (
        (place, data)
        for kind in (b"h", b"b", b"c")
        for place, data in store.scan(kind)
        if place[1 : 1 + _NAME] not in known
    )
    return _remove(store, stale)
