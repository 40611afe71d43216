"""The contracts of a source, apart from how its rows are stored: what a row must hold once its
columns are values of their types. Engines judge by these and by nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from astrafs.plan import ir, tree
from astrafs.plan.program import Program
from astrafs.record import dataclass
from astrafs.typesys import Kind, Type


@dataclass(frozen=True, slots=True)
class NotNull:
    """Broken where ``column`` is null."""

    column: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """Broken where ``column`` is none of ``values`` (null is fine)."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ElementCheck:
    """Broken where an element is null, or with ``values`` where it is none of them.

    ``sides`` lead to the elements, from the outermost list or map in: ``element``, ``key`` or
    ``value``. ``text`` says what must hold.
    """

    sides: tuple[str, ...]
    values: tuple[str, ...] | None
    text: str


@dataclass(frozen=True, slots=True)
class Elements:
    """Broken where an element of ``column`` breaks ``check``."""

    column: str
    check: ElementCheck


@dataclass(frozen=True, slots=True)
class NotBefore:
    """Broken where a row is known before its event."""


@dataclass(frozen=True, slots=True)
class Expect:
    """Broken where ``condition`` is false; one that is null says nothing about the row."""

    condition: ir.Expr


Check = NotNull | OneOf | Elements | NotBefore | Expect


@dataclass(frozen=True, slots=True)
class Contract:
    """One rule: ``name`` is short and fit for a file name, ``text`` says what must hold,
    ``columns`` are read, ``place`` is that of an ``expect``, -1 for others.
    """

    name: str
    text: str
    columns: tuple[str, ...]
    check: Check
    place: int = -1


def column_contracts(column: ir.SourceColumn) -> Iterator[Contract]:
    """Yield the contracts of a column's values."""
    name = column.name
    if not column.type.nullable:
        words = f"`{name}` is never null{_float_note(column.type)}"
        yield Contract(f"{name}.null", words, (name,), NotNull(name))
    if column.type.kind is Kind.ENUM:
        words = f"`{name}` is one of {', '.join(column.type.values)}"
        yield Contract(f"{name}.enum", words, (name,), OneOf(name, column.type.values))
    for check in element_checks(column.type):
        yield Contract(f"{name}.elements", f"`{name}` {check.text}", (name,), Elements(name, check))


def row_contracts(source: ir.Source, expects: Sequence[str]) -> Iterator[Contract]:
    """Yield the contracts of whole rows; ``expects`` are the conditions as written."""
    known = source.knowledge
    if isinstance(known, ir.KnownColumn) and not source.ahead and source.time:
        words = f"`{known.column}` (known) is not before `{source.time}` (time)"
        yield Contract("known", words, (source.time, known.column), NotBefore())
    for place, expect in enumerate(source.expects):
        read = {node.name: None for node in tree.walk(expect) if isinstance(node, ir.Column)}
        words = expects[place] if place < len(expects) else f"line {place + 1}"
        name = f"expect-{place + 1}"
        yield Contract(name, f"expect {words}", tuple(read), Expect(expect), place)


def element_checks(type_: Type) -> Iterator[ElementCheck]:
    """Yield what may be wrong with the elements of a value of ``type_``."""
    match type_.kind:
        case Kind.LIST:
            yield from _checks(type_.parts[0], "element")
        case Kind.MAP:
            yield from _checks(type_.parts[0], "key")
            yield from _checks(type_.parts[1], "value")
        case _:
            pass


def _checks(part: Type, side: str) -> Iterator[ElementCheck]:
    if not part.nullable:
        yield ElementCheck((side,), None, f"has no null {side}{_float_note(part)}")
    if part.kind is Kind.ENUM:
        text = f"has {side}s among {', '.join(part.values)}"
        yield ElementCheck((side,), part.values, text)
    for inner in element_checks(part):
        text = f"has {side}s of which each {inner.text}"
        yield ElementCheck((side, *inner.sides), inner.values, text)


def _float_note(type_: Type) -> str:
    return " (NaN and infinities count as null)" if type_.kind is Kind.FLOAT else ""


def expects_written(program: Program, name: str) -> tuple[str, ...]:
    """Return the ``expect`` conditions of a source as they were written."""
    origin = program.sources.get(name)
    if origin is None:
        return ()
    spans = [one.span for one in origin.expects]
    texts = [program.files[span.path].text[span.start : span.end] for span in spans]
    return tuple(" ".join(text.split()) for text in texts)
