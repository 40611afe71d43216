"""From text to the tokens that the parser reads: literals are valued, comments set aside, fields
marked.

Mistakes that show in a token alone are reported here, and mended so that the parser does not trip
over them again.
"""

from __future__ import annotations

import re
from dataclasses import field

from astrafs.diagnostics.codes import syntax as codes
from astrafs.diagnostics.model import Edit
from astrafs.record import dataclass
from astrafs.source import Span
from astrafs.syntax.literals import (
    UNIT_WORDS,
    UNITS,
    VAGUE_UNITS,
    BadLiteral,
    bad_unit,
    read_numeric,
    read_string,
)
from astrafs.syntax.report import Reporter
from astrafs.syntax.scan import Scanner
from astrafs.syntax.token import Token
from astrafs.syntax.words import NAME_LIKE, OPERAND_END, RESERVED_TYPES, SPELLING


@dataclass(slots=True)
class Doc:
    """The text of a run of ``##`` lines and where it stands."""

    text: str
    span: Span


@dataclass(slots=True)
class Tokens:
    """The tokens of a file, ``$END`` last; ``docs`` by the offset of the token that they
    precede.
    """

    items: list[Token]
    docs: dict[int, Doc] = field(default_factory=dict)
    comments: list[Token] = field(default_factory=list)


_DOC_SIGN = re.compile(r"(?:\A|\n[ \t]*|(?=##))(?P<sign>##)")


def span_of(report: Reporter, token: Token) -> Span:
    """Return the place of ``token``."""
    return report.span(token.start_pos, token.end_pos)


def tokenize(scanner: Scanner, text: str, report: Reporter) -> Tokens:
    """Return the tokens of ``text`` with values and marks, reporting what is wrong with single
    ones.
    """
    result = Tokens([])
    items = result.items
    docs: list[Token] = []
    line_of_code = 0
    skip_to = 0
    for token in scanner.scan(text):
        if report.full:
            break
        kind = token.type
        if token.start_pos < skip_to:
            continue
        if kind == "COMMENT":
            result.comments.append(token)
            if token.startswith("##") and not token.startswith("###"):
                if token.line == line_of_code:
                    _stray_doc(report, span_of(report, token), "it stands behind code")
                else:
                    docs.append(token)
            continue
        if kind == "NUMERIC":
            token = _numeric(token, report)
        elif kind == "STRING":
            _string(token, report)
        elif kind == "FOREIGN":
            mended, skip_to = _foreign(token, items, text, report)
            if mended is None:
                continue
            token = mended
        elif kind == "OPEN_STRING":
            report.emit(
                codes.OPEN_STRING.at(span_of(report, token), "this text does not end on its line")
                .help('close it with `"`; a line break inside a text is written `\\n`')
                .fix('add `"`', Edit.after(span_of(report, token), '"'), safe=False)
            )
            report.taint(token.start_pos, token.end_pos + 1)
            token = token.retyped("STRING", token.value[1:])
        elif kind == "QUOTED":
            token = _single_quoted(token, report)
        elif kind == "STRANGE":
            _strange(token, report)
            continue
        if docs:
            result.docs[token.start_pos] = _doc(docs, report)
            docs = []
        line_of_code = token.line
        items.append(token)
    if docs:
        found = _doc(docs, report)
        _stray_doc(report, found.span, "no declaration follows it")
    size = len(text)
    line = items[-1].line if items else 1
    items.append(Token("$END", "", size, size, line, 1))
    _mark(items, report)
    return result


def _doc(lines: list[Token], report: Reporter) -> Doc:
    texts = [line[3:] if line.startswith("## ") else line[2:] for line in lines]
    span = report.span(lines[0].start_pos, lines[-1].end_pos)
    return Doc("\n".join(text.rstrip() for text in texts), span)


def _stray_doc(report: Reporter, span: Span, why: str) -> None:
    signs = (
        match.start("sign") for match in _DOC_SIGN.finditer(report.file.text, span.start, span.end)
    )
    report.emit(
        codes.STRAY_DOC.at(span, f"this `##` text describes nothing: {why}")
        .help("put it on the lines before a declaration, or start it with a single `#`")
        .fix("make it a comment", *(Edit(report.span(at, at + 1), "") for at in signs))
    )


def stray_docs(tokens: Tokens, report: Reporter) -> None:
    """Report the doc texts that no declaration has taken out of ``tokens.docs``."""
    for doc in tokens.docs.values():
        _stray_doc(report, doc.span, "what follows takes no description")


def report_bad_literal(found: BadLiteral, span: Span, report: Reporter) -> None:
    """Emit the diagnostic of a literal that is wrong."""
    diagnostic = found.code.at(span, found.text)
    if found.help:
        diagnostic = diagnostic.help(found.help)
    if found.fix:
        edit = Edit(span, found.fix)
        diagnostic = diagnostic.fix(f"write `{found.fix}`", edit, safe=found.safe)
    report.emit(diagnostic)


def _numeric(token: Token, report: Reporter) -> Token:
    found = read_numeric(str(token))
    if isinstance(found, BadLiteral):
        report_bad_literal(found, span_of(report, token), report)
        from_fix = read_numeric(found.fix) if found.fix else found
        value = 0 if isinstance(from_fix, BadLiteral) else from_fix.value
        return token.retyped(found.type, value)
    return token.retyped(found.type, found.value)


def _string(token: Token, report: Reporter) -> None:
    value, problems = read_string(str(token))
    for start, end, what in problems:
        if report.full:
            break
        place = report.span(token.start_pos + start, token.start_pos + end)
        report.emit(
            codes.BAD_ESCAPE.at(place, what)
            .help('the escapes are \\n, \\t, \\", \\\\ and \\u{1F600}')
            .fix("write a plain backslash as `\\\\`", Edit.before(place, "\\"), safe=False)
        )
    token.value = value


def _single_quoted(token: Token, report: Reporter) -> Token:
    span = span_of(report, token)
    closed = len(token) > 1 and (token[0] != "'" or token[-1] == "'")
    body = token[1:-1] if closed else token[1:]
    found = codes.SINGLE_QUOTES.at(span, "single quotes mean nothing here")
    if token[0] != "'":
        found = codes.UNKNOWN_CHARACTER.at(span, "these quotes mean nothing here")
    if closed:
        right = '"' + body.replace("\\", "\\\\").replace('"', '\\"') + '"'
        found = found.help(f"write {right}").fix("use double quotes", Edit(span, right))
    else:
        found = found.help("texts stand in double quotes, comments start with `#`")
    report.emit(found)
    report.taint(span.start, span.end + 1)
    return token.retyped("STRING", body)


COMPARED = OPERAND_END - {"RPAR"}
"""What may stand before a comparison, but not before the result of a function."""

_MENDED = {
    "&&": ("AND", "and"),
    "||": ("OR", "or"),
    "!": ("NOT", "not"),
    "<>": ("CMP", "!="),
    "===": ("CMP", "=="),
    "!==": ("CMP", "!="),
    ":=": ("EQUAL", "="),
    "=>": ("ARROW", "->"),
    "**": ("STAR", ""),
    "+=": ("EQUAL", ""),
    "-=": ("EQUAL", ""),
}


def _foreign(
    token: Token, before: list[Token], text: str, report: Reporter
) -> tuple[Token | None, int]:
    """Return the token meant, if any, and the offset up to which the text is to be skipped."""
    span = span_of(report, token)
    found = codes.FOREIGN_OPERATOR.at(span, f"`{token}` is not part of the language")
    if token == "/*":
        close = text.find("*/", span.end)
        end = close + 2 if close != -1 else len(text)
        report.emit(found.help("comments start with `#` and end with the line"))
        report.taint(span.start, end)
        return None, end
    if token == "--":
        if before and before[-1].type in OPERAND_END and before[-1].line == token.line:
            report.emit(found.help("write `- -x` for the difference of a negative value"))
            return token.moved("MINUS", "-", span.start, span.end), 0
        end = text.find("\n", span.end)
        end = end if end != -1 else len(text)
        report.emit(found.help("comments start with `#`").fix("use `#`", Edit(span, "#")))
        report.taint(span.start, end)
        return None, end
    if token == "**":
        found = found.help("write `pow(x, y)`")
    if token == "=>" and before and before[-1].type in COMPARED:
        report.emit(found.help("write `>=`").fix("write `>=`", Edit(span, ">=")))
        return token.moved("CMP", ">=", span.start, span.end), 0
    ended = before and before[-1].type in OPERAND_END | {"QMARK"}
    if token == "!" and ended and before[-1].line == token.line:
        report.emit(found.help("delete it").fix("delete `!`", Edit(span, "")))
        return None, 0
    kind, right = _MENDED[str(token)]
    if right:
        spaced = right + " " if token == "!" else right
        found = found.help(f"write `{right}`").fix(f"write `{right}`", Edit(span, spaced))
    report.emit(found)
    return token.moved(kind, right or SPELLING[kind], span.start, span.end), 0


_LOOKALIKES = {
    "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u2018": '"', "\u2019": '"', "\u00ab": '"',
    "\u00bb": '"', "\u2013": "-", "\u2014": "-", "\u2212": "-", "\u00d7": "*", "\u00f7": "/",
    "\u2264": "<=", "\u2265": ">=", "\u2260": "!=", "\u00a0": " ", "\u3000": " ", "\uff1a": ":",
    "\uff0c": ",", "\uff08": "(", "\uff09": ")", "\u2192": "->", "\u2026": "...",
}  # fmt: skip

_NOT_ALONE = ('"', "...")
"""A quote belongs to another one, and three dots mean nothing."""


def _strange(token: Token, report: Reporter) -> None:
    span = span_of(report, token)
    if report.tainted and report.tainted[-1][1] == span.start + 1:
        report.tainted[-1] = (report.tainted[-1][0], span.end + 1)
        return
    report.taint(span.start - 1, span.end + 1)
    if token == ";":
        report.emit(
            codes.STRAY_SEPARATOR.at(span, "nothing separates declarations or lines")
            .help("delete it")
            .fix("delete `;`", Edit(span, ""))
        )
        return
    point = f"U+{ord(str(token)):04X}"
    if token == '"':
        found = codes.OPEN_STRING.at(span, "this text does not end on its line")
    elif str(token).isascii():
        found = codes.UNKNOWN_CHARACTER.at(span, f"`{token}` has no meaning here")
    else:
        found = codes.UNKNOWN_CHARACTER.at(
            span, f"`{token}` ({point}) stands outside texts and comments"
        )
        right = _LOOKALIKES.get(str(token))
        if right and right != " ":
            found = found.help(f"did you mean `{right}`?")
            if right not in _NOT_ALONE:
                found = found.fix(f"write `{right}`", Edit(span, right))
        elif right:
            found = found.fix("write a plain space", Edit(span, right))
        elif not right:
            found = found.help("names are ASCII; put other letters into texts or comments")
    report.emit(found)


def _mark(items: list[Token], report: Reporter) -> None:
    """Mark fields, turn ``each`` and unit words into what they mean, in place."""
    merged: set[int] = set()
    for index in range(len(items) - 1):
        token, after = items[index], items[index + 1]
        kind = token.type
        if kind == "INT" and after.type == "NAME":
            word = str(after)
            if (
                (word in UNIT_WORDS or word in VAGUE_UNITS or word in UNITS)
                and after.line == token.line
                and items[index + 2].type not in ("COLON", "EQUAL", "LPAR", "LSQB", "DOT")
            ):
                found = bad_unit(str(token), word)
                span = report.span(token.start_pos, after.end_pos)
                report_bad_literal(found, span, report)
                right = read_numeric(found.fix) if found.fix else found
                value = 0 if isinstance(right, BadLiteral) else right.value
                items[index] = token.moved("DURATION", str(token), span.start, span.end)
                items[index].value = value
                merged.add(index + 1)
            continue
        if kind not in NAME_LIKE and kind not in RESERVED_TYPES:
            continue
        if after.type == "COLON" or (after.type == "VERSION" and items[index + 2].type == "COLON"):
            if kind in RESERVED_TYPES:
                before = items[index - 1] if index else None
                if not (
                    before is None
                    or before.line != token.line
                    or before.type in ("LBRACE", "LPAR", "COMMA")
                ):
                    continue
                reserved_name(token, report)
            items[index] = token.retyped("FIELD", str(token))
        elif (kind == "EACH" and after.type not in NAME_LIKE) or (
            kind == "UNION" and after.type != "LPAR"
        ):
            items[index] = token.retyped("NAME", str(token))
    if merged:
        items[:] = [token for index, token in enumerate(items) if index not in merged]


def reserved_name(token: Token, report: Reporter) -> None:
    """Report a reserved word where a name is wanted."""
    span = span_of(report, token)
    report.emit(
        codes.RESERVED_WORD.at(span, f"`{token}` is a word of the language")
        .help(f"write it in back-quotes: `` `{token}` ``")
        .fix("put it in back-quotes", Edit(span, f"`{token}`"))
    )


def spelling(token: Token) -> str:
    """Return how a message shows ``token``."""
    if token.type == "$END":
        return "the end of the file"
    text = str(token) or SPELLING.get(token.type, token.type)
    return f"`{text}`" if len(text) <= 40 else f"`{text[:37]}...`"
