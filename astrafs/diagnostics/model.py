"""Diagnostics: what is wrong, where, and what to do. A diagnostic is only ever made from its
code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from enum import StrEnum

from astrafs.record import dataclass
from astrafs.source import SourceFile, Span


class Severity(StrEnum):
    """How bad it is; only errors make a command fail."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Label:
    """A place that matters and what is there."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text of ``span`` with ``text``."""

    span: Span
    text: str

    @classmethod
    def before(cls, span: Span, text: str) -> Edit:
        """Put ``text`` in front of ``span``."""
        return cls(Span(span.path, span.start, span.start), text)

    @classmethod
    def after(cls, span: Span, text: str) -> Edit:
        """Put ``text`` behind ``span``."""
        return cls(Span(span.path, span.end, span.end), text)


@dataclass(frozen=True, slots=True)
class Fix:
    """A change that mends the problem; ``safe`` fixes never change the meaning of a correct
    program.
    """

    title: str
    edits: tuple[Edit, ...]
    safe: bool = True


@dataclass(frozen=True, slots=True)
class Example:
    """A counterexample as a ``test`` block; ``uses`` are the qualified names in it."""

    uses: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of problem. ``bad`` is a whole program that raises exactly this code; ``good``
    compiles clean.

    ``bad`` and ``good`` hold one file or several: a line ``# file: path.afs`` starts each further
    file. A code that only shows at run time has ``runtime=True`` and a test of its own instead of
    ``bad``/``good``.
    """

    id: str
    title: str
    explain: str
    bad: str = ""
    good: str = ""
    severity: Severity = Severity.ERROR
    runtime: bool = False

    def at(self, span: Span, text: str, *, title: str = "") -> Diagnostic:
        """Make a diagnostic: ``text`` says what is there; ``title`` names the problem more
        exactly.
        """
        return Diagnostic(self, title or self.title, Label(span, text))

    def nowhere(self, title: str = "") -> Diagnostic:
        """Make a diagnostic that has no place in a file (data, files, the command line)."""
        return Diagnostic(self, title or self.title, None)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem. Title names it, the primary label says what is there, helps say what to do."""

    code: Code
    title: str
    primary: Label | None
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    helps: tuple[str, ...] = ()
    fixes: tuple[Fix, ...] = ()
    picture: str = ""
    """Preformatted lines drawn under the source, such as the timeline of a leak."""
    example: Example | None = None
    """The rows of the picture as a program text."""

    def label(self, span: Span, text: str) -> Diagnostic:
        """Add a secondary place."""
        return replace(self, labels=(*self.labels, Label(span, text)))

    def note(self, text: str) -> Diagnostic:
        """Add a fact that explains."""
        return replace(self, notes=(*self.notes, text))

    def help(self, text: str) -> Diagnostic:
        """Add what the user can do."""
        return replace(self, helps=(*self.helps, text))

    def fix(self, title: str, *edits: Edit, safe: bool = True) -> Diagnostic:
        """Add a mechanical change."""
        return replace(self, fixes=(*self.fixes, Fix(title, edits, safe)))

    def draw(self, picture: str, example: Example | None = None) -> Diagnostic:
        """Add preformatted lines, and their rows."""
        return replace(self, picture=picture, example=example)

    @property
    def is_error(self) -> bool:
        """Whether a command must fail."""
        return self.code.severity is Severity.ERROR

    @property
    def sort_key(self) -> tuple[str, int, int, str, str]:
        """Source order, then code; the same on every run."""
        place = self.primary.span if self.primary else Span("", 0, 0)
        return place.path, place.start, place.end, self.code.id, self.title


@dataclass(slots=True)
class Sink:
    """Collects diagnostics as passes find them; a repeated one is kept once."""

    _found: dict[tuple[str, int, int, str, str], Diagnostic] = field(default_factory=dict)

    def emit(self, diagnostic: Diagnostic) -> None:
        """Record ``diagnostic``."""
        self._found.setdefault(diagnostic.sort_key, diagnostic)

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Record several."""
        for diagnostic in diagnostics:
            self.emit(diagnostic)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(sorted(self._found.values(), key=lambda found: found.sort_key))

    def __len__(self) -> int:
        return len(self._found)

    @property
    def has_errors(self) -> bool:
        """Whether any recorded diagnostic is an error."""
        return any(found.is_error for found in self._found.values())


class AstrafsError(Exception):
    """A failed operation, as diagnostics. The command line prints them; it never prints a
    traceback.

    ``files`` are the texts that the diagnostics point into, by path. As text, the error is what the
    command line prints.
    """

    def __init__(
        self, *diagnostics: Diagnostic, files: Mapping[str, SourceFile] | None = None
    ) -> None:
        super().__init__("; ".join(f"{found.code.id}: {found.title}" for found in diagnostics))
        self.diagnostics = diagnostics
        self.files: Mapping[str, SourceFile] = files or {}

    def __str__(self) -> str:
        from astrafs.diagnostics.render.text import render

        return render(self.diagnostics, self.files).rstrip()
