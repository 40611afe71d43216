"""What to say about a token that does not fit, and how to go on as if it had been right."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from astrafs.diagnostics.codes import syntax as codes
from astrafs.diagnostics.model import Diagnostic, Edit
from astrafs.diagnostics.suggest import closest
from astrafs.diagnostics.words import LONGEST_LIST
from astrafs.syntax.situation import Finding, Situation
from astrafs.syntax.token import Token
from astrafs.syntax.tokens import span_of, spelling
from astrafs.syntax.words import (
    CLOSERS,
    DECLARATION_WORDS,
    DECLARATIONS,
    KINDS,
    NAME_LIKE,
    OPERAND_END,
    OPERAND_START,
    OPERATORS,
    RESERVED,
    RESERVED_TYPES,
    SOFT,
    SPELLING,
)


def explain(s: Situation) -> Finding:
    """Return the message for a token that does not fit: the first special case that applies,
    else the general one.
    """
    for case in _CASES:
        found = case(s)
        if found is not None:
            return found
    return _general(s)


def _end_of_file(s: Situation) -> Finding | None:
    if s.token.type != "$END":
        return None
    wanted = _wanted(s)
    text = f"{wanted} is missing" if wanted else "the declaration is not complete"
    return Finding(codes.UNEXPECTED_END.at(s.gap, text))


def _assigned_in_condition(s: Situation) -> Finding | None:
    if s.token.type == "EQUAL" and s.fits("CMP"):
        found = codes.ASSIGNED_IN_CONDITION.at(s.span, "`=` defines; it does not compare")
        found = found.help("write `==`").fix("write `==`", Edit(s.span, "=="))
        return Finding(found, (s.make("CMP", "=="),), 1, mends=True)
    if s.token == "==" and s.fits("EQUAL"):
        found = codes.ASSIGNED_IN_CONDITION.at(s.span, "`==` compares; it does not define")
        found = found.help("write `=`").fix("write `=`", Edit(s.span, "="))
        return Finding(found, (s.make("EQUAL"),), 1, mends=True)
    return None


def _missing_type(s: Situation) -> Finding | None:
    if s.token.type == "EQUAL" and s.fits("BAD_TYPE"):
        found = codes.MISSING_TYPE.at(s.gap, "no type stands after `:`")
        return Finding(_type_help(found), (s.empty("BAD_TYPE"),), mends=True)
    is_field = s.fits("FIELD", "COLON")
    if s.token.type in NAME_LIKE and is_field and s.may_start_item and not s.at_declaration:
        if s.next.type == "EQUAL":
            found = codes.MISSING_TYPE.at(s.span, f"{spelling(s.token)} has no type")
            field, colon = s.make("FIELD", str(s.token)), s.empty("COLON")
            instead = (field, colon, s.empty("BAD_TYPE"))
            return Finding(_type_help(found), instead, 1, mends=True)
        ends = s.next.type in ("COMMA", "RBRACE")
        if ends or (s.next.type == "FIELD" and s.next.line != s.token.line):
            found = codes.MISSING_TYPE.at(s.span, f"{spelling(s.token)} has no type")
            field, colon = s.make("FIELD", str(s.token)), s.empty("COLON")
            instead = (field, colon, s.empty("BAD_TYPE"))
            return Finding(found.help("write `name: type`"), instead, 1, mends=True)
        if s.next.type in NAME_LIKE and s.next.line == s.token.line:
            end = s.token.end_pos
            found = codes.MISSING_TYPE.at(s.span, "`:` is missing after this name")
            found = found.help("write `name: type`")
            found = found.fix("add `:`", Edit(s.report.span(end, end), ":"))
            field, colon = s.make("FIELD", str(s.token)), s.empty("COLON")
            return Finding(found, (field, colon), 1, mends=True)
    return None


def _type_help(found: Diagnostic) -> Diagnostic:
    return found.help("every definition carries its type: `name: float? = ...`")


_WINDOW_START = frozenset(["DURATION", "LAST", "NEXT", "ALL", "SINCE", "SESSION"])


def _missing_over(s: Situation) -> Finding | None:
    previous = s.previous
    if previous is None or previous.type != "RPAR" or not s.fits("OVER", s.token.type):
        return None
    if s.token.type not in _WINDOW_START and not (
        s.token.type == "NAME"
        and closest(str(s.token), RESERVED) is None
        and str(s.token).lower() not in RESERVED
        and str(s.token) not in _HINTS
    ):
        return None
    found = codes.MISSING_OVER.at(s.span, "`over` is missing before the window")
    at = s.span.start
    found = found.help("write `over` between the aggregate and its window")
    found = found.fix("add `over`", Edit(s.report.span(at, at), "over "))
    return Finding(found, (s.empty("OVER"),), mends=True)


def _missing_else(s: Situation) -> Finding | None:
    if s.token.type == "ELSE" or not s.fits("ELSE"):
        return None
    if s.token.type in OPERAND_START and s.token.line == (s.previous or s.token).line:
        return None
    found = codes.MISSING_ELSE.at(s.gap, "`else` and a value are missing here")
    opener = next(
        (value for value in reversed(s.run.values) if isinstance(value, Token) and value == "if"),
        None,
    )
    if opener is not None:
        found = found.label(span_of(s.report, opener), "of this `if`")
    found = found.help("every `if` has a value for both cases: `if c then a else b`")
    found = found.fix("give null otherwise", Edit(s.gap, " else null"), safe=False)
    return Finding(found, (s.empty("ELSE"), s.empty("BAD_EXPR")), mends=True)


def _reserved(s: Situation) -> Finding | None:
    if s.token.type not in RESERVED_TYPES or not s.fits("NAME", s.next.type):
        return None
    if s.token.type in ("IF", "NOT", "NULL", "TRUE", "FALSE"):
        return None
    found = (
        codes.RESERVED_WORD.at(s.span, f"{spelling(s.token)} is a word of the language")
        .help(f"to use it as a name, write it in back-quotes: `` `{s.token}` ``")
        .fix("put it in back-quotes", Edit(s.span, f"`{s.token}`"))
    )
    return Finding(found, (s.make("NAME", str(s.token)),), 1, mends=True)


def _chained_comparison(s: Situation) -> Finding | None:
    if s.token.type not in ("CMP", "IS", "IN") or s.previous is None:
        return None
    if s.previous.type not in OPERAND_END or s.fits("CMP") or not s.fits("AND"):
        return None
    found = codes.CHAINED_COMPARISON.at(s.span, "this compares the result of a comparison")
    found = found.help("join two comparisons with `and`, or put one in parentheses")
    if s.index > 1 and s.items[s.index - 2].type == "CMP":
        middle = s.previous
        found = found.fix(
            f"compare `{middle}` with both", Edit.before(s.span, f"and {middle} "), safe=False
        )
    return Finding(found)


_TAKES_VALUE = frozenset(
    ["DELAY", "RETENTION", "MAX_AGE", "SETTLES", "KEY", "TIME", "KNOWN", "FROM", "STATIC", "SPINE",
     "OWNER", "UNIT", "STREAM"]
)  # fmt: skip


def _stray_equal(s: Situation) -> Finding | None:
    """`delay = 5m`, or `stream x = rows`."""
    if s.token.type != "EQUAL" or s.fits("EQUAL"):
        return None
    before = s.items[s.index - 2] if s.index > 1 else s.previous
    if before is not None and before.type == "STREAM" and s.fits("FROM", s.next.type):
        found = codes.UNEXPECTED_TOKEN.at(s.span, "`from` is expected here", title="unexpected `=`")
        found = found.help("write `from`").fix("write `from`", Edit(s.span, "from"))
        return Finding(found, (s.make("FROM"),), 1, mends=True)
    if s.previous is None or s.previous.type not in _TAKES_VALUE or not s.fits(s.next.type):
        return None
    found = codes.UNEXPECTED_TOKEN.at(s.span, "no `=` is wanted here", title="unexpected `=`")
    found = found.help("delete it").fix("delete `=`", Edit(s.span, ""))
    return Finding(found, (), 1, mends=True)


def _unquoted(s: Situation) -> Finding | None:
    """A text without quotes, where nothing but a text can stand."""
    if s.token.type == "STRING" or not s.fits("STRING") or s.fits("NAME") or s.fits("NULL"):
        return None
    if s.token.type not in NAME_LIKE | RESERVED_TYPES:
        return None
    tokens: list[Token] = []
    edits: list[Edit] = []
    at = s.index
    while s.items[at].type in NAME_LIKE | RESERVED_TYPES:
        last = at
        while _touches(s.items[last], s.items[last + 1]):
            last += 1
        span = s.report.span(s.items[at].start_pos, s.items[last].end_pos)
        text = s.report.file.text[span.start : span.end]
        tokens.append(s.items[at].moved("STRING", text, span.start, span.end))
        edits.append(Edit(span, f'"{text}"'))
        at = last + 1
        if s.items[at].type != "COMMA" or s.items[at + 1].type not in NAME_LIKE | RESERVED_TYPES:
            break
        tokens.append(s.items[at])
        at += 1
    found = codes.UNEXPECTED_TOKEN.at(
        edits[0].span,
        "a text in double quotes is expected here",
        title=f"unexpected {spelling(s.token)}",
    )
    found = found.help("put it in double quotes").fix("add the quotes", *edits)
    return Finding(found, tuple(tokens), at - s.index, mends=True)


def _touches(token: Token, after: Token) -> bool:
    """Whether ``after`` follows without a space, as in `Europe/Paris`, and separates nothing."""
    if after.start_pos != token.end_pos:
        return False
    return after.type not in CLOSERS and after.type not in ("COMMA", "$END")


def _stray_comma(s: Situation) -> Finding | None:
    if s.token.type != "COMMA" or not (
        s.fits(s.next.type) or s.fits("BAD_ITEM") or s.at_declaration
    ):
        return None
    found = codes.STRAY_SEPARATOR.at(s.span, "no comma is wanted here")
    found = found.help("delete it").fix("delete `,`", Edit(s.span, ""))
    return Finding(found, (), 1, mends=True)


_HINTS = {
    "select": "a feature is written `name: type = aggregate over window` in a `features` block",
    "create": "declare a `source`, `stream`, `features` block or `view`",
    "insert": "`.afs` files define features; they hold no data",
    "update": "`.afs` files define features; they hold no data",
    "delete": "`.afs` files define features; they hold no data",
    "with": "name an intermediate result with `stream`",
    "group": "a `features for X` block groups by the entity X",
    "partition": "a `features for X` block groups by the entity X",
    "order": "rows are in event order; use `first`, `last` or `over last n`",
    "having": "write a feature over another one, or `where` inside the aggregate",
    "join": "look a value up: `table[key].column`",
    "left": "look a value up: `table[key].column`",
    "inner": "look a value up: `table[key].column`",
    "limit": "write `over last n`",
    "between": "write `x >= a and x <= b`",
    "like": "use `starts_with`, `ends_with` or `contains`",
    "case": "write `if condition then a else b`",
    "when": "write `if condition then a else b`",
    "elif": "write `else if`",
    "elsif": "write `else if`",
    "elseif": "write `else if`",
    "import": "write `use module.{name}`",
    "include": "write `use module.{name}`",
    "def": "a function is written `fn name(x: int) -> int = ...`, a feature `name: type = ...`",
    "function": "a function is written `fn name(x: int) -> int = ...`",
    "func": "a function is written `fn name(x: int) -> int = ...`",
    "fun": "a function is written `fn name(x: int) -> int = ...`",
    "let": "a constant is written `const name = value`",
    "var": "a constant is written `const name = value`",
    "val": "a constant is written `const name = value`",
    "class": "declare an `entity`",
    "struct": "declare an `entity`",
    "feature": "features stand in a block, each as `name: type = ...` without a keyword",
    "feature_view": "a list of features to deliver is a `view`",
    "return": "the value stands after `=`",
    "of": "write a call with parentheses: `sum(amount) over 7d`",
}

_OWN_WORDS = {
    "elif": "else if",
    "elsif": "else if",
    "elseif": "else if",
    "import": "use",
    "include": "use",
    "def": "fn",
    "function": "fn",
    "func": "fn",
    "fun": "fn",
    "let": "const",
    "var": "const",
    "val": "const",
    "class": "entity",
    "struct": "entity",
    "feature_view": "view",
}
"""What the words of other languages are called here, where the rest is written alike."""


def _wrong_case(s: Situation) -> Finding | None:
    if s.token.type != "NAME":
        return None
    text = str(s.token)
    lowered = text.lower()
    keyword = lowered.upper()
    if text != lowered and lowered in RESERVED | SOFT and s.fits(keyword):
        found = codes.FOREIGN_WORD.at(s.span, "the words of the language are in lower case")
        found = found.help(f"write `{lowered}`").fix(f"write `{lowered}`", Edit(s.span, lowered))
        return Finding(found, (s.make(keyword),), 1, mends=True)
    return None


def _foreign_word(s: Situation) -> Finding | None:
    if s.token.type != "NAME":
        return None
    text = str(s.token)
    lowered = text.lower()
    hint = _HINTS.get(lowered)
    if hint is None:
        return None
    near = closest(text, DECLARATION_WORDS) if s.at_declaration else None
    if near is not None and s.fits(near.upper(), s.next.type):
        return None  # a slip: a later case says so
    found = codes.FOREIGN_WORD.at(s.span, f"`{text}` is not a word of the language").help(hint)
    right = _OWN_WORDS.get(lowered)
    if right is not None:
        found = found.fix(f"write `{right}`", Edit(s.span, right), safe=right == "else if")
    following = [token.type for token in s.items[s.index + 1 : s.index + 3]]
    if right is not None and s.at_declaration and s.fits(right.upper(), *following):
        return Finding(found, (s.make(right.upper()),), 1, mends=True)
    rest = s.rest_of_line
    if not s.may_start_item and s.fits(s.items[s.index + rest].type):
        return Finding(found, (), rest, mends=True)
    return Finding(found, (), 1, mends=s.fits(s.next.type))


def _misspelt_word(s: Situation) -> Finding | None:
    """A name where only words of the language fit, and one of them is near."""
    if s.token.type not in NAME_LIKE:
        return None
    text = str(s.token)
    if s.at_declaration:
        words: Sequence[str] = DECLARATION_WORDS
    else:
        expected = s.run.machine.expected(s.run.stack)
        words = [kind.lower() for kind in sorted(expected) if kind.lower() in RESERVED | SOFT]
    near = closest(text, words)
    if near is None:
        return None
    found = codes.UNEXPECTED_TOKEN.at(
        s.span, "no name fits here", title=f"unexpected {spelling(s.token)}"
    )
    edit = Edit(s.span, near)
    found = found.help(f"did you mean `{near}`?")
    found = found.fix(f"write `{near}`", edit, safe=len(near) >= _UNMISTAKABLE)
    return Finding(found, (s.make(near.upper()),), 1, mends=True)


def _feature_outside(s: Situation) -> Finding | None:
    if s.token.type not in ("FIELD", "ANNOTATION") or not s.at_declaration:
        return None
    found = codes.FEATURE_OUTSIDE_BLOCK.at(s.span, "no block is open here")
    return Finding(
        found.help("features stand in `features for Entity from rows { ... }`").help(
            "if a block above should hold it, one of its braces is misplaced"
        )
    )


def _view_item(s: Situation) -> Finding | None:
    if s.at_declaration or not s.in_view:
        return None
    kinds = OPERATORS | OPERAND_START | {"OVER", "FIELD", "COLON", "EQUAL", "LPAR", "IF"}
    if s.token.type not in kinds:
        return None
    found = codes.VIEW_ITEM_NOT_A_NAME.at(s.span, "a view only lists features")
    return Finding(
        found.help("define the value as a feature, and list its name here").help(
            "an item is `name`, `X[key].name`, or one of them with `as other_name`"
        )
    )


def _missing_expression(s: Situation) -> Finding | None:
    if not s.fits("BAD_EXPR") or s.at_declaration:
        return None
    if s.token.type == "STAR" and s.previous is not None and s.previous.type == "LPAR":
        found = codes.MISSING_EXPRESSION.at(s.span, "`*` is no value")
        return Finding(
            found.help("`count()` counts rows").fix("delete `*`", Edit(s.span, "")),
            (),
            1,
            mends=True,
        )
    if s.token.type == "IF":
        found = codes.MISSING_EXPRESSION.at(s.span, "`if` is not part of an operand")
        return Finding(found.help("put the whole `if ... then ... else ...` in parentheses"))
    if s.token.type == "NOT":
        found = codes.MISSING_EXPRESSION.at(s.span, "`not` is not part of an operand")
        return Finding(found.help("put `not ...` in parentheses"))
    if s.token.type == "DOT" and s.next.type == "INT" and s.next.start_pos == s.token.end_pos:
        found = codes.BAD_NUMBER.at(s.span, "a number starts with a digit")
        found = found.fix(f"write `0.{s.next}`", Edit.before(s.span, "0"))
        return Finding(found.help(f"write `0.{s.next}`"))
    after = f" after {spelling(s.previous)}" if s.previous is not None else ""
    found = codes.MISSING_EXPRESSION.at(
        s.gap,
        f"a value is missing here, before {spelling(s.token)}",
        title=f"a value is missing{after}",
    )
    return Finding(found, (s.empty("BAD_EXPR"),), mends=True)


_CASES: tuple[Callable[[Situation], Finding | None], ...] = (
    _end_of_file,
    _feature_outside,
    _assigned_in_condition,
    _wrong_case,
    _missing_type,
    _missing_over,
    _missing_else,
    _reserved,
    _chained_comparison,
    _stray_equal,
    _unquoted,
    _stray_comma,
    _foreign_word,
    _view_item,
    _misspelt_word,
    _missing_expression,
)

_UNMISTAKABLE = 4
"""Letters of a word that nothing else is near to by chance."""

_CERTAIN = ("COLON", "EQUAL", "THEN", "ARROW")
_INSERTABLE = ("COLON", "COMMA", "LBRACE", "EQUAL", "FOR", "FROM", "THEN", "ARROW", "AT", "IN")


def _general(s: Situation) -> Finding:
    wanted = _wanted(s)
    text = f"{wanted} is expected here" if wanted else "this does not fit here"
    previous = s.previous
    if (
        s.token.type in OPERAND_START
        and previous is not None
        and previous.type in OPERAND_END
        and s.fits("PLUS")
    ):
        comma = " or a comma" if s.fits("COMMA") else ""
        text = f"an operator{comma} is missing before this"
    found = codes.UNEXPECTED_TOKEN.at(s.span, text, title=f"unexpected {spelling(s.token)}")
    if wanted and previous is not None and previous.line < s.token.line and s.needs_more:
        found = codes.UNEXPECTED_TOKEN.at(
            s.gap, text, title=f"{wanted} is missing after {spelling(previous)}"
        )
    if s.token.type == "EQUAL":
        found = found.help("only features, constants and the columns of streams have a value")
    for kind in _INSERTABLE:
        if s.run.machine.fits(s.run.stack, (kind,), exact=True) and s.fits(
            kind, s.token.type, s.next.type
        ):
            word = SPELLING.get(kind, kind.lower())
            glue = "" if kind in ("COLON", "COMMA") else " "
            edit = Edit(s.gap, glue + word)
            found = found.fix(f"add `{word}`", edit, safe=kind in _CERTAIN)
            return Finding(found, (s.empty(kind),), mends=True)
    return Finding(found)


def _wanted(s: Situation) -> str:
    """Return what could stand here in words, or nothing if that is too much to say."""
    expected = s.run.machine.expected(s.run.stack)
    if "BAD_TYPE" in expected:
        return "a type"
    expected -= {
        "BAD_DECL", "BAD_EXPR", "BAD_ITEM", "BAD_TYPE", "$END",
    }  # fmt: skip
    words: list[str] = []
    if {"NAME", "INT", "LPAR"} <= expected:
        words.append("an expression")
        expected -= OPERAND_START | {"NOT", "IF"}
    if {"PLUS", "CMP", "AND"} <= expected:
        words.append("an operator")
        expected -= OPERATORS
    if len(expected & DECLARATIONS.keys()) == len(DECLARATIONS):
        words.append("a declaration")
        expected -= DECLARATIONS.keys()
    words.extend(
        KINDS.get(kind) or f"`{SPELLING.get(kind, kind.lower())}`" for kind in sorted(expected)
    )
    if not words or len(words) > LONGEST_LIST:
        return ""
    if len(words) == 1:
        return words[0]
    return ", ".join(words[:-1]) + " or " + words[-1]
