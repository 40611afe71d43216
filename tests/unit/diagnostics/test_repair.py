"""Fixes mend what they say: every one that a code's ``bad`` program carries, and many more."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from astrafs.diagnostics import codes
from astrafs.diagnostics.model import Code, Diagnostic, Edit, Fix, Sink
from astrafs.diagnostics.repair import Texts, apply, choose, edited, repair
from astrafs.driver import compile_project
from astrafs.source import SourceFile, Span
from tests.unit.diagnostics.test_codes import COMPILED, files_of

# fmt: off
WITH_FIX = frozenset(f"AFS{number:04}" for number in (
    101, 103, 104, 105, 106, 107, 108, 109, 115, 116, 118, 121, 125, 127, 128, 131, 132, 133,
    134, 135, 136, 137, 142, 201, 203, 204, 207, 208, 209, 212, 213, 214, 215, 301, 302, 306,
    308, 310, 312, 314, 315, 401, 407, 501, 502, 504, 505, 507, 508,
))
# fmt: on
"""Codes whose own ``bad`` program shows a fix."""


def problems(files: Texts) -> Sequence[Diagnostic]:
    """Compile ``files`` and return what is wrong."""
    sink = Sink()
    compile_project(tuple(files.values()), sink)
    return tuple(sink)


def any_fix(_: Diagnostic, fix: Fix) -> bool:
    return bool(fix.edits)


def safe_fix(_: Diagnostic, fix: Fix) -> bool:
    return fix.safe


@pytest.mark.parametrize("code", COMPILED, ids=lambda code: code.id)
def test_each_fix_of_a_bad_program_mends_it(code: Code) -> None:
    files = {file.path: file for file in files_of(code.bad)}
    fixes = [fix for found in problems(files) for fix in found.fixes]
    assert fixes or code.id not in WITH_FIX
    for fix in fixes:
        left = problems(apply(files, [fix]))
        assert code.id not in {one.code.id for one in left}, fix.title
        if fix.safe:
            assert left == (), fix.title
        assert not any(one.is_error for one in left), fix.title


HEAD = """owner "team@acme.test"

entity User { user_id: int }

## Payments.
source payments from parquet("p/*.parquet") key id time at {
  id: string
  user_id: User
  amount: float
  paid: bool
  note: string?
  late: bool settles 60d
  at: timestamp
}
"""


def feature(line: str) -> str:
    """Return a program with one documented feature over payments."""
    return f"{HEAD}\nfeatures for User from payments {{\n  ## Doc.\n  {line}\n}}\n"


MENDED = [
    ("n: int = count(note != null and paid && amount > .5) over 7 days",
     "n: int = count(note is not null and paid and amount > 0.5) over 7d"),
    ("n: int = count() over 1.5h", "n: int = count() over 1h30m"),
    ("n: int = count(amount >= 2.0 where note == \u2018x\u2019) over 7d",
     'n: int = count(amount >= 2.0 where note == "x") over 7d'),
    ("n: int = count() over 7d\u00a0every 1h", "n: int = count() over 7d every 1h"),
    ("n: int = count(where amount \u2265 2.0) over 7d",
     "n: int = count(where amount >= 2.0) over 7d"),
    ("n: integer = COUNT() 7d;", "n: int = count() over 7d"),
    ("m: double? = avg(amount) over 7d", "m: float? = mean(amount) over 7d"),
    ("m: float = if count() over 7d > 3 then 1.0 elif count() over 1d > 1 then 2.0 else 3.0",
     "m: float = if count() over 7d > 3 then 1.0 else if count() over 1d > 1 then 2.0 else 3.0"),
    ("n: int = count(*) over 7d", "n: int = count() over 7d"),
    ("n: int = co\u200bunt() over 7d", "n: int = count() over 7d"),
    ("n: int = count(where (paid or late) != null) over 7d offset 60d",
     "n: int = count(where (paid or late) is not null) over 7d offset 60d"),
    ("n: int = count(where null == ((paid or late) )) over 7d offset 60d",
     "n: int = count(where ((paid or late) ) is null) over 7d offset 60d"),
    ("n: int = count(where null != note) over 7d",
     "n: int = count(where note is not null) over 7d"),
    ("n: int = count() over 7d ## the number", "n: int = count() over 7d # the number"),
]  # fmt: skip
"""What a safe fix makes of one feature."""


@pytest.mark.parametrize(("line", "right"), MENDED, ids=lambda text: text[:24].encode().hex())
def test_safe_fixes_leave_a_clean_program(line: str, right: str) -> None:
    done = repair({"main.afs": SourceFile("main.afs", feature(line))}, problems, safe_fix)
    assert done.files["main.afs"].text == feature(right)
    assert done.left == ()
    assert all(one.fix.safe for one in done.repairs)


RISKY = [
    ("m: float = mean(amonut) over 7d", "m: float? = mean(amount) over 7d"),
    ("n: int = count(where 1.0 < amount < 2.0) over 7",
     "n: int = count(where 1.0 < amount and amount < 2.0) over 7d"),
    ("n: float = sum(amount)", "n: float = sum(amount) over all"),
    ("n: bool = any(late) over 7d", "n: bool = any(late) over 7d offset 60d"),
    ("a: float = amount", "a: float? = last(amount) over all"),
    ("a: float = 2.0 * amount + 1.0", "a: float? = 2.0 * last(amount) over all + 1.0"),
    ("n: bool = max(at) over 7d > 2026-01-01T10:00:00",
     "n: bool? = max(at) over 7d > 2026-01-01T10:00:00Z"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "right"), RISKY, ids=lambda text: text[:24])
def test_unsafe_fixes_leave_a_clean_program(line: str, right: str) -> None:
    files = {"main.afs": SourceFile("main.afs", feature(line))}
    assert repair(files, problems, safe_fix).left != ()
    done = repair(files, problems, any_fix)
    assert (done.files["main.afs"].text, done.left) == (feature(right), ())


@pytest.mark.parametrize(
    ("use", "right"),
    [
        ("use a.{User, Shop, City}", "use a.{Shop}"),
        ("use a.{Shop, User, City}", "use a.{Shop}"),
        ("use a.{User, City, Shop}", "use a.{Shop}"),
        ("use a.User\nuse a.Shop", "\nuse a.Shop"),
    ],
)
def test_unused_names_leave_the_use_line(use: str, right: str) -> None:
    other = "".join(
        f"entity {name} {{ {name.lower()}_id: int }}\n" for name in ("User", "Shop", "City")
    )
    body = '\n\nsource s from csv("s.csv") key id time at {\n  id: Shop\n  at: timestamp\n}\n'
    files = {"a.afs": SourceFile("a.afs", other), "b.afs": SourceFile("b.afs", use + body)}
    done = repair(files, problems, safe_fix)
    assert (done.files["b.afs"].text, done.left) == (right + body, ())


def test_a_missing_comma_is_added() -> None:
    text = "entity Pair { a: int b: int }\n"
    done = repair({"a.afs": SourceFile("a.afs", text)}, problems, any_fix)
    assert done.left == ()


# --- the engine ------------------------------------------------------------------------------

CODE = codes.ALL["AFS0133"]


def at(start: int, end: int, *texts: str, safe: bool = True) -> Diagnostic:
    """Return a diagnostic at [start, end) with one fix per text to put there."""
    span = Span("f", start, end)
    found = CODE.at(span, f"{start}")
    for text in texts:
        found = found.fix(f"write {text}", Edit(span, text), safe=safe)
    return found


def test_edits_are_applied_together() -> None:
    edits = (Edit(Span("f", 4, 5), "X"), Edit(Span("f", 0, 1), ""), Edit(Span("f", 2, 2), "--"))
    assert edited("abcdef", edits) == "b--cdXf"


def test_fixes_that_touch_wait_for_another_round() -> None:
    found = [at(0, 2, "a"), at(2, 3, "b"), at(5, 5, "c"), at(5, 5, "d")]
    chosen = choose(found, any_fix)
    assert [one.diagnostic for one in chosen] == [found[0], found[2]]


def test_the_first_wanted_fix_of_a_diagnostic_is_taken() -> None:
    found = replace(
        at(0, 1, "a", safe=False), fixes=(*at(0, 1, "a", safe=False).fixes, *at(0, 1, "b").fixes)
    )
    assert [one.fix.title for one in choose([found], safe_fix)] == ["write b"]
    assert [one.fix.title for one in choose([found], any_fix)] == ["write a"]


def test_a_fix_that_does_not_help_is_taken_back() -> None:
    def check(texts: Texts) -> Sequence[Diagnostic]:
        text = texts["f"].text
        useless = at(0, 0, "x")
        return [useless, *(at(n, n + 1, "!") for n, letter in enumerate(text) if letter == "?")]

    done = repair({"f": SourceFile("f", "a?b?")}, check, any_fix)
    assert done.files["f"].text == "a!b!"
    assert [one.fix.title for one in done.repairs] == ["write !", "write !"]
    assert len(done.left) == 1


def test_repair_ends_even_if_every_fix_makes_work_for_the_next() -> None:
    def check(texts: Texts) -> Sequence[Diagnostic]:
        size = len(texts["f"].text)
        return [replace(at(size, size, "x"), title=f"number {size}")]

    done = repair({"f": SourceFile("f", "")}, check, any_fix)
    assert 10 < len(done.files["f"].text) < 100


JUNK = (";", "&&", " != null", "(", ")", "}", '"', "'", " 7 days", "==", "elif", "## x\n", "\u200b")


def damaged(seed: int) -> str:
    """Return a program with a few characters too many or too few."""
    draw = random.Random(seed)
    text = feature(draw.choice([*MENDED, *RISKY])[0])
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(len(text))
        text = text[:at] + draw.choice(JUNK) + text[at + draw.choice((0, 0, 1, 5)) :]
    return text


@pytest.mark.parametrize("seed", range(40))
def test_safe_fixes_of_damaged_programs_come_to_an_end(seed: int) -> None:
    done = repair({"main.afs": SourceFile("main.afs", damaged(seed))}, problems, safe_fix)
    assert all(one.fix.safe for one in done.repairs)
    assert repair(done.files, problems, safe_fix).repairs == ()
