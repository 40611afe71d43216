"""The state of one generated case.

Choices, names, declared things, and what later steps need of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from astrafs.typesys import (
    BOOL,
    DATE,
    DURATION,
    FLOAT,
    INT,
    STRING,
    TIMESTAMP,
    Kind,
    Type,
    decimal,
    list_of,
    map_of,
    vector_of,
)
from tests.parity import values
from tests.parity.expressions import Ex
from tests.parity.model import Data, Field, Piece, Value
from tests.parity.values import BASE, DAY

GRAINS = (1, 1_000_000, 60_000_000, 3_600_000_000, DAY)
INT_KEYS = (1, 2, 3, 12, 23, 123, -1, 0)
TEXT_KEYS = ("", "a", "b", "ab", "a:b", "b:c", "c", "1", "12", "é", "a,b")


@dataclass(frozen=True, slots=True)
class EntityInfo:
    """An entity: its key columns and the features made so far."""

    name: str
    keys: tuple[Field, ...]
    features: list[Ex] = field(default_factory=list)

    @property
    def type(self) -> Type:
        """The type of its keys."""
        return Type(
            Kind.KEY, entity=f"base.{self.name}", parts=tuple(key.type for key in self.keys)
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """A source or stream as a features block sees it.

    ``settling`` are columns with the age from which they may be read; ``late`` columns known only
    at another column; ``keys`` gives, per entity name, the ``by`` clauses that reach it;
    ``bounded`` is how far back the source reaches; ``moved`` rows have a time of their own;
    ``united`` rows come from several sources.
    """

    name: str
    columns: tuple[Ex, ...]
    keys: dict[str, tuple[str, ...]]
    source: str
    ahead: bool = False
    settling: tuple[tuple[Ex, int], ...] = ()
    late: tuple[tuple[Ex, str], ...] = ()
    delay: int = 0
    bounded: int | None = None
    composite: tuple[tuple[str, tuple[Ex, ...]], ...] = ()
    moved: bool = False
    united: bool = False


@dataclass(frozen=True, slots=True)
class TableInfo:
    """A table: the types of its lookup key and its columns."""

    name: str
    keys: tuple[Type, ...]
    columns: tuple[Ex, ...]
    static: bool
    delay: int = 0
    max_age: int = 2**62


@dataclass(frozen=True, slots=True)
class Size:
    """How much to generate."""

    rows: int
    spine: int
    features: int
    sources: int = 2


class Builder:
    """Builds one case from a stream of random choices."""

    def __init__(self, rng: Random, seed: int, size: Size, *, wild: bool) -> None:
        self.rng = rng
        self.seed = seed
        self.size = size
        self.wild = wild
        self.tags: set[str] = set()
        self.pieces: list[Piece] = []
        self.relations: dict[str, Data] = {}
        self.spines: dict[str, Data] = {}
        self.entities: list[EntityInfo] = []
        self.rows: list[Rows] = []
        self.tables: list[TableInfo] = []
        self.numbers = 0
        self.grain = rng.choice(GRAINS)
        self.spread = rng.choice((4, 10, 30))
        self.ages: list[int] = [0]
        # Around 1970 the times change sign, which is where rounding down goes wrong.
        self.base = BASE if rng.random() < 0.85 else -(self.spread // 2) * self.grain
        self.times: list[int] = [self.base]
        self.module = "base"

    def tag(self, name: str) -> None:
        """Count a construct."""
        self.tags.add(name)

    def name(self, letter: str) -> str:
        """Return a new name."""
        self.numbers += 1
        return f"{letter}{self.numbers}"

    def chance(self, share: float) -> bool:
        """Return True in ``share`` of the cases."""
        return self.rng.random() < share

    def add(
        self, name: str, text: str, uses: Sequence[str] | frozenset[str], block: str = ""
    ) -> None:
        """Add a piece of program text."""
        self.pieces.append(Piece(name, text, frozenset(uses) - {name}, block, self.module))

    def moment(self) -> int:
        """Return a time on the grid, sometimes a microsecond beside it."""
        step = self.rng.randint(0, self.spread)
        return self.base + step * self.grain + self.rng.choice((0, 0, 0, 0, 1, -1))

    def span(self, most: int = 12) -> int:
        """Return a positive duration on the grid and remember it as an interesting age."""
        found = self.rng.choice((1, 1, 2, 2, 3, 5, 7, most)) * self.grain
        if self.chance(0.06):
            found = max(1, found + self.rng.choice((1, -1)))
        self.ages.append(found)
        return found

    def plain_type(self) -> Type:
        """Return a type for a value column."""
        rng = self.rng
        precision = rng.choice((4, 9, 12, 18, 18, 20, 38))
        kind = rng.choice(
            (
                INT,
                INT,
                FLOAT,
                FLOAT,
                FLOAT,
                decimal(precision, rng.randint(0, min(precision, 6))),
                BOOL,
                BOOL,
                STRING,
                TIMESTAMP,
                DATE,
                DURATION,
                Type(Kind.ENUM, values=("red", "green", "blé", "")[: rng.randint(2, 4)]),
                self.nested_type(),
                self.nested_type(),
            )
        )
        return kind.with_null(rng.random() < 0.5)

    def nested_type(self) -> Type:
        """Return a type of lists, maps or vectors."""
        rng = self.rng
        parts = (INT, INT, FLOAT, STRING, BOOL, DATE, TIMESTAMP, DURATION, decimal(9, 2))
        element = rng.choice((*parts, list_of(INT.optional()))).with_null(rng.random() < 0.4)
        roll = rng.random()
        if roll < 0.5:
            self.tag("type.list")
            return list_of(element)
        if roll < 0.8:
            self.tag("type.map")
            return map_of(rng.choice((INT, STRING, STRING, DATE, BOOL)), element)
        self.tag("type.vector")
        return vector_of(rng.choice((1, 2, 2, 3)))

    def key_value(self, kind: Type) -> Value:
        """Return a value from a small domain, so that keys meet."""
        rng = self.rng
        if kind.nullable and rng.random() < 0.12:
            return None
        if kind.kind is Kind.KEY:
            return self.key_value(kind.parts[0])
        match kind.kind:
            case Kind.INT:
                return rng.choice(INT_KEYS[: rng.choice((2, 4, 8))])
            case Kind.STRING:
                return rng.choice(TEXT_KEYS[: rng.choice((2, 5, 11))])
            case Kind.DATE:
                return values.BASE_DAY + rng.randint(0, 2)
            case Kind.BOOL:
                return rng.random() < 0.5
            case _:
                return values.draw(rng, kind)
