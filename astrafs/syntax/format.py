"""The formatter: one style of spaces, indents and blank lines.

Tokens and comments are moved, none is added or dropped, so a formatted program means what it meant.
Rules:

* two spaces of indent a block, and two more for the further lines of an item or header;
* every declaration and every item starts a line; a short block written on one line stays there;
* an item takes one line; of more than 100 columns, it breaks before the operators that bind least,
  then inside its brackets, and wherever a comment stands in it;
* the clauses of a source, table, stream or dataset stand on one line, or each on its own;
* an opening brace ends the header's line, or stands alone if the clauses have their own;
* in blocks of columns and fields the types stand below one another, as do names after clause words;
* at most one blank line, and always one around declarations that take several lines;
* one space between tokens where any, two before a comment behind code.
"""

from __future__ import annotations

from dataclasses import field

from astrafs.diagnostics.model import Sink
from astrafs.record import dataclass
from astrafs.source import SourceFile
from astrafs.syntax.braces import starts_declaration
from astrafs.syntax.characters import BYTE_ORDER_MARK
from astrafs.syntax.headers import Header, headers
from astrafs.syntax.machine import machine
from astrafs.syntax.parse import parse_module
from astrafs.syntax.report import Reporter
from astrafs.syntax.token import Token
from astrafs.syntax.tokens import tokenize
from astrafs.syntax.words import CLOSERS, NAME_LIKE, OPENERS, OPERAND_END, SOFT_TYPES
from astrafs.syntax.wrap import INDENT, WIDTH, Piece, width, wrap

MOST_ROUNDS = 5
"""Lines that become long or short in one round may call for blank lines in the next."""

_TIGHT_BEFORE = frozenset(
    ["RPAR", "RSQB", "COMMA", "COLON", "QMARK", "DOT", "VERSION", "CIRCUMFLEX"]
)
_TIGHT_AFTER = frozenset(["LPAR", "LSQB", "DOT", "CIRCUMFLEX"])
_COLUMNS = frozenset(["SOURCE", "TABLE", "STREAM", "REQUEST", "ENTITY"])
_NAMING = frozenset(["FROM", "COMMA", "AS", "TIME", "KNOWN", "KEY", "LABEL", "SPINE", "BY"])
_ITEM_START = frozenset(["FIELD", "ANNOTATION", "FOR", "EXPECT"])


def format_module(file: SourceFile) -> str:
    """Return the text of ``file`` in the one style; a text with syntax errors comes back as it
    is.
    """
    sink = Sink()
    parse_module(file, "formatted", sink)
    if sink.has_errors:
        return file.text
    text = before = file.text.removeprefix(BYTE_ORDER_MARK)
    for _ in range(MOST_ROUNDS):
        report = Reporter(SourceFile(file.path, text), Sink())
        tokens = tokenize(machine().scanner, text, report)
        code = tokens.items[:-1]
        pieces = sorted([*code, *tokens.comments], key=lambda token: token.start_pos)
        result = _Printer(pieces, tokens.items).text()
        if result == text:
            break
        text = result
    return text if _same_tokens(before, text) else file.text


def _same_tokens(before: str, after: str) -> bool:
    """Whether both texts have the same tokens; spaces at the end of a comment do not count."""
    scan = machine().scanner.scan
    return [(t.type, t.rstrip()) for t in scan(before)] == [
        (t.type, t.rstrip()) for t in scan(after)
    ]


@dataclass(slots=True)
class _Open:
    """An open bracket: what it is, and whether its items get lines of their own."""

    kind: str
    spread: bool
    keyword: str
    field: int
    """How long the longest name before a `:` is where types stand below one another, else 0."""


@dataclass(slots=True)
class _Printer:
    pieces: list[Token]
    code: list[Token]
    lines: list[str] = field(default_factory=list)
    line: list[Piece] = field(default_factory=list)
    indent: str = ""
    headers: dict[int, Header] = field(default_factory=dict)
    header: Header | None = None
    stack: list[_Open] = field(default_factory=list)
    index: dict[int, int] = field(default_factory=dict)
    following: list[Token] = field(default_factory=list)
    broken_header: bool = False

    def text(self) -> str:
        """Return the whole text."""
        self.index = {token.start_pos: at for at, token in enumerate(self.code)}
        self.following = self._following()
        starts = self._declarations()
        several = self._several_lines(starts)
        self.headers = headers(self.code, starts)
        before: Token | None = None
        older: Token | None = None
        current, keyword = -1, ""
        for at, token in enumerate(self.pieces):
            top = not any(entry.spread for entry in self.stack)
            comment = token.type == "COMMENT"
            head = self._head(at, starts) if top and not self.stack else None
            same_line = before is not None and before.line == token.line
            if before is not None:
                if comment and same_line:
                    pass
                elif head is not None and not (same_line and head != token.start_pos):
                    self._end_line()
                    fresh = head if head != current else -1
                    if fresh != -1 and self._first_of(at):
                        wide = several.get(fresh, False) or several.get(current, False)
                        if wide or self._blank_between(before, token):
                            self._blank()
                    elif self._blank_between(before, token) and (
                        comment or before.type == "COMMENT"
                    ):
                        self._blank()
                elif self._needs_break(before, token, same_line):
                    self._end_line()
                    self.broken_header |= not self.stack
                    if (
                        token.type != "RBRACE"
                        and before.type != "LBRACE"
                        and self.stack
                        and self._blank_between(before, token)
                    ):
                        self._blank()
            if head is not None and token.start_pos in starts:
                current, keyword = token.start_pos, token.type
                self.header = self.headers.get(current)
                self.broken_header = False
            if token.type in CLOSERS and self.stack:
                self.stack.pop()
            space = ""
            if not self.line:
                self.indent = INDENT * self._level(token, head)
            elif comment and same_line:
                space = "  "
            else:
                assert before is not None
                space = " " * self._spaces(older, before, token)
            self.line.append(Piece(space, token.rstrip(), token.type))
            if token.type in OPENERS:
                is_use = token.type == "LBRACE" and before is not None and before.type == "DOT"
                spread = token.type == "LBRACE" and not is_use and not self._short(at)
                self.stack.append(
                    _Open(token.type, spread, keyword, self._longest_field(token, keyword, spread))
                )
            older, before = (before, token) if not comment else (older, token)
        self._end_line()
        return "\n".join(self.lines) + "\n" if self.lines else ""

    # --- where lines end ---

    def _following(self) -> list[Token]:
        """Return for each piece the first piece from there on that is no comment, ``$END`` last."""
        found: list[Token] = []
        after = self.code[-1]
        for token in reversed(self.pieces):
            if token.type != "COMMENT":
                after = token
            found.append(after)
        return found[::-1]

    def _declarations(self) -> set[int]:
        """Return the offsets at which declarations start, and that of the end."""
        found = {self.code[-1].start_pos}
        depth = 0
        for at, token in enumerate(self.code[:-1]):
            depth -= token.type in CLOSERS
            if depth == 0 and starts_declaration(self.code, at):
                before = self.code[at - 1].type if at else ""
                clause = token.type == "VIEW" and self.code[at + 2].type != "FOR"
                if not clause and before not in _NAMING:
                    found.add(token.start_pos)
            depth += token.type in OPENERS
        return found

    def _several_lines(self, starts: set[int]) -> dict[int, bool]:
        found: dict[int, bool] = {}
        current, line = -1, 0
        for token in self.code[:-1]:
            if token.start_pos in starts:
                current, line = token.start_pos, token.line
                found[current] = False
            elif token.line != line and current != -1:
                found[current] = True
        return found

    def _head(self, at: int, starts: set[int]) -> int | None:
        """Return the declaration that ``pieces[at]`` starts or leads up to as a comment, if any."""
        start = self.following[at].start_pos
        return start if start in starts else None

    def _first_of(self, at: int) -> bool:
        """Whether no other comment of the same declaration comes before ``pieces[at]``."""
        before = self.pieces[at - 1]
        if before.type != "COMMENT":
            return True
        return at >= 2 and self.pieces[at - 2].line == before.line

    def _needs_break(self, before: Token, token: Token, same_line: bool) -> bool:
        if before.type == "COMMENT":
            return True
        inner = self.stack[-1] if self.stack else None
        if inner is None and token.type == "LBRACE":
            return self.broken_header
        if token.type == "RBRACE" and inner is not None and inner.kind == "LBRACE":
            return inner.spread and before.type != "LBRACE"
        if inner is not None and inner.kind == "LBRACE":
            if not inner.spread:
                return False
            if before.type == "LBRACE":
                return True
            if token.type in ("FIELD", "FOR"):
                return before.type != "ANNOTATION" and not (same_line and self._after_mark(before))
            if before.type == "RBRACE":
                return True
            if token.type == "EXPECT" and (before.type in OPERAND_END or before.type == "QMARK"):
                return True
        return self._starts_item(before, token, same_line)

    def _starts_item(self, before: Token, token: Token, same_line: bool) -> bool:
        """Whether ``token``, which no item begins with for sure, stands on a line of its own."""
        if token.type == "COMMENT":
            return not same_line
        if not self.stack:
            return self.header is not None and token.start_pos in self.header.own_lines
        inner = self.stack[-1]
        if inner.kind != "LBRACE":
            return False
        if token.type == "ANNOTATION":
            return not (same_line and self._after_mark(before))
        if token.type not in NAME_LIKE:
            return False
        if inner.keyword == "VIEW":
            return before.type not in ("DOT", "AS", "FOR")
        return inner.keyword == "TEST" and self._after(token).type == "LBRACE"

    def _after(self, token: Token) -> Token:
        """Return the token after ``token`` that is no comment."""
        return self.code[self.index[token.start_pos] + 1]

    def _longest_field(self, opener: Token, keyword: str, spread: bool) -> int:
        """Return the length of the longest name that a block of columns or fields gives a type."""
        if not spread or keyword not in _COLUMNS:
            return 0
        longest = depth = 0
        for token in self.code[self.index[opener.start_pos] + 1 :]:
            depth += (token.type in OPENERS) - (token.type in CLOSERS)
            if depth < 0:
                break
            if depth == 0 and token.type == "FIELD":
                longest = max(longest, len(token))
        return longest

    def _after_mark(self, before: Token) -> bool:
        """Whether ``before`` ends an annotation, which may share the line of its feature."""
        index = self.index[before.start_pos]
        while index > 0 and self.code[index].line == before.line:
            if self.code[index].type == "ANNOTATION":
                return True
            if self.code[index].type in ("FIELD", "EQUAL"):
                return False
            index -= 1
        return False

    def _short(self, at: int) -> bool:
        """Whether the block that opens at ``pieces[at]`` stands on one line and may stay there."""
        depth, size = 0, 0
        line = self.pieces[at].line
        taken = len(self.indent) + width(self.line) - 1
        for token in self.pieces[at:]:
            if token.line != line or token.type == "COMMENT":
                return False
            size += len(token) + 1
            depth += (token.type in OPENERS) - (token.type in CLOSERS)
            if depth == 0:
                return taken + size <= WIDTH
        return False

    @staticmethod
    def _blank_between(before: Token, token: Token) -> bool:
        return token.line - before.line > 1

    def _end_line(self) -> None:
        if self.line:
            self.lines.extend(wrap(self.line, self.indent))
            self.line = []

    def _blank(self) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append("")

    # --- indents and spaces ---

    def _level(self, token: Token, head: int | None) -> int:
        blocks = sum(entry.spread for entry in self.stack)
        if not self.stack:
            if head is not None or token.type in ("LBRACE", "RBRACE"):
                return 0
            return 1
        inner = self.stack[-1]
        if inner.kind != "LBRACE" or not inner.spread:
            return blocks + (token.type not in CLOSERS)
        if token.type in _ITEM_START or token.type in ("COMMENT", "LBRACE", "RBRACE"):
            return blocks
        if inner.keyword in ("VIEW", "TEST") and token.type in NAME_LIKE:
            return blocks
        return blocks + 1

    def _spaces(self, older: Token | None, before: Token, token: Token) -> int:
        """Return how many spaces stand between two tokens of one line."""
        if older is not None and older.type == "FIELD" and before.type == "COLON" and self.stack:
            return max(self.stack[-1].field - len(older), 0) + 1
        own_lines = self.header.own_lines if self.header is not None else frozenset()
        if not self.stack and self.header is not None and before.start_pos in own_lines:
            return max(self.header.longest_word - len(before), 0) + 1
        return int(self._spaced(older, before, token))

    def _spaced(self, older: Token | None, before: Token, token: Token) -> bool:
        """Whether a space stands between two tokens of one line."""
        left, right = before.type, token.type
        apart = before.end_pos != token.start_pos
        inner = self.stack[-1].kind if self.stack else ""
        if right in _TIGHT_BEFORE or left in _TIGHT_AFTER:
            return False
        if left == "LBRACE" or right == "RBRACE":
            is_use = older is not None and older.type == "DOT" and left == "LBRACE"
            in_use = right == "RBRACE" and self._closes_use(token)
            empty = left == "LBRACE" and right == "RBRACE"
            return not (is_use or in_use or empty)
        if inner == "LPAR" and "EQUAL" in (left, right):
            return False
        if right == "LPAR":
            if left in ("NAME", "ANNOTATION"):
                return False
            return apart if left in SOFT_TYPES else True
        if right == "LSQB":
            return apart if left == "NAME" or left in SOFT_TYPES else True
        if left == "MINUS":
            if right == "MINUS":
                return True
            if older is None or (older.type not in OPERAND_END and older.type not in SOFT_TYPES):
                return False
            return apart if older.type in SOFT_TYPES else True
        if inner == "LSQB" and (right in ("SLASH", "STAR") or left in ("SLASH", "STAR")):
            return apart
        return True

    def _closes_use(self, closer: Token) -> bool:
        index = self.index[closer.start_pos]
        while index > 0 and self.code[index].type != "LBRACE":
            index -= 1
        return index > 0 and self.code[index - 1].type == "DOT"
