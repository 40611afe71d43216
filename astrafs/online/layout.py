"""What a store must keep for a plan: its groups and tables by name, and which source feeds which.

Entries of a store: ``h`` the head of a key's blocks, ``b`` a block, ``c`` the tiles of many blocks,
``t`` a changelog's rows of a key, ``w`` until when they decided where rows go, ``r`` what is known
of a row (to know what came twice), ``v`` the revisions of an event, ``k`` the keys that these went
to, ``s`` the columns of blocks by their digest, ``m`` the manifest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from hashlib import blake2b
from itertools import count

from astrafs.diagnostics.codes import online as codes
from astrafs.diagnostics.model import Diagnostic
from astrafs.online.blocks import BlockForm, Codec, key_bytes
from astrafs.online.engine import Engine
from astrafs.online.expressions import Key
from astrafs.online.groups import Shape
from astrafs.online.reach import NEVER, reaches
from astrafs.online.rows import Way
from astrafs.plan import ir
from astrafs.plan.identity import row_identities
from astrafs.plan.tree import walk
from astrafs.record import dataclass


@dataclass(frozen=True, slots=True)
class Held:
    """What a store keeps of a group: which ``rows`` they are and to which keys they belong, and the
    columns that all of them have (none: they are rows of sources).
    """

    rows: str
    columns: tuple[str, ...]


class Layout:
    """What a store must keep for a plan. Safe to share between threads."""

    def __init__(self, engine: Engine, held: Mapping[str, Held] | None = None) -> None:
        """``held`` is what a store has already: groups with all that the plan needs are used as
        they are.
        """
        self.engine = engine
        self.codecs = {source.name: Codec(source) for source in engine.plan.sources}
        identities = row_identities(engine.plan)
        self.shapes = engine.shapes
        plan = engine.plan
        self._row_names = {one.name: _source_digest(one) for one in plan.sources}
        looked = {
            node.table
            for expr in expressions(plan)
            for node in walk(expr)
            if isinstance(node, ir.TableLookup)
        }
        self.tables = {name: self._row_names[name] for name in sorted(looked)}
        self.names: dict[Shape, bytes] = {}
        self._held: dict[Shape, Held] = {}
        self.forms: dict[Shape, BlockForm] = {}
        self.ways: dict[str, list[tuple[Shape, int, Way]]] = {}
        for shape in self.shapes:
            group = shape.group
            exprs = [*group.keys, *(() if group.where is None else (group.where,))]
            base = digest(
                identities[group.rows],
                *(way.source for way in shape.ways),
                *(() if shape.local else (self._row_names[w.source].hex() for w in shape.ways)),
                *(engine.rows.meaning(group.rows, expr) for expr in exprs),
                str(len(group.keys)),
            )
            if shape.local:
                columns = [
                    digest(engine.rows.meaning(group.rows, expr)).hex() for expr in shape.exprs
                ]
                self.forms[shape] = BlockForm(shape, columns)
            self._held[shape] = Held(base.hex(), self.columns(shape))
            self.names[shape] = self._name(self._held[shape], held or {})
            for place, way in enumerate(shape.ways):
                self.ways.setdefault(way.source, []).append((shape, place, way))

    @staticmethod
    def _name(needed: Held, held: Mapping[str, Held]) -> bytes:
        for name, one in sorted(held.items()):
            if one.rows == needed.rows and set(needed.columns) <= set(one.columns):
                return bytes.fromhex(name)
        # A group that lost columns keeps its name: what is loaded anew gets another.
        names = (digest(needed.rows, *sorted(needed.columns), str(turn)) for turn in count())
        return next(name for name in names if name.hex() not in held)

    def held(self, shape: Shape) -> Held:
        """Return what the plan needs of a group."""
        return self._held[shape]

    @cached_property
    def _reaches(self) -> dict[Shape, int]:
        return reaches(self.engine)

    def reach(self, shape: Shape) -> int | None:
        """Return how long before the time of any question an event of a group may lie that still
        matters (microseconds); None: there is no such bound, the group's rows are kept for ever.

        Rows that may be revised are kept for ever, and so are those whose time is looked up.
        """
        sources = [self.engine.source(way.source) for way in shape.ways]
        moved = any(step.time is not None for way in shape.ways for step in way.steps)
        if any(source.revisions for source in sources) or (moved and not shape.local):
            return None
        found = self._reaches[shape]
        return None if found >= NEVER else found

    def retention(self, source: str) -> int | None:
        """Return how long after its event a row of a source may still matter; None: for ever."""
        if self.engine.source(source).table:
            return None
        most = 0
        for shape, _, way in self.ways.get(source, ()):
            found = self.reach(shape)
            if found is None or any(step.time is not None for step in way.steps):
                return None
            most = max(most, found)
        return most

    def columns(self, shape: Shape) -> tuple[str, ...]:
        """Return the names of the columns that are kept of a group: none of one that is not
        local.
        """
        return self.forms[shape].columns if shape.local else ()

    def features(
        self, shapes: Collection[Shape], tables: Collection[str]
    ) -> tuple[ir.FeatureId, ...]:
        """Return the features that read one of ``shapes`` or look up one of ``tables``."""
        plan, found = self.engine.plan, []
        for feature in plan.features:
            if feature.label:
                continue
            for node in walk(feature.expression):
                shape = (
                    self.engine.aggregate(node).shape if isinstance(node, ir.Aggregate) else None
                )
                looked = node.table if isinstance(node, ir.TableLookup) else None
                if shape in shapes or looked in tables:
                    found.append(feature.id)
                    break
        return tuple(found)

    def refusals(self) -> tuple[Diagnostic, ...]:
        """Return why a store cannot be kept for the plan, if it cannot.

        Where a row goes is decided when it comes. What a table says is then held fast (a row of the
        table that would have changed it is refused), values of other entities cannot be.
        """
        found = []
        for shape in self.shapes:
            if ir.EntityLookup in shape.placing:
                names = self.features((shape,), ())
                shown = ", ".join(f"`{name}`" for name in names[:5])
                found.append(
                    codes.PLACED_BY_FEATURE.nowhere(
                        f"the rows of {shown} belong to keys that a feature of another entity gives"
                    )
                    .help("take the key from a column of the row, or from a table")
                    .help("or make a store for other views: `astrafs online init --view VIEW`")
                )
        return tuple(found)

    # --- places in a store

    def head_key(self, shape: Shape, key: Key) -> bytes:
        """Return the place of the head of a key's blocks."""
        return b"h" + self.names[shape] + key_bytes(key)

    def table_key(self, table: str, key: Key) -> bytes:
        """Return the place of a changelog's rows of a key."""
        return b"t" + self._row_names[table] + key_bytes(key)

    def mark_key(self, place: bytes) -> bytes:
        """Return the place of the latest event that rows of a table decided where to put."""
        return b"w" + place[1:]

    def row_key(self, source: str, key: Key) -> bytes:
        """Return the place of what is known of a row."""
        return self.row_prefix(source) + key_bytes(key)

    def row_prefix(self, source: str) -> bytes:
        """Return what the places of all notes of a source's rows begin with."""
        return b"r" + self._row_names[source]


def block_key(head_key: bytes, number: int) -> bytes:
    """Return the place of a block."""
    return b"b" + head_key[1:] + b"#" + number.to_bytes(4)


def expressions(plan: ir.Plan) -> Iterator[ir.Expr]:
    """Yield every expression that serving may evaluate."""
    for stream in plan.streams:
        yield from (one for one in (stream.where, stream.time) if one is not None)
        yield from (column.expression for column in stream.columns)
    for feature in plan.features:
        if not feature.label:
            yield feature.expression


def _source_digest(source: ir.Source) -> bytes:
    """Return a name of a source's rows as they are kept: with other columns they are others."""
    columns = (f"{column.name}: {column.type}" for column in source.columns)
    return digest(source.name, *source.key, "", *columns)


def digest(*parts: str) -> bytes:
    """Return a short name that stands for ``parts``."""
    return blake2b("\0".join(parts).encode(), digest_size=12).digest()
