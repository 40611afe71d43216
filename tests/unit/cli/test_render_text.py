"""The form for people, character by character."""

from __future__ import annotations

from itertools import pairwise
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astrafs.diagnostics.model import Code, Diagnostic, Edit, Severity
from astrafs.diagnostics.render.cells import cell_width, lay_out, text_width, wrap
from astrafs.diagnostics.render.text import render, summary
from astrafs.source import SourceFile, Span

TEXT = """\
owner "x"
source txns
  from csv("a.csv")
  time at
{
\tid:  string
  amount: float?  # 漢字 wide
  at: timestamp
}
features for User from txns {
  ## Doc
  ratio: float = mean(amount) over 7d / sum(amount) over 30d
  much: int = "漢字漢字" + foo
}
"""
FILE = SourceFile("fraud/cards.afs", TEXT)
OTHER = SourceFile("b.afs", "hello\nworld \x1b[31m red \u202e x\n")
FILES = {FILE.path: FILE, OTHER.path: OTHER}
ERROR = Code("AFS0301", "null where none may be", explain="")
WARNING = Code("AFS0311", "this looks odd", explain="", severity=Severity.WARNING)


def find(text: str, nth: int = 0, file: SourceFile = FILE) -> Span:
    """Return where ``text`` occurs for the ``nth`` time."""
    at = -1
    for _ in range(nth + 1):
        at = file.text.index(text, at + 1)
    return Span(file.path, at, at + len(text))


def drawn(found: Diagnostic, *, width: int = 100, colour: bool = False) -> str:
    """Return how ``found`` is drawn."""
    return render([found], FILES, width=width, colour=colour)


def same(found: Diagnostic, expected: str, width: int = 100) -> None:
    """Compare with an indented expected text."""
    assert drawn(found, width=width) == dedent(expected).lstrip("\n")


def test_labels_on_one_line_hang_below_one_another() -> None:
    found = (
        ERROR.at(find("mean(amount) over 7d / sum(amount) over 30d"), "may be null")
        .label(find("float", 1), "declared `float`, without `?`")
        .label(find("ratio"), "the feature")
        .note("a division by zero gives null, whatever the types of its two operands are")
        .help("declare it `float?`")
        .fix("make the type nullable", Edit(find("float", 1), "float?"))
    )
    same(
        found,
        """
        error[AFS0301]: null where none may be
          --> fraud/cards.afs:12:18
           |
        12 |   ratio: float = mean(amount) over 7d / sum(amount) over 30d
           |   -----  -----   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ may be null
           |   |      |
           |   |      declared `float`, without `?`
           |   the feature
           |
           = note: a division by zero gives null, whatever the types of its two
                   operands are
           = help: declare it `float?`
        help: make the type nullable
           |
        12 -   ratio: float = mean(amount) over 7d / sum(amount) over 30d
        12 +   ratio: float? = mean(amount) over 7d / sum(amount) over 30d
        """,
        width=78,
    )


def test_tabs_and_wide_characters_keep_marks_under_their_text() -> None:
    same(
        WARNING.at(find("id"), "after a tab").label(find("foo"), "after wide characters"),
        """
        warning[AFS0311]: this looks odd
          --> fraud/cards.afs:6:2
           |
         6 |     id:  string
           |     ^^ after a tab
        ...
        13 |   much: int = "漢字漢字" + foo
           |                            --- after wide characters
        """,
    )


def test_a_place_over_several_lines_has_a_bar() -> None:
    whole = Span(FILE.path, TEXT.index("source txns"), TEXT.index("}") + 1)
    same(
        WARNING.at(whole, "the whole source").label(find("at:"), "in it"),
        """
        warning[AFS0311]: this looks odd
         --> fraud/cards.afs:2:1
          |
        2 | / source txns
        3 | |   from csv("a.csv")
        ... |
        8 | |   at: timestamp
          | |   --- in it
        9 | | }
          | |_^ the whole source
        """,
    )


def test_a_bar_starts_inside_a_line() -> None:
    place = Span(FILE.path, TEXT.index("timestamp"), TEXT.index("features") + 8)
    same(
        ERROR.at(place, "from there to here"),
        """
        error[AFS0301]: null where none may be
          --> fraud/cards.afs:8:7
           |
         8 |     at: timestamp
           |  _______^
         9 | | }
        10 | | features for User from txns {
           | |________^ from there to here
        """,
    )


def test_places_in_other_files_follow() -> None:
    same(
        ERROR.at(find("foo"), "here").label(find("hello", file=OTHER), "there"),
        """
        error[AFS0301]: null where none may be
          --> fraud/cards.afs:13:24
           |
        13 |   much: int = "漢字漢字" + foo
           |                            ^^^ here
           |
          ::: b.afs:1:1
           |
         1 | hello
           | ----- there
        """,
    )


def test_controls_in_source_and_messages_cannot_steer_the_terminal() -> None:
    found = ERROR.at(find("\x1b[31m", file=OTHER), "an escape \x1b[31m").note("bell \a")
    text = drawn(found)
    assert "\x1b" not in text
    assert "\a" not in text
    assert "<U+001B>[31m" in text
    assert "<U+202E>" in text


def test_a_long_line_is_clipped_around_each_mark() -> None:
    line = "x = " + "+".join(f"aaaaaaaa{n}" for n in range(40))
    file = SourceFile("long.afs", line)
    found = ERROR.at(find("aaaaaaaa22", file=file), "wrong").label(find("x", file=file), "of this")
    text = render([found], {"long.afs": file}, width=80)
    assert text == dedent(
        """\
        error[AFS0301]: null where none may be
         --> long.afs:1:237
          |
        1 | ...aa21+aaaaaaaa22+aaaaaaaa23+aaaaaaaa24+aaaaaaaa25+aaaaaaaa26+aaaaaaaa27...
          |         ^^^^^^^^^^ wrong
        1 | x = aaaaaaaa0+aaaaaaaa1+aaaaaaaa2+aaaaaaaa3+aaaaaaaa4+aaaaaaaa5+aaaaaaaa6...
          | - of this
        """
    )


def test_pictures_stand_below_the_source() -> None:
    same(
        ERROR.at(find("foo"), "").draw("t-7d   t\n  x----|\n"),
        """
        error[AFS0301]: null where none may be
          --> fraud/cards.afs:13:24
           |
        13 |   much: int = "漢字漢字" + foo
           |                            ^^^
           |
           | t-7d   t
           |   x----|
        """,
    )


def test_without_a_place_the_remarks_are_indented() -> None:
    same(
        ERROR.nowhere("the disk is full").note("nothing was written").help("free some space"),
        """
        error[AFS0301]: the disk is full
          note: nothing was written
          help: free some space
        """,
    )


def test_a_fix_that_removes_or_adds_lines() -> None:
    start = TEXT.index("  ratio")
    drop = Edit(Span(FILE.path, start, TEXT.index("  much")), "")
    add = Edit(Span(FILE.path, start, start), "  # new\n")
    found = ERROR.at(find("ratio"), "").fix("drop it", drop).fix("say so", add, safe=False)
    text = drawn(found)
    assert (
        "help: drop it\n   |\n12 -   ratio: float = mean(amount) over 7d / sum(amount) over 30d\n"
        in text
    )
    assert text.endswith("help: say so (this changes what the program means)\n   |\n12 +   # new\n")


def test_colour_adds_nothing_but_colour() -> None:
    found = (
        ERROR.at(find("foo"), "a")
        .label(find("much"), "b")
        .fix("f", Edit(find("foo"), "bar"))
        .note("n")
    )
    coloured = drawn(found, colour=True)
    plain = coloured
    for code in ("1", "31", "32", "34", "1;31", "1;33", "1;34", "1;36", "0"):
        plain = plain.replace(f"\x1b[{code}m", "")
    assert "\x1b" in coloured
    assert plain == drawn(found)


@pytest.mark.parametrize(
    ("errors", "warnings", "line"),
    [
        (0, 0, ""),
        (1, 0, "1 error"),
        (3, 1, "3 errors, 1 warning"),
        (0, 2, "2 warnings"),
    ],
)
def test_summary(errors: int, warnings: int, line: str) -> None:
    assert summary([ERROR.nowhere()] * errors + [WARNING.nowhere()] * warnings) == line


def test_wrapping_keeps_preformatted_lines_and_long_words() -> None:
    assert wrap("a bb ccc", 4) == ["a bb", "ccc"]
    assert wrap("  kept as it is", 4) == ["  kept as it is"]
    assert wrap("unbreakable", 4) == ["unbreakable"]
    assert wrap("one\ntwo", 40) == ["one", "two"]


@settings(max_examples=150, deadline=None)
@given(
    st.text(st.sampled_from("ab \t\n漢é\u0301\x1b\u200b{}"), max_size=80),
    st.lists(st.tuples(st.integers(0, 80), st.integers(0, 80)), min_size=1, max_size=4),
    st.integers(20, 90),
)
def test_any_places_in_any_text_are_drawn(
    text: str, places: list[tuple[int, int]], width: int
) -> None:
    file = SourceFile("a.afs", text)
    spans = [Span("a.afs", min(a, b), max(a, b)) for a, b in places]
    found = ERROR.at(spans[0], "first")
    for span in spans[1:]:
        found = found.label(span, "another")
    lines = render([found], {"a.afs": file}, width=width).split("\n")
    assert lines[0] == "error[AFS0301]: null where none may be"
    assert sum(line.count("first") for line in lines) == 1
    assert sum(line.count("another") for line in lines) == len(set(spans[1:])) or len(
        set(spans[1:])
    ) < len(spans[1:])


@given(st.text(max_size=40).filter(lambda text: "\n" not in text))
def test_laid_out_text_is_as_wide_as_its_cells_say(line: str) -> None:
    text, cells = lay_out(line)
    assert len(cells) == len(line) + 1
    assert cells[-1] == text_width(text)
    assert all(left <= right for left, right in pairwise(cells))
    assert all(cell_width(one) in (0, 1, 2) for one in text)


def test_a_help_that_a_fix_shows_is_said_once() -> None:
    file = SourceFile("a.afs", "a && b\n")
    span = Span("a.afs", 2, 4)
    code = Code("AFS0133", "operator", explain="")
    found = code.at(span, "here").help("write `and`").help("or not")
    found = found.fix("write `and`", Edit(span, "and"))
    drawn = render([found], {"a.afs": file})
    assert drawn.count("help: write `and`") == 1
    assert "= help: or not" in drawn
    assert "1 + a and b" in drawn
