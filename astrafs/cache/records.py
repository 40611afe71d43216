"""One module as the cache remembers it, and the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from astrafs.diagnostics.model import Code, Diagnostic, Edit, Fix, Label, Severity
from astrafs.record import dataclass
from astrafs.source import Span


class Damaged(ValueError):
    """What was read is not what was written."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many sources, features and views a module declares."""

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
    """A diagnostic with its code by name, so that reading a record loads no code."""

    code: str
    error: bool
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """A module as it was when it was checked.

    ``text`` is the digest of its text; ``interface`` of all that other modules can see of it.
    ``basis`` maps every module that it depends on, at any distance, to the digest that counted: of
    its interface, or (``exact``) of its text. ``imports`` and ``reads`` are modules that its ``use``
    lines and its plan name, ``mentions`` the names that stand behind a dot and may be features of
    any module. ``features`` are ``(entity, name, version)``. ``refused`` says that it had errors
    other than leaks; ``unused`` holds the warnings about imports, None where they are not known.
    """

    module: str
    text: str
    interface: str
    exact: bool
    basis: Mapping[str, str]
    imports: tuple[str, ...]
    reads: tuple[str, ...]
    mentions: tuple[str, ...]
    features: tuple[tuple[str, str, int], ...]
    counts: Counts
    bindings: tuple[str, ...]
    refused: bool
    found: tuple[Found, ...]
    unused: tuple[Found, ...] | None


def to_json(record: Record) -> list[Any]:
    """Return ``record`` as JSON."""
    unused = record.unused
    return [
        record.module,
        record.text,
        record.interface,
        record.exact,
        dict(record.basis),
        record.imports,
        record.reads,
        record.mentions,
        record.features,
        [record.counts.sources, record.counts.features, record.counts.views],
        record.bindings,
        record.refused,
        [_found_json(one) for one in record.found],
        None if unused is None else [_found_json(one) for one in unused],
    ]


def from_json(data: Any) -> Record:
    """Return the record that ``data`` holds; raises :class:`Damaged`."""
    try:
        (
            module, text, interface, exact, basis, imports, reads, mentions,
            features, counts, bindings, refused, found, unused,
        ) = data  # fmt: skip
        return Record(
            _text(module),
            _text(text),
            _text(interface),
            _flag(exact),
            {_text(name): _text(digest) for name, digest in basis.items()},
            _texts(imports),
            _texts(reads),
            _texts(mentions),
            tuple([(_text(entity), _text(name), int(at)) for entity, name, at in features]),
            Counts(*map(int, counts)),
            _texts(bindings),
            _flag(refused),
            tuple([_found(one) for one in found]),
            None if unused is None else tuple([_found(one) for one in unused]),
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise Damaged(str(error)) from None


def _text(value: Any) -> str:
    if value.__class__ is not str:
        raise Damaged("a text is wanted")
    found: str = value
    return found


def _texts(values: Any) -> tuple[str, ...]:
    if values.__class__ is not list:
        raise Damaged("a list is wanted")
    return tuple([_text(value) for value in values])


def _flag(value: Any) -> bool:
    if value.__class__ is not bool:
        raise Damaged("a truth value is wanted")
    return bool(value)


def _found_json(found: Found) -> list[Any]:
    return [found.code, found.error, found.data]


def _found(data: Any) -> Found:
    code, error, rest = data
    made = Found(_text(code), _flag(error), rest)
    diagnostic_of(made, Code(made.code, "", "", severity=severity_of(made)))  # it must be readable
    return made


def severity_of(found: Found) -> Severity:
    """Return how bad it is."""
    return Severity.ERROR if found.error else Severity.WARNING


def found_of(diagnostic: Diagnostic) -> Found:
    """Return ``diagnostic`` as it is stored."""
    primary = diagnostic.primary
    return Found(
        diagnostic.code.id,
        diagnostic.is_error,
        {
            "title": diagnostic.title,
            "primary": None if primary is None else _label_json(primary),
            "labels": [_label_json(one) for one in diagnostic.labels],
            "notes": list(diagnostic.notes),
            "helps": list(diagnostic.helps),
            "fixes": [
                [fix.title, fix.safe, [[*_span_json(one.span), one.text] for one in fix.edits]]
                for fix in diagnostic.fixes
            ],
            "picture": diagnostic.picture,
        },
    )


def diagnostic_of(found: Found, code: Code) -> Diagnostic:
    """Return the diagnostic that ``found`` stores; raises :class:`Damaged`."""
    data = found.data
    try:
        primary = data["primary"]
        return Diagnostic(
            code,
            _text(data["title"]),
            None if primary is None else _label(primary),
            tuple([_label(one) for one in data["labels"]]),
            _texts(data["notes"]),
            _texts(data["helps"]),
            tuple(
                [
                    Fix(
                        _text(title),
                        tuple([Edit(_span(path, at, to), _text(text)) for path, at, to, text in edits]),
                        _flag(safe),
                    )
                    for title, safe, edits in data["fixes"]
                ]
            ),
            _text(data["picture"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Damaged(str(error)) from None


def _span_json(span: Span) -> list[Any]:
    return [span.path, span.start, span.end]


def _span(path: Any, start: Any, end: Any) -> Span:
    if start.__class__ is not int or end.__class__ is not int or not 0 <= start <= end:
        raise Damaged("a range is wanted")
    return Span(_text(path), start, end)


def _label_json(label: Label) -> list[Any]:
    return [*_span_json(label.span), label.text]


def _label(data: Any) -> Label:
    path, start, end, text = data
    return Label(_span(path, start, end), _text(text))
