"""The braces of blocks, where the author forgot one or wrote another bracket.

A block without its brace would hide all that it declares, so braces are put right before brackets
are matched.
"""

from __future__ import annotations

from astrafs.diagnostics.codes import syntax as codes
from astrafs.diagnostics.model import Edit
from astrafs.syntax.report import Reporter
from astrafs.syntax.token import Token
from astrafs.syntax.tokens import span_of, spelling
from astrafs.syntax.words import CLOSERS, DECLARATIONS, NAME_LIKE, OPENERS

_ITEMS_NAMED = frozenset(["VIEW"])
_ITEMS_DEFINED = frozenset(["ENTITY", "REQUEST", "SOURCE", "TABLE", "STREAM", "FEATURES", "LABELS"])
_HEADER_LENGTH = {"VIEW": 4, "FEATURES": 3, "LABELS": 3}
"""How many tokens of a declaration belong to its header whatever they are."""


def starts_declaration(items: list[Token], index: int) -> bool:
    """Whether token ``index`` is a declaration's keyword with what must follow it."""
    follow = DECLARATIONS.get(items[index].type)
    if follow is None:
        return False
    if items[index].type == "VIEW" and index >= 2 and items[index - 2].type == "DATASET":
        return False  # the clause of a dataset
    after = items[index + 1].type
    return after in follow or ("NAME" in follow and after in NAME_LIKE)


def starts_line(items: list[Token], index: int) -> bool:
    """Whether token ``index`` is the first on its line."""
    return index == 0 or items[index - 1].line != items[index].line


def with_braces(items: list[Token], report: Reporter) -> list[Token]:
    """Return the tokens with a brace wherever a block has another bracket, or none.

    An added brace has no length.
    """
    fresh: list[Token] = []
    replaced: list[str] = []  # for each open bracket, what it was before it became a brace
    head = -1  # the declaration whose block is still to come
    depth = 0
    for index, token in enumerate(items):
        kind = token.type
        if head >= 0 and depth == 0 and _opens_block(items, head, index):
            fresh.append(_missing(items, index, report))
            replaced.append("")
            head, depth = -1, 1
        if depth == 0 and starts_declaration(items, index):
            head = index if kind in _ITEMS_DEFINED | _ITEMS_NAMED else -1
        elif depth > 0 and token.column == 1 and _starts_block(items, index):
            head, depth = index, 0
            replaced.clear()
        if kind in OPENERS:
            odd = head >= 0 and depth == 0 and kind != "LBRACE" and _holds_items(items, index)
            if odd:
                token = _instead(token, report)
            replaced.append(kind if odd else "")
            depth += 1
            if token.type == "LBRACE":
                head = -1
        elif kind in CLOSERS and replaced:
            depth -= 1
            if replaced.pop() == CLOSERS[kind]:
                token = token.moved("RBRACE", "}", token.start_pos, token.end_pos)
        fresh.append(token)
    return fresh


def _starts_block(items: list[Token], index: int) -> bool:
    return (
        items[index].type in _ITEMS_DEFINED | _ITEMS_NAMED
        and starts_line(items, index)
        and starts_declaration(items, index)
    )


def _opens_block(items: list[Token], head: int, index: int) -> bool:
    """Whether token ``index`` is the first item of the declaration at ``head``, which has no
    brace before it.
    """
    if index < head + _HEADER_LENGTH.get(items[head].type, 2) or not starts_line(items, index):
        return False
    kind = items[index].type
    if items[head].type in _ITEMS_NAMED:
        forbids = (
            items[index + 1].type == "TAGS"
            if kind == "FORBID"
            else (kind == "TAGS" and items[index - 1].type == "FORBID")
        )
        return kind in NAME_LIKE and not forbids and not starts_declaration(items, index)
    return kind in ("FIELD", "ANNOTATION")


def _missing(items: list[Token], index: int, report: Reporter) -> Token:
    before = items[index - 1]
    at = before.end_pos
    place = report.span(at, at)
    report.emit(
        codes.UNEXPECTED_TOKEN.at(
            place, "`{` is missing here", title=f"`{{` is missing after {spelling(before)}"
        )
        .help("the items of a block stand in braces")
        .fix("add `{`", Edit(place, " {"), safe=False)
    )
    return before.moved("LBRACE", "{", at, at)


def _holds_items(items: list[Token], index: int) -> bool:
    """Whether the bracket at ``index`` holds definitions, as only braces do."""
    return items[index + 1].type in ("FIELD", "ANNOTATION")


def _instead(token: Token, report: Reporter) -> Token:
    report.emit(
        codes.UNEXPECTED_TOKEN.at(
            span_of(report, token),
            "`{` is expected here",
            title=f"unexpected {spelling(token)}",
        )
        .help("the items of a block stand in braces")
        .fix("write `{`", Edit(span_of(report, token), "{"), safe=False)
    )
    return token.moved("LBRACE", "{", token.start_pos, token.end_pos)
