"""A token that does not fit, with what is known around it, and what was found out about it."""

from __future__ import annotations

from collections.abc import Sequence

from astrafs.diagnostics.model import Diagnostic
from astrafs.record import dataclass
from astrafs.source import Span
from astrafs.syntax.machine import Run
from astrafs.syntax.report import Reporter
from astrafs.syntax.token import Token
from astrafs.syntax.tokens import span_of
from astrafs.syntax.words import DECLARATIONS, SPELLING


@dataclass(frozen=True, slots=True)
class Finding:
    """The message; ``instead`` is read in place of the next ``consumed`` tokens if ``mends`` is
    set.
    """

    diagnostic: Diagnostic
    instead: tuple[Token, ...] = ()
    consumed: int = 0
    mends: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """Token ``index`` does not fit where ``run`` stands."""

    run: Run
    items: Sequence[Token]
    index: int
    report: Reporter

    @property
    def token(self) -> Token:
        """The token that does not fit."""
        return self.items[self.index]

    @property
    def previous(self) -> Token | None:
        """The token before it."""
        return self.items[self.index - 1] if self.index else None

    @property
    def next(self) -> Token:
        """The token after it."""
        return self.items[min(self.index + 1, len(self.items) - 1)]

    @property
    def span(self) -> Span:
        """The place of the token."""
        return span_of(self.report, self.token)

    @property
    def gap(self) -> Span:
        """The place just behind the token before."""
        at = self.previous.end_pos if self.previous else 0
        return self.report.span(at, at)

    def fits(self, *kinds: str) -> bool:
        """Whether the parser could go on with tokens of these kinds."""
        return self.run.machine.fits(self.run.stack, kinds)

    def make(self, kind: str, text: str = "") -> Token:
        """Return a token at the place of the one that does not fit."""
        text = text or SPELLING.get(kind, kind.lower())
        return self.token.moved(kind, text, self.token.start_pos, self.token.end_pos)

    def empty(self, kind: str) -> Token:
        """Return a token of no length before the one that does not fit."""
        at = self.gap.start
        return (self.previous or self.token).moved(kind, SPELLING.get(kind, kind.lower()), at, at)

    @property
    def rest_of_line(self) -> int:
        """How many tokens there are up to the next line, brace or definition, this one included."""
        at = self.index + 1
        while self.items[at].line == self.token.line and self.items[at].type not in (
            "FIELD", "LBRACE", "RBRACE", "OVER", "$END",
        ):  # fmt: skip
            at += 1
        return at - self.index

    @property
    def needs_more(self) -> bool:
        """Whether the item or declaration before the token cannot end where it does."""
        return not any(self.fits(kind) for kind in ("RBRACE", "BAD_DECL", "BAD_ITEM", "RPAR"))

    @property
    def may_start_item(self) -> bool:
        """Whether the token is the first on its line or in its list."""
        before = self.previous
        return (
            before is None
            or before.line != self.token.line
            or before.type in ("LBRACE", "LPAR", "COMMA", "ANNOTATION")
        )

    @property
    def at_declaration(self) -> bool:
        """Whether a declaration should begin here."""
        return self.fits("BAD_DECL")

    @property
    def in_view(self) -> bool:
        """Whether the token stands among the items of a view."""
        values = self.run.values
        for at in range(len(values) - 1, -1, -1):
            value = values[at]
            if isinstance(value, Token):
                if value.type in ("VIEW", "DATASET"):
                    head = values[at + 4 : at + 6]  # what it forbids may stand before the brace
                    open_ = any(isinstance(v, Token) and v.type == "LBRACE" for v in head)
                    return value.type == "VIEW" and open_
                if value.type in DECLARATIONS:
                    return False
        return False
