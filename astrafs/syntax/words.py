"""The words of the language: which are reserved, which start a declaration, and how a token is
called in a message.
"""

from __future__ import annotations

RESERVED = frozenset(
    [
        "and",
        "as",
        "else",
        "false",
        "for",
        "from",
        "if",
        "in",
        "is",
        "not",
        "null",
        "or",
        "over",
        "then",
        "true",
        "where",
    ]
)
"""Words that name a column only in back-quotes."""

SOFT = frozenset(
    [
        "ahead",
        "all",
        "as_of",
        "at",
        "before",
        "by",
        "const",
        "dataset",
        "delay",
        "deleted",
        "each",
        "entity",
        "every",
        "expect",
        "features",
        "fn",
        "forbid",
        "gap",
        "including",
        "key",
        "known",
        "label",
        "labels",
        "last",
        "list",
        "map",
        "max_age",
        "next",
        "now",
        "offset",
        "owner",
        "request",
        "retention",
        "revisions",
        "session",
        "settles",
        "since",
        "source",
        "spine",
        "split",
        "static",
        "stream",
        "table",
        "tags",
        "test",
        "time",
        "train",
        "union",
        "unit",
        "use",
        "vector",
        "view",
        "window",
        "within",
    ]
)
"""Keywords that are names wherever the grammar has no use for the keyword."""

SOFT_TYPES = frozenset(word.upper() for word in SOFT)
RESERVED_TYPES = frozenset(word.upper() for word in RESERVED)
NAME_LIKE = SOFT_TYPES | {"NAME"}

DECLARATIONS = {
    "USE": ("NAME",),
    "OWNER": ("STRING",),
    "UNIT": ("NAME",),
    "CONST": ("NAME", "FIELD"),
    "WINDOW": ("NAME",),
    "FN": ("NAME",),
    "ENTITY": ("NAME",),
    "REQUEST": ("NAME",),
    "SOURCE": ("NAME",),
    "TABLE": ("NAME",),
    "STREAM": ("NAME",),
    "FEATURES": ("FOR",),
    "LABELS": ("FOR",),
    "VIEW": ("NAME",),
    "DATASET": ("NAME",),
    "TEST": ("STRING",),
}
"""The keyword that starts each declaration, with what follows it."""

DECLARATION_WORDS = tuple(sorted(word.lower() for word in DECLARATIONS))

OPENERS = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
CLOSERS = {close: open_ for open_, close in OPENERS.items()}

SPELLING = {
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "LBRACE": "{",
    "RBRACE": "}",
    "COMMA": ",",
    "COLON": ":",
    "DOT": ".",
    "EQUAL": "=",
    "PLUS": "+",
    "MINUS": "-",
    "STAR": "*",
    "SLASH": "/",
    "PERCENT": "%",
    "QMARK": "?",
    "CIRCUMFLEX": "^",
    "ARROW": "->",
    "COALESCE": "??",
    "FLOOR_DIVIDE": "//",
}
"""How the terminals that are neither words nor literals are written."""

LITERALS = frozenset(["INT", "NUMBER", "STRING", "DURATION", "TIMESTAMP", "DATE"])
OPERAND_START = LITERALS | {"NAME", "TRUE", "FALSE", "NULL", "LPAR", "LSQB", "MINUS"}
OPERAND_END = LITERALS | {"NAME", "TRUE", "FALSE", "NULL", "RPAR", "RSQB", "VERSION", "BAD_EXPR"}
"""Tokens with which an expression may begin, and with which it may end."""

OPERATORS = frozenset(
    [
        "PLUS",
        "MINUS",
        "STAR",
        "SLASH",
        "PERCENT",
        "FLOOR_DIVIDE",
        "COALESCE",
        "CMP",
        "AND",
        "OR",
        "IS",
        "IN",
        "NOT",
    ]
)

KINDS = {
    "NAME": "a name",
    "FIELD": "a name with `:`",
    "INT": "a whole number",
    "NUMBER": "a number",
    "STRING": "a text in double quotes",
    "DURATION": "a duration such as `7d`",
    "TIMESTAMP": "a timestamp",
    "DATE": "a date",
    "VERSION": "a version such as `@2`",
    "ANNOTATION": "an annotation",
    "CMP": "a comparison",
    "$END": "the end of the file",
}
