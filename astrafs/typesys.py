"""Types of values: kinds, nullability, units and the coercion lattice."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from astrafs.record import dataclass


class Kind(StrEnum):
    """What sort of value a type holds. ``ERROR`` absorbs: later passes stay silent about it."""

    INT = "int"
    FLOAT = "float"
    DECIMAL = "decimal"
    BOOL = "bool"
    STRING = "string"
    BYTES = "bytes"
    TIMESTAMP = "timestamp"
    DATE = "date"
    DURATION = "duration"
    ENUM = "enum"
    KEY = "key"
    LIST = "list"
    MAP = "map"
    VECTOR = "vector"
    NULL = "null"
    ERROR = "error"


Unit = tuple[tuple[str, int], ...]
"""A unit as sorted (base name, non-zero exponent) pairs; ``()`` is dimensionless."""


@dataclass(frozen=True, slots=True)
class Type:
    """A type. Only the fields that the kind uses are set.

    ``precision``/``scale`` belong to decimals, ``values`` to enums (declaration order), ``entity``
    (the qualified name) and ``parts`` (the key columns' types) to entity keys, ``parts`` to lists
    (element) and maps (key, value), ``precision`` to vectors (length), ``unit`` to numbers.
    """

    kind: Kind
    nullable: bool = False
    precision: int = 0
    scale: int = 0
    values: tuple[str, ...] = ()
    entity: str = ""
    parts: tuple[Type, ...] = ()
    unit: Unit = ()

    def optional(self) -> Type:
        """This type with null allowed."""
        return self if self.nullable or self.kind is Kind.ERROR else replace(self, nullable=True)

    def required(self) -> Type:
        """This type with null not allowed."""
        return replace(self, nullable=False) if self.nullable else self

    def with_null(self, nullable: bool) -> Type:
        """This type, nullable iff ``nullable``."""
        return self.optional() if nullable else self.required()

    def plain(self) -> Type:
        """This type without unit and nullability: what the engines see."""
        return replace(self, nullable=False, unit=())

    @property
    def is_numeric(self) -> bool:
        """Whether arithmetic applies."""
        return self.kind in (Kind.INT, Kind.FLOAT, Kind.DECIMAL)

    @property
    def is_ordered(self) -> bool:
        """Whether ``<`` applies."""
        return self.kind in (
            Kind.INT,
            Kind.FLOAT,
            Kind.DECIMAL,
            Kind.STRING,
            Kind.TIMESTAMP,
            Kind.DATE,
            Kind.DURATION,
        )

    @property
    def is_nested(self) -> bool:
        """Whether values have elements: lists, maps and vectors."""
        return self.kind in (Kind.LIST, Kind.MAP, Kind.VECTOR)

    def holds(self, other: Type) -> bool:
        """Whether every value of ``other`` is one of this type as it stands, null apart: the same
        type, but that elements here may be null where there they are not.
        """
        if self.kind is not other.kind or self.kind not in (Kind.LIST, Kind.MAP):
            return self.plain() == other.plain()
        return all(
            (mine.nullable or not part.nullable) and mine.unit == part.unit and mine.holds(part)
            for mine, part in zip(self.parts, other.parts, strict=True)
        )

    @property
    def is_error(self) -> bool:
        """Whether an earlier mistake already explains this type."""
        return self.kind is Kind.ERROR

    def __str__(self) -> str:
        match self.kind:
            case Kind.DECIMAL:
                text = f"decimal({self.precision}, {self.scale})"
            case Kind.ENUM:
                text = "enum(" + ", ".join(f'"{value}"' for value in self.values) + ")"
            case Kind.KEY:
                text = self.entity.rsplit(".", 1)[-1]
            case Kind.LIST:
                text = f"list[{self.parts[0]}]"
            case Kind.MAP:
                text = f"map[{self.parts[0]}, {self.parts[1]}]"
            case Kind.VECTOR:
                text = f"vector[{self.precision}]"
            case _:
                text = self.kind.value
        if self.nullable and self.kind is not Kind.NULL:
            text += "?"
        if self.unit:
            text += f" [{unit_text(self.unit)}]"
        return text


def unit_text(unit: Unit) -> str:
    """Print a unit the way it is written: ``usd/hour``, ``km*km/h``."""
    over = [name for name, power in unit for _ in range(power)]
    under = [name for name, power in unit for _ in range(-power)]
    return "*".join(over or ["1"]) + "".join(f"/{name}" for name in under)


PLAIN = frozenset(
    {
        Kind.INT,
        Kind.FLOAT,
        Kind.DECIMAL,
        Kind.BOOL,
        Kind.STRING,
        Kind.BYTES,
        Kind.TIMESTAMP,
        Kind.DATE,
        Kind.DURATION,
        Kind.ENUM,
        Kind.KEY,
    }
)
"""Kinds of single values: what maps may have as keys, and aggregates tell apart."""

INT = Type(Kind.INT)
FLOAT = Type(Kind.FLOAT)
BOOL = Type(Kind.BOOL)
STRING = Type(Kind.STRING)
BYTES = Type(Kind.BYTES)
TIMESTAMP = Type(Kind.TIMESTAMP)
DATE = Type(Kind.DATE)
DURATION = Type(Kind.DURATION)
NULL = Type(Kind.NULL, nullable=True)
ERROR = Type(Kind.ERROR)


def decimal(precision: int, scale: int) -> Type:
    """The exact decimal type with ``precision`` digits, ``scale`` of them after the point."""
    return Type(Kind.DECIMAL, precision=precision, scale=scale)


def list_of(element: Type) -> Type:
    """The type of lists of ``element``."""
    return Type(Kind.LIST, parts=(element,))


def map_of(key: Type, value: Type) -> Type:
    """The type of maps from ``key`` to ``value``."""
    return Type(Kind.MAP, parts=(key, value))


def vector_of(length: int) -> Type:
    """The type of vectors of ``length`` float32 numbers."""
    return Type(Kind.VECTOR, precision=length)


def joined(left: Type, right: Type) -> Type | None:
    """The type that holds the values of both as they stand, nullable where either is; None if there
    is none.
    """
    null = left.nullable or right.nullable
    if left.holds(right):
        return left.with_null(null)
    if left.kind is not right.kind or left.kind not in (Kind.LIST, Kind.MAP):
        return None
    parts = [
        joined(a, b) if a.unit == b.unit else None
        for a, b in zip(left.parts, right.parts, strict=True)
    ]
    whole = tuple(part for part in parts if part is not None)
    return replace(left, parts=whole).with_null(null) if len(whole) == len(parts) else None


MICROSECOND = 1
SECOND = 1_000_000
DURATION_UNITS = {
    "us": 1,
    "ms": 1_000,
    "s": SECOND,
    "m": 60 * SECOND,
    "h": 3_600 * SECOND,
    "d": 86_400 * SECOND,
    "w": 7 * 86_400 * SECOND,
}
"""Microseconds in each duration suffix; a day is exactly 24 hours."""


def duration_text(micros: int) -> str:
    """Print ``micros`` microseconds in the largest units that say it exactly: ``1h30m``, ``7d``,
    ``0s``.
    """
    if micros == 0:
        return "0s"
    sign, rest, text = ("-" if micros < 0 else ""), abs(micros), ""
    for suffix in ("d", "h", "m", "s", "ms", "us"):
        count, rest = divmod(rest, DURATION_UNITS[suffix])
        if count:
            text += f"{count}{suffix}"
    return sign + text
