"""How the syntax stage reports: at most fifty problems a file, each place once."""

from __future__ import annotations

from dataclasses import field

from astrafs.diagnostics.model import Diagnostic, Sink
from astrafs.record import dataclass
from astrafs.source import SourceFile, Span

MOST_ERRORS = 50


@dataclass(slots=True)
class Reporter:
    """Passes diagnostics of one file to the sink until there are too many of them."""

    file: SourceFile
    sink: Sink
    count: int = 0
    errors: list[int] = field(default_factory=list)
    """Where the parser found the text wrong."""
    unmatched: list[tuple[int, Diagnostic]] = field(default_factory=list)
    """Closing brackets without partner; said in the end, unless an error before explains them."""
    lost: list[Span] = field(default_factory=list)
    """What recovery dropped: declarations in it are not in the tree."""
    damaged: set[int] = field(default_factory=set)
    """Where the keywords of the declarations stand that lost a part of their header."""
    tainted: list[tuple[int, int]] = field(default_factory=list)
    """Offset ranges in which a syntax error would only repeat what was already said."""

    def span(self, start: int, end: int) -> Span:
        """Return a span of this file."""
        return Span(self.file.path, start, end)

    def emit(self, diagnostic: Diagnostic) -> None:
        """Pass on ``diagnostic``; the last one that fits says that there were more."""
        self.count += 1
        if self.count < MOST_ERRORS:
            self.sink.emit(diagnostic)
        elif self.count == MOST_ERRORS:
            self.sink.emit(diagnostic.note(f"only the first {MOST_ERRORS} problems are shown"))

    @property
    def full(self) -> bool:
        """Whether nothing more will be shown, so that parsing may stop."""
        return self.count >= MOST_ERRORS

    def taint(self, start: int, end: int) -> None:
        """Mark a range whose problem has been reported."""
        self.tainted.append((start, end))

    def is_tainted(self, start: int, end: int) -> bool:
        """Whether the range touches one whose problem has been reported."""
        return any(low <= end and start <= high for low, high in self.tainted)
