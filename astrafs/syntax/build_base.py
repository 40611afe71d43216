"""What every reduction needs: spans, checked names, doc texts, clauses that may stand once."""

from __future__ import annotations

import re
from typing import Any

from astrafs.diagnostics.codes import syntax as codes
from astrafs.diagnostics.model import Diagnostic, Edit
from astrafs.source import Span
from astrafs.syntax import ast
from astrafs.syntax.report import Reporter
from astrafs.syntax.token import Token
from astrafs.syntax.tokens import Doc

LONGEST_NAME = 48
_LOWER = re.compile(r"[a-z][a-z0-9_]{0,47}\Z")
_ENTITY = re.compile(r"[A-Z][A-Za-z0-9]{0,47}\Z")
_TEMPLATE = re.compile(r"[a-z][a-z0-9_]*(\{[a-z][a-z0-9_]*\}[a-z0-9_]*)+\Z")
_PLACEHOLDER = re.compile(r"\{[^}]*\}")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class BaseBuilder:
    """State of one parse: the file, its doc texts, and where to report."""

    report: Reporter
    path: str
    module_name: str
    docs: dict[int, Doc]
    too_large: dict[int, Span]

    def start(self, report: Reporter, module_name: str, docs: dict[int, Doc]) -> None:
        """Make ready for a file."""
        self.report = report
        self.path = report.file.path
        self.module_name = module_name
        self.docs = docs
        self.too_large = {}
        self._misnamed: dict[str, str] = {}

    def emit(self, diagnostic: Diagnostic) -> None:
        """Report a problem, unless it is the echo of one that was mended here."""
        place = diagnostic.primary
        if place is None or not self.report.is_tainted(place.span.start, place.span.end):
            self.report.emit(diagnostic)

    def place(self, token: Token) -> Span:
        """Return the span of a token."""
        return Span(self.path, token.start_pos, token.end_pos)

    def between(self, first: Token | Span, last: Token | Span) -> Span:
        """Return the span from the start of ``first`` to the end of ``last``."""
        start = first.start if isinstance(first, Span) else first.start_pos
        end = last.end if isinstance(last, Span) else last.end_pos
        return Span(self.path, start, end)

    def doc(self, token: Token) -> str:
        """Take the doc text that stands before ``token``."""
        return self.doc_at(token.start_pos)

    def doc_at(self, offset: int) -> str:
        """Take the doc text that stands before the token at ``offset``."""
        found = self.docs.pop(offset, None)
        return found.text if found is not None else ""

    def once(self, clauses: list[Any]) -> dict[str, Any]:
        """Return the values of clauses ``[word, keyword, value, ...]`` by word; a second one is
        reported.
        """
        found: dict[str, Any] = {}
        first: dict[str, Token] = {}
        for word, keyword, value, *end in clauses:
            if word in found:
                problem = codes.DUPLICATE_CLAUSE.at(self.place(keyword), f"a second `{word}`")
                problem = problem.label(self.place(first[word]), "the first one")
                if end and isinstance(end[0], Span):
                    whole = self.place(keyword).to(end[0])
                    problem = problem.fix("delete this one", Edit(whole, ""), safe=False)
                self.emit(problem)
                continue
            found[word] = value
            first[word] = keyword
        return found

    def lower_name(self, token: Token) -> ast.Ident:
        """Return the name of anything but an entity or request."""
        text = str(token)
        if not _LOWER.match(text):
            text = self._odd_name(token, text, entity=False)
        return ast.Ident(text, Span(self.path, token.start_pos, token.end_pos))

    def entity_name(self, token: Token) -> ast.Ident:
        """Return the name of an entity or request."""
        text = str(token)
        if not _ENTITY.match(text):
            text = self._odd_name(token, text, entity=True)
        return ast.Ident(text, Span(self.path, token.start_pos, token.end_pos))

    def any_name(self, token: Token) -> ast.Ident:
        """Return a name that may be of either kind, as its first letter says."""
        text = self._misnamed.get(str(token), str(token))
        if not _LOWER.match(text) and not _ENTITY.match(text):
            entity = text[:1].isupper() and "_" not in text
            text = self._odd_name(token, text, entity=entity)
        return ast.Ident(text, Span(self.path, token.start_pos, token.end_pos))

    def _odd_name(self, token: Token, text: str, *, entity: bool) -> str:
        """Return what ``text``, which the plain pattern does not fit, was meant to be, reporting
        what is wrong with it.
        """
        span = self.place(token)
        if text.startswith("`"):
            inner = text[1:-1]
            if not _LOWER.match(inner):
                self.emit(
                    codes.BAD_QUOTED_NAME.at(span, "this is no name")
                    .help("back-quotes let a reserved word be a name; other rules stay as they are")
                    .help('a column with another name in its file: `name: type from "Column Name"`')
                )
            return inner
        if not entity and _TEMPLATE.match(text):
            shortest = len(_PLACEHOLDER.sub("", text))
            if shortest > LONGEST_NAME:
                self._too_long(span, shortest)
            return text
        if not text:
            return text
        if text in self._misnamed:
            return self._misnamed[text]
        self._misnamed[text] = text
        if len(_PLACEHOLDER.sub("", text)) > LONGEST_NAME:
            self._too_long(span, len(text))
        elif entity:
            right = camel_case(text)
            found = codes.BAD_ENTITY_NAME.at(span, "an entity or request starts with a capital")
            if right:
                found = found.help(f"write `{right}`").fix(
                    f"write `{right}`", Edit(span, right), safe=False
                )
                self._misnamed[text] = right
            self.emit(found.note("it consists of letters and digits"))
        else:
            right = snake_case(text)
            found = codes.BAD_NAME.at(span, "this name is not in lower case")
            if text.startswith("_"):
                found = codes.BAD_NAME.at(span, "a name starts with a letter")
            if right:
                found = found.help(f"write `{right}`").fix(
                    f"write `{right}`", Edit(span, right), safe=False
                )
                self._misnamed[text] = right
            self.emit(found.note("names consist of a-z, 0-9 and _"))
        return self._misnamed[text]

    def _too_long(self, span: Span, length: int) -> None:
        self.emit(
            codes.NAME_TOO_LONG.at(
                span, f"this name has {length} characters; at most {LONGEST_NAME} are allowed"
            )
        )


def snake_case(text: str) -> str:
    """Return ``text`` as the name of a column or feature, or an empty string if that is not
    possible.
    """
    right = _HUMP.sub("_", text).lower().strip("_")
    return right if _LOWER.match(right) or _TEMPLATE.match(right) else ""


def camel_case(text: str) -> str:
    """Return ``text`` as the name of an entity, or an empty string if that is not possible."""
    right = "".join(part[:1].upper() + part[1:] for part in text.split("_"))
    return right if _ENTITY.match(right) else ""
