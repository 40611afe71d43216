"""One module as the cache remembers it, and the same as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from astrafs.diagnostics.model import Code, Diagnostic, Edit, Example, Fix, Label
from astrafs.record import dataclass
from astrafs.source import Span


class UnstorableError(ValueError):
    """A diagnostic holds something that JSON cannot say."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many sources, features and views a module or a project declares."""

    sources: int = 0
    features: int = 0
    views: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Return the counts of both."""
        return Counts(
            self.sources + other.sources, self.features + other.features, self.views + other.views
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A diagnostic as JSON, with what is asked of it before it is read."""

    code: str
    error: bool
    data: Any


@dataclass(frozen=True, slots=True)
class Record:
    """A module as it was when it was checked.

    ``text`` is the digest of its text; ``interface`` of all that other modules can see of it.
    ``basis`` is the digest of every module that it depends on, at any distance: of their
    interfaces, or (``exact``) of their texts. ``imports`` and ``reads`` are modules that its
    ``use`` lines and its plan name, ``mentions`` the names behind a dot, which may be features of
    any module. ``absent`` are names that it looked for in vain, in the whole project.
    ``features`` are (entity, name, version). ``refused`` says that it had errors other
    than leaks; ``unused`` holds the warnings about imports, which only count while no module is.
    """

    module: str
    text: str
    interface: str
    exact: bool
    basis: str
    imports: tuple[str, ...]
    reads: tuple[str, ...]
    mentions: tuple[str, ...]
    absent: tuple[str, ...]
    features: tuple[tuple[str, str, int], ...]
    counts: Counts
    bindings: tuple[str, ...]
    refused: bool
    found: tuple[Found, ...]
    unused: tuple[Found, ...]


def to_json(record: Record) -> list[Any]:
    """Return ``record`` as JSON."""
    values = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
    values["counts"] = [record.counts.sources, record.counts.features, record.counts.views]
    values["found"] = _found_json(record.found)
    values["unused"] = _found_json(record.unused)
    return list(values.values())


def from_json(data: Sequence[Any]) -> Record:
    """Return the record that ``to_json`` made ``data`` of."""
    (
        module, text, interface, exact, basis, imports, reads, mentions, absent,
        features, counts, bindings, refused, found, unused,
    ) = data  # fmt: skip
    return Record(
        module,
        text,
        interface,
        exact,
        basis,
        tuple(imports),
        tuple(reads),
        tuple(mentions),
        tuple(absent),
        tuple([(entity, name, version) for entity, name, version in features]),
        Counts(*counts),
        tuple(bindings),
        refused,
        tuple([Found(*one) for one in found]),
        tuple([Found(*one) for one in unused]),
    )


def _found_json(found: Sequence[Found]) -> list[list[Any]]:
    return [[one.code, one.error, one.data] for one in found]


_CLASSES = {made.__name__: made for made in (Diagnostic, Label, Span, Fix, Edit, Example)}


def found_of(diagnostic: Diagnostic) -> Found:
    """Return ``diagnostic`` as it is stored; raises :class:`UnstorableError`."""
    return Found(diagnostic.code.id, diagnostic.is_error, _encoded(diagnostic))


def diagnostic_of(found: Found, codes: Mapping[str, Code]) -> Diagnostic:
    """Return the diagnostic that ``found`` stores."""
    made: Diagnostic = _decoded(found.data, codes)
    return made


def _encoded(value: Any) -> Any:
    """Lists stand for tuples and, with a name in front, for objects."""
    if value is None or value.__class__ in (str, int, bool):
        return value
    if isinstance(value, tuple):
        return ["", *map(_encoded, value)]
    if isinstance(value, Code):
        return ["Code", value.id]
    kind = type(value).__name__
    if _CLASSES.get(kind) is not type(value):
        raise UnstorableError(kind)
    return [kind, *(_encoded(getattr(value, one.name)) for one in dataclasses.fields(value))]


def _decoded(value: Any, codes: Mapping[str, Code]) -> Any:
    if value.__class__ is not list:
        return value
    kind, *parts = value
    if kind == "Code":
        return codes[parts[0]]
    inner = [_decoded(part, codes) for part in parts]
    return tuple(inner) if kind == "" else _CLASSES[kind](*inner)
