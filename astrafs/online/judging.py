"""Rows of a source as JSON has them: read, and judged by the source's contracts.

The rules and their order are those by which files are judged; what differs is who evaluates them.
Names are those of the files (``from "x"``), times are read in the column's zone, a field that is
not declared is passed over, and an absent one is null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, assert_never

from astrafs.diagnostics.codes import ALL
from astrafs.diagnostics.codes import online as codes_online
from astrafs.diagnostics.codes import run as codes
from astrafs.diagnostics.model import AstrafsError, Diagnostic
from astrafs.online.expressions import Evaluator, Scope, compile_expression
from astrafs.online.values import CLOCK, DATE, Reader, plain_type, reader, shown
from astrafs.plan import ir
from astrafs.plan.contracts import (
    Check,
    ElementCheck,
    Elements,
    Expect,
    NotBefore,
    NotNull,
    OneOf,
    column_contracts,
    row_contracts,
)
from astrafs.typesys import STRING, TIMESTAMP, Kind, Type
from astrafs.values.errors import ValueFailure
from astrafs.values.numbers import MAX_TIME, MIN_TIME
from astrafs.values.zones import UNIX_ZONES, Zone, zone

Cells = dict[str, Any]
Broken = Callable[[Cells, Scope], bool]

_LOCAL = re.compile(f"{DATE}[T ]{CLOCK}")


class Judge:
    """Reads rows of ``source``; ``expects`` are its conditions as written. Safe to share."""

    def __init__(self, source: ir.Source, expects: Sequence[str]) -> None:
        self.source = source
        self._columns = tuple(
            (column.name, column.physical or column.name, _column_reader(column))
            for column in source.columns
        )
        self._types = {column.name: column.type for column in source.columns}
        contracts = [one for column in source.columns for one in column_contracts(column)]
        contracts.extend(row_contracts(source, expects))
        self._contracts = tuple((one, self._broken(one.check)) for one in contracts)

    def judge(self, row: Mapping[str, Any], place: str) -> Cells | Diagnostic:
        """Return ``row`` as engine values of all columns, or why it is refused; ``place`` names it
        in errors.
        """
        if not isinstance(row, Mapping):
            return codes.CONTRACT_BROKEN.nowhere(f"{place} is no object, but {shown(row)}").help(
                "a row is an object of its columns"
            )
        cells: Cells = {}
        for name, given, read in self._columns:
            try:
                cells[name] = read(row.get(given), given)
            except AstrafsError as error:
                (found,) = error.diagnostics
                return self._refused(place, f"`{name}` is a `{self._types[name]}`", row, found)
        scope = Scope(_NOTHING, cells[self.source.time] or 0 if self.source.time else 0, cells, {})
        for contract, broken in self._contracts:
            try:
                if broken(cells, scope):
                    return self._refused(place, contract.text, row, None, contract.columns)
            except ValueFailure as failure:
                found = ALL[failure.code].nowhere(failure.message)
                return self._refused(place, contract.text, row, found, contract.columns)
        return cells

    def _refused(
        self,
        place: str,
        rule: str,
        row: Mapping[str, Any],
        reason: Diagnostic | None,
        columns: Sequence[str] = (),
    ) -> Diagnostic:
        given = {name: physical for name, physical, _ in self._columns}
        names = dict.fromkeys((*self.source.key, *columns))
        values = {name: shown(row.get(given[name])) for name in names}
        found = broken_row(self.source.name, place, rule, values)
        if reason is None:
            return found
        found = found.note(reason.title)
        for text in reason.helps:
            found = found.help(text)
        return found

    def _broken(self, check: Check) -> Broken:
        match check:
            case NotNull(column=name):
                return lambda cells, _: cells[name] is None
            case OneOf(column=name, values=values):
                return lambda cells, _: cells[name] is not None and cells[name] not in values
            case Elements(column=name, check=inner):
                return lambda cells, _: cells[name] is not None and _element(inner, cells[name])
            case NotBefore():
                assert isinstance(self.source.knowledge, ir.KnownColumn)
                event, known = self.source.time, self.source.knowledge.column
                return lambda cells, _: cells[known] < cells[event]
            case Expect(condition=condition):
                holds = compile_expression(condition, _no_feature)
                return lambda _, scope: holds(scope) is False
            case _:
                assert_never(check)


def broken_row(source: str, place: str, rule: str, values: Mapping[str, str]) -> Diagnostic:
    """Return why the row at ``place`` is refused; ``values`` are the columns that say which."""
    title = f"source `{source}`: {place} breaks a contract"
    listed = ", ".join(f"{name} = {value}" for name, value in values.items())
    return codes.CONTRACT_BROKEN.nowhere(title).note(f"rule: {rule}").note(f"row: {listed}")


def _element(check: ElementCheck, value: Any) -> bool:
    """Whether an element of ``value`` breaks ``check``."""
    return any(_wrong(check.values, one) for one in _reached(check.sides, value))


def _wrong(values: Sequence[str] | None, one: Any) -> bool:
    return one is None if values is None else one is not None and one not in values


def _reached(sides: Sequence[str], value: Any) -> Iterator[Any]:
    for one in value if sides[0] == "element" else _side(sides[0], value):
        if len(sides) == 1:
            yield one
        elif one is not None:
            yield from _reached(sides[1:], one)


def _side(side: str, value: Any) -> Iterator[Any]:
    return (pair[0] if side == "key" else pair[1] for pair in value)


def _no_feature(feature: ir.FeatureId) -> Evaluator:
    raise TypeError(f"a contract reads the row's own columns, not {feature}")


_NOTHING: Any = None
"""What a contract may ask of the engine."""


def _column_reader(column: ir.SourceColumn) -> Reader:
    """Return what reads a JSON value of ``column``; nulls and enums are for the contracts."""
    plain = plain_type(column.type)
    if plain.kind is not Kind.TIMESTAMP or not column.zone:
        return reader(_loose(plain))
    if column.zone in UNIX_ZONES:
        return _counted(column.zone)
    return _local(zone(column.zone))


def _loose(type_: Type) -> Type:
    """Return the type of all values that are read as ``type_`` before contracts are judged."""
    if type_.kind is Kind.ENUM:
        return STRING.optional()
    parts = tuple(map(_loose, type_.parts))
    return replace(type_, nullable=True, parts=parts)


def _counted(unit: str) -> Reader:
    scale = UNIX_ZONES[unit]

    def read(value: Any, place: str) -> int | None:
        if value is None:
            return None
        if type(value) is not int:
            found = codes_online.BAD_FIELD.nowhere(f"`{place}` is {shown(value)}, no whole number")
            raise AstrafsError(found.help(f"the column counts time in `{unit}`"))
        micros, rest = (value * scale, 0) if scale else divmod(value, 1000)
        if rest:
            found = codes_online.BAD_FIELD.nowhere(f"`{place}` is no whole microsecond")
            raise AstrafsError(found.help("times are counted in microseconds"))
        if not MIN_TIME <= micros <= MAX_TIME:
            found = codes_online.BAD_FIELD.nowhere(
                f"`{place}` lies outside the years 1678 to 2261: {shown(value)}, read as {unit}"
            )
            raise AstrafsError(found.help("is it another unit?"))
        return micros

    return read


def _local(found: Zone) -> Reader:
    """Return what reads times with an offset, or local ones of a zone."""

    def read(value: Any, place: str) -> int | None:
        local = type(value) is str and _LOCAL.fullmatch(value)
        micros: int | None = instant(f"{value}Z" if local else value, place)
        return found.to_instant(micros) if local and micros is not None else micros

    instant = reader(TIMESTAMP.optional())
    return read
