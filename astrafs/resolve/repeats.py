"""The limit on what templates repeat: nested ``for`` multiply, and may declare nothing at all."""

from __future__ import annotations

from astrafs.diagnostics.codes import names as codes
from astrafs.diagnostics.model import Sink
from astrafs.record import dataclass
from astrafs.source import Span

MAX_REPEATS = 100_000


@dataclass(slots=True)
class Repeats:
    """Counts the items that templates repeat, in features and views alike, until there are too
    many.
    """

    count: int = 0

    def exhausted(self, span: Span, sink: Sink) -> bool:
        """Count one more item; reports the first too many, and returns whether there are."""
        self.count += 1
        if self.count == MAX_REPEATS + 1:
            sink.emit(
                codes.TOO_LARGE.at(
                    span,
                    f"this would be item number {self.count:,}",
                    title=f"the templates of a project repeat at most {MAX_REPEATS:,} items",
                ).help("run over fewer values, or nest fewer `for`")
            )
        return self.count > MAX_REPEATS
