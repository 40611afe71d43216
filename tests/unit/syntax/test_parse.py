"""What the parser makes of programs, right and wrong."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from astrafs.diagnostics.codes import syntax as codes
from astrafs.diagnostics.model import Code, Diagnostic, Sink
from astrafs.source import SourceFile
from astrafs.syntax import ast
from astrafs.syntax.characters import MOST_BYTES, decode
from astrafs.syntax.parse import parse_module
from astrafs.syntax.show import show, to_json
from astrafs.syntax.words import RESERVED, SOFT

EVERYTHING = (Path(__file__).parent / "everything.afs").read_text("utf-8")
CODES = {name: value for name, value in vars(codes).items() if isinstance(value, Code)}


def parse(text: str) -> tuple[ast.Module, list[Diagnostic]]:
    sink = Sink()
    return parse_module(SourceFile("a.afs", text), "a", sink), list(sink)


def ids(text: str) -> list[str]:
    return [found.code.id for found in parse(text)[1]]


def expression(text: str) -> ast.Expr:
    module, found = parse(f"const c = {text}")
    assert not found, [(problem.title, problem.primary) for problem in found]
    (declaration,) = module.declarations
    assert isinstance(declaration, ast.ConstDecl)
    return declaration.value


def shape(node: object) -> str:
    """Write an expression with every bracket, so that a test can see the precedence."""
    match node:
        case ast.Binary(op, left, right):
            return f"({shape(left)} {op} {shape(right)})"
        case ast.Unary(op, operand):
            return f"({op} {shape(operand)})"
        case ast.IsNull(operand, negated):
            return f"({shape(operand)} is{' not' if negated else ''} null)"
        case ast.InList(operand, items, negated):
            inside = ", ".join(shape(item) for item in items)
            return f"({shape(operand)}{' not' if negated else ''} in [{inside}])"
        case ast.IfExpr(condition, then, otherwise):
            return f"(if {shape(condition)} then {shape(then)} else {shape(otherwise)})"
        case ast.Over(call, window):
            return f"({shape(call)} over {shape(window)})"
        case ast.PastWindow(length, forward=forward):
            return ("next " if forward else "") + shape(length)
        case ast.NamedWindow(name):
            return name.text
        case ast.CallExpr(callee, args):
            return f"{callee.text}({', '.join(shape(arg) for arg in args)})"
        case ast.Member(base, field):
            return f"{shape(base)}.{field.text}"
        case ast.Index(base, keys):
            return f"{shape(base)}[{', '.join(shape(key) for key in keys)}]"
        case ast.LookupTime(lookup, within, offset):
            return f"({shape(lookup)} within {shape(within)} offset {shape(offset)})"
        case ast.Name(ident):
            return ident.text
        case ast.IntLit(value):
            return str(value)
        case ast.DurationLit(text=text) | ast.NumberLit(text=text):
            return text
        case _:
            return type(node).__name__


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a + b * c - d", "((a + (b * c)) - d)"),
        ("a or b and not c == d", "(a or (b and (not (c == d))))"),
        ("a ?? b ?? c", "(a ?? (b ?? c))"),
        ("x ?? 1 + 2 < 3", "((x ?? (1 + 2)) < 3)"),
        ("- a * b", "((- a) * b)"),
        ("count() over next 30d == 0", "((count() over next 30d) == 0)"),
        ("sum(a) over 7d / count() over w", "((sum(a) over 7d) / (count() over w))"),
        ("if a then b else if c then d else e + 1",
         "(if a then b else (if c then d else (e + 1)))"),
        ("not a in [1, 2] and b not in [3]", "((not (a in [1, 2])) and (b not in [3]))"),
        ("a + b is not null", "((a + b) is not null)"),
        ("X[a, b].f.g", "X[a, b].f.g"),
        ("t[k].c within 2h offset 1h + 1", "((t[k].c within 2h offset 1h) + 1)"),
        ("(a + b) * c", "((a + b) * c)"),
    ],
)  # fmt: skip
def test_precedence(text: str, wanted: str) -> None:
    assert shape(expression(text)) == wanted


def test_literals() -> None:
    assert expression("1_000") == ast.IntLit(1000)
    assert expression("-9223372036854775808") == ast.IntLit(-(2**63))
    assert expression("-1.50") == ast.NumberLit(Decimal("-1.50"), "-1.50")
    assert expression("1e9") == ast.NumberLit(Decimal("1e9"), "1e9")
    assert expression("1h30m") == ast.DurationLit(5_400_000_000, "1h30m")
    assert expression("2w1us") == ast.DurationLit(1_209_600_000_001, "2w1us")
    assert expression("1970-01-02") == ast.DateLit(1, "1970-01-02")
    stamp = expression("1970-01-01T02:00:00.5+02:00")
    assert stamp == ast.TimestampLit(500_000, "1970-01-01T02:00:00.5+02:00")
    assert expression(r'"\u{1F600}\n\"\\"') == ast.StringLit('\U0001f600\n"\\')
    assert expression("true") == ast.BoolLit(True)


def test_windows() -> None:
    def window(text: str) -> ast.WindowExpr:
        over = expression(f"count() over {text}")
        assert isinstance(over, ast.Over)
        return over.window

    day = ast.DurationLit(86_400_000_000, "1d")
    assert window("1d") == ast.PastWindow(day)
    full = window("1d offset 1d every 1d including now")
    assert full == ast.PastWindow(day, day, day, "now")
    assert window("[1d, 1d)") == ast.EdgesWindow(day, day, True, False)
    assert window("(1d, 1d] every 1d") == ast.EdgesWindow(day, day, False, True, day)
    assert window("all including request") == ast.AllWindow(including="request")
    assert window("last 5 within 1d") == ast.LastRowsWindow(ast.IntLit(5), day)
    assert window('since day("UTC")') == ast.SinceWindow(ast.Ident("day"), ast.StringLit("UTC"))
    assert window("since last (true)") == ast.SinceWindow(condition=ast.BoolLit(True))
    assert window("session gap 1d") == ast.SessionWindow(day)
    assert window("month") == ast.NamedWindow(ast.Ident("month"))
    assert window("month offset 1d") == ast.PastWindow(ast.Name(ast.Ident("month")), day)


def test_the_whole_language_parses() -> None:
    module, found = parse(EVERYTHING)
    assert not found
    assert len(module.declarations) == 22
    source = next(item for item in module.declarations if isinstance(item, ast.SourceDecl))
    assert source.doc == "All flights."
    assert [name.text for name in source.key] == ["id", "part"]
    assert source.revisions
    assert source.deleted == ast.Ident("gone")
    assert source.columns[2].name.text == "from"
    assert source.columns[2].physical == ast.StringLit("From Airport")


def test_docs_and_annotations_belong_to_their_feature() -> None:
    text = """features for User from s {
      ## One,
      ## two.
      @owner("me")
      a@2: int = count() over 1d
      @tags("x", "y") b: int = count() over 1d
    }"""
    module, found = parse(text)
    assert not found
    (block,) = module.declarations
    assert isinstance(block, ast.FeaturesDecl)
    first, second = block.items
    assert isinstance(first, ast.FeatureDecl)
    assert isinstance(second, ast.FeatureDecl)
    assert (first.doc, first.version, first.annotations[0].args) == ("One,\ntwo.", 2, ("me",))
    assert (second.doc, second.annotations[0].args) == ("", ("x", "y"))


@pytest.mark.parametrize("word", sorted(SOFT))
def test_a_soft_keyword_is_a_name_anywhere(word: str) -> None:
    text = f"""
source {word} from csv("a") key {word}, b time {word} known {word} {{
  {word}: int known {word}
  b: string
  expect {word} > 1 and b == {word}
}}
stream s from {word} time {word} where {word} is not null {{ {word}: int = {word} + 1 }}
features for User from {word} by {word} where {word} {{
  {word}@2: int = sum({word} where {word} > {word}) over 7d + {word}@1 - ({word})
  {word}: int = last({word}, {word}) over last 5 ?? {word}
}}
view {word} for User {{
  {word}
  User[{word}].{word} as {word}
}}
const {word} = [{word}, -{word}, if {word} then {word} else {word}]
"""
    module, found = parse(text)
    assert not found, [(problem.title, problem.primary) for problem in found]
    assert len(module.declarations) == 5


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_a_reserved_word_is_a_name_in_back_quotes(word: str) -> None:
    assert ids(f"entity E {{ `{word}`: int }} const c = `{word}`") == []
    assert ids(f"entity E {{ {word}: int }}") == ["AFS0118"]


@pytest.mark.parametrize("name", sorted(CODES))
def test_examples_of_codes(name: str) -> None:
    code = CODES[name]
    assert code.explain
    if code.runtime:
        return
    found = parse(code.bad)[1]
    assert [problem.code.id for problem in found] == [code.id]
    assert parse(code.good)[1] == []


def test_there_are_enough_codes() -> None:
    assert len(CODES) >= 25


BROKEN = """owner "a@b"
entity User { user_id: int }
source payments from csv("p.csv") key id time at {
  id: string,
  amount float
  from: string
  at: timestamp
  expect amount = 3
}
features fr User from payments {
  a: int = count() 7d
  b = sum(amount) over 7d
  c: float = sum(amount over 7d
  d: float = sum(amount) over 7
  e: float = if amount > 3 then 2
  good: int = 1
  m: int = a +
  n: int = count() last 5
  o: int = a b
  p: int =
}
view v for User {
  a
  b + c
}
vew w for User { a }
const big = 9223372036854775808
features for User from payments {
  a: int = 3
view v for User { a }
"""


def test_one_run_reports_every_error_once() -> None:
    module, found = parse(BROKEN)
    file = SourceFile("a.afs", BROKEN)
    places = [
        (problem.code.id, file.position(problem.primary.span.start)[0])
        for problem in found
        if problem.primary
    ]
    assert places == [
        ("AFS0135", 4), ("AFS0126", 5), ("AFS0118", 6), ("AFS0132", 8), ("AFS0101", 10),
        ("AFS0125", 11), ("AFS0126", 12), ("AFS0103", 13), ("AFS0127", 14), ("AFS0128", 15),
        ("AFS0129", 17), ("AFS0125", 18), ("AFS0101", 19), ("AFS0129", 20), ("AFS0139", 24),
        ("AFS0101", 26), ("AFS0119", 27), ("AFS0103", 28),
    ]  # fmt: skip
    assert [type(item).__name__ for item in module.declarations] == [
        "Owner", "EntityDecl", "SourceDecl", "FeaturesDecl", "ViewDecl", "ViewDecl", "ConstDecl",
        "FeaturesDecl", "ViewDecl",
    ]  # fmt: skip
    block = module.declarations[3]
    assert isinstance(block, ast.FeaturesDecl)
    names = [item.name.text for item in block.items if isinstance(item, ast.FeatureDecl)]
    assert names == ["a", "b", "c", "d", "e", "good", "m", "n", "o", "p"]


@pytest.mark.parametrize(
    ("text", "title", "help_"),
    [
        ("vew w for User { a }", "unexpected `vew`", "did you mean `view`?"),
        ("features for U from s { a: int = count(*) over 7d }", "value is missing", "`count()`"),
        ("features for U from s { a: bool = x between 1 }", "word of another", "x >= a and x <= b"),
        ("SELECT a FROM b", "word of another", "name: type = aggregate over window"),
        ("features for U from s { def a: int = 1 }", "word of another", "fn name"),
        ("features for U from s { a: int = count() over 7d AND b }", "word of another", "`and`"),
        ("features for U from s { a: int = count() over 3 months }", "no duration", "30d"),
        ("const c = x == null", "comparison with null", "is null"),
        ("const c = a == b == c", "comparison of a comparison", "and"),
        ("const c = 1 + if a then b else c", "value is missing", "parentheses"),
        ("const c = .5", "no number", "0.5"),
        ("const c = 2026-01-01T10:00:00", "no point in time", "`Z`"),
        ("const c = \u201chi\u201d", "character without", '"'),
        ("entity user { id: int }", "entity name", "`User`"),
        ("const someName = 1", "not in lower case", "`some_name`"),
        ("use fraud", "`use` without", "use fraud.{"),
        ("import x from y", "word of another", "use module"),
    ],
)
def test_messages_say_what_to_do(text: str, title: str, help_: str) -> None:
    _, found = parse(text)
    assert len(found) == 1, [(problem.title, problem.primary) for problem in found]
    assert title in found[0].title
    assert any(help_ in advice for advice in found[0].helps), found[0].helps


def test_short_expectations_are_listed_and_long_ones_are_not() -> None:
    _, (short,) = parse("features for User from payments by a, { }")
    assert short.primary is not None
    assert short.primary.text == "a name is expected here"
    _, (long,) = parse("features for U from s { a: int = b c }")
    assert long.primary is not None
    assert "expected" not in long.primary.text


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("const c = a && b", "const c = a and b"),
        ("const c = !a", "const c = not a"),
        ("const c = a <> b", "const c = a != b"),
        ("const c = 'it'", 'const c = "it"'),
        ("const c = 7 days", "const c = 7d"),
        ("const c = a == null", "const c = a is null"),
        ("entity E { from: int }", "entity E { `from`: int }"),
        ("unit a;", "unit a"),
        ("features for U from s { a: int = count() 7d }",
         "features for U from s { a: int = count() over 7d }"),
    ],
)  # fmt: skip
def test_fixes_make_the_program_right(text: str, fixed: str) -> None:
    _, (problem,) = parse(text)
    (edit,) = problem.fixes[0].edits
    mended = text[: edit.span.start] + edit.text + text[edit.span.end :]
    assert mended == fixed
    assert ids(mended) == []


def test_limits_have_their_number_in_the_message() -> None:
    for text, number in [
        ("const c = " + "(" * 65 + "1" + ")" * 65, "65"),
        ("const c = 1" + " + 1" * 257, "257"),
        ("const " + "c" * 49 + " = 1", "48"),
        ("const c = 1492-01-01", "1678"),
        ("const c = 9223372036854775808", "9223372036854775807"),
        ("const c = 99999999w", "9223372036854775807"),
    ]:
        _, (problem,) = parse(text)
        assert problem.primary is not None
        assert number in problem.primary.text
    _, (large,) = parse("#" * (MOST_BYTES + 1))
    assert large.code is codes.FILE_TOO_LARGE
    assert "1,048,576" in large.title


def test_deep_but_allowed_input_parses() -> None:
    assert ids("const c = " + "(" * 64 + "1" + ")" * 64) == []
    assert ids("const c = 1" + " + 1" * 256) == []
    assert ids("const c = " + "not " * 200 + "a") == []


def test_text_formats() -> None:
    assert ids('\ufeffowner "a"\r\nunit usd\r\n') == []
    sink = Sink()
    assert decode("a.afs", b"owner \xff", sink) is None
    (problem,) = sink
    assert problem.code is codes.NOT_UTF8
    assert "0xff" in problem.title
    found = decode("a.afs", b"\xef\xbb\xbfunit usd", Sink())
    assert found is not None
    assert ids(found.text) == []
    large = Sink()
    assert decode("a.afs", b" " * (MOST_BYTES + 1), large) is None
    assert [item.code for item in large] == [codes.FILE_TOO_LARGE]


@pytest.mark.parametrize(
    "character", ["\u202e", "\u200b", "\x00", "\u2066", "\x0b", "\u00ad", "\ufeff"]
)
@pytest.mark.parametrize("place", ["unit usd {}", "unit usd # {}", 'owner "{}"'])
def test_hidden_characters_are_refused_everywhere(character: str, place: str) -> None:
    assert ids(place.replace("{}", character)) == ["AFS0109"]


def test_at_most_fifty_problems() -> None:
    _, found = parse("features for U from s {" + "a: int = 1 < 2 < 3\n" * 200 + "}")
    assert len(found) == 50
    assert "first 50" in found[-1].notes[0]


def test_broken_parts_leave_the_rest_in_the_tree() -> None:
    module, _ = parse("features for U from s { a = count() over 1d  b: int = 1 + }")
    (block,) = module.declarations
    assert isinstance(block, ast.FeaturesDecl)
    first, second = block.items
    assert isinstance(first, ast.FeatureDecl)
    assert isinstance(second, ast.FeatureDecl)
    assert first.type.name.text == ast.BAD_TYPE
    assert isinstance(second.value, ast.Binary)
    assert isinstance(second.value.right, ast.BadExpr)


def test_show_and_json() -> None:
    module, _ = parse(EVERYTHING)
    text = show(module)
    assert text.startswith('Module name="a" path="a.afs"\n')
    assert 'EntityDecl name=Route doc="A place."' in text
    document = json.loads(json.dumps(to_json(module)))
    assert document["node"] == "Module"
    assert len(document["declarations"]) == len(module.declarations)
    start, end = document["declarations"][0]["span"]
    assert EVERYTHING[start:end] == "use common.customers.{User, users}"
