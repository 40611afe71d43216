"""What the generator produces.

Program text in droppable pieces, rows, spines and a knowledge cutoff.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pyarrow as pa

from astrafs.source import SourceFile
from astrafs.typesys import Kind, Type

Value = None | bool | int | float | str | bytes | Decimal | tuple[Any, ...]
"""A cell: timestamps and durations are microseconds, dates days, enums text, lists and vectors
tuples, maps tuples of sorted pairs.
"""

SPINE_TIME = "t"
"""The spine's time column."""


@dataclass(frozen=True, slots=True)
class Field:
    """A named, typed column of a relation or spine."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class Data:
    """Rows of a source, table or spine, as Python values in ``fields`` order."""

    fields: tuple[Field, ...]
    rows: tuple[tuple[Value, ...], ...]

    def with_rows(self, rows: Iterable[tuple[Value, ...]]) -> Data:
        """Return the same columns with other rows."""
        return replace(self, rows=tuple(rows))

    def table(self) -> pa.Table:
        """Return the rows as an Arrow table, every column of its declared type."""
        columns = list(zip(*self.rows, strict=True)) if self.rows else [()] * len(self.fields)
        arrays = [
            arrow_array(cells, column.type)
            for cells, column in zip(columns, self.fields, strict=True)
        ]
        return pa.table(arrays, names=[column.name for column in self.fields])


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the program that can be left out with everything that uses it.

    ``block`` is the header of the ``features``/``view`` block it stands in (empty for a
    declaration).
    """

    name: str
    text: str
    uses: frozenset[str] = frozenset()
    block: str = ""
    module: str = "main"


@dataclass(frozen=True, slots=True)
class Case:
    """One program with data. ``spines`` has an entry per view; ``as_of`` is K in microseconds."""

    seed: int
    pieces: tuple[Piece, ...]
    relations: dict[str, Data]
    spines: dict[str, Data]
    as_of: int
    modules: tuple[str, ...] = ("main",)
    tags: frozenset[str] = frozenset()
    wild: bool = False
    exported: frozenset[str] = field(default=frozenset())

    def files(self) -> tuple[SourceFile, ...]:
        """Return the program text, one file per module."""
        found = []
        for module in self.modules:
            lines = [f'owner "parity@{module}"', ""]
            shared = sorted(
                piece.name
                for piece in self.pieces
                if piece.module != module and piece.name in self.exported
            )
            if module != self.modules[0] and shared:
                lines += [f"use {self.modules[0]}.{{{', '.join(shared)}}}", ""]
            lines += list(_render(piece for piece in self.pieces if piece.module == module))
            found.append(SourceFile(f"{module}.afs", "\n".join(lines) + "\n"))
        return tuple(found)

    def qualified(self, name: str) -> str:
        """Return the qualified name of a declaration."""
        module = next(
            (piece.module for piece in self.pieces if piece.name == name), self.modules[-1]
        )
        return f"{module}.{name}"

    def without(self, dropped: set[str]) -> Case:
        """Return the case less ``dropped`` pieces and all that use them."""
        gone = set(dropped)
        while True:
            more = {p.name for p in self.pieces if p.name not in gone and p.uses & gone}
            if not more:
                break
            gone |= more
        pieces = tuple(piece for piece in self.pieces if piece.name not in gone)
        views = {piece.block for piece in pieces}
        return replace(
            self,
            pieces=pieces,
            relations={k: v for k, v in self.relations.items() if k not in gone},
            spines={k: v for k, v in self.spines.items() if any(f"view {k} " in b for b in views)},
        )

    def text(self) -> str:
        """Return the whole program, for people."""
        return "\n".join(f"# {file.path}\n{file.text}" for file in self.files())


def _render(pieces: Iterable[Piece]) -> Iterator[str]:
    block = ""
    for piece in pieces:
        if piece.block != block:
            if block:
                yield "}"
            if piece.block:
                yield f"\n{piece.block} {{"
            block = piece.block
        yield piece.text if not block else "  " + piece.text.replace("\n", "\n  ")
    if block:
        yield "}"


def engine_type(kind: Type) -> Type:
    """Return the type of a key's only part, or ``kind`` itself."""
    if kind.kind is Kind.KEY:
        return kind.parts[0].with_null(kind.nullable)
    return kind


def arrow_type(kind: Type) -> pa.DataType:
    """Return the Arrow type in which files and spines carry ``kind``."""
    match engine_type(kind).kind:
        case Kind.INT:
            return pa.int64()
        case Kind.FLOAT:
            return pa.float64()
        case Kind.DECIMAL:
            return pa.decimal128(kind.precision, kind.scale)
        case Kind.BOOL:
            return pa.bool_()
        case Kind.STRING | Kind.ENUM:
            return pa.string()
        case Kind.BYTES:
            return pa.binary()
        case Kind.TIMESTAMP:
            return pa.timestamp("us", tz="UTC")
        case Kind.DATE:
            return pa.date32()
        case Kind.DURATION:
            return pa.duration("us")
        case Kind.LIST:
            return pa.list_(arrow_type(kind.parts[0]))
        case Kind.MAP:
            return pa.map_(arrow_type(kind.parts[0]), arrow_type(kind.parts[1]))
        case Kind.VECTOR:
            return pa.list_(pa.float32(), kind.precision)
        case other:
            raise ValueError(f"no Arrow type for {other}")


def arrow_array(cells: Iterable[Value], kind: Type) -> pa.Array:
    """Build a column of ``kind`` from Python values; times go through their integer storage."""
    target = arrow_type(kind)
    if pa.types.is_timestamp(target) or pa.types.is_duration(target):
        return pa.array(cells, pa.int64()).cast(target)
    if pa.types.is_date32(target):
        return pa.array(cells, pa.int32()).cast(target)
    return pa.array(cells, target)
