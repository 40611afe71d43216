"""Codes of the syntax stage: AFS01xx."""

from __future__ import annotations

from astrafs.diagnostics.model import Code, Severity

_HEADER = """\
owner "team@acme.test"

entity User { user_id: int }

## Payments, one row each.
source payments from csv("payments.csv") key id time at {
  id: string
  user_id: User
  amount: float
  status: string
  at: timestamp
}
"""


def _program(declarations: str) -> str:
    return f"{_HEADER}\n{declarations}\n"


def _features(items: str) -> str:
    return _program(f"features for User from payments {{\n  ## What it is.\n  {items}\n}}")


def _view(items: str) -> str:
    block = "features for User from payments {\n  ## What it is.\n  n_7d: int = count() over 7d\n}"
    return _program(f"{block}\n\nview served for User {{\n  {items}\n}}")


UNEXPECTED_TOKEN = Code(
    "AFS0101",
    "unexpected word or sign",
    explain=(
        "The text does not follow the grammar at this place. The label says what could stand "
        "there, where that is short."
    ),
    bad=_features("n_7d: int count() over 7d"),
    good=_features("n_7d: int = count() over 7d"),
)

UNEXPECTED_END = Code(
    "AFS0102",
    "the file ends too early",
    explain="The last declaration of the file is not complete.",
    bad=_program("window month ="),
    good=_program("window month = 30d"),
)

UNCLOSED_BRACKET = Code(
    "AFS0103",
    "unclosed bracket",
    explain=(
        "Every `(`, `[` and `{` needs its partner. The label marks the bracket that was left "
        "open; the note beside it says where the partner is missing at the latest."
    ),
    bad=_features("paid_7d: float = sum(amount over 7d"),
    good=_features("paid_7d: float = sum(amount) over 7d"),
)

UNMATCHED_BRACKET = Code(
    "AFS0104",
    "bracket that closes nothing",
    explain="A closing bracket stands here, but no bracket of its kind is open.",
    bad=_features("paid_7d: float = sum(amount)) over 7d"),
    good=_features("paid_7d: float = sum(amount) over 7d"),
)

OPEN_STRING = Code(
    "AFS0105",
    "text without an end",
    explain=(
        "A text in double quotes ends on the line where it begins. A line break inside it is "
        "written `\\n`."
    ),
    bad=_program('table t from csv("t.csv) key k time at {\n  k: string\n  at: timestamp\n}'),
    good=_program('table t from csv("t.csv") key k time at {\n  k: string\n  at: timestamp\n}'),
)

BAD_ESCAPE = Code(
    "AFS0106",
    "unknown escape",
    explain=(
        'Inside a text, a backslash starts one of the escapes `\\n`, `\\t`, `\\"`, `\\\\` and '
        "`\\u{1F600}`; a backslash itself is written twice."
    ),
    bad=_features('n_7d: int = count(where status == "a\\d") over 7d'),
    good=_features('n_7d: int = count(where status == "a\\\\d") over 7d'),
)

SINGLE_QUOTES = Code(
    "AFS0107",
    "text in single quotes",
    explain="Texts stand in double quotes.",
    bad=_features("n_7d: int = count(where status == 'ok') over 7d"),
    good=_features('n_7d: int = count(where status == "ok") over 7d'),
)

UNKNOWN_CHARACTER = Code(
    "AFS0108",
    "character without a meaning",
    explain=(
        "Outside texts and comments, programs consist of ASCII letters, digits and the signs "
        "of the grammar. Quotes and dashes pasted from a document are the usual cause."
    ),
    bad=_features("paid_7d: float = sum(amount \xd7 2.0) over 7d"),
    good=_features("paid_7d: float = sum(amount * 2.0) over 7d"),
)

FORBIDDEN_CHARACTER = Code(
    "AFS0109",
    "invisible or direction-changing character",
    explain=(
        "Characters that cannot be seen, or that change the direction of text, can make a "
        "program look different from what it is. They are refused everywhere, in texts and "
        "comments too; inside a text an escape such as `\\u{200B}` does the same."
    ),
    bad=_features('n_7d: int = count(where status == "o\u200bk") over 7d'),
    good=_features('n_7d: int = count(where status == "o\\u{200B}k") over 7d'),
)

NOT_UTF8 = Code(
    "AFS0110",
    "file is not UTF-8",
    explain="Source files are UTF-8, with or without a byte order mark.",
    runtime=True,
)

FILE_TOO_LARGE = Code(
    "AFS0111",
    "file is too large",
    explain=(
        "A source file has at most 1,048,576 bytes. Split it into modules and join them by `use`."
    ),
    runtime=True,
)

TOO_DEEP = Code(
    "AFS0112",
    "nesting is too deep",
    explain=(
        "Brackets and blocks nest at most 64 deep. Name parts of a long expression as columns "
        "of a stream or as features."
    ),
    bad=_features("one: int = " + "(" * 64 + "1" + ")" * 64 + ""),
    good=_features("one: int = " + "(" * 63 + "1" + ")" * 63 + ""),
)

CHAIN_TOO_LONG = Code(
    "AFS0113",
    "expression is too long",
    explain=(
        "One expression has at most 256 operators, calls and brackets counted. Name parts of "
        "it as columns of a stream or as features."
    ),
    bad=_features("one: int = 1" + " + 1" * 257 + ""),
    good=_features("one: int = 1" + " + 1" * 256 + ""),
)

NAME_TOO_LONG = Code(
    "AFS0114",
    "name is too long",
    explain="A name has at most 48 characters.",
    bad=_features("" + "n" * 49 + ": int = count() over 7d"),
    good=_features("" + "n" * 48 + ": int = count() over 7d"),
)

BAD_NAME = Code(
    "AFS0115",
    "name is not in lower case",
    explain=(
        "Names of columns, features, sources and everything else but entities and requests "
        "consist of a-z, 0-9 and `_`, and start with a letter. A column that is called "
        'otherwise in its file is declared as `name: type from "Its Name"`.'
    ),
    bad=_features("paidLastWeek: float = sum(amount) over 7d"),
    good=_features("paid_last_week: float = sum(amount) over 7d"),
)

BAD_ENTITY_NAME = Code(
    "AFS0116",
    "entity name without a capital",
    explain=(
        "Entities and requests are named with a capital first and letters and digits after it."
    ),
    bad=_program("entity merchant { merchant_id: int }"),
    good=_program("entity Merchant { merchant_id: int }"),
)

BAD_QUOTED_NAME = Code(
    "AFS0117",
    "back-quoted text is no name",
    explain=(
        "Back-quotes let a reserved word such as `from` be a name. What stands in them "
        "follows the rules of names; a column whose name in the file is no identifier is "
        'declared as `name: type from "Its Name"`.'
    ),
    bad=_features("`paid amount`: float = sum(amount) over 7d"),
    good=_features("`from`: float = sum(amount) over 7d"),
)

RESERVED_WORD = Code(
    "AFS0118",
    "reserved word as a name",
    explain=(
        "A few words are always words of the language: and, as, else, false, for, from, if, "
        "in, is, not, null, or, over, then, true, where. In back-quotes they may be names."
    ),
    bad=_program(
        'table trips from csv("trips.csv") key id time at {\n'
        "  id: string\n"
        "  from: string\n"
        "  at: timestamp\n"
        "}"
    ),
    good=_program(
        'table trips from csv("trips.csv") key id time at {\n'
        "  id: string\n"
        "  `from`: string\n"
        "  at: timestamp\n"
        "}"
    ),
)

INT_TOO_LARGE = Code(
    "AFS0119",
    "whole number is too large",
    explain="An int has 64 bits: from -9223372036854775808 to 9223372036854775807.",
    bad=_program("const most = 9223372036854775808"),
    good=_program("const most = 9223372036854775807"),
)

BAD_NUMBER = Code(
    "AFS0120",
    "this is no number",
    explain=(
        "A number consists of digits, with `_` between digits at will, a point with digits on "
        "both sides, and an exponent as in `1.5e9`."
    ),
    bad=_program("const most = 1__000"),
    good=_program("const most = 1_000"),
)

BAD_DURATION = Code(
    "AFS0121",
    "this is no duration",
    explain=(
        "A duration is written with the units w, d, h, m, s, ms and us, from the longest to "
        "the shortest and without spaces: `7d`, `1h30m`. Months and years have no fixed "
        "length and are not among them."
    ),
    bad=_features("n_7d: int = count() over 7 days"),
    good=_features("n_7d: int = count() over 7d"),
)

DURATION_TOO_LARGE = Code(
    "AFS0122",
    "duration is too long",
    explain=(
        "A duration has at most 9223372036854775807 microseconds, which is about 292,000 years."
    ),
    bad=_features("n_all: int = count() over 20000000w"),
    good=_features("n_all: int = count() over all"),
)

BAD_TIMESTAMP = Code(
    "AFS0123",
    "this is no point in time",
    explain=(
        "A timestamp is written `2026-01-31T09:30:00Z`, with up to six digits of a second "
        "after a point and with `Z` or an offset such as `+02:00`; a date is written "
        "`2026-01-31`."
    ),
    bad=_program("const start = 2026-02-30"),
    good=_program("const start = 2026-02-28"),
)

TIME_OUT_OF_RANGE = Code(
    "AFS0124",
    "time out of range",
    explain="Times lie in the years 1678 to 2261.",
    bad=_program("const start = 1492-10-12"),
    good=_program("const start = 1792-10-12"),
)

MISSING_OVER = Code(
    "AFS0125",
    "`over` is missing",
    explain="An aggregate is followed by `over` and the window that it looks at.",
    bad=_features("n_7d: int = count() 7d"),
    good=_features("n_7d: int = count() over 7d"),
)

MISSING_TYPE = Code(
    "AFS0126",
    "definition without a type",
    explain=(
        "Every column, feature and field is written `name: type`. The type is part of what a "
        "feature promises, so it is stated and checked, not guessed."
    ),
    bad=_features("n_7d = count() over 7d"),
    good=_features("n_7d: int = count() over 7d"),
)

MISSING_UNIT = Code(
    "AFS0127",
    "duration without a unit",
    explain=(
        "Windows, offsets and delays are durations, so a bare number needs a unit: w, d, h, "
        "m, s, ms or us."
    ),
    bad=_features("n_7d: int = count() over 7"),
    good=_features("n_7d: int = count() over 7d"),
)

MISSING_ELSE = Code(
    "AFS0128",
    "`if` without `else`",
    explain=(
        "`if` is an expression and has a value in both cases; write `else null` to have none."
    ),
    bad=_features("paid_7d: float = sum(if amount > 1.0 then amount) over 7d"),
    good=_features("paid_7d: float = sum(if amount > 1.0 then amount else 0.0) over 7d"),
)

MISSING_EXPRESSION = Code(
    "AFS0129",
    "value is missing",
    explain=("A value should stand here: a literal, a name, a call or something in parentheses."),
    bad=_features("paid_7d: float = sum(amount * ) over 7d"),
    good=_features("paid_7d: float = sum(amount * 2.0) over 7d"),
)

MISSING_CLAUSE = Code(
    "AFS0130",
    "clause is missing",
    explain=(
        "A declaration lacks a clause that it cannot do without, such as the `from` of a stream."
    ),
    bad=_program("stream large where amount > 100.0"),
    good=_program("stream large from payments where amount > 100.0"),
)

DUPLICATE_CLAUSE = Code(
    "AFS0131",
    "clause stands twice",
    explain="Each clause of a declaration, and each part of a window, stands at most once.",
    bad=_features("n_7d: int = count() over 7d offset 1d offset 2d"),
    good=_features("n_7d: int = count() over 7d offset 1d"),
)

ASSIGNED_IN_CONDITION = Code(
    "AFS0132",
    "`=` and `==` confused",
    explain="`=` gives a definition its value; `==` compares.",
    bad=_features('n_7d: int = count(where status = "ok") over 7d'),
    good=_features('n_7d: int = count(where status == "ok") over 7d'),
)

FOREIGN_OPERATOR = Code(
    "AFS0133",
    "operator of another language",
    explain=(
        "The operators are `and or not == != < <= > >= + - * / // % ??`, and comments start "
        "with `#`."
    ),
    bad=_features("n_7d: int = count(where amount > 1.0 && amount < 9.0) over 7d"),
    good=_features("n_7d: int = count(where amount > 1.0 and amount < 9.0) over 7d"),
)

FOREIGN_WORD = Code(
    "AFS0134",
    "word of another language",
    explain=(
        "This word means something in SQL, in Python or elsewhere, but nothing here; the help "
        "says how the same is written."
    ),
    bad=_features("n_7d: int = count() OVER 7d"),
    good=_features("n_7d: int = count() over 7d"),
)

STRAY_SEPARATOR = Code(
    "AFS0135",
    "separator that is not wanted",
    explain="Declarations and items follow one another without commas or semicolons.",
    bad=_features("n_7d: int = count() over 7d;"),
    good=_features("n_7d: int = count() over 7d"),
)

CHAINED_COMPARISON = Code(
    "AFS0136",
    "comparison of a comparison",
    explain="Comparisons do not chain: `a < b < c` would compare a truth value with c.",
    bad=_features("n_7d: int = count(where 1.0 < amount < 9.0) over 7d"),
    good=_features("n_7d: int = count(where 1.0 < amount and amount < 9.0) over 7d"),
)

COMPARED_WITH_NULL = Code(
    "AFS0137",
    "comparison with null",
    explain=(
        "A comparison with null is null, never true. `is null` and `is not null` ask whether "
        "a value is there."
    ),
    bad=_program(
        'table t from csv("t.csv") key k time at {\n'
        "  k: string\n"
        "  v: int?\n"
        "  at: timestamp\n"
        '  expect v != null or k == "x"\n'
        "}"
    ),
    good=_program(
        'table t from csv("t.csv") key k time at {\n'
        "  k: string\n"
        "  v: int?\n"
        "  at: timestamp\n"
        '  expect v is not null or k == "x"\n'
        "}"
    ),
)

OVER_WITHOUT_AGGREGATE = Code(
    "AFS0138",
    "window without an aggregate",
    explain=(
        "`over` belongs to a call of an aggregate, which says what becomes of the many rows "
        "of the window."
    ),
    bad=_features("paid_7d: float = amount over 7d"),
    good=_features("paid_7d: float = sum(amount) over 7d"),
)

VIEW_ITEM_NOT_A_NAME = Code(
    "AFS0139",
    "view item is not a name",
    explain=(
        "A view lists features by name, so that each value is defined once, with a type, a "
        "description and an owner."
    ),
    bad=_view("n_7d * 2"),
    good=_view("n_7d"),
)

FEATURE_OUTSIDE_BLOCK = Code(
    "AFS0140",
    "feature outside of a block",
    explain=(
        "Features stand inside `features for Entity from rows { ... }`, which says whose they "
        "are and which rows they see."
    ),
    bad=_program("n_7d: int = count() over 7d"),
    good=_features("n_7d: int = count() over 7d"),
)

USE_WITHOUT_NAME = Code(
    "AFS0141",
    "`use` without a name",
    explain=(
        "`use` names what it brings in: `use common.customers.{User, users}`. Whole modules "
        "are not imported."
    ),
    bad=_program("use customers"),
    good=_program(""),
)

STRAY_DOC = Code(
    "AFS0142",
    "description of nothing",
    explain=(
        "`##` lines describe the declaration, column or feature that follows them. Anything "
        "else is a comment and starts with a single `#`."
    ),
    bad=_program("## Above an owner line, or at the end of the file."),
    good=_program("# A comment may stand anywhere."),
    severity=Severity.WARNING,
)
