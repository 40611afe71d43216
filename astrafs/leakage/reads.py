"""Which restricted columns (``settles``, ``known``) a window or lookup reads, and through what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from astrafs.plan import ir
from astrafs.plan.program import FeatureOrigin, Program, StreamOrigin
from astrafs.plan.tree import Origin, children
from astrafs.record import dataclass
from astrafs.source import Span


@dataclass(frozen=True, slots=True)
class Use:
    """An aggregate or table lookup with the place where it is written.

    ``owner`` names what it stands in: a feature as ``User.n``, or a stream.
    """

    expr: ir.Aggregate | ir.TableLookup | ir.EntityLookup
    origin: Origin
    owner: str
    feature: ir.FeatureId | None = None
    expansion: str = ""

    @property
    def place(self) -> Span:
        """The window, or what limits the lookup; the whole where there is no such part."""
        return self.origin.detail or self.origin.span


@dataclass(frozen=True, slots=True)
class RestrictedRead:
    """A restricted column of a source as it is read: where in the text, and the names on the way.

    ``chain`` are the streams below what is read, and the source: the way on which a row comes.
    ``via`` leads from what the window reads (a stream, a computed column) towards the source.
    ``implied`` marks a nullable moment at which other columns become known: presumably it is not
    known before itself.
    """

    column: ir.SourceColumn
    span: Span
    chain: tuple[str, ...]
    via: tuple[str, ...] = ()
    implied: bool = False


def short(name: str) -> str:
    """Return a qualified name without its module."""
    return name.rsplit(".", 1)[-1]


def feature_name(feature: ir.FeatureId) -> str:
    """Return a feature's name as authors write it: ``User.n``."""
    version = "" if feature.version == 1 else f"@{feature.version}"
    return f"{short(feature.entity)}.{feature.name}{version}"


def walk_with_origin(expr: ir.Expr, origin: Origin) -> Iterator[tuple[ir.Expr, Origin]]:
    """Yield every node with its origin; where origins end early, the last stands for the rest."""
    stack = [(expr, origin)]
    while stack:
        node, place = stack.pop()
        yield node, place
        parts = children(node)
        places = place.children if len(place.children) == len(parts) else (place,) * len(parts)
        stack.extend(zip(reversed(parts), reversed(places), strict=True))


def uses(program: Program) -> Iterator[Use]:
    """Yield every aggregate and lookup of the program's features and streams, in plan order."""
    for feature in program.plan.features:
        written = program.features.get(feature.id)
        if written is not None:
            yield from _feature_uses(feature, written)
    for stream in program.plan.streams:
        place = program.streams.get(stream.name)
        if place is not None:
            for expr, origin in stream_parts(stream, place):
                for node, at in walk_with_origin(expr, origin):
                    if isinstance(node, ir.TableLookup | ir.EntityLookup):
                        yield Use(node, at, short(stream.name))


def _feature_uses(feature: ir.Feature, written: FeatureOrigin) -> Iterator[Use]:
    for node, at in walk_with_origin(feature.expression, written.value):
        if isinstance(node, ir.Aggregate | ir.TableLookup | ir.EntityLookup):
            yield Use(node, at, feature_name(feature.id), feature.id, written.expansion)


def stream_parts(stream: ir.Stream, place: StreamOrigin) -> Iterator[tuple[ir.Expr, Origin]]:
    """Yield a stream's expressions with their origins."""
    nowhere = Origin(place.name)
    if stream.where is not None:
        yield stream.where, place.where or nowhere
    if stream.time is not None:
        yield stream.time, place.time or nowhere
    for column in stream.columns:
        yield column.expression, place.columns.get(column.name, nowhere)


class RestrictedColumns:
    """Restricted columns by rows: what a column hands on, and what a row's presence depends on."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._columns: dict[str, dict[str, tuple[RestrictedRead, ...]]] = {}
        self._presence: dict[str, tuple[RestrictedRead, ...]] = {}
        nowhere = Span("", 0, 0)
        for source in program.plan.sources:
            self._columns[source.name] = {
                column.name: (RestrictedRead(column, nowhere, (source.name,)),)
                for column in source.columns
                if column.settles is not None or column.known_at
            }
            moments = {column.known_at for column in source.columns}
            for column in source.columns:
                if column.name in moments and column.type.nullable and not column.known_at:
                    moment = replace(column, known_at=column.name)
                    implied = RestrictedRead(moment, nowhere, (source.name,), implied=True)
                    self._columns[source.name].setdefault(column.name, (implied,))
            known = self._columns[source.name]
            # Whether a row is there, where and from when on, hangs on these.
            order = [*source.key, source.time]
            if isinstance(source.knowledge, ir.KnownColumn):
                order.append(source.knowledge.column)
            self._presence[source.name] = _distinct([r for n in order for r in known.get(n, ())])
        waiting: list[ir.Stream | ir.Union] = [*program.plan.streams, *program.plan.unions]
        while waiting:
            for rows in waiting:
                if isinstance(rows, ir.Union):
                    if all(member in self._columns for member in rows.members):
                        self._add_union(rows)
                elif rows.base in self._columns:
                    self._add_stream(rows)
            later = [rows for rows in waiting if rows.name not in self._columns]
            if len(later) == len(waiting):
                break  # a base is missing or circular: reported already
            waiting = later

    def _add_stream(self, stream: ir.Stream) -> None:
        name = stream.name
        base = {
            column: tuple(_through(read, name) for read in reads)
            for column, reads in self._columns[stream.base].items()
        }
        place = self.program.streams.get(stream.name)
        columns = dict(base)
        presence = [_through(read, name) for read in self._presence[stream.base]]
        self._columns[stream.name] = columns
        self._presence[stream.name] = ()
        if place is not None:
            nowhere = Origin(place.name)
            for expr, origin in ((stream.where, place.where), (stream.time, place.time)):
                if expr is not None:
                    found = self._reads(expr, origin or nowhere, base)
                    presence += [_step(read, short(stream.name)) for read in found]
            for column in stream.columns:
                origin = place.columns.get(column.name, nowhere)
                found = self._reads(column.expression, origin, columns)
                shown = f"{short(stream.name)}.{column.name}"
                columns[column.name] = tuple(_step(read, shown) for read in found)
        self._presence[stream.name] = _distinct(presence)

    def _add_union(self, union: ir.Union) -> None:
        self._columns[union.name] = {
            column.name: _distinct(
                [
                    read
                    for member in union.members
                    for read in self._columns[member].get(column.name, ())
                ]
            )
            for column in union.columns
        }
        presence = [read for member in union.members for read in self._presence[member]]
        self._presence[union.name] = _distinct(presence)

    def _reads(
        self, expr: ir.Expr, origin: Origin, columns: dict[str, tuple[RestrictedRead, ...]]
    ) -> tuple[RestrictedRead, ...]:
        found = []
        for node, at in walk_with_origin(expr, origin):
            if isinstance(node, ir.Column):
                for read in columns.get(node.name, ()):
                    # A computed column was read in its stream: that is the place to show.
                    written = read.span if read.via else at.span
                    found.append(replace(read, span=written))
        return _distinct(found)

    def of_table(self, lookup: ir.TableLookup) -> tuple[RestrictedRead, ...]:
        """Return the restricted columns of a table that a lookup's value depends on, each once."""
        columns = self._columns.get(lookup.table, {})
        presence = self._presence.get(lookup.table, ())
        found = (*columns.get(lookup.column, ()), *presence)
        return _distinct([read for read in found if not read.implied])

    def of_window(self, use: Use, chain: tuple[str, ...]) -> tuple[RestrictedRead, ...]:
        """Return the restricted columns that an aggregate's value depends on, each once, of the
        rows that come on the way ``chain``.
        """
        expr = use.expr
        if not isinstance(expr, ir.Aggregate) or expr.rows not in self._columns:
            return ()
        columns, presence = self._columns[expr.rows], self._presence[expr.rows]
        found = self._reads(expr, use.origin, columns) if columns else ()
        return _distinct([read for read in (*found, *presence) if read.chain == chain])


def _through(read: RestrictedRead, stream: str) -> RestrictedRead:
    return replace(read, chain=(stream, *read.chain))


def _step(read: RestrictedRead, name: str) -> RestrictedRead:
    return replace(read, via=(name, *read.via))


def _distinct(found: list[RestrictedRead]) -> tuple[RestrictedRead, ...]:
    first: dict[tuple[tuple[str, ...], str], RestrictedRead] = {}
    for read in found:
        first.setdefault((read.chain, read.column.name), read)
    return tuple(first.values())
