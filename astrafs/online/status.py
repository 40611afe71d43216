"""What a store holds, in the words of the program: its groups, their rows, how long they stay."""

from __future__ import annotations

from collections.abc import Iterator

from astrafs.online.groups import Shape
from astrafs.online.heads import Head
from astrafs.online.layout import Layout
from astrafs.online.manifest import Manifest
from astrafs.online.store import Store
from astrafs.plan.text import expression_text
from astrafs.record import dataclass


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """Rows kept for aggregates over one block: ``rows`` of ``source``, by ``keys``, under ``where``
    (empty: all). ``stays`` is for how long before the time of a question events matter
    (microseconds; None: for ever).
    """

    source: str
    keys: tuple[str, ...]
    where: str
    columns: tuple[str, ...]
    features: tuple[str, ...]
    loaded: bool
    stays: int | None
    entities: int
    rows: int
    blocks: int
    bytes: int


@dataclass(frozen=True, slots=True)
class TableStatus:
    """A changelog that is kept for look-ups: how many keys it has, and their bytes."""

    name: str
    loaded: bool
    keys: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Status:
    """What a store holds of what a program needs."""

    manifest: Manifest
    groups: tuple[GroupStatus, ...]
    tables: tuple[TableStatus, ...]


def status_of(store: Store, layout: Layout, manifest: Manifest) -> Status:
    """Return what ``store`` holds; reads every head and block once."""
    lacking = manifest.lacks(layout)
    groups = tuple(
        _group(store, layout, shape, shape not in lacking.shapes) for shape in layout.shapes
    )
    tables = tuple(
        TableStatus(name, name not in lacking.tables, *_counted(store, b"t" + digest))
        for name, digest in layout.tables.items()
    )
    return Status(manifest, groups, tables)


def _group(store: Store, layout: Layout, shape: Shape, loaded: bool) -> GroupStatus:
    entities = rows = blocks = 0
    for _, data in store.scan(b"h" + layout.names[shape]):
        head = Head.read(data)
        entities += 1
        blocks += len(head.blocks)
        rows += sum(block.rows for block in head.blocks)
    group = shape.group
    read = [expression_text(expr) for expr in shape.exprs] if shape.local else []
    return GroupStatus(
        group.rows,
        tuple(expression_text(part) for part in group.keys),
        "" if group.where is None else expression_text(group.where),
        tuple(read),
        tuple(str(one) for one in layout.features((shape,), ())),
        loaded,
        layout.reach(shape),
        entities,
        rows,
        blocks,
        _counted(store, b"b" + layout.names[shape])[1],
    )


def _counted(store: Store, prefix: bytes) -> tuple[int, int]:
    """Return how many entries there are, and their bytes."""
    found = size = 0
    for length in _lengths(store, prefix):
        found += 1
        size += length
    return found, size


def _lengths(store: Store, prefix: bytes) -> Iterator[int]:
    return (len(data) for _, data in store.scan(prefix))
